//! What running planes expose is what is documented, and what Prometheus takes.

use super::{OPENMETRICS, Planes};
use crate::harness::wait_until;
use ccag_daemon::metric::{Kind, Metric, Values};
use ccag_daemon::otlp;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Families by name: type, and the labels of each series.
type Families = BTreeMap<String, (String, Vec<BTreeMap<String, String>>)>;

/// Reads OpenMetrics, as strictly as this needs.
fn families(text: &str) -> Families {
    let mut families = Families::new();
    let mut current = String::new();
    assert!(text.ends_with("# EOF\n"));
    for line in text.lines() {
        if let Some(words) = line.strip_prefix("# TYPE ") {
            let (name, kind) = words.split_once(' ').unwrap();
            current = name.to_owned();
            let before = families.insert(current.clone(), (kind.to_owned(), Vec::new()));
            assert!(before.is_none(), "{name} is exposed twice");
        } else if !line.starts_with('#') {
            let series = line.rsplit_once(' ').unwrap().0;
            assert!(
                series.starts_with(&current),
                "{line} does not belong to {current}"
            );
            let labels = series
                .split_once('{')
                .map_or("", |(_, rest)| rest.trim_end_matches('}'));
            let labels = labels.split("\",").filter(|pair| !pair.is_empty()).map(|pair| {
                let (name, value) = pair.split_once("=\"").unwrap();
                (name.to_owned(), value.trim_end_matches('"').to_owned())
            });
            families.get_mut(&current).unwrap().1.push(labels.collect());
        }
    }
    families
}

fn assert_as_documented(text: &str, documented: &[&[Metric]]) -> Families {
    let exposed = families(text);
    let documented: BTreeMap<&str, &Metric> = documented
        .iter()
        .flat_map(|metrics| metrics.iter())
        .map(|m| (m.name, m))
        .collect();
    let named: BTreeSet<&str> = exposed.keys().map(String::as_str).collect();
    assert_eq!(named, documented.keys().copied().collect());
    for (name, (kind, series)) in &exposed {
        let metric = documented[name.as_str()];
        assert_eq!(kind, metric.kind.as_str(), "{name}");
        for labels in series {
            let mut labels = labels.clone();
            if metric.kind == Kind::Histogram {
                labels.remove("le");
            }
            let names: BTreeSet<&str> = labels.keys().map(String::as_str).collect();
            assert_eq!(names, metric.labels.iter().map(|l| l.name).collect(), "{name}");
            for label in metric.labels {
                if let Values::OneOf(values) = label.values {
                    let value = labels[label.name].as_str();
                    assert!(values.contains(&value), "{name} has {}={value}", label.name);
                }
            }
        }
    }
    exposed
}

/// What `promtool check metrics` says, and whether it is content.
fn promtool(text: &str) -> (bool, String) {
    let mut child = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is not installed: run through `cargo xtask test`");
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_planes_expose_is_what_is_documented_and_what_prometheus_takes() {
    let planes = Planes::start(&[]).await;
    let data = planes.data.ops("/metrics", OPENMETRICS).await;
    let exposed = assert_as_documented(
        &data,
        &[ccag_daemon::METRICS, otlp::METRICS, ccag_dataplane::METRICS],
    );
    for counted in [
        "ccag_dataplane_requests",
        "ccag_dataplane_tokens",
        "ccag_dataplane_upstream_errors",
        "ccag_dataplane_authentication_failures",
        "ccag_dataplane_unknown_passed",
    ] {
        let found = &exposed[counted].1;
        assert!(
            !found.is_empty() || counted.ends_with("passed"),
            "nothing counts in {counted}"
        );
    }
    let control = wait_until("records are in the ledger", Duration::from_secs(10), || async {
        let text = planes.control.ops("/metrics", OPENMETRICS).await;
        (!text.contains("ccag_control_usage_stored_total 0\n")).then_some(text)
    })
    .await;
    assert_as_documented(
        &control,
        &[ccag_daemon::METRICS, otlp::METRICS, ccag_controlplane::METRICS],
    );

    for text in [
        planes.data.ops("/metrics", "text/plain").await,
        planes.control.ops("/metrics", "text/plain").await,
    ] {
        let (is_content, said) = promtool(&text);
        assert!(is_content && said.is_empty(), "{said}");
    }
    // It would say so if something were wrong.
    assert!(!promtool("# HELP a_total b\n# TYPE a_total gauge\na_total 1\n").0);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_the_existing_gateway_are_exposed_where_they_are_asked_for() {
    let planes = Planes::start(&[("CCAG_METRICS_ALIASES", "true".to_owned())]).await;
    let text = planes.data.ops("/metrics", OPENMETRICS).await;
    let aliases: Vec<Metric> = ccag_dataplane::ALIASES
        .iter()
        .map(|(metric, _)| *metric)
        .collect();
    assert_as_documented(
        &text,
        &[
            ccag_daemon::METRICS,
            otlp::METRICS,
            ccag_dataplane::METRICS,
            &aliases,
        ],
    );
    for series in [
        "ccag_requests_total{model=\"claude-sonnet-4-6\",streaming=\"true\",status=\"ok\"} 1\n",
        "ccag_request_duration_ms_count{model=\"claude-sonnet-4-6\",streaming=\"true\",status=\"ok\"} 1\n",
        "ccag_tool_calls_total{tool=\"Bash\",type=\"builtin\"} 1\n",
        "ccag_auth_failures_total{reason=\"invalid_key\"} ",
        "ccag_requests_in_flight 0\n",
        "ccag_spend_records_quarantined_total 0\n",
    ] {
        assert!(text.contains(series), "no {series} in {text}");
    }
    for started in [
        "ccag_tokens_input_total{model=\"claude-sonnet-4-6\"} ",
        "ccag_errors_total{error_type=\"bedrock_invoke\",endpoint_id=\"",
        "ccag_bedrock_throttles_total{model=\"claude-sonnet-4-6\",endpoint_id=\"",
        "ccag_endpoint_requests_total{endpoint_id=\"",
    ] {
        assert!(text.contains(started), "no {started} in {text}");
    }
    // The older format is one that its tools can read; what they say is about the names alone.
    let (_, said) = promtool(&planes.data.ops("/metrics", "text/plain").await);
    assert!(!said.contains("error while linting"), "{said}");
}
