//! The lanes over real sockets: their framing, and faults by script in it.

use bedrock_sim::{Action, Ending, Match, Rule, Sim};
use serde_json::{Value, json};

async fn ask(sim: &Sim, path: &str, model: &str, stream: bool) -> reqwest::Response {
    let body = json!({"model": model, "max_tokens": 100, "stream": stream,
        "messages": [{"role": "user", "content": "hello there"}]});
    reqwest::Client::new()
        .post(format!("{}{path}/anthropic/v1/messages", sim.base_url()))
        .header("anthropic-version", "2023-06-01")
        .body(body.to_string())
        .send()
        .await
        .unwrap()
}

const PROFILE: &str = "us.anthropic.claude-opus-5-5";
const BASE: &str = "anthropic.claude-opus-5-5";

/// The data of every event.
fn events(text: &str) -> Vec<Value> {
    text.split("\n\n")
        .filter(|event| !event.is_empty())
        .map(|event| {
            let (kind, data) = event.split_once('\n').unwrap();
            let data: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
            assert_eq!(kind.strip_prefix("event: ").unwrap(), data["type"], "{event}");
            data
        })
        .collect()
}

#[tokio::test]
async fn both_lanes_stream_anthropics_events_and_keep_the_same_account() {
    let sim = Sim::builder().start().await.unwrap();
    for (path, model, operation) in [("", PROFILE, "messages"), ("/mantle", BASE, "mantle")] {
        sim.clear();
        let answer = ask(&sim, path, model, true).await;
        assert!(
            answer.headers()["content-type"]
                .to_str()
                .unwrap()
                .starts_with("text/event-stream")
        );
        let events = events(&answer.text().await.unwrap());
        assert_eq!(events.first().unwrap()["type"], "message_start");
        assert_eq!(
            events.last().unwrap(),
            &json!({"type": "message_stop"}),
            "no keys of Bedrock's own"
        );
        let text: String = events
            .iter()
            .filter_map(|e| e["delta"]["text"].as_str())
            .collect();
        let entry = sim.account().remove(0);
        assert_eq!((entry.operation, entry.ending), (operation, Ending::Completed));
        let planned: String = entry
            .content
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|b| b["text"].as_str())
            .collect();
        assert_eq!(text, planned);
        assert_eq!(sim.requests().len(), 1);
    }
}

#[tokio::test]
async fn mantle_knows_base_models_only_and_counts_their_tokens() {
    let sim = Sim::builder().start().await.unwrap();
    assert_eq!(ask(&sim, "/mantle", PROFILE, false).await.status(), 404);
    assert_eq!(ask(&sim, "/mantle", BASE, false).await.status(), 200);
    let refused = ask(&sim, "", BASE, false).await;
    assert_eq!(
        refused.status(),
        400,
        "the model has no on-demand throughput there"
    );
    let told: Value = serde_json::from_str(&refused.text().await.unwrap()).unwrap();
    assert_eq!(told["error"]["type"], "invalid_request_error");
    assert!(told["request_id"].as_str().unwrap().starts_with("req_bdrk_"));
}

#[tokio::test]
async fn faults_take_the_form_of_server_sent_events() {
    let sim = Sim::builder().start().await.unwrap();
    let once = |action| {
        sim.script(Rule::once(action));
        ask(&sim, "", PROFILE, true)
    };
    let exception = Action::Exception {
        after: 2,
        error_type: "throttlingException".into(),
        message: "slow down".into(),
        original_status: None,
    };
    let read = events(&once(exception).await.text().await.unwrap());
    assert_eq!(read.len(), 3);
    assert_eq!(
        read[2]["error"],
        json!({"type": "rate_limit_error", "message": "slow down"})
    );

    let ended = once(Action::End { after: 3 }).await.text().await.unwrap();
    assert_eq!(events(&ended).len(), 3);
    let cut = once(Action::Cut {
        after: 2,
        half_frame: true,
    });
    assert!(cut.await.text().await.is_err());
    let spoilt = once(Action::BadChecksum { after: 2 }).await.text().await.unwrap();
    assert!(
        spoilt.ends_with("data: {\"type\":\"content_block_\n\n"),
        "{spoilt}"
    );
    let refused = once(Action::Error {
        status: 429,
        error_type: "ThrottlingException".into(),
        message: "Too many tokens".into(),
    });
    let refused = refused.await;
    assert_eq!(refused.status(), 429);
    assert!(refused.headers().get("x-amzn-errortype").is_none());
    let told: Value = serde_json::from_str(&refused.text().await.unwrap()).unwrap();
    assert_eq!(told["error"]["type"], "rate_limit_error");
}

#[tokio::test]
async fn a_lane_can_be_missing_even_with_a_status_that_says_all_is_well() {
    let sim = Sim::builder().start().await.unwrap();
    for (in_success, status) in [(false, 404), (true, 200)] {
        sim.script(Rule {
            matches: Match {
                operation: Some("messages".into()),
                ..Match::default()
            },
            ..Rule::once(Action::UnknownOperation { in_success })
        });
        // Another surface does not use the rule up.
        assert_eq!(ask(&sim, "/mantle", BASE, false).await.status(), 200);
        let answer = ask(&sim, "", PROFILE, true).await;
        assert_eq!(answer.status(), status);
        if in_success {
            assert!(
                answer
                    .text()
                    .await
                    .unwrap()
                    .contains("#UnknownOperationException")
            );
        } else {
            assert_eq!(answer.headers()["x-amzn-errortype"], "UnknownOperationException");
        }
        assert_eq!(ask(&sim, "", PROFILE, true).await.status(), 200);
    }
}
