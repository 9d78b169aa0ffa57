//! The OpenAPI document, read by strangers who know nothing else of the gateway.

use crate::idp::Idp;
use crate::support::{Caller, NOON, Plane, TestDb, on_both, record};
use ccag_admin_api::paths;
use ccag_controlplane::app::intake::{Incoming, take_in};
use ccag_domain::{KeyId, TeamId, UsageRecord, UserId};
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::process::Stdio;
use tokio::io::AsyncWriteExt;

on_both!(a_stranger_who_has_only_the_document_understands_every_answer_and_makes_a_client);

/// A plane that listens, and its address.
pub(crate) async fn listen(plane: &Plane) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = plane
        .plane
        .router()
        .into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    format!("http://{address}")
}

struct Things {
    admin: Caller,
    /// Paths with ids in them, by their templates.
    at: serde_json::Map<String, Value>,
}

impl Things {
    async fn make(&self, path: &str, body: Value) -> Value {
        let made = self.admin.post(path, body).await;
        assert_eq!(made.status, 201, "{path}: {}", made.text);
        made.json()
    }

    async fn set(&self, path: &str, body: Value) {
        let done = self.admin.send("PUT", path, &body.to_string()).await;
        assert_eq!(done.status, 200, "{path}: {}", done.text);
    }

    /// Everything under `start` that has an `{id}` has this one.
    fn is_at(&mut self, start: &str, id: &Value) {
        let id = id.as_str().unwrap();
        for route in ccag_controlplane::http::routes() {
            if route.method == "GET" && route.path.starts_with(&format!("{start}/{{id}}")) {
                let path = route.path.replace("{id}", id);
                self.at.insert(route.path.to_owned(), json!(path));
            }
        }
    }
}

/// One of everything, and an admin who sees it.
async fn populate(plane: &Plane, db: &TestDb, idp: &Idp) -> Things {
    let mut things = Things {
        admin: plane.admin().await,
        at: serde_json::Map::new(),
    };
    let team = things.make(paths::TEAMS, json!({"name": "Platform"})).await["id"].clone();
    things.is_at(paths::TEAMS, &team);
    let user = json!({"username": "ada@example.com", "email": "ada@example.com", "team_id": team});
    let user = things.make(paths::USERS, user).await["id"].clone();
    let service = json!({"username": "build", "kind": "service"});
    let service = things.make(paths::USERS, service).await["id"].clone();
    things.is_at(paths::USERS, &user);
    let tokens = paths::USER_TOKENS.replace("{id}", service.as_str().unwrap());
    things.make(&tokens, json!({"name": "pipeline"})).await;
    things.at.insert(paths::USER_TOKENS.to_owned(), json!(tokens));
    let key = json!({"name": "laptop", "user_id": user, "rate_limit_rpm": 60, "expires_at": "2027-01-01"});
    let key = things.make(paths::KEYS, key).await["id"].clone();
    things.is_at(paths::KEYS, &key);
    let client = json!({"name": "machine", "user_id": user});
    let client = things.make(paths::KEYS, client).await["id"].clone();

    let rules = json!([{"at_percent": 80, "action": "notify"}, {"at_percent": 100, "action": "block"}]);
    let budget = json!({"scope": "organisation", "amount_usd": "100.50", "policy": rules});
    let budget = things.make(paths::BUDGETS, budget).await["id"].clone();
    let budget_at = format!("{}/{}", paths::BUDGETS, budget.as_str().unwrap());
    let raise = json!({"amount_usd": 1, "until": "2026-12-01T00:00:00Z", "reason": "the release"});
    things.make(&format!("{budget_at}/raises"), raise).await;
    let each = json!({"scope": "each_user", "amount_usd": 9});
    let each = things.make(paths::BUDGETS, each).await["id"].clone();
    things.is_at(paths::BUDGETS, &budget);
    let accounts = paths::BUDGET_ACCOUNTS.replace("{id}", each.as_str().unwrap());
    things
        .at
        .insert(paths::BUDGET_ACCOUNTS.to_owned(), json!(accounts));
    let of_team = paths::TEAM_BUDGET.replace("{id}", team.as_str().unwrap());
    things
        .set(
            &of_team,
            json!({"budget_amount_usd": 50, "default_user_budget_usd": 5}),
        )
        .await;
    let own = paths::USER_SPEND_LIMIT.replace("{id}", user.as_str().unwrap());
    things.set(&own, json!({"limit_usd": 3})).await;
    things
        .set(paths::SESSION_BREAKER, json!({"usd_per_minute": 3}))
        .await;
    let limit = json!({"scope": "team", "team_id": team, "kind": "tokens_per_minute", "amount": 10, "weights": {"output": 1000}});
    let limit = things.make(paths::LIMITS, limit).await["id"].clone();
    things.is_at(paths::LIMITS, &limit);

    let mut endpoint = json!({"name": "europe", "region": "eu-central-1", "geography": "eu"});
    endpoint["guardrail"] = json!({"id": "abcdefgh", "version": "1"});
    endpoint["credentials"] =
        json!({"kind": "keys", "access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": "hush-hush"});
    endpoint["proxy"] = json!({"url": "http://proxy.example.com:3128", "user": "u", "password": "hush"});
    let endpoint = things.make(paths::ENDPOINTS, endpoint).await["id"].clone();
    things.is_at(paths::ENDPOINTS, &endpoint);
    let of_team = paths::TEAM_ENDPOINTS.replace("{id}", team.as_str().unwrap());
    things
        .set(&of_team, json!({"endpoints": [{"endpoint_id": endpoint}]}))
        .await;
    let of_team = paths::TEAM_ROUTING.replace("{id}", team.as_str().unwrap());
    things
        .set(
            &of_team,
            json!({"strategy": "primary_fallback", "geographies": ["eu"]}),
        )
        .await;
    let rule =
        json!({"table": "betas", "rule": {"name": "x-2026-01-01", "do": "drop", "source": "ticket 7"}});
    let rule = things.admin.post(paths::CAPABILITY_RULES, rule).await;
    assert_eq!(rule.status, 201, "{}", rule.text);
    let price =
        json!({"input_rate": "5", "output_rate": 25.5, "cache_read_rate": "0.5", "cache_write_rate": "6.25"});
    things.set("/admin/pricing/claude-haiku-4-5", price).await;
    let searching = json!({"provider_type": "tavily", "api_key": "hush"});
    things.set(paths::SEARCH_PROVIDERS, searching.clone()).await;
    things
        .set(
            paths::WEB_SEARCH,
            json!({"mode": "global", "provider": searching}),
        )
        .await;

    let provider = json!({"group_mappings": [{"group": "Ops", "role": "member", "team_id": team}]});
    let provider = things
        .make(paths::PROVIDERS, idp.described("Acme", provider))
        .await["id"]
        .clone();
    things.is_at(paths::PROVIDERS, &provider);
    let scim = format!("{}/{}", paths::PROVIDERS, provider.as_str().unwrap());
    things
        .set(&format!("{scim}/scim"), json!({"enabled": true}))
        .await;
    things
        .make(&format!("{scim}/scim-tokens"), json!({"name": "t"}))
        .await;
    things
        .set(
            &format!("{scim}/scim-admin-groups"),
            json!({"groups": ["Admins"]}),
        )
        .await;
    let policy = json!({"name": "All", "models": ["claude-haiku-4-5"], "settings": {"env": {"A": "1"}}});
    let policy = things.make(paths::POLICIES, policy).await["id"].clone();
    things.is_at(paths::POLICIES, &policy);
    let slack = json!({"kind": "slack", "slack_url": "https://hooks.slack.com/services/hush/one"});
    let destination = json!({"name": "Ops", "settings": slack});
    let destination = things.make(paths::DESTINATIONS, destination).await["destination"]["id"].clone();
    things.is_at(paths::DESTINATIONS, &destination);

    let made = UsageRecord {
        key_id: KeyId::parse(key.as_str().unwrap()).unwrap(),
        user_id: Some(UserId::parse(user.as_str().unwrap()).unwrap()),
        team_id: Some(TeamId::parse(team.as_str().unwrap()).unwrap()),
        ..record(1)
    };
    things.is_at("/admin/requests", &json!(made.request_id.as_str()));
    let incoming = vec![Incoming::Record(Box::new(made))];
    take_in(plane.app(), "rep_test", incoming).await.unwrap();
    let connection = db.connect().await;
    for sql in [
        format!("UPDATE virtual_keys SET kind = 'session' WHERE id = {client}"),
        format!(
            "INSERT INTO paused_sessions (id, owner, session_id, key_id, team_id, reason, measured, allowed, paused_at_ms, \
             open_for) VALUES ('pau_1', {user}, 'session', {key}, {team}, 'spend', 2, 1, {NOON}, 'pau_1')"
        ),
    ] {
        connection
            .execute_unprepared(&sql.replace('"', "'"))
            .await
            .unwrap();
    }
    connection.close().await.unwrap();
    for (template, path) in [
        (paths::MODEL, "/admin/models/claude-haiku-4-5"),
        (paths::CAPABILITY_BOOK, "/admin/capabilities/books/invoke-model"),
        (
            paths::ROUTE_PREVIEW,
            "/admin/settings/routing/preview?model=claude-haiku-4-5",
        ),
        (
            paths::REPRICE,
            "/admin/usage/reprice?from=2026-11-01&to=2026-11-25",
        ),
        (
            paths::ANALYTICS_WHAT_IF,
            "/admin/analytics/what-if?scope=each_user&amount_usd=0",
        ),
    ] {
        things.at.insert(template.to_owned(), json!(path));
    }
    let preview = paths::TEAM_ROUTE_PREVIEW.replace("{id}", team.as_str().unwrap());
    let preview = format!("{preview}?model=claude-haiku-4-5");
    things
        .at
        .insert(paths::TEAM_ROUTE_PREVIEW.to_owned(), json!(preview));
    things
}

async fn a_stranger_who_has_only_the_document_understands_every_answer_and_makes_a_client(db: TestDb) {
    let (plane, idp) = (Plane::start(&db).await, Idp::start().await);
    let things = populate(&plane, &db, &idp).await;
    let python = std::env::var("CCAG_TEST_PYTHON")
        .unwrap_or_else(|_| panic!("CCAG_TEST_PYTHON is not set: run through `cargo xtask test`"));
    let mut stranger = tokio::process::Command::new(python)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/openapi.py"))
        .arg(listen(&plane).await)
        .arg(things.admin.token.as_deref().unwrap())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut stdin = stranger.stdin.take().unwrap();
    let ids = Value::Object(things.at).to_string();
    stdin.write_all(ids.as_bytes()).await.unwrap();
    drop(stdin);
    let said = stranger.wait_with_output().await.unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    plane.stop().await;
}
