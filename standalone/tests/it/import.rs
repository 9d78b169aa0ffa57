//! The existing gateway's data, brought into a gateway that is running.

use crate::harness::{ControlPlane, DataPlane, MODEL, Sim, database, execute, wait_until};
use std::time::Duration;

const SCHEMA: &str = include_str!("../../../controlplane/tests/it/import/schema.sql");

/// A secret as the existing gateway makes them.
fn secret(digit: &str) -> String {
    format!("sk-proxy-{}", digit.repeat(64))
}

fn data() -> String {
    let digest = |digit: &str| format!("encode(sha256('{}'), 'hex')", secret(digit));
    format!(
        "INSERT INTO teams (id, name, budget_amount_usd) VALUES ('20000000-0000-4000-8000-000000000001', 'Platform', 100);
         INSERT INTO users (id, email, team_id, spend_limit_monthly_usd) VALUES
         ('30000000-0000-4000-8000-000000000001', 'ada@example.com', '20000000-0000-4000-8000-000000000001', NULL),
         ('30000000-0000-4000-8000-000000000002', 'grace@example.com', NULL, 0.05);
         INSERT INTO virtual_keys (id, key_hash, key_prefix, name, user_id) VALUES
         ('40000000-0000-4000-8000-000000000001', {}, 'sk-proxy-aaaaaaa...', 'ada', '30000000-0000-4000-8000-000000000001'),
         ('40000000-0000-4000-8000-000000000002', {}, 'sk-proxy-bbbbbbb...', 'grace', '30000000-0000-4000-8000-000000000002');
         INSERT INTO endpoints (name, region, routing_prefix, is_default) VALUES ('Default', 'us-east-1', 'us', true);
         INSERT INTO spend_log (key_id, user_identity, model, input_tokens, output_tokens) VALUES
         ('40000000-0000-4000-8000-000000000001', 'ada@example.com', 'claude-sonnet-4-6', 0, 2000),
         ('40000000-0000-4000-8000-000000000002', 'grace@example.com', 'claude-sonnet-4-6', 0, 4000);",
        digest("a"),
        digest("b")
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_the_existing_gateway_are_answered_and_what_was_spent_counts() {
    let sim = Sim::start().await;
    let control = ControlPlane::start("control", &database()).await;
    let plane = DataPlane::start("data", &[&control], &sim).await;
    let admin = control.admin().await;
    admin.fleet_of(1).await;
    let old = database();
    execute(&old, SCHEMA);
    execute(&old, &data());
    let (ada, grace) = (plane.client(&secret("a")), plane.client(&secret("b")));
    let (code, said) = control
        .operate(&["import-ccag", "--from", &old, "--dry-run"])
        .await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("Nothing was changed"), "{said}");
    assert_eq!(ada.stream(MODEL, "before").await.status, 401);
    let (code, said) = control.operate(&["import-ccag", "--from", &old]).await;
    assert_eq!(code, Some(0), "{said}");
    let reply = wait_until("the key is known", Duration::from_secs(10), || async {
        let reply = ada.stream(MODEL, "after").await;
        (reply.status != 401).then_some(reply)
    })
    .await;
    assert!(reply.is_complete(), "{reply:?}");
    admin.ledger_with(std::slice::from_ref(&reply.request_id)).await;
    // She has spent 6 cents of 5 before she came here.
    let refused = grace.stream(MODEL, "more").await;
    assert_eq!(refused.status, 429, "{refused:?}");
    assert!(refused.body.to_string().contains("budget"), "{refused:?}");
    let spent = admin.get("/admin/usage/summary?group_by=user").await;
    let cost = |name: &str| {
        let mut groups = spent["groups"].as_array().unwrap().iter();
        groups.find(|g| g["name"] == name).unwrap()["cost_nano_usd"]
            .as_i64()
            .unwrap()
    };
    assert_eq!(cost("grace@example.com"), 60_000_000, "{spent}");
    assert!(
        cost("ada@example.com") > 30_000_000,
        "what she spent there, and here: {spent}"
    );
    let (code, said) = control
        .operate(&["import-ccag", "--from", &control.http.replace("http", "mysql")])
        .await;
    assert_eq!(code, Some(1), "{said}");
}
