//! Why a search gave nothing.

/// Why a search gave nothing. What it prints is for whoever has configured the service; it never repeats what the service
/// said.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The service is asked too often.
    #[error("the search service answers too many requests at the moment (status {0})")]
    TooManyRequests(u16),
    /// The service does not take the query.
    #[error("the search service does not take the query (status {0})")]
    BadQuery(u16),
    /// The query is longer than the service takes.
    #[error("the query is longer than the {0} characters that the search service takes")]
    QueryTooLong(usize),
    /// The key is missing or wrong.
    #[error("the search service refuses the API key (status {0}); check it")]
    BadKey(u16),
    /// Something that must be configured is not.
    #[error("{0}")]
    Misconfigured(String),
    /// The address may not be asked.
    #[error(
        "the address is not on the public internet, and only an administrator can allow a private one for everybody"
    )]
    PrivateAddress,
    /// The service answered with something else.
    #[error("the search service answered with status {0}")]
    Status(u16),
    /// The answer is not what the service is known to answer.
    #[error("the search service's answer cannot be read: {0}")]
    Unreadable(&'static str),
    /// No answer came in time.
    #[error("the search service did not answer within {0} seconds")]
    TimedOut(u64),
    /// The service cannot be reached.
    #[error("the search service cannot be reached")]
    Unreachable,
}

impl Failure {
    /// A short name for logs and metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::TooManyRequests(_) => "too_many_requests",
            Self::BadQuery(_) => "bad_query",
            Self::QueryTooLong(_) => "query_too_long",
            Self::BadKey(_) => "bad_key",
            Self::Misconfigured(_) => "misconfigured",
            Self::PrivateAddress => "private_address",
            Self::Status(_) => "status",
            Self::Unreadable(_) => "unreadable",
            Self::TimedOut(_) => "timed_out",
            Self::Unreachable => "unreachable",
        }
    }

    /// What a status that is not a success means.
    pub(crate) const fn of_status(status: u16) -> Self {
        match status {
            // Tavily answers 432 and 433 when a plan's limit is reached.
            429 | 432 | 433 => Self::TooManyRequests(status),
            400 | 422 => Self::BadQuery(status),
            401 | 403 => Self::BadKey(status),
            _ => Self::Status(status),
        }
    }
}
