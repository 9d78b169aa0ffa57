//! The real Claude Code, headless.

use crate::harness::{Answer, Machine, Session, Started, standalone};
use serde_json::Value;
use std::time::Duration;

/// What the client saw is what Bedrock produced: every block that was shown stands so in the account, and every text and
/// tool use of the account was shown.
fn assert_same(session: &Session, account: &[Answer]) {
    let message_id = |answer: &Answer| format!("msg_bdrk_{}", answer.request_id.replace('-', ""));
    let blocks = session.blocks();
    assert!(!blocks.is_empty());
    for (id, seen) in &blocks {
        let answer = account
            .iter()
            .find(|answer| message_id(answer) == *id)
            .unwrap_or_else(|| panic!("Bedrock has sent no message {id}"));
        let same = |given: &Value| {
            given
                .as_object()
                .unwrap()
                .iter()
                .all(|(field, value)| &seen[field] == value)
        };
        assert!(
            answer.content().iter().any(same),
            "Bedrock has not sent {seen} but {}",
            answer.entry.content
        );
    }
    for answer in account {
        for given in answer.content() {
            if given["type"] == "thinking" {
                continue;
            }
            let id = message_id(answer);
            let shown = blocks.iter().any(|(seen_id, seen)| {
                *seen_id == id
                    && given
                        .as_object()
                        .unwrap()
                        .iter()
                        .all(|(field, value)| &seen[field] == value)
            });
            assert!(shown, "the client has not seen {given}");
        }
    }
}

/// Every invocation stands in the ledger with its exact tokens.
async fn assert_billed(it: &Started, account: &[Answer]) {
    for answer in account {
        let row = crate::harness::wait_until("the ledger has it", Duration::from_secs(10), || async {
            let ledger = it.admin.ledger().await;
            ledger
                .into_iter()
                .find(|row| row["aws_request_id"] == answer.request_id.as_str())
        })
        .await;
        answer.assert_billed_by(&row);
    }
}

fn assert_nothing_was_refused(it: &Started) {
    for request in it.sim.requests() {
        assert!(
            request.status < 400,
            "Bedrock refused: {} {}",
            request.path,
            request.status
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_prompt_is_answered() {
    let it = standalone().await;
    let session = Machine::new().run(&it, "Say hello to Zoë 一二三 🙂", &[]).await;
    let account = it.sim.settled().await;
    assert_same(&session, &account);
    let answer = session.result()["result"].as_str().unwrap();
    assert_eq!(answer, account.last().unwrap().text());
    assert!(answer.contains("Zoë 一二三 🙂"), "{answer}");
    assert_billed(&it, &account).await;
    assert_nothing_was_refused(&it);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bash_tool_round_trip_completes() {
    let it = standalone().await;
    let prompt = "Use the Bash tool to run `echo from-the-shell > made.txt; cat made.txt`";
    let machine = Machine::new();
    let session = machine.run(&it, prompt, &["--allowedTools", "Bash"]).await;
    let made = std::fs::read_to_string(machine.project.path().join("made.txt"));
    assert_eq!(made.expect("the command ran"), "from-the-shell\n");
    assert!(
        session.tool_results().contains("from-the-shell"),
        "{}",
        session.tool_results()
    );
    let account = it.sim.settled().await;
    assert!(account.len() >= 2);
    assert_same(&session, &account);
    assert!(
        session.result()["result"]
            .as_str()
            .unwrap()
            .contains("from-the-shell")
    );
    assert_billed(&it, &account).await;
    assert_nothing_was_refused(&it);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subagent_works_and_reports_back() {
    let it = standalone().await;
    let prompt = "Use the Agent tool to find `the answer of the subagent`";
    let session = Machine::new()
        .run(&it, prompt, &["--allowedTools", "Agent,Task"])
        .await;
    let account = it.sim.settled().await;
    let from_agent = it.sim.requests().into_iter().filter(|request| {
        let body: Value = serde_json::from_str(&request.body).unwrap();
        let task = body["messages"].to_string();
        task.contains("the answer of the subagent") && !task.contains("Use the Agent tool")
    });
    assert!(from_agent.count() > 0, "no subagent has asked anything");
    assert!(account.len() >= 3, "{} invocations", account.len());
    let result = session.result()["result"].as_str().unwrap();
    assert!(!result.is_empty());
    assert_billed(&it, &account).await;
    assert_nothing_was_refused(&it);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_resumed() {
    let it = standalone().await;
    let machine = Machine::new();
    let first = machine.run(&it, "Remember the word heliotrope", &[]).await;
    let said = it.sim.settled().await.last().unwrap().text();
    it.sim.clear();
    let second = machine
        .run(&it, "Which word was it?", &["--resume", first.id()])
        .await;
    let account = it.sim.settled().await;
    assert_same(&second, &account);
    let received = it.sim.requests().pop().unwrap();
    let body: Value = serde_json::from_str(&received.body).unwrap();
    let history = body["messages"].to_string();
    assert!(history.contains("heliotrope"), "the first prompt is gone");
    assert!(
        history.contains(serde_json::to_string(&said).unwrap().trim_matches('"')),
        "the first answer is gone"
    );
    assert_billed(&it, &account).await;
    assert_nothing_was_refused(&it);
}
