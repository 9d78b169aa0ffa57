//! What AWS says went wrong → what the client is told, what to try instead, and what it says about the endpoint.
//!
//! Claude Code answers a 400 that it does not know by sending the whole prompt up to six times in reduced forms, gives up at
//! once on a `retry-after` above 60 seconds, and takes a 403 for a failed sign-in. So nothing is handed on unclassified.

mod classify;
mod redact;
mod validation;
mod words;

pub use classify::{classify, classify_event, classify_transport};
pub use redact::redact;
pub use words::Words;

use crate::profile::Reduction;
use ccag_domain::{Code, Problem};

/// A failure as Bedrock reports it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Failure<'f> {
    /// The HTTP status; 0 for an exception inside a stream.
    pub status: u16,
    /// `x-amzn-errortype` or `:exception-type`, in any spelling AWS uses.
    pub kind: &'f str,
    /// What AWS says.
    pub message: &'f str,
    /// The model's own status in `ModelErrorException` and `ModelStreamErrorException`.
    pub original_status: Option<u16>,
    /// The model as the client asked for it.
    pub model: &'f str,
    /// How many throttles this endpoint and model have answered in a row before this one.
    pub throttles_in_a_row: u32,
}

/// A failure that never reached Bedrock's own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// No connection.
    Connect,
    /// The connection broke before the answer began.
    Cut,
    /// No answer in time.
    Timeout,
}

/// What the gateway does before it answers the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Retry {
    /// Another endpoint may do better.
    NextEndpoint,
    /// Another endpoint may do better; no third one is asked.
    OtherOnce,
    /// Another endpoint may do better, or the same one in a while: a few times.
    NotReady,
    /// The same endpoint once more.
    SameOnce,
    /// The same endpoint once more with fresh credentials, then another one.
    RefreshCredentials,
    /// The same endpoint once more with a profile [reduced](crate::profile::Profile::reduced) by this.
    Reduced(Reduction),
    /// The same endpoint once more with the history as it was sent before, or without the thinking in it; only where the
    /// gateway itself may have changed the history.
    OtherHistory,
    /// Nothing helps.
    Never,
}

/// What a failure says about the endpoint and model that gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Health {
    /// Nothing: the request was at fault.
    Fine,
    /// Too much at once.
    Throttled,
    /// The day's tokens are used up: out for hours.
    DailyQuota,
    /// No connection is made.
    Unreachable,
    /// Bedrock has trouble.
    Unavailable,
    /// The endpoint's credentials are not accepted: an admin must know.
    Credentials,
    /// The endpoint does not have the model.
    ModelMissing,
    /// The model cannot be counted for by `CountTokens`.
    CountingUnsupported,
}

/// A failure, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamError {
    /// AWS's name of it, for logs and usage records: `ThrottlingException`.
    pub kind: String,
    /// What the client is told if no retry helps.
    pub problem: Problem,
    /// What to try first.
    pub retry: Retry,
    /// What it says about the endpoint.
    pub health: Health,
}

/// What Bedrock answers to a server tool that it has not, and to what else it cannot name.
const NAMELESS: &str = "The provided request is not valid";

impl UpstreamError {
    /// The same for a request with a tool of a type that nobody here has heard of. Bedrock refuses tools that it has not in
    /// words that name nothing, and Claude Code would send the whole prompt six times in search of the cause.
    #[must_use]
    pub fn with_unheard_of_tool(self, tool: &str) -> Self {
        if self.kind != "ValidationException" || !self.problem.message.contains(NAMELESS) {
            return self;
        }
        let message = format!("tool type '{tool}' is not available on Bedrock");
        Self {
            problem: Problem::new(Code::PolicyBlocked, message).field("tools"),
            ..self
        }
    }

    /// The error as an event inside a stream: clients retry on overload there, not on rate limits.
    #[must_use]
    pub fn in_stream(&self) -> Problem {
        let mut problem = self.problem.clone();
        if matches!(problem.code, Code::RateLimited | Code::Unavailable) {
            problem.code = Code::Overloaded;
        }
        problem
    }
}
