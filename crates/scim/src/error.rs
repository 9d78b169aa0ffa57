//! Refusals (RFC 7644, §3.12).

use serde_json::{Value, json};

/// The schema of an error.
const SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

/// What kind of refusal with status 400 or 409 it is (RFC 7644, table 9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScimType {
    /// The filter cannot be read, or compares what cannot be compared.
    InvalidFilter,
    /// There are more results, or there is more to do, than is looked at.
    TooMany,
    /// Another resource has the same value.
    Uniqueness,
    /// The attribute cannot be changed like that.
    Mutability,
    /// The body is not built as it has to be.
    InvalidSyntax,
    /// The path of an operation cannot be read.
    InvalidPath,
    /// The path names nothing that could be changed.
    NoTarget,
    /// A value is missing or not of the attribute's type.
    InvalidValue,
    /// The version of the protocol is none that is spoken here.
    InvalidVers,
}

impl ScimType {
    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidFilter => "invalidFilter",
            Self::TooMany => "tooMany",
            Self::Uniqueness => "uniqueness",
            Self::Mutability => "mutability",
            Self::InvalidSyntax => "invalidSyntax",
            Self::InvalidPath => "invalidPath",
            Self::NoTarget => "noTarget",
            Self::InvalidValue => "invalidValue",
            Self::InvalidVers => "invalidVers",
        }
    }
}

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct ScimError {
    /// The HTTP status.
    pub status: u16,
    /// What kind it is, where the RFC has a name for it.
    pub kind: Option<ScimType>,
    /// What is wrong, for people.
    pub detail: String,
}

impl ScimError {
    /// A refusal without a kind.
    #[must_use]
    pub fn new(status: u16, detail: impl Into<String>) -> Self {
        Self {
            status,
            kind: None,
            detail: detail.into(),
        }
    }

    /// A refusal of a kind, with the status that belongs to it.
    #[must_use]
    pub fn of(kind: ScimType, detail: impl Into<String>) -> Self {
        let status = if kind == ScimType::Uniqueness { 409 } else { 400 };
        Self {
            status,
            kind: Some(kind),
            detail: detail.into(),
        }
    }

    /// As it goes over the wire. The status is text there.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut body = json!({
            "schemas": [SCHEMA],
            "status": self.status.to_string(),
            "detail": self.detail,
        });
        if let Some(kind) = self.kind {
            body["scimType"] = kind.as_str().into();
        }
        body
    }
}

/// What a client has written, short enough to be shown to people.
pub(crate) fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(80).collect()
}
