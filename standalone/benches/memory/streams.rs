//! Streams that are open for long, each with an event now and then.

use crate::arena::Arena;
use crate::harness::{Client, MODEL, wait_until};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// How often it is looked.
const EVERY: Duration = Duration::from_secs(5);

/// What it came to.
#[derive(Debug)]
pub(crate) struct Watched {
    streams: usize,
    idle: u64,
    /// Bytes, by seconds since all were open.
    samples: Vec<(f64, u64)>,
    /// A second after all have ended.
    after: u64,
}

/// Opens so many streams and watches them.
pub(crate) async fn run(arena: &Arena, streams: usize, length: Duration) -> Watched {
    let idle = arena.resident.now();
    // An event every two seconds, for longer than anybody looks.
    let events = length.as_secs() / 2 + 120;
    let prompt = format!("tell me [sim: text={}, events={events}, gap=2000]", events * 40);
    let mut clients = JoinSet::new();
    for n in 0..streams {
        let client = Client::without_pool(&arena.plane.http, &arena.secret);
        let prompt = format!("{n}: {prompt}");
        clients.spawn(async move { client.try_stream(MODEL, &prompt).await });
        if n % 20 == 19 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    wait_until("all streams are open", Duration::from_secs(120), || async {
        (arena.plane.metric("in_flight").await == streams as i64).then_some(())
    })
    .await;
    tokio::time::sleep(EVERY).await;
    let begun = Instant::now();
    let mut samples = Vec::new();
    while begun.elapsed() < length {
        samples.push((begun.elapsed().as_secs_f64(), arena.resident.now()));
        tokio::time::sleep(EVERY).await;
    }
    assert_eq!(
        arena.plane.metric("in_flight").await,
        streams as i64,
        "some have ended"
    );
    clients.shutdown().await;
    arena.quiet().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    Watched {
        streams,
        idle,
        samples,
        after: arena.resident.now(),
    }
}

impl Watched {
    /// Kilobytes for each stream, at a sample.
    fn each(&self, bytes: u64) -> f64 {
        bytes.saturating_sub(self.idle) as f64 / self.streams as f64 / 1e3
    }

    pub(crate) fn print(&self) {
        let each: Vec<f64> = self.samples.iter().map(|(_, bytes)| self.each(*bytes)).collect();
        let (least, most) = each.iter().fold((f64::MAX, 0.0f64), |(least, most), &kb| {
            (least.min(kb), most.max(kb))
        });
        println!(
            "{} open streams: {:.1} kB each at first, {:.1} kB after {:.0} s, {least:.1} to {most:.1} kB in between; \
             {:.1} MB before, {:.1} MB a second after the last",
            self.streams,
            each[0],
            each[each.len() - 1],
            self.samples[self.samples.len() - 1].0,
            self.idle as f64 / 1e6,
            self.after as f64 / 1e6,
        );
    }

    pub(crate) fn json(&self) -> Value {
        json!({"streams": self.streams, "idle": self.idle, "samples": self.samples, "after": self.after})
    }
}
