//! Every recorded request of the real client, replayed.

use crate::harness::{Started, standalone};
use crate::web_search;
use serde_json::Value;
use std::path::{Path, PathBuf};

fn recordings() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/client-requests");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "json"))
        .collect();
    files.sort();
    assert!(files.len() >= 20);
    files
}

/// Replays one request with this test's own key and returns status and body.
async fn replay(it: &Started, http: &reqwest::Client, request: &Value) -> (u16, String) {
    let text = |field: &str| request[field].as_str().unwrap();
    let method: reqwest::Method = text("method").parse().unwrap();
    let mut builder = http.request(method, format!("{}{}", it.gateway.url, text("path")));
    for header in request["headers"].as_array().unwrap() {
        let [name, value] = [&header[0], &header[1]].map(|part| part.as_str().unwrap());
        let name = name.to_ascii_lowercase();
        let own = [
            "host",
            "content-length",
            "authorization",
            "x-api-key",
            "connection",
            "accept-encoding",
        ];
        if !own.contains(&name.as_str()) {
            builder = builder.header(name, value);
        }
    }
    builder = builder.header("authorization", format!("Bearer {}", it.secret));
    if !request["body"].is_null() {
        builder = builder.body(request["body"].to_string());
    }
    let response = builder.send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

/// What the gateway answers: 200, but for what it knows that it cannot do, of which the client makes the best.
fn expected_status(recording: &str, number: usize) -> u16 {
    match (recording, number) {
        // The name of a model that no organisation has configured here.
        ("2.1.330-custom_model_name", _) => 404,
        // Auto mode's `safeguards`: named as the fault, the client leaves them out for the rest of its session.
        ("2.1.330-interactive_first_message", 2) => 400,
        _ => 200,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bedrock_refuses_none_of_what_claude_code_sends() {
    let it = standalone().await;
    let rules = web_search::rules(&web_search::search_service(), true);
    it.admin.put("/admin/websearch-mode", &rules).await;
    it.admin.fleet_of(1).await;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut faults = Vec::new();
    let mut served = 0;
    for file in recordings() {
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        let recording: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        for (number, request) in recording["requests"].as_array().unwrap().iter().enumerate() {
            let path = request["path"].as_str().unwrap();
            let ours = ["/v1/messages", "/v1/models", "/api/hello"];
            if path != "/" && !ours.iter().any(|prefix| path.starts_with(prefix)) {
                // Claude Code's own sign-in and telemetry.
                continue;
            }
            let (status, body) = replay(&it, &http, request).await;
            let wanted = expected_status(&name, number);
            if status != wanted {
                faults.push(format!(
                    "{name} #{number} {path}: {status} instead of {wanted} {body:.300}"
                ));
            }
            served += 1;
        }
    }
    for received in it.sim.requests() {
        if received.status == 400 {
            faults.push(format!(
                "Bedrock refused {}: {:.200}",
                received.path, received.body
            ));
        }
    }
    assert!(
        faults.is_empty(),
        "{} of {served}:\n{}",
        faults.len(),
        faults.join("\n")
    );
    assert!(served >= 40, "only {served} requests replayed");
}
