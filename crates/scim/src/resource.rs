//! Whole resources, as clients send them.

use crate::patch::{self, Verb, field};
use crate::{Kind, Object, Path, ScimError, ScimType};
use serde_json::Value;

/// A user or group as it is kept, from the body of a POST or PUT (RFC 7644, §3.3 and §3.5.1).
///
/// # Errors
/// [`ScimType::InvalidSyntax`] or [`ScimType::InvalidValue`], with the attribute that is no good.
pub fn from_client(kind: Kind, body: &Value) -> Result<Object, ScimError> {
    let Some(body) = body.as_object() else {
        return Err(ScimError::of(
            ScimType::InvalidSyntax,
            "The body has to be a JSON object.",
        ));
    };
    check_message(body, kind.schema().urn)?;
    let mut resource = Object::new();
    patch::each(kind, &mut resource, Verb::Add, body)?;
    check(kind, &resource)?;
    Ok(resource)
}

/// The ids of the members that the body of a group names; none if it says nothing of members.
///
/// # Errors
/// [`ScimType::InvalidValue`] for what cannot be a member.
pub fn members(body: &Value) -> Result<Vec<String>, ScimError> {
    for (name, value) in body.as_object().into_iter().flatten() {
        if let Ok(path) = Path::parse(name)
            && path.attr.is_about(Kind::Group, "members")
            && path.attr.sub.is_none()
        {
            return patch::ids(value);
        }
    }
    Ok(Vec::new())
}

/// Refuses a message that says it is something else. One that does not say what it is, is taken for what was expected.
pub(crate) fn check_message(body: &Object, schema: &str) -> Result<(), ScimError> {
    let Some(schemas) = field(body, "schemas") else {
        return Ok(());
    };
    let found = match schemas {
        Value::Array(schemas) => schemas
            .iter()
            .filter_map(Value::as_str)
            .any(|found| found.eq_ignore_ascii_case(schema)),
        Value::String(found) => found.eq_ignore_ascii_case(schema),
        _ => false,
    };
    if found {
        return Ok(());
    }
    Err(ScimError::of(
        ScimType::InvalidValue,
        format!("`schemas` has to name `{schema}`."),
    ))
}

/// Refuses a resource that lacks what it has to have.
pub(crate) fn check(kind: Kind, resource: &Object) -> Result<(), ScimError> {
    for attribute in kind.schema().attributes {
        let value = resource.get(attribute.name);
        if attribute.required
            && value
                .and_then(Value::as_str)
                .is_none_or(|text| text.trim().is_empty())
        {
            let detail = format!("`{}` has to have a value.", attribute.name);
            return Err(ScimError::of(ScimType::InvalidValue, detail));
        }
        let primary = |value: &&Value| value.get("primary") == Some(&Value::Bool(true));
        let values = value.and_then(Value::as_array).into_iter().flatten();
        if values.filter(primary).count() > 1 {
            let detail = format!("Of `{}` only one value may be primary.", attribute.name);
            return Err(ScimError::of(ScimType::InvalidValue, detail));
        }
    }
    Ok(())
}

/// The schemas that a resource uses.
#[must_use]
pub fn schemas(kind: Kind, resource: &Object) -> Vec<&'static str> {
    let used = kind.extensions().iter().filter(|e| resource.contains_key(e.urn));
    std::iter::once(kind.schema().urn)
        .chain(used.map(|extension| extension.urn))
        .collect()
}

/// The address that a user is reached at: of the primary e-mail, else that of work, else the first.
#[must_use]
pub fn email(user: &Object) -> Option<&str> {
    let emails = user.get("emails")?.as_array()?;
    let text = |email: &&Value| {
        email
            .get("value")
            .and_then(Value::as_str)
            .is_some_and(|v| !v.is_empty())
    };
    let find = |name: &str, wanted: &Value| {
        emails
            .iter()
            .find(|email| email.get(name) == Some(wanted) && text(email))
    };
    let email = find("primary", &Value::Bool(true))
        .or_else(|| find("type", &Value::String("work".to_owned())))
        .or_else(|| emails.iter().find(text))?;
    email.get("value")?.as_str()
}

/// The name that a user is shown by, if they have one.
#[must_use]
pub fn display_name(user: &Object) -> Option<String> {
    let text = |value: Option<&Value>| {
        let text = value
            .and_then(Value::as_str)
            .unwrap_or_default()
            .trim()
            .to_owned();
        (!text.is_empty()).then_some(text)
    };
    let name = |part: &str| text(user.get("name").and_then(|name| name.get(part)));
    text(user.get("displayName"))
        .or_else(|| name("formatted"))
        .or_else(|| match (name("givenName"), name("familyName")) {
            (Some(given), Some(family)) => Some(format!("{given} {family}")),
            (given, family) => given.or(family),
        })
}
