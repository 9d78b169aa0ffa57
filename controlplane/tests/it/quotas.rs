//! What AWS lets an endpoint's account use, beside what requests have used.

use crate::discovery::plane;
use crate::support::{NOON, SYSTEM, TestDb, on_both, record};
use bedrock_sim::Sim;
use ccag_admin_api::{EndpointQuotas, QuotaView};
use ccag_controlplane::app::discovery;
use ccag_controlplane::app::intake::{Incoming, take_in};
use ccag_domain::{EndpointId, Geography, Lane, QuotaKind, QuotaScope, UsageRecord};

on_both!(
    quotas_are_shown_beside_what_requests_count_when_they_are_over,
    quotas_that_may_not_be_asked_for_are_shown_as_they_were,
);

fn quota(quotas: &EndpointQuotas, scope: QuotaScope, kind: QuotaKind) -> &QuotaView {
    let is_its =
        |q: &&QuotaView| q.model.as_deref() == Some("claude-opus-5-5") && q.scope == scope && q.kind == kind;
    quotas.quotas.iter().find(is_its).unwrap()
}

async fn quotas_are_shown_beside_what_requests_count_when_they_are_over(db: TestDb) {
    use QuotaKind::{TokensPerDay, TokensPerMinute};
    use QuotaScope::{All, CrossRegion, Global, Regional};
    let sim = Sim::builder().page(7).start().await.unwrap();
    let (plane, id) = plane(&db, &sim).await;
    let before = discovery::quotas(plane.app(), &SYSTEM, &id).await.unwrap();
    assert_eq!((before.asked_at, before.quotas.len()), (None, 0));
    discovery::discover(plane.app(), &SYSTEM, &id).await.unwrap();
    // One a moment ago, one of an hour ago; one through the global profile, one through bedrock-mantle, one elsewhere.
    let at = |seed, ago_ms: i64, change: fn(&mut UsageRecord)| {
        let mut made = record(seed);
        made.endpoint_id = id.clone();
        made.started_at_ms = NOON - ago_ms;
        change(&mut made);
        Incoming::Record(Box::new(made))
    };
    let batch = vec![
        at(1, 10_000, |_| {}),
        at(2, 3_600_000, |_| {}),
        at(3, 10_000, |r| r.geography = Geography::Global),
        at(4, 10_000, |r| r.surface = Lane::Mantle),
        at(5, 10_000, |r| {
            r.endpoint_id = EndpointId::parse("end_other").unwrap()
        }),
    ];
    take_in(plane.app(), "rep_test", batch).await.unwrap();
    let found = discovery::quotas(plane.app(), &SYSTEM, &id).await.unwrap();
    assert_eq!((found.asked_at.unwrap().ms(), &found.error), (NOON, &None));
    assert!(found.others > 5, "{}", found.others);
    // Ten of input, ninety written to caches, and twenty of output that count ten times each.
    let once = 10 + 90 + 20 * 10;
    for (scope, kind, limit, used) in [
        (CrossRegion, TokensPerMinute, 1_000_000, once),
        (Global, TokensPerMinute, 2_000_000, once),
        (Regional, TokensPerDay, 1_440_000_000, 2 * once),
    ] {
        let one = quota(&found, scope, kind);
        assert_eq!((one.limit, one.used), (limit, Some(used)), "{one:?}");
    }
    let usage = quota(&found, CrossRegion, TokensPerMinute).usage.unwrap();
    assert_eq!(
        (usage.requests, usage.cache_read_tokens, usage.output_counted),
        (1, 30, 200)
    );
    let shared = found.quotas.iter().find(|q| q.scope == All).unwrap();
    assert_eq!((shared.model.as_deref(), shared.used), (None, Some(3 * once)));
    assert!(
        found.quotas[0].used > Some(0),
        "the nearest to its end first: {:?}",
        found.quotas[0]
    );
    let page = plane
        .admin()
        .await
        .get(&format!("/admin/endpoints/{id}/quotas"))
        .await;
    assert_eq!(
        page.json()["quotas"].as_array().unwrap().len(),
        found.quotas.len()
    );
    plane.stop().await;
    sim.shutdown().await;
}

async fn quotas_that_may_not_be_asked_for_are_shown_as_they_were(db: TestDb) {
    let sim = Sim::builder().start().await.unwrap();
    let (plane, id) = plane(&db, &sim).await;
    sim.deny("servicequotas:ListServiceQuotas");
    let models = discovery::discover(plane.app(), &SYSTEM, &id).await.unwrap();
    assert!(models.discovered_at.is_some(), "the rest is found");
    let none = discovery::quotas(plane.app(), &SYSTEM, &id).await.unwrap();
    assert_eq!((none.asked_at, none.quotas.len()), (None, 0));
    assert_eq!(
        none.error.as_deref(),
        Some("the role lacks servicequotas:ListServiceQuotas")
    );
    sim.allow_all();
    discovery::discover(plane.app(), &SYSTEM, &id).await.unwrap();
    let known = discovery::quotas(plane.app(), &SYSTEM, &id).await.unwrap();
    assert!(known.error.is_none() && !known.quotas.is_empty());
    sim.deny("servicequotas:ListServiceQuotas");
    discovery::discover(plane.app(), &SYSTEM, &id).await.unwrap();
    let kept = discovery::quotas(plane.app(), &SYSTEM, &id).await.unwrap();
    assert_eq!(
        (kept.quotas.len(), kept.error.is_some()),
        (known.quotas.len(), true)
    );
    plane.stop().await;
    sim.shutdown().await;
}
