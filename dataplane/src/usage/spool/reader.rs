//! Reads back what was spooled, for delivery.

use super::Shared;
use super::segment::SegmentReader;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Walks the spool from the first record that is not acknowledged.
pub(crate) struct SpoolReader {
    shared: Arc<Shared>,
    next_seq: u64,
    open: Option<Open>,
}

/// The segment being read.
struct Open {
    reader: SegmentReader,
    first: u64,
    /// The sequence number of the record that `reader` gives next.
    at: u64,
}

impl SpoolReader {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let next_seq = shared.acked.load(Ordering::Acquire) + 1;
        Self {
            shared,
            next_seq,
            open: None,
        }
    }

    /// Goes back to the first record that is not acknowledged: after a connection broke, everything behind the last
    /// acknowledgement is delivered again.
    pub(crate) fn rewind(&mut self) {
        self.next_seq = self.shared.acked.load(Ordering::Acquire) + 1;
        self.open = None;
    }

    /// Whether there is a record that was not read yet.
    #[must_use]
    pub(crate) fn has_next(&self) -> bool {
        *self.shared.written.borrow() >= self.next_seq
    }

    /// Waits until there is a record to read; returns at once if there is one.
    pub(crate) async fn ready(&self) {
        let mut written = self.shared.written.subscribe();
        // The sender lives in `shared`, which we hold.
        let _ = written.wait_for(|&last| last >= self.next_seq).await;
    }

    /// Reads up to `max` records, in order, each with its sequence number. A damaged record inside a segment is skipped
    /// together with what follows it in that segment, and reported.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub(crate) fn read(&mut self, max: usize) -> io::Result<Vec<(u64, Vec<u8>)>> {
        let last = *self.shared.written.borrow();
        let mut records = Vec::new();
        while records.len() < max && self.next_seq <= last {
            if self.open.is_none() && !self.open_segment()? {
                break;
            }
            let Some(open) = &mut self.open else { break };
            match open.reader.next_record()? {
                Some(payload) => {
                    if open.at >= self.next_seq {
                        records.push((open.at, payload));
                        self.next_seq = open.at + 1;
                    }
                    open.at += 1;
                }
                None => self.leave_segment(),
            }
        }
        Ok(records)
    }

    /// Opens the segment that holds the next record, or the first one after it.
    fn open_segment(&mut self) -> io::Result<bool> {
        let first = {
            let segments = self.shared.segments();
            let holding = segments.range(..=self.next_seq).next_back();
            holding
                .filter(|(first, info)| **first + info.records > self.next_seq)
                .or_else(|| segments.range(self.next_seq..).next())
                .map(|(first, _)| *first)
        };
        let Some(first) = first else { return Ok(false) };
        match SegmentReader::open(&self.shared.path(first))? {
            Some(reader) => {
                self.next_seq = self.next_seq.max(first);
                self.open = Some(Open {
                    reader,
                    first,
                    at: first,
                });
                Ok(true)
            }
            None => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a spool segment lost its magic number",
            )),
        }
    }

    /// At the end of a segment: on to the next, saying so if records are missing in between.
    fn leave_segment(&mut self) {
        let Some(open) = self.open.take() else { return };
        let segments = self.shared.segments();
        let whole = segments
            .get(&open.first)
            .is_none_or(|info| open.at >= open.first + info.records);
        if whole {
            // More may be appended to this segment; the next read opens it again and skips to the place.
            return;
        }
        let next = segments.range(open.first + 1..).next().map(|(first, _)| *first);
        drop(segments);
        let last = *self.shared.written.borrow();
        let skip_to = next.unwrap_or(last + 1);
        tracing::error!(
            segment = open.first,
            from = self.next_seq,
            lost = skip_to.saturating_sub(self.next_seq),
            "a spool segment is damaged in the middle; the records behind the damage cannot be delivered"
        );
        self.next_seq = skip_to;
    }
}
