//! Credentials of one provider: fetched when they are needed, shared by all who need them, renewed before they expire.

use arc_swap::ArcSwapOption;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::future;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use ccag_domain::{Clock, UnixMs};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

/// Credentials are renewed this long before they expire, while the old ones still work.
const RENEW_BEFORE_MS: i64 = 5 * 60_000;

/// Credentials are not used in their last moments: the request could arrive after.
const UNUSABLE_BEFORE_MS: i64 = 30_000;

/// How long a failure is remembered.
const NEGATIVE_MS: i64 = 5_000;

/// The longest that a provider may take.
const FETCH_TIMEOUT: Duration = Duration::from_secs(15);

/// The outcome of the last fetch.
enum Held {
    Usable {
        credentials: Arc<Credentials>,
        expires_at_ms: UnixMs,
    },
    Failed {
        reason: String,
        until_ms: UnixMs,
    },
}

/// A provider with what it gave last.
pub(super) struct Slot {
    provider: SharedCredentialsProvider,
    clock: Arc<dyn Clock>,
    held: ArcSwapOption<Held>,
    /// Held while fetching, so that concurrent requests share one fetch.
    fetching: tokio::sync::Mutex<()>,
}

impl Slot {
    pub(super) fn new(provider: SharedCredentialsProvider, clock: Arc<dyn Clock>) -> Self {
        Self {
            provider,
            clock,
            held: ArcSwapOption::empty(),
            fetching: tokio::sync::Mutex::default(),
        }
    }

    /// Makes the next request fetch anew.
    pub(super) fn forget(&self) {
        self.held.store(None);
    }

    /// The credentials as they are now.
    pub(super) async fn current(&self) -> Result<Arc<Credentials>, String> {
        let now = self.clock.now_ms();
        match self.held.load_full().as_deref() {
            Some(Held::Usable {
                credentials,
                expires_at_ms,
            }) if now < expires_at_ms - UNUSABLE_BEFORE_MS => {
                if now >= expires_at_ms - RENEW_BEFORE_MS
                    && let Ok(_fetching) = self.fetching.try_lock()
                {
                    return Box::pin(self.fetch())
                        .await
                        .or_else(|_| Ok(Arc::clone(credentials)));
                }
                Ok(Arc::clone(credentials))
            }
            Some(Held::Failed { reason, until_ms }) if now < *until_ms => Err(reason.clone()),
            _ => {
                let _fetching = self.fetching.lock().await;
                // Another request may have fetched meanwhile.
                match self.held.load_full().as_deref() {
                    Some(Held::Usable {
                        credentials,
                        expires_at_ms,
                    }) if self.clock.now_ms() < expires_at_ms - UNUSABLE_BEFORE_MS => {
                        Ok(Arc::clone(credentials))
                    }
                    Some(Held::Failed { reason, until_ms }) if self.clock.now_ms() < *until_ms => {
                        Err(reason.clone())
                    }
                    _ => Box::pin(self.fetch()).await,
                }
            }
        }
    }

    async fn fetch(&self) -> Result<Arc<Credentials>, String> {
        let fetched = tokio::time::timeout(FETCH_TIMEOUT, self.provider.provide_credentials()).await;
        let fetched = match fetched {
            Ok(Ok(credentials)) => Ok(Arc::new(credentials)),
            Ok(Err(error)) => Err(crate::causes(&error)),
            Err(_) => Err(format!("no credentials within {} s", FETCH_TIMEOUT.as_secs())),
        };
        let held = match &fetched {
            Ok(credentials) => Held::Usable {
                credentials: Arc::clone(credentials),
                expires_at_ms: credentials
                    .expiry()
                    .and_then(|at| at.duration_since(UNIX_EPOCH).ok())
                    .and_then(|since| i64::try_from(since.as_millis()).ok())
                    .unwrap_or(i64::MAX),
            },
            Err(reason) => {
                tracing::warn!(%reason, "AWS credentials are not available");
                Held::Failed {
                    reason: reason.clone(),
                    until_ms: self.clock.now_ms() + NEGATIVE_MS,
                }
            }
        };
        self.held.store(Some(Arc::new(held)));
        fetched
    }
}

/// A slot as a provider: what a role is assumed with.
pub(super) struct Cached(pub(super) Arc<Slot>);

impl std::fmt::Debug for Cached {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cached")
    }
}

impl ProvideCredentials for Cached {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            match self.0.current().await {
                Ok(credentials) => Ok(credentials.as_ref().clone()),
                Err(reason) => Err(CredentialsError::provider_error(reason)),
            }
        })
    }
}
