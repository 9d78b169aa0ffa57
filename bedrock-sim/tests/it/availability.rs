//! What the simulator says of a model's availability.

use bedrock_sim::Sim;
use serde_json::{Value, json};

async fn ask(sim: &Sim, model: &str) -> (u16, Value) {
    let url = format!("{}/foundation-model-availability/{model}", sim.base_url());
    let response = reqwest::get(url).await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

#[tokio::test]
async fn a_model_is_available_until_a_rule_says_otherwise() {
    const OPUS: &str = "anthropic.claude-opus-5-5";
    let sim = Sim::builder().start().await.unwrap();
    let well = json!({
        "modelId": OPUS,
        "agreementAvailability": {"status": "AVAILABLE"},
        "authorizationStatus": "AUTHORIZED",
        "entitlementAvailability": "AVAILABLE",
        "regionAvailability": "AVAILABLE"
    });
    assert_eq!(ask(&sim, OPUS).await, (200, well.clone()));
    assert_eq!(ask(&sim, "anthropic.nonesuch").await.0, 404);

    let rules = json!([
        {"match": {"operation": "availability", "model": "opus-5-5"}, "times": 1,
         "action": {"kind": "availability", "agreement": "ERROR", "agreement_error": "no payment method"}},
        {"match": {"operation": "availability", "model": "haiku"},
         "action": {"kind": "error", "status": 403, "error_type": "AccessDeniedException", "message": "no"}}
    ]);
    let added = reqwest::Client::new()
        .post(format!("{}/_sim/script", sim.base_url()))
        .body(rules.to_string())
        .send()
        .await
        .unwrap();
    assert_eq!(added.status(), 204);
    let (_, told) = ask(&sim, OPUS).await;
    assert_eq!(
        told["agreementAvailability"],
        json!({"status": "ERROR", "errorMessage": "no payment method"})
    );
    assert_eq!(told["regionAvailability"], "AVAILABLE");
    assert_eq!(ask(&sim, OPUS).await, (200, well), "the rule was for once");
    let (status, told) = ask(&sim, "anthropic.claude-haiku-4-5-20251001-v1:0").await;
    assert_eq!((status, told), (403, json!({"message": "no"})));
}
