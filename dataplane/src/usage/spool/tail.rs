//! The segment that is being written.
//!
//! A record is written by whoever made it, if nobody else is writing: into the page cache that takes a few microseconds, where
//! waking a thread, and being woken by it, takes several times as much. Who finds another at work does not wait, but hands the
//! record to the writer thread; so a disk that does not answer holds up one request's thread, and no other.

use super::{SegmentInfo, Shared, segment};
use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::time::Instant;

/// How large a buffer is kept, in bytes.
const KEEP_BUFFER: usize = 1 << 20;

/// The segment that is being written. It is locked for a write, and never for `fdatasync`.
pub(super) struct Tail {
    file: Arc<File>,
    /// The sequence number of the segment's first record.
    first: u64,
    info: SegmentInfo,
    /// Where records are put together; empty unless it is locked.
    buffer: Vec<u8>,
    /// Since when something is written that the disk may not have.
    unsynced_since: Option<Instant>,
    /// Whether a part of a record may stand behind the last whole one.
    torn: bool,
    is_closed: bool,
}

/// What was written, as far as the thread has to look after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Written {
    /// The sequence number of the first record.
    pub(super) first: u64,
    /// Whether it is the first one since the disk had everything.
    pub(super) begins_unsynced: bool,
    /// How large the segment is now, in bytes.
    pub(super) bytes: u64,
}

impl Tail {
    pub(super) fn new(file: File, first: u64, info: SegmentInfo) -> Self {
        Self {
            file: Arc::new(file),
            first,
            info,
            buffer: Vec::new(),
            unsynced_since: None,
            torn: false,
            is_closed: false,
        }
    }

    /// Writes records, and tells everybody.
    ///
    /// # Errors
    /// Whatever the file system says; then none of them is written.
    pub(super) fn append(&mut self, shared: &Shared, payloads: &[Vec<u8>]) -> io::Result<Written> {
        if self.torn {
            self.file.set_len(self.info.bytes)?;
            self.torn = false;
        }
        self.buffer.clear();
        for payload in payloads {
            segment::encode(payload, &mut self.buffer);
        }
        if let Err(error) = (&*self.file).write_all(&self.buffer) {
            // Part of the buffer may have been written.
            self.torn = self.file.set_len(self.info.bytes).is_err();
            return Err(error);
        }
        let (added, first) = (self.buffer.len() as u64, self.next());
        self.buffer.clear();
        self.buffer.shrink_to(KEEP_BUFFER);
        self.info.bytes += added;
        self.info.records += payloads.len() as u64;
        let begins_unsynced = self.unsynced_since.is_none();
        self.unsynced_since.get_or_insert_with(Instant::now);
        shared.bytes.fetch_add(added, Ordering::Relaxed);
        shared.segments().insert(self.first, self.info);
        shared.written.send_replace(self.next() - 1);
        Ok(Written {
            first,
            begins_unsynced,
            bytes: self.info.bytes,
        })
    }

    /// From now on nothing is to be written at once.
    pub(super) fn close(&mut self) {
        self.is_closed = true;
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed
    }

    pub(super) fn unsynced_since(&self) -> Option<Instant> {
        self.unsynced_since
    }

    /// What is to be given to the disk; from now on everything counts as given.
    pub(super) fn take_unsynced(&mut self) -> Option<Arc<File>> {
        self.unsynced_since.take().map(|_| Arc::clone(&self.file))
    }

    /// How large the segment is, in bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.info.bytes
    }

    /// The sequence number that the next record gets.
    pub(super) fn next(&self) -> u64 {
        self.first + self.info.records
    }

    /// Goes on in another segment, and hands back what of the old one the disk may not have.
    pub(super) fn go_on_in(&mut self, file: File, first: u64, info: SegmentInfo) -> Option<Arc<File>> {
        let old = self.take_unsynced();
        self.file = Arc::new(file);
        self.first = first;
        self.info = info;
        self.torn = false;
        old
    }
}
