//! Clients that do as the SDKs do: what failed before the answer began is tried again, an answer that broke off is not.

use super::now_ms;
use crate::harness::{Client, Reply};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// For how long a client goes on trying one request.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the clients have seen.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) completed: Vec<Reply>,
    /// Answers that broke off: from when to when in Unix milliseconds, and how.
    pub(super) broken: Vec<(i64, i64, String)>,
    /// What no further attempt would change, and what none has changed.
    pub(super) failed: Vec<String>,
    /// Requests that the budget was not enough for.
    pub(super) exhausted: u64,
    /// Attempts after the first.
    pub(super) retries: u64,
    /// The longest that a client had to wait for the answer that it got in the end.
    pub(super) longest: Duration,
}

/// Clients at work.
pub(super) struct Traffic {
    stop: Arc<AtomicBool>,
    seen: Arc<Mutex<Seen>>,
    workers: Vec<JoinHandle<()>>,
}

impl Traffic {
    pub(super) fn start(clients: Vec<Client>, model: &'static str, prompt: &'static str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::new(Mutex::new(Seen::default()));
        let worker = |(n, client): (usize, Client)| {
            let (stop, seen) = (Arc::clone(&stop), Arc::clone(&seen));
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    ask(&client, model, &format!("client {n}: {prompt}"), &seen).await;
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            })
        };
        let workers = clients.into_iter().enumerate().map(worker).collect();
        Self { stop, seen, workers }
    }

    /// Lets every client finish its request.
    pub(super) async fn finish(self) -> Seen {
        self.stop.store(true, Ordering::Relaxed);
        for worker in self.workers {
            worker.await.unwrap();
        }
        std::mem::take(&mut *self.seen.lock().unwrap())
    }
}

/// What to do after an attempt.
enum Next {
    Done,
    /// The budget is used up: there is no hurry.
    Rest,
    Again,
}

/// One request, until it is answered.
async fn ask(client: &Client, model: &str, prompt: &str, seen: &Mutex<Seen>) {
    let begun = Instant::now();
    let mut pause = Duration::from_millis(250);
    loop {
        let started_ms = now_ms();
        let reply = client.try_stream(model, prompt).await;
        let next = seen.lock().unwrap().note(reply, started_ms, begun);
        match next {
            Next::Done => return,
            Next::Rest => return tokio::time::sleep(Duration::from_secs(1)).await,
            Next::Again => {}
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(2));
    }
}

impl Seen {
    /// Writes down what an attempt of a request that began at `begun` has come to.
    fn note(&mut self, reply: Result<Reply, reqwest::Error>, started_ms: i64, begun: Instant) -> Next {
        let why = match reply {
            Ok(reply) if reply.is_complete() => {
                self.longest = self.longest.max(begun.elapsed());
                self.completed.push(reply);
                return Next::Done;
            }
            Ok(reply) if reply.status == 200 => {
                self.broken.push((started_ms, now_ms(), reply.body.to_string()));
                return Next::Done;
            }
            Ok(reply) if reply.error_type() == "billing_error" => {
                self.exhausted += 1;
                return Next::Rest;
            }
            Err(error) if error.is_body() || error.is_decode() => {
                self.broken.push((started_ms, now_ms(), format!("{error:?}")));
                return Next::Done;
            }
            Ok(reply) => {
                let why = format!("{} {}", reply.status, reply.body);
                if !matches!(reply.status, 408 | 409 | 429 | 500..) {
                    self.failed.push(why);
                    return Next::Done;
                }
                why
            }
            Err(error) => format!("{error:?}"),
        };
        if begun.elapsed() > PATIENCE {
            self.failed.push(format!("tried for {PATIENCE:?}: {why}"));
            return Next::Done;
        }
        self.retries += 1;
        Next::Again
    }
}
