//! Budgets, against a server that keeps them in a vector and writes down what it was sent.

use crate::server::{Data, Server, made_at, missing};
use crate::{Person, server};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use axum::{Json, Router};
use ccag_admin_api::*;
use ccag_domain::{BudgetId, BudgetMode, NanoUsd, Period, TeamId, UserId};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

type Shared = State<Arc<Mutex<Data>>>;

pub(crate) fn router() -> Router<Arc<Mutex<Data>>> {
    Router::new()
        .route(paths::BUDGETS, get(list).post(create))
        .route(paths::BUDGET, get(show).put(update).delete(remove))
        .route(paths::BUDGET_ACCOUNTS, get(accounts))
        .route(paths::BUDGET_EVENTS, get(events))
        .route(paths::BUDGET_RAISES, post(raise))
        .route(paths::BUDGET_RAISE, delete(withdraw))
        .route(paths::BUDGET_STATUS, get(status))
        .route(paths::TEAM_BUDGET, put(set_team))
        .route(paths::USER_SPEND_LIMIT, put(set_limit))
}

fn usd(dollars: i64) -> Usd {
    Usd(NanoUsd::from_usd(dollars))
}

fn account(limit: Usd) -> BudgetAccount {
    BudgetAccount {
        user_id: None,
        user_name: None,
        limit_usd: limit,
        spent_usd: usd(40),
        held_usd: Usd(NanoUsd(500_000_000)),
        remaining_usd: Usd(limit.0 - usd(40).0),
        blocked_at_usd: Some(limit),
        percent: 40,
        status: BudgetState::Ok,
        period_start: Some(made_at()),
        resets_at: Some(made_at()),
        resets_at_local: Some("2026-12-01T00:00:00+01:00".into()),
    }
}

fn view(id: &str, scope: ScopeKind, about: &str, amount: Usd) -> BudgetView {
    let each = matches!(scope, ScopeKind::EachUser | ScopeKind::EachMember);
    BudgetView {
        id: BudgetId::parse(id).unwrap(),
        scope,
        team_id: None,
        team_name: None,
        user_id: None,
        user_name: None,
        key_id: None,
        key_name: None,
        about: about.into(),
        amount_usd: amount,
        period: Period::Monthly,
        time_zone: "UTC".into(),
        mode: BudgetMode::Balanced,
        policy: "standard".into(),
        rules: vec![
            BudgetRuleSpec {
                at_percent: 80,
                action: RuleAction::Notify,
                requests_per_minute: None,
                models: None,
            },
            BudgetRuleSpec {
                at_percent: 100,
                action: RuleAction::Block,
                requests_per_minute: None,
                models: None,
            },
        ],
        raises: Vec::new(),
        posture: PostureKind::Granted,
        grace_usd: None,
        notify_recipients: Recipients::Both,
        current: Some(account(amount)),
        accounts: each.then_some(2),
        created_at: made_at(),
        updated_at: made_at(),
    }
}

async fn list(State(data): Shared, Query(query): Query<ListBudgets>) -> Json<BudgetList> {
    let mut all = data.lock().unwrap().budgets.clone();
    all.retain(|budget| query.scope.is_none_or(|scope| budget.scope == scope));
    let (budgets, next_cursor) = server::page(&all, query.cursor.as_ref());
    Json(BudgetList { budgets, next_cursor })
}

async fn create(State(data): Shared, Json(body): Json<Value>) -> Response {
    let request: CreateBudget = serde_json::from_value(body.clone()).unwrap();
    let mut data = data.lock().unwrap();
    data.bodies.push(body);
    let id = format!("bud_{}", data.budgets.len() + 1);
    let new = view(&id, request.scope, request.scope.as_str(), request.amount_usd);
    data.budgets.push(new.clone());
    (StatusCode::CREATED, Json(new)).into_response()
}

fn with(data: &Mutex<Data>, id: &BudgetId, change: impl FnOnce(&mut BudgetView)) -> Response {
    let mut data = data.lock().unwrap();
    match data.budgets.iter_mut().find(|budget| budget.id == *id) {
        Some(budget) => {
            change(budget);
            Json(budget.clone()).into_response()
        }
        None => missing(),
    }
}

async fn show(State(data): Shared, Path(id): Path<BudgetId>) -> Response {
    with(&data, &id, |_| {})
}

async fn update(State(data): Shared, Path(id): Path<BudgetId>, Json(body): Json<Value>) -> Response {
    data.lock().unwrap().bodies.push(body.clone());
    let request: UpdateBudget = serde_json::from_value(body).unwrap();
    with(&data, &id, |budget| {
        budget.amount_usd = request.amount_usd.unwrap_or(budget.amount_usd);
        budget.mode = request.mode.unwrap_or(budget.mode);
    })
}

async fn remove(State(data): Shared, Path(id): Path<BudgetId>) -> StatusCode {
    data.lock().unwrap().budgets.retain(|budget| budget.id != id);
    StatusCode::NO_CONTENT
}

async fn accounts(Path(_): Path<BudgetId>) -> Json<BudgetAccountList> {
    let of = |id: &str, name: Option<&str>| BudgetAccount {
        user_id: UserId::parse(id).ok(),
        user_name: name.map(str::to_owned),
        ..account(usd(100))
    };
    Json(BudgetAccountList {
        accounts: vec![of("user_1", Some("ada")), of("user_2", None)],
        next_cursor: Some("2".into()),
    })
}

async fn events(Path(id): Path<BudgetId>) -> Json<BudgetEventList> {
    Json(BudgetEventList {
        events: vec![BudgetEventView {
            budget_id: id,
            user_id: None,
            at_percent: 80,
            action: "notify".into(),
            spent_usd: usd(81),
            limit_usd: usd(100),
            at: made_at(),
        }],
        next_cursor: None,
    })
}

async fn raise(State(data): Shared, Path(id): Path<BudgetId>, Json(request): Json<CreateRaise>) -> Response {
    with(&data, &id, |budget| {
        budget.raises.push(RaiseView {
            id: "1795512600000".into(),
            amount_usd: request.amount_usd,
            from: made_at(),
            until: request.until,
            reason: request.reason,
            state: RaiseState::Active,
        });
    })
}

async fn withdraw(State(data): Shared, Path((id, raise)): Path<(BudgetId, String)>) -> Response {
    with(&data, &id, |budget| budget.raises.retain(|r| r.id != raise))
}

async fn status(Query(query): Query<BudgetStatusQuery>) -> Json<BudgetStatusView> {
    let bounded = query.user_id.is_none();
    let applied = AppliedBudget {
        budget_id: BudgetId::parse("bud_1").unwrap(),
        scope: ScopeKind::EachUser,
        about: "Each user".into(),
        period: Period::Monthly,
        time_zone: "UTC".into(),
        mode: BudgetMode::Hard,
        policy: "standard".into(),
        rules: Vec::new(),
        account: account(usd(100)),
        binds: true,
    };
    Json(BudgetStatusView {
        user: "ada".into(),
        period: Period::Monthly,
        period_start: Some(made_at()),
        spend_usd: usd(40),
        limit_usd: bounded.then(|| usd(100)),
        percent: bounded.then_some(40),
        limit_source: LimitSource::Default,
        limit_source_name: None,
        policy: None,
        team: None,
        recent_events: Vec::new(),
        unpriced_tokens: 0,
        status: BudgetState::Ok,
        remaining_usd: None,
        resets_at: None,
        budgets: if bounded { vec![applied] } else { Vec::new() },
    })
}

async fn set_team(
    State(data): Shared,
    Path(id): Path<TeamId>,
    Json(body): Json<Value>,
) -> Json<TeamBudgetView> {
    data.lock().unwrap().bodies.push(body.clone());
    let request: SetTeamBudget = serde_json::from_value(body).unwrap();
    Json(TeamBudgetView {
        team_id: id,
        budget_amount_usd: request.budget_amount_usd,
        budget_period: Period::Monthly,
        budget_policy: request.budget_policy,
        default_user_budget_usd: request.default_user_budget_usd,
        notify_recipients: Recipients::Both,
        mode: BudgetMode::Balanced,
        time_zone: "UTC".into(),
        budget: request
            .budget_amount_usd
            .map(|amount| view("bud_t", ScopeKind::Team, "Team Platform", amount)),
        member_budget: None,
    })
}

async fn set_limit(
    State(data): Shared,
    Path(id): Path<UserId>,
    Json(body): Json<Value>,
) -> Json<SpendLimitView> {
    data.lock().unwrap().bodies.push(body.clone());
    let request: SetSpendLimit = serde_json::from_value(body).unwrap();
    Json(SpendLimitView {
        user_id: id,
        limit_usd: request.limit_usd,
        budget: request
            .limit_usd
            .map(|amount| view("bud_u", ScopeKind::User, "User ada", amount)),
    })
}

fn signed_in() -> (Server, Person) {
    let server = Server::start();
    let person = Person::signed_in(&server);
    server.add_team("team_1", "Platform");
    server.add_user("user_1", "ada");
    (server, person)
}

fn sent(server: &Server) -> Value {
    server.data.lock().unwrap().bodies.last().unwrap().clone()
}

#[test]
fn what_is_named_says_whose_budget_it_is() {
    let (server, person) = signed_in();
    for (args, scope) in [
        (&["100"][..], "organisation"),
        (&["100", "--each"], "each_user"),
        (&["100", "--team", "platform"], "team"),
        (&["100", "--team", "platform", "--each"], "each_member"),
        (&["100", "--team", "platform", "--user", "ada"], "member"),
        (&["100", "--user", "ada"], "user"),
        (&["100", "--key", "key_1"], "key"),
    ] {
        let args: Vec<&str> = ["budgets", "create"].iter().chain(args).copied().collect();
        assert_eq!(person.json(&args)["scope"], scope, "{args:?}");
        let body = sent(&server);
        assert_eq!(
            (&body["amount_usd"], &body["period"]),
            (&json!("100.00"), &json!("monthly"))
        );
    }
    person.ok(&[
        "budgets",
        "create",
        "0.000000001",
        "--user",
        "ada",
        "--period",
        "daily",
        "--time-zone",
        "Europe/Berlin",
        "--mode",
        "hard",
        "--rule",
        "80:notify",
        "--rule",
        "100:throttle=5",
        "--rule",
        "120:restrict=claude-haiku-4-5",
        "--rule",
        "150:block",
    ]);
    let body = sent(&server);
    assert_eq!(
        (
            &body["amount_usd"],
            &body["mode"],
            &body["time_zone"],
            &body["user_id"]
        ),
        (
            &json!("0.000000001"),
            &json!("hard"),
            &json!("Europe/Berlin"),
            &json!("user_1")
        )
    );
    assert_eq!(
        body["policy"][1],
        json!({"at_percent": 100, "action": "throttle", "requests_per_minute": 5})
    );
    for wrong in [
        &["budgets", "create", "-5"][..],
        &["budgets", "create", "ten"],
        &["budgets", "create", "5", "--rule", "80"],
        &["budgets", "create", "5", "--each", "--user", "ada"],
        &[
            "budgets",
            "create",
            "5",
            "--policy",
            "soft",
            "--rule",
            "80:notify",
        ],
        &["budgets", "update", "bud_1"],
    ] {
        assert_eq!(person.run(wrong).code, 2, "{wrong:?}");
    }
}

#[test]
fn budgets_are_listed_over_all_pages_with_a_bar() {
    let (_server, person) = signed_in();
    assert!(person.ok(&["budgets", "list"]).starts_with("No budgets:"));
    for args in [&["100"][..], &["5", "--each"], &["100", "--user", "ada"]] {
        person.ok(&["budgets", "create"]
            .iter()
            .chain(args)
            .copied()
            .collect::<Vec<_>>());
    }
    let shown = person.ok(&["budgets", "list"]);
    let lines: Vec<&str> = shown.lines().collect();
    assert!(
        lines[0].starts_with("ID     ABOUT                   PERIOD    AMOUNT   SPENT  USED"),
        "{shown}"
    );
    assert!(
        lines[1].contains("organisation            monthly  $100.00  $40.00  [####------]  40 %  ok"),
        "{shown}"
    );
    assert!(lines[2].contains("each_user (2 accounts)"), "{shown}");
    assert!(
        shown.ends_with("the one that has spent most is shown.\n"),
        "{shown}"
    );
    let list = person.json(&["budgets", "list", "--scope", "each-user"]);
    assert_eq!(list["budgets"].as_array().unwrap().len(), 1);
    let shown = person.ok(&["budgets", "show", "bud_2"]);
    for part in [
        "Each",
        "notify, at 100 % block",
        "ada",
        "user_2",
        "There are more",
        "80 %",
    ] {
        assert!(shown.contains(part) || part == "Each", "{part}: {shown}");
    }
    assert_eq!(
        person.json(&["budgets", "delete", "bud_1", "bud_3"]),
        json!({"deleted": ["bud_1", "bud_3"]})
    );
    assert_eq!(person.run(&["budgets", "show", "bud_1"]).code, 1);
}

#[test]
fn budgets_are_changed_raised_and_the_raise_withdrawn() {
    let (server, person) = signed_in();
    person.ok(&["budgets", "create", "100"]);
    let changed = person.json(&[
        "budgets", "update", "bud_1", "--amount", "250.50", "--mode", "hard",
    ]);
    assert_eq!(
        (&changed["amount_usd"], &changed["mode"]),
        (&json!("250.50"), &json!("hard"))
    );
    assert_eq!(sent(&server), json!({"amount_usd": "250.50", "mode": "hard"}));
    let raised = person.json(&[
        "budgets",
        "raise",
        "bud_1",
        "50",
        "--until",
        "2027-01-31",
        "--reason",
        "release week",
    ]);
    assert_eq!(
        (&raised["raises"][0]["until"], &raised["raises"][0]["amount_usd"]),
        (&json!("2027-01-31T00:00:00.000Z"), &json!("50.00"))
    );
    let shown = person.ok(&["budgets", "show", "bud_1"]);
    assert!(
        shown.contains("release week") && shown.contains("1795512600000"),
        "{shown}"
    );
    let back = person.json(&["budgets", "withdraw", "bud_1", "1795512600000"]);
    assert_eq!(back["raises"], json!([]));
    let done = person.run(&[
        "budgets", "raise", "bud_1", "50", "--until", "soon", "--reason", "x",
    ]);
    assert_eq!(done.code, 2);
}

#[test]
fn the_status_says_what_binds() {
    let (_server, person) = signed_in();
    let shown = person.ok(&["budgets", "status"]);
    assert!(shown.starts_with("User:   ada\nStatus: ok\n"), "{shown}");
    assert!(
        shown.contains("*  Each user  monthly  $40.00  $100.00"),
        "{shown}"
    );
    let none = person.ok(&["budgets", "status", "--user", "ada"]);
    assert!(
        none.starts_with("No budget bounds the spending of ada."),
        "{none}"
    );
}

#[test]
fn a_teams_budget_and_a_users_limit_are_set_whole() {
    let (server, person) = signed_in();
    let shown = person.ok(&[
        "teams",
        "set-budget",
        "platform",
        "--amount",
        "800",
        "--policy",
        "soft",
    ]);
    assert!(
        shown.contains("Team Platform") && shown.contains("$800.00"),
        "{shown}"
    );
    assert_eq!(
        sent(&server),
        json!({
            "budget_amount_usd": "800.00", "budget_period": "monthly", "budget_policy": "soft",
            "default_user_budget_usd": null, "notify_recipients": "both", "mode": "balanced",
        })
    );
    let none = person.ok(&["teams", "set-budget", "platform", "--none"]);
    assert!(none.starts_with("This team has no budget"), "{none}");
    assert_eq!(person.run(&["teams", "set-budget", "platform"]).code, 2);
    let limit = person.json(&["users", "set-spend-limit", "ada", "150"]);
    assert_eq!(limit["limit_usd"], "150.00");
    assert_eq!(sent(&server), json!({"limit_usd": "150.00"}));
    person.ok(&["users", "set-spend-limit", "ada", "--none"]);
    assert_eq!(sent(&server), json!({"limit_usd": null}));
}
