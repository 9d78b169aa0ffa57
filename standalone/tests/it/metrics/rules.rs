//! Alerts and dashboards ask for metrics that exist, in words that Prometheus understands.

use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn promtool(arguments: &[&str], file: &Path) {
    let output = Command::new("promtool")
        .args(arguments)
        .arg(file)
        .output()
        .expect("promtool is not installed: run through `cargo xtask test`");
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(output.status.success(), "{said}");
}

const ALERTS: &str = "helm/ccag/files/alerts.yml";

/// Every metric of an expression: words of ours that are asked for.
fn asked(expression: &str) -> BTreeSet<String> {
    let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words
        .filter(|word| word.starts_with("ccag_"))
        .map(str::to_owned)
        .collect()
}

/// The names of docs/metrics.md, with those of the parts of histograms.
fn documented() -> BTreeSet<String> {
    let page = read("docs/metrics.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    let mut names = BTreeSet::new();
    for row in rows {
        let (name, rest) = row.split_once('`').unwrap();
        if rest.starts_with(" | histogram") {
            names.extend(["bucket", "sum", "count"].map(|part| format!("{name}_{part}")));
        } else {
            names.insert(name.to_owned());
        }
    }
    assert!(names.len() > 60);
    names
}

fn dashboards() -> Vec<(String, Value)> {
    let folder = root().join("helm/ccag/files/dashboards");
    let files = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    files
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, serde_json::from_str(&text).unwrap())
        })
        .collect()
}

/// The expressions of a dashboard, each with the title of its panel.
fn expressions(dashboard: &Value) -> Vec<(String, String)> {
    let panels = dashboard["panels"].as_array().unwrap();
    let each = panels.iter().flat_map(|panel| {
        let targets = panel["targets"].as_array().cloned().unwrap_or_default();
        let title = panel["title"].as_str().unwrap().to_owned();
        targets
            .into_iter()
            .map(move |target| (title.clone(), target["expr"].as_str().unwrap().to_owned()))
    });
    each.collect()
}

#[test]
fn alerts_are_what_prometheus_takes_and_fire_when_they_say() {
    promtool(&["check", "rules"], &root().join(ALERTS));
    promtool(
        &["test", "rules"],
        &root().join("deploy/observability/alerts.test.yml"),
    );
}

#[test]
fn every_alert_is_tested_and_has_a_line_in_the_runbook() {
    let (alerts, tests, runbook) = (
        read(ALERTS),
        read("deploy/observability/alerts.test.yml"),
        read("docs/observability.md"),
    );
    let names: Vec<&str> = alerts
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "))
        .collect();
    assert!(names.len() > 10);
    for name in names {
        assert!(
            tests.contains(&format!("alertname: {name}\n        exp_alerts:")),
            "{name} is not tested"
        );
        let anchor = name.to_lowercase();
        assert!(
            alerts.contains(&format!("docs/observability.md#{anchor}\n")),
            "{name} names no runbook"
        );
        assert!(
            runbook.contains(&format!("### {name}\n")),
            "{name} is not in docs/observability.md"
        );
    }
}

#[test]
fn alerts_and_dashboards_ask_for_metrics_that_are_documented() {
    let documented = documented();
    let mut asked_for: BTreeSet<String> = read(ALERTS)
        .lines()
        .filter(|line| !line.trim_start().starts_with(['#', 's']))
        .flat_map(asked)
        .collect();
    assert!(asked_for.len() > 10);
    for (name, dashboard) in dashboards() {
        let of_this: BTreeSet<String> = expressions(&dashboard)
            .iter()
            .flat_map(|(_, e)| asked(e))
            .collect();
        assert!(of_this.len() > 10, "{name}");
        asked_for.extend(of_this);
    }
    let unknown: Vec<_> = asked_for.difference(&documented).collect();
    assert!(unknown.is_empty(), "{unknown:?} are not in docs/metrics.md");
}

#[test]
fn expressions_of_dashboards_are_what_prometheus_understands() {
    let mut rules = String::from("groups:\n  - name: dashboards\n    rules:\n");
    let mut ids = BTreeSet::new();
    for (name, dashboard) in dashboards() {
        assert!(
            ids.insert(dashboard["uid"].to_string()),
            "{name} has a uid of another's"
        );
        for (number, (title, expression)) in expressions(&dashboard).into_iter().enumerate() {
            let plain = expression.replace("$__rate_interval", "5m");
            assert!(!plain.contains('$'), "{title}: {plain}");
            let _ = write!(
                rules,
                "      - record: \"a:panel:{number}\"\n        labels: {{dashboard: {}}}\n        expr: {}\n",
                Value::from(name.as_str()),
                Value::from(plain)
            );
        }
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), rules).unwrap();
    promtool(&["check", "rules"], file.path());
}
