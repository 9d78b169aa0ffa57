//! What is written down of how a request was decided, and that it gets to the control plane.

use crate::control::{ControlPlane, KEY, endpoint, explanation, key, usual};
use crate::fake::{Script, hello, whole_message};
use crate::world::{Control, Options, Rig, ask, usual_world, world_of};
use ccag_dataplane::bedrock::CallError;
use ccag_domain::{
    Budget, BudgetAction, BudgetId, BudgetMode, BudgetRule, BudgetScope, ConfigObject, Explanation, KeyGrant,
    ModelName, NanoUsd, Period, Posture, TeamId, TimeZone, UserId,
};
use http_body_util::Full;
use std::time::Duration;

const AWS_ID: &str = "11111111-2222-3333-4444-555555555555";

fn budget(id: &str, scope: BudgetScope, mode: BudgetMode, action: BudgetAction) -> Budget {
    Budget {
        id: BudgetId::parse(id).unwrap(),
        scope,
        amount: NanoUsd::from_usd(10),
        period: Period::Monthly,
        time_zone: TimeZone::UTC,
        mode,
        rules: vec![BudgetRule {
            at_percent: 100,
            action,
        }],
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

/// What explains the only record.
async fn of_record(control: &Control) -> Explanation {
    let record = control.plane.stored(1).await.remove(0);
    let told = explanation(&record);
    assert_eq!(told.request_id, record.request_id);
    assert_eq!(told.replica_id, record.replica_id);
    told
}

fn request_id(answer: &crate::world::Answer) -> String {
    answer.header("request-id").unwrap().to_owned()
}

#[tokio::test]
async fn a_served_request_says_what_each_budget_set_aside_why_so_much_and_what_it_cost() {
    let user = BudgetScope::User(UserId::parse("user_1").unwrap());
    let budgets = vec![
        budget("bud_team", team(), BudgetMode::Hard, BudgetAction::Block),
        budget("bud_user", user, BudgetMode::Balanced, BudgetAction::Block),
        budget(
            "bud_org",
            BudgetScope::Organisation,
            BudgetMode::Balanced,
            BudgetAction::Notify,
        ),
    ];
    let (control, rig) = under(budgets, NanoUsd::from_usd(1)).await;
    rig.bedrock.push(Script::Whole(whole_message()));
    let answer = rig.post(ask(false)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let told = of_record(&control).await;
    assert_eq!(told.request_id, request_id(&answer));
    assert_eq!((told.status, told.outcome.as_ref()), (200, "completed"));
    assert_eq!(told.refusal, None);
    let shown = &told.key;
    assert_eq!((shown.id.as_str(), shown.header.as_ref()), ("key_1", "x-api-key"));
    assert_eq!(
        (shown.verdict.as_ref(), shown.team_by.as_deref()),
        ("valid", Some("key"))
    );
    assert_eq!(told.asked.model, "claude-haiku-4-5");
    assert_eq!((told.asked.max_output, told.asked.streaming), (64, false));
    let cost = NanoUsd((12 * 1_000 + 7 * 5_000 + 4 * 100 + 3 * 1_250) * 11 / 10);
    let find = |id: &str| told.budgets.iter().find(|one| one.id == id).unwrap();
    for (id, scope, mode, basis, verdict) in [
        ("bud_team", "team", "hard", "most", "passed"),
        ("bud_user", "user", "balanced", "likely", "passed"),
        ("bud_org", "organisation", "balanced", "", "counted"),
    ] {
        let said = find(id);
        let words = (said.scope.as_ref(), said.mode.as_ref(), said.basis.as_ref());
        assert_eq!(
            (words, said.verdict.as_ref()),
            ((scope, mode, basis), verdict),
            "{said:?}"
        );
        assert_eq!(said.limit_nano_usd, NanoUsd::from_usd(10));
        if verdict == "passed" {
            assert_eq!(said.spent_nano_usd, NanoUsd::from_usd(1), "{said:?}");
            assert!(
                said.needed_nano_usd.unwrap() > cost && said.drawn_nano_usd == Some(cost),
                "{said:?}"
            );
        } else {
            assert_eq!((said.needed_nano_usd, said.ceiling_nano_usd), (None, None));
        }
    }
    // Hard is the most that it could cost, with every byte of the prompt and all 64 tokens.
    assert!(find("bud_team").needed_nano_usd >= find("bud_user").needed_nano_usd);
    let attempt = &told.attempts[0];
    assert_eq!((told.attempts.len(), told.ended.attempts), (1, 1));
    assert_eq!(attempt.status, Some(200));
    assert_eq!(attempt.region, "us-east-1");
    assert_eq!(
        (attempt.lane.as_ref(), attempt.geography.as_ref()),
        ("invoke-model", "us")
    );
    assert!(attempt.bedrock_model.starts_with("us.anthropic.claude-haiku-4-5"));
    assert_eq!(attempt.aws_request_id.as_deref(), Some(AWS_ID));
    assert!(!told.translation.version.is_empty() && !told.translation.pinned);
}

#[tokio::test]
async fn a_failover_says_who_was_tried_what_they_answered_and_why_another_was() {
    let mut objects = usual();
    objects.push(ConfigObject::Endpoint(endpoint(2, true)));
    let (control, rig) = world_of(objects, Options::default()).await;
    rig.bedrock.push(Script::Status(
        429,
        "ThrottlingException",
        r#"{"message":"Too many tokens, please wait before trying again."}"#.to_owned(),
    ));
    let events = hello();
    rig.bedrock.events(events.iter().map(String::as_str));
    let answer = rig.post(ask(true)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let told = of_record(&control).await;
    let asked: Vec<_> = rig
        .bedrock
        .asked()
        .iter()
        .map(|one| one.endpoint.clone())
        .collect();
    let order: Vec<_> = told
        .route
        .candidates
        .iter()
        .map(|one| one.endpoint.clone())
        .collect();
    assert_eq!((order.clone(), order.len()), (asked.clone(), 2));
    assert_eq!(told.route.strategy, "sticky");
    assert_eq!(
        (told.route.affinity.as_ref(), told.route.pool.as_ref()),
        ("conversation", "default")
    );
    let [first, second] = told.attempts.as_slice() else {
        panic!("{:?}", told.attempts);
    };
    assert_eq!((&first.endpoint, &second.endpoint), (&asked[0], &asked[1]));
    assert_eq!(
        (first.status, first.error.as_deref()),
        (Some(429), Some("ThrottlingException"))
    );
    assert_eq!(first.then.as_deref(), Some("next_endpoint"));
    assert_eq!(first.aws_request_id.as_deref(), Some(AWS_ID));
    assert_eq!(
        (second.status, &second.error, &second.then),
        (Some(200), &None, &None)
    );
    assert!(first.took_ms.is_some() && second.took_ms.is_some());

    // The conversation stays where it has moved to, and that is said.
    assert!(!told.route.moved);
    rig.bedrock.push(Script::Whole(whole_message()));
    rig.post(ask(false)).await;
    let records = control.plane.stored(2).await;
    let told = explanation(&records[1]);
    assert_eq!(told.attempts.len(), 1);
    assert_eq!(
        (&told.route.candidates[0].endpoint, told.route.moved),
        (&asked[1], true)
    );

    // An endpoint in trouble is last, and that is said as well.
    rig.bedrock.push(Script::Status(
        429,
        "ThrottlingException",
        r#"{"message":"Too many tokens per day, please wait before trying again."}"#.to_owned(),
    ));
    for _ in 0..2 {
        rig.bedrock.push(Script::Whole(whole_message()));
        rig.post(ask(false)).await;
    }
    let records = control.plane.stored(4).await;
    let told = explanation(&records[3]);
    let trouble: Vec<_> = told.route.candidates.iter().map(|one| one.in_trouble).collect();
    assert_eq!((trouble, told.attempts.len()), (vec![false, true], 1));
}

#[tokio::test]
async fn a_budget_that_refuses_is_explained_though_there_is_no_record() {
    let one = budget("bud_team", team(), BudgetMode::Hard, BudgetAction::Block);
    let (control, rig) = under(vec![one], NanoUsd::from_usd(10)).await;
    let answer = rig.post(ask(false)).await;
    assert_eq!(answer.status, 429);
    let told = control.plane.explained(1).await.remove(0);
    assert_eq!(told.request_id, request_id(&answer));
    assert_eq!((told.status, told.outcome.as_ref()), (429, "refused"));
    let refusal = told.refusal.unwrap();
    assert_eq!(
        (refusal.stage.as_ref(), refusal.code.as_ref()),
        ("budget", "budget-exceeded")
    );
    assert!(
        refusal.message.contains("monthly budget of $10.00"),
        "{}",
        refusal.message
    );
    let said = &told.budgets[0];
    assert_eq!((said.verdict.as_ref(), said.basis.as_ref()), ("refused", "most"));
    assert_eq!(said.spent_nano_usd, NanoUsd::from_usd(10));
    assert!(said.needed_nano_usd.unwrap() > NanoUsd::ZERO && said.drawn_nano_usd.is_none());
    assert_eq!(told.route.candidates.len(), 1);
    assert!(told.attempts.is_empty());
    assert_eq!(rig.bedrock.asked().len(), 0);
}

#[tokio::test]
async fn a_rule_that_refuses_is_told_from_a_budget_that_does_not_suffice() {
    let models = vec![ModelName::canonical("claude-opus-5-5")];
    let restrict = BudgetAction::Restrict { models };
    let mut one = budget("bud_team", team(), BudgetMode::Balanced, BudgetAction::Block);
    one.rules.insert(
        0,
        BudgetRule {
            at_percent: 50,
            action: restrict,
        },
    );
    let (control, rig) = under(vec![one], NanoUsd::from_usd(9)).await;
    // What is spent is known here with the first answer of the control plane.
    rig.bedrock.push(Script::Whole(whole_message()));
    assert_eq!(rig.post(ask(false)).await.status, 200);
    let refused = rig.post(ask(false)).await;
    assert_eq!(refused.status, 429, "{}", refused.text());
    let told = control.plane.explained(1).await.remove(0);
    assert_eq!(told.request_id, request_id(&refused));
    let said = &told.budgets[0];
    assert_eq!(
        (said.verdict.as_ref(), said.needed_nano_usd),
        ("refused_by_rule", None)
    );
    assert!(said.spent_nano_usd >= NanoUsd::from_usd(9));
    assert!(
        told.refusal
            .unwrap()
            .message
            .contains("only these models are served")
    );
}

#[tokio::test]
async fn every_kind_of_refusal_of_a_known_key_is_explained_and_nothing_of_strangers() {
    let mut objects = usual();
    let expired = "sk-ccag-test-key-expired-000000000000000000000000000";
    objects.push(ConfigObject::Key(KeyGrant {
        expires_at_ms: Some(1),
        ..key(expired, "key_old")
    }));
    let slow = "sk-ccag-test-key-slow-000000000000000000000000000000";
    objects.push(ConfigObject::Key(KeyGrant {
        rate_limit_rpm: Some(0),
        ..key(slow, "key_slow")
    }));
    let (control, rig) = world_of(objects, Options::default()).await;
    let secret = "the launch code is swordfish";
    let other = |model: &str, more: serde_json::Value| {
        let mut body = serde_json::json!({
            "model": model, "max_tokens": 64, "messages": [{"role": "user", "content": secret}],
        });
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        body.to_string()
    };
    let mut ids = Vec::new();
    for (shown, body, status, stage, code) in [
        (expired, ask(false), 401, "key", "unauthenticated"),
        (slow, ask(false), 429, "admission", "rate-limited"),
        (KEY, "{".to_owned(), 400, "request", "invalid-request"),
        (
            KEY,
            other("no-such-model", serde_json::json!({})),
            404,
            "request",
            "not-found",
        ),
        (
            KEY,
            other("claude-haiku-4-5", serde_json::json!({"messages": secret})),
            400,
            "request",
            "invalid-request",
        ),
    ] {
        let answer = rig.post_with(shown, body).await;
        assert_eq!(answer.status, status, "{}", answer.text());
        ids.push((request_id(&answer), status, stage, code));
    }
    // Nobody reachable.
    rig.bedrock
        .push(Script::Error(CallError::Connect("no route".into())));
    let answer = rig.post(ask(false)).await;
    assert_eq!(answer.status, 529, "{}", answer.text());
    ids.push((request_id(&answer), 529, "endpoint", "overloaded"));
    assert_eq!(rig.post_with("sk-ccag-nobody", ask(false)).await.status, 401);
    let mut without = rig.request("POST", "/v1/messages", KEY);
    without.headers_mut().unwrap().remove("x-api-key");
    assert_eq!(rig.send(without.body(Full::default()).unwrap()).await.status, 401);

    let told = control.plane.explained(ids.len()).await;
    assert_eq!(told.len(), ids.len());
    for (told, (id, status, stage, code)) in told.iter().zip(&ids) {
        let refusal = told.refusal.as_ref().unwrap();
        assert_eq!((&told.request_id, told.status), (id, *status));
        assert_eq!((refusal.stage.as_ref(), refusal.code.as_ref()), (*stage, *code));
        let written = told.clone().to_json();
        assert!(
            !written.contains("swordfish") && !written.contains("sk-ccag"),
            "{written}"
        );
    }
    assert_eq!(
        (told[0].key.id.as_str(), told[0].key.verdict.as_ref()),
        ("key_old", "expired")
    );
    assert_eq!(told[1].key.verdict, "valid");
    assert!(
        told[3]
            .refusal
            .as_ref()
            .unwrap()
            .message
            .contains("no-such-model")
    );
    let attempt = &told[5].attempts[0];
    assert!(!attempt.reached && attempt.error.is_some() && attempt.then.is_none());
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(
        control.plane.explained(0).await.len(),
        ids.len(),
        "nothing of strangers"
    );
}

#[tokio::test]
async fn refusals_outlast_the_control_plane_and_delay_nobody() {
    let (control, rig) = usual_world().await;
    let addr = control.addr;
    let plane = control.stop().await;
    let began = std::time::Instant::now();
    let answer = rig.post("{").await;
    assert_eq!(answer.status, 400);
    assert!(began.elapsed() < Duration::from_secs(1));
    tokio::time::sleep(Duration::from_secs(2)).await;
    let control = Control::start_at(plane, addr).await;
    let told = control.plane.explained(1).await;
    assert_eq!(told[0].request_id, request_id(&answer));
}

#[tokio::test]
async fn betas_and_fields_are_told_by_name_and_a_reduced_attempt_by_what_it_did_without() {
    let (control, rig) = usual_world().await;
    rig.bedrock.push(Script::Status(
        400,
        "ValidationException",
        r#"{"message":"invalid beta flag"}"#.to_owned(),
    ));
    rig.bedrock.push(Script::Whole(whole_message()));
    let body = serde_json::json!({
        "model": "claude-haiku-4-5", "max_tokens": 64, "unheard_of": 1,
        "messages": [{"role": "user", "content": "the launch code is swordfish"}],
    });
    let request = rig
        .request("POST", "/v1/messages", KEY)
        .header(
            "anthropic-beta",
            "interleaved-thinking-2025-05-14,never-heard-of-2031-01-01",
        )
        .header("x-claude-code-session-id", "session-1")
        .body(Full::new(body.to_string().into()))
        .unwrap();
    let answer = rig.send(request).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let told = of_record(&control).await;
    let done = &told.translation;
    assert!(
        done.betas_removed
            .contains(&"never-heard-of-2031-01-01".to_owned()),
        "{done:?}"
    );
    assert!(
        done.dropped.iter().any(|one| one.contains("unheard_of")),
        "{done:?}"
    );
    assert!(!done.lessons.is_empty(), "{done:?}");
    assert_eq!(told.route.affinity, "session");
    assert_eq!(told.attempts.len(), 2);
    assert_eq!(told.attempts[0].then.as_deref(), Some("reduced"));
    assert!(told.attempts[0].without.is_some());
    let record = control.plane.stored(1).await.remove(0);
    let told = format!("{:?}", explanation(&record));
    assert!(
        !told.contains("swordfish") && !told.contains("session-1"),
        "{told}"
    );
    let decided = record.decided.unwrap();
    assert!(decided.len() < 1_024, "{} bytes: {told}", decided.len());
}
