//! Between the messages on the wire and the domain's types. A message that makes no sense is refused with the field's name;
//! whoever receives it refuses that one object and keeps the rest.

mod access;
mod breaker;
mod budget;
mod capability;
mod catalogue;
mod config;
mod endpoint;
mod explanation;
mod guardrail;
mod limit;
mod offers;
mod routing;
mod search;
mod sign_on;
mod usage;

use ccag_domain::{Geography, Lane};

/// A message that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMessage {
    /// A field that must be there is not.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A field holds something that it cannot mean.
    #[error("{field} cannot be `{value}`")]
    Unusable {
        /// The field.
        field: &'static str,
        /// What it holds, shortened.
        value: String,
    },
}

impl InvalidMessage {
    fn unusable(field: &'static str, value: impl std::fmt::Display) -> Self {
        let value = value.to_string().chars().take(100).collect();
        Self::Unusable { field, value }
    }
}

fn id<T: std::str::FromStr>(field: &'static str, text: String) -> Result<T, InvalidMessage> {
    text.parse().map_err(|_| InvalidMessage::unusable(field, text))
}

fn optional_id<T: std::str::FromStr>(
    field: &'static str,
    text: Option<String>,
) -> Result<Option<T>, InvalidMessage> {
    text.map(|text| id(field, text)).transpose()
}

fn geography(text: &str) -> Result<Geography, InvalidMessage> {
    Geography::parse(text).ok_or_else(|| InvalidMessage::unusable("geography", text))
}

/// A lane; a sender that does not know lanes means the only one that there was.
fn lane(field: &'static str, text: &str) -> Result<Lane, InvalidMessage> {
    if text.is_empty() {
        return Ok(Lane::InvokeModel);
    }
    Lane::parse(text).ok_or_else(|| InvalidMessage::unusable(field, text))
}
