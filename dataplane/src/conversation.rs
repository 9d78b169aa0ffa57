//! What a conversation is called.

use ccag_domain::{KeyId, ModelName};
use sha2::{Digest, Sha256};

/// Names a conversation with one model: the same name on every data plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ConversationKey([u8; 16]);

impl ConversationKey {
    /// `affinity` is what routing sticks to: the session, or what the conversation began with.
    pub(crate) fn new(key: &KeyId, affinity: &str, model: &ModelName) -> Self {
        let mut hash = Sha256::new();
        for part in [key.as_str(), affinity, model.as_str()] {
            hash.update(part.as_bytes());
            hash.update([0]);
        }
        Self::of(hash)
    }

    /// The same conversation on another surface, where it may be sent otherwise.
    pub(crate) fn on(&self, surface: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(self.0);
        hash.update(surface.as_bytes());
        Self::of(hash)
    }

    /// What another data plane calls it.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn of(hash: Sha256) -> Self {
        let mut name = [0; 16];
        name.copy_from_slice(&hash.finalize()[..16]);
        Self(name)
    }
}

/// What a conversation of a key is called in its records, whatever its model: by its session and agent, and by how it began.
pub(crate) fn number(key: &KeyId, of: (Option<&str>, Option<&str>), beginning: u32) -> u64 {
    let mut hash = Sha256::new();
    for part in [key.as_str(), of.0.unwrap_or_default(), of.1.unwrap_or_default()] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hash.update(beginning.to_be_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&hash.finalize()[..8]);
    u64::from_be_bytes(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversations_of_other_keys_and_with_other_models_are_others() {
        let key = |n: u32| KeyId::parse(&format!("key_{n}")).unwrap();
        let model = |name: &str| ModelName::canonical(name);
        let one = ConversationKey::new(&key(1), "s", &model("claude-opus-5-5"));
        assert_eq!(one, ConversationKey::new(&key(1), "s", &model("claude-opus-5-5")));
        assert_ne!(one, ConversationKey::new(&key(2), "s", &model("claude-opus-5-5")));
        assert_ne!(one, ConversationKey::new(&key(1), "t", &model("claude-opus-5-5")));
        assert_ne!(
            one,
            ConversationKey::new(&key(1), "s", &model("claude-haiku-5-5"))
        );
        assert_ne!(one, one.on("mantle"));
        assert_eq!(ConversationKey::read(one.bytes()), Some(one));
        assert_eq!(ConversationKey::read(b"short"), None);
    }
}
