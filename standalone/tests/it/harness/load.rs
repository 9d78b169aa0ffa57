//! Clients that send one streaming request after another, and the books they keep.

use super::client::{Client, Reply};
use super::gateway::MODEL;
use super::sim::Answer;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::JoinHandle;

/// Clients at work.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    completed: Arc<AtomicU64>,
    workers: Vec<JoinHandle<Tally>>,
}

/// What the clients have seen.
#[derive(Default)]
pub(crate) struct Tally {
    /// The answers that arrived whole.
    pub(crate) completed: Vec<Reply>,
    /// Everything else: refusals, broken connections.
    pub(crate) failed: Vec<String>,
}

impl Load {
    /// Starts `clients` clients; each pauses `pause` between its requests.
    pub(crate) fn start(client: &Client, clients: usize, prompt: &str, pause: Duration) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let completed = Arc::new(AtomicU64::new(0));
        let workers = (0..clients)
            .map(|number| {
                let (client, stop, completed) = (client.clone(), stop.clone(), completed.clone());
                let prompt = format!("client {number}: {prompt}");
                tokio::spawn(async move {
                    let mut tally = Tally::default();
                    while !stop.load(Ordering::Relaxed) {
                        match client.try_stream(MODEL, &prompt).await {
                            Ok(reply) if reply.is_complete() => {
                                completed.fetch_add(1, Ordering::Relaxed);
                                tally.completed.push(reply);
                            }
                            Ok(reply) => tally.failed.push(format!("{} {}", reply.status, reply.body)),
                            Err(error) => {
                                tally.failed.push(format!("{error:?}"));
                                tokio::time::sleep(Duration::from_millis(50)).await;
                            }
                        }
                        tokio::time::sleep(pause).await;
                    }
                    tally
                })
            })
            .collect();
        Self {
            stop,
            completed,
            workers,
        }
    }

    /// Waits until the clients have completed so many requests more.
    pub(crate) async fn complete(&self, more: u64) {
        let goal = self.completed.load(Ordering::Relaxed) + more;
        super::wait_until("the load has gone on", Duration::from_secs(60), || async {
            (self.completed.load(Ordering::Relaxed) >= goal).then_some(())
        })
        .await;
    }

    /// Lets every client finish its request and collects what they saw.
    pub(crate) async fn finish(self) -> Tally {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Tally::default();
        for worker in self.workers {
            let tally = worker.await.unwrap();
            all.completed.extend(tally.completed);
            all.failed.extend(tally.failed);
        }
        all
    }
}

impl Tally {
    pub(crate) fn request_ids(&self) -> Vec<String> {
        self.completed
            .iter()
            .map(|reply| reply.request_id.clone())
            .collect()
    }

    /// Holds the ledger against Bedrock's own account: every completed answer once and with its exact tokens, and nothing
    /// that Bedrock knows nothing of.
    pub(crate) fn assert_billed(&self, ledger: &[Value], account: &[Answer]) {
        let answers: HashMap<&str, &Answer> = account.iter().map(|a| (a.request_id.as_str(), a)).collect();
        let mut rows: HashMap<&str, Vec<&Value>> = HashMap::new();
        let mut billed: HashMap<&str, usize> = HashMap::new();
        for row in ledger {
            rows.entry(row["request_id"].as_str().unwrap())
                .or_default()
                .push(row);
            if let Some(id) = row["aws_request_id"].as_str() {
                *billed.entry(id).or_default() += 1;
            }
        }
        for (id, times) in billed {
            assert_eq!(times, 1, "Bedrock's answer {id} is billed {times} times");
            assert!(
                answers.contains_key(id),
                "Bedrock has never given the answer {id}"
            );
        }
        for reply in &self.completed {
            let rows = &rows[reply.request_id.as_str()];
            assert_eq!(
                rows.len(),
                1,
                "{} stands in the ledger {} times",
                reply.request_id,
                rows.len()
            );
            let row = rows[0];
            assert_eq!(row["outcome"], "completed", "{row}");
            let answer = answers[row["aws_request_id"].as_str().unwrap()];
            answer.assert_billed_by(row);
            assert_eq!(reply.text(), answer.text(), "{}", reply.request_id);
        }
    }
}
