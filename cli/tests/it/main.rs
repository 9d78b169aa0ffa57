//! The real binary against a small server that speaks the admin API's types.
#![expect(clippy::unwrap_used, reason = "tests")]

mod budgets;
mod catalogue;
mod client_sessions;
mod commands;
mod endpoint_access;
mod explain;
mod failures;
mod idps;
mod limits;
mod master_keys;
mod offers;
mod policies;
mod routing;
mod scim;
mod server;
mod session;
mod sessions;
mod sign_on;
mod web_search;

use server::Server;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// A user with a home of their own.
struct Person {
    home: TempDir,
}

/// What a call of the binary came to.
struct Done {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Person {
    fn new() -> Self {
        Self {
            home: tempfile::tempdir().unwrap(),
        }
    }

    /// Someone who is signed in at `server`.
    fn signed_in(server: &Server) -> Self {
        let person = Self::new();
        let done = person.with_input(
            &["login", "--url", &server.url(), "-u", "admin", "--password-stdin"],
            "correct horse\n",
        );
        assert_eq!(done.code, 0, "{}", done.stderr);
        person
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ccag"));
        command.args(args).env_clear().env("HOME", self.home.path());
        command
    }

    fn run(&self, args: &[&str]) -> Done {
        self.with_input(args, "")
    }

    fn with_input(&self, args: &[&str], input: &str) -> Done {
        let mut child = self
            .command(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        Done {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs a command that has to succeed, and returns its output.
    fn ok(&self, args: &[&str]) -> String {
        let done = self.run(args);
        assert_eq!((done.code, done.stderr.as_str()), (0, ""), "{args:?}");
        done.stdout
    }

    /// Runs a command with `--json` that has to succeed.
    fn json(&self, args: &[&str]) -> serde_json::Value {
        let text = self.ok(&[&["--json"], args].concat());
        serde_json::from_str(&text).unwrap()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.home.path().join(".ccag").join(name)
    }
}
