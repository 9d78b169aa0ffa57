//! Requests of one shape, until nobody wants more.

use anyhow::{Context, Result};
use ccag_bench::client::{Client, Shape, Target};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::JoinHandle;

/// A short question, and a short answer in one piece: the request in which everything else costs least.
pub(crate) const SMALL: Shape = Shape {
    name: "small",
    prompt: 0,
    text: 200,
    events: 0,
    gap_ms: 0,
};

/// A question of Claude Code's size, and two hundred events at once.
pub(crate) const AT_ONCE: Shape = Shape {
    name: "at-once",
    prompt: 60_000,
    text: 4_000,
    events: 200,
    gap_ms: 0,
};

/// The same, at the pace at which a model speaks.
pub(crate) const PACED: Shape = Shape {
    name: "paced",
    gap_ms: 5,
    ..AT_ONCE
};

/// Large bodies, as pictures and long histories make them, and a short answer.
pub(crate) const BODIES: [Shape; 3] = [
    Shape {
        name: "1-mb",
        prompt: 1_000_000,
        ..LARGE
    },
    Shape {
        name: "10-mb",
        prompt: 10_000_000,
        ..LARGE
    },
    Shape {
        name: "30-mb",
        prompt: 30_000_000,
        ..LARGE
    },
];

const LARGE: Shape = Shape {
    name: "large",
    prompt: 0,
    text: 200,
    events: 10,
    gap_ms: 0,
};

/// How many ask at a time.
pub(crate) fn clients(shape: Shape) -> usize {
    match shape {
        _ if shape.gap_ms > 0 => 40,
        _ if shape.prompt > 100_000 => 2,
        _ => 4,
    }
}

/// Clients at work.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    clients: Vec<JoinHandle<Result<Vec<Duration>>>>,
}

impl Load {
    /// Begins to ask, a little apart from each other, each again when it has its answer.
    #[expect(
        clippy::disallowed_methods,
        reason = "a benchmark's own clients, which are waited for"
    )]
    pub(crate) async fn start(target: &Target, shape: Shape) -> Result<Self> {
        let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let mut all = Vec::new();
        for n in 0..clients(shape) {
            let mut client = Client::connect(target, shape).await?;
            let (stop, answered) = (Arc::clone(&stop), Arc::clone(&answered));
            all.push(tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(25 * n as u64)).await;
                let mut gaps = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    gaps.extend(client.ask().await?.gaps);
                    answered.fetch_add(1, Ordering::Relaxed);
                }
                Ok(gaps)
            }));
        }
        Ok(Self {
            stop,
            answered,
            clients: all,
        })
    }

    /// How many requests have been answered.
    pub(crate) fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    /// Waits until every client has its last answer: the times between the parts of all.
    ///
    /// # Errors
    /// If an answer was not what it should be.
    pub(crate) async fn finish(self) -> Result<Vec<Duration>> {
        self.stop.store(true, Ordering::Relaxed);
        let mut gaps = Vec::new();
        for client in self.clients {
            gaps.extend(client.await.context("a client broke")??);
        }
        Ok(gaps)
    }
}
