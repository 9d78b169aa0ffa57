//! What conversations were translated by, as long as they go on.

use crate::conversation::ConversationKey;
use ccag_domain::EndpointId;
use ccag_translate::profile::Reduction;
use std::sync::Arc;
use std::time::Duration;

/// So many conversations are remembered. A conversation that is forgotten is not lost: see [`super::Books::likely`].
const MAX_CONVERSATIONS: u64 = 100_000;

/// A conversation that rests for longer than this is forgotten.
const REST: Duration = Duration::from_secs(24 * 3_600);

/// What a conversation was last translated by, with success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pin {
    pub(crate) surface: Arc<str>,
    pub(crate) version: Arc<str>,
    pub(crate) reductions: Arc<[Reduction]>,
    /// Where it was answered.
    pub(crate) endpoint: EndpointId,
}

/// The conversations of this data plane.
#[derive(Debug)]
pub(crate) struct Pins(moka::sync::Cache<ConversationKey, Arc<Pin>>);

impl Default for Pins {
    fn default() -> Self {
        let cache = moka::sync::Cache::builder()
            .max_capacity(MAX_CONVERSATIONS)
            .time_to_idle(REST);
        Self(cache.build())
    }
}

impl Pins {
    pub(crate) fn find(&self, key: &ConversationKey) -> Option<Arc<Pin>> {
        self.0.get(key)
    }

    pub(crate) fn put(&self, key: ConversationKey, pin: Pin) {
        self.0.insert(key, Arc::new(pin));
    }
}
