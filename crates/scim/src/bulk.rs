//! Several requests in one (RFC 7644, §3.7).

use crate::error::shown;
use crate::patch::field;
use crate::{Object, ScimError, ScimType, resource};
use serde_json::{Map, Value, json};
use std::collections::HashMap;

/// The schema of the request.
const REQUEST: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
/// The schema of the answer.
const RESPONSE: &str = "urn:ietf:params:scim:api:messages:2.0:BulkResponse";

/// The most operations of one request.
pub const MAX_OPERATIONS: usize = 200;

/// The largest request, in bytes.
pub const MAX_PAYLOAD: usize = 8 << 20;

/// What refers to something that is made by the same request.
const REFERENCE: &str = "bulkId:";

/// Several requests.
#[derive(Debug, Clone, PartialEq)]
pub struct Bulk {
    /// After how many refusals the rest is left undone.
    pub fail_on_errors: Option<u64>,
    /// The requests.
    pub operations: Vec<Operation>,
}

/// One of the requests.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    /// POST, PUT, PATCH or DELETE.
    pub method: String,
    /// What the request calls the resource that it makes.
    pub id: Option<String>,
    /// The version that is meant to be changed.
    pub version: Option<String>,
    /// Where, below the base.
    pub path: String,
    /// The body.
    pub data: Value,
}

fn syntax(detail: impl Into<String>) -> ScimError {
    ScimError::of(ScimType::InvalidSyntax, detail)
}

/// Reads the body.
///
/// # Errors
/// [`ScimType::InvalidSyntax`], or 413 for too many operations.
pub fn parse(body: &Value) -> Result<Bulk, ScimError> {
    let Some(body) = body.as_object() else {
        return Err(syntax("The body has to be an object with `Operations`."));
    };
    resource::check_message(body, REQUEST)?;
    let Some(Value::Array(operations)) = field(body, "Operations") else {
        return Err(syntax("`Operations` has to be a list."));
    };
    if operations.len() > MAX_OPERATIONS {
        return Err(ScimError::new(
            413,
            format!("A bulk request may have {MAX_OPERATIONS} operations at most; send several."),
        ));
    }
    let operations = operations.iter().map(operation).collect::<Result<_, _>>()?;
    let fail_on_errors = match field(body, "failOnErrors") {
        None | Some(Value::Null) => None,
        Some(value) => Some(
            value
                .as_u64()
                .ok_or_else(|| syntax("`failOnErrors` has to be a whole number."))?,
        ),
    };
    Ok(Bulk {
        fail_on_errors,
        operations,
    })
}

fn operation(operation: &Value) -> Result<Operation, ScimError> {
    let Some(operation) = operation.as_object() else {
        return Err(syntax("Each operation has to be an object."));
    };
    let text = |name: &str| field(operation, name).and_then(Value::as_str).map(str::to_owned);
    let method = text("method").map(|method| method.to_ascii_uppercase());
    let method = method.filter(|method| matches!(method.as_str(), "POST" | "PUT" | "PATCH" | "DELETE"));
    let method =
        method.ok_or_else(|| syntax("Each operation needs a `method`: POST, PUT, PATCH or DELETE."))?;
    let path = text("path").filter(|path| path.starts_with('/'));
    let path = path.ok_or_else(|| syntax("Each operation needs a `path`, such as `/Users`."))?;
    let id = text("bulkId").filter(|id| !id.is_empty());
    if method == "POST" && id.is_none() {
        return Err(syntax("Each POST needs a `bulkId`."));
    }
    Ok(Operation {
        method,
        id,
        version: text("version"),
        path,
        data: field(operation, "data").cloned().unwrap_or(Value::Null),
    })
}

impl Operation {
    /// The first of the names, among those that `pending` knows, that it refers to and that have not been made yet.
    #[must_use]
    pub fn waits_for(&self, made: &HashMap<String, String>) -> Option<String> {
        let mut waiting = None;
        let mut look = |text: &str| {
            if waiting.is_none()
                && let Some(name) = text.strip_prefix(REFERENCE)
                && !made.contains_key(name)
            {
                waiting = Some(name.to_owned());
            }
        };
        for part in self.path.split('/') {
            look(part);
        }
        walk(&self.data, &mut look);
        waiting
    }

    /// Puts the ids of what has been made in the place of its names.
    pub fn resolve(&mut self, made: &HashMap<String, String>) {
        let id = |text: &str| {
            text.strip_prefix(REFERENCE)
                .and_then(|name| made.get(name))
                .cloned()
        };
        let parts = self
            .path
            .split('/')
            .map(|part| id(part).unwrap_or_else(|| part.to_owned()));
        self.path = parts.collect::<Vec<_>>().join("/");
        replace(&mut self.data, &id);
    }

    /// What is answered: where the resource is, its version, the status, and why it was refused.
    #[must_use]
    pub fn answer(
        &self,
        status: u16,
        location: Option<&str>,
        version: Option<&str>,
        error: Option<Value>,
    ) -> Value {
        let mut answer = Map::new();
        answer.insert("method".to_owned(), self.method.clone().into());
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                answer.insert(name.to_owned(), value);
            }
        };
        put("bulkId", self.id.clone().map(Value::String));
        put("location", location.map(Into::into));
        put("version", version.map(Into::into));
        put("status", Some(status.to_string().into()));
        put("response", error);
        answer.into()
    }
}

/// The refusal of an operation that refers to what is not made by the request, or only after it.
#[must_use]
pub fn unresolved(name: &str) -> ScimError {
    let detail = format!(
        "`bulkId:{}` refers to nothing that this request has made, or in a circle.",
        shown(name)
    );
    ScimError {
        status: 409,
        kind: Some(ScimType::InvalidValue),
        detail,
    }
}

/// JSON is at most 128 levels deep when it has been read.
fn walk(value: &Value, look: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) => look(text),
        Value::Array(values) => values.iter().for_each(|value| walk(value, look)),
        Value::Object(parts) => parts.values().for_each(|value| walk(value, look)),
        _ => {}
    }
}

fn replace(value: &mut Value, id: &impl Fn(&str) -> Option<String>) {
    match value {
        Value::String(text) => {
            if let Some(id) = id(text) {
                *text = id;
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| replace(value, id)),
        Value::Object(parts) => parts.values_mut().for_each(|value| replace(value, id)),
        _ => {}
    }
}

/// The answer to all of them.
#[must_use]
pub fn response(answers: Vec<Value>) -> Value {
    let mut body: Object = Map::new();
    body.insert("schemas".to_owned(), json!([RESPONSE]));
    body.insert("Operations".to_owned(), answers.into());
    body.into()
}
