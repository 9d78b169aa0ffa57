//! The gateway's tools, in the hands of the inspector of the Model Context Protocol.

use crate::openapi::listen;
use crate::support::{Caller, PASSWORD, Plane, TestDb, on_both};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::PathBuf;

on_both!(
    an_owner_manages_the_gateway_with_tools_and_the_audit_log_says_so,
    a_member_sees_and_uses_only_what_members_may,
);

/// Somebody with an inspector.
struct Inspector {
    url: String,
    token: String,
    _home: tempfile::TempDir,
}

/// What the inspector said.
struct Said {
    code: Option<i32>,
    text: String,
    errors: String,
}

impl Said {
    fn json(&self) -> Value {
        assert_eq!(self.code, Some(0), "{}{}", self.text, self.errors);
        self.any_json()
    }

    fn any_json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {}{}", self.text, self.errors))
    }
}

impl Inspector {
    fn new(base: &str, who: &Caller) -> Self {
        Self {
            url: format!("{base}/mcp"),
            token: who.token.clone().unwrap(),
            _home: tempfile::tempdir().unwrap(),
        }
    }

    async fn run(&self, args: &[&str]) -> Said {
        let dir = std::env::var("CCAG_TEST_NODE_DIR")
            .unwrap_or_else(|_| panic!("CCAG_TEST_NODE_DIR is not set: run through `cargo xtask test`"));
        let bin = PathBuf::from(dir).join("node_modules/.bin");
        let output = tokio::process::Command::new(bin.join("node"))
            .env_clear()
            .env("HOME", self._home.path())
            .env("PATH", &bin)
            .arg(bin.join("mcp-inspector"))
            .args(["--cli", &self.url, "--transport", "http", "--header"])
            .arg(format!("Authorization: Bearer {}", self.token))
            .args(args)
            .kill_on_drop(true)
            .output()
            .await
            .unwrap();
        Said {
            code: output.status.code(),
            text: String::from_utf8(output.stdout).unwrap(),
            errors: String::from_utf8(output.stderr).unwrap(),
        }
    }

    async fn tools(&self) -> Vec<Value> {
        let listed = self.run(&["--method", "tools/list", "--strict"]).await.json();
        listed["tools"].as_array().unwrap().clone()
    }

    async fn call(&self, tool: &str, arguments: &[&str]) -> Said {
        let mut args = vec!["--method", "tools/call", "--tool-name", tool];
        for argument in arguments {
            args.extend(["--tool-arg", argument]);
        }
        self.run(&args).await
    }
}

fn names(tools: &[Value]) -> BTreeSet<&str> {
    tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect()
}

async fn an_owner_manages_the_gateway_with_tools_and_the_audit_log_says_so(db: TestDb) {
    let plane = Plane::start(&db).await;
    let (base, owner) = (listen(&plane).await, plane.admin().await);
    let inspector = Inspector::new(&base, &owner);
    let tools = inspector.tools().await;
    for tool in &tools {
        let notes = &tool["annotations"];
        assert!(
            notes["readOnlyHint"].is_boolean() && notes["destructiveHint"].is_boolean(),
            "{tool}"
        );
        assert!(tool["description"].as_str().unwrap().len() > 10, "{tool}");
    }
    let named = |name: &str| tools.iter().find(|tool| tool["name"] == name).unwrap();
    assert_eq!(named("list_keys")["annotations"]["readOnlyHint"], true);
    assert_eq!(named("revoke_key")["annotations"]["destructiveHint"], true);

    let team = inspector.call("create_team", &["name=Platform"]).await.json();
    let team = team["structuredContent"]["id"].as_str().unwrap().to_owned();
    let budget = json!({"scope": "team", "team_id": team, "amount_usd": "100"});
    let budget = owner.post("/admin/budgets", budget).await.id();
    let raised = inspector
        .call(
            "raise_budget",
            &[
                &format!("id={budget}"),
                "amount_usd=\"50\"",
                "until=2026-12-01T00:00:00Z",
                "reason=the release",
            ],
        )
        .await
        .json();
    assert_eq!(raised["isError"], false, "{raised}");
    assert_eq!(
        raised["structuredContent"]["raises"][0]["amount_usd"], "50.00",
        "{raised}"
    );
    // The text is for clients that do not look at what is structured.
    let text: Value = serde_json::from_str(raised["content"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(text, raised["structuredContent"]);
    let listed = inspector.call("list_budgets", &["limit=1"]).await.json();
    assert_eq!(listed["structuredContent"]["budgets"][0]["id"], json!(budget));

    let wrong = inspector.call("show_budget", &["id=bud_none"]).await.any_json();
    assert_eq!(wrong["isError"], true, "{wrong}");
    assert_eq!(wrong["structuredContent"]["code"], "not-found", "{wrong}");

    let log = owner.get("/admin/audit?limit=1000").await.json();
    let entries = log["entries"].as_array().unwrap();
    let via = |action: &str| {
        let found = entries.iter().find(|entry| entry["action"] == action);
        found.map(|entry| (&entry["actor_name"], &entry["details"]["via"]))
    };
    assert_eq!(via("team.create"), Some((&json!("admin"), &json!("mcp"))));
    assert_eq!(via("budget.raise"), Some((&json!("admin"), &json!("mcp"))));
    assert_eq!(via("budget.create"), Some((&json!("admin"), &Value::Null)));
    assert_eq!(owner.get("/admin/audit/verify").await.json()["intact"], true);
    plane.stop().await;
}

async fn a_member_sees_and_uses_only_what_members_may(db: TestDb) {
    let plane = Plane::start(&db).await;
    let (base, owner) = (listen(&plane).await, plane.admin().await);
    let (member, id) = owner.new_member("ada").await;
    let other = json!({"username": "grace", "password": PASSWORD});
    let other = owner.post("/admin/users", other).await.id();
    for user in [&id, &other] {
        let key = json!({"name": "laptop", "user_id": user});
        assert_eq!(owner.post("/admin/keys", key).await.status, 201);
    }
    let (theirs, all) = (Inspector::new(&base, &member), Inspector::new(&base, &owner));
    let (listed, everything) = (theirs.tools().await, all.tools().await);
    let (listed, everything) = (names(&listed), names(&everything));
    assert!(
        listed.is_subset(&everything) && listed.len() < everything.len() / 2,
        "{listed:?}"
    );
    assert!(
        listed.contains("budget_status") && listed.contains("list_keys"),
        "{listed:?}"
    );
    for not_theirs in [
        "create_team",
        "raise_budget",
        "list_audit",
        "show_fleet",
        "create_user",
    ] {
        assert!(
            !listed.contains(not_theirs) && everything.contains(not_theirs),
            "{not_theirs}"
        );
    }
    let me = theirs.call("who_am_i", &[]).await.json();
    assert_eq!(me["structuredContent"]["user"]["username"], "ada");
    let keys = theirs.call("list_keys", &[]).await.json();
    let keys = keys["structuredContent"]["keys"].as_array().unwrap();
    assert!(keys.len() == 1 && keys[0]["user_id"] == json!(id), "{keys:?}");

    // A tool that is not listed is refused by the route behind it, in words.
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": "create_team", "arguments": {"name": "Mine"}}});
    let asking = member
        .clone()
        .with("accept", "application/json, text/event-stream");
    let asking = asking
        .with("host", "127.0.0.1")
        .with("mcp-protocol-version", "2025-06-18");
    let refused = asking.post("/mcp", body.clone()).await.json();
    assert_eq!(refused["result"]["isError"], true, "{refused}");
    assert_eq!(
        refused["result"]["structuredContent"]["code"], "forbidden",
        "{refused}"
    );
    let said = refused["result"]["content"][0]["text"].as_str().unwrap();
    assert!(said.contains("Only owners and admins may do this"), "{said}");
    let teams = owner.get("/admin/teams").await.json();
    assert_eq!(teams["teams"], json!([]));
    let mut refusals = Value::Null;
    for _ in 0..100 {
        refusals = owner.get("/admin/audit?q=request.refused").await.json()["entries"].clone();
        if !refusals.as_array().unwrap().is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(refusals[0]["object_id"], "POST /admin/teams", "{refusals}");
    assert_eq!(refusals[0]["details"]["via"], "mcp");

    // Nobody gets in without a token, from another origin or under another name; and there is no session to get or end.
    let mut stranger = asking.clone();
    stranger.token = None;
    assert_eq!(stranger.post("/mcp", body.clone()).await.status, 401);
    let page = asking.clone().with("origin", "https://evil.example");
    let refused = page.post("/mcp", body.clone()).await;
    assert_eq!(refused.status, 403, "{}", refused.text);
    assert!(refused.text.contains("another origin"), "{}", refused.text);
    let mut rebound = asking.clone();
    rebound.headers.retain(|(name, _)| *name != "host");
    let refused = rebound.with("host", "evil.example").post("/mcp", body).await;
    assert_eq!(refused.status, 403, "{}", refused.text);
    for method in ["GET", "DELETE"] {
        assert_eq!(asking.send(method, "/mcp", "").await.status, 405);
    }
    plane.stop().await;
}
