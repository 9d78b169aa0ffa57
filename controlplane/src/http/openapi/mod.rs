//! The admin API as an OpenAPI document, made from the shapes that the server reads and writes and from the table of what it
//! takes to be let in.

mod operation;
mod people;
mod running;
mod schemas;
mod spending;

pub(super) use operation::{Content, Operation};
pub(super) use schemas::{tidy, without_null};

use crate::app::VERSION;
use axum::http::header;
use axum::response::IntoResponse;
use ccag_admin_api::{PROBLEM_JSON, ProblemBody};
use ccag_domain::gate::Gate;
use ccag_domain::{Permission, Reach, Role};
use schemars::SchemaGenerator;
use schemas::Schemas;
use serde_json::{Map, Value, json};
use std::sync::LazyLock;

const ABOUT: &str = "\
The admin API of CCAG. Everything that the console and the `ccag` command line do stands open to scripts.

**Who asks.** Send a session's token (`POST /auth/login`) or a service account's API token as `Authorization: Bearer …`. What an \
operation gives to whom stands with it in `x-ccag-roles`: `everything`, what belongs to one's `team`, or what is one's `own`.

**Lists.** A list is an object with the items under their own name. Those that may be long take `limit` (1 to 1000, by default \
100) and `cursor`, and answer with `next_cursor`: send it as `cursor` to get the next page; `null` means that there is none.

**Shapes.** Ids are text with a prefix that says what they name. Money is an exact decimal text in fields that end in `_usd`, and \
a whole number of nano-dollars in fields that end in `_nano_usd`. Requests with unknown fields are refused; answers may grow \
fields, so ignore those that you do not know. In a PATCH an absent field keeps its value, and `null` clears it.

**Sending again.** Send a new `Idempotency-Key` with a POST, and the same key when the answer did not arrive: the request is carried out \
once, and whoever sends it again within a day gets the first answer, with `Idempotency-Replayed: true`. The same key with another body is refused \
(422), and so is a request while the first is being carried out (409). Refusals are not kept.

**Refusals.** Every refusal is an RFC 9457 problem document; `code` says for programs what is wrong, `detail` for people.

Identity providers provision users by SCIM 2.0 (RFC 7643, RFC 7644) at `/scim/v2`, with tokens of its own; `/scim/v2/Schemas` \
describes that.";

/// All that the document has.
pub(super) static OPERATIONS: LazyLock<Vec<Operation>> = LazyLock::new(|| {
    let mut all = people::operations();
    all.extend(spending::operations());
    all.extend(running::operations());
    all
});

static TEXT: LazyLock<String> = LazyLock::new(|| format!("{:#}\n", document()));

/// `GET /openapi.json`. It says nothing about this gateway, only about all of this version: it is for everybody.
pub(super) async fn show() -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "public, max-age=300"),
    ];
    (headers, TEXT.as_str())
}

fn document() -> Value {
    let mut schemas = Schemas::new();
    let mut paths = Map::new();
    for operation in OPERATIONS.iter() {
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        let described = describe(operation, &mut schemas);
        if let Some(path) = path.as_object_mut() {
            path.insert(operation.method.to_lowercase(), described);
        }
    }
    let problem = schemas.answered(SchemaGenerator::subschema_for::<ProblemBody>);
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "CCAG admin API",
            "version": VERSION,
            "description": ABOUT,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}, {"session": []}],
        "tags": tags(),
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The token of a session, or an API token of a service account.",
                },
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": super::SESSION_COOKIE,
                    "description": "The console's cookie. Requests that change something also show the session's CSRF token as `X-CSRF-Token`, or come from the console's own origin.",
                },
            },
            "parameters": {
                "IdempotencyKey": {
                    "name": "Idempotency-Key",
                    "in": "header",
                    "description": "Names the request, so that it may be sent again: it is carried out once, and answered alike for a day.",
                    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
                },
            },
            "responses": {
                "Problem": {
                    "description": "A refusal, which says what is wrong and what to do.",
                    "content": {PROBLEM_JSON: {"schema": problem}},
                },
            },
        },
    });
    let named = schemas.finish(&mut document);
    document["components"]["schemas"] = Value::Object(named);
    document
}

fn tags() -> Vec<Value> {
    let mut names: Vec<&str> = Vec::new();
    for operation in OPERATIONS.iter().filter(|operation| !operation.tag.is_empty()) {
        if !names.contains(&operation.tag) {
            names.push(operation.tag);
        }
    }
    names.into_iter().map(|name| json!({"name": name})).collect()
}

fn describe(operation: &Operation, schemas: &mut Schemas) -> Value {
    let gate = operation.gate();
    let mut described = json!({
        "operationId": operation.id,
        "summary": operation.summary,
        "tags": [operation.tag],
    });
    let mut parameters = parameters(operation, schemas);
    if operation.may_be_repeated() {
        parameters.push(json!({"$ref": "#/components/parameters/IdempotencyKey"}));
    }
    if !parameters.is_empty() {
        described["parameters"] = Value::Array(parameters);
    }
    if let Some(body) = operation.body {
        let mut content = Map::new();
        add_content(&mut content, body, &mut |shape| schemas.sent(shape));
        described["requestBody"] = json!({"required": true, "content": content});
    }
    described["responses"] = responses(operation, gate, schemas);
    match gate {
        Some(Gate::Public) => described["security"] = json!([]),
        Some(Gate::May(permission)) => described["x-ccag-roles"] = roles(permission),
        _ => {}
    }
    described
}

fn parameters(operation: &Operation, schemas: &mut Schemas) -> Vec<Value> {
    let mut parameters = Vec::new();
    let mut ids = operation.ids.iter();
    for name in operation.path_parameters() {
        let schema = match ids.next() {
            Some(shape) => schemas.sent(*shape),
            None => json!({"type": "string"}),
        };
        parameters.push(json!({"name": name, "in": "path", "required": true, "schema": schema}));
    }
    let Some(query) = operation.query else {
        return parameters;
    };
    let query = schemas.sent(query);
    let required = query["required"].as_array().cloned().unwrap_or_default();
    let properties = query["properties"].as_object().cloned().unwrap_or_default();
    for (name, schema) in properties {
        let mut schema = without_null(schema);
        let mut parameter = json!({"name": name, "in": "query"});
        if let Some(description) = schema
            .as_object_mut()
            .and_then(|map| map.shift_remove("description"))
        {
            parameter["description"] = description;
        }
        if required.iter().any(|one| *one == name.as_str()) {
            parameter["required"] = json!(true);
        }
        parameter["schema"] = schema;
        parameters.push(parameter);
    }
    parameters
}

fn responses(operation: &Operation, gate: Option<Gate>, schemas: &mut Schemas) -> Value {
    let mut content = Map::new();
    for one in &operation.answers {
        add_content(&mut content, *one, &mut |shape| schemas.answered(shape));
    }
    let description = match operation.status {
        201 => "It was made.",
        204 => "It was done; there is nothing to say.",
        _ => "The answer.",
    };
    let mut done = json!({"description": description});
    if !content.is_empty() {
        done["content"] = Value::Object(content);
    }
    let mut responses = json!({operation.status.to_string(): done});
    let takes = operation.body.is_some() || operation.query.is_some();
    let closed = gate != Some(Gate::Public);
    for (status, may_be) in [
        ("400", takes),
        ("401", closed || operation.id == "signIn"),
        ("403", matches!(gate, Some(Gate::May(_)))),
        ("404", operation.path_parameters().next().is_some()),
        ("409", operation.method != "GET"),
        ("413", operation.body.is_some()),
        ("422", operation.may_be_repeated()),
        ("429", operation.id == "signIn"),
        ("503", true),
        ("default", true),
    ] {
        if may_be {
            responses[status] = json!({"$ref": "#/components/responses/Problem"});
        }
    }
    responses
}

fn add_content(
    content: &mut Map<String, Value>,
    what: Content,
    schema: &mut dyn FnMut(operation::Shape) -> Value,
) {
    match what {
        Content::Json(shape) => {
            content.insert("application/json".to_owned(), json!({"schema": schema(shape)}));
        }
        Content::AnyJson => {
            content.insert("application/json".to_owned(), json!({"schema": {}}));
        }
        Content::Media(media, line) => {
            for name in media {
                let line = line.filter(|_| *name == "application/x-ndjson").map(&mut *schema);
                let mut described = match *name {
                    "application/octet-stream" => json!({"schema": {"type": "string", "format": "binary"}}),
                    _ => json!({"schema": {"type": "string"}}),
                };
                if let Some(line) = line {
                    described["x-ccag-line"] = line;
                }
                content.insert((*name).to_owned(), described);
            }
        }
    }
}

/// How far each role gets.
fn roles(permission: Permission) -> Value {
    let mut roles = Map::new();
    for role in Role::ALL {
        let reach = match role.reach(permission) {
            Reach::Everything => "everything",
            Reach::Team => "team",
            Reach::Own => "own",
            Reach::Nothing => continue,
        };
        roles.insert(role.as_str().to_owned(), json!(reach));
    }
    Value::Object(roles)
}

#[cfg(test)]
mod tests;
