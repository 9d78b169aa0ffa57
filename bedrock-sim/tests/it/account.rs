//! The account is what the clients got.

use crate::{frames, stream};
use bedrock_sim::{Ending, Sim};
use std::time::Duration;

#[tokio::test]
async fn a_stream_that_was_read_whole_is_completed_with_its_tokens() {
    let sim = Sim::builder().start().await.unwrap();
    let response = stream(&sim, "hello").await;
    let request_id = response.headers()["x-amzn-requestid"]
        .to_str()
        .unwrap()
        .to_owned();
    let sent = frames(&response.bytes().await.unwrap()).unwrap().len();
    let entry = sim.account().pop().unwrap();
    assert_eq!(entry.request_id, request_id);
    assert_eq!(entry.ending, Ending::Completed);
    assert_eq!(entry.frames_sent, sent as u64);
    assert!(entry.output_sent == entry.usage.output && entry.usage.output > 0);
}

#[tokio::test]
async fn a_client_that_goes_away_is_seen_while_the_simulator_is_silent() {
    let sim = Sim::builder().start().await.unwrap();
    for prompt in ["[sim: text=1000, events=50, gap=60000]", "[sim: head=60000]"] {
        sim.clear();
        {
            let request = stream(&sim, prompt);
            match tokio::time::timeout(Duration::from_millis(300), request).await {
                Ok(mut response) => drop(response.chunk().await),
                Err(_) => assert!(prompt.contains("head")),
            }
        }
        let seen = async {
            while sim.account()[0].ending != Ending::Cancelled {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(5), seen)
            .await
            .expect(prompt);
    }
}

#[tokio::test]
async fn the_log_has_bodies_and_no_credentials() {
    let sim = Sim::builder().bearer_key("bedrock-key").start().await.unwrap();
    let url = format!("{}/model/{}/invoke", sim.base_url(), crate::OPUS);
    let body = crate::body("remember me").to_string();
    let request = reqwest::Client::new()
        .post(url)
        .bearer_auth("bedrock-key")
        .body(body.clone());
    request.send().await.unwrap();
    let received = sim.requests().pop().unwrap();
    assert_eq!((received.body, received.status), (body, 200));
    assert!(
        received
            .headers
            .iter()
            .all(|(_, value)| !value.contains("bedrock-key"))
    );
}
