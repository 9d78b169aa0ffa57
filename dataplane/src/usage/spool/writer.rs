//! The one thread that writes what nobody could write at once, gives it to the disk, and begins new segments.

use super::tail::Tail;
use super::{Command, SegmentInfo, Shared, SpoolConfig, segment};
use std::fs::File;
use std::io::{self, Write};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// At most this many records share one write.
const MAX_COMMIT: usize = 4_096;

/// How long to wait before writing again what could not be written.
const RETRY_PAUSE: Duration = Duration::from_millis(250);

/// Opens the segment to write to and starts the thread.
pub(super) fn start(
    shared: &Arc<Shared>,
    config: &SpoolConfig,
) -> io::Result<(Sender<Command>, Arc<Mutex<Tail>>)> {
    let (commands, inbox) = channel();
    let (first, info) = open_last_or_new(shared)?;
    let file = File::options().append(true).open(shared.path(first))?;
    let tail = Arc::new(Mutex::new(Tail::new(file, first, info)));
    let writer = Writer {
        shared: Arc::clone(shared),
        tail: Arc::clone(&tail),
        segment_bytes: config.segment_bytes,
        sync_interval: config.sync_interval,
        waiting: Vec::new(),
    };
    // Lives as long as the spool: `Spool::close` waits for it, and it ends when the last handle is dropped.
    std::thread::Builder::new()
        .name("ccag-spool".into())
        .spawn(move || writer.run(&inbox))?;
    Ok((commands, tail))
}

fn open_last_or_new(shared: &Shared) -> io::Result<(u64, SegmentInfo)> {
    let last = shared
        .segments()
        .last_key_value()
        .map(|(first, info)| (*first, *info));
    match last {
        Some(found) => Ok(found),
        None => {
            // The cursor may be ahead of an empty directory: numbers are never used twice.
            let first = shared.tally().cursor + 1;
            shared.acked.store(first - 1, Ordering::Release);
            shared.written.send_replace(first - 1);
            create_segment(shared, first).map(|info| (first, info))
        }
    }
}

fn create_segment(shared: &Shared, first: u64) -> io::Result<SegmentInfo> {
    let path = shared.path(first);
    // A crash between making the file and writing its magic number may have left an empty one.
    let mut file = File::options()
        .create(true)
        .write(true)
        .truncate(true)
        .open(path)?;
    file.write_all(segment::MAGIC)?;
    let info = SegmentInfo {
        records: 0,
        bytes: segment::MAGIC.len() as u64,
    };
    shared.segments().insert(first, info);
    shared.bytes.fetch_add(info.bytes, Ordering::Relaxed);
    Ok(info)
}

struct Writer {
    shared: Arc<Shared>,
    tail: Arc<Mutex<Tail>>,
    segment_bytes: u64,
    sync_interval: Duration,
    waiting: Vec<oneshot::Sender<u64>>,
}

impl Writer {
    fn run(mut self, inbox: &Receiver<Command>) {
        loop {
            match inbox.recv_timeout(self.time_to_sync()) {
                Ok(command) => {
                    let closing = self.take(command, inbox);
                    if let Some(done) = closing {
                        self.tail().close();
                        self.sync();
                        // Lets go of the lock before the caller may open the directory again.
                        drop(self);
                        let _ = done.send(());
                        return;
                    }
                }
                Err(RecvTimeoutError::Timeout) => self.sync(),
                Err(RecvTimeoutError::Disconnected) => {
                    self.sync();
                    return;
                }
            }
            if self.time_to_sync().is_zero() {
                self.sync();
            }
            if self.tail().bytes() >= self.segment_bytes {
                self.rotate();
            }
        }
    }

    fn tail(&self) -> MutexGuard<'_, Tail> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn time_to_sync(&self) -> Duration {
        match self.tail().unsynced_since() {
            Some(since) => self.sync_interval.saturating_sub(since.elapsed()),
            None => Duration::from_secs(3_600),
        }
    }

    /// Takes and writes everything that is waiting; returns whom to tell if the spool is to be closed.
    fn take(&mut self, first: Command, inbox: &Receiver<Command>) -> Option<oneshot::Sender<()>> {
        let mut next = Some(first);
        let mut payloads = Vec::new();
        let mut closing = None;
        while let Some(command) = next {
            match command {
                Command::Close(done) => {
                    closing = Some(done);
                    break;
                }
                Command::Look => {}
                Command::Append { payload, done } => {
                    payloads.push(payload);
                    self.waiting.push(done);
                }
            }
            next = (payloads.len() < MAX_COMMIT)
                .then(|| inbox.try_recv().ok())
                .flatten();
        }
        self.commit(&payloads);
        closing
    }

    /// Writes records, trying until it succeeds: meanwhile new requests are refused, and none of the waiting ones is told that
    /// its record is safe.
    fn commit(&mut self, payloads: &[Vec<u8>]) {
        if payloads.is_empty() {
            return;
        }
        let written = loop {
            let error = match self.tail().append(&self.shared, payloads) {
                Ok(written) => break written,
                Err(error) => error,
            };
            if !self.shared.failing.swap(true, Ordering::Relaxed) {
                tracing::error!(%error, "the usage spool cannot be written; new requests are refused until it can");
            }
            std::thread::sleep(RETRY_PAUSE);
        };
        if self.shared.failing.swap(false, Ordering::Relaxed) {
            tracing::info!("the usage spool can be written again");
        }
        if self.sync_interval.is_zero() {
            self.sync();
        }
        for (seq, done) in (written.first..).zip(self.waiting.drain(..)) {
            // A caller that went away needs no answer; the record stays.
            let _ = done.send(seq);
        }
    }

    /// Begins the next segment; on failure the present one goes on growing.
    fn rotate(&mut self) {
        // Most of it outside the lock.
        self.sync();
        let mut tail = self.tail();
        let next = tail.next();
        let opened = create_segment(&self.shared, next)
            .and_then(|info| Ok((info, File::options().append(true).open(self.shared.path(next))?)));
        let old = match opened {
            Ok((info, file)) => tail.go_on_in(file, next, info),
            Err(error) => {
                tracing::error!(%error, "cannot begin a new spool segment");
                return;
            }
        };
        drop(tail);
        if let Some(old) = old {
            sync(&old);
        }
    }

    fn sync(&self) {
        let unsynced = self.tail().take_unsynced();
        if let Some(file) = unsynced {
            sync(&file);
        }
    }
}

fn sync(file: &File) {
    if let Err(error) = file.sync_data() {
        tracing::error!(%error, "fdatasync of the usage spool failed; a power failure now could lose records");
    }
}
