//! Faults that are seeded one at a time, and found: by `--check-config` of the servers, and by `ccag doctor`.

mod hostile;
mod outside;
mod pki;
mod servers;

use crate::harness::binary;
use serde_json::Value;
use std::collections::BTreeSet;

/// Secrets that must stand in no report.
const SECRETS: [&str; 4] = [
    crate::harness::JOIN_TOKEN,
    crate::harness::MASTER_KEY,
    "a-secret-that-opens-nothing",
    crate::harness::PASSWORD,
];

/// What a program that looks has said.
#[derive(Debug)]
struct Told {
    code: Option<i32>,
    report: Value,
    errors: String,
}

impl Told {
    fn all(&self) -> impl Iterator<Item = &Value> {
        self.report["findings"].as_array().into_iter().flatten()
    }

    /// Names of checks whose findings have this state.
    fn of(&self, state: &str) -> BTreeSet<&str> {
        self.all()
            .filter(|finding| finding["state"] == state)
            .map(|finding| finding["check"].as_str().unwrap())
            .collect()
    }

    /// There is a finding of a check, in a state, that says this; with what to do, and where to read on.
    #[track_caller]
    fn has(&self, state: &str, check: &str, words: &str) {
        let found = self.all().any(|finding| {
            let said = format!(
                "{} {} {}",
                finding["subject"].as_str().unwrap(),
                finding["found"].as_str().unwrap(),
                finding["advice"].as_str().unwrap_or_default()
            );
            finding["check"] == check
                && finding["state"] == state
                && said.contains(words)
                && finding["advice"]
                    .as_str()
                    .is_some_and(|advice| !advice.is_empty())
                && finding["page"].as_str().is_some_and(|page| page.contains(".md"))
        });
        assert!(found, "no {state} of {check} says `{words}`: {self:#?}");
        if state == "fault" {
            assert_eq!(self.code, Some(7), "{self:#?}");
            assert_eq!(self.report["ok"], false);
        }
    }

    #[track_caller]
    fn is_healthy(&self) {
        assert_eq!(self.of("fault"), BTreeSet::new(), "{self:#?}");
        assert_eq!(self.of("warning"), BTreeSet::new(), "{self:#?}");
        assert_eq!(self.code, Some(0), "{self:#?}");
    }
}

/// Runs a program with these variables and nothing of this machine's.
async fn run(program: &str, arguments: &[&str], variables: &[(&str, String)]) -> Told {
    let output = tokio::process::Command::new(binary(program))
        .args(arguments)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .envs(variables.iter().map(|(name, value)| (*name, value)))
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    for secret in SECRETS {
        assert!(
            !text.contains(secret) && !errors.contains(secret),
            "a secret is shown: {text}"
        );
    }
    Told {
        code: output.status.code(),
        report: serde_json::from_str(&text).unwrap_or_else(|_| panic!("no JSON: {text} {errors}")),
        errors,
    }
}

/// The variables with some of them replaced; an empty one is as good as none.
fn with(base: &[(&'static str, String)], changed: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    let is_changed = |name: &str| changed.iter().any(|(other, _)| *other == name);
    let kept = base.iter().filter(|(name, _)| !is_changed(name)).cloned();
    kept.chain(changed.iter().map(|(name, value)| (*name, (*value).to_owned())))
        .collect()
}
