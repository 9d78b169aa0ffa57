//! What goes wrong while the merged configuration is read into the program's type.

use super::ConfigError;
use super::node::Node;
use serde::de;
use std::fmt;

/// What went wrong, and at which key. serde's own wording quotes the offending value, which may be a secret; this does
/// not.
#[derive(Debug, Clone)]
pub(super) struct Error {
    /// From the leaf to the root.
    path: Vec<String>,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    Unknown { known: Vec<String> },
    Invalid(String),
}

impl Error {
    pub(super) fn invalid(reason: impl Into<String>) -> Self {
        Self {
            path: Vec::new(),
            kind: Kind::Invalid(reason.into()),
        }
    }

    pub(super) fn under(mut self, key: &str) -> Self {
        self.path.push(key.to_owned());
        self
    }

    pub(super) fn into_config_error(self, root: &Node, env: &[(&str, &str)]) -> ConfigError {
        let path: Vec<String> = self.path.into_iter().rev().collect();
        let key = path.join(".");
        match self.kind {
            Kind::Unknown { known } => ConfigError::UnknownKey {
                source: root.source_of(&path).clone(),
                key,
                known,
            },
            Kind::Invalid(reason) => ConfigError::Invalid {
                source: root.holds(&path).then(|| root.source_of(&path).clone()),
                variables: env
                    .iter()
                    .filter(|(_, dotted)| *dotted == key)
                    .map(|(name, _)| (*name).to_owned())
                    .collect(),
                key,
                reason,
            },
        }
    }
}

impl std::error::Error for Error {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Unknown { .. } => f.write_str("unknown key"),
            Kind::Invalid(reason) => f.write_str(reason),
        }
    }
}

impl de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::invalid(message.to_string())
    }

    fn invalid_type(found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::invalid(format!("found {}, expected {expected}", kind_of(&found)))
    }

    fn invalid_value(found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::invalid(format!(
            "this {} is not allowed, expected {expected}",
            kind_of(&found)
        ))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self {
            path: vec![field.to_owned()],
            kind: Kind::Unknown {
                known: expected.iter().map(ToString::to_string).collect(),
            },
        }
    }

    fn missing_field(field: &'static str) -> Self {
        Self::invalid("is needed and not set").under(field)
    }
}

fn kind_of(found: &de::Unexpected<'_>) -> &'static str {
    match found {
        de::Unexpected::Bool(_) => "a boolean",
        de::Unexpected::Unsigned(_) | de::Unexpected::Signed(_) => "a whole number",
        de::Unexpected::Float(_) => "a number",
        de::Unexpected::Str(_) | de::Unexpected::Char(_) => "text",
        de::Unexpected::Seq => "a list",
        de::Unexpected::Map => "a table",
        _ => "a value",
    }
}
