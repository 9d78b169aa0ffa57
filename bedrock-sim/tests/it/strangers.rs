//! Clients that nobody here wrote, with signature checking on.

use bedrock_sim::Sim;
use std::process::Command;

const KEY_ID: &str = "AKIASIMULATED";
const SECRET: &str = "simulated/secret+key";

async fn run(script: &'static str) {
    let python = std::env::var("CCAG_TEST_PYTHON")
        .unwrap_or_else(|_| panic!("CCAG_TEST_PYTHON is not set: run through `cargo xtask test`"));
    let sim = Sim::builder().credential(KEY_ID, SECRET).start().await.unwrap();
    let url = sim.base_url();
    let output = tokio::task::spawn_blocking(move || {
        Command::new(python)
            .arg(format!("{}/tests/python/{script}", env!("CARGO_MANIFEST_DIR")))
            .args([&url, KEY_ID, SECRET])
            .env_remove("AWS_PROFILE")
            .env_remove("AWS_BEARER_TOKEN_BEDROCK")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .output()
            .unwrap()
    })
    .await
    .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.trim() == "OK",
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn boto3_completes_every_operation_and_wrong_signatures_are_refused() {
    run("boto3_check.py").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_anthropic_sdk_completes_a_tool_loop_with_thinking() {
    run("anthropic_check.py").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_anthropic_sdks_mantle_client_completes_a_tool_loop_on_both_lanes() {
    run("lanes_check.py").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn boto3_sees_guardrails_step_in() {
    run("guardrail_check.py").await;
}

#[tokio::test]
async fn a_request_without_signature_is_refused_where_signatures_are_demanded() {
    let sim = Sim::builder()
        .credential(KEY_ID, SECRET)
        .bearer_key("bedrock-key")
        .start()
        .await
        .unwrap();
    let refused = super::stream(&sim, "hi").await;
    assert_eq!(refused.status(), 403);
    let ask = |key: &'static str| {
        reqwest::Client::new()
            .post(format!("{}/model/{}/invoke", sim.base_url(), super::OPUS))
            .bearer_auth(key)
            .body(super::body("hi").to_string())
            .send()
    };
    assert_eq!(ask("bedrock-key").await.unwrap().status(), 200);
    assert_eq!(ask("another-key").await.unwrap().status(), 403);
}
