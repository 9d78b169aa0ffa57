//! What happens on a connection, as far as its time-outs want to know.

use super::limits::ConnectionLimits;
use axum::body::{Body, Bytes};
use hyper::body::{Frame, SizeHint};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// What HTTP/2 connections begin with, and no request of HTTP/1.1 (RFC 9113, section 3.4).
const HTTP_2: [u8; 3] = *b"PRI";

/// One connection's doings.
#[derive(Debug)]
pub(super) struct Activity {
    state: Mutex<State>,
    /// Cancelled to make room for another connection.
    pub(super) evicted: CancellationToken,
}

#[derive(Debug)]
struct State {
    /// Requests that are being answered.
    requests: usize,
    /// Since when there is none.
    quiet_since: Instant,
    /// When the first byte of a head came that is not complete yet, on HTTP/1.1.
    head_since: Option<Instant>,
    /// How many of the first bytes are HTTP/2's.
    preface: Preface,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Preface {
    Matches(usize),
    Http1,
}

/// Why a connection has to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overdue {
    /// A request's head takes too long.
    Head,
    /// There was no request for too long.
    Idle,
}

impl Activity {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                requests: 0,
                quiet_since: Instant::now(),
                head_since: None,
                preface: Preface::Matches(0),
            }),
            evicted: CancellationToken::new(),
        })
    }

    /// A value is whole after every line that holds this lock, so a panic elsewhere does not spoil it.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes have come.
    pub(super) fn read(&self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let mut state = self.state();
        state.preface.look(bytes);
        if state.requests == 0 && state.head_since.is_none() {
            state.head_since = Some(Instant::now());
        }
    }

    /// A request has come; it ends with what is returned.
    pub(super) fn begin(self: &Arc<Self>) -> Running {
        let mut state = self.state();
        state.requests += 1;
        state.head_since = None;
        Running(Arc::clone(self))
    }

    /// Since when there is no request; `None` while there is one.
    pub(super) fn quiet_since(&self) -> Option<Instant> {
        let state = self.state();
        (state.requests == 0).then_some(state.quiet_since)
    }

    /// Waits until the connection has to end.
    pub(super) async fn overdue(&self, limits: &ConnectionLimits) -> Overdue {
        // A head may begin at any time.
        let look_again = (limits.head.min(limits.idle) / 4).max(Duration::from_millis(10));
        loop {
            {
                let state = self.state();
                let over = |since: Instant, limit| since.elapsed() >= limit;
                let in_head = state.head_since.filter(|_| state.preface == Preface::Http1);
                if in_head.is_some_and(|since| over(since, limits.head)) {
                    return Overdue::Head;
                }
                if state.requests == 0 && over(state.quiet_since, limits.idle) {
                    return Overdue::Idle;
                }
            }
            tokio::time::sleep(look_again).await;
        }
    }
}

impl Preface {
    fn look(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match *self {
                Self::Matches(n) if HTTP_2.get(n) == Some(byte) => *self = Self::Matches(n + 1),
                Self::Matches(n) if n < HTTP_2.len() => *self = Self::Http1,
                Self::Matches(_) | Self::Http1 => return,
            }
        }
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub(super) struct Running(Arc<Activity>);

impl Drop for Running {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.requests -= 1;
        if state.requests == 0 {
            state.quiet_since = Instant::now();
        }
    }
}

tokio::task_local! {
    /// How the answer is taken that runs as this task.
    pub(super) static TAKEN: Arc<Taken>;
}

/// Whether a client takes its answer: hyper asks for more of it as soon as there is room for more.
#[derive(Debug)]
pub(super) struct Taken {
    began: Instant,
    /// Since when a piece waits to be taken, in milliseconds from `began`; 0 while none does.
    since_ms: AtomicU64,
}

impl Taken {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            began: Instant::now(),
            since_ms: AtomicU64::new(0),
        })
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Waits until nothing was taken for so long.
    pub(super) async fn too_long(&self, limit: Duration) {
        let limit_ms = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        loop {
            tokio::time::sleep((limit / 4).max(Duration::from_millis(10))).await;
            let since = self.since_ms.load(Ordering::Relaxed);
            if since > 0 && self.now_ms().saturating_sub(since) >= limit_ms {
                return;
            }
        }
    }
}

/// An answer on its way.
pub(super) struct Answer {
    body: Body,
    taken: Option<Arc<Taken>>,
    _running: Running,
}

impl Answer {
    /// It has to be made in the task that sends it.
    pub(super) fn new(body: Body, running: Running) -> Self {
        Self {
            body,
            taken: TAKEN.try_with(Arc::clone).ok(),
            _running: running,
        }
    }
}

impl hyper::body::Body for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let Some(taken) = &self.taken {
            let since = match polled {
                Poll::Ready(Some(Ok(_))) => taken.now_ms().max(1),
                _ => 0,
            };
            taken.since_ms.store(since, Ordering::Relaxed);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_2_is_told_from_requests_that_begin_alike_however_they_come() {
        for (text, is_http_1) in [("PRI * HTTP/2.0", false), ("POST / ", true), ("PRX", true)] {
            let mut preface = Preface::Matches(0);
            for byte in text.bytes() {
                preface.look(&[byte]);
            }
            assert_eq!(preface == Preface::Http1, is_http_1, "{text}");
        }
    }
}
