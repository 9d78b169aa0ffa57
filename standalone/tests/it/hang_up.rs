//! Clients that go away, and gateways that do.

use crate::harness::{ControlPlane, DataPlane, MODEL, Sim, database, message, standalone, wait_until};
use bedrock_sim::{Action, Ending};
use futures_util::StreamExt;
use serde_json::json;
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_hangs_up_is_billed_for_what_passed_and_bedrock_is_told_within_a_second() {
    let it = standalone().await;
    let mut body = message(MODEL, "a long story [sim: text=40000, events=400, gap=20]");
    body["stream"] = json!(true);
    body["max_tokens"] = json!(20_000);
    let response = it.client.request().body(body.to_string()).send().await.unwrap();
    let request_id = response.headers()["request-id"].to_str().unwrap().to_owned();
    let mut seen = String::new();
    let mut chunks = response.bytes_stream();
    while seen.matches("text_delta").count() < 40 {
        seen.push_str(&String::from_utf8_lossy(&chunks.next().await.unwrap().unwrap()));
    }
    drop(chunks);
    let hung_up = Instant::now();

    let answer = wait_until("Bedrock sees the cancel", Duration::from_secs(5), || async {
        let answer = it.sim.account().pop().unwrap();
        (answer.entry.ending == Ending::Cancelled).then_some(answer)
    })
    .await;
    let took = hung_up.elapsed();
    assert!(took < Duration::from_secs(1), "Bedrock was told after {took:?}");

    let ledger = it.admin.ledger_with(std::slice::from_ref(&request_id)).await;
    let rows: Vec<_> = ledger
        .iter()
        .filter(|r| r["request_id"] == request_id.as_str())
        .collect();
    assert_eq!(rows.len(), 1);
    let row = rows[0];
    assert_eq!(row["outcome"], "abandoned", "{row}");
    assert_eq!(row["input_tokens"], answer.entry.usage.input, "{row}");
    let billed = row["output_tokens"].as_u64().unwrap();
    let (sent, whole) = (answer.entry.output_sent, answer.entry.usage.output);
    assert!(billed > 0 && billed < whole / 2, "{billed} of {whole}: {row}");
    // Bedrock tells the count with the last event only, so until then it is an estimate from the bytes that passed.
    assert_eq!(row["estimated"], true, "{row}");
    assert!(
        billed * 2 > sent && billed < sent * 2,
        "billed {billed}, Bedrock has sent {sent}"
    );
    assert!(row["cost_nano_usd"].as_i64().unwrap() > 0, "{row}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_gives_up_before_the_first_byte_leaves_a_record_too() {
    let it = standalone().await;
    it.sim.once(Action::Silence {
        after: None,
        ms: 60_000,
    });
    let body = message(MODEL, "are you there?").to_string();
    let impatient = it.client.request().body(body).timeout(Duration::from_millis(700));
    assert!(impatient.send().await.unwrap_err().is_timeout());
    let gave_up = Instant::now();
    let answer = wait_until("Bedrock sees the cancel", Duration::from_secs(5), || async {
        let answer = it.sim.account().pop().unwrap();
        (answer.entry.ending == Ending::Cancelled).then_some(answer)
    })
    .await;
    assert!(gave_up.elapsed() < Duration::from_secs(1));
    let row = wait_until("the ledger has it", Duration::from_secs(10), || async {
        let rows = it.admin.ledger().await;
        rows.into_iter().find(|row| row["outcome"] == "abandoned")
    })
    .await;
    assert_eq!(row["output_tokens"], 0, "{row}");
    assert_eq!(row["attempts"], 1, "{row}");
    assert_eq!(answer.entry.output_sent, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_lets_open_streams_finish_and_records_them() {
    let sim = Sim::start().await;
    let control = ControlPlane::start("control", &database()).await;
    // No load balancer has to notice: new connections are refused at once.
    let at_once = [("CCAG_DRAIN_NOTICE_S", "0".to_owned())];
    let mut plane = DataPlane::start_with("data", &[&control], &sim, &at_once).await;
    let admin = control.admin().await;
    let (_, secret) = admin.create_key("drain").await;
    admin.fleet_of(1).await;
    let client = plane.client(&secret);

    let open = tokio::spawn({
        let client = client.clone();
        async move {
            client
                .stream(MODEL, "slowly [sim: text=900, events=60, gap=50]")
                .await
        }
    });
    wait_until("the stream has begun", Duration::from_secs(5), || async {
        sim.account()
            .iter()
            .any(|a| a.entry.frames_sent > 3)
            .then_some(())
    })
    .await;
    let process = plane.process.as_mut().unwrap();
    process.terminate();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(
        client.try_stream(MODEL, "too late").await.is_err(),
        "new connections are still accepted"
    );

    let reply = open.await.unwrap();
    assert!(
        reply.is_complete(),
        "the stream was cut: {:?}",
        reply.events.last()
    );
    let status = process.ended(Duration::from_secs(10)).await;
    assert_eq!(status.code(), Some(0), "{status}");
    let ledger = admin.ledger_with(&[reply.request_id]).await;
    sim.settled().await[0].assert_billed_by(&ledger[0]);
}
