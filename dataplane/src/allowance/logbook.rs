//! What requests that run have used of hard budgets, on disk.
//!
//! The records of requests that have ended are in the spool and outlive a data plane that is killed. Those of requests that
//! ran do not exist yet. What these had used is written down several times a second, so that the next run can say it, and
//! the control plane need not guess from what it heard last.

use super::Allowances;
use super::gaps::Gaps;
use crate::files::Rewritten;
use ccag_proto::v1;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How often it is written while requests use hard budgets.
const EVERY: Duration = Duration::from_millis(25);

/// How long after the first request has begun.
const FIRST: Duration = Duration::from_millis(5);

/// The file, in the data directory.
const FILE: &str = "running.json";

/// The names of accounts, and what requests that run will have used of each when this is written anew, in nano-USD.
type Used = BTreeMap<String, i64>;

/// The file, and what earlier runs have left in it.
#[derive(Debug)]
pub(crate) struct Logbook {
    path: PathBuf,
    left: Mutex<Option<Used>>,
    /// The file as this run writes it.
    file: Mutex<Rewritten>,
}

impl Logbook {
    /// Reads what the last run has left. A file that cannot be read counts as none: then it counts what the control plane
    /// heard last.
    pub(crate) fn open(data_dir: &Path) -> Self {
        let path = data_dir.join(FILE);
        let left = match read(&path) {
            Ok(left) => left,
            Err(error) => {
                tracing::warn!(file = %path.display(), %error, "what requests had used that ran when this data plane ended cannot be read; what was said last counts instead");
                None
            }
        };
        Self {
            file: Mutex::new(Rewritten::new(path.clone())),
            left: Mutex::new(left),
            path,
        }
    }

    fn left(&self) -> MutexGuard<'_, Option<Used>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn file(&self) -> MutexGuard<'_, Rewritten> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there is something of an earlier run that the control plane is to be told.
    pub(super) fn has_left(&self) -> bool {
        self.left().is_some()
    }

    /// What requests had used that ran when earlier runs ended.
    pub(super) fn tell(&self) -> Vec<v1::Unrecorded> {
        let left = self.left();
        let all = left.iter().flatten();
        all.map(|(account, used)| v1::Unrecorded {
            account: account.clone(),
            used: *used,
        })
        .collect()
    }

    /// The control plane has heard it.
    pub(super) fn told(&self) {
        *self.left() = None;
    }

    /// This run ends, and no request with it.
    pub(super) fn end(&self) {
        if let Err(error) = self.file().remove() {
            tracing::warn!(file = %self.path.display(), %error, "a file that is not needed any more cannot be removed");
        }
    }

    /// Writes until all requests have ended.
    pub(crate) async fn keep(self: Arc<Self>, allowances: Arc<Allowances>, closing: CancellationToken) {
        let flights = &allowances.flights;
        let mut gaps = Gaps::new(EVERY);
        let mut failing = false;
        loop {
            let running = flights.watch_hard();
            let written = self
                .write(flights.used_of_hard(&allowances.slots, gaps.ahead()))
                .await;
            match &written {
                Err(error) if !failing => {
                    tracing::warn!(file = %self.path.display(), %error, "what requests that run have used of budgets cannot be written down; if this data plane is killed, what it said last counts");
                }
                Ok(()) if failing => {
                    tracing::info!("what requests that run have used of budgets is written down again")
                }
                _ => {}
            }
            failing = written.is_err();
            tokio::select! {
                () = tokio::time::sleep(EVERY), if running => {
                    let now = Instant::now();
                    gaps.replaced(now, now);
                }
                () = flights.hard_began.notified(), if !running => {
                    // Its first words are still to come; until then it has used nothing that could be lost.
                    tokio::time::sleep(FIRST).await;
                    gaps = Gaps::new(EVERY);
                }
                () = closing.cancelled() => return,
            }
        }
    }

    async fn write(self: &Arc<Self>, mut used: Used) -> io::Result<()> {
        for (account, left) in self.left().iter().flatten() {
            let sum = used.entry(account.clone()).or_default();
            *sum = sum.saturating_add(*left);
        }
        if used.is_empty() && !self.file().is_there() {
            return Ok(());
        }
        let this = Arc::clone(self);
        let write = move || {
            let bytes = serde_json::to_vec(&used)?;
            let mut file = this.file();
            // What is there is old, and old is worse than nothing.
            file.write(bytes).inspect_err(|_| drop(file.remove()))
        };
        let written = tokio::task::spawn_blocking(write).await;
        written.unwrap_or_else(|error| Err(io::Error::other(error)))
    }
}

fn read(path: &Path) -> io::Result<Option<Used>> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_is_told_until_it_was_heard_and_a_damaged_file_counts_as_none() {
        let dir = tempfile::tempdir().unwrap();
        assert!(!Logbook::open(dir.path()).has_left());
        std::fs::write(dir.path().join(FILE), r#"{"budget/b/0": 7}"#).unwrap();
        let logbook = Logbook::open(dir.path());
        assert_eq!(
            logbook.tell(),
            [v1::Unrecorded {
                account: "budget/b/0".into(),
                used: 7
            }]
        );
        logbook.told();
        assert!(!logbook.has_left());
        std::fs::write(dir.path().join(FILE), "{").unwrap();
        assert!(!Logbook::open(dir.path()).has_left());
        logbook.end();
        logbook.end();
        assert!(!dir.path().join(FILE).exists());
    }

    #[tokio::test]
    async fn a_second_crash_before_the_first_was_told_of_loses_nothing() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE), r#"{"a": 7}"#).unwrap();
        let logbook = Arc::new(Logbook::open(dir.path()));
        let used = Used::from([("a".to_owned(), 1), ("b".to_owned(), 2)]);
        logbook.write(used).await.unwrap();
        let told = Logbook::open(dir.path()).tell();
        let told: Vec<_> = told.iter().map(|one| (one.account.as_str(), one.used)).collect();
        assert_eq!(told, [("a", 8), ("b", 2)]);
    }
}
