//! Filters (RFC 7644, §3.4.2.2).

mod eval;
mod parse;

pub(crate) use parse::parse_brackets;

use crate::path::AttrPath;
use crate::{Kind, ScimError};
use serde_json::Value;

/// A filter. `and` and `or` hold all of their terms side by side, so that only parentheses make it deeper.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// All of them.
    And(Vec<Self>),
    /// One of them at least.
    Or(Vec<Self>),
    /// Not that.
    Not(Box<Self>),
    /// The attribute has a value.
    Present(AttrPath),
    /// A value compares like that.
    Compare(AttrPath, Op, Value),
    /// One value of the attribute is as all of the filter says.
    Within(AttrPath, Box<Self>),
}

/// How values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// Equal.
    Eq,
    /// Not equal.
    Ne,
    /// Contains.
    Co,
    /// Starts with.
    Sw,
    /// Ends with.
    Ew,
    /// Greater.
    Gt,
    /// Greater or equal.
    Ge,
    /// Less.
    Lt,
    /// Less or equal.
    Le,
}

impl Op {
    fn parse(word: &str) -> Option<Self> {
        Some(match word.to_ascii_lowercase().as_str() {
            "eq" => Self::Eq,
            "ne" => Self::Ne,
            "co" => Self::Co,
            "sw" => Self::Sw,
            "ew" => Self::Ew,
            "gt" => Self::Gt,
            "ge" => Self::Ge,
            "lt" => Self::Lt,
            "le" => Self::Le,
            _ => return None,
        })
    }

    pub(crate) fn is_order(self) -> bool {
        matches!(self, Self::Gt | Self::Ge | Self::Lt | Self::Le)
    }

    pub(crate) fn is_part(self) -> bool {
        matches!(self, Self::Co | Self::Sw | Self::Ew)
    }
}

impl Filter {
    /// Reads a filter.
    ///
    /// # Errors
    /// [`crate::ScimType::InvalidFilter`], with the place where it goes wrong.
    pub fn parse(text: &str) -> Result<Self, ScimError> {
        parse::whole(text)
    }

    /// What has to hold, each of it: the filter as a list of terms of which all are true of whatever it selects.
    #[must_use]
    pub fn terms(&self) -> &[Self] {
        match self {
            Self::And(terms) => terms,
            other => std::slice::from_ref(other),
        }
    }

    /// The text that this term wants an attribute of the core to be equal to, if it is such a term.
    #[must_use]
    pub fn wants(&self, kind: Kind, name: &str) -> Option<&str> {
        match self {
            Self::Compare(path, Op::Eq, Value::String(text)) if path.is_about(kind, name) => {
                let value = path.sub.as_deref();
                value
                    .is_none_or(|sub| sub.eq_ignore_ascii_case("value"))
                    .then_some(text)
            }
            Self::Within(path, inner) if path.is_about(kind, name) => match &**inner {
                Self::Compare(part, Op::Eq, Value::String(text))
                    if part.sub.is_none() && part.name.eq_ignore_ascii_case("value") =>
                {
                    Some(text)
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether it looks at an attribute of the core anywhere.
    #[must_use]
    pub fn mentions(&self, kind: Kind, name: &str) -> bool {
        match self {
            Self::And(terms) | Self::Or(terms) => terms.iter().any(|term| term.mentions(kind, name)),
            Self::Not(inner) => inner.mentions(kind, name),
            Self::Present(path) | Self::Compare(path, ..) | Self::Within(path, _) => {
                path.is_about(kind, name)
            }
        }
    }
}
