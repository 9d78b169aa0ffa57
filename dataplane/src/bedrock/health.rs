//! What this data plane has learnt about endpoints: which of them to try last for a while.
//!
//! It changes the order of a route, never its members, and is forgotten at a restart: configuration decides where requests
//! may go, this only saves them detours.

use ccag_domain::routing::Candidate;
use ccag_domain::{Clock, EndpointId, UnixMs};
use ccag_translate::error::Health as Finding;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// The longest that an endpoint is tried last because of throttling.
const LONGEST_THROTTLE_MS: i64 = 20_000;

/// From this many entries on those that have run out are removed.
const TIDY_ABOVE: usize = 256;

type Key = (EndpointId, String);

#[derive(Debug, Clone, Copy, Default)]
struct Cooling {
    until_ms: UnixMs,
    throttles: u32,
}

/// The state of all endpoints, by endpoint and Bedrock model.
pub(crate) struct EndpointHealth {
    clock: Arc<dyn Clock>,
    cooling: RwLock<HashMap<Key, Cooling>>,
    /// How many entries there are: on an ordinary day none, and nobody takes the lock.
    entries: AtomicUsize,
}

impl EndpointHealth {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            cooling: RwLock::default(),
            entries: AtomicUsize::new(0),
        }
    }

    /// Moves candidates that are in trouble behind those that are not; otherwise the order stays.
    pub(crate) fn order(&self, route: &mut [Candidate]) {
        if route.len() < 2 || self.entries.load(Ordering::Relaxed) == 0 {
            return;
        }
        let now = self.clock.now_ms();
        let cooling = self.cooling.read().unwrap_or_else(PoisonError::into_inner);
        route.sort_by_key(|candidate| cooling.get(&key(candidate)).is_some_and(|c| c.until_ms > now));
    }

    /// Whether a candidate is in trouble.
    pub(crate) fn is_cooling(&self, candidate: &Candidate) -> bool {
        if self.entries.load(Ordering::Relaxed) == 0 {
            return false;
        }
        let cooling = self.cooling.read().unwrap_or_else(PoisonError::into_inner);
        cooling
            .get(&key(candidate))
            .is_some_and(|c| c.until_ms > self.clock.now_ms())
    }

    /// How many throttles in a row a candidate has answered.
    pub(crate) fn throttles(&self, candidate: &Candidate) -> u32 {
        if self.entries.load(Ordering::Relaxed) == 0 {
            return 0;
        }
        let cooling = self.cooling.read().unwrap_or_else(PoisonError::into_inner);
        cooling.get(&key(candidate)).map_or(0, |c| c.throttles)
    }

    /// A candidate has answered.
    pub(crate) fn succeeded(&self, candidate: &Candidate) {
        if self.entries.load(Ordering::Relaxed) == 0 {
            return;
        }
        let mut cooling = self.cooling.write().unwrap_or_else(PoisonError::into_inner);
        cooling.remove(&key(candidate));
        self.entries.store(cooling.len(), Ordering::Relaxed);
    }

    /// A candidate has failed.
    pub(crate) fn failed(&self, candidate: &Candidate, finding: Finding) {
        let fixed_ms = match finding {
            Finding::Fine | Finding::CountingUnsupported => return,
            Finding::Throttled => None,
            Finding::DailyQuota => Some(3_600_000),
            Finding::Unavailable => Some(5_000),
            Finding::Credentials => Some(15_000),
            Finding::ModelMissing => Some(600_000),
        };
        let now = self.clock.now_ms();
        let mut cooling = self.cooling.write().unwrap_or_else(PoisonError::into_inner);
        if cooling.len() > TIDY_ABOVE {
            cooling.retain(|_, c| c.until_ms > now);
        }
        let entry = cooling.entry(key(candidate)).or_default();
        let for_ms = match fixed_ms {
            Some(ms) => ms,
            None => {
                entry.throttles = entry.throttles.saturating_add(1);
                (1_000 << entry.throttles.min(8)).min(LONGEST_THROTTLE_MS)
            }
        };
        entry.until_ms = entry.until_ms.max(now + for_ms);
        self.entries.store(cooling.len(), Ordering::Relaxed);
    }
}

fn key(candidate: &Candidate) -> Key {
    (candidate.endpoint.id.clone(), candidate.model.id.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ccag_domain::time::FixedClock;
    use ccag_domain::{BedrockModel, Endpoint, Geography, Lane, Lanes};

    fn candidate(n: u32) -> Candidate {
        Candidate {
            endpoint: Endpoint {
                id: EndpointId::parse(&format!("end_{n}")).unwrap(),
                name: n.to_string(),
                region: None,
                role_arn: None,
                external_id: None,
                geography: None,
                runtime_url: None,
                lanes: Lanes::default(),
                mantle_url: None,
                guardrail: None,
                offers: std::sync::Arc::default(),
                weight: 1,
                enabled: true,
                is_default: true,
            },
            model: BedrockModel {
                id: "m".into(),
                geography: Geography::Us,
            },
            lane: Lane::InvokeModel,
        }
    }

    fn order(health: &EndpointHealth) -> String {
        let mut route = [candidate(1), candidate(2), candidate(3)];
        health.order(&mut route);
        route.map(|c| c.endpoint.name).concat()
    }

    #[test]
    fn an_endpoint_in_trouble_is_tried_last_until_it_answers() {
        let health = EndpointHealth::new(Arc::new(FixedClock(1_000)));
        assert_eq!(order(&health), "123");
        health.failed(&candidate(1), Finding::Unavailable);
        assert_eq!(order(&health), "231");
        health.failed(&candidate(2), Finding::Fine);
        assert_eq!(order(&health), "231");
        health.succeeded(&candidate(1));
        assert_eq!(order(&health), "123");
    }

    #[test]
    fn throttles_in_a_row_are_counted_until_one_goes_through() {
        let health = EndpointHealth::new(Arc::new(FixedClock(1_000)));
        for n in 0..40 {
            assert_eq!(health.throttles(&candidate(1)), n);
            health.failed(&candidate(1), Finding::Throttled);
        }
        assert_eq!(health.throttles(&candidate(2)), 0);
        health.succeeded(&candidate(1));
        assert_eq!(health.throttles(&candidate(1)), 0);
    }
}
