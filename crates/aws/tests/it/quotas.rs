//! What AWS lets an account use, asked of bedrock-sim, which lists it in pages and checks the signature for its own service.

use crate::{client, endpoint, sim};
use ccag_aws::discovery::discover;
use ccag_aws::permissions::Verdict;
use ccag_domain::{QuotaKind, QuotaScope};

#[tokio::test]
async fn quotas_are_read_from_all_pages_and_what_is_about_something_else_is_counted() {
    let sim = sim().await;
    let client = client(&sim, "a-secret").await;
    let found = client.list_quotas(&endpoint(None)).await.unwrap();
    assert!(
        found.quotas.len() > 40 && found.others > 5,
        "{} {}",
        found.quotas.len(),
        found.others
    );
    let of = |scope, kind| {
        let mut all = found.quotas.iter();
        all.find(|q| q.model.as_deref() == Some("Claude Opus 5.5") && q.scope == scope && q.kind == kind)
            .map(|q| q.limit)
    };
    assert_eq!(
        of(QuotaScope::CrossRegion, QuotaKind::TokensPerMinute),
        Some(1_000_000)
    );
    assert_eq!(
        of(QuotaScope::Global, QuotaKind::TokensPerMinute),
        Some(2_000_000)
    );
    assert_eq!(
        of(QuotaScope::Regional, QuotaKind::TokensPerDay),
        Some(1_440_000_000)
    );
    sim.shutdown().await;
}

#[tokio::test]
async fn without_the_permission_the_rest_is_found_and_the_action_is_named() {
    let sim = sim().await;
    sim.deny("servicequotas:ListServiceQuotas");
    let client = client(&sim, "a-secret").await;
    let found = discover(&client, &endpoint(None), 7).await.unwrap();
    assert!(!found.discovery.profiles.is_empty());
    assert_eq!(
        found.quotas.unwrap_err(),
        "the role lacks servicequotas:ListServiceQuotas"
    );
    let checks = client.permissions(&endpoint(None), &[]).await;
    let denied: Vec<_> = checks
        .iter()
        .filter(|check| check.verdict != Verdict::Allowed)
        .collect();
    let [check] = denied.as_slice() else {
        panic!("{denied:?}")
    };
    assert_eq!(check.action, "servicequotas:ListServiceQuotas");
    let Verdict::Denied { resource, .. } = &check.verdict else {
        panic!("{check:?}")
    };
    assert_eq!(resource.as_deref(), Some("*"));
    sim.allow_all();
    let found = discover(&client, &endpoint(None), 7).await.unwrap();
    assert!(!found.quotas.unwrap().quotas.is_empty());
    sim.shutdown().await;
}
