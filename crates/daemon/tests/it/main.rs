//! The daemon's promises, on real sockets.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod bounds;
mod config;
mod lifecycle;
mod ops;
mod otlp;
mod serve;
mod telemetry;

use axum::Router;
use ccag_daemon::Lifecycle;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::task::JoinHandle;

/// Serves `router` on a free port.
async fn start(life: &Lifecycle, router: Router, deadline: Duration) -> (SocketAddr, JoinHandle<()>) {
    start_with_notice(life, router, Duration::ZERO, deadline).await
}

/// The same with a notice before the listener closes.
async fn start_with_notice(
    life: &Lifecycle,
    router: Router,
    notice: Duration,
    deadline: Duration,
) -> (SocketAddr, JoinHandle<()>) {
    let listener = ccag_daemon::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let addr = listener.local_addr().unwrap();
    let life = life.clone();
    let server = tokio::spawn(async move {
        let server = ccag_daemon::Server::new(router).notice(notice).deadline(deadline);
        server.run(&life, listener).await.unwrap();
    });
    (addr, server)
}

/// Polls until `done`, for at most five seconds.
async fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    for _ in 0..500 {
        if done() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it did not come about that {what}");
}
