//! A call of a tool as a request to the admin API.

use super::refused;
use super::tools::Tool;
use crate::http::openapi::Operation;
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, Request, header};
use ccag_domain::Via;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rmcp::model::{CallToolResult, JsonObject};
use serde_json::{Value, json};
use std::net::SocketAddr;
use tower::ServiceExt;

/// The largest answer that is passed on, in bytes. A model has no use for more.
const MAX_ANSWER: usize = 1 << 20;

/// Headers that are about the body or the connection, and not about who asks.
const OF_THE_MESSAGE: [HeaderName; 7] = [
    header::CONTENT_TYPE,
    header::CONTENT_LENGTH,
    header::CONTENT_ENCODING,
    header::TRANSFER_ENCODING,
    header::CONNECTION,
    header::ACCEPT,
    header::ACCEPT_ENCODING,
];

/// Sends the request that a call stands for, and says what was answered.
pub(super) async fn call(api: &Router, from: &Parts, tool: &Tool, arguments: JsonObject) -> CallToolResult {
    let request = match request(from, tool.operation, arguments) {
        Ok(request) => request,
        Err(detail) => return refused(wrong(&detail)),
    };
    let response = match api.clone().oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    let status = response.status();
    let Ok(body) = axum::body::to_bytes(response.into_body(), MAX_ANSWER).await else {
        return refused(wrong(
            "The answer is too long for a tool. Ask for less: fewer items with `limit`, or a shorter time.",
        ));
    };
    let answer: Value = if body.is_empty() {
        json!({"done": true})
    } else {
        serde_json::from_slice(&body).unwrap_or_else(|_| json!(String::from_utf8_lossy(&body)))
    };
    if !status.is_success() {
        return refused(answer);
    }
    // What is structured has to be an object.
    let answer = match answer {
        answer @ Value::Object(_) => answer,
        other => json!({"answer": other}),
    };
    CallToolResult::structured(answer)
}

fn wrong(detail: &str) -> Value {
    json!({"title": "The call is not valid", "detail": detail, "code": "invalid-request"})
}

fn request(from: &Parts, operation: &Operation, mut arguments: JsonObject) -> Result<Request<Body>, String> {
    let mut path = operation.path.to_owned();
    for name in operation.path_parameters() {
        let given = arguments.shift_remove(name).as_ref().and_then(text);
        let given = given.filter(|given| !given.is_empty());
        let given = given.ok_or_else(|| format!("Give `{name}`."))?;
        let segment = utf8_percent_encode(&given, NON_ALPHANUMERIC).to_string();
        path = path.replacen(&format!("{{{name}}}"), &segment, 1);
    }
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for name in super::tools::query_names(operation) {
        if let Some(value) = arguments.shift_remove(&name)
            && let Some(value) = text(&value)
        {
            query.append_pair(&name, &value);
        }
    }
    let query = query.finish();
    if !query.is_empty() {
        path = format!("{path}?{query}");
    }
    let body = match operation.body {
        Some(_) => Some(Value::Object(arguments).to_string()),
        None => match arguments.keys().next() {
            Some(unknown) => return Err(format!("There is no argument `{unknown}`.")),
            None => None,
        },
    };
    let mut request = Request::builder().method(operation.method).uri(path);
    if let Some(headers) = request.headers_mut() {
        *headers = credentials(&from.headers);
        if body.is_some() {
            let json = header::HeaderValue::from_static("application/json");
            headers.insert(header::CONTENT_TYPE, json);
        }
    }
    let mut request = request
        .body(body.map_or_else(Body::empty, Body::from))
        .map_err(|_| "The arguments do not make a request.".to_owned())?;
    let extensions = request.extensions_mut();
    extensions.insert(Via::Mcp);
    if let Some(peer) = from.extensions.get::<ConnectInfo<SocketAddr>>() {
        extensions.insert(*peer);
    }
    Ok(request)
}

/// What shows who asks, and from where.
fn credentials(headers: &HeaderMap) -> HeaderMap {
    let mut headers = headers.clone();
    for name in OF_THE_MESSAGE {
        headers.remove(name);
    }
    headers
}

/// A value as it stands in a path or a query; nothing for what is left out.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::mcp::tools;

    fn made(tool: &str, arguments: Value) -> Result<Request<Body>, String> {
        let request = Request::builder()
            .header("authorization", "Bearer t")
            .header("content-length", "7")
            .body(())
            .unwrap();
        let (parts, ()) = request.into_parts();
        let tool = tools::find(tool).unwrap();
        request_of(&parts, tool, arguments)
    }

    fn request_of(parts: &Parts, tool: &Tool, arguments: Value) -> Result<Request<Body>, String> {
        request(parts, tool.operation, arguments.as_object().unwrap().clone())
    }

    #[test]
    fn arguments_go_where_the_operation_has_them_and_cannot_leave_their_place() {
        let request = made("show_budget", json!({"id": "../users?x=1"})).unwrap();
        assert_eq!(request.uri(), "/admin/budgets/%2E%2E%2Fusers%3Fx%3D1");
        assert_eq!(request.headers()["authorization"], "Bearer t");
        assert!(!request.headers().contains_key("content-length"));
        assert_eq!(request.extensions().get::<Via>(), Some(&Via::Mcp));
        let request = made("list_keys", json!({"limit": 5, "name": "a&b", "cursor": null})).unwrap();
        assert_eq!(request.uri().query(), Some("name=a%26b&limit=5"));
        for bad in [json!({}), json!({"id": ""}), json!({"id": "bud_1", "x": 1})] {
            assert!(made("show_budget", bad).is_err());
        }
    }
}
