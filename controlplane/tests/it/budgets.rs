//! Budgets: made, changed, raised and seen.

use crate::support::{Answer, Caller, NOON, Plane, TestDb, on_both, record};
use ccag_controlplane::app::intake::{Incoming, take_in};
use ccag_domain::time::{DAY_MS, HOUR_MS};
use ccag_domain::{KeyId, NanoUsd, TeamId, UserId};
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

on_both!(
    a_budget_takes_up_what_the_ledger_has,
    members_see_their_own_state_and_nothing_else,
    there_is_one_budget_for_each_scope_and_period,
    what_is_wrong_is_named,
    presets_and_the_words_of_the_existing_gateway_are_understood,
    a_raise_counts_until_it_ends_and_is_shown_for_a_while,
    budgets_go_with_what_they_are_about,
    lists_are_paged_and_filtered,
    the_steps_of_a_budget_come_in_pages_also_those_of_one_moment,
    a_team_has_a_budget_and_one_for_each_member,
    the_word_for_each_user_counts_where_nothing_else_is_said,
    a_users_limit_is_set_and_cleared,
    what_applies_is_what_is_set_for_one_before_what_is_set_for_each,
);

/// Delivers a request with a million output tokens, and says what it costs in dollars.
async fn spend(plane: &Plane, seed: u64, key: &str, user: Option<&str>, team: Option<&str>) -> i64 {
    spend_at(plane, seed, key, user, team, NOON - 1_000).await
}

async fn spend_at(
    plane: &Plane,
    seed: u64,
    key: &str,
    user: Option<&str>,
    team: Option<&str>,
    at: i64,
) -> i64 {
    let mut record = record(seed);
    record.key_id = KeyId::parse(key).unwrap();
    record.user_id = user.map(|id| UserId::parse(id).unwrap());
    record.team_id = team.map(|id| TeamId::parse(id).unwrap());
    record.started_at_ms = at;
    record.geography = ccag_domain::Geography::Global;
    record.tokens = ccag_domain::Tokens {
        output: 1_000_000,
        ..ccag_domain::Tokens::default()
    };
    let receipt = take_in(plane.app(), "rep_test", vec![Incoming::Record(Box::new(record))])
        .await
        .unwrap();
    assert_eq!(receipt.stored, 1);
    20
}

fn usd(amount: i64) -> String {
    NanoUsd::from_usd(amount).to_string()
}

async fn created(admin: &Caller, body: Value) -> Value {
    let answer = admin.post("/admin/budgets", body).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.json()
}

async fn put(who: &Caller, path: &str, body: Value) -> Answer {
    who.send("PUT", path, &body.to_string()).await
}

async fn team(admin: &Caller, name: &str) -> String {
    let team = admin.post("/admin/teams", json!({"name": name})).await;
    assert_eq!(team.status, 201, "{}", team.text);
    team.id()
}

async fn join(admin: &Caller, user: &str, team: &str) {
    let body = json!({"team_id": team});
    assert_eq!(
        put(admin, &format!("/admin/users/{user}/team"), body)
            .await
            .status,
        200
    );
}

async fn status(who: &Caller) -> Value {
    let answer = who.get("/admin/budget/status").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

async fn a_budget_takes_up_what_the_ledger_has(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let (_, user) = admin.new_member("dev").await;
    let platform = team(&admin, "platform").await;
    let cost = spend(&plane, 1, "key_a", Some(&user), Some(&platform)).await;
    // Another month, another team, nobody's.
    spend_at(
        &plane,
        2,
        "key_a",
        Some(&user),
        Some(&platform),
        NOON - 40 * DAY_MS,
    )
    .await;
    spend(&plane, 3, "key_b", None, None).await;
    let body = json!({"scope": "team", "team_id": platform, "amount_usd": 50, "time_zone": "europe/berlin"});
    let made = created(&admin, body).await;
    assert_eq!(made["current"]["spent_usd"], usd(cost));
    assert_eq!(made["current"]["remaining_usd"], usd(50 - cost));
    assert_eq!(
        (&made["current"]["percent"], &made["current"]["status"]),
        (&json!(40), &json!("ok"))
    );
    assert_eq!(made["current"]["blocked_at_usd"], "50.00");
    assert_eq!(made["current"]["resets_at_local"], "2026-12-01T00:00:00+01:00");
    assert_eq!(made["current"]["period_start"], "2026-10-31T23:00:00.000Z");
    assert_eq!(
        (
            &made["time_zone"],
            &made["policy"],
            &made["mode"],
            &made["posture"]
        ),
        (
            &json!("Europe/Berlin"),
            &json!("standard"),
            &json!("balanced"),
            &json!("granted")
        )
    );
    assert_eq!(
        (&made["team_name"], &made["about"]),
        (&json!("platform"), &json!("Team platform"))
    );
    for (body, spent) in [
        (json!({"scope": "organisation", "amount_usd": "100"}), 2 * cost),
        (
            json!({"scope": "organisation", "period": "total", "amount_usd": "100"}),
            3 * cost,
        ),
        (
            json!({"scope": "user", "user_id": user, "amount_usd": "10"}),
            cost,
        ),
    ] {
        let made = created(&admin, body).await;
        assert_eq!(made["current"]["spent_usd"], usd(spent), "{made}");
    }
    let user_budget = admin
        .get(&format!("/admin/budgets?scope=user&user_id={user}"))
        .await
        .json();
    let budget = &user_budget["budgets"][0];
    assert_eq!(
        (&budget["current"]["percent"], &budget["current"]["status"]),
        (&json!(200), &json!("blocked"))
    );
    assert_eq!(budget["current"]["remaining_usd"], "0.00");
    // Where everyone has an account, there are none before somebody asks.
    let each = created(&admin, json!({"scope": "each_user", "amount_usd": 5})).await;
    assert_eq!((&each["accounts"], &each["current"]), (&json!(0), &Value::Null));
    plane.stop().await;
}

async fn members_see_their_own_state_and_nothing_else(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let (dev, user) = admin.new_member("dev").await;
    let (_, other) = admin.new_member("other").await;
    let made = created(
        &admin,
        json!({"scope": "user", "user_id": user, "amount_usd": 30}),
    )
    .await;
    spend(&plane, 1, "key_a", Some(&user), None).await;
    let id = made["id"].as_str().unwrap();
    for path in [
        "/admin/budgets".to_owned(),
        format!("/admin/budgets/{id}"),
        format!("/admin/budgets/{id}/accounts"),
        format!("/admin/budgets/{id}/events"),
        format!("/admin/budget/status?user_id={other}"),
        "/admin/settings/default-budget".to_owned(),
        format!("/admin/users/{user}/spend-limit"),
    ] {
        assert_eq!(dev.get(&path).await.status, 403, "{path}");
    }
    let limit = json!({"limit_usd": 1_000});
    assert_eq!(
        put(&dev, &format!("/admin/users/{user}/spend-limit"), limit)
            .await
            .status,
        403
    );
    let raise = json!({"amount_usd": 5, "until": "2026-12-01", "reason": "please"});
    assert_eq!(
        dev.post(&format!("/admin/budgets/{id}/raises"), raise)
            .await
            .status,
        403
    );
    assert_eq!(
        dev.send("DELETE", &format!("/admin/budgets/{id}"), "")
            .await
            .status,
        403
    );
    let own = status(&dev).await;
    assert_eq!(
        (&own["user"], &own["limit_source"]),
        (&json!("dev"), &json!("explicit"))
    );
    assert_eq!(
        (&own["spend_usd"], &own["limit_usd"], &own["remaining_usd"]),
        (&json!("20.00"), &json!("30.00"), &json!("10.00"))
    );
    assert_eq!(own["budgets"][0]["binds"], true);
    let seen = admin
        .get(&format!("/admin/budget/status?user_id={user}"))
        .await
        .json();
    assert_eq!(seen, own);
    // Keys: one's own, nobody else's.
    let key = dev.post("/admin/keys", json!({"name": "laptop"})).await.id();
    let of_key = dev
        .get(&format!("/admin/budget/status?key_id={key}"))
        .await
        .json();
    assert_eq!(of_key["budgets"][0]["budget_id"], id);
    let foreign = admin.post("/admin/keys", json!({"name": "ci"})).await.id();
    let path = format!("/admin/budget/status?key_id={foreign}");
    assert_eq!(dev.get(&path).await.status, 404);
    plane.stop().await;
}

async fn there_is_one_budget_for_each_scope_and_period(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    created(&admin, json!({"scope": "organisation", "amount_usd": 10})).await;
    let again = admin
        .post(
            "/admin/budgets",
            json!({"scope": "organisation", "amount_usd": 20}),
        )
        .await;
    assert_eq!(
        (again.status.as_u16(), &again.json()["field"]),
        (409, &json!("period"))
    );
    let detail = again.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("a monthly budget for this already"), "{detail}");
    created(
        &admin,
        json!({"scope": "organisation", "period": "daily", "amount_usd": 1}),
    )
    .await;
    plane.stop().await;
}

async fn what_is_wrong_is_named(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let with = |extra: Value| {
        let mut body = json!({"scope": "organisation", "amount_usd": 10});
        body.as_object_mut()
            .unwrap()
            .extend(extra.as_object().unwrap().clone());
        body
    };
    let rule = |at: u32, action: &str| json!({"at_percent": at, "action": action});
    for (extra, field) in [
        (json!({"amount_usd": "-1"}), "amount_usd"),
        (json!({"amount_usd": 1e30}), "amount_usd"),
        (json!({"amount_usd": 100_000_001}), "amount_usd"),
        (json!({"scope": "team"}), "team_id"),
        (json!({"scope": "team", "team_id": "team_gone"}), "team_id"),
        (json!({"scope": "user", "user_id": "user_gone"}), "user_id"),
        (json!({"scope": "key", "key_id": "key_gone"}), "key_id"),
        (json!({"user_id": "user_1"}), "user_id"),
        (json!({"scope": "nobody"}), "scope"),
        (json!({"time_zone": "Mars/Olympus"}), "time_zone"),
        (json!({"period": "yearly"}), "period"),
        (json!({"mode": "loose"}), "mode"),
        (json!({"policy": "strict"}), "policy"),
        (json!({"policy": [rule(0, "notify")]}), "policy[0].at_percent"),
        (json!({"policy": [rule(1_001, "notify")]}), "policy[0].at_percent"),
        (
            json!({"policy": [rule(80, "notify"), rule(80, "block")]}),
            "policy[1].at_percent",
        ),
        (
            json!({"policy": [rule(90, "block"), rule(100, "notify")]}),
            "policy[1].at_percent",
        ),
        (
            json!({"policy": [rule(90, "throttle")]}),
            "policy[0].requests_per_minute",
        ),
        (
            json!({"policy": [{"at_percent": 90, "action": "throttle", "requests_per_minute": 0}]}),
            "policy[0].requests_per_minute",
        ),
        (json!({"policy": [rule(90, "restrict")]}), "policy[0].models"),
        (
            json!({"policy": [{"at_percent": 90, "action": "restrict", "models": ["gpt-5"]}]}),
            "policy[0].models",
        ),
        (json!({"posture": "grace"}), "grace_usd"),
        (json!({"grace_usd": 5}), "grace_usd"),
        (json!({"colour": "red"}), "colour"),
    ] {
        let answer = admin.post("/admin/budgets", with(extra.clone())).await;
        let shown = answer.json();
        assert_eq!(
            (answer.status.as_u16(), shown["field"].as_str()),
            (400, Some(field)),
            "{extra}: {}",
            answer.text
        );
        assert!(answer.headers["content-type"] == "application/problem+json");
    }
    assert_eq!(admin.get("/admin/budgets").await.json()["budgets"], json!([]));
    // Nothing at all may be spent: that is a budget too.
    let zero = created(&admin, with(json!({"amount_usd": 0}))).await;
    assert_eq!(
        (&zero["amount_usd"], &zero["current"]["status"]),
        (&json!("0.00"), &json!("blocked"))
    );
    plane.stop().await;
}

async fn presets_and_the_words_of_the_existing_gateway_are_understood(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let shaped = json!([
        {"at_percent": 80, "action": "notify"},
        {"at_percent": 100, "action": "throttle", "requests_per_minute": 5},
        {"at_percent": 150, "action": "block"},
    ]);
    let made = created(
        &admin,
        json!({"scope": "organisation", "amount_usd": 1, "policy": "shaped"}),
    )
    .await;
    assert_eq!((&made["policy"], &made["rules"]), (&json!("shaped"), &shaped));
    let path = format!("/admin/budgets/{}", made["id"].as_str().unwrap());
    let theirs = json!([
        {"at_percent": 80, "action": "notify"},
        {"at_percent": 100, "action": "shape", "shaped_rpm": 5},
        {"at_percent": 150, "action": "block"},
    ]);
    let same = put(&admin, &path, json!({"policy": theirs})).await.json();
    assert_eq!((&same["policy"], &same["rules"]), (&json!("shaped"), &shaped));
    let rules = json!([{"at_percent": 50, "action": "restrict", "models": ["us.anthropic.claude-opus-5-5", "claude-opus-5-5"]}]);
    let custom = put(
        &admin,
        &path,
        json!({"rules": rules, "mode": "hard", "amount_usd": "0.333333333"}),
    )
    .await;
    let custom = custom.json();
    assert_eq!(custom["policy"], "custom", "{custom}");
    assert_eq!(custom["rules"][0]["models"], json!(["claude-opus-5-5"]));
    assert_eq!(
        (&custom["mode"], &custom["amount_usd"]),
        (&json!("hard"), &json!("0.333333333"))
    );
    assert_eq!(custom["current"]["blocked_at_usd"], Value::Null);
    let refused = put(&admin, &path, json!({"period": "daily"})).await;
    assert_eq!(
        (refused.status.as_u16(), &refused.json()["field"]),
        (400, &json!("period"))
    );
    let audit = "SELECT COUNT(*) FROM audit WHERE action = 'budget.update'";
    assert_eq!(db.count(audit).await, 2);
    plane.stop().await;
}

async fn a_raise_counts_until_it_ends_and_is_shown_for_a_while(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    spend(&plane, 1, "key_a", None, None).await;
    let made = created(&admin, json!({"scope": "organisation", "amount_usd": 20})).await;
    assert_eq!(made["current"]["status"], "blocked");
    let path = format!("/admin/budgets/{}", made["id"].as_str().unwrap());
    let raises = format!("{path}/raises");
    for (body, field) in [
        (
            json!({"amount_usd": 0, "until": "2026-12-01", "reason": "x"}),
            "amount_usd",
        ),
        (
            json!({"amount_usd": 5, "until": "2026-11-01", "reason": "x"}),
            "until",
        ),
        (
            json!({"amount_usd": 5, "until": "2036-11-01", "reason": "x"}),
            "until",
        ),
        (
            json!({"amount_usd": 5, "until": "2026-12-01", "reason": " "}),
            "reason",
        ),
    ] {
        let refused = admin.post(&raises, body).await;
        assert_eq!(
            (refused.status.as_u16(), refused.json()["field"].as_str()),
            (400, Some(field))
        );
    }
    let raise = json!({"amount_usd": "80", "until": "2026-11-25T12:00:00Z", "reason": "the release"});
    let raised = admin.post(&raises, raise.clone()).await;
    assert_eq!(raised.status, 201, "{}", raised.text);
    let raised = raised.json();
    assert_eq!(raised["current"]["limit_usd"], "100.00");
    assert_eq!(
        (&raised["amount_usd"], &raised["current"]["status"]),
        (&json!("20.00"), &json!("ok"))
    );
    assert_eq!(
        (&raised["raises"][0]["state"], &raised["raises"][0]["reason"]),
        (&json!("active"), &json!("the release"))
    );
    // A second one at the same moment has a name of its own, and can be withdrawn alone.
    let twice = admin.post(&raises, raise).await.json();
    let second = twice["raises"][0]["id"].as_str().unwrap().to_owned();
    assert_ne!(second, raised["raises"][0]["id"].as_str().unwrap());
    let one = format!("{raises}/{second}");
    let back = admin.send("DELETE", &one, "").await;
    assert_eq!(back.status, 200, "{}", back.text);
    assert_eq!(back.json()["current"]["limit_usd"], "100.00");
    assert_eq!(admin.send("DELETE", &one, "").await.status, 409);
    assert_eq!(admin.send("DELETE", &format!("{raises}/7"), "").await.status, 404);
    // A day later it is over, and shown; after 90 more days it is not.
    plane.clock.0.store(NOON + DAY_MS, Ordering::Relaxed);
    let admin = plane.admin().await;
    let over = admin.get(&path).await.json();
    assert_eq!(
        (&over["current"]["limit_usd"], &over["raises"][1]["state"]),
        (&json!("20.00"), &json!("past"))
    );
    plane
        .clock
        .0
        .store(NOON + 91 * DAY_MS + HOUR_MS, Ordering::Relaxed);
    let admin = plane.admin().await;
    assert_eq!(admin.get(&path).await.json()["raises"], json!([]));
    assert_eq!(put(&admin, &path, json!({"amount_usd": 21})).await.status, 200);
    let kept = "SELECT COUNT(*) FROM budgets WHERE raises <> '[]'";
    assert_eq!(db.count(kept).await, 0);
    // Who, when and why stays in the audit log.
    let audit = "SELECT COUNT(*) FROM audit WHERE action = 'budget.raise' AND actor <> 'system' AND details LIKE '%the release%'";
    assert_eq!(db.count(audit).await, 2);
    plane.stop().await;
}

async fn budgets_go_with_what_they_are_about(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let (_, user) = admin.new_member("dev").await;
    let platform = team(&admin, "platform").await;
    let key = admin.post("/admin/keys", json!({"name": "ci"})).await.id();
    for body in [
        json!({"scope": "organisation", "amount_usd": 1}),
        json!({"scope": "team", "team_id": platform, "amount_usd": 1}),
        json!({"scope": "each_member", "team_id": platform, "amount_usd": 1}),
        json!({"scope": "member", "team_id": platform, "user_id": user, "amount_usd": 1}),
        json!({"scope": "user", "user_id": user, "amount_usd": 1}),
        json!({"scope": "key", "key_id": key, "amount_usd": 1}),
    ] {
        created(&admin, body).await;
    }
    let left = || db.count("SELECT COUNT(*) FROM budgets");
    for (path, rest) in [
        (format!("/admin/teams/{platform}"), 3),
        (format!("/admin/users/{user}"), 2),
        (format!("/admin/keys/{key}"), 1),
    ] {
        let gone = admin.send("DELETE", &path, "").await;
        assert_eq!(gone.status, 204, "{}", gone.text);
        assert_eq!(left().await, rest, "{path}");
    }
    plane.stop().await;
}

async fn lists_are_paged_and_filtered(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let platform = team(&admin, "Platform 100%").await;
    created(
        &admin,
        json!({"scope": "team", "team_id": platform, "amount_usd": 1}),
    )
    .await;
    let mut users = Vec::new();
    for n in 0..5 {
        let body = json!({"username": format!("dev{n}"), "team_id": platform});
        let user = admin.post("/admin/users", body).await.id();
        created(&admin, json!({"scope": "user", "user_id": user, "amount_usd": n})).await;
        users.push(user);
    }
    created(
        &admin,
        json!({"scope": "user", "user_id": users[0], "period": "daily", "amount_usd": 1}),
    )
    .await;
    let ids = |page: &Value| -> Vec<String> {
        let budgets = page["budgets"].as_array().unwrap();
        budgets.iter().map(|b| b["id"].to_string()).collect()
    };
    let whole = admin.get("/admin/budgets").await.json();
    assert_eq!((ids(&whole).len(), &whole["next_cursor"]), (7, &Value::Null));
    let mut paged = Vec::new();
    let mut path = "/admin/budgets?limit=2".to_owned();
    loop {
        let page = admin.get(&path).await.json();
        paged.extend(ids(&page));
        let Some(next) = page["next_cursor"].as_str() else {
            break;
        };
        path = format!("/admin/budgets?limit=2&cursor={next}");
    }
    assert_eq!(paged, ids(&whole));
    for (query, count) in [
        ("scope=user".to_owned(), 6),
        (format!("user_id={}", users[0]), 2),
        (format!("team_id={platform}"), 1),
        ("search=DEV".to_owned(), 6),
        ("search=100%25".to_owned(), 1),
        ("search=dev_".to_owned(), 0),
        ("scope=key".to_owned(), 0),
    ] {
        let page = admin.get(&format!("/admin/budgets?{query}")).await.json();
        assert_eq!(ids(&page).len(), count, "{query}");
    }
    for bad in ["limit=0", "cursor=zz", "cursor=6162", "scope=all"] {
        assert_eq!(
            admin.get(&format!("/admin/budgets?{bad}")).await.status,
            400,
            "{bad}"
        );
    }
    plane.stop().await;
}

async fn a_team_has_a_budget_and_one_for_each_member(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let (dev, user) = admin.new_member("dev").await;
    let platform = team(&admin, "platform").await;
    join(&admin, &user, &platform).await;
    let path = format!("/admin/teams/{platform}/budget");
    let none = admin.get(&path).await.json();
    assert_eq!(
        (&none["budget_amount_usd"], &none["budget"]),
        (&Value::Null, &Value::Null)
    );
    let body = json!({
        "budget_amount_usd": 500, "budget_policy": "soft", "default_user_budget_usd": 25.5,
        "notify_recipients": "admin", "mode": "hard", "time_zone": "Europe/Berlin",
    });
    let set = put(&admin, &path, body).await;
    assert_eq!(set.status, 200, "{}", set.text);
    let set = set.json();
    assert_eq!(
        (&set["budget_amount_usd"], &set["default_user_budget_usd"]),
        (&json!("500.00"), &json!("25.50"))
    );
    assert_eq!(
        (&set["budget_policy"], &set["mode"], &set["notify_recipients"]),
        (&json!("soft"), &json!("hard"), &json!("admins"))
    );
    assert_eq!(admin.get(&path).await.json(), set);
    spend(&plane, 1, "key_a", Some(&user), Some(&platform)).await;
    let own = status(&dev).await;
    assert_eq!(
        (&own["limit_source"], &own["limit_source_name"]),
        (&json!("team"), &json!("Each member of team platform"))
    );
    assert_eq!(
        (&own["limit_usd"], &own["percent"], &own["team"]["percent"]),
        (&json!("25.50"), &json!(78), &json!(4))
    );
    assert_eq!(own["budgets"].as_array().unwrap().len(), 2);
    // The same budgets change in place; another period makes another of each.
    let id = set["budget"]["id"].clone();
    let more = put(
        &admin,
        &path,
        json!({"budget_amount_usd": 600, "default_user_budget_usd": 30, "time_zone": "Europe/Berlin"}),
    )
    .await
    .json();
    assert_eq!((&more["budget"]["id"], &more["mode"]), (&id, &json!("balanced")));
    let weekly = put(
        &admin,
        &path,
        json!({"budget_amount_usd": 100, "budget_period": "weekly"}),
    )
    .await
    .json();
    assert_ne!(weekly["budget"]["id"], id);
    assert_eq!(
        (&weekly["budget_period"], &weekly["default_user_budget_usd"]),
        (&json!("weekly"), &Value::Null)
    );
    assert_eq!(db.count("SELECT COUNT(*) FROM budgets").await, 1);
    // With several, the path does not guess which one is meant.
    for period in ["daily", "total"] {
        created(
            &admin,
            json!({"scope": "team", "team_id": platform, "period": period, "amount_usd": 1}),
        )
        .await;
    }
    let which = put(&admin, &path, json!({"budget_amount_usd": 1})).await;
    assert_eq!(
        (which.status.as_u16(), &which.json()["field"]),
        (409, &json!("budget_period"))
    );
    let wrong = put(
        &admin,
        &path,
        json!({"budget_amount_usd": 1, "budget_policy": "strict"}),
    )
    .await;
    assert_eq!(wrong.json()["field"], "budget_policy");
    assert_eq!(admin.send("DELETE", &path, "").await.status, 204);
    assert_eq!(db.count("SELECT COUNT(*) FROM budgets").await, 0);
    assert_eq!(admin.get("/admin/teams/team_gone/budget").await.status, 404);
    plane.stop().await;
}

async fn the_word_for_each_user_counts_where_nothing_else_is_said(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let platform = team(&admin, "platform").await;
    let other = team(&admin, "other").await;
    let mut users = Vec::new();
    for (name, team) in [
        ("free", None),
        ("own", None),
        ("each", Some(&platform)),
        ("member", Some(&other)),
        ("in_other", Some(&other)),
    ] {
        let (_, id) = admin.new_member(name).await;
        if let Some(team) = team {
            join(&admin, &id, team).await;
        }
        users.push(id);
    }
    for body in [
        json!({"scope": "user", "user_id": users[1], "amount_usd": 1}),
        json!({"scope": "each_member", "team_id": platform, "amount_usd": 1}),
        json!({"scope": "member", "team_id": other, "user_id": users[3], "amount_usd": 1}),
        // Of a team that they are not in: it says nothing of them here.
        json!({"scope": "member", "team_id": platform, "user_id": users[4], "amount_usd": 1}),
    ] {
        created(&admin, body).await;
    }
    let path = "/admin/settings/default-budget";
    let none = admin.get(path).await.json();
    // The admin, the free one, and the one in another team.
    assert_eq!(
        (&none["affected_user_count"], &none["budget_amount_usd"]),
        (&json!(3), &Value::Null)
    );
    let set = put(
        &admin,
        path,
        json!({"budget_amount_usd": 40, "budget_period": "weekly", "budget_policy": "shaped"}),
    )
    .await
    .json();
    assert_eq!(
        (
            &set["budget_amount_usd"],
            &set["budget_period"],
            &set["budget_policy"],
            &set["affected_user_count"]
        ),
        (&json!("40.00"), &json!("weekly"), &json!("shaped"), &json!(3))
    );
    let cleared = put(&admin, path, json!({"budget_amount_usd": null})).await.json();
    assert_eq!(cleared["budget"], Value::Null);
    plane.stop().await;
}

async fn a_users_limit_is_set_and_cleared(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let (dev, user) = admin.new_member("dev").await;
    let path = format!("/admin/users/{user}/spend-limit");
    let set = put(
        &admin,
        &path,
        json!({"limit_usd": 100, "period": "daily", "policy": "soft"}),
    )
    .await
    .json();
    assert_eq!(
        (&set["limit_usd"], &set["budget"]["policy"]),
        (&json!("100.00"), &json!("soft"))
    );
    let more = put(&admin, &path, json!({"limit_usd": "150"})).await.json();
    assert_eq!(
        (
            &more["limit_usd"],
            &more["budget"]["id"],
            &more["budget"]["period"],
            &more["budget"]["policy"]
        ),
        (
            &json!("150.00"),
            &set["budget"]["id"],
            &json!("daily"),
            &json!("soft")
        )
    );
    let none = put(&admin, &path, json!({"limit_usd": null})).await.json();
    assert_eq!(none["limit_usd"], Value::Null);
    let own = status(&dev).await;
    assert_eq!(
        (&own["limit_source"], &own["limit_usd"], &own["budgets"]),
        (&json!("unlimited"), &Value::Null, &json!([]))
    );
    let gone = put(
        &admin,
        "/admin/users/user_gone/spend-limit",
        json!({"limit_usd": 1}),
    )
    .await;
    assert_eq!(gone.status, 404);
    plane.stop().await;
}

async fn what_applies_is_what_is_set_for_one_before_what_is_set_for_each(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let (dev, user) = admin.new_member("dev").await;
    let platform = team(&admin, "platform").await;
    join(&admin, &user, &platform).await;
    spend(&plane, 1, "key_a", Some(&user), Some(&platform)).await;
    let scopes = |status: &Value| -> Vec<String> {
        let budgets = status["budgets"].as_array().unwrap();
        budgets
            .iter()
            .map(|b| b["scope"].as_str().unwrap().to_owned())
            .collect()
    };
    created(&admin, json!({"scope": "organisation", "amount_usd": 1_000})).await;
    created(&admin, json!({"scope": "each_user", "amount_usd": 40})).await;
    assert_eq!(scopes(&status(&dev).await), ["organisation", "each_user"]);
    created(
        &admin,
        json!({"scope": "each_member", "team_id": platform, "amount_usd": 21}),
    )
    .await;
    let now = status(&dev).await;
    assert_eq!(scopes(&now), ["organisation", "each_member"]);
    assert_eq!(
        (&now["status"], &now["budgets"][1]["binds"], &now["resets_at"]),
        (&json!("warning"), &json!(true), &json!("2026-12-01T00:00:00Z"))
    );
    created(
        &admin,
        json!({"scope": "member", "team_id": platform, "user_id": user, "amount_usd": 500}),
    )
    .await;
    created(
        &admin,
        json!({"scope": "user", "user_id": user, "amount_usd": 100, "policy": "shaped"}),
    )
    .await;
    let now = status(&dev).await;
    assert_eq!(scopes(&now), ["organisation", "member", "user"]);
    assert_eq!(
        (&now["limit_usd"], &now["policy"], &now["remaining_usd"]),
        (&json!("100.00"), &json!("shaped"), &json!("80.00"))
    );
    plane.stop().await;
}

async fn the_steps_of_a_budget_come_in_pages_also_those_of_one_moment(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let ids = [5, 6].map(|amount| {
        let admin = admin.clone();
        let period = if amount == 5 { "monthly" } else { "weekly" };
        let body = json!({"scope": "each_user", "amount_usd": amount, "period": period});
        async move { created(&admin, body).await["id"].as_str().unwrap().to_owned() }
    });
    let [id, other] = ids;
    let (id, other) = (id.await, other.await);
    let connection = db.connect().await;
    // Newest first; of one moment the highest step first, and then by account.
    for (budget, user, percent, at) in [
        (&id, "user_a", 80, 3),
        (&id, "user_b", 100, 2),
        (&id, "user_c", 80, 2),
        (&id, "user_d", 80, 2),
        (&id, "user_e", 80, 1),
        (&other, "user_a", 80, 2),
    ] {
        let sql = format!(
            "INSERT INTO budget_events (account_id, at_percent, action, spent_nano_usd, amount_nano_usd, at_ms) \
             VALUES ('{budget}/1000/{user}', {percent}, 'notify', 1, 1, {at})"
        );
        sea_orm::ConnectionTrait::execute_unprepared(&connection, &sql)
            .await
            .unwrap();
    }
    connection.close().await.unwrap();
    let list = format!("/admin/budgets/{id}/events");
    let (mut users, mut path, mut pages) = (Vec::new(), format!("{list}?limit=2"), 0);
    loop {
        let page = admin.get(&path).await.json();
        for event in page["events"].as_array().unwrap() {
            users.push(event["user_id"].as_str().unwrap().to_owned());
        }
        pages += 1;
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("{list}?limit=2&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(
        (pages, users),
        (
            3,
            ["a", "b", "c", "d", "e"]
                .map(|user| format!("user_{user}"))
                .to_vec()
        )
    );
    for bad in ["limit=0", "cursor=zz", "cursor=6162", "x=1"] {
        let refused = admin.get(&format!("{list}?{bad}")).await;
        assert_eq!(refused.status, 400, "{bad}: {}", refused.text);
    }
    plane.stop().await;
}
