//! What AWS lets an endpoint's account use, beside what requests have used.

use crate::discovery::{endpoint_of, plane};
use crate::support::{NOON, Plane, SYSTEM, TestDb, config, on_both, record};
use crate::watch::Follower;
use bedrock_sim::{Sim, TokenQuota};
use ccag_admin_api::{EndpointQuotas, QuotaView};
use ccag_controlplane::app::discovery;
use ccag_controlplane::app::intake::{Incoming, take_in};
use ccag_domain::{EndpointId, Geography, Lane, QuotaKind, QuotaScope, UsageRecord};
use ccag_proto::v1;

on_both!(
    quotas_are_shown_beside_what_requests_count_when_they_are_over,
    quotas_that_may_not_be_asked_for_are_shown_as_they_were,
    data_planes_are_told_quotas_of_a_minute_and_when_one_changes,
    data_planes_are_told_what_the_others_use_at_whichever_control_plane,
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

fn endpoint_in(snapshot: v1::Snapshot) -> v1::Endpoint {
    let mut objects = snapshot.objects.into_iter();
    let endpoint = objects.find_map(|object| match object.object {
        Some(v1::object::Object::Endpoint(endpoint)) => Some(endpoint),
        _ => None,
    });
    endpoint.unwrap()
}

async fn data_planes_are_told_quotas_of_a_minute_and_when_one_changes(db: TestDb) {
    let sim = Sim::builder().start().await.unwrap();
    let (plane, id) = plane(&db, &sim).await;
    let mut follower = Follower::start(&plane, "", 0).await;
    follower.snapshot().await;
    let limit = |endpoint: &v1::Endpoint| {
        let opus = |one: &&v1::Quota| {
            one.model.as_deref() == Some("Claude Opus 5.5")
                && one.scope == "cross_region"
                && one.kind == "tokens_per_minute"
        };
        endpoint.quotas.iter().find(opus).map(|one| one.limit)
    };
    discovery::discover(plane.app(), &SYSTEM, &id).await.unwrap();
    let told = endpoint_of(&follower.changes(1).await[0]);
    assert_eq!(limit(&told), Some(1_000_000));
    assert!(told.quotas.iter().all(|one| one.kind != "tokens_per_day"));
    // Nothing new, nothing told; a quota that was raised is.
    discovery::discover(plane.app(), &SYSTEM, &id).await.unwrap();
    sim.quota(TokenQuota {
        model: "opus-5-5".into(),
        tokens_per_minute: 3_000_000,
        burndown: 10,
    });
    discovery::discover(plane.app(), &SYSTEM, &id).await.unwrap();
    assert_eq!(
        limit(&endpoint_of(&follower.changes(1).await[0])),
        Some(3_000_000)
    );
    // Where AWS may not be asked any more, what it said goes on to count.
    sim.deny("servicequotas:ListServiceQuotas");
    let revision = db.count("SELECT revision FROM config_revision").await;
    discovery::discover(plane.app(), &SYSTEM, &id).await.unwrap();
    assert_eq!(db.count("SELECT revision FROM config_revision").await, revision);
    let snapshot = Follower::start(&plane, "", 0).await.snapshot().await;
    assert_eq!(limit(&endpoint_in(snapshot)), Some(3_000_000));
    plane.stop().await;
    sim.shutdown().await;
}

async fn data_planes_are_told_what_the_others_use_at_whichever_control_plane(db: TestDb) {
    let sim = Sim::builder().start().await.unwrap();
    let (plane, id) = plane(&db, &sim).await;
    discovery::discover(plane.app(), &SYSTEM, &id).await.unwrap();
    let found = discovery::quotas(plane.app(), &SYSTEM, &id).await.unwrap();
    let opus = quota(&found, QuotaScope::CrossRegion, QuotaKind::TokensPerMinute);
    assert_eq!(opus.counted, Some(0));
    let mut one = Follower::start_as(&plane, "rep_one", ("", 0)).await;
    let endpoint = endpoint_in(one.snapshot().await).try_into().unwrap();
    let account = ccag_domain::quota::account(&endpoint, &opus.code);
    let uses = |counted| v1::QuotaUse {
        quota: account,
        counted,
        parties: vec![v1::PartyUse { party: 7, counted }],
    };
    assert!(one.quotas(1, 0).await.is_empty());
    let mut two = Follower::start_as(&plane, "rep_two", ("", 0)).await;
    two.quotas(2, 0).await;
    one.uses(vec![uses(700)], true).await;
    assert_eq!(two.quotas(2, 1).await, [uses(700)]);
    two.uses(vec![uses(50)], true).await;
    assert_eq!(one.quotas(2, 1).await, [uses(50)]);
    // Another control plane has it from the database.
    let other = Plane::start_with(config(&db)).await;
    let mut three = Follower::start_as(&other, "rep_three", ("", 0)).await;
    let mut told = Vec::new();
    while told != [uses(750)] {
        told = three.quotas(3, 2).await;
    }
    let found = discovery::quotas(other.app(), &SYSTEM, &id).await.unwrap();
    let opus = quota(&found, QuotaScope::CrossRegion, QuotaKind::TokensPerMinute);
    assert_eq!(opus.counted, Some(750));
    other.stop().await;
    plane.stop().await;
    sim.shutdown().await;
}
