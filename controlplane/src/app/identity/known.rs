//! What is known of providers: their discovery documents and keys, kept for an hour.

use super::Provider;
use crate::app::VERSION;
use ccag_domain::{Code, Problem, UnixMs};
use openidconnect::core::{CoreJsonWebKeySet, CoreProviderMetadata};
use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse, IssuerUrl, JsonWebKeySetUrl};
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long what was found is good.
const FRESH_MS: i64 = 3_600_000;

/// How long it stands in for a provider that does not answer.
const STALE_MS: i64 = 24 * FRESH_MS;

/// How often at most the keys are fetched anew because a token names one that is not known.
const REFETCH_MS: i64 = 30_000;

/// How long a provider may take to answer, and to be connected to.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(5));

/// The most that is read of an answer, in bytes.
const MAX_ANSWER: usize = 1 << 20;

/// A provider cannot be asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    /// There is no connection, or it broke.
    #[error("{0}")]
    Http(#[from] reqwest::Error),
    /// It is not safe to ask.
    #[error("{0} is neither https nor on this machine")]
    Insecure(String),
    /// It answers with too much.
    #[error("the answer has more than 1 MiB")]
    TooLarge,
    /// The request cannot be put together.
    #[error("{0}")]
    Request(#[from] http::Error),
}

/// Sends requests to providers, over https alone, and reads what they answer up to a limit.
#[derive(Debug, Clone)]
pub(crate) struct Asker(reqwest::Client);

impl<'c> AsyncHttpClient<'c> for Asker {
    type Error = AskError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, AskError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.ask(request))
    }
}

impl Asker {
    /// One request to a provider.
    ///
    /// # Errors
    /// [`AskError`].
    pub(super) async fn ask(&self, request: HttpRequest) -> Result<HttpResponse, AskError> {
        let (parts, body) = request.into_parts();
        let url = parts.uri.to_string();
        let host = parts.uri.host().unwrap_or_default();
        let loopback = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
        if parts.uri.scheme_str() != Some("https") && !loopback {
            return Err(AskError::Insecure(url));
        }
        let request = self.0.request(parts.method, &url).headers(parts.headers);
        let mut answer = request.body(body).send().await?;
        let mut built = http::Response::builder().status(answer.status());
        if let Some(headers) = built.headers_mut() {
            headers.clone_from(answer.headers());
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            if bytes.len() + chunk.len() > MAX_ANSWER {
                return Err(AskError::TooLarge);
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(built.body(bytes)?)
    }
}

/// Asks providers, and remembers what they said of themselves.
pub(crate) struct Known {
    asker: Asker,
    found: Mutex<HashMap<String, Arc<Found>>>,
}

/// What a provider said of itself.
struct Found {
    metadata: CoreProviderMetadata,
    at_ms: UnixMs,
    /// Of the provider's row, which may have been changed since.
    updated_at_ms: UnixMs,
}

impl Known {
    /// Prepares to ask; nothing is connected.
    ///
    /// # Errors
    /// If TLS cannot be set up.
    pub(crate) fn new() -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(PATIENCE.0)
            .connect_timeout(PATIENCE.1)
            .user_agent(format!("ccag/{VERSION}"))
            .build()?;
        Ok(Self {
            asker: Asker(client),
            found: Mutex::default(),
        })
    }

    /// What a provider says of itself. `anew` asks it again although an answer is at hand, as long as that was not a moment ago.
    ///
    /// # Errors
    /// [`Code::BadUpstream`] if it cannot be asked and nothing is at hand.
    pub(super) async fn of(
        &self,
        provider: &Provider,
        now: UnixMs,
        anew: bool,
    ) -> Result<CoreProviderMetadata, Problem> {
        let held = self.held(provider);
        if let Some(found) = &held {
            let good_ms = if anew { REFETCH_MS } else { FRESH_MS };
            if now - found.at_ms < good_ms {
                return Ok(found.metadata.clone());
            }
        }
        match (Box::pin(self.fetch(provider)).await, held) {
            (Ok(metadata), _) => {
                let found = Found {
                    metadata: metadata.clone(),
                    at_ms: now,
                    updated_at_ms: provider.updated_at_ms,
                };
                self.lock().insert(provider.id.to_string(), Arc::new(found));
                Ok(metadata)
            }
            (Err(problem), Some(found)) if now - found.at_ms < STALE_MS => {
                tracing::warn!(
                    provider = provider.name,
                    error = problem.message,
                    "an identity provider does not answer; what it said before is used"
                );
                Ok(found.metadata.clone())
            }
            (Err(problem), _) => Err(problem),
        }
    }

    /// What sends requests to providers.
    pub(super) fn asker(&self) -> Asker {
        self.asker.clone()
    }

    fn held(&self, provider: &Provider) -> Option<Arc<Found>> {
        let found = self.lock().get(provider.id.as_str()).cloned();
        found.filter(|found| found.updated_at_ms == provider.updated_at_ms)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Found>>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fetches the discovery document (OpenID Connect Discovery 1.0 §4) and the keys that it names, or that the rules name.
    ///
    /// # Errors
    /// [`Code::BadUpstream`], with what to look at.
    pub(super) async fn fetch(&self, provider: &Provider) -> Result<CoreProviderMetadata, Problem> {
        let failed = |what: &str, why: String| {
            let message = format!(
                "{what} of the identity provider `{}` cannot be read: {why}",
                provider.name
            );
            Problem::new(Code::BadUpstream, message)
        };
        let issuer = IssuerUrl::new(provider.issuer.clone())
            .map_err(|error| failed("The address", error.to_string()))?;
        let http = self.asker();
        let metadata = CoreProviderMetadata::discover_async(issuer, &http)
            .await
            .map_err(|error| failed("The discovery document", why(&error)))?;
        let Some(url) = &provider.rules.jwks_url else {
            return Ok(metadata);
        };
        let url = JsonWebKeySetUrl::new(url.clone())
            .map_err(|error| failed("The address of the keys", error.to_string()))?;
        let keys = CoreJsonWebKeySet::fetch_async(&url, &http)
            .await
            .map_err(|error| failed("The key set", why(&error)))?;
        Ok(metadata.set_jwks(keys))
    }
}

/// An error with its causes, on one line.
pub(super) fn why(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let said = inner.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        source = inner.source();
    }
    text
}
