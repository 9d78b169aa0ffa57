//! What the planes count is documented, bounded, and what Prometheus and its tools take.

mod document;
mod exposition;
mod rules;

use crate::harness::{ControlPlane, DataPlane, MODEL, Sim, message, wait_until};
use bedrock_sim::Action;
use std::time::Duration;

/// How Prometheus asks.
const OPENMETRICS: &str = "application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5";

/// Both planes, after some of everything: answers, refusals, failures.
struct Planes {
    control: ControlPlane,
    data: DataPlane,
    _sim: Sim,
    _folder: tempfile::TempDir,
}

impl Planes {
    async fn start(environment: &[(&'static str, String)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sim = Sim::start().await;
        let database = format!("sqlite://{}", folder.path().join("ccag.db").display());
        // Nobody answers there, which changes nothing; but what is counted of it is exposed.
        let mut environment = environment.to_vec();
        environment.push(("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9".to_owned()));
        let control = ControlPlane::start_with("control", &database, &environment).await;
        let data = DataPlane::start_with("data", &[&control], &sim, &environment).await;
        let (_, secret) = control.admin().await.create_key("test").await;
        let client = data.client(&secret);
        wait_until("the key works", Duration::from_secs(10), || async {
            (client.send(&message(MODEL, "hello")).await.status == 200).then_some(())
        })
        .await;
        let mut tool_call = message(MODEL, "use the Bash tool to run `date`");
        tool_call["stream"] = true.into();
        tool_call["tools"] = serde_json::json!([{
            "name": "Bash",
            "description": "Runs a command",
            "input_schema": {"type": "object", "properties": {"command": {"type": "string"}}}
        }]);
        assert!(client.send(&tool_call).await.is_complete());
        assert_eq!(client.send(&message("no-such-model", "hello")).await.status, 404);
        assert_eq!(
            data.client("sk-ccag-unknown")
                .send(&message(MODEL, "hello"))
                .await
                .status,
            401
        );
        for status in [429, 400] {
            sim.once(Action::Error {
                status,
                error_type: if status == 429 {
                    "ThrottlingException"
                } else {
                    "ValidationException"
                }
                .into(),
                message: "not now".into(),
            });
            let _ = client.send(&message(MODEL, "hello")).await;
        }
        // What Claude Code sends that is new is counted by its name.
        let unknown = r#"{"model":"claude-sonnet-4-6","max_tokens":9,"tomato":1,"messages":[{"role":"user","content":"hello"}]}"#;
        let _ = client.raw(unknown).await;
        let _ = data.accounts().await;
        Self {
            control,
            data,
            _sim: sim,
            _folder: folder,
        }
    }
}
