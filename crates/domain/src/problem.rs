//! Every refusal, on every surface: one table, rendered at the edges in the caller's own protocol.

use std::fmt;

/// Why something was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// The request is malformed or asks for something that does not exist in this form.
    InvalidRequest,
    /// Nobody, or nobody known, is asking.
    Unauthenticated,
    /// The caller may not do this.
    Forbidden,
    /// The gateway's own policy forbids what the model request asks for.
    PolicyBlocked,
    /// There is no such thing.
    NotFound,
    /// The path exists, the method does not.
    MethodNotAllowed,
    /// The thing exists already, or changed meanwhile.
    Conflict,
    /// An idempotency key came with another request before.
    KeyReused,
    /// The body is too large.
    TooLarge,
    /// Too many requests; waiting helps.
    RateLimited,
    /// The budget is used up; waiting until it resets helps.
    BudgetExceeded,
    /// The session ran away and is paused; somebody has to resume it.
    SessionPaused,
    /// The gateway or Bedrock cannot take the request now; trying again soon helps.
    Overloaded,
    /// Bedrock did not answer in time.
    Timeout,
    /// Bedrock answered with something that cannot be used.
    BadUpstream,
    /// A part that the answer needs, such as the database, is not reachable.
    Unavailable,
    /// A fault of ours.
    Internal,
}

impl Code {
    /// All codes, for documentation and tests.
    pub const ALL: [Self; 17] = [
        Self::InvalidRequest,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::PolicyBlocked,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::Conflict,
        Self::KeyReused,
        Self::TooLarge,
        Self::RateLimited,
        Self::BudgetExceeded,
        Self::SessionPaused,
        Self::Overloaded,
        Self::Timeout,
        Self::BadUpstream,
        Self::Unavailable,
        Self::Internal,
    ];

    /// The HTTP status.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::InvalidRequest | Self::PolicyBlocked => 400,
            Self::Unauthenticated => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::Conflict => 409,
            Self::TooLarge => 413,
            Self::KeyReused => 422,
            Self::RateLimited | Self::BudgetExceeded | Self::SessionPaused => 429,
            Self::Internal => 500,
            Self::BadUpstream => 502,
            Self::Unavailable => 503,
            Self::Timeout => 504,
            Self::Overloaded => 529,
        }
    }

    /// The `error.type` of Anthropic's envelope (Anthropic API reference, "Errors"). `policy_blocked` and
    /// `billing_error` make Claude Code stop after one request instead of trying reduced forms of it.
    #[must_use]
    pub const fn anthropic_type(self) -> &'static str {
        match self {
            Self::InvalidRequest | Self::MethodNotAllowed | Self::Conflict | Self::KeyReused => {
                "invalid_request_error"
            }
            Self::Unauthenticated => "authentication_error",
            Self::Forbidden => "permission_error",
            Self::PolicyBlocked => "policy_blocked",
            Self::NotFound => "not_found_error",
            Self::TooLarge => "request_too_large",
            Self::RateLimited => "rate_limit_error",
            Self::BudgetExceeded | Self::SessionPaused => "billing_error",
            Self::Overloaded | Self::Unavailable => "overloaded_error",
            Self::Timeout => "timeout_error",
            Self::BadUpstream | Self::Internal => "api_error",
        }
    }

    /// The name used by the admin API, and the anchor in `docs/errors.md`.
    #[must_use]
    pub const fn slug(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid-request",
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
            Self::PolicyBlocked => "policy-blocked",
            Self::NotFound => "not-found",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::Conflict => "conflict",
            Self::KeyReused => "key-reused",
            Self::TooLarge => "too-large",
            Self::RateLimited => "rate-limited",
            Self::BudgetExceeded => "budget-exceeded",
            Self::SessionPaused => "session-paused",
            Self::Overloaded => "overloaded",
            Self::Timeout => "timeout",
            Self::BadUpstream => "bad-upstream",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
        }
    }

    /// A short title for people.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::InvalidRequest => "The request is not valid",
            Self::Unauthenticated => "Sign-in needed",
            Self::Forbidden => "Not allowed",
            Self::PolicyBlocked => "Blocked by policy",
            Self::NotFound => "Not found",
            Self::MethodNotAllowed => "Method not allowed",
            Self::Conflict => "Conflict",
            Self::KeyReused => "The idempotency key was used before",
            Self::TooLarge => "Too large",
            Self::RateLimited => "Too many requests",
            Self::BudgetExceeded => "Budget used up",
            Self::SessionPaused => "Session paused",
            Self::Overloaded => "Overloaded",
            Self::Timeout => "Timed out",
            Self::BadUpstream => "Unusable answer from Bedrock",
            Self::Unavailable => "Temporarily unavailable",
            Self::Internal => "Internal error",
        }
    }
}

/// A refusal: what, and what to do about it. The message is read by the caller: it holds no secret, no ARN and no account
/// id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Problem {
    /// Why.
    pub code: Code,
    /// What is wrong and what to do, for the person who reads it.
    pub message: String,
    /// The field of the request that is at fault, as a JSON path, if one is.
    pub field: Option<String>,
    /// After how many seconds to try again. Claude Code gives up at once on more than 60.
    pub retry_after_s: Option<u32>,
    /// What `x-should-retry` says to Anthropic's clients; `None` leaves it to them.
    pub should_retry: Option<bool>,
    /// Whether this is a refusal that does not say so: there is what was asked for, and the caller may not know of it. Never
    /// shown; for the audit log.
    pub conceals: bool,
}

impl Problem {
    /// A refusal with a message.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            field: None,
            retry_after_s: None,
            should_retry: None,
            conceals: false,
        }
    }

    /// The same, said in place of a refusal.
    #[must_use]
    pub fn concealing(mut self) -> Self {
        self.conceals = true;
        self
    }

    /// Names the field at fault.
    #[must_use]
    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// Says when to try again.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_s = Some(seconds.min(60));
        self
    }

    /// Says whether to try again at all.
    #[must_use]
    pub fn should_retry(mut self, retry: bool) -> Self {
        self.should_retry = Some(retry);
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.slug(), self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn codes_have_names_of_their_own() {
        let slugs: HashSet<_> = Code::ALL.iter().map(|c| c.slug()).collect();
        assert_eq!(slugs.len(), Code::ALL.len());
    }

    #[test]
    fn nobody_is_asked_to_wait_longer_than_claude_code_does() {
        assert_eq!(
            Problem::new(Code::RateLimited, "x")
                .retry_after(600)
                .retry_after_s,
            Some(60)
        );
    }
}
