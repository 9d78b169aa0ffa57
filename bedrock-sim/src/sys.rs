//! The only places that touch the system's clock, spawn tasks or print.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since the Unix epoch.
#[expect(
    clippy::disallowed_methods,
    reason = "a stand-in for AWS has AWS's clock: the real one"
)]
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Runs a task in the background; the simulator's own token ends it.
#[expect(
    clippy::disallowed_methods,
    reason = "imports nothing of ours, so it has no lifecycle to track tasks with"
)]
pub(crate) fn spawn(task: impl Future<Output = ()> + Send + 'static) -> tokio::task::JoinHandle<()> {
    tokio::spawn(task)
}

/// An upper-case UUID-shaped request id made of a counter and the clock: unique within one simulator.
pub(crate) fn request_id(counter: u64) -> String {
    let ms = now_ms().unsigned_abs();
    format!(
        "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
        (ms >> 16) & 0xffff_ffff,
        ms & 0xffff,
        (counter >> 36) & 0xfff,
        (counter >> 24) & 0xfff,
        counter & 0xff_ffff
    )
}
