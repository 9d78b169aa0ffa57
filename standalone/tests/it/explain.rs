//! What the real programs say of requests: the planes as two processes, with the bytes of one and the tables of the other.

use crate::harness::{Admin, ControlPlane, DataPlane, MODEL, Sim, database};
use serde_json::{Value, json};
use std::time::Duration;

/// The explanation of a request, once it has arrived.
async fn explained(admin: &Admin, id: &str) -> Value {
    let path = format!("/admin/requests/{id}/explanation");
    for _ in 0..200 {
        if let Some(found) = admin.find(&path).await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{id} is not explained");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_served_and_a_refused_request_are_explained_by_the_id_that_the_client_saw() {
    let sim = Sim::start().await;
    let control = ControlPlane::start("control", &database()).await;
    let plane = DataPlane::start("data", &[&control], &sim).await;
    let admin = control.admin().await;
    let (key_id, secret) = admin.create_key("asked").await;
    let budget = json!({"scope": "organisation", "amount_usd": "100", "mode": "hard"});
    let budget = admin.post("/admin/budgets", &budget).await;
    admin.fleet_of(1).await;

    let reply = plane
        .client(&secret)
        .stream(MODEL, "the launch code is swordfish")
        .await;
    assert!(reply.is_complete(), "{reply:?}");
    let served = explained(&admin, &reply.request_id).await;
    assert_eq!(served["source"], "data_plane", "{served}");
    assert!(!served.to_string().contains("swordfish"), "{served}");
    let told = &served["explanation"];
    assert_eq!(
        (&told["status"], &told["key"]["id"]),
        (&json!(200), &json!(key_id))
    );
    assert_eq!(served["key_name"], "asked");
    let said = &told["budgets"][0];
    assert_eq!((&said["id"], &said["basis"]), (&budget["id"], &json!("most")));
    assert_eq!(said["drawn_nano_usd"], served["ledger"]["cost_nano_usd"]);
    assert_eq!(told["attempts"][0]["status"], 200);
    let cost = &served["cost"];
    let lines = cost["lines"].as_array().unwrap().iter();
    let sum: i64 = lines.map(|line| line["amount_nano_usd"].as_i64().unwrap()).sum();
    let whole = sum + cost["rounding_nano_usd"].as_i64().unwrap();
    assert_eq!(json!(whole), served["ledger"]["cost_nano_usd"], "{cost}");

    let path = format!("/admin/budgets/{}", budget["id"].as_str().unwrap());
    admin.put(&path, &json!({"amount_usd": "0"})).await;
    admin.fleet_of(1).await;
    let reply = plane
        .client(&secret)
        .stream(MODEL, "the launch code is swordfish")
        .await;
    assert_eq!(
        (reply.status, reply.error_type()),
        (429, "billing_error"),
        "{reply:?}"
    );
    let refused = explained(&admin, &reply.request_id).await;
    let told = &refused["explanation"];
    assert_eq!(told["refusal"]["stage"], "budget", "{refused}");
    assert_eq!(told["budgets"][0]["verdict"], "refused");
    assert_eq!(
        (&refused["ledger"], &refused["cost"]),
        (&Value::Null, &Value::Null)
    );
    assert!(!refused.to_string().contains("swordfish"), "{refused}");
}
