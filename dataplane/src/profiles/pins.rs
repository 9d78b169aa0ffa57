//! What conversations were translated by, as long as they go on.

use ccag_domain::{EndpointId, KeyId, ModelName};
use ccag_translate::profile::Reduction;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::Duration;

/// So many conversations are remembered. A conversation that is forgotten is not lost: see [`super::Books::likely`].
const MAX_CONVERSATIONS: u64 = 100_000;

/// A conversation that rests for longer than this is forgotten.
const REST: Duration = Duration::from_secs(24 * 3_600);

/// Names a conversation with one model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct PinKey([u8; 16]);

impl PinKey {
    /// `affinity` is what routing sticks to: the session, or what the conversation began with.
    pub(crate) fn new(key: &KeyId, affinity: &str, model: &ModelName) -> Self {
        let mut hash = Sha256::new();
        for part in [key.as_str(), affinity, model.as_str()] {
            hash.update(part.as_bytes());
            hash.update([0]);
        }
        let mut name = [0; 16];
        name.copy_from_slice(&hash.finalize()[..16]);
        Self(name)
    }

    /// The same conversation on another surface, where it may be sent otherwise.
    pub(crate) fn on(&self, surface: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(self.0);
        hash.update(surface.as_bytes());
        let mut name = [0; 16];
        name.copy_from_slice(&hash.finalize()[..16]);
        Self(name)
    }
}

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
pub(crate) struct Pins(moka::sync::Cache<PinKey, Arc<Pin>>);

impl Default for Pins {
    fn default() -> Self {
        let cache = moka::sync::Cache::builder()
            .max_capacity(MAX_CONVERSATIONS)
            .time_to_idle(REST);
        Self(cache.build())
    }
}

impl Pins {
    pub(crate) fn find(&self, key: &PinKey) -> Option<Arc<Pin>> {
        self.0.get(key)
    }

    pub(crate) fn put(&self, key: PinKey, pin: Pin) {
        self.0.insert(key, Arc::new(pin));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversations_of_other_keys_and_with_other_models_are_others() {
        let key = |n: u32| KeyId::parse(&format!("key_{n}")).unwrap();
        let model = |name: &str| ModelName::canonical(name);
        let one = PinKey::new(&key(1), "s", &model("claude-opus-5-5"));
        assert_eq!(one, PinKey::new(&key(1), "s", &model("claude-opus-5-5")));
        assert_ne!(one, PinKey::new(&key(2), "s", &model("claude-opus-5-5")));
        assert_ne!(one, PinKey::new(&key(1), "t", &model("claude-opus-5-5")));
        assert_ne!(one, PinKey::new(&key(1), "s", &model("claude-haiku-5-5")));
    }
}
