//! docs/metrics.md is made of the code.

use ccag_daemon::metric::{Kind, Metric, Values};
use std::fmt::Write;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/metrics.md");

const HEAD: &str = "# Metrics

What the processes expose at `/metrics` on their ops ports, for Prometheus: in OpenMetrics for who asks for it, else in the text format
0.0.4. This page is made of the code by a test: `CCAG_UPDATE_DOCS=1 cargo nextest run -p ccag-standalone metrics`.
[observability.md](observability.md) says what to make of it.

Every metric is shown from the start with its meaning, also while it has no series. A counter begins at 0 with its process, unless it says
that it counts in the life of the spool. Names stand here as they are to be asked for; of a histogram there are `_bucket`, `_sum` and
`_count`. Each label says which values it has, or by what their number is bounded: no client can make series without end, and no label
holds a key, a user, a session or a word of a conversation.
";

const ALIASES: &str = "
## Names of the existing gateway

With `CCAG_METRICS_ALIASES=true` a data plane exposes these as well: the metrics of the existing Claude Code AWS Gateway (version 1.9), by
its names and with its labels, so that its dashboards and alerts go on. Some of the names are not what Prometheus recommends, which
`promtool check metrics` says; that is why they have to be asked for.
";

/// The name that a query has.
fn asked_by(metric: &Metric) -> String {
    match metric.kind {
        Kind::Counter => format!("{}_total", metric.name),
        Kind::Gauge | Kind::Histogram => metric.name.to_owned(),
    }
}

fn labels(metric: &Metric) -> String {
    let each = metric.labels.iter().map(|label| match label.values {
        Values::OneOf(values) => format!("`{}`: `{}`", label.name, values.join("`, `")),
        Values::Bounded(by) => format!("`{}`: {by}", label.name),
    });
    each.collect::<Vec<_>>().join("; ")
}

fn table<'m>(page: &mut String, title: &str, metrics: impl Iterator<Item = &'m Metric>) {
    let _ = write!(
        page,
        "\n## {title}\n\n| metric | type | unit | labels | what it says |\n|---|---|---|---|---|\n"
    );
    for metric in metrics {
        let _ = writeln!(
            page,
            "| `{}` | {} | {} | {} | {} |",
            asked_by(metric),
            metric.kind.as_str(),
            metric.unit,
            labels(metric),
            metric.meaning
        );
    }
}

#[test]
fn every_metric_is_in_the_document_as_it_is_in_the_code() {
    let mut page = HEAD.to_owned();
    table(&mut page, "Every process", ccag_daemon::METRICS.iter());
    table(
        &mut page,
        "Every process that has an OpenTelemetry collector",
        ccag_daemon::otlp::METRICS.iter(),
    );
    table(
        &mut page,
        "Every plane that has certificates for the other",
        ccag_daemon::certificates::METRICS.iter(),
    );
    table(&mut page, "Data plane", ccag_dataplane::METRICS.iter());
    table(&mut page, "Control plane", ccag_controlplane::METRICS.iter());
    page.push_str(ALIASES);
    page.push_str(
        "\n| alias | type | unit | labels | what it says | says more |\n|---|---|---|---|---|---|\n",
    );
    for (metric, instead) in ccag_dataplane::ALIASES {
        let instead = match ccag_dataplane::METRICS.iter().find(|of| of.name == *instead) {
            Some(metric) => format!("`{}`", asked_by(metric)),
            None => {
                assert_eq!(*instead, "", "{} stands for nothing that exists", metric.name);
                "–".to_owned()
            }
        };
        let _ = writeln!(
            page,
            "| `{}` | {} | {} | {} | {} | {instead} |",
            asked_by(metric),
            metric.kind.as_str(),
            metric.unit,
            labels(metric),
            metric.meaning
        );
    }
    if std::env::var_os("CCAG_UPDATE_DOCS").is_some() {
        std::fs::write(PAGE, &page).unwrap();
    }
    let documented = std::fs::read_to_string(PAGE).unwrap_or_default();
    for (written, found) in documented.lines().zip(page.lines()) {
        assert_eq!(written, found, "docs/metrics.md says something else");
    }
    assert_eq!(documented.lines().count(), page.lines().count());
}

#[test]
fn units_stand_in_names() {
    let all = [
        ccag_daemon::METRICS,
        ccag_daemon::certificates::METRICS,
        ccag_dataplane::METRICS,
        ccag_controlplane::METRICS,
    ];
    for metric in all.into_iter().flatten() {
        for unit in ["seconds", "bytes"] {
            assert_eq!(
                metric.unit == unit,
                metric.name.ends_with(&format!("_{unit}")),
                "{} is in {}",
                metric.name,
                metric.unit
            );
        }
    }
}
