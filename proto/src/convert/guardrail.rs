//! Guardrails. One that cannot be understood makes the whole object unusable: it must not be served without it.

use super::InvalidMessage;
use crate::v1;
use ccag_domain::{Guardrail, GuardrailTrace};

impl From<Guardrail> for v1::Guardrail {
    fn from(guardrail: Guardrail) -> Self {
        Self {
            id: guardrail.id,
            version: guardrail.version,
            trace: guardrail.trace.as_str().to_owned(),
            tag_input: guardrail.tag_input,
        }
    }
}

impl TryFrom<v1::Guardrail> for Guardrail {
    type Error = InvalidMessage;
    fn try_from(message: v1::Guardrail) -> Result<Self, InvalidMessage> {
        if !Self::is_id(&message.id) {
            return Err(InvalidMessage::unusable("guardrail.id", message.id));
        }
        if !Self::is_version(&message.version) {
            return Err(InvalidMessage::unusable("guardrail.version", message.version));
        }
        let trace = match message.trace.as_str() {
            "" => GuardrailTrace::Disabled,
            text => GuardrailTrace::parse(text)
                .ok_or_else(|| InvalidMessage::unusable("guardrail.trace", text))?,
        };
        Ok(Self {
            id: message.id,
            version: message.version,
            trace,
            tag_input: message.tag_input,
        })
    }
}
