//! Large bodies, all of them there at once: Bedrock has them all and does not answer.

use crate::arena::Arena;
use crate::harness::{MODEL, wait_until};
use bytes::Bytes;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::task::JoinSet;

/// What a round has come to, in bytes.
#[derive(Debug)]
pub(crate) struct Round {
    in_flight: u64,
    /// What the process had before the first round.
    idle: u64,
    peak: u64,
    /// While all bodies were there and nothing moved.
    held: u64,
    /// A second after they were gone.
    after: u64,
}

impl Round {
    /// What was added at most, in units of what was in flight.
    fn ratio(&self) -> f64 {
        self.peak.saturating_sub(self.idle) as f64 / self.in_flight as f64
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "in_flight": self.in_flight, "idle": self.idle, "peak": self.peak, "held": self.held, "after": self.after,
            "ratio": self.ratio(),
        })
    }
}

/// A request of so many bytes as Claude Code sends them: a history, with pictures in it.
fn body(size: usize) -> Bytes {
    let picture = "iVBORw0KGgoAAAANSUhEUgAA".repeat(150_000);
    let text = |text: String| json!([{"type": "text", "text": text}]);
    let mut messages = Vec::new();
    for turn in 0..100 {
        messages.push(
            json!({"role": "user", "content": text(format!("question {turn} {}", "words ".repeat(200)))}),
        );
        messages.push(
            json!({"role": "assistant", "content": text(format!("answer {turn} {}", "words ".repeat(200)))}),
        );
    }
    let image = |data: &str| json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}});
    let mut last = vec![json!({"type": "text", "text": "what is there? [sim: head=3600000]"})];
    let mut left = size.saturating_sub(400_000);
    while left > 0 {
        let length = left.min(picture.len()) / 4 * 4;
        last.push(image(&picture[..length.max(24)]));
        left = left.saturating_sub(length.max(24));
    }
    messages.push(json!({"role": "user", "content": last}));
    let body = json!({"model": MODEL, "max_tokens": 1000, "stream": true, "messages": messages}).to_string();
    // Filled up with blanks to the exact size.
    let fill = " ".repeat(size.saturating_sub(body.len()));
    format!("{}{fill}}}", &body[..body.len() - 1]).into()
}

/// Sends `count` bodies of a size at once, several times.
pub(crate) async fn run(arena: &Arena, count: usize, size: usize, rounds: usize) -> Vec<Round> {
    let body = body(size);
    let idle = arena.resident.now();
    let mut done = Vec::new();
    for _ in 0..rounds {
        arena.resident.forget_peak();
        let mut clients = JoinSet::new();
        for _ in 0..count {
            let (body, url) = (body.clone(), format!("{}/v1/messages", arena.plane.http));
            let secret = arena.secret.clone();
            clients.spawn(async move {
                let http = reqwest::Client::builder().no_proxy().build().unwrap();
                let request = http.post(url).header("x-api-key", secret).body(body);
                let answer = request.send().await.unwrap();
                panic!("answered: {}", answer.text().await.unwrap());
            });
        }
        let all = wait_until("Bedrock has all of them", Duration::from_secs(300), || async {
            (arena.sim.account().len() == count).then_some(())
        });
        tokio::select! {
            () = all => {}
            Some(ended) = clients.join_next() => panic!("{ended:?}"),
        }
        let (held, peak) = (arena.resident.now(), arena.resident.peak());
        clients.shutdown().await;
        arena.quiet().await;
        arena.sim.clear();
        tokio::time::sleep(Duration::from_secs(1)).await;
        done.push(Round {
            in_flight: (count * body.len()) as u64,
            idle,
            peak,
            held,
            after: arena.resident.now(),
        });
    }
    done
}

pub(crate) fn print(rounds: &[Round]) {
    let mb = |bytes: u64| bytes as f64 / 1e6;
    println!("large bodies, in MB: what was in flight, and what the data plane had in memory");
    println!(
        "| round | in flight | idle | peak | while all were there | a second later | (peak - idle) / in flight |"
    );
    println!("|---|---|---|---|---|---|---|");
    for (n, round) in rounds.iter().enumerate() {
        println!(
            "| {} | {:.0} | {:.0} | {:.0} | {:.0} | {:.0} | **{:.2}** |",
            n + 1,
            mb(round.in_flight),
            mb(round.idle),
            mb(round.peak),
            mb(round.held),
            mb(round.after),
            round.ratio(),
        );
    }
}
