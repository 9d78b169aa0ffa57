//! Conversations keep the rules that they began under; what is refused is learnt for those that begin later.

use crate::control::{KEY, endpoint};
use crate::fake::{Script, hello, whole_message};
use crate::world::{Answer, Rig, ask, usual_world};
use bytes::Bytes;
use ccag_domain::{CapabilityBook, ConfigObject, ObjectKind};
use ccag_proto::v1;
use ccag_translate::profile::{RuleBook, overlaid};
use http_body_util::Full;
use serde_json::{Value, json};
use std::time::Duration;

/// A beta that no shipped rule knows.
const BETA: &str = "unheard-of-2030-01-01";

/// Rules with one of an admin's own.
fn book(sequence: u64, action: &str) -> ConfigObject {
    book_with(sequence, "betas", BETA, action)
}

fn book_with(sequence: u64, table: &str, name: &str, action: &str) -> ConfigObject {
    let version = format!("test+{sequence}");
    let row = json!({"name": name, "do": action, "source": "a test"});
    let shipped = RuleBook::shipped("invoke-model").unwrap();
    ConfigObject::CapabilityBook(CapabilityBook {
        surface: "invoke-model".into(),
        rules: overlaid(shipped, [(table, &row)], &version).unwrap().into(),
        version,
        sequence,
        made_at_ms: 0,
    })
}

/// Sends one turn of a conversation; with `answers` of the model behind it.
async fn turn(rig: &Rig, session: &str, answers: usize) -> Answer {
    turn_of(rig, session, answers, json!([{"type": "text", "text": "a"}])).await
}

async fn turn_of(rig: &Rig, session: &str, answers: usize, answer: Value) -> Answer {
    let mut messages = vec![json!({"role": "user", "content": "q"})];
    for _ in 0..answers {
        messages.push(json!({"role": "assistant", "content": answer}));
        messages.push(json!({"role": "user", "content": "q"}));
    }
    let body = json!({"model": "claude-opus-5-5", "max_tokens": 64, "messages": messages});
    let request = rig
        .request("POST", "/v1/messages", KEY)
        .header("x-claude-code-session-id", session)
        .header(
            "anthropic-beta",
            format!("interleaved-thinking-2025-05-14, {BETA}"),
        )
        .body(Full::new(Bytes::from(body.to_string())))
        .unwrap();
    rig.send(request).await
}

/// The betas of the requests that Bedrock got, one list for each.
fn betas(rig: &Rig) -> Vec<Vec<String>> {
    let bodies = rig.bedrock.asked();
    let bodies = bodies
        .iter()
        .map(|asked| serde_json::from_slice::<Value>(&asked.body).unwrap());
    bodies
        .map(|body| {
            let betas = body["anthropic_beta"].as_array().cloned().unwrap_or_default();
            betas.iter().map(|b| b.as_str().unwrap().to_owned()).collect()
        })
        .collect()
}

fn has_beta(betas: &[String]) -> bool {
    betas.iter().any(|beta| beta == BETA)
}

fn answers(rig: &Rig, count: usize) {
    for _ in 0..count {
        rig.bedrock.push(Script::Whole(whole_message()));
    }
}

fn refuses(rig: &Rig, message: &str) {
    let body = json!({ "message": message }).to_string();
    rig.bedrock.push(Script::Status(400, "ValidationException", body));
}

/// Waits for what the data plane tells of its findings.
async fn learnt(control: &crate::world::Control) -> v1::LearntFact {
    for _ in 0..800 {
        let findings = control.plane.shared.findings.lock().unwrap().clone();
        if let Some(fact) = findings.into_iter().flat_map(|f| f.learnt).next() {
            return fact;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("nothing was learnt");
}

/// Waits until the data plane tells that it has noticed something.
async fn seen(control: &crate::world::Control, (kind, name, known): (&str, &str, bool)) {
    for _ in 0..800 {
        let findings = control.plane.shared.findings.lock().unwrap().clone();
        let mut all = findings.into_iter().flat_map(|f| f.seen);
        if all.any(|one| one.kind == kind && one.name == name && one.known == known) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{kind} {name} was not noticed");
}

#[tokio::test]
async fn a_conversation_keeps_the_rules_that_it_began_under() {
    let (control, rig) = usual_world().await;
    control.plane.applied(control.plane.put(book(1, "keep"))).await;
    answers(&rig, 4);
    turn(&rig, "before", 0).await;
    control.plane.applied(control.plane.put(book(2, "drop"))).await;
    turn(&rig, "before", 1).await;
    turn(&rig, "after", 0).await;
    control
        .plane
        .applied(
            control
                .plane
                .remove(ObjectKind::CapabilityBook, "invoke-model@test+2"),
        )
        .await;
    turn(&rig, "again", 0).await;
    let sent: Vec<bool> = betas(&rig).iter().map(|b| has_beta(b)).collect();
    assert_eq!(sent, [true, true, false, true]);
}

#[tokio::test]
async fn an_event_of_tomorrow_passes_is_named_and_can_be_left_out_by_a_rule() {
    let (control, rig) = usual_world().await;
    let novelty = r#"{"type":"brand_new_event","x":1}"#;
    let events: Vec<String> = hello()
        .into_iter()
        .flat_map(|event| [event, novelty.to_owned()])
        .take(13)
        .collect();
    let came = "event: brand_new_event\ndata: {\"type\":\"brand_new_event\",\"x\":1}\n\n";
    let turn = async |words: &str| {
        rig.bedrock.events(events.iter().map(String::as_str));
        let answer = rig.post(ask(true).replace("hi", words)).await;
        assert_eq!(answer.status, 200);
        assert!(answer.text().contains("message_stop"), "{}", answer.text());
        answer.text().contains(came)
    };
    assert!(turn("first").await);
    seen(&control, ("event", "brand_new_event", false)).await;
    assert!(
        rig.metrics()
            .contains("unknown_passed_total{kind=\"event\",name=\"brand_new_event\"} 1"),
        "{}",
        rig.metrics()
    );

    control
        .plane
        .applied(
            control
                .plane
                .put(book_with(1, "events", "brand_new_event", "drop")),
        )
        .await;
    assert!(
        turn("first").await,
        "a conversation keeps the rules that it began under"
    );
    assert!(!turn("second").await);
    seen(&control, ("event", "brand_new_event", true)).await;
    assert!(
        rig.metrics()
            .contains("dropped_total{kind=\"event\",name=\"brand_new_event\"} 1"),
        "{}",
        rig.metrics()
    );
}

#[tokio::test]
async fn rules_that_cannot_be_read_are_refused_loudly_and_the_others_stay() {
    let (control, rig) = usual_world().await;
    control.plane.applied(control.plane.put(book(1, "keep"))).await;
    let broken = CapabilityBook {
        surface: "invoke-model".into(),
        version: "broken".into(),
        sequence: 2,
        made_at_ms: 0,
        rules: "{\"surface\":1}".into(),
    };
    let revision = control.plane.put(ConfigObject::CapabilityBook(broken));
    control.plane.applied(revision).await;
    let rejected = control.plane.shared.rejected.lock().unwrap().clone();
    assert_eq!(rejected[0].id, "invoke-model@broken");
    answers(&rig, 1);
    turn(&rig, "s", 0).await;
    assert!(has_beta(&betas(&rig)[0]));
}

#[tokio::test]
async fn what_is_refused_is_learnt_for_conversations_that_begin_later() {
    let (control, rig) = usual_world().await;
    control.plane.applied(control.plane.put(book(1, "keep"))).await;
    answers(&rig, 1);
    turn(&rig, "early", 0).await;
    refuses(&rig, "invalid beta flag");
    answers(&rig, 3);
    assert_eq!(turn(&rig, "second", 0).await.status, 200);
    turn(&rig, "third", 0).await;
    turn(&rig, "early", 1).await;
    let sent: Vec<bool> = betas(&rig).iter().map(|b| has_beta(b)).collect();
    assert_eq!(
        sent,
        [true, true, false, false, true],
        "once refused and once without; then not tried again; the early conversation goes on as before"
    );

    let fact = learnt(&control).await;
    assert_eq!(
        (fact.kind.as_str(), fact.endpoint_id.as_str()),
        ("minimal_betas", "end_1")
    );
    let id = fact.id.clone();
    let back = ConfigObject::LearntFact(fact.try_into().unwrap());
    control.plane.applied(control.plane.put(back)).await;
    // With the next sign of life the data plane leaves the lesson to the control plane, which forgets it.
    tokio::time::sleep(Duration::from_secs(4)).await;
    control
        .plane
        .applied(control.plane.remove(ObjectKind::LearntFact, &id))
        .await;
    answers(&rig, 1);
    turn(&rig, "fourth", 0).await;
    assert!(has_beta(betas(&rig).last().unwrap()), "it is tried again");
}

#[tokio::test]
async fn a_lesson_that_was_pushed_counts_on_the_first_request_at_its_endpoint() {
    let (control, rig) = usual_world().await;
    control.plane.applied(control.plane.put(book(1, "keep"))).await;
    let fact = ccag_domain::LearntFact {
        endpoint_id: endpoint(1, true).id,
        bedrock_model: "us.anthropic.claude-opus-5-5".into(),
        surface: "invoke-model".into(),
        version: "test+1".into(),
        kind: "beta".into(),
        value: BETA.into(),
        learnt_at_ms: 1,
    };
    control
        .plane
        .applied(control.plane.put(ConfigObject::LearntFact(fact)))
        .await;
    answers(&rig, 1);
    turn(&rig, "s", 0).await;
    let sent = betas(&rig);
    assert!(!has_beta(&sent[0]) && sent[0].len() == 1, "{sent:?}");
}

#[tokio::test]
async fn thinking_that_does_not_fit_is_tried_with_the_other_rules_and_then_left_out() {
    let (control, rig) = usual_world().await;
    control.plane.applied(control.plane.put(book(1, "keep"))).await;
    control.plane.applied(control.plane.put(book(2, "drop"))).await;
    let thinking = json!([
        {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
        {"type": "text", "text": "a"}
    ]);
    let says = "messages.1.content.0: Invalid `signature` in `thinking` block. The block is bound to a different conversation.";
    refuses(&rig, says);
    refuses(&rig, says);
    answers(&rig, 2);
    // This data plane has never seen the conversation: it cannot know what it was translated by.
    let answer = turn_of(&rig, "moved", 1, thinking.clone()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    turn_of(&rig, "moved", 2, thinking.clone()).await;
    let sent: Vec<bool> = betas(&rig).iter().map(|b| has_beta(b)).collect();
    assert_eq!(sent, [false, true, true, true]);
    let with_thinking = rig
        .bedrock
        .asked()
        .iter()
        .map(|asked| String::from_utf8_lossy(&asked.body).contains("c2ln"))
        .collect::<Vec<_>>();
    assert_eq!(with_thinking, [true, true, false, false], "and it stays so");

    // A conversation that was sent as ever has changed its history itself: the client hears what Bedrock says.
    answers(&rig, 1);
    turn(&rig, "own", 0).await;
    refuses(&rig, says);
    let answer = turn_of(&rig, "own", 1, thinking).await;
    assert_eq!(
        (answer.status, answer.error_type().as_str()),
        (400, "invalid_request_error")
    );
    assert!(answer.text().contains("Invalid `signature`"));
}

#[tokio::test]
async fn what_clients_send_and_bedrock_does_not_get_is_told_by_name() {
    let (control, rig) = usual_world().await;
    answers(&rig, 1);
    turn(&rig, "s", 0).await;
    for _ in 0..800 {
        let findings = control.plane.shared.findings.lock().unwrap().clone();
        let seen = findings
            .into_iter()
            .flat_map(|f| f.seen)
            .find(|seen| seen.name == BETA);
        if let Some(seen) = seen {
            assert_eq!((seen.kind.as_str(), seen.known, seen.count), ("beta", false, 1));
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the beta was not told");
}
