//! A gateway with something of every kind in it, some of it named by people who mean ill, and somebody in every role.

use crate::harness::{Client, IdentityProvider, MODEL, PASSWORD, Started, message, standalone, wait_until};
use serde_json::{Value, json};
use std::time::Duration;

/// What a key is called that wants to be a picture.
pub(super) const PICTURE: &str = "<img src=x onerror=alert(1)>";

/// What a team and a user are called that want to be a formula.
pub(super) const FORMULA: &str = "=HYPERLINK(\"http://x\",\"y\")";

pub(super) struct World {
    pub(super) it: Started,
    _provider: IdentityProvider,
    /// The user with the name of a formula, a member of that team.
    pub(super) user: String,
    /// A request that the key with the name of a picture has sent.
    pub(super) request: String,
}

impl World {
    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.it.gateway.url)
    }
}

fn id(made: &Value) -> String {
    made["id"]
        .as_str()
        .unwrap_or_else(|| panic!("no id: {made}"))
        .to_owned()
}

/// Everybody's password is [`PASSWORD`].
pub(super) async fn world() -> World {
    let it = standalone().await;
    let admin = &it.admin;
    let team = id(&admin.post("/admin/teams", &json!({"name": FORMULA})).await);
    let mut formula = String::new();
    for (name, role, team) in [
        ("mary", "team_manager", Some(&team)),
        ("alan", "auditor", None),
        ("grace", "member", Some(&team)),
        ("ada", "admin", None),
        (FORMULA, "member", Some(&team)),
    ] {
        let user = json!({
            "username": name, "display_name": if name == FORMULA { FORMULA } else { PICTURE }, "role": role, "team_id": team, "password": PASSWORD,
        });
        formula = id(&admin.post("/admin/users", &user).await);
    }
    let service = json!({"username": "nightly", "kind": "service", "team_id": team});
    let service = id(&admin.post("/admin/users", &service).await);
    let token = json!({"name": PICTURE});
    admin
        .post(&format!("/admin/users/{service}/tokens"), &token)
        .await;

    for budget in [
        json!({"scope": "team", "team_id": team, "amount_usd": "100"}),
        json!({"scope": "each_user", "amount_usd": "40"}),
        json!({"scope": "member", "team_id": team, "user_id": formula, "amount_usd": "20"}),
    ] {
        admin.post("/admin/budgets", &budget).await;
    }
    let limit = json!({"scope": "team", "team_id": team, "kind": "requests_per_minute", "amount": 1_000});
    admin.post("/admin/limits", &limit).await;
    let policy = json!({
        "name": PICTURE, "match": {"team_ids": [team]}, "settings": {"companyAnnouncements": [PICTURE]},
    });
    admin.post("/admin/policies", &policy).await;
    let rule =
        json!({"table": "betas", "rule": {"name": "test-2026-01-01", "do": "drop", "source": PICTURE}});
    admin.post("/admin/capabilities/rules", &rule).await;
    let model = json!({
        "name": "claude-test-1", "bedrock_id": "anthropic.claude-test-1", "on_demand": true, "context_tokens": 1_000,
    });
    admin.post("/admin/models", &model).await;
    let endpoint = json!({"name": PICTURE, "region": "eu-central-1"});
    admin.post("/admin/endpoints", &endpoint).await;
    let destination =
        json!({"name": PICTURE, "settings": {"kind": "webhook", "url": "https://hooks.example.com/"}});
    let of_team = json!({
        "name": "Ops", "team_id": team, "settings": {"kind": "slack", "slack_url": "https://hooks.slack.com/services/T/B/x"},
    });
    for destination in [destination, of_team] {
        admin
            .post("/admin/notifications/destinations", &destination)
            .await;
    }
    let provider = IdentityProvider::start(&it.gateway.url, &json!({})).await;
    let mut described = provider.described(json!({}));
    described["name"] = json!(PICTURE);
    admin.post("/admin/idps", &described).await;

    // More keys than one page holds; the one that matters is the newest.
    for n in 0..30 {
        admin.create_key(&format!("key {n}")).await;
    }
    let key = json!({"name": PICTURE, "user_id": formula});
    let key = admin.post("/admin/keys", &key).await;
    let client = Client::new(&it.gateway.url, key["key"].as_str().unwrap());
    let served = wait_until("the key works", Duration::from_secs(5), || async {
        let reply = client.send(&message(MODEL, "hello")).await;
        (reply.status == 200).then_some(reply)
    });
    let request = served.await.request_id;
    admin.ledger_with(std::slice::from_ref(&request)).await;

    // One session has run away.
    let agents = json!({"agents_per_minute": 1});
    admin.put("/admin/settings/session-breaker", &agents).await;
    wait_until("a session is paused", Duration::from_secs(10), || async {
        for agent in ["a1", "a2", "a3"] {
            let sent = client
                .request()
                .header("x-claude-code-session-id", "crowd")
                .header("x-claude-code-agent-id", agent)
                .body(message(MODEL, "go on").to_string());
            sent.send().await.unwrap();
        }
        let list = admin.get("/admin/paused-sessions").await;
        (!list["paused_sessions"].as_array().unwrap().is_empty()).then_some(())
    })
    .await;
    World {
        _provider: provider,

        user: formula,
        request,
        it,
    }
}
