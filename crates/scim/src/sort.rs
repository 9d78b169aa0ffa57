//! The order of lists (RFC 7644, §3.4.2.3).

use crate::path::{AttrPath, Target, holder};
use crate::schema::Type;
use crate::value::{folded, instant};
use crate::{Kind, Object, ScimError, ScimType};
use serde_json::Value;
use std::cmp::Ordering;

/// By what, and which way.
#[derive(Debug, Clone, PartialEq)]
pub struct Sort {
    by: AttrPath,
    descending: bool,
}

/// What a resource is sorted by; without a value it comes last, in a descending order first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// A moment, in nanoseconds.
    Moment(i128),
    /// No or yes.
    Flag(bool),
    /// Text.
    Text(String),
    /// Nothing.
    Nothing,
}

impl Sort {
    /// From the parameters of a query.
    ///
    /// # Errors
    /// [`ScimType::InvalidPath`] for what is no attribute's name, [`ScimType::InvalidValue`] for another order.
    pub fn parse(by: Option<&str>, order: Option<&str>) -> Result<Option<Self>, ScimError> {
        let descending = match order.map(str::to_ascii_lowercase).as_deref() {
            None | Some("" | "ascending") => false,
            Some("descending") => true,
            Some(_) => {
                let detail = "`sortOrder` has to be ascending or descending.";
                return Err(ScimError::of(ScimType::InvalidValue, detail));
            }
        };
        let Some(by) = by.map(str::trim).filter(|by| !by.is_empty()) else {
            return Ok(None);
        };
        let by = AttrPath::parse(by).ok_or_else(|| {
            ScimError::of(
                ScimType::InvalidPath,
                "`sortBy` has to be the name of an attribute.",
            )
        })?;
        Ok(Some(Self { by, descending }))
    }

    /// Whether it looks at an attribute of the core.
    #[must_use]
    pub fn is_about(&self, kind: Kind, name: &str) -> bool {
        self.by.is_about(kind, name)
    }

    /// What a resource is sorted by: of several values the primary one, else the first.
    #[must_use]
    pub fn key(&self, kind: Kind, resource: &Object) -> Key {
        let Some(Target::Attribute {
            extension,
            attribute,
            sub,
        }) = self.by.target(kind)
        else {
            return Key::Nothing;
        };
        let mut held = holder(resource, extension).and_then(|o| o.get(attribute.name));
        if let Some(Value::Array(values)) = held {
            let primary = values
                .iter()
                .find(|v| v.get("primary") == Some(&Value::Bool(true)));
            held = primary.or(values.first());
        }
        let sub = sub.or_else(|| attribute.part("value"));
        let (attribute, value) = match (sub, held) {
            (Some(sub), Some(Value::Object(parts))) => (sub, parts.get(sub.name)),
            _ => (attribute, held),
        };
        match value {
            Some(Value::Bool(flag)) => Key::Flag(*flag),
            Some(Value::String(text)) => {
                let moment = (attribute.of == Type::DateTime).then(|| instant(text)).flatten();
                moment.map_or_else(
                    || Key::Text(folded(text, attribute.case_exact).into_owned()),
                    |at| Key::Moment(at.unix_timestamp_nanos()),
                )
            }
            _ => Key::Nothing,
        }
    }

    /// Compares two keys.
    #[must_use]
    pub fn compare(&self, one: &Key, other: &Key) -> Ordering {
        let order = one.cmp(other);
        if self.descending { order.reverse() } else { order }
    }
}
