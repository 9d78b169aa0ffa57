//! What became of the records that were handed to a spool, over the life of its directory.

use crate::files::write_atomic;
use std::io;
use std::path::Path;

/// The file that holds it, and with it the cursor: both move at once.
const CURSOR: &str = "cursor";

/// An acknowledgement of the control plane's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Acked {
    /// The last record of the batch.
    pub(crate) seq: u64,
    /// How many records are in the ledger.
    pub(crate) delivered: u64,
    /// How many were put aside.
    pub(crate) quarantined: u64,
}

/// What became of all records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Accounts {
    /// Handed over.
    pub(crate) emitted: u64,
    /// Acknowledged, and in the ledger.
    pub(crate) delivered: u64,
    /// Acknowledged, and put aside by the control plane.
    pub(crate) quarantined: u64,
    /// Written, and not acknowledged.
    pub(crate) spooled: u64,
}

impl Accounts {
    /// Records that are nowhere: being written just now, or lost.
    pub(crate) fn unaccounted(self) -> i64 {
        let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        signed(self.emitted) - signed(self.delivered) - signed(self.quarantined) - signed(self.spooled)
    }
}

/// What is kept on disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// The last acknowledged sequence number.
    pub(super) cursor: u64,
    pub(super) delivered: u64,
    pub(super) quarantined: u64,
    /// Records that could never be written.
    pub(super) refused: u64,
}

impl Tally {
    /// Reads it. A missing or unreadable file is an empty tally: what is there is delivered again, which is harmless. A file
    /// of the cursor alone, as an earlier version left it, says that everything before it was delivered.
    pub(super) fn read(dir: &Path) -> Self {
        let text = std::fs::read_to_string(dir.join(CURSOR)).unwrap_or_default();
        let numbers: Result<Vec<u64>, _> = text.split_whitespace().map(str::parse).collect();
        match numbers.as_deref() {
            Ok([cursor]) => Self {
                cursor: *cursor,
                delivered: *cursor,
                ..Self::default()
            },
            Ok([cursor, delivered, quarantined, refused]) => Self {
                cursor: *cursor,
                delivered: *delivered,
                quarantined: *quarantined,
                refused: *refused,
            },
            _ => Self::default(),
        }
    }

    pub(super) fn add(&mut self, cursor: u64, acked: Acked) {
        self.cursor = cursor;
        self.delivered = self.delivered.saturating_add(acked.delivered);
        self.quarantined = self.quarantined.saturating_add(acked.quarantined);
    }

    pub(super) fn write(&self, dir: &Path) -> io::Result<()> {
        let Self {
            cursor,
            delivered,
            quarantined,
            refused,
        } = self;
        let text = format!("{cursor} {delivered} {quarantined} {refused}\n");
        write_atomic(&dir.join(CURSOR), text.as_bytes(), false)
    }
}
