//! What a data plane does about budgets.

use crate::control::{ControlPlane, usual};
use crate::fake::{BLOCK, BLOCK_STOP, DELTA, START, STOP, Script, chunk, text, whole_message};
use crate::world::{Answer, Control, Options, Rig, ask, world_of};
use ccag_domain::{
    Budget, BudgetAction, BudgetId, BudgetMode, BudgetRule, BudgetScope, ConfigObject, ModelName, NanoUsd,
    Period, Posture, TeamId, TimeZone, UserId,
};
use std::sync::atomic::Ordering;
use std::time::Duration;

fn budget(id: &str, scope: BudgetScope, amount: NanoUsd, mode: BudgetMode) -> Budget {
    Budget {
        id: BudgetId::parse(id).unwrap(),
        scope,
        amount,
        period: Period::Monthly,
        time_zone: TimeZone::UTC,
        mode,
        rules: vec![
            BudgetRule {
                at_percent: 80,
                action: BudgetAction::Notify,
            },
            BudgetRule {
                at_percent: 100,
                action: BudgetAction::Block,
            },
        ],
        raises: Vec::new(),
        posture: Posture::Granted,
    }
}

fn team() -> BudgetScope {
    BudgetScope::Team(TeamId::parse("team_1").unwrap())
}

/// The usual world under these budgets, of which so much is spent already.
async fn under(budgets: Vec<Budget>, spent: NanoUsd) -> (Control, Rig) {
    let mut objects = usual();
    let plane = ControlPlane::new(Vec::new());
    for budget in budgets {
        let treasury = &plane.shared.treasury;
        let id = budget.id.to_string();
        let ceiling = budget.ceiling_at(0).unwrap_or(NanoUsd(i64::MAX));
        treasury.ceilings.lock().unwrap().insert(id.clone(), ceiling);
        treasury.spent.lock().unwrap().insert(id, spent);
        objects.push(ConfigObject::Budget(budget));
    }
    plane.replace_snapshot(objects);
    let control = Control::start(plane).await;
    let rig = Rig::start(control.addr, Options::default()).await;
    (control, rig)
}

/// The usual world under a budget of the team's, of which nothing is spent.
async fn under_one(amount: NanoUsd, mode: BudgetMode) -> (Control, Rig) {
    under(vec![budget("bud_team", team(), amount, mode)], NanoUsd::ZERO).await
}

async fn answered(rig: &Rig) -> Answer {
    rig.bedrock.push(Script::Whole(whole_message()));
    rig.post(ask(false)).await
}

fn message(answer: &Answer) -> String {
    answer.json()["error"]["message"].as_str().unwrap().to_owned()
}

/// Asserts that it is the refusal after which clients do not try again, and that Bedrock was not asked.
fn assert_used_up(answer: &Answer, rig: &Rig, asked: usize) {
    assert_eq!(
        (answer.status, answer.error_type().as_str()),
        (429, "billing_error"),
        "{}",
        answer.text()
    );
    assert_eq!(answer.header("x-should-retry"), Some("false"));
    assert_eq!(rig.bedrock.asked().len(), asked);
}

/// Waits for the next beat, after which the control plane knows what is held here.
async fn settled(control: &Control, budget: &str, held: i64) -> (i64, i64) {
    for _ in 0..200 {
        let books = control.plane.shared.treasury.books(budget);
        if books.1 == held {
            return books;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("still held: {:?}", control.plane.shared.treasury.books(budget));
}

#[tokio::test]
async fn without_budgets_the_control_plane_is_not_asked() {
    let (control, rig) = world_of(usual(), Options::default()).await;
    let answer = answered(&rig).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("x-ccag-budget-status"), None);
    assert_eq!(control.plane.shared.treasury.streams.load(Ordering::Relaxed), 0);
    assert!(control.plane.stored(1).await[0].draws.is_empty());
}

#[tokio::test]
async fn what_a_request_costs_is_drawn_from_every_budget_and_the_rest_goes_back() {
    let ten = NanoUsd::from_usd(10);
    let user = BudgetScope::User(UserId::parse("user_1").unwrap());
    let budgets = vec![
        budget("bud_team", team(), ten, BudgetMode::Hard),
        budget("bud_user", user, ten, BudgetMode::Balanced),
    ];
    let (control, rig) = under(budgets, NanoUsd::from_usd(1)).await;
    let answer = answered(&rig).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("x-ccag-budget-percent"), Some("10.0"));
    assert_eq!(answer.header("x-ccag-budget-remaining-usd"), Some("9.00"));
    assert_eq!(answer.header("x-ccag-budget-status"), Some("ok"));
    assert!(
        answer
            .header("x-ccag-budget-resets")
            .unwrap()
            .ends_with("-01T00:00:00Z")
    );
    assert_eq!(
        answer.header("anthropic-ratelimit-unified-overage-utilization"),
        Some("0.100")
    );
    let record = control.plane.stored(1).await.remove(0);
    let draws: Vec<_> = record
        .draws
        .iter()
        .map(|d| (d.account.split('/').next().unwrap(), d.amount))
        .collect();
    // Haiku 4.5 through the `us.` profile, times 1.1: 12 tokens in, 7 out, 4 read, 3 written.
    let cost = (12 * 1_000 + 7 * 5_000 + 4 * 100 + 3 * 1_250) * 11 / 10;
    assert_eq!(draws, [("bud_team", cost), ("bud_user", cost)]);
    rig.stop().await;
    for budget in ["bud_team", "bud_user"] {
        assert_eq!(
            settled(&control, budget, 0).await.0,
            1_000_000_000 + cost,
            "{budget}"
        );
    }
}

#[tokio::test]
async fn an_exhausted_budget_is_a_refusal_that_says_which_how_much_and_until_when() {
    let (_control, rig) = under(
        vec![budget(
            "bud_team",
            team(),
            NanoUsd::from_usd(5),
            BudgetMode::Balanced,
        )],
        NanoUsd::from_usd(5),
    )
    .await;
    let answer = rig.post(ask(false)).await;
    assert_used_up(&answer, &rig, 0);
    let message = message(&answer);
    for part in [
        "monthly budget of $5.00",
        "is used up",
        "$5.00 are spent",
        "It resets at 20",
        "administrator",
    ] {
        assert!(message.contains(part), "{part}: {message}");
    }
    assert!(rig.metrics().contains("budget_refused_total 1"));
}

#[tokio::test]
async fn an_amount_of_zero_means_that_nothing_is_served() {
    let (_control, rig) = under(
        vec![budget(
            "bud_org",
            BudgetScope::Organisation,
            NanoUsd::ZERO,
            BudgetMode::Balanced,
        )],
        NanoUsd::ZERO,
    )
    .await;
    assert_used_up(&rig.post(ask(true)).await, &rig, 0);
}

#[tokio::test]
async fn a_hard_budget_refuses_what_could_cost_too_much_and_says_what_would_fit() {
    // Ten cents: enough for the prompt and a few thousand tokens, not for 64 000.
    let (_control, rig) = under_one(NanoUsd(100_000_000), BudgetMode::Hard).await;
    let long = ask(false).replace("\"max_tokens\":64", "\"max_tokens\":64000");
    let answer = rig.post(long).await;
    assert_used_up(&answer, &rig, 0);
    let message = message(&answer);
    assert!(message.contains("could cost up to $0.35"), "{message}");
    assert!(message.contains("CLAUDE_CODE_MAX_OUTPUT_TOKENS"), "{message}");
    assert_eq!(answered(&rig).await.status, 200);
}

#[tokio::test]
async fn what_is_set_aside_for_others_is_a_wait_and_not_an_end() {
    // Enough for one such request at a time.
    let (control, rig) = under_one(NanoUsd(4_000_000), BudgetMode::Hard).await;
    let events = rig.bedrock.stream();
    events.send(Ok(chunk(START))).unwrap();
    events.send(Ok(chunk(BLOCK))).unwrap();
    events.send(Ok(chunk(&text("Hello")))).unwrap();
    let mut open = rig.open(ask(true)).await;
    open.until("Hello").await;
    let refused = rig.post(ask(false)).await;
    assert_eq!(
        (refused.status, refused.error_type().as_str()),
        (429, "rate_limit_error"),
        "{}",
        refused.text()
    );
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_ne!(refused.header("x-should-retry"), Some("false"));
    // Whoever waits while it ends goes ahead.
    rig.bedrock.push(Script::Whole(whole_message()));
    let ending = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        for event in [BLOCK_STOP, DELTA, STOP] {
            events.send(Ok(chunk(event))).unwrap();
        }
        drop(events);
        open.rest().await
    };
    let (served, stream) = tokio::join!(rig.post(ask(false)), ending);
    assert_eq!(served.status, 200, "{}", served.text());
    assert!(
        stream.contains("message_stop"),
        "no stream is cut short for a budget"
    );
    assert_eq!(control.plane.stored(2).await.len(), 2);
}

#[tokio::test]
async fn an_answer_that_costs_more_than_was_thought_is_noticed_while_it_runs() {
    let (control, rig) = under_one(NanoUsd::from_usd(1), BudgetMode::Balanced).await;
    let events = rig.bedrock.stream();
    events.send(Ok(chunk(START))).unwrap();
    events.send(Ok(chunk(BLOCK))).unwrap();
    let mut open = rig.open(ask(true)).await;
    open.until("content_block_start").await;
    let before = control.plane.shared.treasury.books("bud_team").1;
    tokio::time::sleep(Duration::from_millis(150)).await;
    // Ten thousand tokens instead of 64 at most: about five cents.
    events.send(Ok(chunk(&text(&"word ".repeat(8_000))))).unwrap();
    for _ in 0..200 {
        if control.plane.shared.treasury.books("bud_team").1 > before + 40_000_000 {
            drop(events);
            open.rest().await;
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!(
        "nothing more was set aside: {:?}",
        control.plane.shared.treasury.books("bud_team")
    );
}

#[tokio::test]
async fn steps_on_the_way_restrict_and_slow_down() {
    let mut restricted = budget("bud_team", team(), NanoUsd::from_usd(10), BudgetMode::Balanced);
    restricted.rules.insert(
        1,
        BudgetRule {
            at_percent: 90,
            action: BudgetAction::Restrict {
                models: vec![ModelName::canonical("claude-haiku-5-5")],
            },
        },
    );
    let mut slowed = budget(
        "bud_org",
        BudgetScope::Organisation,
        NanoUsd::from_usd(10),
        BudgetMode::Balanced,
    );
    slowed.rules[0].action = BudgetAction::Throttle {
        requests_per_minute: 2,
    };
    let (control, rig) = under(vec![slowed], NanoUsd::from_usd(9)).await;
    // What is spent is known with the first answer of the control plane.
    let statuses = [
        answered(&rig).await.status,
        answered(&rig).await.status,
        answered(&rig).await.status,
    ];
    assert_eq!(statuses, [200, 200, 200]);
    let slow = rig.post(ask(false)).await;
    assert_eq!(
        (slow.status, slow.error_type().as_str()),
        (429, "rate_limit_error"),
        "{}",
        slow.text()
    );
    assert!(
        message(&slow).contains("2 requests per minute"),
        "{}",
        slow.text()
    );
    assert!(slow.header("retry-after").is_some());
    drop((control, rig));

    let (_control, rig) = under(vec![restricted], NanoUsd::from_usd(9)).await;
    assert_eq!(answered(&rig).await.status, 200);
    let answer = rig.post(ask(false)).await;
    assert_used_up(&answer, &rig, 1);
    assert!(message(&answer).contains("claude-haiku-5-5"), "{}", answer.text());
}

#[tokio::test]
async fn without_the_control_plane_a_budget_says_what_is_served() {
    let mut grace = budget("bud_team", team(), NanoUsd::from_usd(10), BudgetMode::Balanced);
    grace.posture = Posture::Grace(NanoUsd(60_000_000));
    let strict = budget("bud_team", team(), NanoUsd::from_usd(10), BudgetMode::Hard);
    for (budget, more) in [(grace, true), (strict, false)] {
        let (control, rig) = under(vec![budget], NanoUsd::ZERO).await;
        assert_eq!(answered(&rig).await.status, 200);
        control.stop().await;
        tokio::time::sleep(Duration::from_millis(5_500)).await;
        let mut served = 0;
        let refused = loop {
            let answer = answered(&rig).await;
            if answer.status != 200 {
                break answer;
            }
            served += 1;
            assert!(served < 2_000, "there is an end to it");
        };
        assert_eq!(refused.error_type(), "overloaded_error", "{}", refused.text());
        assert_eq!(refused.header("retry-after"), Some("10"));
        assert_eq!(served > 0, more, "{served}");
    }
}

#[tokio::test]
async fn a_control_plane_that_does_not_answer_holds_nobody_up_for_long() {
    let (control, rig) = under_one(NanoUsd::from_usd(10), BudgetMode::Balanced).await;
    control.plane.shared.treasury.mute.store(true, Ordering::Relaxed);
    let answer = tokio::time::timeout(Duration::from_secs(5), rig.post(ask(false)))
        .await
        .unwrap();
    assert_ne!(answer.status, 200);
    assert_eq!(rig.bedrock.asked().len(), 0);
}

#[tokio::test]
async fn thousands_of_requests_are_served_with_a_handful_of_questions() {
    let (control, rig) = under_one(NanoUsd::from_usd(1_000), BudgetMode::Balanced).await;
    for _ in 0..20 {
        assert_eq!(answered(&rig).await.status, 200);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Once the pace is known, shares come ahead of the need.
    tokio::time::sleep(Duration::from_millis(600)).await;
    let before = control.plane.shared.treasury.asks.load(Ordering::Relaxed);
    for _ in 0..300 {
        assert_eq!(answered(&rig).await.status, 200);
    }
    let asked = control.plane.shared.treasury.asks.load(Ordering::Relaxed) - before;
    assert!(asked < 60, "{asked} questions for 300 requests");
}

#[tokio::test]
async fn the_first_request_after_a_pause_finds_its_share_and_little_is_said_meanwhile() {
    let (control, rig) = under_one(NanoUsd::from_usd(1_000), BudgetMode::Balanced).await;
    assert_eq!(answered(&rig).await.status, 200);
    let treasury = &control.plane.shared.treasury;
    // Until nothing is said any more of what the request had used.
    tokio::time::sleep(Duration::from_secs(6)).await;
    let before = treasury.asks.load(Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(3)).await;
    let asked = treasury.asks.load(Ordering::Relaxed) - before;
    assert!((1..=5).contains(&asked), "{asked} words in three seconds");
    // Whoever had to ask now would not be answered.
    treasury.mute.store(true, Ordering::Relaxed);
    assert_eq!(answered(&rig).await.status, 200);
}

#[tokio::test]
async fn a_data_plane_that_starts_without_its_control_plane_does_what_its_budgets_say() {
    let mut grace = budget("bud_team", team(), NanoUsd::from_usd(10), BudgetMode::Balanced);
    grace.posture = Posture::Grace(NanoUsd::from_usd(1));
    let strict = budget("bud_team", team(), NanoUsd::from_usd(10), BudgetMode::Balanced);
    for (budget, expected) in [(grace, 200), (strict, 529)] {
        let (control, rig) = under(vec![budget], NanoUsd::ZERO).await;
        let (addr, dir) = (control.addr, std::sync::Arc::clone(&rig.dir));
        rig.stop().await;
        control.stop().await;
        let options = Options {
            dir,
            ..Options::default()
        };
        let rig = Rig::start(addr, options).await;
        let answer = answered(&rig).await;
        assert_eq!(answer.status, expected, "{}", answer.text());
        // The first request finds out; those after it do not wait.
        assert_eq!(answered(&rig).await.status, expected);
    }
}

#[tokio::test]
async fn a_fitting_budget_asks_for_as_many_tokens_as_are_left() {
    let ten = NanoUsd::from_usd(10);
    // Haiku 4.5 through the `us.` profile: 5.5 dollars per million output tokens, so four cents are some 7,000 tokens.
    let left = NanoUsd(40_000_000);
    let asks = |tokens: u64| ask(true).replace("\"max_tokens\":64", &format!("\"max_tokens\":{tokens}"));
    for (mode, expected) in [(BudgetMode::Hard, 429), (BudgetMode::Fitting, 200)] {
        let budgets = vec![budget("bud_team", team(), ten, mode)];
        let (control, rig) = under(budgets, ten - left).await;
        // What is spent is known with the first answer of the control plane.
        rig.bedrock
            .events([START, BLOCK, &text("Hello"), BLOCK_STOP, DELTA, STOP]);
        assert_eq!(rig.post(asks(64)).await.status, 200);
        control.plane.stored(1).await;
        rig.bedrock
            .events([START, BLOCK, &text("Hello"), BLOCK_STOP, DELTA, STOP]);
        let answer = rig.post(asks(32_000)).await;
        assert_eq!(answer.status, expected, "{mode:?}: {}", answer.text());
        let asked = rig.bedrock.asked();
        if mode == BudgetMode::Hard {
            assert_eq!(asked.len(), 1);
            continue;
        }
        let body: serde_json::Value = serde_json::from_slice(&asked[1].body).unwrap();
        let tokens = body["max_tokens"].as_u64().unwrap();
        assert!((6_500..7_300).contains(&tokens), "{tokens}");
        let said = answer.header("x-ccag-budget-max-tokens").unwrap();
        assert_eq!(said, tokens.to_string());
        // What is left by then is too little to be worth an answer.
        let almost_all = NanoUsd(left.0 - 5_000_000);
        control.plane.shared.treasury.spent.lock().unwrap().clear();
        let ceiling = ten - almost_all;
        let ceilings = &control.plane.shared.treasury.ceilings;
        ceilings.lock().unwrap().insert("bud_team".to_owned(), ceiling);
        let refused = rig.post(asks(32_000)).await;
        assert_eq!(refused.error_type(), "billing_error", "{}", refused.text());
    }
}

#[tokio::test]
async fn a_budget_that_never_blocks_is_asked_about_all_the_same() {
    let models = vec![ModelName::canonical("claude-opus-5-5")];
    let mut one = budget("bud_team", team(), NanoUsd::from_usd(10), BudgetMode::Balanced);
    one.rules = vec![BudgetRule {
        at_percent: 50,
        action: BudgetAction::Restrict { models },
    }];
    let (_control, rig) = under(vec![one], NanoUsd::from_usd(9)).await;
    // Until the control plane has said what is spent, nothing is known of it.
    for _ in 0..200 {
        let answer = answered(&rig).await;
        if answer.status == 429 {
            assert_eq!(answer.error_type(), "billing_error");
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("what is spent has never become known");
}
