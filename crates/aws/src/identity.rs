//! Whose credentials an endpoint uses, whether Bedrock answers, and what time it is there.

use crate::connections::reason;
use crate::control::{Ask, ControlClient, ControlError, Form};
use crate::notify::element;
use crate::{Pieces, domain};
use bytes::Bytes;
use ccag_domain::{Endpoint, UnixMs};
use http::{Request, header};

/// Whose credentials they are (AWS STS API reference, "GetCallerIdentity").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallerIdentity {
    /// The account.
    pub account: String,
    /// The user or the role's session.
    pub arn: String,
}

/// That Bedrock has answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    /// Where it was asked.
    pub url: String,
    /// Whether that is one of AWS's public addresses, and not one that somebody has configured.
    pub public: bool,
    /// When it was asked.
    pub asked_ms: UnixMs,
    /// When the answer was there.
    pub answered_ms: UnixMs,
    /// The answer's header `Date`.
    pub date: Option<String>,
}

impl ControlClient {
    /// `GetCallerIdentity`, with the credentials that an endpoint is called with. It needs no permission.
    ///
    /// # Errors
    /// [`ControlError`].
    pub async fn caller_identity(&self, endpoint: &Endpoint) -> Result<CallerIdentity, ControlError> {
        const OPERATION: &str = "GetCallerIdentity";
        let base = match &self.sts_url {
            Some(url) => url.clone(),
            None => {
                let region = self.region(endpoint)?;
                let fips = if self.wants_fips(endpoint) { "-fips" } else { "" };
                format!("https://sts{fips}.{region}.{}", domain(region))
            }
        };
        let ask = Ask {
            body: Some(Bytes::from_static(b"Action=GetCallerIdentity&Version=2011-06-15")),
            form: Form::Fields,
            ..Ask::new(OPERATION, "sts", &base, "/")
        };
        let answer = self.ask(endpoint, ask).await?;
        let answer = String::from_utf8_lossy(&answer);
        let of = |name| {
            element(&answer, name)
                .map(str::to_owned)
                .ok_or(ControlError::Unreadable {
                    operation: OPERATION,
                    reason: format!("it holds no {name}"),
                })
        };
        Ok(CallerIdentity {
            account: of("Account")?,
            arn: of("Arn")?,
        })
    }

    /// Asks Bedrock Runtime for nothing, without credentials: whatever it answers, it has been reached.
    ///
    /// # Errors
    /// [`ControlError::Unreachable`], [`ControlError::NoRegion`] or [`ControlError::Misconfigured`].
    pub async fn reach(&self, endpoint: &Endpoint) -> Result<Reached, ControlError> {
        let configured = endpoint.runtime_url.as_ref().or(self.runtime_url.as_ref());
        let url = match configured {
            Some(url) => url.clone(),
            None => self.public_url("bedrock-runtime", endpoint)?,
        };
        let unreachable = |reason: String| ControlError::Unreachable {
            url: url.clone(),
            reason,
        };
        let request = Request::get(format!("{}/", url.trim_end_matches('/')))
            .body(Pieces::from(Bytes::new()))
            .map_err(|e| ControlError::Misconfigured(e.to_string()))?;
        let client = self
            .connections
            .of(endpoint)
            .map_err(ControlError::Misconfigured)?;
        let asked_ms = self.clock.now_ms();
        let answer = tokio::time::timeout(self.answer_timeout, client.request(request))
            .await
            .map_err(|_| unreachable(format!("no answer within {} s", self.answer_timeout.as_secs())))?
            .map_err(|e| unreachable(reason(&e)))?;
        let date = answer
            .headers()
            .get(header::DATE)
            .and_then(|value| value.to_str().ok());
        Ok(Reached {
            public: configured.is_none(),
            asked_ms,
            answered_ms: self.clock.now_ms(),
            date: date.map(str::to_owned),
            url,
        })
    }

    /// Whether an endpoint without credentials of its own is called with a Bedrock API key.
    #[must_use]
    pub fn has_api_key(&self) -> bool {
        self.credentials.has_api_key()
    }
}
