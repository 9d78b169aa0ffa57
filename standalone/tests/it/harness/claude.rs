//! The real Claude Code, headless.

use super::{Started, provided};
use serde_json::Value;
use std::path::Path;
use std::time::Duration;

/// A developer's machine: a home directory and a project.
pub(crate) struct Machine {
    home: tempfile::TempDir,
    pub(crate) project: tempfile::TempDir,
}

/// What a session printed.
pub(crate) struct Session {
    lines: Vec<Value>,
}

impl Machine {
    pub(crate) fn new() -> Self {
        Self {
            home: tempfile::tempdir().unwrap(),
            project: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) async fn run(&self, it: &Started, prompt: &str, more: &[&str]) -> Session {
        self.run_with(it, prompt, more, &[]).await
    }

    /// The same with more variables.
    pub(crate) async fn run_with(
        &self,
        it: &Started,
        prompt: &str,
        more: &[&str],
        variables: &[(&str, &str)],
    ) -> Session {
        let program = Path::new(&provided("CCAG_TEST_NODE_DIR")).join("node_modules/.bin/claude");
        let mut command = tokio::process::Command::new(program);
        command
            .args(["-p", prompt, "--output-format", "stream-json", "--verbose"])
            .args(more)
            .current_dir(self.project.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home.path())
            .env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1")
            .env("ANTHROPIC_BASE_URL", &it.gateway.url)
            .env("ANTHROPIC_AUTH_TOKEN", &it.secret)
            .envs(variables.iter().copied())
            .stdin(std::process::Stdio::null())
            .kill_on_drop(true);
        let output = tokio::time::timeout(Duration::from_secs(120), command.output())
            .await
            .expect("Claude Code ends")
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(
            output.status.success(),
            "Claude Code failed ({}):\n{text}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        let session = Session {
            lines: text
                .lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect(),
        };
        assert_eq!(session.result()["is_error"], false, "{text}");
        session
    }
}

impl Session {
    pub(crate) fn result(&self) -> &Value {
        self.of("result").last().expect("a session ends with a result")
    }

    pub(crate) fn id(&self) -> &str {
        self.result()["session_id"].as_str().unwrap()
    }

    fn of<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        self.lines.iter().filter(move |line| line["type"] == kind)
    }

    /// The blocks of every assistant message, with the message's id.
    pub(crate) fn blocks(&self) -> Vec<(String, Value)> {
        self.of("assistant")
            .flat_map(|line| {
                let id = line["message"]["id"].as_str().unwrap().to_owned();
                let blocks = line["message"]["content"].as_array().unwrap().clone();
                blocks.into_iter().map(move |block| (id.clone(), block))
            })
            .collect()
    }

    /// The text of every tool result that went to the model.
    pub(crate) fn tool_results(&self) -> String {
        let blocks = self
            .of("user")
            .flat_map(|line| line["message"]["content"].as_array().cloned());
        let results = blocks.flatten().filter(|block| block["type"] == "tool_result");
        results.map(|block| block["content"].to_string()).collect()
    }
}
