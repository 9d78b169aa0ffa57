//! Every row of the table: what Bedrock says, what the client is told, what is tried first.

use ccag_domain::Code;
use ccag_translate::error::{
    Failure, Health, Retry, Transport, UpstreamError, classify, classify_event, classify_transport,
};
use ccag_translate::profile::Reduction;

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

fn path(path: &str) -> Retry {
    Retry::Reduced(Reduction::Path(path.to_owned()))
}

#[test]
fn every_row_has_its_status_type_retry_and_health() {
    use Code::{
        BadUpstream, Internal, InvalidRequest, NotFound, Overloaded, PolicyBlocked, RateLimited, Timeout,
        TooLarge,
    };
    use Health::{CountingUnsupported, Credentials, DailyQuota, Fine, ModelMissing, Throttled, Unavailable};
    use Retry::{Never, NextEndpoint, RefreshCredentials, SameOnce};
    let minimal = Retry::Reduced(Reduction::MinimalBetas);
    let rows: Vec<(u16, &str, &str, Code, Retry, Health)> = vec![
        (
            429,
            "ThrottlingException",
            "Too many tokens, please wait before trying again.",
            RateLimited,
            NextEndpoint,
            Throttled,
        ),
        (
            429,
            "ThrottlingException",
            "Too many requests, please wait before trying again.",
            RateLimited,
            NextEndpoint,
            Throttled,
        ),
        (
            429,
            "ThrottlingException",
            "Rate exceeded",
            RateLimited,
            NextEndpoint,
            Throttled,
        ),
        (
            429,
            "ThrottlingException",
            "Too many tokens per day, please wait before trying again.",
            RateLimited,
            NextEndpoint,
            DailyQuota,
        ),
        (
            400,
            "ServiceQuotaExceededException",
            "over quota",
            RateLimited,
            NextEndpoint,
            Throttled,
        ),
        (
            429,
            "ModelNotReadyException",
            "The model is not ready",
            Overloaded,
            SameOnce,
            Unavailable,
        ),
        (
            503,
            "ServiceUnavailableException",
            "Bedrock is unable to process your request.",
            Overloaded,
            NextEndpoint,
            Unavailable,
        ),
        (
            500,
            "InternalServerException",
            "internal",
            Internal,
            NextEndpoint,
            Unavailable,
        ),
        (
            408,
            "ModelTimeoutException",
            "timed out",
            Timeout,
            Never,
            Unavailable,
        ),
        (
            424,
            "ModelErrorException",
            "The system encountered an unexpected error during processing.",
            BadUpstream,
            NextEndpoint,
            Unavailable,
        ),
        (
            403,
            "AccessDeniedException",
            "You don't have access to the model with the specified model ID.",
            NotFound,
            NextEndpoint,
            ModelMissing,
        ),
        (
            403,
            "AccessDeniedException",
            "Model is not available for this account",
            NotFound,
            NextEndpoint,
            ModelMissing,
        ),
        (
            403,
            "AccessDeniedException",
            "User: arn:aws:iam::111122223333:user/x is not authorized to perform: bedrock:InvokeModel",
            NotFound,
            NextEndpoint,
            ModelMissing,
        ),
        (
            403,
            "ExpiredTokenException",
            "The security token included in the request is expired",
            Overloaded,
            RefreshCredentials,
            Credentials,
        ),
        (
            403,
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
            Overloaded,
            RefreshCredentials,
            Credentials,
        ),
        (
            403,
            "InvalidSignatureException",
            "Signature expired",
            Overloaded,
            RefreshCredentials,
            Credentials,
        ),
        (
            403,
            "AccessDeniedException",
            "Bearer Token has expired",
            Overloaded,
            RefreshCredentials,
            Credentials,
        ),
        (
            403,
            "SignatureDoesNotMatch",
            "no match",
            Overloaded,
            RefreshCredentials,
            Credentials,
        ),
        (
            404,
            "ResourceNotFoundException",
            "This Model is marked by provider as Legacy",
            NotFound,
            NextEndpoint,
            ModelMissing,
        ),
        (400, "ConflictException", "conflict", Internal, SameOnce, Fine),
        (
            413,
            "RequestEntityTooLargeException",
            "too large",
            TooLarge,
            Never,
            Fine,
        ),
        (
            200,
            "UnknownOperationException",
            "",
            BadUpstream,
            NextEndpoint,
            ModelMissing,
        ),
        (
            400,
            "ValidationException",
            "Input is too long for requested model.",
            InvalidRequest,
            Never,
            Fine,
        ),
        (
            400,
            "ValidationException",
            "prompt is too long: 210000 tokens > 200000 maximum",
            InvalidRequest,
            Never,
            Fine,
        ),
        (
            400,
            "ValidationException",
            "input length and `max_tokens` exceed context limit: 1 + 2 > 2",
            InvalidRequest,
            Never,
            Fine,
        ),
        (
            400,
            "ValidationException",
            "The maximum tokens you requested exceeds the model limit of 64000. Try again with a maximum tokens value that is lower than 64000.",
            InvalidRequest,
            Retry::Reduced(Reduction::MaxTokens(64_000)),
            Fine,
        ),
        (
            400,
            "ValidationException",
            "Invocation of model ID x with on-demand throughput isn't supported. Retry your request with the ID or ARN of an inference profile that contains this model.",
            NotFound,
            NextEndpoint,
            ModelMissing,
        ),
        (
            400,
            "ValidationException",
            "The provided model identifier is invalid.",
            NotFound,
            NextEndpoint,
            ModelMissing,
        ),
        (
            400,
            "ValidationException",
            "data retention mode 'default' is not available for this model",
            NotFound,
            NextEndpoint,
            ModelMissing,
        ),
        (
            400,
            "ValidationException",
            "invalid beta flag",
            BadUpstream,
            minimal,
            Fine,
        ),
        (
            400,
            "ValidationException",
            "tools.0.custom.eager_input_streaming: Extra inputs are not permitted",
            InvalidRequest,
            path("tools.0.custom.eager_input_streaming"),
            Fine,
        ),
        (
            400,
            "ValidationException",
            "Malformed input request: #: extraneous key [foo] is not permitted, please reformat your input and try again.",
            InvalidRequest,
            path("foo"),
            Fine,
        ),
        (
            400,
            "ValidationException",
            "Unexpected value(s) `x-1` for the `anthropic-beta` header.",
            InvalidRequest,
            Retry::Reduced(Reduction::Beta("x-1".to_owned())),
            Fine,
        ),
        (
            400,
            "ValidationException",
            "Request metadata contains a value that violates the regular expression",
            InvalidRequest,
            path("metadata"),
            Fine,
        ),
        (
            400,
            "ValidationException",
            "tool type 'web_search_20250305' is not supported",
            PolicyBlocked,
            Never,
            Fine,
        ),
        (
            400,
            "ValidationException",
            "The provided model doesn't support counting tokens",
            NotFound,
            Never,
            CountingUnsupported,
        ),
        (
            400,
            "ValidationException",
            "messages.1.content.0: Invalid `signature` in `thinking` block.",
            InvalidRequest,
            Retry::OtherHistory,
            Fine,
        ),
        (
            400,
            "ValidationException",
            "something nobody has seen",
            InvalidRequest,
            Never,
            Fine,
        ),
        (
            418,
            "BrandNewException",
            "new",
            Internal,
            NextEndpoint,
            Unavailable,
        ),
    ];
    for (status, kind, message, code, retry, health) in rows {
        let error = of(status, kind, message);
        assert_eq!(
            (error.problem.code, &error.retry, error.health),
            (code, &retry, health),
            "{kind}: {message}"
        );
        assert!(!error.problem.message.contains("111122223333") && !error.problem.message.contains("arn:"));
    }
}

#[test]
fn nothing_that_claude_code_misreads_is_answered() {
    for status in [
        400, 401, 403, 404, 408, 413, 422, 424, 429, 500, 502, 503, 504, 529, 599,
    ] {
        let error = of(status, "", "words");
        assert!(
            !matches!(error.problem.code.status(), 401 | 403 | 408 | 422 | 424),
            "{status}"
        );
        assert!(
            error.problem.retry_after_s.is_none_or(|s| (1..=60).contains(&s)),
            "{status}"
        );
        if matches!(error.problem.code, Code::RateLimited | Code::Overloaded) {
            assert!(
                error.problem.retry_after_s.is_some(),
                "{status} tells no time to wait"
            );
        }
    }
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
fn waits_rise_with_every_throttle_and_stay_short() {
    let wait = |n| {
        let failure = Failure {
            throttles_in_a_row: n,
            ..failure(429, "ThrottlingException", "Rate exceeded")
        };
        classify(&failure).problem.retry_after_s
    };
    assert_eq!(
        [wait(0), wait(1), wait(2), wait(3), wait(9), wait(u32::MAX)],
        [2, 4, 8, 16, 20, 20].map(Some)
    );
}

#[test]
fn a_days_quota_used_up_is_not_worth_waiting_for() {
    let error = of(
        429,
        "ThrottlingException",
        "Too many tokens per day, please wait before trying again.",
    );
    assert_eq!(
        (error.problem.should_retry, error.problem.retry_after_s),
        (Some(false), None)
    );
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
