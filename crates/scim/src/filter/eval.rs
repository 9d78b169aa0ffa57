//! What a filter says of a resource.

use super::{Filter, Op};
use crate::path::{AttrPath, Target, holder};
use crate::schema::{Attribute, Type};
use crate::value::{compare_text, folded, instant};
use crate::{Kind, Object, ScimError, ScimType};
use serde_json::Value;
use std::cmp::Ordering;

impl Filter {
    /// Whether it compares only what can be compared: what is found wrong while looking at resources depends on which
    /// there are.
    ///
    /// # Errors
    /// [`ScimType::InvalidFilter`].
    pub fn check(&self, kind: Kind) -> Result<(), ScimError> {
        match self {
            Self::And(terms) | Self::Or(terms) => terms.iter().try_for_each(|term| term.check(kind)),
            Self::Not(inner) => inner.check(kind),
            Self::Present(_) => Ok(()),
            Self::Compare(path, op, _) => check(path, kind, *op),
            Self::Within(path, inner) => match path.target(kind) {
                Some(Target::Attribute { attribute, .. }) => inner.check_parts(attribute),
                _ => Ok(()),
            },
        }
    }

    fn check_parts(&self, attribute: &Attribute) -> Result<(), ScimError> {
        match self {
            Self::And(terms) | Self::Or(terms) => {
                terms.iter().try_for_each(|term| term.check_parts(attribute))
            }
            Self::Not(inner) => inner.check_parts(attribute),
            Self::Compare(path, op, _) => attribute
                .part(&path.name)
                .map_or(Ok(()), |part| check_order(part, *op)),
            Self::Present(_) | Self::Within(..) => Ok(()),
        }
    }

    /// Whether it selects a resource. What no schema knows has no value.
    ///
    /// # Errors
    /// [`ScimType::InvalidFilter`] where values are compared that have no order.
    pub fn matches(&self, kind: Kind, resource: &Object) -> Result<bool, ScimError> {
        match self {
            Self::And(terms) => every(terms, |term| term.matches(kind, resource)),
            Self::Or(terms) => some(terms, |term| term.matches(kind, resource)),
            Self::Not(inner) => Ok(!inner.matches(kind, resource)?),
            Self::Present(path) => Ok(values(path, kind, resource)
                .iter()
                .any(|(_, value)| is_there(value))),
            Self::Compare(path, op, wanted) => {
                check(path, kind, *op)?;
                let found = values(path, kind, resource);
                Ok(compare_all(&found, *op, wanted))
            }
            Self::Within(path, inner) => {
                let Some(Target::Attribute {
                    extension,
                    attribute,
                    sub: None,
                }) = path.target(kind)
                else {
                    return Ok(false);
                };
                let held = holder(resource, extension).and_then(|o| o.get(attribute.name));
                some(&elements(held), |element| {
                    inner.matches_element(attribute, element)
                })
            }
        }
    }

    /// Whether it selects one value of an attribute.
    ///
    /// # Errors
    /// As [`Self::matches`].
    pub(crate) fn matches_element(&self, attribute: &Attribute, element: &Value) -> Result<bool, ScimError> {
        match self {
            Self::And(terms) => every(terms, |term| term.matches_element(attribute, element)),
            Self::Or(terms) => some(terms, |term| term.matches_element(attribute, element)),
            Self::Not(inner) => Ok(!inner.matches_element(attribute, element)?),
            Self::Present(path) => Ok(part(path, attribute, element).is_some_and(|(_, v)| is_there(v))),
            Self::Compare(path, op, wanted) => {
                if let Some(part) = attribute.part(&path.name) {
                    check_order(part, *op)?;
                }
                let found: Vec<_> = part(path, attribute, element).into_iter().collect();
                Ok(compare_all(&found, *op, wanted))
            }
            Self::Within(..) => Ok(false),
        }
    }
}

fn every<T>(terms: &[T], test: impl Fn(&T) -> Result<bool, ScimError>) -> Result<bool, ScimError> {
    for term in terms {
        if !test(term)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn some<T>(terms: &[T], test: impl Fn(&T) -> Result<bool, ScimError>) -> Result<bool, ScimError> {
    for term in terms {
        if test(term)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Yes-or-no values and bytes have no order (RFC 7644, table 3).
fn check(path: &AttrPath, kind: Kind, op: Op) -> Result<(), ScimError> {
    match path.target(kind) {
        Some(Target::Attribute { attribute, sub, .. }) => {
            check_order(sub.or_else(|| attribute.part("value")).unwrap_or(attribute), op)
        }
        _ => Ok(()),
    }
}

fn check_order(attribute: &Attribute, op: Op) -> Result<(), ScimError> {
    if op.is_order() && matches!(attribute.of, Type::Boolean | Type::Binary) {
        return Err(ScimError::of(
            ScimType::InvalidFilter,
            format!(
                "The values of `{}` have no order: compare with eq or ne.",
                attribute.name
            ),
        ));
    }
    Ok(())
}

fn elements(held: Option<&Value>) -> Vec<&Value> {
    match held {
        None => Vec::new(),
        Some(Value::Array(values)) => values.iter().collect(),
        Some(value) => vec![value],
    }
}

type Found<'a> = (&'static Attribute, &'a Value);

/// The values that a path names in a resource: of an attribute whose values are objects, what they hold as `value`.
fn values<'a>(path: &AttrPath, kind: Kind, resource: &'a Object) -> Vec<Found<'a>> {
    let (extension, attribute, sub) = match path.target(kind) {
        Some(Target::Attribute {
            extension,
            attribute,
            sub,
        }) => (extension, attribute, sub),
        Some(Target::Extension(schema)) => {
            let held = resource.get(schema.urn).zip(schema.attributes.first());
            return held.into_iter().map(|(value, any)| (any, value)).collect();
        }
        None => return Vec::new(),
    };
    let held = holder(resource, extension).and_then(|o| o.get(attribute.name));
    let sub = sub.or_else(|| attribute.part("value"));
    elements(held)
        .into_iter()
        .filter_map(|element| match (sub, element) {
            (Some(sub), Value::Object(parts)) => parts.get(sub.name).map(|value| (sub, value)),
            _ => Some((attribute, element)),
        })
        .collect()
}

fn part<'a>(path: &AttrPath, attribute: &Attribute, element: &'a Value) -> Option<Found<'a>> {
    if path.urn.is_some() || path.sub.is_some() {
        return None;
    }
    let part = attribute.part(&path.name)?;
    element.get(part.name).map(|value| (part, value))
}

fn is_there(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(values) => !values.is_empty(),
        Value::Object(parts) => !parts.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    }
}

fn compare_all(found: &[Found<'_>], op: Op, wanted: &Value) -> bool {
    match (op, wanted) {
        (Op::Eq, Value::Null) => !found.iter().any(|(_, value)| is_there(value)),
        (Op::Ne, _) => !compare_all(found, Op::Eq, wanted),
        _ => found
            .iter()
            .any(|(attribute, value)| compare(attribute, op, value, wanted)),
    }
}

fn compare(attribute: &Attribute, op: Op, value: &Value, wanted: &Value) -> bool {
    match (value, wanted) {
        (Value::Bool(value), Value::Bool(wanted)) => op == Op::Eq && value == wanted,
        // Some clients put it in quotes.
        (Value::Bool(value), Value::String(wanted)) => {
            op == Op::Eq && wanted.eq_ignore_ascii_case(if *value { "true" } else { "false" })
        }
        (Value::Number(value), Value::Number(wanted)) => {
            let order = value.as_f64().partial_cmp(&wanted.as_f64());
            order.is_some_and(|order| ordered(op, order))
        }
        (Value::String(value), Value::String(wanted)) => {
            if attribute.of == Type::DateTime
                && !op.is_part()
                && let (Some(value), Some(wanted)) = (instant(value), instant(wanted))
            {
                return ordered(op, value.cmp(&wanted));
            }
            let exact = attribute.case_exact;
            if op.is_part() {
                let (value, wanted) = (folded(value, exact), folded(wanted, exact));
                return match op {
                    Op::Co => value.contains(&*wanted),
                    Op::Sw => value.starts_with(&*wanted),
                    _ => value.ends_with(&*wanted),
                };
            }
            ordered(op, compare_text(value, wanted, exact))
        }
        _ => false,
    }
}

fn ordered(op: Op, order: Ordering) -> bool {
    match op {
        Op::Eq => order.is_eq(),
        Op::Gt => order.is_gt(),
        Op::Ge => order.is_ge(),
        Op::Lt => order.is_lt(),
        Op::Le => order.is_le(),
        Op::Ne | Op::Co | Op::Sw | Op::Ew => false,
    }
}
