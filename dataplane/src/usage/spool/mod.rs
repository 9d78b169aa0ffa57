//! The local spool of usage records: what makes "no response without its record" survive `kill -9`.
//!
//! Records are appended to segment files: each by the request that made it if nobody else is writing, or else by a writer
//! thread, which commits everything that is waiting with one write. They are numbered from 1; the control plane's acknowledgement moves a cursor, and segments behind it are deleted. A
//! spool that is full or cannot be written refuses new requests ([`Spool::can_take`]); it never drops a record.
//!
//! What became of all records that were ever handed to it is kept with the cursor ([`Accounts`]), so that a record that got
//! lost shows, over restarts too.

mod accounts;
mod reader;
mod segment;
mod tail;
mod writer;

pub(crate) use reader::SpoolReader;

pub(crate) use accounts::{Accounts, Acked};

use accounts::Tally;
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;
use tail::Tail;
use tokio::sync::{oneshot, watch};

/// How a spool is kept.
#[derive(Debug, Clone)]
pub(crate) struct SpoolConfig {
    /// The directory; made if it does not exist.
    pub dir: PathBuf,
    /// Above this many bytes on disk new requests are refused.
    pub max_bytes: u64,
    /// A segment of at least this many bytes is closed and the next one begun.
    pub segment_bytes: u64,
    /// How long written records may wait for `fdatasync`: what a power failure can cost. Zero waits for the disk with
    /// every commit. A killed process loses nothing either way.
    pub sync_interval: Duration,
}

/// Why a spool cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// Another process uses the directory.
    #[error(
        "{0} is used by another data plane; give each its own CCAG_DATA_DIR, or stop the other one first"
    )]
    Locked(PathBuf),
    /// The file system refused.
    #[error(
        "cannot use the spool in {path}: {source}; check that the directory is writable and the disk has room"
    )]
    Io {
        /// What was being opened.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
}

/// The record could not be made durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the usage record could not be written to the spool")]
pub(crate) struct NotSpooled;

/// A record that was handed over.
#[derive(Debug)]
pub(crate) enum Pending {
    /// It is written, under this sequence number.
    Written(u64),
    /// It will be.
    Queued(oneshot::Receiver<u64>),
}

impl Pending {
    /// The record's sequence number, once it is written.
    ///
    /// # Errors
    /// [`NotSpooled`] if the spool was closed before.
    pub(crate) async fn written(self) -> Result<u64, NotSpooled> {
        match self {
            Self::Written(seq) => Ok(seq),
            Self::Queued(pending) => pending.await.map_err(|_| NotSpooled),
        }
    }
}

/// A closed segment, or the one being written.
#[derive(Debug, Clone, Copy)]
struct SegmentInfo {
    records: u64,
    bytes: u64,
}

/// What the writer thread, the reader and the request path share.
struct Shared {
    dir: PathBuf,
    max_bytes: u64,
    /// By the sequence number of their first record. The last one is the one being written.
    segments: Mutex<BTreeMap<u64, SegmentInfo>>,
    bytes: AtomicU64,
    failing: AtomicBool,
    acked: AtomicU64,
    /// Records that were handed over, in the life of the directory.
    emitted: AtomicU64,
    /// What became of those that are no longer here. Locked while the cursor is written.
    tally: Mutex<Tally>,
    /// The sequence number of the last written record.
    written: watch::Sender<u64>,
    /// Held for as long as the spool is open.
    _lock: File,
}

impl Shared {
    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A record was handed over and can never be written.
    fn refuse(&self) {
        let mut tally = self.tally();
        tally.refused += 1;
        if let Err(error) = tally.write(&self.dir) {
            tracing::warn!(%error, "the tally of the usage spool cannot be written");
        }
    }

    /// Never held across an await or a write.
    fn segments(&self) -> MutexGuard<'_, BTreeMap<u64, SegmentInfo>> {
        self.segments.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, first_seq: u64) -> PathBuf {
        self.dir.join(segment::file_name(first_seq))
    }
}

/// What the writer thread is told.
enum Command {
    Append {
        payload: Vec<u8>,
        done: oneshot::Sender<u64>,
    },
    /// Something was written that the disk does not have, or the segment is full.
    Look,
    Close(oneshot::Sender<()>),
}

/// A cheap handle to the spool.
#[derive(Clone)]
pub(crate) struct Spool {
    shared: Arc<Shared>,
    tail: Arc<Mutex<Tail>>,
    /// Whether every record waits for the disk: then none is written at once.
    waits_for_disk: bool,
    segment_bytes: u64,
    commands: mpsc::Sender<Command>,
}

impl Spool {
    /// Opens the spool, repairs what a crash left and starts the writer thread.
    ///
    /// # Errors
    /// [`SpoolError`] if another process holds it or the file system refuses.
    pub(crate) fn open(config: SpoolConfig) -> Result<Self, SpoolError> {
        let io_error = |path: &Path| {
            let path = path.to_owned();
            move |source| SpoolError::Io { path, source }
        };
        let dir = config.dir.clone();
        std::fs::create_dir_all(&dir).map_err(io_error(&dir))?;
        let lock = lock(&dir)?;
        let segments = recover(&dir).map_err(io_error(&dir))?;
        let last_written = segments
            .last_key_value()
            .map_or(0, |(first, info)| first + info.records - 1);
        let tally = Tally::read(&dir);
        let acked = tally.cursor.min(last_written);
        let bytes = segments.values().map(|s| s.bytes).sum();
        let shared = Arc::new(Shared {
            dir,
            max_bytes: config.max_bytes,
            segments: Mutex::new(segments),
            bytes: AtomicU64::new(bytes),
            failing: AtomicBool::new(false),
            acked: AtomicU64::new(acked),
            emitted: AtomicU64::new(0),
            tally: Mutex::new(tally),
            written: watch::Sender::new(last_written),
            _lock: lock,
        });
        let (commands, tail) = writer::start(&shared, &config).map_err(io_error(&config.dir))?;
        let spool = Self {
            shared,
            tail,
            waits_for_disk: config.sync_interval.is_zero(),
            segment_bytes: config.segment_bytes,
            commands,
        };
        // What was handed over and not written before a crash is nowhere: no response ended on it.
        let emitted = spool.written().saturating_add(tally.refused);
        spool.shared.emitted.store(emitted, Ordering::Relaxed);
        Ok(spool)
    }

    /// Hands a record over. It is written even if nobody waits for it; waiting fails only when the spool was closed before.
    #[must_use = "the last byte of a response waits for this"]
    pub(crate) fn append(&self, payload: Vec<u8>) -> Pending {
        self.shared.emitted.fetch_add(1, Ordering::Relaxed);
        let (done, pending) = oneshot::channel();
        if !segment::fits(&payload) {
            tracing::error!("a usage record is too large for the spool, and is lost");
            self.shared.refuse();
            return Pending::Queued(pending);
        }
        let payload = match self.write_at_once(payload) {
            Ok(seq) => return Pending::Written(seq),
            Err(payload) => payload,
        };
        // A closed spool drops `done`, which the receiver sees as a failure.
        let _ = self.commands.send(Command::Append { payload, done });
        Pending::Queued(pending)
    }

    /// Writes a record if nobody else is writing, and all is well; hands it back otherwise.
    fn write_at_once(&self, payload: Vec<u8>) -> Result<u64, Vec<u8>> {
        if self.waits_for_disk || self.shared.failing.load(Ordering::Relaxed) {
            return Err(payload);
        }
        let mut tail = match self.tail.try_lock() {
            Ok(tail) if !tail.is_closed() => tail,
            // Nothing panics while it holds the lock; whatever happened, the thread sees to it.
            Ok(_) | Err(_) => return Err(payload),
        };
        let records = [payload];
        // What cannot be written is the thread's, which says so and tries again.
        let written = tail.append(&self.shared, &records);
        drop(tail);
        let [payload] = records;
        let written = written.map_err(|_| payload)?;
        if written.begins_unsynced || written.bytes >= self.segment_bytes {
            let _ = self.commands.send(Command::Look);
        }
        Ok(written.first)
    }

    /// Whether new requests may be admitted: there is room, and writing works.
    #[must_use]
    pub(crate) fn can_take(&self) -> bool {
        let has_room = self.shared.bytes.load(Ordering::Relaxed) < self.shared.max_bytes;
        !self.shared.failing.load(Ordering::Relaxed) && (has_room || self.backlog() == 0)
    }

    /// Bytes on disk.
    #[must_use]
    pub(crate) fn bytes(&self) -> u64 {
        self.shared.bytes.load(Ordering::Relaxed)
    }

    /// From how many bytes on disk on nothing is admitted any more.
    #[must_use]
    pub(crate) fn max_bytes(&self) -> u64 {
        self.shared.max_bytes
    }

    /// Records that the control plane has not acknowledged.
    #[must_use]
    pub(crate) fn backlog(&self) -> u64 {
        self.shared.written.borrow().saturating_sub(self.acked())
    }

    /// The sequence number of the last written record.
    #[must_use]
    pub(crate) fn written(&self) -> u64 {
        *self.shared.written.borrow()
    }

    /// What became of all records.
    #[must_use]
    pub(crate) fn accounts(&self) -> Accounts {
        let tally = *self.shared.tally();
        Accounts {
            emitted: self.shared.emitted.load(Ordering::Relaxed),
            delivered: tally.delivered,
            quarantined: tally.quarantined,
            spooled: self.backlog(),
        }
    }

    /// The last acknowledged sequence number.
    #[must_use]
    pub(crate) fn acked(&self) -> u64 {
        self.shared.acked.load(Ordering::Acquire)
    }

    /// Reads from the first record that is not acknowledged.
    #[must_use]
    pub(crate) fn reader(&self) -> SpoolReader {
        SpoolReader::new(Arc::clone(&self.shared))
    }

    /// Moves the cursor, notes what became of the records before it, and deletes the segments behind it. Sequence numbers
    /// that were never written, or were acknowledged before, are ignored.
    ///
    /// # Errors
    /// Whatever the file system says; then the records are delivered again after a restart, which is harmless.
    pub(crate) fn ack(&self, acked: Acked) -> io::Result<()> {
        let shared = &self.shared;
        let seq = acked.seq.min(*shared.written.borrow());
        {
            let mut tally = shared.tally();
            if shared.acked.fetch_max(seq, Ordering::AcqRel) >= seq {
                return Ok(());
            }
            tally.add(seq, acked);
            tally.write(&shared.dir)?;
        }
        let mut gone = Vec::new();
        {
            let mut segments = shared.segments();
            let active = segments.last_key_value().map(|(first, _)| *first);
            segments.retain(|first, info| {
                let keep = Some(*first) == active || first + info.records > seq + 1;
                if !keep {
                    gone.push((*first, info.bytes));
                }
                keep
            });
        }
        for (first, bytes) in gone {
            std::fs::remove_file(shared.path(first))?;
            shared.bytes.fetch_sub(bytes, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Writes what is waiting, syncs, and stops the writer. Later appends fail.
    pub(crate) async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.commands.send(Command::Close(done)).is_ok() {
            let _ = closed.await;
        }
    }
}

fn lock(dir: &Path) -> Result<File, SpoolError> {
    let path = dir.join("lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|source| SpoolError::Io {
            path: path.clone(),
            source,
        })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(SpoolError::Locked(dir.to_owned())),
        Err(std::fs::TryLockError::Error(source)) => Err(SpoolError::Io { path, source }),
    }
}

/// Finds the segments; cuts a torn record off the last one and removes files that hold nothing.
fn recover(dir: &Path) -> io::Result<BTreeMap<u64, SegmentInfo>> {
    let mut firsts: Vec<u64> = std::fs::read_dir(dir)?
        .filter_map(|entry| segment::parse_file_name(entry.ok()?.file_name().to_str()?))
        .collect();
    firsts.sort_unstable();
    let mut segments = BTreeMap::new();
    for (i, &first) in firsts.iter().enumerate() {
        let path = dir.join(segment::file_name(first));
        let scan = segment::scan(&path)?;
        let is_last = i + 1 == firsts.len();
        if scan.torn_bytes > 0 {
            tracing::warn!(
                segment = first,
                records = scan.records,
                torn_bytes = scan.torn_bytes,
                "a spool segment ends in an incomplete record, as a crash while writing leaves it; the whole records are kept"
            );
        }
        if is_last && scan.torn_bytes > 0 && scan.valid_bytes > 0 {
            let file = File::options().write(true).open(&path)?;
            file.set_len(scan.valid_bytes)?;
            file.sync_data()?;
        }
        if scan.records == 0 && (scan.valid_bytes == 0 || !is_last) {
            std::fs::remove_file(&path)?;
            continue;
        }
        let bytes = if is_last {
            scan.valid_bytes
        } else {
            scan.valid_bytes + scan.torn_bytes
        };
        segments.insert(
            first,
            SegmentInfo {
                records: scan.records,
                bytes,
            },
        );
    }
    Ok(segments)
}

#[cfg(test)]
mod tests;
