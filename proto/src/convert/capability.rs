//! Rule books and what was learnt.

use super::{InvalidMessage, id};
use crate::v1;
use ccag_domain::{CapabilityBook, LearntFact};

impl From<CapabilityBook> for v1::CapabilityBook {
    fn from(book: CapabilityBook) -> Self {
        Self {
            surface: book.surface,
            version: book.version,
            sequence: book.sequence,
            made_at_ms: book.made_at_ms,
            rules: book.rules.as_ref().to_owned(),
        }
    }
}

impl TryFrom<v1::CapabilityBook> for CapabilityBook {
    type Error = InvalidMessage;
    fn try_from(message: v1::CapabilityBook) -> Result<Self, InvalidMessage> {
        for (field, text) in [("surface", &message.surface), ("version", &message.version)] {
            if text.is_empty() || text.contains('@') {
                return Err(InvalidMessage::unusable(field, text));
            }
        }
        Ok(Self {
            surface: message.surface,
            version: message.version,
            sequence: message.sequence,
            made_at_ms: message.made_at_ms,
            rules: message.rules.into(),
        })
    }
}

impl From<LearntFact> for v1::LearntFact {
    fn from(fact: LearntFact) -> Self {
        Self {
            id: fact.id(),
            endpoint_id: fact.endpoint_id.into(),
            bedrock_model: fact.bedrock_model,
            surface: fact.surface,
            version: fact.version,
            kind: fact.kind,
            value: fact.value,
            learnt_at_ms: fact.learnt_at_ms,
        }
    }
}

impl TryFrom<v1::LearntFact> for LearntFact {
    type Error = InvalidMessage;
    fn try_from(message: v1::LearntFact) -> Result<Self, InvalidMessage> {
        for (field, text) in [
            ("bedrock_model", &message.bedrock_model),
            ("surface", &message.surface),
            ("version", &message.version),
            ("kind", &message.kind),
            ("value", &message.value),
        ] {
            if text.len() > Self::MAX_TEXT {
                return Err(InvalidMessage::unusable(field, format!("{} bytes", text.len())));
            }
        }
        Ok(Self {
            endpoint_id: id("endpoint_id", message.endpoint_id)?,
            bedrock_model: message.bedrock_model,
            surface: message.surface,
            version: message.version,
            kind: message.kind,
            value: message.value,
            learnt_at_ms: message.learnt_at_ms,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ccag_domain::{ConfigObject, EndpointId};

    #[test]
    fn books_and_facts_survive_the_wire() {
        let book = CapabilityBook {
            surface: "invoke-model".into(),
            version: "2026-11-24+1".into(),
            sequence: 2,
            made_at_ms: 3,
            rules: "{}".into(),
        };
        let fact = LearntFact {
            endpoint_id: EndpointId::parse("end_1").unwrap(),
            bedrock_model: "m".into(),
            surface: "invoke-model".into(),
            version: "2026-11-24".into(),
            kind: "beta".into(),
            value: "x".into(),
            learnt_at_ms: 4,
        };
        for object in [ConfigObject::CapabilityBook(book), ConfigObject::LearntFact(fact)] {
            let wire = v1::Object::from(object.clone());
            assert_eq!(wire.object_ref(), Some(object.object_ref()));
            assert_eq!(ConfigObject::try_from(wire), Ok(object));
        }
    }

    #[test]
    fn a_book_without_a_name_is_refused() {
        assert!(CapabilityBook::try_from(v1::CapabilityBook::default()).is_err());
    }
}
