//! What a streaming client sees, and when.

use crate::control::usual;
use crate::fake::{BLOCK, BLOCK_STOP, DELTA, START, STOP, chunk, exception, hello, text, whole_message};
use crate::world::{Options, ask, usual_world, world_of};
use std::time::Duration;

fn sse(event: &str) -> String {
    let kind = serde_json::from_str::<serde_json::Value>(event).unwrap()["type"]
        .as_str()
        .unwrap()
        .to_owned();
    format!("event: {kind}\ndata: {event}\n\n")
}

#[tokio::test]
async fn the_client_gets_bedrocks_events_byte_for_byte() {
    let (_control, rig) = usual_world().await;
    rig.bedrock.events(hello().iter().map(String::as_str));
    let answer = rig.post(ask(true)).await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.header("content-type"),
        Some("text/event-stream; charset=utf-8")
    );
    assert_eq!(answer.header("cache-control"), Some("no-cache"));
    assert_eq!(answer.header("x-accel-buffering"), Some("no"));
    assert!(answer.header("request-id").unwrap().starts_with("req_"));
    assert_eq!(
        answer.header("x-amzn-requestid"),
        Some("11111111-2222-3333-4444-555555555555")
    );
    // Two things differ by intent: the model is the client's word for it, and Bedrock's own key is gone.
    let start = START.replace("claude-haiku-4-5-20251001", "claude-haiku-4-5");
    let expected: String = [
        &start,
        BLOCK,
        &text("Hel"),
        &text("lo ✓"),
        BLOCK_STOP,
        DELTA,
        r#"{"type":"message_stop"}"#,
    ]
    .iter()
    .map(|e| sse(e))
    .collect();
    assert_eq!(answer.text(), expected);
    let asked = rig.bedrock.asked();
    assert_eq!(asked[0].model, "us.anthropic.claude-haiku-4-5-20251001-v1:0");
    let body: serde_json::Value = serde_json::from_slice(&asked[0].body).unwrap();
    assert_eq!(body["anthropic_version"], "bedrock-2023-05-31");
    assert!(body.get("model").is_none() && body.get("stream").is_none());
}

#[tokio::test]
async fn an_answer_in_one_piece_has_the_clients_model_and_a_record() {
    let (control, rig) = usual_world().await;
    rig.bedrock.push(crate::fake::Script::Whole(whole_message()));
    let answer = rig.post(ask(false)).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["model"], "claude-haiku-4-5");
    assert_eq!(answer.json()["content"][0]["text"], "Hello");
    let records = control.plane.stored(1).await;
    let tokens = records[0].tokens.unwrap();
    assert_eq!(
        (
            tokens.input,
            tokens.output,
            tokens.cache_read,
            tokens.cache_write_5m
        ),
        (12, 7, 4, 3)
    );
    assert!(!records[0].streaming);
}

#[tokio::test]
async fn each_event_goes_out_when_it_arrives() {
    let (_control, rig) = usual_world().await;
    let bedrock = rig.bedrock.stream();
    for event in [START, BLOCK, &text("one")] {
        bedrock.send(Ok(chunk(event))).unwrap();
    }
    let mut stream = rig.open(ask(true)).await;
    stream.until("one").await;
    assert!(!stream.read.contains("two"));
    bedrock.send(Ok(chunk(&text("two")))).unwrap();
    stream.until("two").await;
    for event in [BLOCK_STOP, DELTA, STOP] {
        bedrock.send(Ok(chunk(event))).unwrap();
    }
    drop(bedrock);
    assert!(
        stream
            .rest()
            .await
            .ends_with("data: {\"type\":\"message_stop\"}\n\n")
    );
}

#[tokio::test]
async fn events_cut_anywhere_by_the_network_are_put_together() {
    let (_control, rig) = usual_world().await;
    let whole: Vec<u8> = hello().iter().flat_map(|e| chunk(e)).collect();
    for size in [1, 7, 64] {
        let bedrock = rig.bedrock.stream();
        for piece in whole.chunks(size) {
            bedrock.send(Ok(piece.to_vec().into())).unwrap();
        }
        drop(bedrock);
        let answer = rig.post(ask(true)).await;
        assert!(answer.text().contains("lo ✓"), "{}", answer.text());
        assert!(answer.text().ends_with("data: {\"type\":\"message_stop\"}\n\n"));
    }
}

fn with_short_ping() -> Options {
    Options {
        change: Box::new(|config| {
            config.ping = Duration::from_millis(40);
            config.idle = Duration::from_millis(400);
        }),
        ..Options::default()
    }
}

#[tokio::test]
async fn a_silent_bedrock_is_bridged_by_pings_and_given_up_in_the_end() {
    let (control, rig) = world_of(usual(), with_short_ping()).await;
    let bedrock = rig.bedrock.stream();
    for event in [START, BLOCK, &text("one")] {
        bedrock.send(Ok(chunk(event))).unwrap();
    }
    let stream = rig.open(ask(true)).await;
    let all = stream.rest().await;
    assert!(
        all.matches("event: ping\ndata: {\"type\": \"ping\"}\n\n").count() >= 3,
        "{all}"
    );
    let last = all.rsplit("event: ").next().unwrap();
    assert!(
        last.starts_with("error\n") && last.contains("timeout_error"),
        "{last}"
    );
    assert!(bedrock.is_closed(), "the connection to Bedrock is let go");
    let record = control.plane.stored(1).await.remove(0);
    assert_eq!(
        (record.outcome(), record.error.as_deref()),
        (ccag_proto::v1::Outcome::Cut, Some("UpstreamSilent"))
    );
    assert!(record.estimated);
}

#[tokio::test]
async fn silence_before_the_first_content_gets_a_status_and_pings_too() {
    let (_control, rig) = world_of(usual(), with_short_ping()).await;
    let bedrock = rig.bedrock.stream();
    bedrock.send(Ok(chunk(START))).unwrap();
    let mut stream = rig.open(ask(true)).await;
    assert_eq!(stream.status, 200);
    stream.until("event: ping").await;
    assert!(stream.read.starts_with("event: message_start"), "{}", stream.read);
    for event in [BLOCK, &text("late"), BLOCK_STOP, DELTA, STOP] {
        bedrock.send(Ok(chunk(event))).unwrap();
    }
    assert!(stream.rest().await.contains("late"));
}

#[tokio::test]
async fn an_exception_in_the_middle_becomes_an_error_event() {
    let (control, rig) = usual_world().await;
    let bedrock = rig.bedrock.stream();
    for event in [START, BLOCK, &text("one")] {
        bedrock.send(Ok(chunk(event))).unwrap();
    }
    bedrock
        .send(Ok(exception(
            "throttlingException",
            "Too many requests, please wait before trying again.",
        )))
        .unwrap();
    let answer = rig.post(ask(true)).await;
    assert_eq!(answer.status, 200);
    let last = answer.text().rsplit("event: ").next().unwrap();
    assert!(
        last.starts_with("error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\""),
        "{last}"
    );
    assert!(last.contains(answer.header("request-id").unwrap()));
    let record = control.plane.stored(1).await.remove(0);
    assert_eq!(record.outcome(), ccag_proto::v1::Outcome::Cut);
    assert_eq!(record.error.as_deref(), Some("ThrottlingException"));
    assert_eq!(record.tokens.unwrap().input, 12);
}

#[tokio::test]
async fn a_stream_that_is_cut_or_ends_too_early_is_never_taken_for_whole() {
    let (control, rig) = usual_world().await;
    for (n, cut) in [true, false].into_iter().enumerate() {
        let bedrock = rig.bedrock.stream();
        for event in [START, BLOCK, &text("one")] {
            bedrock.send(Ok(chunk(event))).unwrap();
        }
        if cut {
            bedrock.send(Err("connection reset".into())).unwrap();
        }
        drop(bedrock);
        let answer = rig.post(ask(true)).await;
        assert!(answer.text().contains("one"));
        assert!(answer.text().contains("event: error\n"), "{}", answer.text());
        let records = control.plane.stored(n + 1).await;
        assert!(
            records
                .iter()
                .all(|r| r.outcome() == ccag_proto::v1::Outcome::Cut)
        );
    }
}

#[tokio::test]
async fn a_clean_end_after_the_stop_reason_is_completed() {
    let (control, rig) = usual_world().await;
    rig.bedrock
        .events([START, BLOCK, &text("one"), BLOCK_STOP, DELTA]);
    let answer = rig.post(ask(true)).await;
    assert!(
        answer
            .text()
            .ends_with("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"),
        "{}",
        answer.text()
    );
    let record = control.plane.stored(1).await.remove(0);
    assert_eq!(record.outcome(), ccag_proto::v1::Outcome::Completed);
    assert_eq!(record.tokens.unwrap().output, 7);
}

#[tokio::test]
async fn a_client_that_hangs_up_cancels_bedrock_within_a_second_and_pays_for_what_passed() {
    let (control, rig) = usual_world().await;
    let bedrock = rig.bedrock.stream();
    for event in [START, BLOCK, &text(&"word ".repeat(80))] {
        bedrock.send(Ok(chunk(event))).unwrap();
    }
    let mut stream = rig.open(ask(true)).await;
    stream.until("word").await;
    drop(stream);
    tokio::time::timeout(Duration::from_secs(1), bedrock.closed())
        .await
        .expect("cancelled within a second");
    let record = control.plane.stored(1).await.remove(0);
    assert_eq!(record.outcome(), ccag_proto::v1::Outcome::Abandoned);
    let tokens = record.tokens.unwrap();
    assert_eq!((tokens.input, tokens.cache_read), (12, 4));
    assert_eq!(tokens.output, 100, "400 characters passed");
    assert!(record.estimated && record.first_token_ms.is_some());
}

#[tokio::test]
async fn a_client_that_hangs_up_before_the_answer_leaves_a_record_with_its_prompt() {
    let (control, rig) = usual_world().await;
    rig.bedrock.push(crate::fake::Script::Hang);
    let request = tokio::time::timeout(Duration::from_millis(300), rig.post(ask(false)));
    assert!(request.await.is_err());
    let record = control.plane.stored(1).await.remove(0);
    assert_eq!(record.outcome(), ccag_proto::v1::Outcome::Abandoned);
    assert!(record.estimated && record.tokens.unwrap().input > 0);
    assert_eq!(record.status, 499);
}

#[tokio::test]
async fn streams_that_outlive_the_drain_end_with_an_error_event_and_a_record() {
    let (control, rig) = usual_world().await;
    let bedrock = rig.bedrock.stream();
    for event in [START, BLOCK, &text("one")] {
        bedrock.send(Ok(chunk(event))).unwrap();
    }
    let mut stream = rig.open(ask(true)).await;
    stream.until("one").await;
    rig.life.begin_shutdown();
    bedrock.send(Ok(chunk(&text("while draining")))).unwrap();
    stream.until("while draining").await;
    rig.life.force_shutdown();
    let all = stream.rest().await;
    assert!(
        all.contains("event: error\n") && all.contains("overloaded_error"),
        "{all}"
    );
    let record = control.plane.stored(1).await.remove(0);
    assert_eq!(
        (record.outcome(), record.error.as_deref()),
        (ccag_proto::v1::Outcome::Cut, Some("GatewayShutdown"))
    );
}
