//! Quotas of AWS's, which bedrock-sim enforces as AWS does: where requests go, and who is let in when they are short.

use crate::control::{ControlPlane, KEY, endpoint, explanation, key, team, usual};
use crate::sim::{aws, signed_sim, with};
use crate::world::{Answer, Control, Rig};
use bedrock_sim::{Action, Ending, Pace, Rule, Sim, TokenQuota};
use ccag_domain::{ConfigObject, Offers, Quota, QuotaKind, QuotaScope, RoutingPolicy, TeamId};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const OTHER_KEY: &str = "sk-ccag-test-key-1111111111111111111111111111111111";

/// How many times output of Claude Haiku 4.5 counts.
const BURNDOWN: u64 = 5;

/// What AWS enforces, and what it says.
fn limit(sim: &Sim, tokens_per_minute: u64) -> Quota {
    sim.quota(TokenQuota {
        model: "haiku".into(),
        tokens_per_minute,
        burndown: BURNDOWN,
    });
    Quota {
        code: "L-00000001".into(),
        name: String::new(),
        model: Some("Claude Haiku 4.5".into()),
        scope: QuotaScope::CrossRegion,
        kind: QuotaKind::TokensPerMinute,
        limit: tokens_per_minute,
    }
}

/// Endpoints in this order, each an account of its own, and two teams with a key each.
fn objects(accounts: &[(&Sim, Option<Quota>)]) -> Vec<ConfigObject> {
    let mut objects = usual();
    objects.retain(|one| !matches!(one, ConfigObject::Endpoint(_) | ConfigObject::Team(_)));
    let numbers: Vec<u32> = (1..).zip(accounts).map(|(n, _)| n).collect();
    for (n, (sim, quota)) in (1..).zip(accounts) {
        let mut endpoint = endpoint(n, true);
        endpoint.runtime_url = Some(sim.base_url());
        endpoint.offers = Arc::new(Offers {
            quotas: quota.iter().cloned().collect(),
            ..Offers::default()
        });
        objects.push(ConfigObject::Endpoint(endpoint));
    }
    for id in ["team_1", "team_2"] {
        let mut team = team(id, &numbers);
        team.routing = RoutingPolicy {
            strategy: Some(ccag_domain::routing::Strategy::PrimaryFallback),
            ..RoutingPolicy::default()
        };
        objects.push(ConfigObject::Team(team));
    }
    let mut other = key(OTHER_KEY, "key_2");
    other.team_id = TeamId::parse("team_2").ok();
    objects.push(ConfigObject::Key(other));
    objects
}

async fn world(accounts: &[(&Sim, Option<Quota>)]) -> (Control, Rig) {
    let control = Control::start(ControlPlane::new(objects(accounts))).await;
    let rig = Rig::start(control.addr, with(aws(accounts[0].0))).await;
    (control, rig)
}

fn ask(max_tokens: u64) -> String {
    serde_json::json!({
        "model": "claude-haiku-4-5", "max_tokens": max_tokens,
        "messages": [{"role": "user", "content": "hi"}],
    })
    .to_string()
}

fn throttled(sim: &Sim) -> usize {
    let entries = sim.account();
    entries
        .iter()
        .filter(|entry| entry.error.as_deref() == Some("ThrottlingException"))
        .count()
}

fn served(sim: &Sim) -> usize {
    let entries = sim.account();
    entries
        .iter()
        .filter(|entry| entry.ending == Ending::Completed)
        .count()
}

fn long_answers(sim: &Sim) {
    sim.script(Rule::always(Action::Pace(Pace {
        text: Some(400),
        head_ms: 20,
        ..Pace::default()
    })));
}

#[tokio::test]
async fn requests_go_to_the_second_endpoint_before_aws_throttles_at_the_first() {
    let (small, large) = (signed_sim().await, signed_sim().await);
    long_answers(&small);
    let quota = limit(&small, 5_000);
    let (control, rig) = world(&[(&small, Some(quota)), (&large, None)]).await;
    for _ in 0..20 {
        assert_eq!(rig.post(ask(1_000)).await.status, 200);
    }
    assert_eq!(throttled(&small), 0);
    assert!(
        served(&small) >= 5,
        "{}: what was set aside is free again",
        served(&small)
    );
    assert!(served(&large) >= 5, "{}", served(&large));
    assert_eq!(served(&small) + served(&large), 20);
    let records = control.plane.stored(20).await;
    let explained = records
        .iter()
        .map(explanation)
        .find(|one| one.attempts[0].endpoint_id == "end_2")
        .unwrap();
    let seen: Vec<_> = explained
        .route
        .candidates
        .iter()
        .map(|one| (one.endpoint_id.as_str(), one.quota.as_deref()))
        .collect();
    assert_eq!(seen, [("end_2", None), ("end_1", Some("no_room"))]);
    let metrics = rig.metrics();
    for line in [
        r#"ccag_dataplane_quota_limit{endpoint_id="end_1",model="claude-haiku-4-5",scope="cross_region",kind="tokens_per_minute"} 5000"#,
        r#"ccag_dataplane_quota_counted{endpoint_id="end_1""#,
        r#"ccag_dataplane_quota_passed_over_total{endpoint_id="end_1"}"#,
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
}

#[tokio::test]
async fn the_estimate_settles_as_aws_does() {
    let sim = signed_sim().await;
    long_answers(&sim);
    let quota = limit(&sim, 1_000_000);
    let (_control, rig) = world(&[(&sim, Some(quota))]).await;
    for _ in 0..3 {
        assert_eq!(rig.post(ask(1_000)).await.status, 200);
    }
    let used: u64 = sim
        .account()
        .iter()
        .map(|entry| entry.usage.input + entry.usage.output * BURNDOWN)
        .sum();
    assert_eq!(sim.counted("haiku"), used);
    let line = format!(
        "ccag_dataplane_quota_counted{{endpoint_id=\"end_1\",model=\"claude-haiku-4-5\",scope=\"cross_region\",kind=\"tokens_per_minute\"}} {used}"
    );
    assert!(rig.metrics().contains(&line), "{line} in {}", rig.metrics());
}

/// A greedy team sends as much as it can at the same time, until told to stop.
async fn greedy(rig: Arc<Rig>, stop: Arc<AtomicBool>) -> (u32, Vec<Answer>) {
    let (mut served, mut refused) = (0, Vec::new());
    while !stop.load(Ordering::Relaxed) {
        let answer = rig.post_with(OTHER_KEY, ask(1_000)).await;
        match answer.status {
            200 => served += 1,
            _ => {
                refused.push(answer);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
    (served, refused)
}

#[tokio::test]
async fn a_greedy_team_keeps_its_share_of_a_short_quota_and_a_modest_one_is_always_served() {
    let sim = signed_sim().await;
    long_answers(&sim);
    let quota = limit(&sim, 30_000);
    let (control, rig) = world(&[(&sim, Some(quota))]).await;
    let rig = Arc::new(rig);
    assert_eq!(rig.post(ask(1_000)).await.status, 200);
    let stop = Arc::new(AtomicBool::new(false));
    let all: Vec<_> = (0..8)
        .map(|_| tokio::spawn(greedy(Arc::clone(&rig), Arc::clone(&stop))))
        .collect();
    // Until the quota is short.
    while !rig
        .metrics()
        .contains("ccag_dataplane_quota_share_refused_total{")
    {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for n in 0..5 {
        let answer = rig.post(ask(1_000)).await;
        assert_eq!(answer.status, 200, "{n}: {}", answer.text());
    }
    stop.store(true, Ordering::Relaxed);
    let (mut served, mut refused) = (0, Vec::new());
    for one in all {
        let (some, others) = one.await.unwrap();
        served += some;
        refused.extend(others);
    }
    assert!(served > 20, "no dead stop: {served}");
    assert_eq!(throttled(&sim), 0, "nobody had to find out at AWS");
    let answer = refused.first().unwrap();
    assert_eq!(
        (answer.status, answer.error_type().as_str()),
        (429, "rate_limit_error")
    );
    assert!(answer.text().contains("has its share"), "{}", answer.text());
    let wait: u32 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=20).contains(&wait), "{wait}");
    let explained = control.plane.explained(1).await.remove(0);
    assert_eq!(explained.refusal.unwrap().stage, "quota");
    assert_eq!(explained.route.candidates[0].quota.as_deref(), Some("over_share"));
}

#[tokio::test]
async fn a_team_that_is_alone_is_never_refused_for_its_share() {
    let sim = signed_sim().await;
    let quota = limit(&sim, 3_000);
    let (_control, rig) = world(&[(&sim, Some(quota))]).await;
    for _ in 0..6 {
        let answer = rig.post(ask(2_500)).await;
        if answer.status != 200 {
            assert!(!answer.text().contains("has its share"), "{}", answer.text());
        }
    }
    assert!(sim.account().len() >= 6, "Bedrock was asked each time");
    assert!(!rig.metrics().contains("quota_share_refused_total{"));
}

#[tokio::test]
async fn where_no_quota_is_known_bedrocks_word_alone_counts() {
    let (small, large) = (signed_sim().await, signed_sim().await);
    let _ = limit(&small, 1_200);
    let (_control, rig) = world(&[(&small, None), (&large, None)]).await;
    for key in [KEY, OTHER_KEY, KEY, OTHER_KEY, KEY, OTHER_KEY] {
        assert_eq!(rig.post_with(key, ask(1_150)).await.status, 200);
    }
    assert!(throttled(&small) > 0, "it is found out there");
    let metrics = rig.metrics();
    for name in [
        "quota_limit{",
        "quota_counted{",
        "quota_share_refused_total{",
        "quota_passed_over_total{",
    ] {
        assert!(!metrics.contains(name), "{name}");
    }
}
