//! How often endpoints have throttled lately, as far as this data plane knows: for the strategy `least_throttled`, which tries
//! those first that throttle least. It is forgotten at a restart, and other data planes have counts of their own.

use ccag_domain::{Clock, EndpointId, UnixMs};
use ccag_translate::error::Health as Finding;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// What is called lately: the last minute, which goes by in steps of ten seconds.
const STEP_MS: i64 = 10_000;
const STEPS: usize = 6;

/// The throttled answers of one endpoint.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    /// The number of the newest step, and what was counted in it and those before.
    step: i64,
    counts: [u32; STEPS],
}

impl Counts {
    /// Moves on to a step: what is older than a minute is gone.
    fn at(mut self, step: i64) -> Self {
        let passed = usize::try_from(step - self.step).unwrap_or(0).min(STEPS);
        if passed > 0 {
            self.counts.rotate_right(passed);
            self.counts[..passed].fill(0);
            self.step = step;
        }
        self
    }

    fn sum(&self) -> u32 {
        self.counts
            .iter()
            .fold(0, |sum, count| sum.saturating_add(*count))
    }
}

/// The throttled answers of all endpoints.
pub(crate) struct Throttling {
    clock: Arc<dyn Clock>,
    endpoints: RwLock<HashMap<EndpointId, Counts>>,
    /// How many endpoints have an entry: on an ordinary day none, and nobody takes the lock.
    entries: AtomicUsize,
}

impl Throttling {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            endpoints: RwLock::default(),
            entries: AtomicUsize::new(0),
        }
    }

    /// An attempt at an endpoint has failed; it counts if it was throttled.
    pub(crate) fn noticed(&self, endpoint: &EndpointId, finding: Finding) {
        if !matches!(finding, Finding::Throttled | Finding::DailyQuota) {
            return;
        }
        let step = step(self.clock.now_ms());
        let mut endpoints = self.endpoints.write().unwrap_or_else(PoisonError::into_inner);
        endpoints.retain(|_, counts| counts.at(step).sum() > 0);
        let counts = endpoints.entry(endpoint.clone()).or_default();
        *counts = counts.at(step);
        counts.counts[0] = counts.counts[0].saturating_add(1);
        self.entries.store(endpoints.len(), Ordering::Relaxed);
    }

    /// How many answers of an endpoint were throttled within the last minute, give or take ten seconds.
    pub(crate) fn lately(&self, endpoint: &EndpointId) -> u32 {
        if self.entries.load(Ordering::Relaxed) == 0 {
            return 0;
        }
        let endpoints = self.endpoints.read().unwrap_or_else(PoisonError::into_inner);
        let step = step(self.clock.now_ms());
        endpoints.get(endpoint).map_or(0, |counts| counts.at(step).sum())
    }
}

fn step(at_ms: UnixMs) -> i64 {
    at_ms.div_euclid(STEP_MS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicI64;

    #[derive(Debug)]
    struct Hand(AtomicI64);

    impl Clock for Hand {
        fn now_ms(&self) -> UnixMs {
            self.0.load(Ordering::Relaxed)
        }
    }

    #[test]
    fn throttled_answers_count_for_a_minute() {
        let clock = Arc::new(Hand(AtomicI64::new(1_000_000)));
        let throttling = Throttling::new(Arc::clone(&clock) as Arc<dyn Clock>);
        let [one, other] = ["end_1", "end_2"].map(|id| EndpointId::parse(id).unwrap());
        assert_eq!(throttling.lately(&one), 0);
        for finding in [
            Finding::Throttled,
            Finding::DailyQuota,
            Finding::Unavailable,
            Finding::Fine,
        ] {
            throttling.noticed(&one, finding);
        }
        assert_eq!((throttling.lately(&one), throttling.lately(&other)), (2, 0));
        clock.0.fetch_add(30_000, Ordering::Relaxed);
        throttling.noticed(&one, Finding::Throttled);
        assert_eq!(throttling.lately(&one), 3);
        clock.0.fetch_add(30_000, Ordering::Relaxed);
        assert_eq!(throttling.lately(&one), 1);
        clock.0.fetch_add(3_600_000, Ordering::Relaxed);
        assert_eq!(throttling.lately(&one), 0);
        // Those that throttle no more are forgotten.
        throttling.noticed(&other, Finding::Throttled);
        assert_eq!(throttling.entries.load(Ordering::Relaxed), 1);
    }
}
