//! `/anthropic/v1/messages` of Bedrock Runtime and of bedrock-mantle, which on this one port stands below `/mantle`.

use crate::account::{self, scripted_error};
use crate::http::{Answer, answer, refuse};
use crate::invoke::{self, Ask};
use crate::surface::Surface;
use crate::{Shared, billing, guardrail, models, strict};
use axum::http::{HeaderMap, header};
use serde_json::{Value, json};
use std::sync::Arc;

const UNKNOWN: &str = "UnknownOperationException";

/// Answers a request for a message.
pub(crate) async fn messages(
    shared: Arc<Shared>,
    request_id: &str,
    surface: Surface,
    headers: &HeaderMap,
    body: &[u8],
) -> Answer {
    let operation = surface.operation(false);
    if let Some(in_success) = account::scripted_unknown(&shared, operation, body) {
        return unknown_operation(in_success);
    }
    let invalid = |message: &str| surface.refuse(400, "ValidationException", message, request_id);
    let Ok(parsed) = serde_json::from_slice::<Value>(body) else {
        return invalid("The request body is not valid JSON");
    };
    let Some(model_id) = parsed["model"].as_str() else {
        return invalid("model: Field required");
    };
    if guardrail::is_named(headers) {
        return invalid("Guardrails are not supported for this operation.");
    }
    let ask = Ask {
        surface,
        model_id,
        streaming: parsed["stream"] == true,
        headers,
        body,
    };
    invoke::invoke(shared, request_id, ask).await
}

/// What a front door says that does not know the path. It has been seen to do so with a status that says that all is well.
pub(crate) fn unknown_operation(in_success: bool) -> Answer {
    if in_success {
        let kind = format!("com.amazon.coral.service#{UNKNOWN}");
        let body = json!({"Output": {"__type": kind}, "Version": "1.0"});
        return answer(200, body.to_string()).with(header::CONTENT_TYPE, "application/json");
    }
    refuse(
        404,
        UNKNOWN,
        "The requested operation is not recognized by the service.",
    )
}

/// Answers bedrock-mantle's `count_tokens`.
pub(crate) fn count_tokens(shared: &Shared, request_id: &str, headers: &HeaderMap, body: &[u8]) -> Answer {
    let surface = Surface::Mantle;
    let parsed: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let model_id = parsed["model"].as_str().unwrap_or_default();
    if let Some((status, kind, message)) = scripted_error(shared, "mantle-count", model_id, body) {
        return surface.refuse(status, &kind, &message, request_id);
    }
    let Some(model) = models::base(model_id) else {
        let message = format!("The model '{model_id}' does not exist");
        return surface.refuse(404, "ResourceNotFoundException", &message, request_id);
    };
    match strict::check_count(&parsed, headers, model) {
        Ok(()) => answer(
            200,
            json!({"input_tokens": billing::prompt_tokens(&parsed)}).to_string(),
        )
        .with(header::CONTENT_TYPE, "application/json"),
        Err(message) => surface.refuse(400, "ValidationException", &message, request_id),
    }
}
