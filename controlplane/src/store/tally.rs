//! How often the database was asked on behalf of one request, and, if somebody wants to know, what.

use super::config::Position;
use sea_orm::Statement;
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

tokio::task_local! {
    static TALLY: Tally;
}

/// What a request asked of the database. Clones count together.
///
/// Counted is every statement that reads or writes rows, in transactions and outside; what begins, ends and locks them is
/// not. What an answer asks while it is sent, as an export does, is not counted either.
#[derive(Debug, Clone, Default)]
pub struct Tally(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    statements: AtomicUsize,
    /// How many of them it took to find out who asks.
    admission: AtomicUsize,
    kept: Option<Mutex<Vec<Asked>>>,
    /// Where the configuration stood when the request first wanted to know.
    position: Mutex<Option<Position>>,
}

/// A statement that was sent to the database.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The statement with its values.
    pub statement: Statement,
    /// How long it took.
    pub elapsed: Duration,
}

impl Tally {
    /// One that remembers the statements. In the extensions of a request, which nobody can put there from outside the
    /// process, it takes the place of the request's own.
    #[must_use]
    pub fn keeping() -> Self {
        Self(Arc::new(Inner {
            kept: Some(Mutex::default()),
            ..Inner::default()
        }))
    }

    /// How many statements there were, without those that it took to find out who asks.
    #[must_use]
    pub fn statements(&self) -> usize {
        let all = self.0.statements.load(Ordering::Relaxed);
        all.saturating_sub(self.admission())
    }

    /// How many it took to find out who asks.
    #[must_use]
    pub fn admission(&self) -> usize {
        self.0.admission.load(Ordering::Relaxed)
    }

    /// The statements that [`statements`](Self::statements) counts, in order, if they are kept.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        let kept = self.0.kept.as_ref();
        let all = kept.map(|kept| kept.lock().unwrap_or_else(PoisonError::into_inner).clone());
        all.unwrap_or_default().split_off(self.admission())
    }

    /// Counts what a future asks.
    pub(crate) async fn during<F: Future>(self, future: F) -> F::Output {
        TALLY.scope(self, future).await
    }

    fn add(&self, info: &sea_orm::metric::Info<'_>) {
        self.0.statements.fetch_add(1, Ordering::Relaxed);
        if let Some(kept) = &self.0.kept {
            kept.lock().unwrap_or_else(PoisonError::into_inner).push(Asked {
                statement: info.statement.clone(),
                elapsed: info.elapsed,
            });
        }
    }
}

/// Says of the request at hand that it is known who asks.
pub(crate) fn admitted() {
    let _ = TALLY.try_with(|tally| {
        let so_far = tally.0.statements.load(Ordering::Relaxed);
        tally.0.admission.store(so_far, Ordering::Relaxed);
    });
}

/// Counts a statement for the request at hand, if there is one.
pub(super) fn count(info: &sea_orm::metric::Info<'_>) {
    let _ = TALLY.try_with(|tally| tally.add(info));
}

/// Where the configuration stood when the request at hand first wanted to know.
pub(super) fn position() -> Option<Position> {
    let known = TALLY.try_with(|tally| {
        let position = tally.0.position.lock().unwrap_or_else(PoisonError::into_inner);
        position.clone()
    });
    known.ok().flatten()
}

/// Remembers it, or, after the request has changed the configuration itself, forgets it.
pub(super) fn set_position(position: Option<&Position>) {
    let _ = TALLY.try_with(|tally| {
        *tally.0.position.lock().unwrap_or_else(PoisonError::into_inner) = position.cloned();
    });
}
