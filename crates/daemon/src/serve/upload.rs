//! The body of a request, which has to come in time.

use super::limits::ConnectionLimits;
use crate::Lifecycle;
use crate::lifecycle::Closed;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// The body of a request. It fails with [`io::ErrorKind::TimedOut`] when nothing comes for too long, or not all in time.
pub(super) struct Upload {
    body: Incoming,
    life: Lifecycle,
    pause: Duration,
    until: Instant,
    /// Made when the body is waited for.
    patience: Option<Pin<Box<Sleep>>>,
    waits: bool,
}

impl Upload {
    pub(super) fn new(body: Incoming, limits: &ConnectionLimits, life: &Lifecycle) -> Self {
        Self {
            body,
            life: life.clone(),
            pause: limits.body_pause,
            until: Instant::now() + limits.body,
            patience: None,
            waits: false,
        }
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) {
            this.waits = false;
            return Poll::Ready(frame.map(|frame| frame.map_err(io::Error::other)));
        }
        let until = this.until.min(Instant::now() + this.pause);
        let patience = this
            .patience
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        if !this.waits {
            this.waits = true;
            patience.as_mut().reset(until);
        }
        ready!(patience.as_mut().poll(cx));
        this.life.closed(Closed::Body);
        Poll::Ready(Some(Err(io::ErrorKind::TimedOut.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
