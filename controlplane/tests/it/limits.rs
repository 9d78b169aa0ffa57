//! Limits: making and changing them, and granting permits of them, on both databases.

use crate::allowances::{Lease, wish};
use crate::console::{Browser, element};
use crate::support::{Plane, TestDb, on_both};
use axum::http::StatusCode;
use ccag_proto::v1;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

on_both!(
    limits_are_made_found_changed_and_deleted,
    permits_are_granted_of_limits_keys_and_throttles,
    permits_of_one_who_is_lost_or_starts_again_are_nobodys,
);

async fn made(plane: &Plane, body: Value) -> String {
    let answer = plane.admin().await.post("/admin/limits", body).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.json()["id"].as_str().unwrap().to_owned()
}

async fn limits_are_made_found_changed_and_deleted(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let team = admin.post("/admin/teams", json!({"name": "Platform"})).await;
    let team = team.json()["id"].as_str().unwrap().to_owned();
    let each = json!({"scope": "each_member", "team_id": team, "kind": "tokens_per_minute", "amount": 5_000,
                      "models": ["us.anthropic.claude-opus-5-5"], "weights": {"output": 1000}});
    let id = made(&plane, each.clone()).await;
    let view = admin.get(&format!("/admin/limits/{id}")).await.json();
    assert_eq!(
        (&view["about"], &view["weights"]),
        (
            &json!("Each member of team Platform"),
            &json!({"input": 100, "output": 1000, "cache_read": 0, "cache_write": 100})
        )
    );
    assert!(
        view["models"][0].as_str().unwrap().starts_with("claude-opus"),
        "{view}"
    );
    assert_eq!(view["in_use"], 0);
    let twice = admin.post("/admin/limits", each).await;
    assert_eq!(
        (twice.status, twice.json()["field"].as_str()),
        (StatusCode::CONFLICT, Some("kind"))
    );
    let changed = json!({"amount": 0, "models": [], "weights": {"cache_read": 5}});
    let changed = admin
        .send("PUT", &format!("/admin/limits/{id}"), &changed.to_string())
        .await
        .json();
    assert_eq!(
        (
            &changed["amount"],
            &changed["models"],
            &changed["weights"]["output"]
        ),
        (&json!(0), &json!([]), &json!(1000))
    );
    for (body, field) in [
        (
            json!({"scope": "team", "kind": "concurrent_requests", "amount": 1}),
            "team_id",
        ),
        (
            json!({"scope": "organisation", "kind": "concurrent_requests", "amount": 1, "team_id": team}),
            "team_id",
        ),
        (
            json!({"scope": "organisation", "kind": "concurrent_requests", "amount": 1, "models": ["gpt-5"]}),
            "models",
        ),
        (
            json!({"scope": "organisation", "kind": "requests_per_minute", "amount": 1, "weights": {"input": 1}}),
            "weights",
        ),
        (
            json!({"scope": "organisation", "kind": "tokens_per_minute", "amount": 1, "weights": {"input": 100_001}}),
            "weights.input",
        ),
        (
            json!({"scope": "organisation", "kind": "tokens_per_minute", "amount": 1,
                   "weights": {"input": 0, "output": 0, "cache_write": 0}}),
            "weights",
        ),
        (
            json!({"scope": "organisation", "kind": "tokens_per_minute", "amount": u64::MAX}),
            "amount",
        ),
    ] {
        let answer = admin.post("/admin/limits", body.clone()).await;
        assert_eq!(
            (answer.status, answer.json()["field"].as_str()),
            (StatusCode::BAD_REQUEST, Some(field)),
            "{body}: {}",
            answer.text
        );
    }
    let list = admin.get(&format!("/admin/limits?team_id={team}")).await.json();
    assert_eq!(list["limits"].as_array().unwrap().len(), 1);
    // A team that goes takes its limits along.
    let gone = admin.send("DELETE", &format!("/admin/teams/{team}"), "").await;
    assert_eq!(gone.status, 204);
    assert_eq!(admin.get(&format!("/admin/limits/{id}")).await.status, 404);
    let audit = admin.get("/admin/limits").await.json();
    assert_eq!(audit["limits"], json!([]));
}

async fn permits_are_granted_of_limits_keys_and_throttles(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let pooled = made(
        &plane,
        json!({"scope": "organisation", "kind": "requests_per_minute", "amount": 10}),
    )
    .await;
    let each = made(
        &plane,
        json!({"scope": "each_user", "kind": "concurrent_requests", "amount": 2}),
    )
    .await;
    let key = admin
        .post("/admin/keys", json!({"name": "x", "rate_limit_rpm": 3}))
        .await;
    let key = key.id();
    let budget = json!({"scope": "organisation", "amount_usd": "1", "policy": "shaped"});
    let budget = admin.post("/admin/budgets", budget).await.json()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let mut lease = Lease::open(&plane, "rep_one", 1, 1, &[]).await.unwrap();
    let mut other = Lease::open(&plane, "rep_two", 1, 1, &[]).await.unwrap();
    for (account, permits) in [
        (pooled.clone(), 10),
        (format!("{each}/user_1"), 2),
        (format!("{each}/user_2"), 2),
        (key.clone(), 3),
        (format!("{budget}/0/rpm=5"), 5),
    ] {
        let mut granted = 0;
        for n in 0..permits {
            let lease = if n % 2 == 0 { &mut lease } else { &mut other };
            granted += lease.ask(&account, 1).await.amount;
        }
        assert_eq!(granted, permits, "{account}");
        assert_eq!(other.ask(&account, 1).await.refusal(), v1::Refusal::Busy);
    }
    for unknown in [
        "lim_nobody".to_owned(),
        format!("{pooled}/user_1"),
        each.clone(),
        "key_nobody".to_owned(),
        format!("{budget}/0/rpm=6"),
        format!("{budget}/0/user_1/rpm=5"),
    ] {
        assert_eq!(
            lease.ask(&unknown, 1).await.refusal(),
            v1::Refusal::Unknown,
            "{unknown}"
        );
    }
    let shown = admin.get("/admin/limits").await.json();
    let in_use = |id: &str| {
        let of = shown["limits"]
            .as_array()
            .unwrap()
            .iter()
            .find(|limit| limit["id"] == id);
        of.unwrap()["in_use"].clone()
    };
    assert_eq!((in_use(&pooled), in_use(&each)), (json!(10), json!(2)));
    // What was given back is there for others.
    let back = v1::Wish {
        returned: 2,
        ..wish(&pooled, 0)
    };
    lease.say(vec![back], true).await.unwrap();
    assert_eq!(other.ask(&pooled, 2).await.amount, 2);
    // More is granted as soon as there is more.
    admin
        .send(
            "PUT",
            &format!("/admin/limits/{pooled}"),
            &json!({"amount": 11}).to_string(),
        )
        .await;
    assert_eq!(other.ask(&pooled, 1).await.amount, 1);
    // Records know nothing of permits, and change nothing of them; neither do budgets show them.
    let accounts = admin
        .get(&format!("/admin/budgets/{budget}/accounts"))
        .await
        .json();
    assert_eq!(accounts["accounts"].as_array().unwrap().len(), 1);
}

async fn permits_of_one_who_is_lost_or_starts_again_are_nobodys(db: TestDb) {
    let plane = Plane::start(&db).await;
    let limit = json!({"scope": "organisation", "kind": "concurrent_requests", "amount": 4});
    let limit = made(&plane, limit).await;
    let mut first = Lease::open(&plane, "rep_one", 1, 1, &[]).await.unwrap();
    assert_eq!(first.ask(&limit, 3).await.amount, 3);
    let mut other = Lease::open(&plane, "rep_two", 1, 1, &[]).await.unwrap();
    assert_eq!(other.ask(&limit, 2).await.refusal(), v1::Refusal::Busy);
    drop(first);
    // It is back in a new run, and has nothing.
    let mut again = Lease::open(&plane, "rep_one", 2, 1, &[]).await.unwrap();
    assert_eq!(again.ask(&limit, 4).await.amount, 4);
    assert_eq!(other.ask(&limit, 2).await.refusal(), v1::Refusal::Busy);
    plane.clock.0.fetch_add(51_000, Ordering::Relaxed);
    for _ in 0..200 {
        if other.ask(&limit, 2).await.amount == 2 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("the permits of one who is lost did not come back");
}

#[tokio::test]
async fn the_console_makes_changes_and_deletes_limits_and_says_what_is_wrong_where() {
    let db = TestDb::sqlite().await;
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let browser = Browser::of(&admin);
    const NEW: &str = "/console/limits/new";
    const LIST: &str = "/console/limits";
    let form = |changed: &[(&'static str, &'static str)]| {
        let mut fields = vec![
            ("scope", "organisation"),
            ("kind", "tokens_per_minute"),
            ("amount", "1'000'000"),
        ];
        for &(name, value) in changed {
            fields.retain(|(known, _)| *known != name);
            fields.push((name, value));
        }
        fields
    };
    for (changed, field) in [
        (&[("amount", "many")][..], "amount"),
        (&[("scope", "team")], "team"),
        (&[("scope", "user"), ("user", "nobody")], "user"),
        (&[("scope", "key"), ("key", "none")], "key"),
        (&[("kind", "dollars")], "kind"),
        (&[("models", "gpt-5")], "models"),
        (&[("weight_output", "ten")], "weight_output"),
        (&[("weight_cache_read", "100001")], "weight_cache_read"),
        (
            &[("kind", "requests_per_minute"), ("weight_input", "5")],
            "weight_input",
        ),
    ] {
        let answer = browser.submit(NEW, LIST, &form(changed)).await;
        assert_eq!(answer.status, 422, "{changed:?}");
        let marked = element(&answer, field);
        assert!(marked.contains("aria-invalid=\"true\""), "{changed:?}: {marked}");
    }
    let made = browser
        .submit(NEW, LIST, &form(&[("weight_output", "1000 %")]))
        .await;
    let list = browser.follow(&made).await;
    assert!(list.text.contains("1,000,000 tokens per minute"), "{}", list.text);
    let id = admin.get("/admin/limits").await.json()["limits"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let page = format!("/console/limits/{id}");
    let changed = [
        ("amount", "5"),
        ("models", "claude-haiku-4-5"),
        ("weight_output", "500"),
    ];
    let changed = browser.submit(&page, &page, &changed).await;
    assert!(
        browser
            .follow(&changed)
            .await
            .text
            .contains("5 tokens per minute")
    );
    let view = admin.get(&format!("/admin/limits/{id}")).await.json();
    assert_eq!(
        (&view["models"], &view["weights"]["output"]),
        (&json!(["claude-haiku-4-5"]), &json!(500))
    );
    let delete = format!("{page}/delete");
    let deleted = browser.submit(&delete, &delete, &[]).await;
    assert!(browser.follow(&deleted).await.text.contains("No limits yet"));
    plane.stop().await;
}
