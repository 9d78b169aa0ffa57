//! One connection: its requests, its time-outs, and its end.

use super::Answers;
use super::activity::{Answer, Overdue, TAKEN, Taken};
use super::limits::ConnectionLimits;
use super::room::Place;
use super::socket;
use super::upload::Upload;
use crate::Lifecycle;
use crate::lifecycle::Closed;
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use futures_util::future::Either;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, Version};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use socket2::{SockRef, TcpKeepalive};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

/// What an HTTP/1.1 client is told that is to come back on another connection.
const CLOSE: HeaderValue = HeaderValue::from_static("close");

/// How long a connection that was asked to end may take.
const GOODBYE: Duration = Duration::from_secs(5);

/// How long a connection may take that gets nothing but a refusal: its request may be large.
const REFUSAL: Duration = Duration::from_secs(15);

/// The most that an HTTP/1.1 connection buffers, and the most that a request's head may have. hyper keeps a read buffer as
/// large as the last large read until the next request, so its default of 400 KB would stay with every open stream.
const H1_BUFFER: usize = 32 << 10;

/// The most that is held of an answer that an HTTP/2 client has not made room for.
const H2_SEND_BUFFER: usize = 64 << 10;

/// How much the system holds of what a client has not taken yet. Left alone, Linux lets it grow to megabytes, all of which a
/// client that stops reading would keep; and whether a slow one takes anything is only seen when a good part of it is gone.
const SOCKET_BUFFER: usize = 128 << 10;

/// The longest list of headers that an HTTP/2 request may have.
const H2_HEADERS: u32 = 64 << 10;

/// How many requests a client may have cancelled that were not looked at yet, and how often it may break the protocol,
/// before its HTTP/2 connection is closed (CVE-2023-44487, "rapid reset").
const H2_RESETS: usize = 20;

/// One connection, with all that it needs.
pub(super) struct Connection<S> {
    pub(super) life: Lifecycle,
    pub(super) peer: SocketAddr,
    pub(super) service: S,
    pub(super) refusal: Router,
    pub(super) limits: ConnectionLimits,
    pub(super) streams: Streams,
    pub(super) closed: CancellationToken,
    pub(super) place: Place,
}

impl<S: Answers> Connection<S> {
    pub(super) async fn run(self, stream: TcpStream) {
        let _counted = Counted::new(&self.life);
        prepare(&stream);
        if !self.speaks(&stream).await {
            return;
        }
        if self.place.is_refusal() {
            let _ = tokio::time::timeout(REFUSAL, self.serve(stream)).await;
        } else {
            self.serve(stream).await;
        }
    }

    /// Waits for the peer's first byte: until then there is nothing to drain.
    async fn speaks(&self, stream: &TcpStream) -> bool {
        let mut byte = [0u8; 1];
        tokio::select! {
            () = self.closed.cancelled() => false,
            () = self.place.activity.evicted.cancelled() => {
                self.life.closed(Closed::Evicted);
                false
            }
            first = tokio::time::timeout(self.limits.head, stream.peek(&mut byte)) => match first {
                Ok(read) => matches!(read, Ok(1..)),
                Err(_) => {
                    self.life.closed(Closed::Head);
                    false
                }
            },
        }
    }

    /// Serves requests until the connection ends by itself, or has to.
    async fn serve(&self, stream: TcpStream) {
        let activity = &self.place.activity;
        let service = service_fn(|request| self.answer(request));
        let life = self.life.clone();
        let stuck = move || life.closed(Closed::Stuck);
        let io = socket::Watched::new(stream, Arc::clone(activity), self.limits.write, stuck);
        let builder = builder(&self.limits, self.streams.clone());
        let mut connection = pin!(builder.serve_connection(TokioIo::new(io), service));
        let mut told = false;
        loop {
            let why = tokio::select! {
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(peer = %self.peer, error, "connection ended early");
                    }
                    return;
                }
                () = self.closed.cancelled(), if !told => {
                    told = true;
                    connection.as_mut().graceful_shutdown();
                    continue;
                }
                () = activity.evicted.cancelled() => Closed::Evicted,
                overdue = activity.overdue(&self.limits) => match overdue {
                    Overdue::Head => {
                        self.life.closed(Closed::Head);
                        return;
                    }
                    Overdue::Idle => Closed::Idle,
                },
            };
            self.life.closed(why);
            connection.as_mut().graceful_shutdown();
            let _ = tokio::time::timeout(GOODBYE, connection.as_mut()).await;
            return;
        }
    }

    fn answer(
        &self,
        request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response<Answer>, Infallible>> + use<S> {
        let running = self.place.activity.begin();
        let mut request = request.map(|body| Body::new(Upload::new(body, &self.limits, &self.life)));
        request.extensions_mut().insert(ConnectInfo(self.peer));
        let is_http_1 = request.version() <= Version::HTTP_11;
        let shutdown = self.life.shutdown();
        let last = self.place.is_refusal();
        let answering = match last {
            false => Either::Left(self.service.clone().oneshot(request)),
            true => Either::Right(self.refusal.clone().oneshot(request)),
        };
        async move {
            let mut response = answering.await?;
            if is_http_1 && (last || shutdown.is_cancelled()) {
                response.headers_mut().insert(CONNECTION, CLOSE);
            }
            Ok(response.map(|body| Answer::new(body, running)))
        }
    }
}

/// Without `TCP_NODELAY` the second small write of a response waits for the peer's delayed acknowledgement, 40 ms; the
/// keep-alive probes find peers that vanished during a long silence.
fn prepare(stream: &TcpStream) {
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(60))
        .with_interval(Duration::from_secs(15));
    let set = stream
        .set_nodelay(true)
        .and_then(|()| SockRef::from(stream).set_tcp_keepalive(&keepalive))
        .and_then(|()| SockRef::from(stream).set_send_buffer_size(SOCKET_BUFFER));
    if let Err(error) = set {
        tracing::debug!(%error, "cannot set socket options");
    }
}

fn builder(limits: &ConnectionLimits, streams: Streams) -> auto::Builder<Streams> {
    let mut builder = auto::Builder::new(streams);
    // hyper's own time-out for heads would be one for idle connections, too.
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .max_buf_size(H1_BUFFER);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(limits.http2_ping)
        .keep_alive_timeout(limits.http2_ping)
        .max_concurrent_streams(limits.http2_streams)
        .max_pending_accept_reset_streams(H2_RESETS)
        .max_local_error_reset_streams(H2_RESETS)
        .max_header_list_size(H2_HEADERS)
        .max_send_buf_size(H2_SEND_BUFFER)
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(4 << 20);
    builder
}

/// Runs the requests of HTTP/2 connections, each a task of its own, so that none outlives the server, or a client that takes
/// nothing of its answer. On HTTP/1.1 such a client is found by its socket; here it may take what others are sent.
#[derive(Clone)]
pub(super) struct Streams {
    tasks: TaskTracker,
    cut: CancellationToken,
    life: Lifecycle,
    /// How long a client may take nothing.
    patience: Duration,
}

impl Streams {
    /// `patience` is how long a client may take nothing.
    pub(super) fn new(life: &Lifecycle, patience: Duration) -> Self {
        Self {
            tasks: TaskTracker::new(),
            cut: CancellationToken::new(),
            life: life.clone(),
            patience,
        }
    }

    /// Drops what still runs, and waits until it is gone.
    pub(super) async fn cut(self) {
        self.cut.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl<F> hyper::rt::Executor<F> for Streams
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, stream: F) {
        let (cut, life, patience) = (self.cut.clone(), self.life.clone(), self.patience);
        self.tasks.spawn(async move {
            let taken = Taken::new();
            tokio::select! {
                () = cut.cancelled_owned() => {}
                _ = TAKEN.scope(Arc::clone(&taken), stream) => {}
                () = taken.too_long(patience) => life.closed(Closed::Stuck),
            }
        });
    }
}

/// Counts a connection as open while it lives.
struct Counted(Lifecycle);

impl Counted {
    fn new(life: &Lifecycle) -> Self {
        life.connections().inc();
        Self(life.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.connections().dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bind;
    use std::io;

    #[tokio::test]
    async fn small_writes_are_sent_at_once() -> io::Result<()> {
        let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        let (client, accepted) = tokio::join!(TcpStream::connect(listener.local_addr()?), listener.accept());
        let (stream, _) = accepted?;
        assert!(!stream.nodelay()?);
        prepare(&stream);
        assert!(stream.nodelay()?);
        assert!(SockRef::from(&stream).keepalive()?);
        drop(client);
        Ok(())
    }
}
