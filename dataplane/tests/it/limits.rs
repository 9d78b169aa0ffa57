//! What a data plane does about limits of requests, tokens and concurrency.

use crate::control::{ControlPlane, KEY, key, usual};
use crate::fake::{BLOCK, BLOCK_STOP, DELTA, START, STOP, Script, chunk, text, whole_message};
use crate::world::{Answer, Control, Options, Rig, ask};
use ccag_domain::{
    BudgetScope, ConfigObject, Limit, LimitId, LimitKind, ModelName, TeamId, TokenWeights, UserId,
};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

fn limit(id: &str, scope: BudgetScope, kind: LimitKind, amount: u64) -> Limit {
    Limit {
        id: LimitId::parse(id).unwrap(),
        scope,
        models: Vec::new(),
        kind,
        amount,
    }
}

fn team() -> BudgetScope {
    BudgetScope::Team(TeamId::parse("team_1").unwrap())
}

/// The usual world under these limits.
async fn under(limits: Vec<Limit>) -> (Control, Rig) {
    let mut objects = usual();
    let plane = ControlPlane::new(Vec::new());
    for limit in limits {
        let permits = &plane.shared.treasury.permits;
        permits
            .lock()
            .unwrap()
            .insert(limit.id.to_string(), limit.ceiling());
        objects.push(ConfigObject::Limit(limit));
    }
    plane.replace_snapshot(objects);
    let control = Control::start(plane).await;
    let rig = Rig::start(control.addr, Options::default()).await;
    (control, rig)
}

async fn answered(rig: &Rig) -> Answer {
    rig.bedrock.push(Script::Whole(whole_message()));
    rig.post(ask(false)).await
}

/// Asserts that it is the refusal after which clients try again when told, and returns when that is.
fn wait_of(answer: &Answer) -> u64 {
    assert_eq!(
        (answer.status, answer.error_type().as_str()),
        (429, "rate_limit_error"),
        "{}",
        answer.text()
    );
    let wait = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait));
    wait
}

async fn taken(control: &Control, account: &str, expected: i64) {
    let treasury = &control.plane.shared.treasury;
    // What is kept ready because it was needed lately goes back little by little.
    for _ in 0..400 {
        if treasury.taken(account) == expected {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{} of {account} are taken", treasury.taken(account));
}

#[tokio::test]
async fn requests_in_a_minute_come_out_of_shares_and_are_free_again_after_it() {
    let each = limit("lim_each", BudgetScope::EachUser, LimitKind::Requests, 3);
    let (control, rig) = under(vec![each, limit("lim_team", team(), LimitKind::Requests, 100)]).await;
    let began = Instant::now();
    for _ in 0..3 {
        assert_eq!(answered(&rig).await.status, 200);
    }
    let refused = rig.post(ask(false)).await;
    assert_eq!(wait_of(&refused), 60);
    let message = refused.text();
    assert!(
        message.contains("Your limit of 3 requests per minute is reached; wait 60 s"),
        "{message}"
    );
    assert_eq!(rig.bedrock.asked().len(), 3);
    let told = control.plane.explained(1).await.remove(0);
    assert_eq!(told.refusal.unwrap().stage, "limit");
    let said: Vec<_> = told
        .limits
        .iter()
        .map(|l| (l.limit.as_str(), l.amount, &*l.verdict))
        .collect();
    assert_eq!(
        said,
        [("lim_team", 100, "passed"), ("lim_each/user_1", 3, "refused")]
    );
    // The permit of the team's limit that was taken for it has gone back; what was let through stays counted.
    taken(&control, "lim_each/user_1", 3).await;
    taken(&control, "lim_team", 3).await;
    let asks = control.plane.shared.treasury.asks.load(Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(5)).await;
    let signs_of_life = control.plane.shared.treasury.asks.load(Ordering::Relaxed) - asks;
    assert!(signs_of_life < 9, "{signs_of_life}");
    tokio::time::sleep(Duration::from_millis(60_200).saturating_sub(began.elapsed())).await;
    assert_eq!(answered(&rig).await.status, 200);
    rig.stop().await;
    taken(&control, "lim_each/user_1", 1).await;
}

#[tokio::test]
async fn a_key_and_others_with_its_limit_used_up_are_told_so() {
    let plane = ControlPlane::new(Vec::new());
    plane
        .shared
        .treasury
        .permits
        .lock()
        .unwrap()
        .insert("key_1".to_owned(), 2);
    let mut limited = key(KEY, "key_1");
    limited.rate_limit_rpm = Some(2);
    let mut objects = usual();
    objects.push(ConfigObject::Key(limited));
    plane.replace_snapshot(objects);
    let control = Control::start(plane).await;
    let rig = Rig::start(control.addr, Options::default()).await;
    for _ in 0..2 {
        assert_eq!(answered(&rig).await.status, 200);
    }
    let refused = rig.post(ask(false)).await;
    wait_of(&refused);
    assert!(
        refused
            .text()
            .contains("this API key may send 2 requests per minute")
    );
    taken(&control, "key_1", 2).await;
}

#[tokio::test]
async fn no_more_requests_run_at_a_time_and_whoever_waits_gets_the_place_that_becomes_free() {
    let (control, rig) = under(vec![limit("lim_one", team(), LimitKind::Concurrency, 1)]).await;
    let events = rig.bedrock.stream();
    for event in [START, BLOCK, &text("one")] {
        events.send(Ok(chunk(event))).unwrap();
    }
    let mut first = rig.open(ask(true)).await;
    first.until("content_block_delta").await;
    let refused = rig.post(ask(true)).await;
    assert_eq!(wait_of(&refused), 2);
    assert!(
        refused
            .text()
            .contains("limit of 1 requests at a time is reached"),
        "{}",
        refused.text()
    );
    // Whoever comes next waits a little, and gets the place.
    let next = answered(&rig);
    let leaves = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(rig.bedrock.asked().len(), 1);
        for event in [BLOCK_STOP, DELTA, STOP] {
            events.send(Ok(chunk(event))).unwrap();
        }
        drop(events);
    };
    let (next, ()) = tokio::join!(next, leaves);
    assert_eq!(next.status, 200);
    assert!(first.rest().await.contains("message_stop"));
    taken(&control, "lim_one", 0).await;
}

#[tokio::test]
async fn tokens_count_by_their_weights_and_only_for_the_models_that_are_named() {
    let weights = TokenWeights {
        input: 100,
        output: 500,
        cache_read: 50,
        cache_write: 125,
    };
    let all = limit("lim_all", team(), LimitKind::Tokens(weights), 1_000_000);
    let mut opus = limit("lim_opus", team(), LimitKind::Tokens(weights), 1_000);
    opus.models = vec![ModelName::canonical("claude-opus-5-5")];
    let (control, rig) = under(vec![all, opus]).await;
    assert_eq!(answered(&rig).await.status, 200);
    // 12 tokens in, 7 out, 4 read, 3 written: 12 + 35 + 2 + 3.75.
    taken(&control, "lim_all", 53).await;
    taken(&control, "lim_opus", 0).await;
}

#[tokio::test]
async fn a_limit_of_nothing_lets_nothing_through_and_one_that_is_gone_lets_everything() {
    let user = BudgetScope::User(UserId::parse("user_1").unwrap());
    let (control, rig) = under(vec![limit(
        "lim_none",
        user,
        LimitKind::Tokens(TokenWeights::default()),
        0,
    )])
    .await;
    let refused = rig.post(ask(false)).await;
    assert_eq!(
        (refused.status, refused.header("x-should-retry")),
        (429, Some("false"))
    );
    assert!(
        refused.text().contains("lets nothing through"),
        "{}",
        refused.text()
    );
    let removed = control.plane.remove(ccag_domain::ObjectKind::Limit, "lim_none");
    control.plane.applied(removed).await;
    assert_eq!(answered(&rig).await.status, 200);
}

#[tokio::test]
async fn without_the_control_plane_each_data_plane_lets_its_part_through() {
    let (control, rig) = under(vec![limit("lim_team", team(), LimitKind::Requests, 12)]).await;
    let treasury = &control.plane.shared.treasury;
    treasury.holders.store(3, Ordering::Relaxed);
    assert_eq!(answered(&rig).await.status, 200);
    taken(&control, "lim_team", 1).await;
    treasury.mute.store(true, Ordering::Relaxed);
    // A third of twelve, with the one from before.
    for _ in 0..3 {
        assert_eq!(answered(&rig).await.status, 200);
    }
    wait_of(&rig.post(ask(false)).await);
    // What a limit allows is known from the configuration, and that of one which the control plane does not know as well.
    let unknown = limit("lim_unknown", team(), LimitKind::Concurrency, 5);
    let put = control.plane.put(ConfigObject::Limit(unknown));
    control.plane.applied(put).await;
    wait_of(&rig.post(ask(false)).await);
}
