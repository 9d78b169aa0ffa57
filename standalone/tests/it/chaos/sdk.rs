//! Anthropic's own SDKs at work: their retries, not ours.

use super::traffic::Seen;
use crate::harness::{Reply, provided};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Stdio;
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

/// How many requests run at a time in each program.
const THREADS: usize = 2;

/// A program that streams with an SDK until it is told to end.
pub(super) struct Sdk {
    name: &'static str,
    program: Child,
    said: JoinHandle<String>,
    errors: JoinHandle<String>,
}

impl Sdk {
    pub(super) fn python(url: &str, secret: &str, model: &str, prompt: &str) -> Self {
        let python = provided("CCAG_TEST_PYTHON");
        Self::start(
            "the Python SDK",
            &python,
            "chaos_sdk.py",
            (url, secret),
            [model, prompt],
        )
    }

    pub(super) fn typescript(url: &str, secret: &str, model: &str, prompt: &str) -> Self {
        let (url, what) = ((url, secret), [model, prompt]);
        Self::start("the TypeScript SDK", "node", "chaos_sdk.mjs", url, what)
    }

    fn start(
        name: &'static str,
        program: &str,
        script: &str,
        (url, secret): (&str, &str),
        what: [&str; 2],
    ) -> Self {
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients");
        let mut program = Command::new(program)
            .arg(scripts.join(script))
            .args(what)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("PYTHONIOENCODING", "utf-8")
            .env("CCAG_TEST_NODE_DIR", provided("CCAG_TEST_NODE_DIR"))
            .env("CCAG_TEST_THREADS", THREADS.to_string())
            .env("ANTHROPIC_BASE_URL", url)
            .env("ANTHROPIC_API_KEY", secret)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let (mut said, mut errors) = (program.stdout.take().unwrap(), program.stderr.take().unwrap());
        Self {
            name,
            program,
            said: tokio::spawn(async move {
                let mut text = String::new();
                said.read_to_string(&mut text).await.unwrap();
                text
            }),
            errors: tokio::spawn(async move {
                let mut text = String::new();
                errors.read_to_string(&mut text).await.unwrap();
                text
            }),
        }
    }

    /// Lets every request finish.
    pub(super) async fn finish(mut self) -> Seen {
        drop(self.program.stdin.take());
        let status = self.program.wait().await.unwrap();
        let errors = self.errors.await.unwrap();
        assert!(status.success(), "{}: {errors}", self.name);
        let mut seen = Seen::default();
        for line in self.said.await.unwrap().lines() {
            note(&mut seen, self.name, &serde_json::from_str(line).unwrap());
        }
        assert!(!seen.completed.is_empty(), "{} has had no answer", self.name);
        seen
    }
}

fn note(seen: &mut Seen, name: &str, line: &Value) {
    let text = |field: &str| line[field].as_str().unwrap().to_owned();
    let time = |field: &str| line[field].as_i64().unwrap();
    match line["outcome"].as_str() {
        Some("completed") => seen.completed.push(Reply {
            status: 200,
            request_id: text("request_id"),
            body: Value::Null,
            content: vec![json!({"type": "text", "text": line["text"]})],
            usage: Value::Null,
            events: Vec::new(),
            times: Vec::new(),
        }),
        Some("broken") => seen.broken.push((time("started"), time("ended"), text("error"))),
        _ => seen.failed.push(format!("{name}: {}", text("error"))),
    }
}
