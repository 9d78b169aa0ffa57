//! Members of groups: there may be many, so they are changed without being read.

use super::{Operation, Verb, field, is_members};
use crate::filter::{Filter, Op};
use crate::path::Path;
use crate::{Kind, MAX_MEMBERS, Object, ScimError, ScimType, schema};
use serde_json::Value;

/// What an operation does to the members of a group.
#[derive(Debug, Clone, PartialEq)]
pub enum MemberChange {
    /// These are members, too.
    Add(Vec<String>),
    /// These are members no more.
    Remove(Vec<String>),
    /// Those that a filter selects are members no more; ask [`selects`].
    RemoveWhere(Filter),
    /// These are the members.
    Replace(Vec<String>),
}

impl MemberChange {
    /// Whether a filter selects a member, given as it is shown.
    ///
    /// # Errors
    /// [`ScimType::InvalidFilter`].
    pub fn selects(filter: &Filter, member: &Value) -> Result<bool, ScimError> {
        match schema::find(Kind::Group.schema().attributes, "members") {
            Some(members) => filter.matches_element(members, member),
            None => Ok(false),
        }
    }
}

fn invalid(detail: impl Into<String>) -> ScimError {
    ScimError::of(ScimType::InvalidValue, detail)
}

/// The ids in a list of members, each an object with a `value` or the id itself.
pub(crate) fn ids(value: &Value) -> Result<Vec<String>, ScimError> {
    let values = match value {
        Value::Null => &[],
        Value::Array(values) => values.as_slice(),
        other => std::slice::from_ref(other),
    };
    if values.len() > MAX_MEMBERS {
        return Err(ScimError::of(
            ScimType::TooMany,
            format!("A group may have {MAX_MEMBERS} members at most."),
        ));
    }
    values.iter().map(id).collect()
}

fn id(member: &Value) -> Result<String, ScimError> {
    match member {
        Value::String(id) if !id.is_empty() => Ok(id.clone()),
        Value::Object(parts) => {
            if let Some(Value::String(of)) = field(parts, "type")
                && of.eq_ignore_ascii_case("group")
            {
                return Err(invalid(
                    "Members of groups have to be users; groups cannot hold groups.",
                ));
            }
            match field(parts, "value") {
                Some(Value::String(id)) if !id.is_empty() => Ok(id.clone()),
                _ => Err(invalid("Each member needs a `value`: the id of a user.")),
            }
        }
        _ => Err(invalid(
            "Each member has to be an object with a `value`: the id of a user.",
        )),
    }
}

/// What an operation whose path names the members does to them.
pub(super) fn change(operation: &Operation) -> Result<Option<MemberChange>, ScimError> {
    let Some(path) = operation
        .path
        .as_ref()
        .filter(|path| is_members(Kind::Group, path))
    else {
        return Ok(None);
    };
    if path.attr.sub.is_some() {
        return Err(fixed());
    }
    let given = operation.value.as_ref().filter(|value| !value.is_null());
    let change = match (operation.verb, &path.filter, given) {
        (Verb::Remove, Some(filter), _) => match selected(filter) {
            Some(ids) => MemberChange::Remove(ids),
            None => MemberChange::RemoveWhere(filter.clone()),
        },
        (_, Some(_), _) => return Err(fixed()),
        // Microsoft Entra names those to remove in `value`. Without any it means all of them (RFC 7644, §3.5.2.2).
        (Verb::Remove, None, Some(value)) => MemberChange::Remove(ids(value)?),
        (Verb::Remove, None, None) => MemberChange::Replace(Vec::new()),
        (Verb::Add, None, Some(value)) => MemberChange::Add(ids(value)?),
        (Verb::Replace, None, Some(value)) => MemberChange::Replace(ids(value)?),
        (_, None, None) => return Err(invalid("This operation needs a `value`: a list of members.")),
    };
    Ok(Some(change))
}

/// What an operation without a path does to the members.
pub(super) fn within(operation: &Operation) -> Result<Vec<MemberChange>, ScimError> {
    let (None, Some(Value::Object(parts))) = (&operation.path, &operation.value) else {
        return Ok(Vec::new());
    };
    let mut changes = Vec::new();
    let own = parts.iter().flat_map(|(name, value)| nested(name, value));
    for (name, value) in own {
        let Ok(path) = Path::parse(name) else { continue };
        if !is_members(Kind::Group, &path) || path.attr.sub.is_some() || path.filter.is_some() {
            continue;
        }
        let ids = ids(value)?;
        changes.push(match operation.verb {
            Verb::Add => MemberChange::Add(ids),
            _ => MemberChange::Replace(ids),
        });
    }
    Ok(changes)
}

/// The attributes under the name of the schema, or the one attribute that it is.
fn nested<'a>(name: &'a str, value: &'a Value) -> Vec<(&'a str, &'a Value)> {
    match value {
        Value::Object(parts) if name.eq_ignore_ascii_case(Kind::Group.schema().urn) => {
            let parts: &Object = parts;
            parts.iter().map(|(name, value)| (name.as_str(), value)).collect()
        }
        _ => vec![(name, value)],
    }
}

/// The ids that a filter such as `value eq "a" or value eq "b"` names.
fn selected(filter: &Filter) -> Option<Vec<String>> {
    match filter {
        Filter::Compare(path, Op::Eq, Value::String(id))
            if path.urn.is_none() && path.sub.is_none() && path.name.eq_ignore_ascii_case("value") =>
        {
            Some(vec![id.clone()])
        }
        Filter::Or(terms) => {
            let ids: Option<Vec<_>> = terms.iter().map(selected).collect();
            ids.map(|ids| ids.into_iter().flatten().collect())
        }
        _ => None,
    }
}

fn fixed() -> ScimError {
    ScimError::of(
        ScimType::Mutability,
        "Members are added and removed, not changed: use the path `members`, or a remove of `members[value eq \"…\"]`.",
    )
}
