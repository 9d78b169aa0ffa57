//! What a connection may take, held against clients that take more.

use crate::eventually;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::{get, post};
use ccag_daemon::{ConnectionLimits, Lifecycle, Ops, Server};
use futures_util::{Stream, StreamExt, stream};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tower::ServiceExt;

const SHORT: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(60);

/// What a connection may take where the test is about something else.
fn ample() -> ConnectionLimits {
    ConnectionLimits {
        max: 100,
        head: LONG,
        idle: LONG,
        body_pause: LONG,
        body: LONG,
        write: LONG,
        http2_streams: 100,
        http2_ping: LONG,
    }
}

/// How many endless answers are open.
#[derive(Clone, Default)]
struct Open(Arc<AtomicUsize>);

struct Endless(Open);

impl Open {
    fn answer(&self) -> Body {
        self.0.fetch_add(1, Ordering::SeqCst);
        Body::from_stream(Endless(self.clone()))
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Stream for Endless {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(Some(Ok(Bytes::from_static(&[b'x'; 16 << 10]))))
    }
}

impl Drop for Endless {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Says what became of the body.
async fn echo(body: Body) -> String {
    let read = axum::body::to_bytes(body, 1 << 20).await;
    let why = |error: axum::Error| {
        let mut cause: &dyn std::error::Error = &error;
        loop {
            match (cause.downcast_ref::<std::io::Error>(), cause.source()) {
                (Some(error), _) => return format!("{:?}", error.kind()),
                (None, Some(next)) => cause = next,
                (None, None) => return error.to_string(),
            }
        }
    };
    read.map_or_else(why, |body| String::from_utf8(body.to_vec()).unwrap())
}

struct It {
    life: Lifecycle,
    addr: SocketAddr,
    open: Open,
    server: JoinHandle<()>,
}

impl It {
    async fn start(limits: ConnectionLimits) -> Self {
        Self::start_with(limits, Duration::ZERO).await
    }

    /// What is open has so long after a stop.
    async fn start_with(limits: ConnectionLimits, deadline: Duration) -> Self {
        let (life, open) = (Lifecycle::new(), Open::default());
        let endless = open.clone();
        // Silent in between, as Bedrock is, for much longer than the limits of these tests.
        let slow = || async {
            let words = stream::iter(["begun\n", "ended\n"]).then(|word| async move {
                tokio::time::sleep(SHORT * 4).await;
                Ok::<_, Infallible>(word)
            });
            Body::from_stream(words)
        };
        let router = Router::new()
            .route("/", get(|| async { "hello" }))
            .route("/echo", post(echo))
            .route("/slow", get(slow))
            .route("/endless", get(|| async move { endless.answer() }));
        let refusal = Router::new().fallback(|| async { (hyper::StatusCode::SERVICE_UNAVAILABLE, "full") });
        let listener = ccag_daemon::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let serving = life.clone();
        let server = tokio::spawn(async move {
            let server = Server::new(router).limits(limits).refusal(refusal);
            let server = server.deadline(deadline);
            server.run(&serving, listener).await.unwrap();
        });
        Self {
            life,
            addr,
            open,
            server,
        }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.addr).await.unwrap()
    }

    async fn get(&self, client: &reqwest::Client, path: &str) -> reqwest::Response {
        let request = client.get(format!("http://{}{path}", self.addr));
        request.send().await.unwrap()
    }

    /// How often something was ended for a reason.
    async fn closed(&self, reason: &str) -> u64 {
        let request = hyper::Request::get("/metrics").body(Body::empty()).unwrap();
        let answer = Ops::new(&self.life).router().oneshot(request).await.unwrap();
        let text = axum::body::to_bytes(answer.into_body(), 1 << 20).await.unwrap();
        let start = format!("ccag_connections_closed_total{{reason=\"{reason}\"}} ");
        let text = String::from_utf8(text.to_vec()).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(&start));
        line.map_or(0, |count| count.parse().unwrap())
    }

    async fn end(self) {
        self.life.force_shutdown();
        self.server.await.unwrap();
        assert_eq!((self.open.count(), self.life.open_connections()), (0, 0));
    }
}

fn clients() -> [reqwest::Client; 2] {
    let h2 = reqwest::Client::builder().http2_prior_knowledge().build();
    [reqwest::Client::new(), h2.unwrap()]
}

/// Waits until the other side has closed; everything that it has said.
async fn closed(stream: &mut TcpStream) -> Vec<u8> {
    let mut said = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut said));
    let _ = read.await.expect("it is closed");
    said
}

#[tokio::test]
async fn a_head_that_is_written_byte_by_byte_is_given_up_and_so_is_silence() {
    let it = It::start(ConnectionLimits {
        head: SHORT,
        ..ample()
    })
    .await;
    let mut silent = it.connect().await;
    let mut slow = it.connect().await;
    slow.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nx-long: ")
        .await
        .unwrap();
    let begun = Instant::now();
    while slow.write_all(b"x").await.is_ok() {
        assert!(begun.elapsed() < SHORT * 10, "it goes on");
        tokio::time::sleep(SHORT / 20).await;
    }
    assert!(closed(&mut slow).await.is_empty());
    assert!(closed(&mut silent).await.is_empty());
    assert_eq!(it.closed("slow_head").await, 2);
    // An answer may take longer than a head, and the next request may come later.
    let [client, _] = clients();
    assert_eq!(
        it.get(&client, "/slow").await.text().await.unwrap(),
        "begun\nended\n"
    );
    tokio::time::sleep(SHORT * 2).await;
    assert_eq!(it.get(&client, "/").await.text().await.unwrap(), "hello");
    assert_eq!(it.closed("slow_head").await, 2);
    it.end().await;
}

/// Pieces of a body, each after a pause.
fn body(pieces: usize, pause: Duration) -> reqwest::Body {
    let pieces = stream::iter(0..pieces).then(move |n| async move {
        tokio::time::sleep(pause * u32::from(n > 0)).await;
        Ok::<_, Infallible>("piece ")
    });
    reqwest::Body::wrap_stream(pieces)
}

#[tokio::test]
async fn a_body_that_stops_or_takes_forever_is_given_up_and_a_slow_one_is_not() {
    for client in clients() {
        let limits = ConnectionLimits {
            body_pause: SHORT,
            body: SHORT * 3,
            ..ample()
        };
        let it = It::start(limits).await;
        let post = |body| client.post(format!("http://{}/echo", it.addr)).body(body).send();
        let answer = post(body(6, SHORT / 3)).await.unwrap().text().await.unwrap();
        assert_eq!(answer, "piece ".repeat(6));
        for (pieces, pause) in [(2, SHORT * 20), (1_000, SHORT / 3)] {
            let begun = Instant::now();
            let answer = post(body(pieces, pause)).await.unwrap().text().await.unwrap();
            assert_eq!(answer, "TimedOut");
            assert!(begun.elapsed() < SHORT * 10);
        }
        assert_eq!(it.closed("slow_body").await, 2);
        it.end().await;
    }
}

#[tokio::test]
async fn a_connection_without_a_request_is_closed_in_time_and_one_with_a_silent_answer_is_not() {
    for client in clients() {
        let it = It::start(ConnectionLimits {
            idle: SHORT,
            ..ample()
        })
        .await;
        assert_eq!(
            it.get(&client, "/slow").await.text().await.unwrap(),
            "begun\nended\n"
        );
        assert_eq!((it.life.open_connections(), it.closed("idle").await), (1, 0));
        eventually("it is closed", || it.life.open_connections() == 0).await;
        assert_eq!(it.closed("idle").await, 1);
        assert_eq!(it.get(&client, "/").await.text().await.unwrap(), "hello");
        it.end().await;
    }
}

#[tokio::test]
async fn who_idles_makes_room_and_where_all_are_busy_the_next_is_refused_in_words() {
    let it = It::start(ample().max(2)).await;
    let mut idle = it.connect().await;
    idle.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let mut answer = [0u8; 15];
    idle.read_exact(&mut answer).await.unwrap();
    let (one, other, [third, third_h2]) = (reqwest::Client::new(), reqwest::Client::new(), clients());
    let mut streams = vec![it.get(&one, "/endless").await, it.get(&other, "/endless").await];
    closed(&mut idle).await;
    assert_eq!(it.closed("made_room").await, 1);
    for client in [third.clone(), third_h2] {
        let refused = it.get(&client, "/").await;
        assert_eq!(refused.status(), 503);
        let again = refused.headers().get("connection").cloned();
        assert!(again.is_none_or(|value| value == "close"));
        assert_eq!(refused.text().await.unwrap(), "full");
    }
    assert_eq!(it.closed("no_room").await, 2);
    assert!(streams[0].chunk().await.unwrap().is_some(), "what runs goes on");
    drop((streams, one, other));
    eventually("the streams are gone", || it.open.count() == 0).await;
    assert_eq!(it.get(&third, "/").await.text().await.unwrap(), "hello");
    it.end().await;
}

#[tokio::test]
async fn a_client_that_stops_reading_loses_its_answer_and_others_on_its_connection_do_not() {
    for client in clients() {
        let it = It::start(ConnectionLimits {
            write: SHORT,
            ..ample()
        })
        .await;
        // Its windows and buffers fill up; then nothing moves.
        let mut unread = it.get(&client, "/endless").await;
        assert_eq!(it.open.count(), 1);
        eventually("the answer is dropped", || it.open.count() == 0).await;
        assert_eq!(it.closed("not_reading").await, 1);
        assert_eq!(
            it.get(&client, "/slow").await.text().await.unwrap(),
            "begun\nended\n"
        );
        // What was on its way arrives, and then the end that is none.
        while let Ok(chunk) = unread.chunk().await {
            assert!(chunk.is_some(), "the answer seems whole");
        }
        it.end().await;
    }
}

#[tokio::test]
async fn a_client_that_reads_slowly_keeps_its_answer() {
    for client in clients() {
        let it = It::start(ConnectionLimits {
            write: SHORT,
            ..ample()
        })
        .await;
        let mut slow = it.get(&client, "/endless").await;
        let begun = Instant::now();
        let mut read = 0;
        while begun.elapsed() < SHORT * 5 {
            read += slow.chunk().await.unwrap().unwrap().len();
            // A few megabytes a second.
            if read % (64 << 10) < 16 << 10 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        assert_eq!((it.open.count(), it.closed("not_reading").await), (1, 0));
        drop((slow, client));
        eventually("it is gone with its client", || it.open.count() == 0).await;
        it.end().await;
    }
}

/// HTTP/2 by hand (RFC 9113, section 4.1).
struct RawH2(TcpStream);

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;

impl RawH2 {
    async fn connect(it: &It) -> Self {
        let mut stream = it.connect().await;
        stream
            .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            .await
            .unwrap();
        let mut raw = Self(stream);
        raw.send(&frame(SETTINGS, 0, 0, &[])).await;
        raw
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    /// The next frame: type, stream, payload; `None` at the end.
    async fn next(&mut self) -> Option<(u8, u32, Vec<u8>)> {
        let mut head = [0u8; 9];
        let read = tokio::time::timeout(Duration::from_secs(10), self.0.read_exact(&mut head));
        read.await.expect("a frame, or the end").ok()?;
        let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        self.0.read_exact(&mut payload).await.ok()?;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        Some((head[3], stream, payload))
    }

    async fn until(&mut self, kind: u8) -> (u32, Vec<u8>) {
        loop {
            let (got, stream, payload) = self.next().await.expect("the connection is open");
            if got == kind {
                return (stream, payload);
            }
        }
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// A GET without a body, its head complete in one frame; `path` is a name in HPACK's static table, or literal text.
fn request(stream: u32, path: &str) -> Vec<u8> {
    let mut head = vec![0x82, 0x86, 0x04, u8::try_from(path.len()).unwrap()];
    head.extend(path.bytes());
    head.extend([0x41, 1, b'x']);
    frame(HEADERS, 0x5, stream, &head)
}

fn code(payload: &[u8]) -> u8 {
    payload[payload.len() - 1]
}

#[tokio::test]
async fn requests_that_are_cancelled_in_a_burst_end_their_connection() {
    let it = It::start(ample()).await;
    let mut raw = RawH2::connect(&it).await;
    let burst: Vec<u8> = (0..200u32)
        .map(|n| 2 * n + 1)
        .flat_map(|id| [request(id, "/endless"), frame(RST_STREAM, 0, id, &[0, 0, 0, 8])])
        .flatten()
        .collect();
    raw.send(&burst).await;
    let (_, goaway) = raw.until(GOAWAY).await;
    // ENHANCE_YOUR_CALM
    assert_eq!(goaway[7], 0xb, "{goaway:?}");
    eventually("nothing is left of them", || it.open.count() == 0).await;
    it.end().await;
}

#[tokio::test]
async fn more_requests_at_once_than_were_allowed_are_refused_one_by_one() {
    let it = It::start(ConnectionLimits {
        http2_streams: 2,
        ..ample()
    })
    .await;
    let mut raw = RawH2::connect(&it).await;
    let (_, settings) = raw.until(SETTINGS).await;
    assert!(
        settings.chunks(6).any(|one| one == [0, 3, 0, 0, 0, 2]),
        "it is said beforehand: {settings:?}"
    );
    for id in [1, 3, 5] {
        raw.send(&request(id, "/endless")).await;
    }
    // REFUSED_STREAM: the client may send it again elsewhere.
    let (stream, payload) = raw.until(RST_STREAM).await;
    assert_eq!((stream, code(&payload)), (5, 7));
    assert_eq!(it.open.count(), 2);
    it.end().await;
}

#[tokio::test]
async fn an_http_2_client_is_told_to_go_and_gets_its_answer() {
    let it = It::start_with(ample(), Duration::from_secs(30)).await;
    let mut raw = RawH2::connect(&it).await;
    raw.send(&request(1, "/slow")).await;
    raw.until(HEADERS).await;
    it.life.begin_shutdown();
    let (mut said, mut told) = (Vec::new(), 0);
    while let Some((kind, _, payload)) = raw.next().await {
        match kind {
            DATA => said.extend(payload),
            GOAWAY => {
                assert_eq!(payload[4..8], [0; 4], "no error: {payload:?}");
                told += 1;
            }
            // It is asked whether it has heard.
            PING => raw.send(&frame(PING, 1, 0, &payload)).await,
            _ => {}
        }
    }
    assert_eq!(said, b"begun\nended\n");
    assert!(told > 0, "it is told to go");
    it.server.await.unwrap();
}

#[tokio::test]
async fn a_list_of_headers_that_is_too_long_is_refused() {
    let it = It::start(ample()).await;
    let [_, h2] = clients();
    let request = |n: usize| {
        let mut request = h2.get(format!("http://{}/", it.addr));
        for i in 0..n {
            request = request.header(format!("x-{i}"), "x".repeat(4_000));
        }
        request.send()
    };
    assert_eq!(request(10).await.unwrap().status(), 200);
    let refused = request(20).await;
    assert!(
        refused.as_ref().map_or(true, |answer| answer.status() == 431),
        "{refused:?}"
    );
    assert_eq!(it.get(&h2, "/").await.status(), 200);
    it.end().await;
}

#[tokio::test]
async fn an_http_2_client_that_does_not_answer_pings_is_gone() {
    let it = It::start(ConnectionLimits {
        http2_ping: SHORT,
        ..ample()
    })
    .await;
    let mut raw = RawH2::connect(&it).await;
    raw.send(&request(1, "/slow")).await;
    raw.until(PING).await;
    // Nobody answers it.
    while raw.next().await.is_some() {}
    eventually("it is closed", || it.life.open_connections() == 0).await;
    it.end().await;
}
