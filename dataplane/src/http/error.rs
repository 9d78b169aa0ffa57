//! Refusals in Anthropic's envelope.

use axum::body::Body;
use axum::response::Response;
use ccag_domain::{Problem, RequestId};
use http::{HeaderName, HeaderValue, StatusCode, header};

/// Names the request, in answers of every kind (Anthropic API reference, "Errors").
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");

/// Bedrock's own id of the request.
pub(super) const AWS_REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

/// The envelope as JSON.
pub(super) fn envelope(problem: &Problem, request_id: &RequestId) -> String {
    serde_json::json!({
        "type": "error",
        "error": { "type": problem.code.anthropic_type(), "message": problem.message },
        "request_id": request_id.as_str(),
    })
    .to_string()
}

/// The whole answer.
pub(super) fn render(problem: &Problem, request_id: &RequestId) -> Response {
    let mut response = Response::new(Body::from(envelope(problem, request_id)));
    *response.status_mut() =
        StatusCode::from_u16(problem.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    set_request_id(headers, request_id);
    if let Some(seconds) = problem.retry_after_s {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds.min(60)));
    }
    if let Some(retry) = problem.should_retry {
        headers.insert(
            SHOULD_RETRY,
            HeaderValue::from_static(if retry { "true" } else { "false" }),
        );
    }
    response
}

pub(super) fn set_request_id(headers: &mut http::HeaderMap, request_id: &RequestId) {
    if let Ok(value) = HeaderValue::from_str(request_id.as_str()) {
        headers.insert(REQUEST_ID, value);
    }
}

pub(super) fn set_aws_request_id(headers: &mut http::HeaderMap, id: Option<&str>) {
    if let Some(value) = id.and_then(|id| HeaderValue::from_str(id).ok()) {
        headers.insert(AWS_REQUEST_ID, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ccag_domain::Code;

    #[test]
    fn the_envelope_and_its_headers_are_anthropics() {
        let id = RequestId::parse("req_1").unwrap();
        let problem = Problem::new(Code::RateLimited, "slow \"down\"")
            .retry_after(90)
            .should_retry(true);
        let response = render(&problem, &id);
        assert_eq!(response.status(), 429);
        let headers = response.headers();
        assert_eq!(headers["request-id"], "req_1");
        assert_eq!(headers["retry-after"], "60");
        assert_eq!(headers["x-should-retry"], "true");
        assert_eq!(
            envelope(&problem, &id),
            r#"{"type":"error","error":{"type":"rate_limit_error","message":"slow \"down\""},"request_id":"req_1"}"#
        );
        assert_eq!(render(&Problem::new(Code::Overloaded, "x"), &id).status(), 529);
    }
}
