//! What explains refusals, until it is delivered: bounded, and let go rather than waited for.

use super::{Stage, refused};
use crate::metrics::Metrics;
use crate::ratelimit::RateLimiter;
use bytes::Bytes;
use ccag_domain::{Explanation, Problem, ReplicaId};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

/// How many are kept at most: a few megabytes.
const MAX_KEPT: usize = 2_048;

/// How many refusals of one key a minute are explained: a client that tries again and again is told the same thing.
const PER_KEY_RPM: u32 = 60;

/// Refusals that nobody has been told of yet.
pub(crate) struct Refusals {
    waiting: Mutex<Waiting>,
    /// Told when there is one.
    added: Notify,
    by_key: RateLimiter<String>,
    replica_id: ReplicaId,
    metrics: Arc<Metrics>,
}

#[derive(Default)]
struct Waiting {
    texts: VecDeque<Bytes>,
    /// How many have left at the front.
    gone: u64,
}

impl Refusals {
    pub(crate) fn new(replica_id: ReplicaId, metrics: Arc<Metrics>) -> Self {
        Self {
            waiting: Mutex::default(),
            added: Notify::new(),
            by_key: RateLimiter::default(),
            replica_id,
            metrics,
        }
    }

    /// Notes why a request was refused.
    pub(crate) fn note(&self, mut explanation: Box<Explanation>, stage: Stage, problem: &Problem) {
        let (key, at_ms) = (&explanation.key.id, explanation.at_ms);
        if self.by_key.admit(key, PER_KEY_RPM, at_ms).is_err() {
            self.metrics.explanation_dropped("repeated");
            return;
        }
        refused(&mut explanation, stage, problem);
        explanation.end();
        explanation.replica_id = self.replica_id.to_string();
        let text = Bytes::from(explanation.to_json());
        {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.texts.push_back(text);
            if waiting.texts.len() > MAX_KEPT {
                waiting.texts.pop_front();
                waiting.gone += 1;
                self.metrics.explanation_dropped("full");
            }
        }
        self.added.notify_one();
    }

    /// Waits until there is one.
    pub(super) async fn ready(&self) {
        loop {
            let added = self.added.notified();
            if !self.is_empty() {
                return;
            }
            added.await;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .texts
            .is_empty()
    }

    /// The first of them, and a mark for [`Refusals::delivered`].
    pub(super) fn first(&self, count: usize) -> (Vec<Bytes>, u64) {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let texts: Vec<_> = waiting.texts.iter().take(count).cloned().collect();
        let mark = waiting.gone + texts.len() as u64;
        (texts, mark)
    }

    /// All up to the mark have arrived.
    pub(super) fn delivered(&self, mark: u64) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        while waiting.gone < mark && waiting.texts.pop_front().is_some() {
            waiting.gone += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ccag_domain::Code;
    use ccag_domain::explanation::KeyShown;
    use prometheus_client::encoding::text::encode;
    use prometheus_client::registry::Registry;

    fn of_key(n: usize) -> Box<Explanation> {
        Box::new(Explanation {
            request_id: format!("req_{n}"),
            at_ms: 1_000,
            key: KeyShown {
                id: format!("key_{n}"),
                ..KeyShown::default()
            },
            ..Explanation::default()
        })
    }

    #[test]
    fn what_is_kept_is_bounded_and_what_is_let_go_is_counted() {
        let mut registry = Registry::default();
        let metrics = Arc::new(Metrics::new(&mut registry));
        let refusals = Refusals::new(ReplicaId::parse("rep_1").unwrap(), metrics);
        let problem = Problem::new(Code::RateLimited, "wait");
        for n in 0..MAX_KEPT + 3 {
            refusals.note(of_key(n), Stage::Admission, &problem);
        }
        let (first, mark) = refusals.first(10);
        let read = |text: &Bytes| Explanation::read(std::str::from_utf8(text).unwrap()).unwrap();
        assert_eq!(read(&first[0]).request_id, "req_3");
        // While these are on their way, older ones are pushed out: only what has arrived leaves.
        refusals.note(of_key(9_000), Stage::Admission, &problem);
        refusals.delivered(mark);
        assert_eq!(read(&refusals.first(1).0[0]).request_id, "req_13");
        refusals.delivered(u64::MAX);
        assert!(refusals.is_empty());
        for _ in 0..PER_KEY_RPM + 5 {
            refusals.note(of_key(1), Stage::Admission, &problem);
        }
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        assert!(
            text.contains("explanations_dropped_total{reason=\"full\"} 4"),
            "{text}"
        );
        // One of the key was noted before.
        assert!(
            text.contains("explanations_dropped_total{reason=\"repeated\"} 6"),
            "{text}"
        );
    }
}
