//! What the control plane does, in the words of its business: `issue`, `revoke`, `suspend`, `assign`, take in usage.
//!
//! Every verb takes the [`Actor`] who wants it, checks that they may, and answers with a [`Problem`] where it cannot be. The
//! HTTP handlers, the console and the gRPC services above know no SQL; the store below knows no rules.

pub mod allowances;
pub mod analytics;
pub mod audit;
mod authority;
pub mod bootstrap;
pub mod breaker;
pub mod budgets;
pub mod capabilities;
pub(crate) mod catalogue;
pub(crate) mod changed;
pub mod clients;
mod costing;
pub mod discovery;
pub mod endpoints;
pub mod explanations;
pub mod fleet;
pub mod focus;
pub mod identity;
pub mod import;
pub mod intake;
pub mod keys;
pub mod limits;
pub mod models;
pub mod names;
pub mod notifications;
pub(crate) mod observed;
pub mod passwords;
pub mod policies;
mod price_list;
pub mod pricing;
pub mod quarantine;
pub(crate) mod quota_use;
pub(crate) mod refusals;
pub mod reprice;
pub mod rollup;
pub mod routing;
pub mod scim;
pub mod search;
pub mod secrets;
pub mod sessions;
pub mod setup;
pub mod sign_on;
pub mod teams;
pub mod throttle;
pub mod tokens;
pub mod upkeep;
pub mod usage;
pub mod users;
mod validate;
mod validate_aws;
mod views;

use crate::World;
use crate::metrics::Metrics;
use crate::store::{AuditEntry, Store, StoreError};
use ccag_domain::ids::ulid;
use ccag_domain::{Actor, Clock, Code, ObjectKind, Problem, Rng, UnixMs, UserId};
pub(crate) use changed::Changed;
use std::net::IpAddr;
use std::sync::Arc;
use url::Url;

/// Everything that the verbs need. Clones are cheap and share it.
#[derive(Clone)]
pub struct App(Arc<Inner>);

/// See [`App`], which dereferences to this.
pub struct Inner {
    pub(crate) store: Store,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub rng: Arc<dyn Rng>,
    pub(crate) metrics: Metrics,
    pub(crate) passwords: passwords::Passwords,
    pub(crate) aws: discovery::AwsAccess,
    /// What identity providers have said of themselves.
    pub(crate) known: identity::Known,
    /// Who was not let in, on the way to the audit log.
    pub(crate) refused: sessions::Refused,
    /// Requests that were refused, as they are counted.
    pub(crate) windows: refusals::Windows,
    /// How destinations of notifications are reached.
    pub(crate) clients: notifications::Clients,
    /// What the operator has said.
    pub terms: Terms,
    /// Names this process among the control planes on one database.
    pub instance: String,
    /// When this process started.
    pub started_at_ms: UnixMs,
}

/// What the operator says of the whole installation.
#[derive(Debug, Clone)]
pub struct Terms {
    /// How long a session lives without being used, in milliseconds.
    pub session_ttl_ms: i64,
    /// How long a client's token is good, in milliseconds.
    pub token_ttl_ms: i64,
    /// After what time a client has to sign in again, in milliseconds.
    pub client_session_ttl_ms: i64,
    /// Whether passwords are good for signing in whatever admins have set.
    pub passwords_always: bool,
    /// Where people reach the gateway, as far as it is known.
    pub public_url: Option<Url>,
    /// For how many days it is kept how requests were decided; 0 is not at all.
    pub explanation_days: u32,
    /// Who is told of budgets as long as there is no destination: a web address, or the ARN of a topic or an event bus.
    pub notification_url: Option<String>,
}

/// The version of this software.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App")
            .field("instance", &self.instance)
            .finish_non_exhaustive()
    }
}

impl std::ops::Deref for App {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl App {
    pub(crate) fn new(
        store: Store,
        World { clock, rng }: World,
        metrics: Metrics,
        aws: discovery::AwsAccess,
        known: identity::Known,
        refused: sessions::Refused,
        terms: Terms,
    ) -> Self {
        Self(Arc::new(Inner {
            store,
            metrics,
            passwords: passwords::Passwords::new(),
            aws,
            known,
            refused,
            windows: refusals::Windows::default(),
            clients: notifications::Clients::default(),
            terms,
            instance: format!("cp_{}", ulid(&*clock, &*rng)),
            started_at_ms: clock.now_ms(),
            clock,
            rng,
        }))
    }

    /// The time now.
    #[must_use]
    pub fn now_ms(&self) -> UnixMs {
        self.clock.now_ms()
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// [`Code::Unavailable`] if it does not.
    pub async fn check_database(&self) -> Result<(), Problem> {
        Ok(self.store.ping().await?)
    }

    fn audit(
        &self,
        actor: &Actor,
        action: &'static str,
        kind: ObjectKind,
        object_id: &str,
        details: impl Into<serde_json::Value>,
    ) -> AuditEntry {
        let mut details = details.into();
        if let (Some(via), Some(details)) = (actor.via(), details.as_object_mut()) {
            details.insert("via".to_owned(), via.as_str().into());
        }
        AuditEntry {
            id: format!("aud_{}", ulid(&*self.clock, &*self.rng)),
            actor: actor
                .user_id()
                .map_or_else(|| "system".to_owned(), ToString::to_string),
            action,
            kind: kind.as_str(),
            object_id: object_id.to_owned(),
            details,
        }
    }
}

impl App {
    /// An entry about somebody's signing in or out. `id` names the session, or the user where there is none.
    fn audit_session(
        &self,
        user_id: &UserId,
        action: &'static str,
        id: &str,
        address: Option<IpAddr>,
    ) -> AuditEntry {
        let details = match address {
            Some(address) => serde_json::json!({ "address": address.to_canonical() }),
            None => serde_json::json!({}),
        };
        AuditEntry {
            actor: user_id.to_string(),
            kind: "session",
            ..self.audit(&Actor::System, action, ObjectKind::User, id, details)
        }
    }

    /// An entry about the ledger, which is not configuration.
    fn audit_usage(
        &self,
        actor: &Actor,
        action: &'static str,
        id: &str,
        details: impl Into<serde_json::Value>,
    ) -> AuditEntry {
        AuditEntry {
            kind: "usage",
            ..self.audit(actor, action, ObjectKind::Settings, id, details)
        }
    }
}

impl From<StoreError> for Problem {
    /// Logs what the database said, once, and says no more of it to the caller than what to do.
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::Unavailable(_) => {
                tracing::warn!(%error, "the database is not available");
                Self::new(
                    Code::Unavailable,
                    "The database cannot be reached at the moment. Nothing was changed; try again in a few seconds.",
                )
                .retry_after(5)
                .should_retry(true)
            }
            StoreError::Duplicate(_) => Self::new(
                Code::Conflict,
                "Something with the same name exists already, or was made at the same moment.",
            ),
            StoreError::Data(_) => {
                tracing::warn!(%error, "the database refused a value");
                Self::new(
                    Code::InvalidRequest,
                    "The request holds a value that cannot be stored.",
                )
            }
            StoreError::Unreadable { .. } | StoreError::Other(_) => {
                tracing::error!(%error, "a database operation failed");
                Self::new(
                    Code::Internal,
                    "Something went wrong on our side. The log has the details under this request's id.",
                )
            }
        }
    }
}

fn not_found(what: &str, id: &str) -> Problem {
    let shown: String = id.chars().take(80).collect();
    Problem::new(Code::NotFound, format!("There is no {what} `{shown}`."))
}

/// Turns "exists already" into words that say what does.
fn duplicate(error: StoreError, message: impl FnOnce() -> String, field: &str) -> Problem {
    match error {
        StoreError::Duplicate(_) => Problem::new(Code::Conflict, message()).field(field),
        other => other.into(),
    }
}
