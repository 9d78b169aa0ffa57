//! Values: what clients send, and how they compare.

use crate::error::shown;
use crate::schema::{Attribute, Type};
use crate::{MAX_VALUES, Object, ScimError, ScimType};
use serde_json::Value;
use std::borrow::Cow;
use std::cmp::Ordering;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Text for comparing: in lower case, unless the case counts.
pub(crate) fn folded(text: &str, exact: bool) -> Cow<'_, str> {
    if exact {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.to_lowercase())
    }
}

pub(crate) fn compare_text(one: &str, other: &str, exact: bool) -> Ordering {
    folded(one, exact).cmp(&folded(other, exact))
}

/// A moment; without an offset it is in UTC.
pub(crate) fn instant(text: &str) -> Option<OffsetDateTime> {
    let parse = |text: &str| OffsetDateTime::parse(text, &Rfc3339).ok();
    parse(text)
        .or_else(|| parse(&format!("{text}Z")))
        .or_else(|| parse(&format!("{text}T00:00:00Z")))
}

fn wrong(attribute: &Attribute, wanted: &str) -> ScimError {
    ScimError::of(
        ScimType::InvalidValue,
        format!("`{}` has to be {wanted}.", attribute.name),
    )
}

/// One value of an attribute as it is kept; `None` where it says that there is none (RFC 7643, §2.5).
pub(crate) fn single(attribute: &Attribute, value: &Value) -> Result<Option<Value>, ScimError> {
    // Microsoft Entra sends single values as a list of one, and such a value as an object with a `value`.
    let value = match value {
        Value::Array(values) => match values.as_slice() {
            [] => return Ok(None),
            [only] if !only.is_array() => only,
            _ => return Err(wrong(attribute, "a single value")),
        },
        other => other,
    };
    let value = match value {
        Value::Object(parts) if attribute.of != Type::Complex && parts.len() == 1 => {
            let inner = parts.get("value").filter(|v| !v.is_object() && !v.is_array());
            inner.unwrap_or(value)
        }
        other => other,
    };
    if value.is_null() {
        return Ok(None);
    }
    match attribute.of {
        Type::Boolean => boolean(attribute, value).map(Some),
        Type::Complex => complex(attribute, value),
        _ => match value {
            Value::String(_) => Ok(Some(value.clone())),
            _ => Err(wrong(attribute, "text")),
        },
    }
}

fn boolean(attribute: &Attribute, value: &Value) -> Result<Value, ScimError> {
    match value {
        Value::Bool(_) => Ok(value.clone()),
        // Microsoft Entra without `aadOptscim062020`.
        Value::String(text) if text.trim().eq_ignore_ascii_case("true") => Ok(true.into()),
        Value::String(text) if text.trim().eq_ignore_ascii_case("false") => Ok(false.into()),
        Value::String(text) => Err(wrong(attribute, &format!("true or false, not `{}`", shown(text)))),
        _ => Err(wrong(attribute, "true or false")),
    }
}

/// An object with those parts that the schema knows and the client may set.
fn complex(attribute: &Attribute, value: &Value) -> Result<Option<Value>, ScimError> {
    let mut kept = Object::new();
    match value {
        Value::Object(parts) => {
            for (name, value) in parts {
                if let Some(part) = attribute.part(name).filter(|part| !part.is_read_only())
                    && let Some(value) = single(part, value)?
                {
                    kept.insert(part.name.to_owned(), value);
                }
            }
        }
        Value::String(text) if attribute.part("value").is_some() => {
            if !text.is_empty() {
                kept.insert("value".to_owned(), value.clone());
            }
        }
        _ => return Err(wrong(attribute, "an object")),
    }
    Ok((!kept.is_empty()).then(|| kept.into()))
}

pub(crate) fn too_many(attribute: &Attribute) -> ScimError {
    ScimError::of(
        ScimType::TooMany,
        format!("`{}` may have {MAX_VALUES} values at most.", attribute.name),
    )
}

/// All values of an attribute that may have any number; one alone counts as a list of one.
pub(crate) fn plural(attribute: &Attribute, value: &Value) -> Result<Vec<Value>, ScimError> {
    let values = match value {
        Value::Null => return Ok(Vec::new()),
        Value::Array(values) => values.as_slice(),
        other => std::slice::from_ref(other),
    };
    if values.len() > MAX_VALUES {
        return Err(too_many(attribute));
    }
    let kept = values.iter().map(|value| match value {
        Value::Array(_) => Err(wrong(attribute, "a list of values")),
        value => single(attribute, value),
    });
    kept.filter_map(Result::transpose).collect()
}
