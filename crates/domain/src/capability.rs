//! What Bedrock takes, as data that is pushed: versions of rule books, and what data planes have learnt from refusals.
//!
//! The rules themselves are a document that only the translation understands; here they are text with a name.

use crate::{EndpointId, UnixMs};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// One version of the rules for one surface of Bedrock. Versions are never changed: a conversation that began under one
/// keeps to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CapabilityBook {
    /// The surface: `invoke-model`.
    pub surface: String,
    /// The version, which is unique within the surface: `2026-11-24` as shipped, `2026-11-24+3` after three changes.
    pub version: String,
    /// The position among the versions of the surface: the highest is in force.
    pub sequence: u64,
    /// Since when it is known, in Unix milliseconds.
    pub made_at_ms: UnixMs,
    /// The rules, as JSON.
    pub rules: Arc<str>,
}

impl CapabilityBook {
    /// The id under which it is pushed: surface and version.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}@{}", self.surface, self.version)
    }
}

/// Something that an endpoint refused, so that new conversations there do without it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LearntFact {
    /// Where it was refused.
    pub endpoint_id: EndpointId,
    /// Which model refused it: the id that Bedrock was asked for.
    pub bedrock_model: String,
    /// On which surface.
    pub surface: String,
    /// Under which version of the rules; another version starts afresh.
    pub version: String,
    /// What kind of thing: `beta`, `path`, `max_tokens`, `minimal_betas` or `no_betas`.
    pub kind: String,
    /// Which one: a beta, a path in the body, or a number of tokens; empty where the kind says it all.
    pub value: String,
    /// When it was learnt, in Unix milliseconds.
    pub learnt_at_ms: UnixMs,
}

impl LearntFact {
    /// The longest that any text of a fact may be, in bytes.
    pub const MAX_TEXT: usize = 512;

    /// The id: the same wherever the same thing is learnt.
    #[must_use]
    pub fn id(&self) -> String {
        let mut hash = Sha256::new();
        for part in [
            self.endpoint_id.as_str(),
            &self.bedrock_model,
            &self.surface,
            &self.version,
            &self.kind,
            &self.value,
        ] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        let digest = hash.finalize();
        let hex: String = digest.iter().take(12).map(|b| format!("{b:02x}")).collect();
        format!("learnt_{hex}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fact(value: &str) -> LearntFact {
        LearntFact {
            endpoint_id: EndpointId::parse("end_1").unwrap(),
            bedrock_model: "us.anthropic.claude-opus-5-5".into(),
            surface: "invoke-model".into(),
            version: "1".into(),
            kind: "beta".into(),
            value: value.into(),
            learnt_at_ms: 0,
        }
    }

    #[test]
    fn the_same_fact_has_the_same_id_wherever_it_is_learnt() {
        let later = LearntFact {
            learnt_at_ms: 5,
            ..fact("a")
        };
        assert_eq!(fact("a").id(), later.id());
        assert_ne!(fact("a").id(), fact("b").id());
    }
}
