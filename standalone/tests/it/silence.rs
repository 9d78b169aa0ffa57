//! Bedrock thinks for a long time.

use crate::harness::{MODEL, standalone};
use bedrock_sim::Action;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn the_client_hears_a_ping_at_least_every_fifteen_seconds() {
    let it = standalone().await;
    it.sim.once(Action::Silence {
        after: Some(4),
        ms: 32_000,
    });
    let reply = it
        .client
        .stream(MODEL, "think hard [sim: text=400, events=10]")
        .await;
    assert!(reply.is_complete(), "{:?}", reply.events);
    let pings = reply.events.iter().filter(|name| *name == "ping").count();
    assert!(pings >= 2, "{pings} pings in 32 s: {:?}", reply.events);
    let longest = reply
        .times
        .windows(2)
        .map(|pair| pair[1] - pair[0])
        .max()
        .unwrap();
    assert!(longest < Duration::from_secs(15), "silent for {longest:?}");
    let account = it.sim.settled().await;
    assert_eq!(reply.text(), account[0].text());
}

#[tokio::test(flavor = "multi_thread")]
async fn events_come_one_by_one_as_bedrock_sends_them() {
    let it = standalone().await;
    let reply = it
        .client
        .stream(MODEL, "slowly [sim: text=300, events=10, gap=100]")
        .await;
    let spread = *reply.times.last().unwrap() - reply.times[0];
    assert!(
        spread > Duration::from_millis(700),
        "all at once, within {spread:?}"
    );
}
