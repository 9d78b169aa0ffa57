//! The HTTP server: HTTP/1.1 and HTTP/2 with prior knowledge on one port, with bounds for what connections take, and an end
//! that is kept.

mod activity;
mod limits;
mod room;
mod socket;
mod upload;

pub use limits::ConnectionLimits;

use crate::Lifecycle;
use crate::lifecycle::Closed;
use activity::{Answer, Overdue, TAKEN, Taken};
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
use room::{Place, Room};
use socket2::{SockRef, TcpKeepalive};
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::{Service, ServiceExt};
use upload::Upload;

/// What an HTTP/1.1 client is told that is to come back on another connection.
const CLOSE: HeaderValue = HeaderValue::from_static("close");

/// How long a connection that was asked to end may take.
const GOODBYE: Duration = Duration::from_secs(5);

/// How long a connection may take that gets nothing but a refusal: its request may be large.
const REFUSAL: Duration = Duration::from_secs(15);

/// What forced streams get to send their last event before their connections are cut.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How long to wait before the next `accept` when the process or the machine is out of sockets.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

const BACKLOG: u32 = 4096;

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

/// Opens a listening socket, with an address that was just in use allowed and a backlog for bursts of connections.
///
/// # Errors
/// The system's error, with the address in its text.
pub async fn bind(addr: SocketAddr) -> io::Result<TcpListener> {
    let listen = || {
        let socket = if addr.is_ipv4() {
            TcpSocket::new_v4()?
        } else {
            TcpSocket::new_v6()?
        };
        socket.set_reuseaddr(true)?;
        socket.bind(addr)?;
        socket.listen(BACKLOG)
    };
    listen().map_err(|error| io::Error::new(error.kind(), format!("cannot listen on {addr}: {error}")))
}

/// Serves `service` on `listener` until the shutdown has begun and every connection has ended: a [`Server`] as it is made.
///
/// # Errors
/// As [`Server::run`].
pub async fn serve(
    life: &Lifecycle,
    listener: TcpListener,
    service: impl Answers,
    deadline: Duration,
) -> io::Result<()> {
    Server::new(service).deadline(deadline).run(life, listener).await
}

/// What answers requests: routes, or a service that knows its most frequent ones by itself. One that clones is cheap.
pub trait Answers:
    Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send>
    + Clone
    + Send
    + Sync
    + 'static
{
}

impl<S> Answers for S where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static
{
}

/// What a listener serves, and how.
#[derive(Debug)]
pub struct Server<S> {
    service: S,
    refusal: Router,
    limits: ConnectionLimits,
    notice: Duration,
    deadline: Duration,
}

impl<S: Answers> Server<S> {
    /// Serves what a service answers, with the usual limits, and no time for open requests after a stop.
    #[must_use]
    pub fn new(service: S) -> Self {
        let refusal = Router::new().fallback(|| async {
            let text = "there are more connections than this server takes; try again in a moment\n";
            (
                hyper::StatusCode::SERVICE_UNAVAILABLE,
                [("retry-after", "1")],
                text,
            )
        });
        Self {
            service,
            refusal,
            limits: ConnectionLimits::default(),
            notice: Duration::ZERO,
            deadline: Duration::ZERO,
        }
    }

    /// Other limits for connections.
    #[must_use]
    pub fn limits(self, limits: ConnectionLimits) -> Self {
        Self { limits, ..self }
    }

    /// What answers the one request of a connection that there is no room for.
    #[must_use]
    pub fn refusal(self, refusal: Router) -> Self {
        Self { refusal, ..self }
    }

    /// A time between the begin of the shutdown and the end of the listener, for what is behind a load balancer: it sends
    /// requests until it has seen that readiness is red. What comes meanwhile is served, and HTTP/1.1 clients are told with
    /// `connection: close` to come back elsewhere. The deadline begins after the notice.
    #[must_use]
    pub fn notice(self, notice: Duration) -> Self {
        Self { notice, ..self }
    }

    /// How long open requests may go on after a stop.
    #[must_use]
    pub fn deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// Serves until the shutdown has begun and every connection has ended.
    ///
    /// Handlers find the peer's address as `ConnectInfo<SocketAddr>`. When the shutdown begins (or the notice is over) the
    /// listener closes, idle connections end, and open requests, streams included, go on. After the deadline, or a second
    /// signal, [`Lifecycle::force`] is cancelled, and what is still open a second later is cut.
    ///
    /// # Errors
    /// None at present: a failure to accept is logged and tried again.
    pub async fn run(self, life: &Lifecycle, listener: TcpListener) -> io::Result<()> {
        let streams = Streams {
            tasks: TaskTracker::new(),
            cut: CancellationToken::new(),
            life: life.clone(),
            patience: self.limits.write,
        };
        let mut connections = JoinSet::new();
        let closed = CancellationToken::new();
        let room = Room::new(self.limits.max);
        let noticed = notice_over(life, self.notice);
        tokio::pin!(noticed);
        loop {
            tokio::select! {
                biased;
                () = &mut noticed => break,
                Some(ended) = connections.join_next(), if !connections.is_empty() => report(ended),
                accepted = listener.accept() => match accepted {
                    Ok((stream, peer)) => {
                        let Some(place) = room.take(life) else { continue };
                        let connection = Connection {
                            life: life.clone(),
                            peer,
                            service: self.service.clone(),
                            refusal: self.refusal.clone(),
                            limits: self.limits,
                            streams: streams.clone(),
                            closed: closed.clone(),
                            place,
                        };
                        connections.spawn(connection.run(stream));
                    }
                    Err(error) => accept_failed(&error).await,
                },
            }
        }
        closed.cancel();
        drop(listener);
        tracing::debug!(open = connections.len(), "no longer accepting connections");
        end(life, connections, self.deadline).await;
        streams.cut().await;
        Ok(())
    }
}

/// Waits until the listener has to close.
async fn notice_over(life: &Lifecycle, notice: Duration) {
    life.shutdown().cancelled().await;
    if notice.is_zero() {
        return;
    }
    tokio::select! {
        () = tokio::time::sleep(notice) => {}
        () = life.force().cancelled_owned() => {}
    }
}

/// Waits for the connections to end by themselves, then by force.
async fn end(life: &Lifecycle, mut open: JoinSet<()>, deadline: Duration) {
    let force = life.force();
    let overdue = tokio::select! {
        () = all_ended(&mut open) => false,
        () = tokio::time::sleep(deadline) => true,
        () = force.cancelled() => true,
    };
    if !overdue {
        return;
    }
    tracing::warn!(open = open.len(), "connections are still open: forcing them");
    force.cancel();
    if tokio::time::timeout(LAST_WORDS, all_ended(&mut open))
        .await
        .is_err()
    {
        tracing::warn!(open = open.len(), "cutting connections");
    }
    open.shutdown().await;
}

async fn all_ended(open: &mut JoinSet<()>) {
    while let Some(ended) = open.join_next().await {
        report(ended);
    }
}

/// A handler that panics costs its own connection, not the process.
fn report(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && let Ok(panic) = error.try_into_panic()
    {
        tracing::error!(
            panic = crate::lifecycle::panic_text(&*panic),
            "a request handler panicked; its connection is closed"
        );
    }
}

async fn accept_failed(error: &io::Error) {
    if matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    ) {
        return;
    }
    tracing::warn!(%error, "cannot accept connections");
    tokio::time::sleep(ACCEPT_PAUSE).await;
}

/// One connection, with all that it needs.
struct Connection<S> {
    life: Lifecycle,
    peer: SocketAddr,
    service: S,
    refusal: Router,
    limits: ConnectionLimits,
    streams: Streams,
    closed: CancellationToken,
    place: Place,
}

impl<S: Answers> Connection<S> {
    async fn run(self, stream: TcpStream) {
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
struct Streams {
    tasks: TaskTracker,
    cut: CancellationToken,
    life: Lifecycle,
    /// How long a client may take nothing.
    patience: Duration,
}

impl Streams {
    /// Drops what still runs, and waits until it is gone.
    async fn cut(self) {
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
