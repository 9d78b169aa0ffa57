//! Logs to standard error.

mod lines;
mod plain;

use lines::Lines;
use std::io::IsTerminal;
use std::panic::PanicHookInfo;
use tracing::Level;
use tracing_subscriber::filter::{FilterExt, FilterFn};
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

/// What to log, and how it looks.
#[derive(Debug, Clone)]
pub struct TelemetryConfig {
    /// Directives as in `RUST_LOG`: `info`, `warn,ccag_dataplane=debug`. One that cannot be read is replaced by `info`, and
    /// a warning says so.
    pub filter: String,
    /// One JSON object per line instead of text.
    pub json: bool,
}

/// Chatter of libraries that a plain `info` would let through. A directive of the operator's for the same target counts.
const QUIET: [&str; 3] = [
    // "relation already exists, skipping" at every start.
    "sqlx::postgres::notice=warn",
    "sqlx::query=warn",
    "sea_orm_migration=warn",
];

/// Libraries whose debug logs quote headers, bodies or signing material: those never reach the log, whatever the filter
/// says.
const SECRETIVE: [&str; 11] = [
    "aws_config",
    "aws_credential_types",
    "aws_runtime",
    "aws_sigv4",
    "aws_smithy",
    "h2",
    "hyper",
    "reqwest",
    "rustls",
    "sqlx",
    "tonic",
];

/// What is said is written at the latest when this is dropped.
#[derive(Default)]
#[must_use = "what the process says in its last moment is lost otherwise"]
pub struct Logs(Option<Lines>);

impl Drop for Logs {
    fn drop(&mut self) {
        if let Some(lines) = &self.0 {
            lines.flush();
        }
    }
}

/// Sends the process's logs to standard error, those of libraries that use `log` included, and panics as well. What is below a
/// warning waits a twentieth of a second for more, unless a person looks. A second call changes nothing.
pub fn init_telemetry(config: TelemetryConfig) -> Logs {
    let (filter, refused) = match EnvFilter::try_new(with_quiet(&config.filter)) {
        Ok(filter) => (filter, None),
        Err(error) => (EnvFilter::new(with_quiet("info")), Some(error)),
    };
    let filter = filter.and(FilterFn::new(|metadata| {
        may_be_logged(metadata.target(), *metadata.level())
    }));
    let is_terminal = std::io::stderr().is_terminal();
    let lines = (!is_terminal)
        .then(|| Lines::new(std::io::stderr()).ok())
        .flatten();
    let writer = match &lines {
        Some(lines) => BoxMakeWriter::new(lines.clone()),
        None => BoxMakeWriter::new(std::io::stderr),
    };
    let format = tracing_subscriber::fmt::layer().with_writer(writer);
    let layer = if config.json {
        format
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .with_filter(filter)
            .boxed()
    } else if is_terminal {
        format.with_filter(filter).boxed()
    } else {
        format
            .with_ansi(false)
            .fmt_fields(plain::Plain)
            .with_filter(filter)
            .boxed()
    };
    if tracing_subscriber::registry().with(layer).try_init().is_err() {
        return Logs::default();
    }
    std::panic::set_hook(Box::new(log_panic));
    if let Some(error) = refused {
        tracing::warn!(filter = config.filter, %error, "RUST_LOG cannot be read; logging at `info`");
    }
    Logs(lines)
}

/// The operator's directives come last, since of two for the same target the later one counts.
fn with_quiet(filter: &str) -> String {
    let filter = if filter.trim().is_empty() { "info" } else { filter };
    format!("{},{filter}", QUIET.join(","))
}

fn may_be_logged(target: &str, level: Level) -> bool {
    level <= Level::INFO
        || !SECRETIVE
            .iter()
            .any(|name| target.strip_prefix(name).is_some_and(is_boundary))
}

fn is_boundary(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with([':', '_'])
}

fn log_panic(panic: &PanicHookInfo<'_>) {
    let said = crate::lifecycle::panic_text(panic.payload());
    let thread = std::thread::current();
    tracing::error!(
        thread = thread.name().unwrap_or("unnamed"),
        location = panic.location().map(ToString::to_string),
        "panic: {said}"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wire_and_signing_logs_stay_out_at_any_level_of_detail() {
        for target in [
            "h2",
            "h2::codec::framed_write",
            "aws_sigv4::http_request::sign",
            "aws_smithy_runtime::client",
            "hyper_util::client",
        ] {
            assert!(!may_be_logged(target, Level::DEBUG), "{target}");
            assert!(!may_be_logged(target, Level::TRACE), "{target}");
            assert!(may_be_logged(target, Level::WARN), "{target}");
        }
        assert!(may_be_logged("ccag_dataplane::http", Level::TRACE));
        assert!(may_be_logged("hyperspace", Level::TRACE));
    }

    #[test]
    fn the_operators_directives_come_after_the_quiet_ones() {
        assert!(with_quiet("debug").ends_with(",debug"));
        assert!(with_quiet("  ").ends_with(",info"));
        assert!(EnvFilter::try_new(with_quiet("warn,ccag=debug")).is_ok());
    }
}
