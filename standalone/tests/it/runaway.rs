//! Sessions that run away are paused everywhere, and what is spent is shown where the client asks for it.

use crate::harness::{
    Admin, Client, ControlPlane, DataPlane, MODEL, Machine, PASSWORD, Sim, database, message, standalone,
    wait_until,
};
use serde_json::{Value, json};
use std::time::Duration;

/// A client that belongs to a session.
struct Session<'a> {
    client: &'a Client,
    id: &'a str,
    agent: Option<&'a str>,
}

impl Session<'_> {
    /// The status, and the message of a refusal.
    async fn ask(&self) -> (u16, String) {
        let mut request = self.client.request().header("x-claude-code-session-id", self.id);
        if let Some(agent) = self.agent {
            request = request.header("x-claude-code-agent-id", agent);
        }
        let response = request.body(message(MODEL, "go on").to_string());
        let response = response.send().await.unwrap();
        let status = response.status().as_u16();
        let retry = response.headers().get("x-should-retry").cloned();
        let body: Value = response.json().await.unwrap();
        if status == 429 {
            assert_eq!(body["error"]["type"], "billing_error", "{body}");
            assert_eq!(retry.unwrap(), "false");
        }
        let said = body["error"]["message"].as_str().unwrap_or_default();
        (status, said.to_owned())
    }

    async fn is_served(&self) {
        let (status, said) = self.ask().await;
        assert_eq!(status, 200, "{said}");
    }
}

/// The session that is paused, once one is.
async fn paused(admin: &Admin) -> Value {
    wait_until("a session is paused", Duration::from_secs(5), || async {
        let list = admin.get("/admin/paused-sessions").await;
        let all = list["paused_sessions"].as_array().unwrap().clone();
        assert!(all.len() < 2, "{all:?}");
        all.into_iter().next()
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_runs_away_over_two_data_planes_is_paused_on_both_until_its_user_resumes_it() {
    let sim = Sim::start().await;
    let database = database();
    let first = ControlPlane::start("control-1", &database).await;
    let second = ControlPlane::start("control-2", &database).await;
    let near = DataPlane::start("data-1", &[&first], &sim).await;
    let mut far = DataPlane::start("data-2", &[&second], &sim).await;
    let admin = first.admin().await;
    let user = json!({"username": "ada", "password": PASSWORD});
    let user = admin.post("/admin/users", &user).await;
    let key = json!({"name": "laptop", "user_id": user["id"]});
    let key = admin.post("/admin/keys", &key).await;
    let secret = key["key"].as_str().unwrap();
    admin.fleet_of(2).await;
    let (here, there) = (near.client(secret), far.client(secret));
    let of = |client, id| Session {
        client,
        id,
        agent: None,
    };

    // What one request costs.
    of(&here, "measure").is_served().await;
    let cost = wait_until("the record is in the ledger", Duration::from_secs(5), || async {
        let ledger = admin.ledger().await;
        ledger.first().map(|row| row["cost_nano_usd"].as_i64().unwrap())
    })
    .await;
    // Three of them are allowed within a minute, and four are not.
    let limit = ccag_domain::NanoUsd(cost * 7 / 2).to_string();
    let setting = "/admin/settings/session-breaker";
    admin.put(setting, &json!({"usd_per_minute": limit})).await;

    // Two on each data plane: neither has seen too many by itself, and neither has either control plane.
    for client in [&here, &there, &here, &there] {
        of(client, "runaway").is_served().await;
        of(client, "measure").ask().await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // The other session of the same user has sent five by now.
    let pauses = wait_until("both are paused", Duration::from_secs(5), || async {
        let list = admin.get("/admin/paused-sessions").await;
        let all = list["paused_sessions"].as_array().unwrap().clone();
        (all.len() == 2).then_some(all)
    })
    .await;
    admin.fleet_of(2).await;
    for client in [&here, &there] {
        let (status, said) = of(client, "runaway").ask().await;
        assert_eq!(status, 429, "{said}");
        assert!(
            said.starts_with("This session is paused: it spent $") && said.contains("/console/sessions"),
            "{said}"
        );
        of(client, "calm").is_served().await;
    }
    // A data plane that starts anew knows it, or learns it as it connects.
    far.kill();
    far.resume().await;
    wait_until("it is refused again", Duration::from_secs(2), || async {
        (of(&there, "runaway").ask().await.0 == 429).then_some(())
    })
    .await;

    let ada = Admin::log_in(&second.http, "ada", PASSWORD).await;
    let runaway = pauses.iter().find(|p| p["session_id"] == "runaway").unwrap();
    let path = format!(
        "/admin/paused-sessions/{}/resume",
        runaway["id"].as_str().unwrap()
    );
    let resumed = ada.post(&path, &json!({})).await;
    assert_eq!(resumed["resumed_by"], user["id"]);
    admin.fleet_of(2).await;
    for client in [&here, &there] {
        of(client, "runaway").is_served().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_agents_at_once_pause_their_session_and_no_other() {
    let it = standalone().await;
    let limit = json!({"agents_per_minute": 2});
    it.admin.put("/admin/settings/session-breaker", &limit).await;
    let by = |id, agent| Session {
        client: &it.client,
        id,
        agent,
    };
    for agent in [None, Some("a1")] {
        by("crowd", agent).is_served().await;
        by("pair", agent).is_served().await;
    }
    by("crowd", Some("a2")).is_served().await;
    let pause = paused(&it.admin).await;
    assert_eq!(
        (&pause["session_id"], &pause["measured_agents"]),
        (&json!("crowd"), &json!(3))
    );
    it.admin.fleet_of(1).await;
    let (status, said) = by("crowd", None).ask().await;
    assert_eq!(status, 429);
    assert!(
        said.contains("3 agents worked in it within a minute, and 2 are allowed"),
        "{said}"
    );
    by("pair", None).is_served().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_spent_is_shown_under_usage() {
    let it = standalone().await;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}/api/oauth/usage", it.gateway.url);
    let usage = || async {
        let response = http.get(&url).bearer_auth(&it.secret).send().await.unwrap();
        assert_eq!(response.status(), 200);
        response.json::<Value>().await.unwrap()
    };
    assert_eq!(usage().await, json!({"limits": []}));
    let budget = json!({"scope": "organisation", "amount_usd": "0.01"});
    it.admin.post("/admin/budgets", &budget).await;
    it.admin.fleet_of(1).await;
    // Some cents, and nothing that has to be guessed.
    for _ in 0..3 {
        it.client
            .send(&message(MODEL, &"a long prompt ".repeat(40)))
            .await;
    }
    let shown = usage().await;
    assert_eq!(
        (
            &shown["extra_usage"]["monthly_limit"],
            &shown["limits"][0]["group"]
        ),
        (&json!(1), &json!("monthly")),
        "{shown}"
    );
    let percent = wait_until("what was spent is shown", Duration::from_secs(5), || async {
        let percent = usage().await["extra_usage"]["utilization"].as_u64().unwrap();
        (percent > 0).then_some(percent)
    })
    .await;
    assert!(percent <= 100, "{percent}");
    assert_eq!(shown["limits"][0]["is_active"], true);
    // And so does the real client, where it takes the gateway for one.
    let variables = [("CLAUDE_CODE_USE_GATEWAY", "1")];
    let session = Machine::new().run_with(&it, "/usage", &[], &variables).await;
    let said = session.result()["result"].as_str().unwrap();
    assert!(
        said.contains(&format!("/ $0.01 spent this month ({percent}%)")),
        "{said}"
    );
}
