//! The HTTP server: HTTP/1.1 and HTTP/2 with prior knowledge on one port, with an end that is kept.

use crate::Lifecycle;
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::Version;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use socket2::{SockRef, TcpKeepalive};
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

/// What an HTTP/1.1 client is told that is to come back on another connection.
const CLOSE: HeaderValue = HeaderValue::from_static("close");

/// How long a new connection may stay silent.
const FIRST_BYTE: Duration = Duration::from_secs(60);

/// How long a kept-alive HTTP/1.1 connection may idle, and its next request's head take. Longer than the idle time-outs
/// that load balancers are set to (AWS ALB: 60 s by default, 900 s for long streams): where the target closes first, the
/// balancer's next request meets a closing socket and becomes a 502.
const IDLE: Duration = Duration::from_secs(960);

/// What forced streams get to send their last event before their connections are cut.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How long to wait before the next `accept` when the process or the machine is out of sockets.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

const BACKLOG: u32 = 4096;

/// The most that an HTTP/1.1 connection buffers, and the most that a request's head may have. hyper keeps a read buffer as
/// large as the last large read until the next request, so its default of 400 KB would stay with every open stream.
const H1_BUFFER: usize = 32 << 10;

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

/// Serves `router` on `listener` until the shutdown has begun and every connection has ended.
///
/// Handlers find the peer's address as `ConnectInfo<SocketAddr>`. When the shutdown begins the listener closes at once,
/// idle connections end, and open requests, streams included, go on. After `deadline`, or a second signal,
/// [`Lifecycle::force`] is cancelled, and what is still open a second later is cut.
///
/// # Errors
/// None at present: a failure to accept is logged and tried again.
pub async fn serve(
    life: &Lifecycle,
    listener: TcpListener,
    router: Router,
    deadline: Duration,
) -> io::Result<()> {
    serve_with_notice(life, listener, router, Duration::ZERO, deadline).await
}

/// As [`serve`], with a `notice` between the begin of the shutdown and the end of the listener, for what is behind a load
/// balancer: it sends requests until it has seen that readiness is red. What comes meanwhile is served, and HTTP/1.1
/// clients are told with `connection: close` to come back elsewhere. The deadline begins after the notice.
///
/// # Errors
/// As [`serve`].
pub async fn serve_with_notice(
    life: &Lifecycle,
    listener: TcpListener,
    router: Router,
    notice: Duration,
    deadline: Duration,
) -> io::Result<()> {
    let graceful = GracefulShutdown::new();
    let streams = Streams::default();
    let mut connections = JoinSet::new();
    let closed = CancellationToken::new();
    let noticed = notice_over(life, notice);
    tokio::pin!(noticed);
    loop {
        tokio::select! {
            biased;
            () = &mut noticed => break,
            Some(ended) = connections.join_next(), if !connections.is_empty() => report(ended),
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    connections.spawn(connection(
                        life.clone(),
                        stream,
                        peer,
                        router.clone(),
                        (streams.clone(), graceful.watcher()),
                        closed.clone(),
                    ));
                }
                Err(error) => accept_failed(&error).await,
            },
        }
    }
    closed.cancel();
    drop(listener);
    drop(router);
    tracing::debug!(open = connections.len(), "no longer accepting connections");
    end(life, graceful, connections, deadline).await;
    streams.cut().await;
    Ok(())
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
async fn end(life: &Lifecycle, graceful: GracefulShutdown, mut open: JoinSet<()>, deadline: Duration) {
    let force = life.force();
    let told = graceful.shutdown();
    tokio::pin!(told);
    let overdue = tokio::select! {
        () = async {
            tokio::join!(&mut told, all_ended(&mut open));
        } => false,
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

async fn connection(
    life: Lifecycle,
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    (streams, watcher): (Streams, Watcher),
    closed: CancellationToken,
) {
    let _counted = Counted::new(&life);
    prepare(&stream);
    if !speaks(&closed, &stream).await {
        return;
    }
    let shutdown = life.shutdown();
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        let is_http_1 = request.version() <= Version::HTTP_11;
        let (router, shutdown) = (router.clone(), shutdown.clone());
        async move {
            let mut response = router.oneshot(request).await?;
            if is_http_1 && shutdown.is_cancelled() {
                response.headers_mut().insert(CONNECTION, CLOSE);
            }
            Ok::<_, Infallible>(response)
        }
    });
    let builder = builder(streams);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%peer, error, "connection ended early");
    }
}

/// Waits for the peer's first byte: until then there is nothing to drain.
async fn speaks(closed: &CancellationToken, stream: &TcpStream) -> bool {
    let mut byte = [0u8; 1];
    tokio::select! {
        () = closed.cancelled() => false,
        first = tokio::time::timeout(FIRST_BYTE, stream.peek(&mut byte)) => matches!(first, Ok(Ok(1..))),
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
        .and_then(|()| SockRef::from(stream).set_tcp_keepalive(&keepalive));
    if let Err(error) = set {
        tracing::debug!(%error, "cannot set socket options");
    }
}

fn builder(streams: Streams) -> auto::Builder<Streams> {
    let mut builder = auto::Builder::new(streams);
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE)
        .max_buf_size(H1_BUFFER);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(20))
        .max_concurrent_streams(250)
        .max_header_list_size(64 << 10)
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(4 << 20);
    builder
}

/// Runs the requests of HTTP/2 connections, each a task of its own, so that none outlives the server.
#[derive(Clone, Default)]
struct Streams {
    tasks: TaskTracker,
    cut: CancellationToken,
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
        let cut = self.cut.clone();
        self.tasks.spawn(async move {
            cut.run_until_cancelled_owned(stream).await;
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
