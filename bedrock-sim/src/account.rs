//! What the simulator received and what it handed out: the ground truth for billing tests.

use crate::Shared;
use crate::script::Action;
use serde::Serialize;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Token counts of one answer, as Bedrock reports them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// Uncached input.
    pub input: u64,
    /// Output of the whole answer.
    pub output: u64,
    /// Read from the cache.
    pub cache_read: u64,
    /// Written for five minutes.
    pub cache_write_5m: u64,
    /// Written for an hour.
    pub cache_write_1h: u64,
}

/// How an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// Still being sent.
    Open,
    /// Sent whole.
    Completed,
    /// Refused before any content.
    Failed,
    /// Broken off by a script.
    Cut,
    /// The client went away.
    Cancelled,
}

/// One answer in the account.
#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    /// The `x-amzn-requestid` that the answer carried.
    pub request_id: String,
    /// The model id as it stood in the URL or in the body.
    pub model: String,
    /// The operation: `invoke`, `stream`, `messages` or `mantle`.
    pub operation: &'static str,
    /// What the whole answer is billed.
    pub usage: Usage,
    /// The tokens of the content that had been handed over when it ended.
    pub output_sent: u64,
    /// Content bytes that had been handed over: text, thinking and tool input.
    pub content_bytes_sent: u64,
    /// Frames handed over.
    pub frames_sent: u64,
    /// How it ended.
    pub ending: Ending,
    /// The error type, where one was sent.
    pub error: Option<String>,
    /// When the request had been read, in Unix milliseconds.
    pub started_at_ms: i64,
    /// When it ended.
    pub ended_at_ms: Option<i64>,
    /// The whole content as it was planned: what a client that read everything has seen.
    pub content: serde_json::Value,
}

/// One request in the log.
#[derive(Debug, Clone, Serialize)]
pub struct Received {
    /// The access key id that it was signed with.
    pub signed_by: Option<String>,
    /// The `x-amzn-requestid` it was answered with.
    pub request_id: String,
    /// When it arrived, in Unix milliseconds.
    pub at_ms: i64,
    /// The account whose credentials signed it: that of the role that was assumed, else the simulator's own.
    pub account: String,
    /// The region that it was signed for; empty if it was not signed.
    pub region: String,
    /// The HTTP method.
    pub method: String,
    /// Path and query as they were on the wire.
    pub path: String,
    /// Headers in order of arrival; credentials are left out.
    pub headers: Vec<(String, String)>,
    /// The body as text.
    pub body: String,
    /// The HTTP status it was answered with.
    pub status: u16,
}

/// The account and the log. The log keeps the newest requests only; the account keeps everything until it is cleared.
#[derive(Debug)]
pub(crate) struct Books {
    entries: Mutex<Vec<Entry>>,
    log: Mutex<VecDeque<Received>>,
    log_capacity: usize,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Books {
    pub(crate) fn new(log_capacity: usize) -> Self {
        Self {
            entries: Mutex::default(),
            log: Mutex::default(),
            log_capacity,
        }
    }

    /// Opens an entry and returns its place.
    pub(crate) fn open(&self, entry: Entry) -> usize {
        let mut entries = lock(&self.entries);
        entries.push(entry);
        entries.len() - 1
    }

    /// Changes an entry, if the account was not cleared meanwhile.
    pub(crate) fn change(&self, place: usize, request_id: &str, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = lock(&self.entries).get_mut(place)
            && entry.request_id == request_id
        {
            change(entry);
        }
    }

    pub(crate) fn receive(&self, received: Received) {
        if self.log_capacity == 0 {
            return;
        }
        let mut log = lock(&self.log);
        if log.len() == self.log_capacity {
            log.pop_front();
        }
        log.push_back(received);
    }

    pub(crate) fn entries(&self) -> Vec<Entry> {
        lock(&self.entries).clone()
    }

    pub(crate) fn log(&self) -> Vec<Received> {
        lock(&self.log).iter().cloned().collect()
    }

    pub(crate) fn clear(&self) {
        lock(&self.entries).clear();
        lock(&self.log).clear();
    }
}

/// The error that the script wants for an operation which has no stream.
pub(crate) fn scripted_error(
    shared: &Shared,
    operation: &str,
    model: &str,
    body: &[u8],
) -> Option<(u16, String, String)> {
    let mut script = shared.script.lock().unwrap_or_else(PoisonError::into_inner);
    match script.take(operation, model, body) {
        Some(Action::Error {
            status,
            error_type,
            message,
        }) => Some((status, error_type, message)),
        _ => None,
    }
}

/// Whether the script wants an operation not to be known, and whether with a status that says that all is well.
pub(crate) fn scripted_unknown(shared: &Shared, operation: &str, body: &[u8]) -> Option<bool> {
    let mut script = shared.script.lock().unwrap_or_else(PoisonError::into_inner);
    script.take_unknown(operation, body)
}
