//! The existing gateway's database, brought into this one.

use crate::support::{Plane, TestDb, on_both};
use ccag_controlplane::app::import::{ImportError, Options, Report, run};
use sea_orm::ConnectionTrait;
use serde_json::Value;

const SCHEMA: &str = include_str!("schema.sql");
const DATA: &str = include_str!("data.sql");

on_both!(
    a_dry_run_tells_everything_and_changes_nothing,
    everything_arrives_once_and_stays_as_it_is_here,
    what_was_spent_is_in_analytics_and_in_budgets,
    keys_are_revoked_where_the_existing_gateway_had_switched_them_off,
    a_database_that_is_not_one_is_refused,
);

/// The existing gateway's database, with what it has seen.
async fn source() -> TestDb {
    let source = TestDb::postgres().await;
    let db = source.connect().await;
    db.execute_unprepared(SCHEMA).await.unwrap();
    db.execute_unprepared(DATA).await.unwrap();
    db.close().await.unwrap();
    source
}

async fn import(plane: &Plane, source: &TestDb, dry_run: bool) -> Result<Report, ImportError> {
    let options = Options {
        from: source.url.clone(),
        dry_run,
        history: true,
    };
    run(plane.app(), &options, &|_| {}).await
}

/// Found, made and there, of one kind.
fn counts(report: &Report, what: &str) -> (u64, u64, u64) {
    let part = report.parts.iter().find(|part| part.what == what);
    let part = part.unwrap_or_else(|| panic!("no {what} in {report}"));
    (part.found, part.made, part.there)
}

const MADE: [(&str, u64, u64); 11] = [
    ("identity providers", 1, 1),
    ("teams", 3, 3),
    ("users", 4, 3),
    ("SCIM tokens", 2, 1),
    ("SCIM groups", 1, 1),
    ("endpoints", 3, 3),
    ("endpoints of teams", 2, 2),
    ("chosen profiles", 2, 1),
    ("search services", 2, 1),
    ("keys", 10, 9),
    ("requests of the history", 8, 6),
];

async fn tables(db: &TestDb) -> Vec<i64> {
    let mut counts = Vec::new();
    for table in [
        "teams",
        "users",
        "virtual_keys",
        "endpoints",
        "budgets",
        "usage_records",
        "audit",
        "settings",
    ] {
        counts.push(db.count(&format!("SELECT COUNT(*) FROM {table}")).await);
    }
    counts
}

async fn a_dry_run_tells_everything_and_changes_nothing(db: TestDb) {
    let (plane, source) = (Plane::start(&db).await, source().await);
    let before = tables(&db).await;
    let report = import(&plane, &source, true).await.unwrap();
    assert_eq!(tables(&db).await, before);
    for (what, found, made) in MADE {
        assert_eq!(counts(&report, what), (found, made, 0), "{what}");
    }
    let text = report.to_string();
    for told in [
        "users 30000000-0000-4000-8000-000000000002: `ada@example.com` is the same address",
        "users 30000000-0000-4000-8000-000000000004: the role `superuser` is not known",
        "teams 20000000-0000-4000-8000-000000000002: `plattform größe` is called `plattform größe (2)` here",
        "teams 20000000-0000-4000-8000-000000000002: team: an amount of nothing",
        "teams 20000000-0000-4000-8000-000000000003: team: the amount is more than",
        "teams 20000000-0000-4000-8000-000000000003: each_member: the amount is no number",
        "virtual_keys 40000000-0000-4000-8000-000000000009: its user is gone",
        "virtual_keys 40000000-0000-4000-8000-00000000000a: what is stored of it is no SHA-256",
        "endpoints 50000000-0000-4000-8000-000000000003: of the profile",
        "endpoint_aip_overrides 50000000-0000-4000-8000-000000000001 claude-nobody-1",
        "beta_overrides 50000000-0000-4000-8000-000000000001",
        "scim_tokens 60000000-0000-4000-8000-000000000002: it was revoked",
        "model_pricing claude-own",
        "model_mappings claude-found",
        "spend_log 7: a count of tokens is negative",
        "spend_log 8: its time is none",
        "1 requests for `claude-unknown-9` have no price there",
        "1 requests are of `nobody@example.com`, who is no user",
        "Nothing was changed",
    ] {
        assert!(text.contains(told), "{told} is missing in\n{text}");
    }
    for secret in ["tvly-secret", "tvly-global"] {
        assert!(!text.contains(secret), "{text}");
    }
    plane.stop().await;
}

async fn everything_arrives_once_and_stays_as_it_is_here(db: TestDb) {
    let (plane, source) = (Plane::start(&db).await, source().await);
    let report = import(&plane, &source, false).await.unwrap();
    for (what, found, made) in MADE {
        assert_eq!(counts(&report, what), (found, made, 0), "{what}");
    }
    let admin = plane.admin().await;
    let users = admin.get("/admin/users?limit=100").await.json();
    let users = users["users"].as_array().unwrap().clone();
    let user = |name: &str| users.iter().find(|u| u["username"] == name).cloned().unwrap();
    let ada = user("Ada@example.com");
    assert_eq!(
        (ada["role"].as_str(), ada["state"].as_str()),
        (Some("admin"), Some("active"))
    );
    assert_eq!(user("gone@example.com")["state"], "suspended");
    assert_eq!(user("grace@example.com")["display_name"], "Grace \u{1F600}");
    let teams = admin.get("/admin/teams").await.json();
    let teams = teams["teams"].as_array().unwrap().clone();
    let team = |name: &str| teams.iter().find(|t| t["name"] == name).cloned().unwrap();
    let platform = team("Plattform Größe")["id"].as_str().unwrap().to_owned();
    assert_eq!(ada["team_id"], platform.as_str());
    let budget = admin.get(&format!("/admin/teams/{platform}/budget")).await.json();
    assert_eq!(budget["budget_amount_usd"], "800.10");
    assert_eq!(budget["budget_policy"], "shaped");
    assert_eq!(budget["default_user_budget_usd"], "100.00");
    let routed = admin
        .get(&format!("/admin/teams/{platform}/endpoints"))
        .await
        .json();
    assert_eq!(routed["routing_strategy"], "primary_fallback");
    assert_eq!(routed["endpoints"][0]["name"], "Europe");
    assert_eq!(routed["endpoints"].as_array().unwrap().len(), 2);
    // The endpoint of the first start is there, and no default one any more.
    let endpoints = admin.get("/admin/endpoints").await.json();
    let defaults: Vec<_> = endpoints["endpoints"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|e| e["is_default"] == true)
        .map(|e| e["name"].clone())
        .collect();
    assert_eq!(defaults, ["Default (2)"]);
    let keys = admin.get("/admin/keys?limit=100").await.json();
    let mut states: Vec<String> = keys["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| {
            format!(
                "{} {}",
                key["name"].as_str().unwrap(),
                key["state"].as_str().unwrap()
            )
        })
        .collect();
    states.sort();
    assert_eq!(
        states,
        [
            " revoked",
            "Signed in to the former gateway revoked",
            "ci active",
            "expired expired",
            "grace active",
            "laptop active",
            "nothing revoked",
            "of-gone active",
            "revoked revoked",
            "second-ada active",
        ]
    );
    // SCIM goes on with the token that the provider has.
    let mut provider = plane.caller();
    provider.token = Some("scim-ccag-good".to_owned());
    let people = provider.get("/scim/v2/Users").await;
    assert_eq!(people.status, 200, "{}", people.text);
    assert_eq!(people.json()["Resources"][0]["userName"], "Ada@example.com");
    assert_eq!(
        people.json()["Resources"][0]["groups"][0]["display"],
        "Gateway admins"
    );
    // It goes on with the ids that it knows.
    let group = "/scim/v2/Groups/70000000-0000-4000-8000-000000000001";
    let out = r#"{"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [{"op": "remove",
        "path": "members[value eq \"30000000-0000-4000-8000-000000000001\"]"}]}"#;
    let patched = provider.send("PATCH", group, out).await;
    assert!(patched.status.is_success(), "{}", patched.text);
    let members = provider.get(group).await.json();
    assert!(
        members["members"].as_array().is_none_or(Vec::is_empty),
        "{members}"
    );
    let back = r#"{"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [{"op": "add",
        "path": "members", "value": [{"value": "30000000-0000-4000-8000-000000000001"}]}]}"#;
    let patched = provider.send("PATCH", group, back).await;
    assert!(patched.status.is_success(), "{}", patched.text);
    let one = provider
        .get("/scim/v2/Users/30000000-0000-4000-8000-000000000001")
        .await
        .json();
    assert_eq!(one["groups"][0]["display"], "Gateway admins", "{one}");
    let search = admin.get("/admin/websearch-mode").await.json();
    assert_eq!(
        (
            search["mode"].as_str(),
            search["provider"]["max_results"].as_i64()
        ),
        (Some("global"), Some(7))
    );
    // An admin changes something; another import, with something new, leaves it.
    let renamed = admin
        .send(
            "PATCH",
            &format!("/admin/teams/{platform}"),
            r#"{"name": "Renamed"}"#,
        )
        .await;
    assert_eq!(renamed.status, 200, "{}", renamed.text);
    let here = source.connect().await;
    here.execute_unprepared(
        "INSERT INTO spend_log (user_identity, model, input_tokens, output_tokens, recorded_at) \
         VALUES ('Ada@example.com', 'claude-haiku-4-5', 1, 1, '2026-11-24 01:00Z')",
    )
    .await
    .unwrap();
    here.close().await.unwrap();
    let before = tables(&db).await;
    let again = import(&plane, &source, false).await.unwrap();
    for part in &again.parts {
        let made = u64::from(part.what == "requests of the history");
        assert_eq!(part.made, made, "{}", part.what);
    }
    let after = tables(&db).await;
    let grown: Vec<i64> = after.iter().zip(&before).map(|(a, b)| a - b).collect();
    assert_eq!(
        grown,
        [0, 0, 0, 0, 0, 1, 1, 0],
        "one request and its entry in the audit log"
    );
    assert_eq!(
        admin.get(&format!("/admin/teams/{platform}")).await.json()["name"],
        "Renamed"
    );
    let chain = admin.get("/admin/audit/verify").await;
    assert_eq!(chain.json()["intact"], true, "{}", chain.text);
    plane.stop().await;
}

async fn what_was_spent_is_in_analytics_and_in_budgets(db: TestDb) {
    let (plane, source) = (Plane::start(&db).await, source().await);
    import(&plane, &source, false).await.unwrap();
    let admin = plane.admin().await;
    // 1000*3 + 2000*15 + 3000*0.3 + 4000*3.75 millionths of a dollar, and 1000*5.
    let ada = 48_900_000_i64 + 5_000_000;
    let usage = admin
        .get("/admin/usage/summary?group_by=user&from=2026-11-01T00:00:00Z&to=2026-12-01T00:00:00Z")
        .await
        .json();
    let cost = |usage: &Value, name: &str| {
        let groups = usage["groups"].as_array().unwrap().iter();
        let mut found = groups
            .filter(|g| g["name"] == name)
            .map(|g| g["cost_nano_usd"].as_i64().unwrap());
        found.next().unwrap_or_else(|| panic!("{name} is not in {usage}"))
    };
    assert_eq!(cost(&usage, "Ada Lovelace"), ada, "{usage}");
    // 2147483647 tokens each at 1 and 5 dollars a million.
    assert_eq!(cost(&usage, "Grace \u{1F600}"), 12_884_901_882_000);
    let all = admin
        .get("/admin/usage/summary?from=2026-01-01T00:00:00Z&to=2027-01-01T00:00:00Z")
        .await
        .json();
    assert_eq!(all["total"]["requests"], 6, "{all}");
    let teams = admin.get("/admin/teams").await.json();
    let platform = teams["teams"]
        .as_array()
        .unwrap()
        .iter()
        .find(|t| t["name"] == "Plattform Größe")
        .unwrap()["id"]
        .clone();
    let budget = admin
        .get(&format!("/admin/teams/{}/budget", platform.as_str().unwrap()))
        .await
        .json();
    // Ada's, and what the team's own key has spent: that has no price there, and one here.
    let spent = &budget["budget"]["current"]["spent_usd"];
    let spent: f64 = spent
        .as_str()
        .unwrap_or_else(|| panic!("{budget}"))
        .parse()
        .unwrap();
    assert!(spent > 0.0539, "{budget}");
    plane.stop().await;
}

async fn keys_are_revoked_where_the_existing_gateway_had_switched_them_off(db: TestDb) {
    let (plane, source) = (Plane::start(&db).await, source().await);
    let there = source.connect().await;
    there
        .execute_unprepared("UPDATE proxy_settings SET value = 'false' WHERE key = 'virtual_keys_enabled'")
        .await
        .unwrap();
    there.close().await.unwrap();
    import(&plane, &source, false).await.unwrap();
    let active = "SELECT COUNT(*) FROM virtual_keys WHERE state = 'active'";
    assert_eq!(db.count(active).await, 0);
    plane.stop().await;
}

async fn a_database_that_is_not_one_is_refused(db: TestDb) {
    let (plane, other) = (Plane::start(&db).await, TestDb::postgres().await);
    let refused = import(&plane, &other, false).await.unwrap_err();
    assert!(matches!(refused, ImportError::OtherVersion(_)), "{refused}");
    let old = source().await;
    let there = old.connect().await;
    there
        .execute_unprepared("DROP TABLE endpoint_aip_overrides")
        .await
        .unwrap();
    there.close().await.unwrap();
    let refused = import(&plane, &old, false).await.unwrap_err().to_string();
    assert!(refused.contains("endpoint_aip_overrides.aip_arn"), "{refused}");
    let options = Options {
        from: "sqlite://x.db".to_owned(),
        dry_run: true,
        history: true,
    };
    assert!(run(plane.app(), &options, &|_| {}).await.is_err());
    plane.stop().await;
}
