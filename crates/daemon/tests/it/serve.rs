use crate::{eventually, start, start_with_notice};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::ConnectInfo;
use axum::routing::{get, post};
use ccag_daemon::Lifecycle;
use futures_util::{StreamExt, stream};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

const LONG: Duration = Duration::from_secs(60);

/// Twenty events in two seconds.
fn ticks() -> Body {
    Body::from_stream(stream::iter(0..20).then(|n| async move {
        tokio::time::sleep(Duration::from_millis(100)).await;
        Ok::<_, Infallible>(Bytes::from(format!("tick {n}\n")))
    }))
}

/// One event, and then nothing until the process is forced.
fn endless(life: &Lifecycle) -> Body {
    let force = life.force();
    Body::from_stream(
        stream::once(async { Ok::<_, Infallible>(Bytes::from_static(b"begun\n")) }).chain(stream::once(
            async move {
                force.cancelled().await;
                Ok(Bytes::from_static(b"interrupted\n"))
            },
        )),
    )
}

fn deaf() -> Body {
    let begun = stream::once(async { Ok::<_, Infallible>(Bytes::from_static(b"begun\n")) });
    Body::from_stream(begun.chain(stream::pending()))
}

fn router(life: &Lifecycle) -> Router {
    let life = life.clone();
    Router::new()
        .route("/", get(|| async { "hello" }))
        .route("/ticks", get(|| async { ticks() }))
        .route("/endless", get(|| async move { endless(&life) }))
        .route("/deaf", get(|| async { deaf() }))
        .route("/panic", get(|| async { panicking() }))
        .route("/echo", post(|body: Bytes| async move { body }))
        .layer(axum::extract::DefaultBodyLimit::disable())
        .route(
            "/peer",
            get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.to_string() }),
        )
}

fn panicking() -> &'static str {
    panic!("broken handler")
}

fn h2() -> reqwest::Client {
    reqwest::Client::builder()
        .http2_prior_knowledge()
        .build()
        .unwrap()
}

async fn text(client: &reqwest::Client, addr: SocketAddr, path: &str) -> String {
    let response = client.get(format!("http://{addr}{path}")).send().await.unwrap();
    response.text().await.unwrap()
}

#[tokio::test]
async fn one_port_speaks_http_1_and_http_2_knows_the_peer_and_carries_large_bodies() {
    let life = Lifecycle::new();
    let (addr, server) = start(&life, router(&life), LONG).await;
    let clients = [reqwest::Client::new(), h2()];
    for client in &clients {
        assert_eq!(text(client, addr, "/").await, "hello");
        assert!(text(client, addr, "/peer").await.starts_with("127.0.0.1:"));
        let big = vec![b'x'; 30 << 20];
        let echo = client.post(format!("http://{addr}/echo")).body(big.clone());
        assert_eq!(echo.send().await.unwrap().bytes().await.unwrap(), big);
    }
    assert_eq!(life.open_connections(), 2);
    life.begin_shutdown();
    server.await.unwrap();
    assert_eq!(life.open_connections(), 0);
}

#[tokio::test]
async fn a_head_that_does_not_fit_the_buffer_is_refused_and_an_ordinary_long_one_is_not() {
    let life = Lifecycle::new();
    let (addr, server) = start(&life, router(&life), LONG).await;
    for (size, status) in [(20 << 10, 200), (40 << 10, 431)] {
        let request = reqwest::Client::new().get(format!("http://{addr}/"));
        let response = request.header("x-long", "x".repeat(size)).send().await.unwrap();
        assert_eq!(response.status(), status, "{size}");
    }
    life.begin_shutdown();
    server.await.unwrap();
}

#[tokio::test]
async fn open_streams_are_finished_while_new_connections_are_refused() {
    for client in [reqwest::Client::new(), h2()] {
        let life = Lifecycle::new();
        let (addr, server) = start(&life, router(&life), LONG).await;
        let response = client.get(format!("http://{addr}/ticks")).send().await.unwrap();
        life.begin_shutdown();
        eventually("the listener closed", || {
            std::net::TcpStream::connect(addr).is_err()
        })
        .await;
        let body = response.text().await.unwrap();
        assert_eq!(body.lines().count(), 20);
        assert!(body.ends_with("tick 19\n"));
        tokio::time::timeout(Duration::from_secs(5), server)
            .await
            .unwrap()
            .unwrap();
        assert!(!life.force().is_cancelled());
    }
}

#[tokio::test]
async fn during_the_notice_requests_are_served_and_http_1_clients_told_to_go_elsewhere() {
    let life = Lifecycle::new();
    let notice = Duration::from_millis(500);
    let (addr, server) = start_with_notice(&life, router(&life), notice, LONG).await;
    let silent = tokio::net::TcpStream::connect(addr).await.unwrap();
    let get = |client: reqwest::Client| client.get(format!("http://{addr}/peer")).send();
    let kept = reqwest::Client::new();
    let before = get(kept.clone()).await.unwrap();
    assert_eq!(before.headers().get("connection"), None);
    let before = before.text().await.unwrap();
    life.begin_shutdown();
    assert!(!life.is_ready(), "red at once");
    let after = get(kept).await.unwrap();
    assert_eq!(after.headers()["connection"], "close");
    assert_eq!(after.text().await.unwrap(), before, "on the connection it had");
    let fresh = get(reqwest::Client::new()).await.unwrap();
    assert_eq!(fresh.headers()["connection"], "close");
    let multiplexed = get(h2()).await.unwrap();
    assert_eq!(multiplexed.status(), 200);
    assert_eq!(multiplexed.headers().get("connection"), None);
    eventually("the listener closed", || {
        std::net::TcpStream::connect(addr).is_err()
    })
    .await;
    tokio::time::timeout(Duration::from_secs(5), server)
        .await
        .unwrap()
        .unwrap();
    drop(silent);
}

#[tokio::test]
async fn after_the_deadline_streams_get_to_say_a_last_word() {
    for client in [reqwest::Client::new(), h2()] {
        let life = Lifecycle::new();
        let (addr, server) = start(&life, router(&life), Duration::from_millis(300)).await;
        let response = client.get(format!("http://{addr}/endless")).send().await.unwrap();
        life.begin_shutdown();
        assert_eq!(response.text().await.unwrap(), "begun\ninterrupted\n");
        tokio::time::timeout(Duration::from_secs(5), server)
            .await
            .unwrap()
            .unwrap();
    }
}

#[tokio::test]
async fn streams_that_do_not_listen_are_cut_after_the_deadline() {
    for client in [reqwest::Client::new(), h2()] {
        let life = Lifecycle::new();
        let (addr, server) = start(&life, router(&life), Duration::from_millis(300)).await;
        let response = client.get(format!("http://{addr}/deaf")).send().await.unwrap();
        let begun = Instant::now();
        life.begin_shutdown();
        assert!(response.text().await.is_err());
        assert!(begun.elapsed() < Duration::from_secs(5));
        tokio::time::timeout(Duration::from_secs(5), server)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(life.open_connections(), 0);
    }
}

#[tokio::test]
async fn a_second_signal_cuts_before_the_deadline() {
    let life = Lifecycle::new();
    let (addr, server) = start(&life, router(&life), LONG).await;
    let response = reqwest::get(format!("http://{addr}/deaf")).await.unwrap();
    life.begin_shutdown();
    life.force_shutdown();
    assert!(response.text().await.is_err());
    tokio::time::timeout(Duration::from_secs(5), server)
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn connections_without_a_request_do_not_hold_up_the_shutdown() {
    let life = Lifecycle::new();
    let (addr, server) = start(&life, router(&life), LONG).await;
    let mut silent = TcpStream::connect(addr).await.unwrap();
    let mut idle = TcpStream::connect(addr).await.unwrap();
    idle.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let mut head = [0u8; 15];
    idle.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200 OK");
    life.begin_shutdown();
    tokio::time::timeout(Duration::from_secs(5), server)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(silent.read(&mut [0]).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn a_panicking_handler_costs_its_own_connection_only() {
    let life = Lifecycle::new();
    let (addr, server) = start(&life, router(&life), LONG).await;
    for client in [reqwest::Client::new(), h2()] {
        assert!(client.get(format!("http://{addr}/panic")).send().await.is_err());
        assert_eq!(text(&client, addr, "/").await, "hello");
    }
    assert!(!life.shutdown().is_cancelled());
    life.begin_shutdown();
    server.await.unwrap();
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let first = ccag_daemon::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let addr = first.local_addr().unwrap();
    let error = ccag_daemon::bind(addr).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
    assert!(error.to_string().contains(&addr.to_string()), "{error}");
}
