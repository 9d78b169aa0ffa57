//! Reads each change of the configuration once and hands it to all watch streams of this process.
//!
//! It is woken by commits of this process and, on Postgres, by notifications of the others; behind both stands a poll. So a
//! lost notification costs a second, not a revocation.

use super::homes::{self, Homes};
use super::snapshot::Snapshot;
use crate::app::App;
use crate::store::{Position, StoreError};
use ccag_daemon::{CancellationToken, Lifecycle, ReadyGuard};
use ccag_domain::{Revision, UnixMs};
use ccag_proto::v1;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::broadcast;
use tokio::time::Instant;

/// How long a change can stay unseen if every notification is lost.
const POLL: Duration = Duration::from_secs(1);

/// How long a look at the database may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// How many changes are read at a time.
pub(super) const PAGE: u64 = 500;

/// How many messages a slow stream may be behind before it starts over from the database.
const BACKLOG: usize = 256;

/// For how many revisions it is remembered when they were made.
const REMEMBERED: usize = 4_096;

/// What the hub tells the streams.
#[derive(Debug, Clone)]
pub(super) enum News {
    /// Changes in order of their revisions.
    Changes(Arc<Vec<v1::Change>>),
    /// The history was broken off: ask the database where you are.
    Resync,
    /// Conversations have moved.
    Moved(Arc<Vec<v1::MovedConversation>>),
}

/// One per process.
pub(crate) struct Hub {
    app: App,
    news: broadcast::Sender<News>,
    state: Mutex<State>,
    snapshot: tokio::sync::Mutex<Option<Arc<Snapshot>>>,
    homes: Mutex<Homes>,
}

#[derive(Default)]
struct State {
    position: Option<Position>,
    looked_at: Option<Instant>,
    made_at: VecDeque<(u64, UnixMs)>,
    failing: bool,
}

impl Hub {
    pub(crate) fn new(app: App) -> Arc<Self> {
        Arc::new(Self {
            app,
            news: broadcast::Sender::new(BACKLOG),
            state: Mutex::default(),
            snapshot: tokio::sync::Mutex::default(),
            homes: Mutex::default(),
        })
    }

    /// Starts the loops. `ready` is dropped when the hub has seen the database.
    pub(crate) fn start(self: &Arc<Self>, life: &Lifecycle, ready: ReadyGuard) {
        let (hub, shutdown) = (Arc::clone(self), life.shutdown());
        life.spawn("configuration hub", async move { hub.run(shutdown, ready).await });
        let (hub, shutdown) = (Arc::clone(self), life.shutdown());
        life.spawn("configuration listener", async move {
            tokio::select! {
                () = hub.listen() => {}
                () = shutdown.cancelled() => {}
            }
        });
    }

    async fn run(&self, shutdown: CancellationToken, ready: ReadyGuard) {
        let mut ready = Some(ready);
        let mut wake = self.app.store.revisions();
        loop {
            wake.mark_unchanged();
            let looked = tokio::time::timeout(PATIENCE, self.look()).await;
            let looked =
                looked.unwrap_or_else(|_| Err(StoreError::Unavailable("no answer in time".to_owned())));
            match &looked {
                Ok(()) => ready = None,
                Err(_) => self.app.metrics.db_error("hub"),
            }
            self.complain(looked.err());
            tokio::select! {
                () = shutdown.cancelled() => return drop(ready),
                _ = wake.changed() => {}
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }

    /// Logs the first failure of a row, and its end.
    fn complain(&self, error: Option<StoreError>) {
        let mut state = self.lock();
        match (error, state.failing) {
            (Some(error), false) => {
                tracing::error!(%error, "cannot read the configuration; data planes go on with what they have");
                state.failing = true;
            }
            (None, true) => {
                tracing::info!("the configuration can be read again");
                state.failing = false;
            }
            _ => {}
        }
    }

    /// Listens for notifications for ever.
    async fn listen(&self) {
        loop {
            let hint = |hint: &str| {
                if let Some(moved) = homes::read(&self.app.instance, hint) {
                    self.spread(Arc::new(moved));
                }
            };
            if let Err(error) = self.app.store.listen(hint).await {
                tracing::debug!(%error, "listening for changes was interrupted; polling meanwhile");
                self.app.metrics.db_error("listener");
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Looks whether there is anything new and tells the streams.
    async fn look(&self) -> Result<(), StoreError> {
        let now = self.app.store.find_position().await?;
        let known = self.lock().position.clone();
        match known {
            Some(known) if known == now => {}
            Some(known) if known.epoch == now.epoch && known.revision < now.revision => {
                self.read_changes(known.revision, now.revision).await?;
            }
            Some(_) => {
                tracing::warn!("the database was replaced or set back: all data planes get a snapshot");
                let _ = self.news.send(News::Resync);
            }
            None => {}
        }
        self.app
            .metrics
            .revision
            .set(i64::try_from(now.revision.0).unwrap_or(i64::MAX));
        let mut state = self.lock();
        state.position = Some(now);
        state.looked_at = Some(Instant::now());
        Ok(())
    }

    async fn read_changes(&self, mut after: Revision, until: Revision) -> Result<(), StoreError> {
        while after < until {
            let Some(rows) = self.app.store.list_changes(after, PAGE).await? else {
                let _ = self.news.send(News::Resync);
                return Ok(());
            };
            let Some(last) = rows.last() else { return Ok(()) };
            after = last.change.revision;
            let mut changes = Vec::with_capacity(rows.len());
            {
                let mut state = self.lock();
                for row in rows {
                    state.made_at.push_back((row.change.revision.0, row.at_ms));
                    changes.push(v1::Change::from(row.change));
                }
                let surplus = state.made_at.len().saturating_sub(REMEMBERED);
                state.made_at.drain(..surplus);
                // Part of the way is done, even if the next page fails.
                if let Some(position) = &mut state.position {
                    position.revision = after;
                }
            }
            // Nobody may be listening: then nobody misses it.
            let _ = self.news.send(News::Changes(Arc::new(changes)));
        }
        Ok(())
    }

    /// Conversations have moved at a data plane of ours: all data planes are told, those of other control planes through them.
    pub(super) async fn moved(&self, moved: Vec<v1::MovedConversation>) {
        let moved = Arc::new(moved);
        self.spread(Arc::clone(&moved));
        for hint in homes::hints(&self.app.instance, &moved) {
            let told = tokio::time::timeout(PATIENCE, self.app.store.tell(hint)).await;
            if !matches!(told, Ok(Ok(()))) {
                // It is only a hint.
                self.app.metrics.db_error("hints");
                break;
            }
        }
    }

    fn spread(&self, moved: Arc<Vec<v1::MovedConversation>>) {
        self.homes().remember(&moved);
        let _ = self.news.send(News::Moved(moved));
    }

    /// The moves of the last hour.
    pub(super) fn all_moved(&self) -> Vec<v1::MovedConversation> {
        self.homes().all()
    }

    fn homes(&self) -> std::sync::MutexGuard<'_, Homes> {
        self.homes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn subscribe(&self) -> broadcast::Receiver<News> {
        self.news.subscribe()
    }

    /// The newest revision, if the database was seen lately: a heartbeat vouches for it.
    pub(super) fn vouched(&self) -> Option<u64> {
        let state = self.lock();
        let fresh = state.looked_at.is_some_and(|at| at.elapsed() < PATIENCE + POLL);
        state
            .position
            .as_ref()
            .filter(|_| fresh)
            .map(|position| position.revision.0)
    }

    /// When a revision was made, if it is recent.
    pub(super) fn made_at(&self, revision: u64) -> Option<UnixMs> {
        let state = self.lock();
        let at = state
            .made_at
            .binary_search_by_key(&revision, |(revision, _)| *revision)
            .ok()?;
        state.made_at.get(at).map(|(_, at_ms)| *at_ms)
    }

    /// The whole configuration. Streams that ask at the same time share one reading and one encoding.
    pub(super) async fn snapshot(&self) -> Result<Arc<Snapshot>, StoreError> {
        let mut cached = self.snapshot.lock().await;
        let now = self.app.store.find_position().await?;
        if let Some(snapshot) = cached.as_ref()
            && snapshot.epoch == now.epoch
            && snapshot.revision == now.revision.0
        {
            return Ok(Arc::clone(snapshot));
        }
        let snapshot = Arc::new(Snapshot::from(self.app.store.load_snapshot().await?));
        *cached = Some(Arc::clone(&snapshot));
        Ok(snapshot)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
