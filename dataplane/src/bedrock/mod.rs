//! Bedrock Runtime as an upstream: credentials, signatures, connections, and the walk along a route.
//!
//! We speak HTTP to Bedrock ourselves instead of through its SDK: no hidden retries of a billed prompt, the raw headers and
//! exception frames at hand, and one copy of the body. Credentials and signatures come from the AWS crates.

pub(crate) mod attempt;
mod client;
pub(crate) mod events;
pub(crate) mod fault;
pub(crate) mod health;
pub(crate) mod homes;
pub(crate) mod job;
pub(crate) mod lanes;
mod left;
pub(crate) mod quota;
mod reading;
pub(crate) mod throttling;
pub(crate) mod uncounted;

pub use ccag_aws::{AwsCredentials, AwsSettings};
pub use client::{AwsUpstream, ClientConfig};

use bytes::Bytes;
use ccag_aws::{Pieces, SEGMENT};
use ccag_domain::{Endpoint, Subject};
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use percent_encoding::utf8_percent_encode;

/// An error of a connection, of any kind.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// An answer's body. Dropping it before its end closes the connection, which is how a request is cancelled.
pub type UpstreamBody = UnsyncBoxBody<Bytes, BoxError>;

/// What Bedrock is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation<'a> {
    /// `InvokeModel`: the whole answer at once.
    Invoke,
    /// `InvokeModelWithResponseStream`: the answer as an event stream.
    InvokeStream,
    /// `CountTokens`.
    CountTokens,
    /// Bedrock Runtime's `/anthropic/v1/messages`; the body says whether the answer is to be streamed.
    Messages,
    /// The same of bedrock-mantle.
    Mantle,
    /// bedrock-mantle's `/anthropic/v1/messages/count_tokens`.
    MantleCount,
    /// `ApplyGuardrail`: the call's `model` is the guardrail's id.
    ApplyGuardrail {
        /// The guardrail's version.
        version: &'a str,
    },
}

impl Operation<'_> {
    /// The path (Amazon Bedrock API reference, "InvokeModel" and following; AWS, "Inference using the Messages API").
    fn path(self, model: &str) -> String {
        let segment = |text| utf8_percent_encode(text, SEGMENT);
        match self {
            Self::Invoke => format!("/model/{}/invoke", segment(model)),
            Self::InvokeStream => format!("/model/{}/invoke-with-response-stream", segment(model)),
            Self::CountTokens => format!("/model/{}/count-tokens", segment(model)),
            Self::Messages | Self::Mantle => "/anthropic/v1/messages".to_owned(),
            Self::MantleCount => "/anthropic/v1/messages/count_tokens".to_owned(),
            Self::ApplyGuardrail { version } => {
                format!("/guardrail/{}/version/{}/apply", segment(model), segment(version))
            }
        }
    }

    const fn accept(self) -> &'static str {
        match self {
            Self::InvokeStream => "application/vnd.amazon.eventstream",
            Self::Messages | Self::Mantle => "application/json, text/event-stream",
            Self::Invoke | Self::CountTokens | Self::MantleCount | Self::ApplyGuardrail { .. } => {
                "application/json"
            }
        }
    }

    /// Whether bedrock-mantle is asked, which is a service of its own with its own URL.
    const fn is_mantle(self) -> bool {
        matches!(self, Self::Mantle | Self::MantleCount)
    }

    /// The service that a request is signed for (Anthropic Python SDK 2.12.0, AnthropicBedrockMantle).
    const fn service(self) -> &'static str {
        if self.is_mantle() {
            "bedrock-mantle"
        } else {
            "bedrock"
        }
    }
}

/// One request to Bedrock.
#[derive(Debug, Clone)]
pub struct Call<'a> {
    /// Where to.
    pub endpoint: &'a Endpoint,
    /// The model's id or ARN, not percent-encoded.
    pub model: &'a str,
    /// What for.
    pub operation: Operation<'a>,
    /// Whose request it is, where the endpoint tells AWS.
    pub subject: Option<&'a Subject>,
    /// Headers beside those that every request has; they are signed.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The JSON body.
    pub body: Pieces,
}

/// What came back: the status may be an error.
#[derive(Debug)]
pub struct Reply {
    /// The HTTP status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, as it arrives.
    pub body: UpstreamBody,
}

impl Reply {
    /// Bedrock's id of the request, for AWS support and CloudTrail.
    #[must_use]
    pub fn aws_request_id(&self) -> Option<String> {
        let id = |name: &str| self.headers.get(name)?.to_str().ok();
        let value = id("x-amzn-requestid").or_else(|| id("request-id"))?;
        // What a header's value is read as holds ASCII alone.
        Some(value.get(..64).unwrap_or(value).to_owned())
    }
}

/// There is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The endpoint's configuration does not lead anywhere.
    #[error("endpoint not usable: {0}")]
    Misconfigured(String),
    /// There are no credentials for the endpoint.
    #[error("no credentials: {0}")]
    Credentials(String),
    /// No connection was made, so that Bedrock cannot have seen the request.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// The connection broke after the request went out and before an answer began.
    #[error("connection broke before the answer: {0}")]
    Broken(String),
    /// Nothing came within the time allowed.
    #[error("no answer in time")]
    TimedOut,
}

impl CallError {
    /// Whether Bedrock may have received, and billed, the request.
    #[must_use]
    pub const fn reached_bedrock(&self) -> bool {
        matches!(self, Self::Broken(_) | Self::TimedOut)
    }

    /// A short name for records and metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Misconfigured(_) => "EndpointMisconfigured",
            Self::Credentials(_) => "CredentialsUnavailable",
            Self::Connect(_) => "ConnectFailed",
            Self::Broken(_) => "ConnectionBroken",
            Self::TimedOut => "TimedOut",
        }
    }
}

/// Something that answers as Bedrock does.
pub trait Upstream: Send + Sync + 'static {
    /// Sends one request and resolves when the answer's headers are in. It never sends a request twice.
    fn call<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Reply, CallError>>;

    /// Forgets the credentials of an endpoint, or of somebody's session there, after Bedrock has refused them.
    fn forget_credentials(&self, endpoint: &Endpoint, subject: Option<&Subject>);

    /// The region of endpoints that name none; empty if none is configured.
    fn home_region(&self) -> &str;

    /// Where requests to an endpoint go, if that is known.
    fn base_url(&self, _endpoint: &Endpoint, _is_mantle: bool) -> Option<String> {
        None
    }
}

/// What tests route to.
#[cfg(test)]
pub(crate) mod sample {
    use ccag_domain::routing::Candidate;
    use ccag_domain::{BedrockModel, Endpoint, EndpointId, Geography, Lane};

    /// The endpoint of this number, asked for a model.
    pub(crate) fn candidate(n: u32, model: &str) -> Candidate {
        Candidate {
            endpoint: Endpoint::new(EndpointId::parse(&format!("end_{n}")).unwrap(), n.to_string()),
            model: BedrockModel {
                id: model.to_owned(),
                geography: Geography::Us,
            },
            lane: Lane::InvokeModel,
        }
    }
}
