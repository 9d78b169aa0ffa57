//! Credentials by endpoint, cached: assuming a role costs a call to STS, and a role that cannot be assumed must not cost one
//! call per request.

use arc_swap::ArcSwapOption;
use aws_config::sts::AssumeRoleProvider;
use aws_config::{Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use ccag_domain::{Clock, Endpoint, UnixMs};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, UNIX_EPOCH};

/// Credentials are renewed this long before they expire, while the old ones still work.
const RENEW_BEFORE_MS: i64 = 5 * 60_000;

/// Credentials are not used in their last moments: the request could arrive after.
const UNUSABLE_BEFORE_MS: i64 = 30_000;

/// How long a failure is remembered.
const NEGATIVE_MS: i64 = 5_000;

/// The longest that a provider may take.
const FETCH_TIMEOUT: Duration = Duration::from_secs(15);

/// What credentials depend on; `None` are the process's own.
type Key = Option<Role>;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Role {
    arn: String,
    external_id: Option<String>,
    region: Option<String>,
}

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

struct Slot {
    provider: SharedCredentialsProvider,
    held: ArcSwapOption<Held>,
    /// Held while fetching, so that concurrent requests share one fetch.
    fetching: tokio::sync::Mutex<()>,
}

/// All credentials of this process, by what they depend on.
pub struct CredentialStore {
    sdk: SdkConfig,
    session_name: &'static str,
    clock: Arc<dyn Clock>,
    slots: RwLock<HashMap<Key, Arc<Slot>>>,
}

fn key_of(endpoint: &Endpoint) -> Key {
    endpoint.role_arn.as_ref().map(|arn| Role {
        arn: arn.clone(),
        external_id: endpoint.external_id.clone(),
        region: endpoint.region.clone(),
    })
}

impl std::fmt::Debug for CredentialStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CredentialStore").finish_non_exhaustive()
    }
}

impl CredentialStore {
    /// Credentials from this configuration. `session_name` is the role session's name, as it stands in CloudTrail.
    pub fn new(sdk: SdkConfig, session_name: &'static str, clock: Arc<dyn Clock>) -> Self {
        Self {
            sdk,
            session_name,
            clock,
            slots: RwLock::default(),
        }
    }

    /// The credentials to sign an endpoint's requests with.
    ///
    /// # Errors
    /// Why there are none; for logs, since it may name accounts and roles.
    pub async fn of(&self, endpoint: &Endpoint) -> Result<Arc<Credentials>, String> {
        let slot = self.slot(key_of(endpoint)).await?;
        let now = self.clock.now_ms();
        match slot.held.load_full().as_deref() {
            Some(Held::Usable {
                credentials,
                expires_at_ms,
            }) if now < expires_at_ms - UNUSABLE_BEFORE_MS => {
                if now >= expires_at_ms - RENEW_BEFORE_MS
                    && let Ok(_fetching) = slot.fetching.try_lock()
                {
                    return self.fetch(&slot).await.or_else(|_| Ok(Arc::clone(credentials)));
                }
                Ok(Arc::clone(credentials))
            }
            Some(Held::Failed { reason, until_ms }) if now < *until_ms => Err(reason.clone()),
            _ => {
                let _fetching = slot.fetching.lock().await;
                // Another request may have fetched meanwhile.
                match slot.held.load_full().as_deref() {
                    Some(Held::Usable {
                        credentials,
                        expires_at_ms,
                    }) if self.clock.now_ms() < expires_at_ms - UNUSABLE_BEFORE_MS => {
                        Ok(Arc::clone(credentials))
                    }
                    Some(Held::Failed { reason, until_ms }) if self.clock.now_ms() < *until_ms => {
                        Err(reason.clone())
                    }
                    _ => self.fetch(&slot).await,
                }
            }
        }
    }

    /// Makes the next request fetch anew.
    pub fn forget(&self, endpoint: &Endpoint) {
        let slots = self.slots.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = slots.get(&key_of(endpoint)) {
            slot.held.store(None);
        }
    }

    async fn slot(&self, key: Key) -> Result<Arc<Slot>, String> {
        let known = self
            .slots
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&key)
            .cloned();
        if let Some(slot) = known {
            return Ok(slot);
        }
        let provider = self.provider(key.as_ref()).await?;
        let slot = Arc::new(Slot {
            provider,
            held: ArcSwapOption::empty(),
            fetching: tokio::sync::Mutex::default(),
        });
        let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::clone(slots.entry(key).or_insert(slot)))
    }

    async fn provider(&self, role: Option<&Role>) -> Result<SharedCredentialsProvider, String> {
        let base = self
            .sdk
            .credentials_provider()
            .ok_or("no credentials are configured: set the AWS_ variables, a profile, or a role")?;
        let Some(role) = role else { return Ok(base) };
        let mut builder = AssumeRoleProvider::builder(&role.arn)
            .session_name(self.session_name)
            .configure(&self.sdk);
        if let Some(external_id) = &role.external_id {
            builder = builder.external_id(external_id);
        }
        if let Some(region) = &role.region {
            builder = builder.region(Region::new(region.clone()));
        }
        Ok(SharedCredentialsProvider::new(
            builder.build_from_provider(base).await,
        ))
    }

    async fn fetch(&self, slot: &Slot) -> Result<Arc<Credentials>, String> {
        let fetched = tokio::time::timeout(FETCH_TIMEOUT, slot.provider.provide_credentials()).await;
        let fetched = match fetched {
            Ok(Ok(credentials)) => Ok(Arc::new(credentials)),
            Ok(Err(error)) => Err(describe(&error)),
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
        slot.held.store(Some(Arc::new(held)));
        fetched
    }
}

/// The whole chain of causes: the outermost one says only that something went wrong.
fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
