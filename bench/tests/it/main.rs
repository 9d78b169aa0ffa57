//! What the benchmark measures against does what it says: a proxy that signs nothing, or leaves something out, would be no
//! measure.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

use bedrock_sim::Sim;
use ccag_bench::client::{Client, Shape, Target};
use ccag_bench::null_proxy::Proxy;
use ccag_bench::upstream::Upstream;
use http::{HeaderValue, header};
use std::net::SocketAddr;
use tokio::net::TcpListener;

const MODEL: &str = "us.anthropic.claude-sonnet-4-6";

const STREAM: Shape = Shape {
    name: "stream",
    prompt: 60_000,
    text: 400,
    events: 20,
    gap_ms: 1,
};

const WHOLE: Shape = Shape {
    events: 0,
    gap_ms: 0,
    ..STREAM
};

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// The thinnest proxy to a Bedrock.
async fn proxy(bedrock: &str, secret: &str) -> Target {
    let (listener, address) = listener().await;
    let proxy = Proxy::new(bedrock, "us-east-1", "AKIDBENCH", secret).unwrap();
    tokio::spawn(proxy.serve(listener));
    Target {
        name: "null proxy",
        address,
        path: "/v1/messages".to_owned(),
        model: MODEL,
        headers: Vec::new(),
        is_bedrock: false,
    }
}

async fn upstream() -> SocketAddr {
    let (listener, address) = listener().await;
    tokio::spawn(Upstream::default().serve(listener));
    address
}

#[tokio::test]
async fn the_thinnest_proxy_passes_on_everything() {
    let target = proxy(&format!("http://{}", upstream().await), "secret").await;
    for shape in [STREAM, WHOLE, Shape { gap_ms: 0, ..STREAM }] {
        let mut client = Client::connect(&target, shape).await.unwrap();
        client.ask().await.unwrap();
        client.ask().await.unwrap();
    }
}

#[tokio::test]
async fn the_thinnest_proxy_signs_what_bedrock_accepts() {
    let sim = Sim::builder()
        .credential("AKIDBENCH", "secret")
        .start()
        .await
        .unwrap();
    let ask = async |secret: &str| {
        let target = proxy(&sim.base_url(), secret).await;
        let mut client = Client::connect(&target, STREAM).await.unwrap();
        let refused = client.ask().await.map(|_| ()).map_err(|error| error.to_string());
        let received = sim.requests();
        (refused, received.last().unwrap().status)
    };
    // The simulator says something else, which the client notices; that it says it is what counts.
    let (said, status) = ask("secret").await;
    assert_eq!(status, 200);
    assert!(said.unwrap_err().contains("another text came"));
    let (said, status) = ask("another").await;
    assert_eq!(status, 403);
    assert!(said.unwrap_err().contains("signature"));
}

#[tokio::test]
async fn the_stand_in_wants_a_signature() {
    let address = upstream().await;
    let mut target = Target {
        name: "bedrock",
        address,
        path: format!("/model/{MODEL}/invoke"),
        model: MODEL,
        headers: Vec::new(),
        is_bedrock: true,
    };
    let ask = async |target: &Target| Client::connect(target, WHOLE).await.unwrap().ask().await;
    assert!(ask(&target).await.unwrap_err().to_string().contains("not signed"));
    target
        .headers
        .push((header::AUTHORIZATION, HeaderValue::from_static("something")));
    ask(&target).await.unwrap();
}

#[tokio::test]
async fn a_client_notices_what_is_missing() {
    let target = proxy(&format!("http://{}", upstream().await), "secret").await;
    // The stand-in is asked for less than the client expects.
    let mut client = Client::connect(&target, STREAM).await.unwrap();
    client.expect("something else");
    let said = client.ask().await.unwrap_err().to_string();
    assert!(said.contains("another text came"), "{said}");
}
