use ccag_daemon::{TelemetryConfig, init_telemetry};
use std::process::Command;

const CHILD: &str = "telemetry::a_process_that_logs_and_panics";

/// Logging is set up once per process, so the checks look at a process of their own.
#[test]
#[ignore = "run by the tests below, with what it should do in its environment"]
fn a_process_that_logs_and_panics() {
    let _logs = init_telemetry(TelemetryConfig {
        filter: std::env::var("TEST_FILTER").unwrap(),
        json: std::env::var_os("TEST_JSON").is_some(),
    });
    tracing::info!(answer = 42, "an ordinary line");
    tracing::debug!("a detailed line");
    let path = "one\ntwo\u{1b}[31m\u{9b}é";
    tracing::warn!(path = %path, name = "a\"b\n", r#type = ?Some(1), "what others have said: {path}");
    tracing::info!(target: "sqlx::postgres::notice", "relation already exists, skipping");
    tracing::trace!(target: "h2::codec", "authorization: Bearer hunter2");
    let prompt = "the prompt says é";
    let _ = std::panic::catch_unwind(|| prompt.split_at(prompt.len() - 1).0.len());
    let _ = std::panic::catch_unwind(|| panic!("a literal message"));
    tracing::info!("the last words");
}

fn stderr(filter: &str, json: bool) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", CHILD, "--ignored", "--nocapture"]);
    command.env("TEST_FILTER", filter).env_remove("TEST_JSON");
    if json {
        command.env("TEST_JSON", "1");
    }
    let output = command.output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn panics_are_logged_with_their_place_and_never_with_the_data_they_quote() {
    let text = stderr("trace", false);
    assert!(text.contains("tests/it/telemetry.rs:"), "{text}");
    assert!(text.contains("panic: a literal message"), "{text}");
    assert!(
        text.contains("panic: (message withheld: it may quote data)"),
        "{text}"
    );
    assert!(!text.contains("the prompt says"), "{text}");
}

#[test]
fn headers_do_not_reach_the_log_even_at_trace() {
    let text = stderr("trace,h2=trace", false);
    assert!(text.contains("a detailed line"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
}

#[test]
fn what_others_have_said_begins_no_line_and_moves_no_cursor() {
    let text = stderr("info", false);
    let line = text.lines().find(|line| line.contains("what others")).unwrap();
    let escaped = r"one\ntwo\u{1b}[31m\u{9b}é";
    let expected = format!(r#"what others have said: {escaped} path={escaped} name="a\"b\n" type=Some(1)"#);
    assert!(line.ends_with(&expected), "{line}");
    assert!(line.contains(" WARN it::telemetry: "), "{line}");
    assert!(!text.contains('\u{1b}'));
}

#[test]
fn a_process_says_its_last_words_before_it_ends() {
    for json in [false, true] {
        let text = stderr("info", json);
        let last = text.lines().last().unwrap();
        assert!(last.contains("the last words"), "{text}");
    }
}

#[test]
fn json_logs_are_one_flat_object_per_line() {
    let text = stderr("info", true);
    let lines: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines[0]["message"], "an ordinary line");
    assert_eq!(lines[0]["answer"], 42);
    assert_eq!(lines[0]["level"], "INFO");
    assert!(
        !text.contains("a detailed line") && !text.contains("relation already exists"),
        "{text}"
    );
}

#[test]
fn a_filter_that_cannot_be_read_is_said_and_replaced() {
    let text = stderr("info,ccag=lots", false);
    assert!(text.contains("RUST_LOG cannot be read"), "{text}");
    assert!(
        text.contains("an ordinary line") && !text.contains("a detailed line"),
        "{text}"
    );
}
