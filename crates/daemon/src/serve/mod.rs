//! The HTTP server: HTTP/1.1 and HTTP/2 with prior knowledge on one port, with bounds for what connections take, and an end
//! that is kept.

mod activity;
mod connection;
mod limits;
mod room;
mod shards;
mod socket;
mod upload;

pub use limits::ConnectionLimits;
pub use shards::Shards;

use crate::Lifecycle;
use axum::Router;
use axum::body::Body;
use connection::{Connection, Streams};
use hyper::{Request, Response};
use room::Room;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tower::Service;

/// What forced streams get to send their last event before their connections are cut.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How long to wait before the next `accept` when the process or the machine is out of sockets.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

const BACKLOG: u32 = 4096;

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

/// What answers requests: routes, or a service that knows its most frequent ones by itself. Each connection
/// has a clone of its own.
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
    shards: Option<Shards>,
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
            shards: None,
        }
    }

    /// Serves connections on threads of their own instead of the runtime that accepts them.
    #[must_use]
    pub fn shards(self, shards: Shards) -> Self {
        let shards = Some(shards);
        Self { shards, ..self }
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
        let streams = Streams::new(life, self.limits.write);
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
                        match &self.shards {
                            None => {
                                connections.spawn(connection.run(stream));
                            }
                            Some(shards) => shards.run(&mut connections, elsewhere(connection, stream)),
                        }
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

/// Serves a connection on another runtime than the one that has accepted it.
fn elsewhere<S: Answers>(
    connection: Connection<S>,
    stream: TcpStream,
) -> impl Future<Output = ()> + Send + 'static {
    let taken = stream.into_std();
    async move {
        match taken.and_then(TcpStream::from_std) {
            Ok(stream) => connection.run(stream).await,
            Err(error) => tracing::warn!(%error, "a connection cannot be served"),
        }
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
