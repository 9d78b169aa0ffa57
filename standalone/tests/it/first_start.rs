//! `ccag-standalone --simulate`, the first thing that a newcomer runs.

use crate::harness::{Admin, Client, MODEL, Process, Standalone, binary, wait_until};
use std::time::Duration;

/// The first word after `label` in the output.
fn word_after<'a>(output: &'a str, label: &str) -> &'a str {
    let (_, rest) = output
        .split_once(label)
        .unwrap_or_else(|| panic!("{label:?} is not in:\n{output}"));
    rest.split_whitespace()
        .next()
        .unwrap()
        .trim_matches(['"', '\'', '`'])
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_start_prints_a_password_and_a_line_for_claude_code_that_work_and_the_second_does_not() {
    let first = Standalone::start(&["--simulate"], &[]).await;
    let output = welcome(&first).await;
    assert!(
        output.contains(&format!("{}/console", first.url)),
        "no console URL:\n{output}"
    );
    let base_url = word_after(&output, "ANTHROPIC_BASE_URL=");
    assert_eq!(base_url, first.url);
    let secret = word_after(&output, "ANTHROPIC_AUTH_TOKEN=").to_owned();
    assert!(secret.starts_with("sk-ccag-"), "{secret}");
    let reply = Client::new(base_url, &secret).stream(MODEL, "hello").await;
    assert!(reply.is_complete(), "{reply:?}");
    assert!(reply.text().contains("hello"), "{}", reply.text());

    let password = word_after(&output, "admin / ");
    assert!(password.len() >= 12 && password != "admin", "{password}");
    let admin = Admin::log_in(&first.url, "admin", password).await;
    let ledger = admin.ledger_with(&[reply.request_id]).await;
    assert_eq!(ledger.len(), 1);
    assert!(ledger[0]["cost_nano_usd"].as_i64().unwrap() > 0);

    let Standalone {
        data_dir, process, ..
    } = first;
    stop(process).await;
    let second = Standalone::start_in(data_dir, &["--simulate"], &[]).await;
    let again = welcome(&second).await;
    assert!(
        !again.contains(password),
        "the password is printed again:\n{again}"
    );
    let reply = Client::new(&second.url, &secret)
        .stream(MODEL, "hello again")
        .await;
    assert!(reply.is_complete(), "the key has not survived: {reply:?}");
}

/// What is printed once it is up.
async fn welcome(gateway: &Standalone) -> String {
    wait_until("it says that it is up", Duration::from_secs(10), || async {
        let output = gateway.process.output();
        output.contains("Ctrl-C").then_some(output)
    })
    .await
}

async fn stop(mut process: Process) {
    process.terminate();
    let status = process.ended(Duration::from_secs(20)).await;
    assert_eq!(status.code(), Some(0), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_given_admin_password_is_used_and_never_printed() {
    let password = "given-by-the-operator-42";
    let environment = [("ADMIN_PASSWORD", password.to_owned())];
    let gateway = Standalone::start(&["--simulate"], &environment).await;
    Admin::log_in(&gateway.url, "admin", password).await;
    assert!(!welcome(&gateway).await.contains(password));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_control_plane_on_another_machine_needs_tls() {
    let mut command = std::process::Command::new(binary("ccag-dataplane"));
    command
        .env("CCAG_CONTROL_PLANE", "http://control.example.com:8082")
        .env("CCAG_JOIN_TOKEN", "join-token-for-tests-0123456789abcdef")
        .env("CCAG_HTTP_LISTEN", "127.0.0.1:0")
        .env("CCAG_OPS_LISTEN", "127.0.0.1:0")
        .env("CCAG_DATA_DIR", tempfile::tempdir().unwrap().path());
    let mut process = Process::start("data", &mut command);
    let status = process.ended(Duration::from_secs(10)).await;
    assert!(!status.success(), "it has started");
    let said = process.output();
    assert!(said.contains("https"), "it does not say what to do:\n{said}");
}
