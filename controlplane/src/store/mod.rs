//! The database: everything that is SQL, and nothing else.
//!
//! Verbs are `find`, `list`, `insert`, `update` and `delete`; what they mean for the business is decided in [`crate::app`].
//! Configuration is only ever written through a [`Tx`], which cannot be committed without its revision, its change rows
//! and its audit row.

pub(crate) mod access;
mod active;
pub(crate) mod allowances;
mod audit;
mod bootstrap;
pub(crate) mod breaker;
pub(crate) mod budgets;
mod cache_losses;
mod capabilities;
mod catch_up;
pub(crate) mod ccag;
mod charted;
pub(crate) mod clients;
mod conditions;
mod config;
mod cubes;
mod destinations;
mod dialect;
pub(crate) mod entity;
mod error;
mod explanations;
mod fleet;
pub(crate) mod health;
mod held;
mod idempotency;
mod identity;
mod keys;
mod ledger;
pub(crate) mod limits;
pub mod moving;
pub(crate) mod network;
mod observed;
pub(crate) mod offers;
pub(crate) mod outbox;
mod packs;
mod policies;
pub(crate) mod present;
mod prices;
mod providers;
mod quarantine;
mod questions;
mod quotas;
mod reading;
mod reprice;
mod rollups;
pub(crate) mod routing;
pub(crate) mod rows;
pub(crate) mod scim;
pub(crate) mod sealed;
pub(crate) mod search;
mod seen;
mod sessions;
mod setup;
mod spending;
mod steps;
pub(crate) mod tally;
mod together;
mod tool_sums;
mod tools;
pub(crate) mod turn;
mod tx;
mod used_sessions;

pub(crate) use audit::{AuditEntry, AuditFilter, AuditRow, Link, Position as AuditPosition};
pub(crate) use capabilities::Seen;
pub(crate) use config::Position;
pub use dialect::{Backend, ConnectOptions};
pub use error::StoreError;
pub(crate) use explanations::ExplanationRow;
pub(crate) use idempotency::ANSWERS_KEPT_MS;
pub use identity::{TeamQuery, UserOrder, UserQuery};
pub use keys::{KeyOrder, KeyQuery, KeyStateFilter, KeysWithin};
pub(crate) use ledger::{Beside, Drawn, LedgerFilter};
pub(crate) use observed::{Observed, Saving};
pub(crate) use quarantine::{QuarantineQuery, QuarantineRow};
pub(crate) use questions::{Answer, Question};
pub(crate) use quotas::QuotaSum;
pub(crate) use reprice::Repriced;
pub use rollups::OnlyOf;
pub(crate) use rollups::{GroupBy, Piece, RollupFilter, RollupSum};
pub(crate) use routing::Assignment;
pub(crate) use steps::{Step, Steps};
pub use tally::{Asked, Tally};
pub use tools::OnlyTools;
pub(crate) use tools::{ToolAnswer, ToolQuestion, ToolSum, ToolsBy};
pub use turn::{Place, Turn};
pub(crate) use tx::Tx;

use crate::master_key::OpenKeys;
use crate::secrets::Secrets;
use sea_orm::sea_query::LikeExpr;
use sea_orm::{ConnectionTrait, DatabaseConnection};
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use tokio::sync::{Mutex, watch};

/// A handle on the database. Clones share one pool.
#[derive(Clone)]
pub struct Store {
    db: DatabaseConnection,
    backend: Backend,
    /// SQLite takes one writer at a time: they queue here, in order, instead of polling for its lock.
    writer: Option<Arc<Mutex<()>>>,
    /// The latest revision that this process has committed or been told of.
    revision: Arc<watch::Sender<u64>>,
    secrets: Secrets,
    /// From which day on there are coarser sums; `i64::MAX` as long as that is not known.
    complete_from: Arc<AtomicI64>,
    lists: Arc<held::Lists>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("backend", &self.backend)
            .finish_non_exhaustive()
    }
}

impl Store {
    /// Opens a pool; secrets in the database are sealed under `keys`. Postgres is not contacted before the first query, so a process may start before its database.
    ///
    /// # Errors
    /// If the URL is of neither database, or the SQLite file cannot be opened.
    pub async fn connect(options: &ConnectOptions, keys: &OpenKeys) -> Result<Self, StoreError> {
        let backend = Backend::of(&options.url)?;
        let db = dialect::connect(backend, options).await?;
        Ok(Self {
            db,
            backend,
            writer: (backend == Backend::Sqlite).then(Arc::default),
            revision: Arc::new(watch::Sender::new(0)),
            secrets: Secrets::new(keys),
            complete_from: Arc::new(AtomicI64::new(i64::MAX)),
            lists: Arc::default(),
        })
    }

    /// Which database it is.
    #[must_use]
    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// Opens the secrets in it.
    pub(crate) fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// What the database, or the lack of it, says.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.db.execute_unprepared("SELECT 1").await?;
        Ok(())
    }

    /// Why the database does not answer; `None` if it does now.
    pub(crate) async fn what_is_wrong(&self) -> Option<StoreError> {
        match self.backend {
            Backend::Sqlite => self.ping().await.err(),
            Backend::Postgres => dialect::knock(&self.db).await.err(),
        }
    }

    /// Opens further connections to PostgreSQL as this user. Those that are open stay.
    pub(crate) fn log_in_as(&self, user: &str, password: &str) {
        if self.backend == Backend::Postgres {
            dialect::log_in_as(&self.db, user, password);
        }
    }

    /// Closes the pool.
    pub async fn close(self) {
        if let Err(error) = self.db.close().await {
            tracing::warn!(%error, "closing the database failed");
        }
    }

    /// Says when there may be a new revision: after a commit of this process, or a notification.
    pub(crate) fn revisions(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }

    /// Wakes whoever waits for revisions.
    pub(crate) fn wake(&self, revision: u64) {
        self.revision.send_if_modified(|known| {
            let newer = revision > *known;
            *known = revision.max(*known);
            newer
        });
    }

    async fn writer(&self) -> Option<tokio::sync::OwnedMutexGuard<()>> {
        match &self.writer {
            Some(lock) => Some(Arc::clone(lock).lock_owned().await),
            None => None,
        }
    }
}

/// A pattern for text that contains `part`, whatever characters it is made of.
fn contains(part: &str) -> LikeExpr {
    LikeExpr::new(format!("%{}%", escaped(part))).escape('\\')
}

/// A pattern for text that begins with `part`, whatever characters it is made of.
fn starting_with(part: &str) -> LikeExpr {
    LikeExpr::new(format!("{}%", escaped(part))).escape('\\')
}

fn escaped(part: &str) -> String {
    let mut pattern = String::with_capacity(part.len());
    for c in part.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}
