//! Clients that take more of their connections than they may.

use crate::control::{KEY, usual};
use crate::fake::{BLOCK, START, Script, chunk, text, whole_message};
use crate::world::{Answer, Open, Options, Rig, ask, usual_world, world_of};
use bytes::Bytes;
use ccag_daemon::ConnectionLimits;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use std::convert::Infallible;
use std::time::Duration;
use tokio::time::Instant;

const SHORT: Duration = Duration::from_millis(300);

fn limits(change: impl FnOnce(&mut ConnectionLimits)) -> Options {
    let mut connections = ConnectionLimits::default();
    change(&mut connections);
    Options {
        connections,
        ..Options::default()
    }
}

/// Sends a body in two pieces with a pause between them, without a length.
async fn in_two_pieces(rig: &Rig, pause: Duration) -> Answer {
    let text = ask(false);
    let (head, tail) = text.split_at(text.len() / 2);
    let pieces = [(head.to_owned(), Duration::ZERO), (tail.to_owned(), pause)];
    let pieces =
        futures_util::StreamExt::then(futures_util::stream::iter(pieces), |(piece, pause)| async move {
            tokio::time::sleep(pause).await;
            Ok::<_, Infallible>(Frame::data(Bytes::from(piece)))
        });
    let body = StreamBody::new(Box::pin(pieces));
    let client = Client::builder(TokioExecutor::new()).build_http();
    let request = rig.request("POST", "/v1/messages", KEY).body(body).unwrap();
    let (head, body) = client.request(request).await.unwrap().into_parts();
    Answer {
        status: head.status.as_u16(),
        headers: head.headers,
        body: body.collect().await.unwrap().to_bytes(),
    }
}

#[tokio::test]
async fn a_request_that_does_not_come_in_time_is_answered_and_gives_its_memory_back() {
    let (_control, rig) = world_of(usual(), limits(|limits| limits.body_pause = SHORT)).await;
    rig.bedrock.push(Script::Whole(whole_message()));
    assert_eq!(in_two_pieces(&rig, SHORT / 4).await.status, 200);
    let begun = Instant::now();
    let late = in_two_pieces(&rig, SHORT * 20).await;
    assert_eq!((late.status, late.error_type().as_str()), (504, "timeout_error"));
    assert!(begun.elapsed() < SHORT * 10);
    assert_eq!(rig.bedrock.asked().len(), 1);
    rig.delivered().await;
    assert!(rig.metrics().contains("ccag_dataplane_body_memory_bytes 0"));
}

#[tokio::test]
async fn where_all_connections_are_busy_the_next_is_refused_in_anthropics_words() {
    let (_control, rig) = world_of(usual(), limits(|limits| limits.max = 1)).await;
    let tx = rig.bedrock.stream();
    for event in [START, BLOCK, &text("begun")] {
        tx.send(Ok(chunk(event))).unwrap();
    }
    let mut stream: Open = rig.open(ask(true)).await;
    stream.until("begun").await;
    for body in [ask(false), format!("{}{}", ask(false), " ".repeat(4 << 20))] {
        let refused = rig.post(body).await;
        assert_eq!(
            (refused.status, refused.error_type().as_str()),
            (503, "overloaded_error")
        );
        assert_eq!(refused.header("retry-after"), Some("2"));
        assert_eq!(refused.header("connection"), Some("close"));
    }
    assert_eq!(rig.bedrock.asked().len(), 1);
    tx.send(Ok(chunk(&text("still here")))).unwrap();
    stream.until("still here").await;
    drop((stream, tx));
    rig.delivered().await;
    rig.bedrock.push(Script::Whole(whole_message()));
    // The place is free as soon as it is seen that the client has gone.
    let freed = async {
        while rig.post(ask(false)).await.status == 503 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), freed)
        .await
        .unwrap();
    assert_eq!(rig.bedrock.asked().len(), 2);
}

/// A client that begins to read and then does not, over HTTP/1.1 and HTTP/2.
#[tokio::test]
async fn a_client_that_stops_reading_keeps_neither_bedrock_nor_memory_and_pays_for_what_passed() {
    for http2 in [false, true] {
        let (control, rig) = world_of(usual(), limits(|limits| limits.write = SHORT)).await;
        let tx = rig.bedrock.stream();
        for event in [START, BLOCK] {
            tx.send(Ok(chunk(event))).unwrap();
        }
        let client = Client::builder(TokioExecutor::new())
            .http2_only(http2)
            .build_http();
        let body = http_body_util::Full::new(Bytes::from(ask(true)));
        let request = rig.request("POST", "/v1/messages", KEY).body(body).unwrap();
        let sent = tokio::spawn(async move { client.request(request).await.unwrap() });
        let words = text(&"w".repeat(64 << 10));
        let begun = Instant::now();
        // Bedrock goes on for as long as somebody listens: it is let go when the channel closes.
        while tx.send(Ok(chunk(&words))).is_ok() {
            assert!(begun.elapsed() < Duration::from_secs(20), "it is never let go");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let record = control.plane.stored(1).await.remove(0);
        assert_eq!(record.outcome(), ccag_proto::v1::Outcome::Abandoned);
        assert!(rig.metrics().contains("ccag_dataplane_in_flight 0"));
        drop(sent.await.unwrap());
    }
}

#[tokio::test]
async fn a_body_is_counted_once_when_it_is_understood() {
    let (_control, rig) = usual_world().await;
    let long = "x".repeat(4 << 20);
    let body = ask(false).replace("\"hi\"", &format!("\"{long}\""));
    let length = body.len();
    rig.bedrock.push(Script::Hang);
    let mut waiting = std::pin::pin!(rig.post(body));
    while rig.bedrock.asked().is_empty() {
        let moment = Duration::from_millis(20);
        assert!(tokio::time::timeout(moment, &mut waiting).await.is_err());
    }
    let metrics = rig.metrics();
    let taken = metrics
        .lines()
        .find_map(|line| line.strip_prefix("ccag_dataplane_body_memory_bytes "));
    let taken: usize = taken.unwrap().parse().unwrap();
    assert!(
        (length..length + (64 << 10)).contains(&taken),
        "{taken} for {length}"
    );
}
