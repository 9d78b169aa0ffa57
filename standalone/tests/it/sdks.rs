//! Anthropic's own SDKs, used as their documentation shows.

use crate::harness::{Started, provided, standalone};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// Runs a script against the gateway and compares what its SDK saw with what Bedrock gave.
async fn run(it: &Started, program: &str, script: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/clients")
        .join(script);
    let mut command = Command::new(program);
    command
        .arg(path)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("PYTHONIOENCODING", "utf-8")
        .env("CCAG_TEST_NODE_DIR", provided("CCAG_TEST_NODE_DIR"))
        .env("ANTHROPIC_BASE_URL", &it.gateway.url)
        .env("ANTHROPIC_API_KEY", &it.secret);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script} failed:\n{errors}");

    let seen: Vec<Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(seen.len(), 6, "three answers each way");
    let account = it.sim.settled().await;
    assert_eq!(account.len(), seen.len(), "one invocation for each answer");
    for (seen, answer) in seen.iter().zip(&account) {
        let operation = if seen["streaming"] == true {
            "stream"
        } else {
            "invoke"
        };
        assert_eq!(answer.entry.operation, operation);
        let message = &seen["message"];
        let blocks = message["content"].as_array().unwrap();
        let given = answer.content();
        assert_eq!(blocks.len(), given.len(), "{message}");
        for (block, given) in blocks.iter().zip(&given) {
            for (field, value) in given.as_object().unwrap() {
                assert_eq!(&block[field], value, "{field} of {block}");
            }
        }
        assert_eq!(message["usage"]["output_tokens"], answer.entry.usage.output);
        assert_eq!(message["usage"]["input_tokens"], answer.entry.usage.input);
    }
    let kinds = |kind: &str| {
        let blocks = account.iter().flat_map(|a| a.content());
        blocks.filter(|block| block["type"] == kind).count()
    };
    assert!(
        kinds("thinking") >= 4 && kinds("tool_use") == 2,
        "the script tests less than it says"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_python_sdk_sees_exactly_what_bedrock_produced() {
    let it = standalone().await;
    run(&it, &provided("CCAG_TEST_PYTHON"), "anthropic_sdk.py").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_typescript_sdk_sees_exactly_what_bedrock_produced() {
    let it = standalone().await;
    run(&it, "node", "anthropic_sdk.mjs").await;
}
