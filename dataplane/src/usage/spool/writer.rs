//! The one thread that writes to the spool.

use super::{Command, SegmentInfo, Shared, SpoolConfig, segment};
use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// At most this many records share one write.
const MAX_COMMIT: usize = 4_096;

/// How long to wait before writing again what could not be written.
const RETRY_PAUSE: Duration = Duration::from_millis(250);

/// Opens the segment to write to and starts the thread.
pub(super) fn start(shared: &Arc<Shared>, config: &SpoolConfig) -> io::Result<Sender<Command>> {
    let (commands, inbox) = channel();
    let (first, info) = open_last_or_new(shared)?;
    let file = File::options().append(true).open(shared.path(first))?;
    let writer = Writer {
        shared: Arc::clone(shared),
        file,
        first,
        info,
        segment_bytes: config.segment_bytes,
        sync_interval: config.sync_interval,
        unsynced_since: None,
        buffer: Vec::new(),
        waiting: Vec::new(),
    };
    // Lives as long as the spool: `Spool::close` waits for it, and it ends when the last handle is dropped.
    std::thread::Builder::new()
        .name("ccag-spool".into())
        .spawn(move || writer.run(&inbox))?;
    Ok(commands)
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
    file: File,
    first: u64,
    info: SegmentInfo,
    segment_bytes: u64,
    sync_interval: Duration,
    unsynced_since: Option<Instant>,
    buffer: Vec<u8>,
    waiting: Vec<oneshot::Sender<u64>>,
}

impl Writer {
    fn run(mut self, inbox: &Receiver<Command>) {
        loop {
            match inbox.recv_timeout(self.time_to_sync()) {
                Ok(command) => {
                    let closing = self.collect(command, inbox);
                    self.commit();
                    if let Some(done) = closing {
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
            if self
                .unsynced_since
                .is_some_and(|since| since.elapsed() >= self.sync_interval)
            {
                self.sync();
            }
        }
    }

    fn time_to_sync(&self) -> Duration {
        match self.unsynced_since {
            Some(since) => self.sync_interval.saturating_sub(since.elapsed()),
            None => Duration::from_secs(3_600),
        }
    }

    /// Takes everything that is waiting into the buffer; returns whom to tell if the spool is to be closed.
    fn collect(&mut self, first: Command, inbox: &Receiver<Command>) -> Option<oneshot::Sender<()>> {
        let mut next = Some(first);
        while let Some(command) = next {
            match command {
                Command::Close(done) => return Some(done),
                Command::Append { payload, done } => match segment::encode(&payload, &mut self.buffer) {
                    Ok(()) => self.waiting.push(done),
                    Err(error) => {
                        tracing::error!(%error, "a usage record cannot be spooled and is lost");
                        self.shared.refuse();
                    }
                },
            }
            next = (self.waiting.len() < MAX_COMMIT)
                .then(|| inbox.try_recv().ok())
                .flatten();
        }
        None
    }

    /// Writes the buffer, trying until it succeeds: meanwhile new requests are refused, and none of the waiting ones is
    /// told that its record is safe.
    fn commit(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        while let Err(error) = self.file.write_all(&self.buffer) {
            if !self.shared.failing.swap(true, Ordering::Relaxed) {
                tracing::error!(%error, "the usage spool cannot be written; new requests are refused until it can");
            }
            // Part of the buffer may have been written.
            let _ = self.file.set_len(self.info.bytes);
            std::thread::sleep(RETRY_PAUSE);
        }
        if self.shared.failing.swap(false, Ordering::Relaxed) {
            tracing::info!("the usage spool can be written again");
        }
        let added = self.buffer.len() as u64;
        self.buffer.clear();
        self.buffer.shrink_to(1 << 20);
        self.unsynced_since.get_or_insert_with(Instant::now);
        if self.sync_interval.is_zero() {
            self.sync();
        }
        self.publish(added);
        if self.info.bytes >= self.segment_bytes {
            self.rotate();
        }
    }

    fn publish(&mut self, added: u64) {
        let next = self.first + self.info.records;
        self.info.bytes += added;
        self.info.records += self.waiting.len() as u64;
        self.shared.bytes.fetch_add(added, Ordering::Relaxed);
        self.shared.segments().insert(self.first, self.info);
        self.shared
            .written
            .send_replace(self.first + self.info.records - 1);
        for (seq, done) in (next..).zip(self.waiting.drain(..)) {
            // A caller that went away needs no answer; the record stays.
            let _ = done.send(seq);
        }
    }

    /// Begins the next segment; on failure the present one goes on growing.
    fn rotate(&mut self) {
        self.sync();
        let next = self.first + self.info.records;
        let opened = create_segment(&self.shared, next)
            .and_then(|info| Ok((info, File::options().append(true).open(self.shared.path(next))?)));
        match opened {
            Ok((info, file)) => {
                self.file = file;
                self.first = next;
                self.info = info;
            }
            Err(error) => tracing::error!(%error, "cannot begin a new spool segment"),
        }
    }

    fn sync(&mut self) {
        if self.unsynced_since.take().is_some()
            && let Err(error) = self.file.sync_data()
        {
            tracing::error!(%error, "fdatasync of the usage spool failed; a power failure now could lose records");
        }
    }
}
