//! Writes down what the data planes say of themselves, without making their streams wait for the database.

use crate::app::{App, allowances, breaker, clients, explanations, fleet, observed};
use crate::store::ANSWERS_KEPT_MS;
use crate::store::entity::replica;
use ccag_daemon::{CancellationToken, Lifecycle};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// How long one write may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often old things are forgotten.
const TIDY_EVERY: Duration = Duration::from_secs(600);

/// How often it is looked for data planes that have fallen silent.
const SILENCE_EVERY: Duration = Duration::from_secs(5);

/// How long the history of the configuration reaches back.
const HISTORY_MS: i64 = 7 * ccag_domain::time::DAY_MS;

/// How long it is remembered that something was left out or is unknown.
const SEEN_MS: i64 = 90 * ccag_domain::time::DAY_MS;

/// Collects what is to be written; of several states of one data plane the newest.
#[derive(Clone, Default)]
pub(crate) struct FleetWriter(Arc<Pending>);

#[derive(Default)]
struct Pending {
    rows: Mutex<HashMap<String, Entry>>,
    notify: Notify,
}

#[derive(Default)]
struct Entry {
    seen: Option<replica::Model>,
    /// The stream that has ended.
    gone: Option<String>,
}

impl FleetWriter {
    /// Notes the state of a data plane.
    pub(super) fn seen(&self, row: replica::Model) {
        let mut rows = self.0.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = rows.entry(row.id.clone()).or_default();
        entry.seen = Some(row);
        entry.gone = None;
        self.0.notify.notify_one();
    }

    /// Notes that a stream has ended.
    pub(super) fn gone(&self, id: &str, connected_to: &str) {
        let mut rows = self.0.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = rows.entry(id.to_owned()).or_default();
        // A newer stream of the same data plane may have been noted already.
        if entry
            .seen
            .as_ref()
            .is_none_or(|row| row.connected_to == connected_to)
        {
            entry.gone = Some(connected_to.to_owned());
        }
        self.0.notify.notify_one();
    }

    /// Starts writing.
    pub(crate) fn start(&self, app: App, life: &Lifecycle) {
        let (writer, shutdown) = (self.clone(), life.shutdown());
        let writing = app.clone();
        life.spawn("fleet writer", async move {
            loop {
                tokio::select! {
                    () = writer.0.notify.notified() => writer.flush(&writing).await,
                    () = shutdown.cancelled() => break,
                }
            }
            // Streams end at the same moment; what they say last is worth a short wait.
            tokio::time::sleep(Duration::from_millis(100)).await;
            writer.flush(&writing).await;
        });
        let (shutdown, silent) = (life.shutdown(), app.clone());
        life.spawn(
            "lost data planes",
            async move { find_lost(&silent, shutdown).await },
        );
        let shutdown = life.shutdown();
        life.spawn("tidying", async move { tidy(&app, shutdown).await });
    }

    async fn flush(&self, app: &App) {
        let rows = std::mem::take(&mut *self.0.rows.lock().unwrap_or_else(PoisonError::into_inner));
        for (id, entry) in rows {
            let write = async {
                if let Some(row) = entry.seen {
                    app.store.upsert_replica(row).await?;
                }
                if let Some(connected_to) = entry.gone {
                    app.store.update_replica_gone(&id, &connected_to).await?;
                }
                Ok::<_, crate::store::StoreError>(())
            };
            // The next sign of life writes again: nothing is lost but time.
            match tokio::time::timeout(PATIENCE, write).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    app.metrics.db_error("fleet");
                    tracing::debug!(%error, "the state of a data plane could not be written");
                }
                Err(_) => app.metrics.db_error("fleet"),
            }
        }
    }
}

/// Takes back what data planes hold of budgets of which nothing is heard any more.
async fn find_lost(app: &App, shutdown: CancellationToken) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(SILENCE_EVERY) => {}
            () = shutdown.cancelled() => return,
        }
        if let Err(error) = allowances::release_lost(app).await {
            app.metrics.db_error("allowance");
            tracing::debug!(%error, "lost data planes could not be looked for; it is tried again soon");
        }
    }
}

/// Forgets expired sessions, old changes and data planes that are long gone, now and then.
async fn tidy(app: &App, shutdown: CancellationToken) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(TIDY_EVERY) => {}
            () = shutdown.cancelled() => return,
        }
        let now = app.now_ms();
        let tidied = async {
            app.store.delete_expired_sessions(now).await?;
            app.store.delete_changes_before(now - HISTORY_MS).await?;
            app.store.delete_seen_before(now - SEEN_MS).await?;
            allowances::forget_over(app).await?;
            breaker::forget_old(app).await?;
            explanations::forget_old(app).await?;
            observed::forget_rested(app).await?;
            app.store.delete_requests_before(now - ANSWERS_KEPT_MS).await?;
            app.store
                .delete_replicas_before(now - fleet::FORGET_AFTER_MS)
                .await
        };
        if let Err(error) = tidied.await {
            app.metrics.db_error("maintenance");
            tracing::debug!(%error, "tidying failed; it is tried again later");
        }
        let kept = async {
            clients::sessions::forget_over(app).await?;
            clients::keys::keep(app).await
        };
        if let Err(problem) = kept.await {
            tracing::warn!(
                error = problem.message,
                "sessions of clients and their keys cannot be looked after; it is tried again later"
            );
        }
    }
}
