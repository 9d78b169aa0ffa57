//! Requests of one shape, one after the other on some connections, until nobody wants more.

use crate::harness::MODEL;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::task::JoinHandle;

/// How many requests run at a time at each data plane.
pub(crate) const CLIENTS: usize = 4;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Shape {
    /// A short question, and a short answer at once.
    Message,
    /// A question of 60 kB, and an answer of about fifty events.
    Stream,
}

impl Shape {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Stream => "stream",
        }
    }

    fn body(self) -> String {
        let prompt = match self {
            Self::Message => "Say something short. [sim: text=200]".to_owned(),
            Self::Stream => {
                let line =
                    "fn what_stands_in_a_file(of: &str) -> Option<usize> { of.len().checked_sub(1) }\n";
                let file = line.repeat(60_000 / line.len());
                format!("{file}What does it do? [sim: text=4000, events=50]")
            }
        };
        let body = json!({
            "model": MODEL,
            "max_tokens": 4096,
            "stream": self == Self::Stream,
            "messages": [{"role": "user", "content": prompt}],
        });
        body.to_string()
    }
}

/// Clients at work.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    clients: Vec<JoinHandle<()>>,
}

impl Load {
    /// Begins to send requests, and to read every answer to its end.
    pub(crate) fn start(url: &str, secret: &str, shape: Shape) -> Self {
        let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let body = bytes::Bytes::from(shape.body());
        let client = |_| {
            let (http, stop, answered, body) = (http.clone(), stop.clone(), answered.clone(), body.clone());
            let (url, secret) = (format!("{url}/v1/messages"), secret.to_owned());
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let request = http.post(&url).header("x-api-key", &secret);
                    let request = request.header("anthropic-version", "2023-06-01");
                    let response = request.body(body.clone()).send().await.unwrap();
                    let status = response.status();
                    let answer = response.bytes().await.unwrap();
                    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&answer));
                    assert!(shape == Shape::Message || answer.ends_with(b"\"message_stop\"}\n\n"));
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            })
        };
        let clients = (0..CLIENTS).map(client).collect();
        Self {
            stop,
            answered,
            clients,
        }
    }

    /// How many requests have been answered.
    pub(crate) fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    /// Waits until every client has its last answer.
    pub(crate) async fn finish(self) {
        self.stop.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.await.unwrap();
        }
    }
}
