//! The life of a process: starting, ready, draining, gone.

use futures_util::FutureExt;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use std::any::Any;
use std::collections::BTreeMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long forced tasks get to put down what they hold before they are left behind.
const FORCED_GRACE: Duration = Duration::from_secs(2);

/// A cheap handle on the process's life: what runs, what it still waits for, and when it has to end.
#[derive(Clone)]
pub struct Lifecycle {
    inner: Arc<Inner>,
}

struct Inner {
    shutdown: CancellationToken,
    force: CancellationToken,
    tasks: TaskTracker,
    running: Mutex<BTreeMap<&'static str, usize>>,
    waiting: Mutex<Vec<&'static str>>,
    signals: Mutex<Option<AbortHandle>>,
    connections: Gauge,
    closed: Family<ClosedLabels, Counter>,
}

/// Why the server has ended a connection, or one of its requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Closed {
    /// Nothing was said, or a head was not finished, in time.
    Head,
    /// There was no request for too long.
    Idle,
    /// There was no request, and another connection needed the room.
    Evicted,
    /// There was no room for it.
    Full,
    /// The body of a request did not come in time.
    Body,
    /// The client took nothing of its answer for too long.
    Stuck,
}

impl Closed {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Head => "slow_head",
            Self::Idle => "idle",
            Self::Evicted => "made_room",
            Self::Full => "no_room",
            Self::Body => "slow_body",
            Self::Stuck => "not_reading",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct ClosedLabels {
    reason: &'static str,
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(signals) = lock(&self.signals).take() {
            signals.abort();
        }
    }
}

/// A value is whole after every line that holds one of these locks, so a panic elsewhere does not spoil it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Default for Lifecycle {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Lifecycle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lifecycle")
            .field("waiting_for", &self.waiting_for())
            .field("running", &self.running())
            .field("shutting_down", &self.inner.shutdown.is_cancelled())
            .field("forced", &self.inner.force.is_cancelled())
            .finish()
    }
}

impl Lifecycle {
    /// A life that has just begun, without signal handlers: ready until a guard is taken.
    #[must_use]
    pub fn new() -> Self {
        Self {
            inner: Arc::new(Inner {
                shutdown: CancellationToken::new(),
                force: CancellationToken::new(),
                tasks: TaskTracker::new(),
                running: Mutex::default(),
                waiting: Mutex::default(),
                signals: Mutex::default(),
                connections: Gauge::default(),
                closed: Family::default(),
            }),
        }
    }

    /// Lets SIGTERM and SIGINT begin the shutdown, and a second one of either end it by force.
    ///
    /// When this returns the handlers are in place: a signal no longer kills the process. It has to be called inside a
    /// Tokio runtime. A failure to install them is logged, and signals then do what they do by default.
    pub fn install_signals(&self) {
        let mut signals = match Signals::listen() {
            Ok(signals) => signals,
            Err(error) => {
                tracing::error!(%error, "cannot listen for signals: a stop will not drain");
                return;
            }
        };
        // The watcher owns tokens, not the lifecycle: it must not keep alive what aborts it.
        let (shutdown, force) = (self.shutdown(), self.force());
        #[expect(
            clippy::disallowed_methods,
            reason = "it outlives the drain that it can force, so it cannot be one of the tasks drained; Inner aborts it"
        )]
        let watcher = tokio::spawn(async move {
            let name = signals.next().await;
            tracing::info!(signal = name, "shutting down; a second signal stops at once");
            shutdown.cancel();
            let name = signals.next().await;
            tracing::warn!(signal = name, "second signal: stopping at once");
            force.cancel();
        });
        if let Some(earlier) = lock(&self.inner.signals).replace(watcher.abort_handle()) {
            earlier.abort();
        }
    }

    /// Runs `fut` as a task that [`Lifecycle::drain`] waits for. A task that runs until the end has to stop on
    /// [`Lifecycle::shutdown`] by itself.
    ///
    /// A panic in it is logged and begins the shutdown: a process that lost one of its parts is not one to keep.
    pub fn spawn<F>(&self, name: &'static str, fut: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        *lock(&self.inner.running).entry(name).or_default() += 1;
        let running = Running {
            life: self.clone(),
            name,
        };
        self.inner.tasks.spawn(async move {
            if let Err(panic) = AssertUnwindSafe(fut).catch_unwind().await {
                tracing::error!(
                    task = name,
                    panic = panic_text(&*panic),
                    "a task panicked: shutting down"
                );
                running.life.begin_shutdown();
            }
            drop(running);
        });
    }

    /// Begins the shutdown: readiness turns red, listeners close, loops stop. Calling it again changes nothing.
    pub fn begin_shutdown(&self) {
        self.inner.shutdown.cancel();
    }

    /// Ends the shutdown by force, as if the drain's deadline had passed.
    pub fn force_shutdown(&self) {
        self.inner.shutdown.cancel();
        self.inner.force.cancel();
    }

    /// Cancelled when the shutdown begins: background loops stop on it.
    #[must_use]
    pub fn shutdown(&self) -> CancellationToken {
        self.inner.shutdown.clone()
    }

    /// Cancelled when the deadline of the drain has passed: open streams stop on it.
    #[must_use]
    pub fn force(&self) -> CancellationToken {
        self.inner.force.clone()
    }

    /// Keeps the process from being ready until the guard is dropped. `name` says what is waited for, as a person would:
    /// `first configuration`.
    ///
    /// Take the guards before the ops port opens, or it answers "ready" in between.
    pub fn ready_guard(&self, name: &'static str) -> ReadyGuard {
        lock(&self.inner.waiting).push(name);
        ReadyGuard {
            life: self.clone(),
            name,
        }
    }

    /// Whether traffic may come: no guard is alive, and the shutdown has not begun.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !self.inner.shutdown.is_cancelled() && lock(&self.inner.waiting).is_empty()
    }

    /// The names of the live guards, in the order in which they were taken.
    #[must_use]
    pub fn waiting_for(&self) -> Vec<&'static str> {
        lock(&self.inner.waiting).clone()
    }

    /// The names of the tasks that run.
    #[must_use]
    pub fn running(&self) -> Vec<&'static str> {
        lock(&self.inner.running).keys().copied().collect()
    }

    /// How many connections [`crate::serve`] has open.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        usize::try_from(self.inner.connections.get()).unwrap_or(0)
    }

    pub(crate) fn connections(&self) -> &Gauge {
        &self.inner.connections
    }

    /// Counts what the server has ended by itself.
    pub(crate) fn closed(&self, why: Closed) {
        let labels = ClosedLabels { reason: why.as_str() };
        self.inner.closed.get_or_create(&labels).inc();
    }

    pub(crate) fn closed_connections(&self) -> &Family<ClosedLabels, Counter> {
        &self.inner.closed
    }

    /// Begins the shutdown if nothing has, and waits until every task has ended. After `deadline`, or a second signal,
    /// [`Lifecycle::force`] is cancelled; what has not ended two seconds later is named in the log and left behind.
    pub async fn drain(&self, deadline: Duration) {
        self.begin_shutdown();
        self.inner.tasks.close();
        let force = self.force();
        tokio::select! {
            () = self.inner.tasks.wait() => {
                tracing::info!("drained");
                return;
            }
            () = tokio::time::sleep(deadline) => {
                tracing::warn!(
                    deadline_s = deadline.as_secs(),
                    still_running = self.running().join(", "),
                    "the drain's deadline has passed: forcing"
                );
                force.cancel();
            }
            () = force.cancelled() => {}
        }
        if tokio::time::timeout(FORCED_GRACE, self.inner.tasks.wait())
            .await
            .is_err()
        {
            tracing::error!(
                still_running = self.running().join(", "),
                "these tasks did not end when forced; they are left behind"
            );
        }
    }
}

/// What a panic said, if it said it in a literal. A formatted message is withheld: that of a slice out of range, for one,
/// quotes the text that was sliced, and prompts must not reach the log.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&'static str>()
        .copied()
        .unwrap_or("(message withheld: it may quote data)")
}

/// Counts a task as running while it lives.
struct Running {
    life: Lifecycle,
    name: &'static str,
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut running = lock(&self.life.inner.running);
        if let Some(count) = running.get_mut(self.name) {
            *count -= 1;
            if *count == 0 {
                running.remove(self.name);
            }
        }
    }
}

/// Keeps the process from being ready while it lives.
///
/// One that is dropped by a panic counts as still alive: what it stood for was not done.
#[must_use = "dropping the guard says that what it waits for is done"]
pub struct ReadyGuard {
    life: Lifecycle,
    name: &'static str,
}

impl std::fmt::Debug for ReadyGuard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ReadyGuard").field(&self.name).finish()
    }
}

impl Drop for ReadyGuard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let left = {
            let mut waiting = lock(&self.life.inner.waiting);
            if let Some(at) = waiting.iter().position(|name| *name == self.name) {
                waiting.remove(at);
            }
            waiting.join(", ")
        };
        if self.life.inner.shutdown.is_cancelled() {
            return;
        }
        if left.is_empty() {
            tracing::info!("{} is ready, nothing left to wait for", self.name);
        } else {
            tracing::info!("{} is ready, still waiting for {left}", self.name);
        }
    }
}

#[cfg(unix)]
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> &'static str {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        "Ctrl-C"
    }
}
