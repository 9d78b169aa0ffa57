//! Where tokens are not counted, as far as is known: asking there again and again would only make clients wait.

use ccag_domain::{Clock, EndpointId, Lane, UnixMs};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// An endpoint that did not count is not asked again for so long.
const LEFT_ALONE_MS: i64 = 600_000;

type Place = (EndpointId, Lane, String);

/// Endpoints that do not count the tokens of a model through a lane.
pub(crate) struct Uncounted {
    clock: Arc<dyn Clock>,
    until_ms: Mutex<HashMap<Place, UnixMs>>,
}

impl Uncounted {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            until_ms: Mutex::default(),
        }
    }

    /// Whether it did not count a moment ago.
    pub(crate) fn has(&self, endpoint: &EndpointId, lane: Lane, model: &str) -> bool {
        let until = self.until_ms.lock().unwrap_or_else(PoisonError::into_inner);
        if until.is_empty() {
            return false;
        }
        let place = (endpoint.clone(), lane, model.to_owned());
        until
            .get(&place)
            .is_some_and(|until| *until > self.clock.now_ms())
    }

    /// It does not count.
    pub(crate) fn note(&self, endpoint: &EndpointId, lane: Lane, model: &str) {
        let now = self.clock.now_ms();
        let mut until = self.until_ms.lock().unwrap_or_else(PoisonError::into_inner);
        until.retain(|_, until| *until > now);
        let place = (endpoint.clone(), lane, model.to_owned());
        until.insert(place, now + LEFT_ALONE_MS);
    }
}
