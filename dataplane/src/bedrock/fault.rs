//! An attempt that failed: what the client would be told, and what to do instead.

use super::CallError;
use ccag_domain::{Code, Problem, Tokens};
use ccag_translate::error::{
    Failure, Health, Retry, Transport, UpstreamError, Words, classify, classify_transport,
};
use ccag_translate::noticed::{Dropped, DroppedKind};
use ccag_translate::stream::EndReason;
use http::{HeaderMap, StatusCode};
use std::time::Duration;

/// A failed attempt.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) error: UpstreamError,
    /// For logs: it may name hosts and roles.
    pub(crate) detail: String,
    /// Whether Bedrock may have received the request.
    pub(crate) reached: bool,
    /// What it has used nevertheless.
    pub(crate) tokens: Tokens,
    pub(crate) aws_request_id: Option<String>,
    /// Bedrock's HTTP status, where it answered with one.
    pub(crate) status: Option<u16>,
}

impl Fault {
    /// The kind of a refusal because a team has its share of a quota that is short.
    pub(crate) const OVER_SHARE: &'static str = "QuotaShare";

    fn new(error: UpstreamError, detail: String, reached: bool) -> Self {
        Self {
            error,
            detail,
            reached,
            tokens: Tokens::default(),
            aws_request_id: None,
            status: None,
        }
    }

    /// There was no answer.
    pub(crate) fn of_call(call: &CallError) -> Self {
        let error = match call {
            CallError::Connect(_) => classify_transport(Transport::Connect),
            CallError::Broken(_) => {
                // A pooled connection that the other side was closing: once more on a new one.
                UpstreamError {
                    retry: Retry::SameOnce,
                    ..classify_transport(Transport::Cut)
                }
            }
            CallError::TimedOut => classify_transport(Transport::Timeout),
            CallError::Credentials(_) | CallError::Misconfigured(_) => own(
                Problem::new(Code::Overloaded, "upstream credentials unavailable").retry_after(5),
                Retry::NextEndpoint,
                Health::Credentials,
            ),
        };
        let error = UpstreamError {
            kind: call.name().to_owned(),
            ..error
        };
        Self::new(error, call.to_string(), call.reached_bedrock())
    }

    /// The answer is an error.
    pub(crate) fn of_refusal(
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
        model: &str,
        throttles_in_a_row: u32,
    ) -> Self {
        let words = Words::read(body, status.as_u16());
        let kind = headers
            .get("x-amzn-errortype")
            .and_then(|v| v.to_str().ok())
            .map(str::to_owned)
            .or(words.kind);
        let message = words.message;
        let error = classify(&Failure {
            status: status.as_u16(),
            kind: kind.as_deref().unwrap_or_default(),
            message: &message,
            original_status: words.original_status,
            model,
            throttles_in_a_row,
        });
        let detail = format!("{status}: {}", message.chars().take(500).collect::<String>());
        Self {
            status: Some(status.as_u16()),
            ..Self::new(error, detail, true)
        }
    }

    /// The same, where the request had something in it that no rule names.
    pub(crate) fn of_passed(self, passed: &[Dropped]) -> Self {
        match passed.iter().find(|one| one.kind == DroppedKind::ToolType) {
            Some(tool) => Self {
                error: self.error.with_unheard_of_tool(&tool.name),
                ..self
            },
            None => self,
        }
    }

    /// The stream ended before any content.
    pub(crate) fn of_end(reason: EndReason) -> Self {
        match reason {
            EndReason::Error(error) => {
                let detail = error.problem.message.clone();
                Self::new(*error, detail, true)
            }
            EndReason::Clean => Self::cut("the stream ended before any content"),
            EndReason::Cut => Self::cut("the stream broke before any content"),
        }
    }

    /// The connection broke.
    pub(crate) fn cut(detail: &str) -> Self {
        let error = UpstreamError {
            kind: "StreamCut".to_owned(),
            ..classify_transport(Transport::Cut)
        };
        Self::new(error, detail.to_owned(), true)
    }

    /// The answer is none.
    pub(crate) fn unusable(problem: Problem) -> Self {
        let detail = problem.message.clone();
        let error = own(problem, Retry::NextEndpoint, Health::Unavailable);
        Self::new(
            UpstreamError {
                kind: "UnusableAnswer".to_owned(),
                ..error
            },
            detail,
            true,
        )
    }

    /// The gateway itself refuses, on behalf of its rules or of a guardrail, before Bedrock was asked.
    pub(crate) fn refused_here(kind: &str, problem: Problem) -> Self {
        let detail = problem.message.clone();
        let error = UpstreamError {
            kind: kind.to_owned(),
            ..own(problem, Retry::Never, Health::Fine)
        };
        Self::new(error, detail, false)
    }

    /// There was nothing to try.
    pub(crate) fn no_route() -> Self {
        let problem = Problem::new(Code::Overloaded, "no endpoint is available").retry_after(10);
        Self::new(
            UpstreamError {
                kind: "NoRoute".to_owned(),
                ..own(problem, Retry::Never, Health::Fine)
            },
            String::new(),
            false,
        )
    }
}

fn own(problem: Problem, retry: Retry, health: Health) -> UpstreamError {
    UpstreamError {
        kind: String::new(),
        problem,
        retry,
        health,
    }
}

/// Bedrock has said nothing for so long that the gateway ends the stream.
pub(crate) fn silent_end(idle: Duration) -> EndReason {
    let problem = Problem::new(
        Code::Timeout,
        format!("Bedrock was silent for {} s", idle.as_secs()),
    );
    EndReason::Error(Box::new(UpstreamError {
        kind: "UpstreamSilent".to_owned(),
        ..own(problem, Retry::Never, Health::Unavailable)
    }))
}

/// The gateway itself ends a stream.
pub(crate) fn own_end(kind: &str, problem: Problem) -> EndReason {
    EndReason::Error(Box::new(UpstreamError {
        kind: kind.to_owned(),
        ..own(problem, Retry::Never, Health::Fine)
    }))
}
