//! Ctrl-C on the machine of somebody who tries it.

use crate::harness::{MODEL, message, standalone, wait_until};
use serde_json::json;
use std::time::{Duration, Instant};

/// Reads on until these words come.
async fn until(stream: &mut reqwest::Response, words: &str) {
    let mut read = String::new();
    while !read.contains(words) {
        let chunk = tokio::time::timeout(Duration::from_secs(10), stream.chunk()).await;
        let chunk = chunk.expect("the stream goes on").unwrap();
        read.push_str(std::str::from_utf8(&chunk.expect("the stream is open")).unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_ends_standalone_at_once_where_nothing_is_open() {
    let mut it = standalone().await;
    // The connection is kept, and so is one that says nothing.
    assert_eq!(it.client.send(&message(MODEL, "hello")).await.status, 200);
    let address = it.gateway.url.trim_start_matches("http://").to_owned();
    let silent = tokio::net::TcpStream::connect(address).await.unwrap();
    let begun = Instant::now();
    it.gateway.process.signal("INT");
    let status = it.gateway.process.ended(Duration::from_secs(8)).await;
    assert_eq!(status.code(), Some(0), "{}", it.gateway.process.output());
    eprintln!("ended after {:?}", begun.elapsed());
    drop(silent);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_stream_is_waited_for_until_a_second_ctrl_c() {
    let mut it = standalone().await;
    let mut body = message(MODEL, "tell me [sim: text=4000, events=1000, gap=300]");
    body["stream"] = json!(true);
    let mut stream = it.client.request().body(body.to_string()).send().await.unwrap();
    until(&mut stream, "content_block_delta").await;
    it.gateway.process.signal("INT");
    let address = it.gateway.url.trim_start_matches("http://").to_owned();
    wait_until("nobody new gets in", Duration::from_secs(5), || async {
        tokio::net::TcpStream::connect(&address)
            .await
            .is_err()
            .then_some(())
    })
    .await;
    for _ in 0..5 {
        until(&mut stream, "content_block_delta").await;
    }
    it.gateway.process.signal("INT");
    let status = it.gateway.process.ended(Duration::from_secs(10)).await;
    assert_eq!(status.code(), Some(0), "{}", it.gateway.process.output());
    until(&mut stream, "overloaded_error").await;
    let output = it.gateway.process.output();
    assert!(output.contains("a second signal stops at once"), "{output}");
}
