//! What a PATCH makes of a resource (RFC 7644, §3.5.2), in all the forms in which providers say it.

mod members;
mod write;

pub use members::MemberChange;
pub(crate) use members::ids;

use crate::error::shown;
use crate::path::{Path, Target};
use crate::{Kind, MAX_OPERATIONS, Object, ScimError, ScimType, resource};
use serde_json::Value;

/// The schema of a PATCH.
const SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Adds values.
    Add,
    /// Puts values in the place of others.
    Replace,
    /// Takes values away.
    Remove,
}

/// One operation.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    pub(crate) verb: Verb,
    pub(crate) path: Option<Path>,
    pub(crate) value: Option<Value>,
}

/// A member of an object, whatever the case of its name.
pub(crate) fn field<'a>(object: &'a Object, name: &str) -> Option<&'a Value> {
    object.get(name).or_else(|| {
        object
            .iter()
            .find(|(k, _)| k.eq_ignore_ascii_case(name))
            .map(|(_, v)| v)
    })
}

fn syntax(detail: impl Into<String>) -> ScimError {
    ScimError::of(ScimType::InvalidSyntax, detail)
}

/// Reads the body of a PATCH.
///
/// # Errors
/// [`ScimType::InvalidSyntax`] for what is no PATCH, [`ScimType::InvalidPath`] for a path that cannot be read.
pub fn parse(body: &Value) -> Result<Vec<Operation>, ScimError> {
    let Some(body) = body.as_object() else {
        return Err(syntax(
            "The body of a PATCH has to be an object with `Operations`.",
        ));
    };
    resource::check_message(body, SCHEMA)?;
    let operations = match field(body, "Operations") {
        Some(Value::Array(operations)) if !operations.is_empty() => operations,
        _ => return Err(syntax("`Operations` has to be a list of at least one operation.")),
    };
    if operations.len() > MAX_OPERATIONS {
        return Err(ScimError::of(
            ScimType::TooMany,
            format!("A PATCH may have {MAX_OPERATIONS} operations at most; send several."),
        ));
    }
    operations.iter().map(operation).collect()
}

fn operation(operation: &Value) -> Result<Operation, ScimError> {
    let Some(operation) = operation.as_object() else {
        return Err(syntax("Each operation has to be an object."));
    };
    let verb = match field(operation, "op") {
        Some(Value::String(word)) => match word.trim().to_ascii_lowercase().as_str() {
            "add" => Verb::Add,
            "replace" => Verb::Replace,
            "remove" => Verb::Remove,
            _ => {
                return Err(syntax(format!(
                    "`op` has to be add, replace or remove, not `{}`.",
                    shown(word)
                )));
            }
        },
        _ => return Err(syntax("Each operation needs an `op`: add, replace or remove.")),
    };
    let path = match field(operation, "path") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) if text.trim().is_empty() => None,
        Some(Value::String(text)) => Some(Path::parse(text)?),
        Some(_) => {
            let detail = "`path` has to be text, such as `name.familyName`.";
            return Err(ScimError::of(ScimType::InvalidPath, detail));
        }
    };
    let value = field(operation, "value").cloned();
    Ok(Operation { verb, path, value })
}

/// What the operations make of a user, all of them or none.
///
/// # Errors
/// What an operation is refused for.
pub fn user(user: &Object, operations: &[Operation]) -> Result<Object, ScimError> {
    let mut changed = user.clone();
    for operation in operations {
        apply(Kind::User, &mut changed, operation)?;
    }
    resource::check(Kind::User, &changed)?;
    Ok(changed)
}

/// What the operations make of a group without its members, and what they do to its members, in order.
///
/// # Errors
/// What an operation is refused for.
pub fn group(group: &Object, operations: &[Operation]) -> Result<(Object, Vec<MemberChange>), ScimError> {
    let mut changed = group.clone();
    let mut members = Vec::new();
    for operation in operations {
        if let Some(change) = members::change(operation)? {
            members.push(change);
        } else {
            members.extend(members::within(operation)?);
            apply(Kind::Group, &mut changed, operation)?;
        }
    }
    resource::check(Kind::Group, &changed)?;
    Ok((changed, members))
}

fn apply(kind: Kind, resource: &mut Object, operation: &Operation) -> Result<(), ScimError> {
    let Some(path) = &operation.path else {
        if operation.verb == Verb::Remove {
            return Err(ScimError::of(
                ScimType::NoTarget,
                "A remove needs a `path` that says what to remove.",
            ));
        }
        let Some(Value::Object(parts)) = &operation.value else {
            return Err(ScimError::of(
                ScimType::InvalidValue,
                "Without a `path`, `value` has to be an object with the attributes.",
            ));
        };
        return each(kind, resource, operation.verb, parts);
    };
    write::at(
        kind,
        resource,
        operation.verb,
        path,
        operation.value.as_ref(),
        true,
    )
}

/// Writes attributes that are given by name: as names, as paths, or in an object under the name of their schema. What
/// the schema does not know, and what only we say, is left out.
pub(crate) fn each(kind: Kind, resource: &mut Object, verb: Verb, parts: &Object) -> Result<(), ScimError> {
    for (name, value) in parts {
        if name.eq_ignore_ascii_case(kind.schema().urn) {
            for (name, value) in value.as_object().into_iter().flatten() {
                named(kind, resource, verb, name, value)?;
            }
        } else {
            named(kind, resource, verb, name, value)?;
        }
    }
    Ok(())
}

fn named(kind: Kind, resource: &mut Object, verb: Verb, name: &str, value: &Value) -> Result<(), ScimError> {
    let Ok(path) = Path::parse(name) else {
        return Ok(());
    };
    if is_members(kind, &path) {
        return Ok(());
    }
    write::at(kind, resource, verb, &path, Some(value), false)
}

/// Members are kept beside the group.
fn is_members(kind: Kind, path: &Path) -> bool {
    kind == Kind::Group
        && matches!(path.attr.target(kind), Some(Target::Attribute { attribute, .. }) if attribute.name == "members")
}
