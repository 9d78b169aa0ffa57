//! `ccag`, against a running gateway.

use crate::harness::{Client, MODEL, Started, binary, message, standalone};
use serde_json::Value;
use std::io::Write;
use std::process::{Command, Stdio};

pub(crate) struct Terminal<'a> {
    it: &'a Started,
    pub(crate) home: tempfile::TempDir,
}

impl<'a> Terminal<'a> {
    /// A home of its own, where the administrator has signed in.
    pub(crate) fn signed_in(it: &'a Started) -> Self {
        let terminal = Self {
            it,
            home: tempfile::tempdir().unwrap(),
        };
        let password = format!("{}\n", crate::harness::PASSWORD);
        let (code, _, errors) = terminal.run(&["login", "-u", "admin", "--password-stdin"], &password);
        assert_eq!(code, 0, "{errors}");
        terminal
    }

    /// Runs `ccag --json` and returns exit code, what it wrote as JSON, and its error output.
    pub(crate) fn run(&self, arguments: &[&str], input: &str) -> (i32, Value, String) {
        self.run_with(arguments, input, &[])
    }

    /// The same with more environment variables.
    pub(crate) fn run_with(
        &self,
        arguments: &[&str],
        input: &str,
        variables: &[(&str, &str)],
    ) -> (i32, Value, String) {
        let mut child = Command::new(binary("ccag"))
            .arg("--json")
            .args(arguments)
            .env_clear()
            .env("HOME", self.home.path())
            .env("CCAG_URL", &self.it.gateway.url)
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(!errors.contains("panicked"), "{errors}");
        let json = if text.trim().is_empty() {
            Value::Null
        } else {
            serde_json::from_str(&text).unwrap_or_else(|_| panic!("{arguments:?} wrote no JSON: {text}"))
        };
        (output.status.code().unwrap(), json, errors)
    }

    pub(crate) fn ok(&self, arguments: &[&str]) -> Value {
        let (code, json, errors) = self.run(arguments, "");
        assert_eq!(code, 0, "{arguments:?}: {errors}{json}");
        json
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_of_an_administrator_works_from_the_command_line() {
    let it = standalone().await;
    let terminal = Terminal {
        it: &it,
        home: tempfile::tempdir().unwrap(),
    };
    let (code, _, _) = terminal.run(&["keys", "list"], "");
    assert_eq!(code, 4, "not signed in yet");
    let (code, _, errors) = terminal.run(&["login", "-u", "admin", "--password-stdin"], "wrong\n");
    assert_eq!(code, 1, "{errors}");
    let password = format!("{}\n", crate::harness::PASSWORD);
    let (code, _, errors) = terminal.run(&["login", "-u", "admin", "--password-stdin"], &password);
    assert_eq!(code, 0, "{errors}");
    let token = terminal.home.path().join(".ccag/token");
    let mode = std::os::unix::fs::PermissionsExt::mode(&token.metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600, "others can read the session");

    terminal.ok(&["teams", "create", "Platform"]);
    terminal.ok(&["users", "create", "ada", "--team", "Platform"]);
    let made = terminal.ok(&["keys", "create", "--name", "laptop", "--user", "ada"]);
    let secret = made["key"].as_str().unwrap().to_owned();
    let client = Client::new(&it.gateway.url, &secret);
    let status = |wanted: u16| {
        let client = client.clone();
        crate::harness::wait_until(
            "the key's state is known",
            std::time::Duration::from_secs(1),
            move || {
                let client = client.clone();
                async move { (client.send(&message(MODEL, "hello")).await.status == wanted).then_some(()) }
            },
        )
    };
    status(200).await;

    let listed = terminal.ok(&["keys", "list"]);
    assert!(listed.to_string().contains("laptop"), "{listed}");
    assert!(!listed.to_string().contains(&secret), "the list shows the secret");
    assert!(terminal.ok(&["teams", "list"]).to_string().contains("Platform"));
    assert!(terminal.ok(&["users", "list"]).to_string().contains("ada"));
    for (list, text, name) in [
        ("keys", "LAP", "laptop"),
        ("teams", "platf", "Platform"),
        ("users", "AD", "ada"),
    ] {
        let found = terminal.ok(&[list, "list", "--search", text]);
        assert!(found.to_string().contains(name), "{list}: {found}");
        let none = terminal.ok(&[list, "list", "--search", "nowhere"]);
        assert_eq!(none[list], serde_json::json!([]), "{none}");
    }
    let state = terminal.ok(&["status"]).to_string();
    assert!(state.contains("revision"), "{state}");

    terminal.ok(&["keys", "revoke", "laptop"]);
    status(401).await;
    let (code, _, errors) = terminal.run(&["keys", "revoke", "no such key"], "");
    assert_eq!(code, 1, "{errors}");
    terminal.ok(&["logout"]);
    let (code, _, _) = terminal.run(&["keys", "list"], "");
    assert_eq!(code, 4);
}
