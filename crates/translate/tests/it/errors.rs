//! How errors are told apart; the table itself is in `exchanges.rs`.

use ccag_domain::Code;
use ccag_translate::error::{
    Failure, Retry, Transport, UpstreamError, classify, classify_event, classify_transport,
};

fn failure<'f>(status: u16, kind: &'f str, message: &'f str) -> Failure<'f> {
    Failure {
        status,
        kind,
        message,
        model: "claude-opus-5-5",
        ..Failure::default()
    }
}

fn of(status: u16, kind: &str, message: &str) -> UpstreamError {
    classify(&failure(status, kind, message))
}

#[test]
fn aws_spells_one_type_in_many_ways() {
    for kind in [
        "ThrottlingException",
        "throttlingException",
        "ThrottlingException:http://internal.amazon.com/coral/com.amazon.bedrock/",
        "com.amazonaws.bedrock#ThrottlingException",
        "TooManyRequestsException",
    ] {
        assert_eq!(of(0, kind, "Rate exceeded").kind, "ThrottlingException", "{kind}");
    }
}

#[test]
fn throttling_is_never_taken_for_overflow_nor_overflow_for_throttling() {
    let message = "Too many tokens, please wait before trying again.";
    assert_eq!(of(429, "ThrottlingException", message).problem.message, message);
    let overflow = of(400, "ValidationException", "Too many input tokens");
    assert!(
        overflow.problem.message.starts_with("Input is too long"),
        "{}",
        overflow.problem.message
    );
    assert_eq!(
        of(
            400,
            "ValidationException",
            "The model: prompt is too long: 7 tokens > 5 maximum!"
        )
        .problem
        .message,
        "prompt is too long: 7 tokens > 5 maximum"
    );
}

#[test]
fn a_models_own_status_decides_where_bedrock_tells_it() {
    let error = |original| {
        classify(&Failure {
            original_status: Some(original),
            ..failure(424, "ModelErrorException", "bad field")
        })
    };
    assert_eq!(error(400).problem.code, Code::InvalidRequest);
    assert_eq!(error(429).problem.code, Code::RateLimited);
    assert_eq!(error(500).problem.code, Code::BadUpstream);
}

#[test]
fn a_missing_model_is_named_as_the_client_named_it() {
    let error = of(
        403,
        "AccessDeniedException",
        "You don't have access to the model with the specified model ID.",
    );
    assert!(error.problem.message.contains("claude-opus-5-5"));
}

#[test]
fn inside_a_stream_throttling_is_overload() {
    assert_eq!(
        of(0, "throttlingException", "Rate exceeded").in_stream().code,
        Code::Overloaded
    );
    assert_eq!(
        of(0, "validationException", "x").in_stream().code,
        Code::InvalidRequest
    );
}

#[test]
fn anthropics_own_error_events_and_broken_connections_are_understood() {
    let event = classify_event("overloaded_error", "Overloaded", "m");
    assert_eq!(
        (event.problem.code, event.retry),
        (Code::Overloaded, Retry::NextEndpoint)
    );
    assert_eq!(classify_transport(Transport::Connect).retry, Retry::NextEndpoint);
    assert_eq!(classify_transport(Transport::Timeout).problem.code, Code::Timeout);
}
