//! The ways to ask for a model, and what differs between them.

use crate::http::{Answer, answer, refuse};
use axum::http::header;
use serde_json::json;

/// A way to ask for a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Surface {
    /// `InvokeModel` and `InvokeModelWithResponseStream`.
    InvokeModel,
    /// Bedrock Runtime's `/anthropic/v1/messages`.
    Messages,
    /// bedrock-mantle's `/anthropic/v1/messages`.
    Mantle,
}

impl Surface {
    /// The operation in scripts and in the account.
    pub(crate) fn operation(self, streaming: bool) -> &'static str {
        match self {
            Self::InvokeModel if streaming => "stream",
            Self::InvokeModel => "invoke",
            Self::Messages => "messages",
            Self::Mantle => "mantle",
        }
    }

    /// An error in the surface's own form: AWS's for `InvokeModel`, Anthropic's envelope for the others.
    pub(crate) fn refuse(self, status: u16, error_type: &str, message: &str, request_id: &str) -> Answer {
        if self == Self::InvokeModel {
            return refuse(status, error_type, message);
        }
        answer(status, envelope(error_type, message, request_id))
            .with(header::CONTENT_TYPE, "application/json")
    }
}

/// Anthropic's name for an AWS error.
pub(crate) fn anthropic_type(error_type: &str) -> &'static str {
    let mut name = error_type.to_owned();
    if let Some(first) = name.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    match name.as_str() {
        "ValidationException" => "invalid_request_error",
        "ThrottlingException" | "ServiceQuotaExceededException" => "rate_limit_error",
        "AccessDeniedException" => "permission_error",
        "ResourceNotFoundException" => "not_found_error",
        "RequestEntityTooLargeException" => "request_too_large",
        "ServiceUnavailableException" | "ModelNotReadyException" => "overloaded_error",
        "ModelTimeoutException" => "timeout_error",
        _ => "api_error",
    }
}

/// An error in Anthropic's envelope.
pub(crate) fn envelope(error_type: &str, message: &str, request_id: &str) -> String {
    json!({
        "type": "error",
        "error": {"type": anthropic_type(error_type), "message": message},
        "request_id": format!("req_bdrk_{request_id}"),
    })
    .to_string()
}

/// How a stream's events are put on the wire.
#[derive(Debug, Clone)]
pub(crate) enum Framing {
    /// AWS's binary event stream.
    EventStream,
    /// Server-sent events; errors carry this request id.
    Sse(String),
}
