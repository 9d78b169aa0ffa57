//! Every route of the admin API that changes something leaves exactly one entry in the audit log, which says what was there
//! before and what is there after.

use crate::idp::Idp;
use crate::support::{Answer, Caller, PASSWORD, Plane, TestDb, on_both};
use ccag_admin_api::paths;
use ccag_controlplane::http::routes;
use ccag_domain::gate::Gate;
use serde_json::{Value, json};
use std::collections::BTreeSet;

on_both!(
    every_change_leaves_what_was_before_and_what_is_after,
    who_is_refused_stands_in_it_once_a_minute_with_how_often,
);

/// What is tried in other places, since it needs more than a request: AWS, a provider, data planes, or a day of usage.
const ELSEWHERE: [&str; 20] = [
    // These only try something out, and change nothing.
    "POST /admin/idps/{id}/test",
    "POST /admin/endpoints/{id}/test",
    "POST /admin/websearch-mode/test",
    "POST /admin/search-providers/test",
    // Asks other routes: `mcp`.
    "POST /mcp",
    // `notifications`.
    "POST /admin/notifications/destinations/{id}/test",
    "POST /admin/notifications/destinations/{id}/activate",
    "POST /admin/notifications/deliveries/{id}/resend",
    // What AWS offers is read, not said: `discovery`.
    "POST /admin/endpoints/{id}/discover",
    "POST /admin/endpoints/{id}/aip-overrides",
    "DELETE /admin/endpoints/{id}/aip-overrides/{model}",
    // `breaker`, `quarantine`, `reprice`, `clients`, `capabilities`, `catalogue` and `secrets`.
    "POST /admin/paused-sessions/{id}/resume",
    "DELETE /admin/usage/quarantine/{id}",
    "POST /admin/usage/quarantine/{id}/retry",
    "POST /admin/usage/reprice",
    "DELETE /admin/client-sessions/{id}",
    "DELETE /admin/capabilities/learnt/{id}",
    "POST /admin/pricing/import",
    "POST /admin/secrets/reseal",
    // Ends the session of whoever asks: `audit`.
    "POST /auth/logout",
];

/// What an entry says of its object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Says {
    After,
    Before,
    Both,
}
use Says::{After, Before, Both};

struct Walk {
    admin: Caller,
    seen: BTreeSet<String>,
}

impl Walk {
    async fn newest(&self) -> Value {
        self.admin.get("/admin/audit?limit=2").await.json()["entries"].clone()
    }

    /// Sends a request to a route, the parameters of its path filled with `ids`, and looks at what it has left.
    async fn step(
        &mut self,
        (method, route): (&str, &str),
        ids: &[&str],
        body: Value,
        (action, says): (&str, Says),
    ) -> Answer {
        let before = self.newest().await[0]["seq"].as_i64().unwrap();
        let mut path = route.to_owned();
        for id in ids {
            let (start, rest) = path.split_once('{').unwrap();
            let (_, end) = rest.split_once('}').unwrap();
            path = format!("{start}{id}{end}");
        }
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let answer = self.admin.send(method, &path, &body).await;
        assert!(answer.status.is_success(), "{method} {path}: {}", answer.text);
        let newest = self.newest().await;
        let (entry, older) = (&newest[0], &newest[1]);
        assert_eq!(older["seq"], before, "{method} {path} leaves one entry: {newest}");
        assert_eq!(entry["action"], action, "{method} {path}");
        assert_eq!(entry["actor_name"], "admin");
        let details = &entry["details"];
        let found = match (details.get("before"), details.get("after")) {
            (Some(before), Some(after)) => {
                assert_ne!(before, after, "{method} {path} has changed something");
                Both
            }
            (Some(_), None) => Before,
            (None, Some(_)) => After,
            (None, None) => panic!("{method} {path} says neither: {details}"),
        };
        assert_eq!(found, says, "{method} {path}: {details}");
        // A policy that says nothing is an object with nothing in it.
        let side = |side: &str| details.get(side).is_none_or(Value::is_object);
        assert!(side("before") && side("after"), "{method} {path}: {details}");
        for secret in ["hush", PASSWORD, "argon2"] {
            assert!(
                !details.to_string().contains(secret),
                "{method} {path}: {details}"
            );
        }
        self.seen.insert(format!("{method} {route}"));
        answer
    }
}

async fn every_change_leaves_what_was_before_and_what_is_after(db: TestDb) {
    let (plane, idp) = (Plane::start(&db).await, Idp::start().await);
    let mut walk = Walk {
        admin: plane.admin().await,
        seen: BTreeSet::new(),
    };
    of_people(&mut walk, &idp).await;
    of_money(&mut walk).await;
    of_aws(&mut walk).await;
    of_notifications(&mut walk, &db).await;
    let changing = routes().filter(|route| {
        let gated = matches!(route.gate, Gate::May(_) | Gate::SignedIn);
        gated && route.method != "GET" && !ccag_console::access::ROUTES.contains(route)
    });
    let all: BTreeSet<String> = changing
        .map(|route| format!("{} {}", route.method, route.path))
        .collect();
    let elsewhere: BTreeSet<String> = ELSEWHERE.iter().map(|route| (*route).to_owned()).collect();
    let expected: BTreeSet<String> = all.difference(&elsewhere).cloned().collect();
    assert_eq!(walk.seen, expected, "what is walked, and what there is");
    assert!(
        elsewhere.is_subset(&all),
        "there are no such routes: {:?}",
        elsewhere.difference(&all)
    );
    assert_eq!(walk.admin.get("/admin/audit/verify").await.json()["intact"], true);
    plane.stop().await;
}

/// Destinations.
async fn of_notifications(walk: &mut Walk, db: &TestDb) {
    let slack = |path: &str| json!({"kind": "slack", "slack_url": format!("https://hooks.slack.com/services/hush/{path}")});
    let made = walk
        .step(
            ("POST", paths::DESTINATIONS),
            &[],
            json!({"name": "Ops", "settings": slack("one")}),
            ("destination.create", After),
        )
        .await;
    let id = made.json()["destination"]["id"].as_str().unwrap().to_owned();
    let body = json!({"name": "Operations", "categories": ["budget"], "enabled": true});
    walk.step(
        ("PUT", paths::DESTINATION),
        &[&id],
        body,
        ("destination.update", Both),
    )
    .await;
    walk.step(
        ("PUT", paths::DESTINATION_DRAFT),
        &[&id],
        slack("two"),
        ("destination.draft", Both),
    )
    .await;
    // As if the first draft had been put into force, so that there is one to forget.
    let connection = db.connect().await;
    sea_orm::ConnectionTrait::execute_unprepared(
        &connection,
        "UPDATE notification_destinations SET active = draft",
    )
    .await
    .unwrap();
    connection.close().await.unwrap();
    walk.step(
        ("DELETE", paths::DESTINATION_DRAFT),
        &[&id],
        Value::Null,
        ("destination.discard_draft", Both),
    )
    .await;
    walk.step(
        ("DELETE", paths::DESTINATION),
        &[&id],
        Value::Null,
        ("destination.delete", Before),
    )
    .await;
}

/// Teams, users, keys, providers, policies.
async fn of_people(walk: &mut Walk, idp: &Idp) {
    let team = walk
        .step(
            ("POST", paths::TEAMS),
            &[],
            json!({"name": "Red"}),
            ("team.create", After),
        )
        .await
        .id();
    walk.step(
        ("PATCH", paths::TEAM),
        &[&team],
        json!({"name": "Blue"}),
        ("team.update", Both),
    )
    .await;
    let user = json!({"username": "ada", "password": PASSWORD});
    let user = walk
        .step(("POST", paths::USERS), &[], user, ("user.create", After))
        .await
        .id();
    for method in ["PATCH", "PUT"] {
        let body = json!({"display_name": format!("Ada by {method}")});
        walk.step((method, paths::USER), &[&user], body, ("user.update", Both))
            .await;
    }
    walk.step(
        ("PUT", paths::USER_TEAM),
        &[&user],
        json!({"team_id": team}),
        ("user.assign", Both),
    )
    .await;
    walk.step(
        ("DELETE", paths::TEAM_MEMBER),
        &[&team, &user],
        Value::Null,
        ("user.assign", Both),
    )
    .await;
    walk.step(
        ("POST", paths::TEAM_MEMBERS),
        &[&team],
        json!({"user_id": user}),
        ("user.assign", Both),
    )
    .await;
    walk.step(
        ("POST", paths::USER_SUSPEND),
        &[&user],
        json!({}),
        ("user.suspend", Both),
    )
    .await;
    walk.step(
        ("POST", paths::USER_ACTIVATE),
        &[&user],
        json!({}),
        ("user.activate", Both),
    )
    .await;
    let service = json!({"username": "build", "kind": "service"});
    let service = walk
        .step(("POST", paths::USERS), &[], service, ("user.create", After))
        .await
        .id();
    let token = walk
        .step(
            ("POST", paths::USER_TOKENS),
            &[&service],
            json!({"name": "n"}),
            ("token.issue", After),
        )
        .await
        .id();
    walk.step(
        ("DELETE", paths::USER_TOKEN),
        &[&service, &token],
        Value::Null,
        ("token.revoke", Before),
    )
    .await;
    walk.step(
        ("DELETE", paths::USER),
        &[&service],
        Value::Null,
        ("user.delete", Before),
    )
    .await;
    let key = json!({"name": "laptop", "user_id": user});
    let key = walk
        .step(("POST", paths::KEYS), &[], key, ("key.issue", After))
        .await
        .id();
    walk.step(
        ("PATCH", paths::KEY),
        &[&key],
        json!({"rate_limit_rpm": 7}),
        ("key.update", Both),
    )
    .await;
    walk.step(
        ("POST", paths::KEY_SETUP_TOKEN),
        &[&key],
        json!({}),
        ("key.setup_token", After),
    )
    .await;
    walk.step(
        ("PUT", paths::SETUP_SETTINGS),
        &[],
        json!({"mode": "key"}),
        ("setup.update", Both),
    )
    .await;
    walk.step(
        ("POST", paths::KEY_REVOKE),
        &[&key],
        json!({}),
        ("key.revoke", Both),
    )
    .await;
    walk.step(
        ("DELETE", paths::KEY),
        &[&key],
        Value::Null,
        ("key.delete", Before),
    )
    .await;

    let described = idp.described("Acme", json!({}));
    let id = walk
        .step(("POST", paths::PROVIDERS), &[], described, ("idp.create", After))
        .await
        .id();
    let described = idp.described(
        "Acme",
        json!({"group_mappings": [{"group": "Ops", "role": "member"}]}),
    );
    walk.step(("PUT", paths::PROVIDER), &[&id], described, ("idp.update", Both))
        .await;
    walk.step(
        ("PUT", paths::IDP_SCIM),
        &[&id],
        json!({"enabled": true}),
        ("scim.enable", Both),
    )
    .await;
    let token = walk
        .step(
            ("POST", paths::IDP_SCIM_TOKENS),
            &[&id],
            json!({"name": "t"}),
            ("scim.create_token", After),
        )
        .await
        .id();
    walk.step(
        ("DELETE", paths::IDP_SCIM_TOKEN),
        &[&id, &token],
        Value::Null,
        ("scim.revoke_token", Before),
    )
    .await;
    let groups = json!({"groups": ["Admins"]});
    walk.step(
        ("PUT", paths::IDP_SCIM_ADMIN_GROUPS),
        &[&id],
        groups,
        ("scim.set_admin_groups", Both),
    )
    .await;
    walk.step(
        ("DELETE", paths::PROVIDER),
        &[&id],
        Value::Null,
        ("idp.delete", Before),
    )
    .await;
    let settings = json!({"password_sign_in": true, "login_notice": "Company use only."});
    walk.step(("PUT", paths::SIGN_IN), &[], settings, ("sign_in.update", Both))
        .await;
    walk.step(
        ("POST", paths::SIGNING_KEYS_ROTATE),
        &[],
        json!({}),
        ("signing_key.rotate", After),
    )
    .await;
    let policy = json!({"name": "All", "models": ["claude-haiku-4-5"]});
    let policy = walk
        .step(("POST", paths::POLICIES), &[], policy, ("policy.create", After))
        .await
        .id();
    let changed = json!({"name": "All", "models": []});
    walk.step(
        ("PUT", paths::POLICY),
        &[&policy],
        changed,
        ("policy.update", Both),
    )
    .await;
    walk.step(
        ("DELETE", paths::POLICY),
        &[&policy],
        Value::Null,
        ("policy.delete", Before),
    )
    .await;
    walk.admin.clone().login("ada", PASSWORD).await;
    walk.step(
        ("POST", paths::USER_SIGN_OUT),
        &[&user],
        json!({}),
        ("user.sign_out", Both),
    )
    .await;
    walk.step(
        ("DELETE", paths::USER),
        &[&user],
        Value::Null,
        ("user.delete", Before),
    )
    .await;
    walk.step(
        ("DELETE", paths::TEAM),
        &[&team],
        Value::Null,
        ("team.delete", Before),
    )
    .await;
}

/// Budgets, limits, prices, what sessions may do.
async fn of_money(walk: &mut Walk) {
    let team = walk
        .step(
            ("POST", paths::TEAMS),
            &[],
            json!({"name": "Paying"}),
            ("team.create", After),
        )
        .await
        .id();
    let user = walk
        .step(
            ("POST", paths::USERS),
            &[],
            json!({"username": "bob"}),
            ("user.create", After),
        )
        .await
        .id();
    let budget = json!({"scope": "organisation", "amount_usd": 100});
    let budget = walk
        .step(("POST", paths::BUDGETS), &[], budget, ("budget.create", After))
        .await
        .id();
    walk.step(
        ("PUT", paths::BUDGET),
        &[&budget],
        json!({"amount_usd": 200}),
        ("budget.update", Both),
    )
    .await;
    let raise = json!({"amount_usd": 1, "until": "2026-12-01T00:00:00Z", "reason": "the release"});
    let raised = walk
        .step(
            ("POST", paths::BUDGET_RAISES),
            &[&budget],
            raise,
            ("budget.raise", Both),
        )
        .await;
    let raise = raised.json()["raises"][0]["id"].as_str().unwrap().to_owned();
    walk.step(
        ("DELETE", paths::BUDGET_RAISE),
        &[&budget, &raise],
        Value::Null,
        ("budget.withdraw_raise", Both),
    )
    .await;
    walk.step(
        ("DELETE", paths::BUDGET),
        &[&budget],
        Value::Null,
        ("budget.delete", Before),
    )
    .await;
    let amounts = json!({"budget_amount_usd": 5, "default_user_budget_usd": 1});
    walk.step(
        ("PUT", paths::TEAM_BUDGET),
        &[&team],
        amounts,
        ("team.set_budget", Both),
    )
    .await;
    walk.step(
        ("DELETE", paths::TEAM_BUDGET),
        &[&team],
        Value::Null,
        ("team.set_budget", Both),
    )
    .await;
    let each = json!({"budget_amount_usd": 9});
    walk.step(
        ("PUT", paths::DEFAULT_BUDGET),
        &[],
        each,
        ("settings.default_budget", Both),
    )
    .await;
    let own = json!({"limit_usd": 3});
    walk.step(
        ("PUT", paths::USER_SPEND_LIMIT),
        &[&user],
        own,
        ("user.set_spend_limit", Both),
    )
    .await;
    let most = json!({"usd_per_minute": 3});
    walk.step(
        ("PUT", paths::SESSION_BREAKER),
        &[],
        most.clone(),
        ("session_breaker.update", Both),
    )
    .await;
    walk.step(
        ("PUT", paths::TEAM_SESSION_BREAKER),
        &[&team],
        most,
        ("session_breaker.update", After),
    )
    .await;
    walk.step(
        ("DELETE", paths::TEAM_SESSION_BREAKER),
        &[&team],
        Value::Null,
        ("session_breaker.delete", Before),
    )
    .await;
    let limit = json!({"scope": "team", "team_id": team, "kind": "requests_per_minute", "amount": 10});
    let limit = walk
        .step(("POST", paths::LIMITS), &[], limit, ("limit.create", After))
        .await
        .id();
    walk.step(
        ("PUT", paths::LIMIT),
        &[&limit],
        json!({"amount": 20}),
        ("limit.update", Both),
    )
    .await;
    walk.step(
        ("DELETE", paths::LIMIT),
        &[&limit],
        Value::Null,
        ("limit.delete", Before),
    )
    .await;
    let price = json!({"input_rate": "100", "output_rate": "1", "cache_read_rate": "1", "cache_write_rate": "1", "cache_write_1h_rate": "1"});
    walk.step(
        ("PUT", paths::PRICE),
        &["claude-haiku-4-5"],
        price,
        ("price.set", Both),
    )
    .await;
    walk.step(
        ("DELETE", paths::PRICE),
        &["claude-haiku-4-5"],
        Value::Null,
        ("price.reset", Both),
    )
    .await;
}

/// Endpoints, routes, models, rules, web search.
async fn of_aws(walk: &mut Walk) {
    let team = walk
        .step(
            ("POST", paths::TEAMS),
            &[],
            json!({"name": "Routed"}),
            ("team.create", After),
        )
        .await
        .id();
    let keys =
        json!({"kind": "keys", "access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": "hush-hush"});
    let endpoint = json!({"name": "a", "credentials": keys});
    let endpoint = walk
        .step(
            ("POST", paths::ENDPOINTS),
            &[],
            endpoint,
            ("endpoint.create", After),
        )
        .await
        .id();
    walk.step(
        ("PATCH", paths::ENDPOINT),
        &[&endpoint],
        json!({"weight": 2}),
        ("endpoint.update", Both),
    )
    .await;
    let replaced = json!({"name": "b", "region": "eu-west-1"});
    walk.step(
        ("PUT", paths::ENDPOINT),
        &[&endpoint],
        replaced,
        ("endpoint.update", Both),
    )
    .await;
    let list = walk.admin.get(paths::ENDPOINTS).await.json();
    let first = list["endpoints"]
        .as_array()
        .unwrap()
        .iter()
        .find(|e| e["is_default"] == true)
        .unwrap();
    let first = first["id"].as_str().unwrap().to_owned();
    for id in [&endpoint, &first] {
        walk.step(
            ("PUT", paths::ENDPOINT_DEFAULT),
            &[id],
            Value::Null,
            ("endpoint.set_default", Both),
        )
        .await;
    }
    let assigned = json!({"endpoints": [{"endpoint_id": endpoint}]});
    walk.step(
        ("PUT", paths::TEAM_ENDPOINTS),
        &[&team],
        assigned,
        ("team.endpoints", Both),
    )
    .await;
    walk.step(
        ("PUT", paths::TEAM_ENDPOINTS),
        &[&team],
        json!({"endpoints": []}),
        ("team.endpoints", Both),
    )
    .await;
    let rules = json!({"geographies": ["eu"]});
    walk.step(
        ("PUT", paths::TEAM_ROUTING),
        &[&team],
        rules.clone(),
        ("team.routing", Both),
    )
    .await;
    walk.step(("PUT", paths::ROUTING), &[], rules, ("routing.update", Both))
        .await;
    walk.step(
        ("DELETE", paths::ENDPOINT),
        &[&endpoint],
        Value::Null,
        ("endpoint.delete", Before),
    )
    .await;
    let model = |context: u32| json!({"name": "claude-test-1", "bedrock_id": "anthropic.claude-test-1", "on_demand": true, "context_tokens": context});
    walk.step(
        ("POST", paths::MODELS),
        &[],
        model(1_000),
        ("model.create", After),
    )
    .await;
    walk.step(
        ("PUT", paths::MODEL),
        &["claude-test-1"],
        model(2_000),
        ("model.update", Both),
    )
    .await;
    walk.step(
        ("DELETE", paths::MODEL),
        &["claude-test-1"],
        Value::Null,
        ("model.delete", Before),
    )
    .await;
    let rule = |act: &str| json!({"table": "betas", "rule": {"name": "test-2026-01-01", "do": act, "source": "ticket 7"}});
    let id = walk
        .step(
            ("POST", paths::CAPABILITY_RULES),
            &[],
            rule("keep"),
            ("capability.rule.add", After),
        )
        .await
        .id();
    walk.step(
        ("PUT", paths::CAPABILITY_RULE),
        &[&id],
        rule("drop"),
        ("capability.rule.replace", Both),
    )
    .await;
    walk.step(
        ("DELETE", paths::CAPABILITY_RULE),
        &[&id],
        Value::Null,
        ("capability.rule.delete", Before),
    )
    .await;
    let mode = json!({"mode": "global", "provider": {"provider_type": "tavily", "api_key": "hush-hush"}});
    walk.step(("PUT", paths::WEB_SEARCH), &[], mode, ("web_search.update", Both))
        .await;
    for kind in ["tavily", "brave"] {
        let own = json!({"provider_type": kind, "api_key": "hush-hush"});
        walk.step(
            ("PUT", paths::SEARCH_PROVIDERS),
            &[],
            own,
            ("search_provider.put", After),
        )
        .await;
    }
    let back = json!({"provider_type": "tavily"});
    walk.step(
        ("POST", paths::SEARCH_PROVIDER_ACTIVATE),
        &[],
        back,
        ("search_provider.activate", Both),
    )
    .await;
    walk.step(
        ("DELETE", paths::SEARCH_PROVIDER),
        &["brave"],
        Value::Null,
        ("search_provider.delete", Before),
    )
    .await;
}

async fn who_is_refused_stands_in_it_once_a_minute_with_how_often(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let (member, id) = admin.new_member("sam").await;
    let refusals = async || -> Vec<Value> {
        let list = admin.get("/admin/audit?q=request.refused").await.json();
        list["entries"].as_array().unwrap().clone()
    };
    let wait_for = async |count: usize| loop {
        let found = refusals().await;
        if found.len() >= count {
            return found;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    for _ in 0..20 {
        assert_eq!(
            member.post("/admin/teams", json!({"name": "Mine"})).await.status,
            403
        );
    }
    let found = wait_for(1).await;
    assert_eq!(found.len(), 1, "{found:?}");
    let first = &found[0];
    assert_eq!(
        (&first["actor"], &first["object_kind"]),
        (&json!(id), &json!("route"))
    );
    assert_eq!(first["object_id"], "POST /admin/teams");
    let details =
        json!({"path": "/admin/teams", "role": "member", "address": member.address.ip(), "count": 1});
    assert_eq!(first["details"], details);
    // Another route has its own, in the console as well; somebody who is not signed in has none.
    assert_eq!(
        plane
            .caller()
            .post("/admin/teams", json!({"name": "x"}))
            .await
            .status,
        401
    );
    let page = crate::console::Browser::of(&member).get("/console/audit").await;
    assert_eq!(page.status, 403);
    let found = wait_for(2).await;
    assert_eq!(
        (found.len(), &found[0]["object_id"]),
        (2, &json!("GET /console/audit"))
    );
    // When the minute is over, it is said how many more there were.
    plane
        .clock
        .0
        .fetch_add(61_000, std::sync::atomic::Ordering::Relaxed);
    let found = wait_for(3).await;
    assert_eq!((found.len(), &found[0]["details"]["count"]), (3, &json!(19)));
    assert_eq!(found[0]["object_id"], "POST /admin/teams");
    // What is still counted when the process ends is written down.
    for _ in 0..3 {
        assert_eq!(
            member.post("/admin/teams", json!({"name": "Mine"})).await.status,
            403
        );
    }
    wait_for(4).await;
    plane.stop().await;
    let plane = Plane::start(&db).await;
    let list = plane
        .admin()
        .await
        .get("/admin/audit?q=request.refused")
        .await
        .json();
    assert_eq!(list["entries"][0]["details"]["count"], 2, "{list}");
    plane.stop().await;
}
