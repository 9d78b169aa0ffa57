//! Endpoints, models and prices that an administrator changes while the gateway runs.

use crate::harness::{Client, MODEL, message, standalone, wait_until};
use serde_json::json;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn a_new_price_counts_for_the_next_request_and_is_named_in_the_ledger() {
    let it = standalone().await;
    let path = format!("/admin/pricing/{MODEL}");
    let dear = json!({
        "input_rate": "1000", "output_rate": "1000", "cache_read_rate": "1000", "cache_write_rate": "1000",
        "cache_write_1h_rate": "1000", "regional_permille": 1000,
    });
    let price = it.admin.put(&path, &dear).await;
    let reply = it.client.send(&message(MODEL, "hello")).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    let ledger = it
        .admin
        .ledger_with(std::slice::from_ref(&reply.request_id))
        .await;
    let row = ledger
        .iter()
        .find(|row| row["request_id"] == reply.request_id.as_str())
        .unwrap();
    assert_eq!(row["price_id"], price["id"], "{row}");
    let tokens: i64 = [
        "input_tokens",
        "output_tokens",
        "cache_read_tokens",
        "cache_write_5m_tokens",
        "cache_write_1h_tokens",
    ]
    .iter()
    .map(|class| row[class].as_i64().unwrap())
    .sum();
    assert_eq!(
        row["cost_nano_usd"].as_i64().unwrap(),
        tokens * 1_000_000,
        "{row}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_team_never_leaves_through_another_endpoint_than_its_own() {
    let it = standalone().await;
    // Nobody listens there.
    let own = it
        .admin
        .post(
            "/admin/endpoints",
            &json!({"name": "own", "region": "us-east-1", "runtime_url": "http://127.0.0.1:9"}),
        )
        .await;
    let team = it.admin.post("/admin/teams", &json!({"name": "Platform"})).await;
    let assigned = format!("/admin/teams/{}/endpoints", team["id"].as_str().unwrap());
    it.admin
        .put(&assigned, &json!({"endpoints": [{"endpoint_id": own["id"]}]}))
        .await;
    let key = it
        .admin
        .post("/admin/keys", &json!({"name": "team", "team_id": team["id"]}))
        .await;
    let client = Client::new(&it.gateway.url, key["key"].as_str().unwrap());
    wait_until("the key is known", Duration::from_secs(5), || async {
        (client.send(&message(MODEL, "hello")).await.status != 401).then_some(())
    })
    .await;
    let before = it.sim.account().len();
    for _ in 0..3 {
        let reply = client.send(&message(MODEL, "hello")).await;
        assert!(reply.status >= 500, "{}: {}", reply.status, reply.body);
    }
    assert_eq!(it.sim.account().len(), before, "another endpoint was used");
    it.admin.put(&assigned, &json!({"endpoints": []})).await;
    wait_until("the default endpoint is used", Duration::from_secs(5), || async {
        (client.send(&message(MODEL, "hello")).await.status == 200).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn aws_is_asked_what_an_endpoint_offers_and_its_answer_is_used() {
    let it = standalone().await;
    let list = it.admin.get("/admin/endpoints").await;
    let id = list["endpoints"][0]["id"].as_str().unwrap().to_owned();
    let found = it
        .admin
        .post(&format!("/admin/endpoints/{id}/discover"), &json!({}))
        .await;
    let models = found["models"].as_array().unwrap();
    let offered = models.iter().find(|m| m["model"] == MODEL).unwrap();
    assert!(offered["invoked"]["id"].is_string(), "{offered}");
    assert_eq!(offered["availability"]["text"], "available", "{offered}");
    let reply = it.client.send(&message(MODEL, "hello")).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    let ledger = it
        .admin
        .ledger_with(std::slice::from_ref(&reply.request_id))
        .await;
    let row = ledger
        .iter()
        .find(|row| row["request_id"] == reply.request_id.as_str())
        .unwrap();
    assert_eq!(row["bedrock_model"], offered["invoked"]["id"], "{row}");
}
