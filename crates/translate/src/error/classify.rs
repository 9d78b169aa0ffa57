//! The table, by kind of error.

use super::redact::redact;
use super::validation::validation;
use super::{Failure, Health, Retry, Transport, UpstreamError};
use ccag_domain::{Code, Problem};

/// The longest wait that is asked for after throttling, in seconds.
const LONGEST_THROTTLE_S: u32 = 20;

/// Understands a failure that Bedrock reported, by its status and type or as an exception inside a stream.
#[must_use]
pub fn classify(failure: &Failure<'_>) -> UpstreamError {
    let kind = kind_of(failure);
    let message = redact(failure.message);
    let answer = |code: Code, text: &str| Problem::new(code, text);
    let (problem, retry, health) = match kind.as_str() {
        "ThrottlingException" => throttling(failure, &message),
        "ServiceQuotaExceededException" => (
            answer(Code::RateLimited, &message).should_retry(false),
            Retry::NextEndpoint,
            Health::Throttled,
        ),
        "ModelNotReadyException" => (
            answer(Code::Overloaded, &message).retry_after(5),
            Retry::NotReady,
            Health::Unavailable,
        ),
        "ServiceUnavailableException" => (
            answer(Code::Overloaded, &message).retry_after(3),
            Retry::NextEndpoint,
            Health::Unavailable,
        ),
        "InternalServerException" => (
            answer(Code::Internal, or(&message, "Bedrock failed internally")).retry_after(2),
            Retry::OtherOnce,
            Health::Unavailable,
        ),
        "ModelTimeoutException" => (
            answer(Code::Timeout, or(&message, "the model took too long")).retry_after(5),
            Retry::Never,
            Health::Unavailable,
        ),
        "ModelErrorException" | "ModelStreamErrorException" => model_error(failure, &message),
        "AccessDeniedException" => access_denied(failure),
        "ResourceNotFoundException" => model_missing(failure),
        "ConflictException" => (
            answer(Code::Internal, or(&message, "Bedrock reported a conflict")).retry_after(2),
            Retry::SameOnce,
            Health::Fine,
        ),
        "RequestEntityTooLargeException" => (
            answer(Code::TooLarge, "the request is larger than Bedrock takes"),
            Retry::Never,
            Health::Fine,
        ),
        "UnknownOperationException" => (
            answer(Code::BadUpstream, "the endpoint does not offer this operation"),
            Retry::NextEndpoint,
            Health::ModelMissing,
        ),
        "ValidationException" => validation(failure.model, &message),
        _ if is_credentials_kind(&kind) => credentials(),
        _ => by_status(failure.status, &message),
    };
    UpstreamError {
        kind,
        problem,
        retry,
        health,
    }
}

/// Understands an error event of Anthropic's own that came as a chunk.
#[must_use]
pub fn classify_event(kind: &str, message: &str, model: &str) -> UpstreamError {
    let aws = match kind {
        "overloaded_error" => "ServiceUnavailableException",
        "rate_limit_error" => "ThrottlingException",
        "timeout_error" => "ModelTimeoutException",
        "invalid_request_error" => "ValidationException",
        "permission_error" | "authentication_error" => "AccessDeniedException",
        "not_found_error" => "ResourceNotFoundException",
        "request_too_large" => "RequestEntityTooLargeException",
        _ => "InternalServerException",
    };
    let failure = Failure {
        kind: aws,
        message,
        model,
        ..Failure::default()
    };
    UpstreamError {
        kind: kind.to_owned(),
        ..classify(&failure)
    }
}

/// AWS's name for an error type of Anthropic's, as an answer with a status of its own has it.
pub(super) fn aws_kind(anthropic: &str, status: u16) -> Option<&'static str> {
    Some(match anthropic {
        "overloaded_error" => "ServiceUnavailableException",
        "rate_limit_error" => "ThrottlingException",
        "timeout_error" => "ModelTimeoutException",
        "invalid_request_error" => "ValidationException",
        // The lanes' own front door, not the user's.
        "authentication_error" => "UnrecognizedClientException",
        "permission_error" => "AccessDeniedException",
        "not_found_error" => "ResourceNotFoundException",
        "request_too_large" => "RequestEntityTooLargeException",
        "api_error" if status == 424 => "ModelErrorException",
        "api_error" => "InternalServerException",
        _ => return None,
    })
}

/// Understands a failure of the connection.
#[must_use]
pub fn classify_transport(transport: Transport) -> UpstreamError {
    let (kind, code, message) = match transport {
        Transport::Connect => ("connect", Code::Overloaded, "Bedrock cannot be reached"),
        Transport::Cut => ("cut", Code::Overloaded, "the connection to Bedrock broke"),
        Transport::Timeout => ("timeout", Code::Timeout, "Bedrock did not answer in time"),
    };
    let retry = if transport == Transport::Timeout {
        Retry::Never
    } else {
        Retry::NextEndpoint
    };
    UpstreamError {
        kind: kind.to_owned(),
        problem: Problem::new(code, message).retry_after(3),
        retry,
        health: match transport {
            Transport::Connect => Health::Unreachable,
            Transport::Cut | Transport::Timeout => Health::Unavailable,
        },
    }
}

pub(super) type Answer = (Problem, Retry, Health);

fn or<'m>(message: &'m str, otherwise: &'m str) -> &'m str {
    if message.is_empty() { otherwise } else { message }
}

/// AWS's name, from `throttlingException`, `ThrottlingException:http://…` or `com.amazon#ThrottlingException`, or from the
/// status where there is no name.
fn kind_of(failure: &Failure<'_>) -> String {
    let name = failure.kind.split(':').next().unwrap_or_default();
    let name = name.rsplit('#').next().unwrap_or_default().trim();
    let mut chars = name.chars();
    if let Some(first) = chars.next() {
        let kind: String = first.to_uppercase().chain(chars).take(64).collect();
        return match kind.as_str() {
            "TooManyRequestsException" | "Throttling" => "ThrottlingException".to_owned(),
            "InternalServerErrorException" | "InternalFailure" => "InternalServerException".to_owned(),
            "ServiceUnavailable" => "ServiceUnavailableException".to_owned(),
            _ => kind,
        };
    }
    let kind = match failure.status {
        400 | 422 => "ValidationException",
        401 => "UnrecognizedClientException",
        403 => "AccessDeniedException",
        404 => "ResourceNotFoundException",
        408 => "ModelTimeoutException",
        413 => "RequestEntityTooLargeException",
        424 => "ModelErrorException",
        429 => "ThrottlingException",
        503 | 529 => "ServiceUnavailableException",
        _ => "InternalServerException",
    };
    kind.to_owned()
}

fn by_status(status: u16, message: &str) -> Answer {
    let failure = Failure {
        status,
        message,
        ..Failure::default()
    };
    let known = classify(&failure);
    (known.problem, known.retry, known.health)
}

fn throttling(failure: &Failure<'_>, message: &str) -> Answer {
    let message = or(message, "Too many requests, please wait before trying again.");
    let problem = Problem::new(Code::RateLimited, message);
    if message.to_ascii_lowercase().contains("per day") {
        return (
            problem.should_retry(false),
            Retry::NextEndpoint,
            Health::DailyQuota,
        );
    }
    let wait = 2u32
        .saturating_pow(failure.throttles_in_a_row.min(8) + 1)
        .min(LONGEST_THROTTLE_S);
    (problem.retry_after(wait), Retry::NextEndpoint, Health::Throttled)
}

/// Never 424, which Claude Code does not retry: a fault of the model's own is a 502, a fault of the request a 400.
fn model_error(failure: &Failure<'_>, message: &str) -> Answer {
    match failure.original_status {
        Some(429) => throttling(failure, message),
        Some(400..=499) => validation(failure.model, message),
        _ => (
            Problem::new(Code::BadUpstream, or(message, "the model failed")).retry_after(2),
            Retry::NextEndpoint,
            Health::Unavailable,
        ),
    }
}

fn is_credentials_kind(kind: &str) -> bool {
    [
        "ExpiredToken",
        "ExpiredTokenException",
        "UnrecognizedClientException",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "IncompleteSignature",
        "IncompleteSignatureException",
        "InvalidClientTokenId",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "UnauthorizedException",
    ]
    .contains(&kind)
}

/// The user's own key is fine, so never 401 or 403.
fn credentials() -> Answer {
    (
        Problem::new(Code::Overloaded, "upstream credentials unavailable").retry_after(5),
        Retry::RefreshCredentials,
        Health::Credentials,
    )
}

fn access_denied(failure: &Failure<'_>) -> Answer {
    let text = failure.message.to_ascii_lowercase();
    let stale = [
        "security token",
        "token has expired",
        "token included",
        "signature",
        "bearer token",
    ];
    if stale.iter().any(|s| text.contains(s)) {
        return credentials();
    }
    model_missing(failure)
}

/// A 403 would read as a failed sign-in.
pub(super) fn model_missing(failure: &Failure<'_>) -> Answer {
    (
        Problem::new(
            Code::NotFound,
            format!("model `{}` is not enabled on this gateway", failure.model),
        ),
        Retry::NextEndpoint,
        Health::ModelMissing,
    )
}
