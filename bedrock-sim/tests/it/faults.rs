//! Faults by script.

use crate::{Frame, body, frames, post, stream};
use bedrock_sim::{Action, Pace, Rule, Sim};
use serde_json::{Value, json};

async fn answered(action: Action) -> (u16, Result<Vec<Frame>, String>) {
    let sim = Sim::builder().start().await.unwrap();
    sim.script(Rule::once(action));
    let response = stream(&sim, "hello there, simulated world").await;
    let status = response.status().as_u16();
    let read = match response.bytes().await {
        Ok(bytes) => frames(&bytes),
        Err(_) => Err("connection".into()),
    };
    (status, read)
}

fn kinds(frames: &[Frame]) -> Vec<String> {
    frames
        .iter()
        .map(|f| f.header(":message-type").to_owned())
        .collect()
}

#[tokio::test]
async fn http_errors_carry_type_and_message() {
    let sim = Sim::builder().start().await.unwrap();
    sim.script(Rule::once(Action::Error {
        status: 429,
        error_type: "ThrottlingException".into(),
        message: "Too many tokens, please wait before trying again.".into(),
    }));
    let refused = stream(&sim, "hi").await;
    assert_eq!(refused.status(), 429);
    assert_eq!(refused.headers()["x-amzn-errortype"], "ThrottlingException");
    let told: Value = serde_json::from_str(&refused.text().await.unwrap()).unwrap();
    assert_eq!(
        told,
        json!({"message": "Too many tokens, please wait before trying again."})
    );
    assert_eq!(stream(&sim, "hi").await.status(), 200, "the rule was for once");
}

#[tokio::test]
async fn an_exception_can_be_first_or_in_the_middle() {
    let exception = |after| Action::Exception {
        after,
        error_type: "ThrottlingException".into(),
        message: "slow down".into(),
        original_status: None,
    };
    let (status, first) = answered(exception(0)).await;
    let first = first.unwrap();
    assert_eq!((status, kinds(&first)), (200, vec!["exception".to_owned()]));
    assert_eq!(first[0].header(":exception-type"), "throttlingException");
    let (_, middle) = answered(exception(3)).await;
    assert_eq!(kinds(&middle.unwrap()), ["event", "event", "event", "exception"]);
}

#[tokio::test]
async fn an_error_message_has_no_payload() {
    let (_, read) = answered(Action::ErrorMessage {
        after: 1,
        code: "InternalFailure".into(),
        message: "x".into(),
    })
    .await;
    let last = read.unwrap().pop().unwrap();
    assert_eq!(last.header(":error-code"), "InternalFailure");
    assert!(last.payload.is_empty());
}

#[tokio::test]
async fn connections_break_and_checksums_are_spoilt() {
    let cut = |half_frame| Action::Cut { after: 2, half_frame };
    assert!(answered(cut(false)).await.1.is_err());
    assert!(answered(cut(true)).await.1.is_err());
    assert_eq!(
        answered(Action::BadChecksum { after: 2 }).await.1.err().unwrap(),
        "checksum"
    );
}

#[tokio::test]
async fn a_stream_can_end_cleanly_without_message_stop() {
    let (_, whole) = answered(Action::Pace(Pace::default())).await;
    let (_, short) = answered(Action::NoMessageStop).await;
    assert_eq!(short.unwrap().len() + 1, whole.unwrap().len());
}

#[tokio::test]
async fn answers_are_sized_by_the_prompt() {
    let sim = Sim::builder().start().await.unwrap();
    let whole = post(&sim, "invoke", &body("[sim: text=4001, events=7]")).await;
    let whole: Value = serde_json::from_str(&whole.text().await.unwrap()).unwrap();
    let text = whole["content"].as_array().unwrap().last().unwrap()["text"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(text.chars().count(), 4001);
    let streamed = stream(&sim, "[sim: text=4001, events=7]")
        .await
        .bytes()
        .await
        .unwrap();
    let deltas = frames(&streamed).unwrap().len();
    assert!(deltas >= 7 + 5, "{deltas}");
}

#[tokio::test]
async fn what_is_not_json_is_refused_in_bedrocks_words() {
    let sim = Sim::builder().start().await.unwrap();
    let url = format!("{}/model/{}/invoke", sim.base_url(), crate::OPUS);
    for broken in ["{", "[]", r#"{"messages": "\ud800"}"#] {
        let refused = reqwest::Client::new()
            .post(&url)
            .body(broken)
            .send()
            .await
            .unwrap();
        assert_eq!(refused.status(), 400, "{broken}");
        assert!(
            refused.text().await.unwrap().contains("Malformed input request"),
            "{broken}"
        );
    }
}

#[tokio::test]
async fn rules_come_over_http_too() {
    let sim = Sim::builder().start().await.unwrap();
    let client = reqwest::Client::new();
    let script = format!("{}/_sim/script", sim.base_url());
    let rule = json!({"times": 1, "action": {"kind": "error", "status": 503,
        "error_type": "ServiceUnavailableException", "message": "Bedrock is unable to process your request."}});
    let added = client.post(&script).body(rule.to_string()).send().await.unwrap();
    assert_eq!(added.status(), 204);
    assert_eq!(
        client
            .post(&script)
            .body(r#"{"action": {"kind": "dance"}}"#)
            .send()
            .await
            .unwrap()
            .status(),
        400
    );
    assert_eq!(stream(&sim, "hi").await.status(), 503);
    assert_eq!(stream(&sim, "hi").await.status(), 200);
}

#[tokio::test]
async fn bodies_over_the_limit_are_refused() {
    let sim = Sim::builder().max_body(1_000).start().await.unwrap();
    assert_eq!(stream(&sim, &"x".repeat(2_000)).await.status(), 413);
    assert_eq!(stream(&sim, "x").await.status(), 200);
}
