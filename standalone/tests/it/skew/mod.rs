//! Planes of different versions, between which a proxy stands that rewrites every message.

mod wire;

use crate::harness::{ControlPlane, DataPlane, MODEL, Sim, database, wait_until};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use ccag_daemon::Lifecycle;
use http_body::Frame;
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use wire::{Other, Shape, unheard_of, written_by};

/// Makes each plane take the other for one of another version.
struct Skew {
    url: String,
    shared: Arc<Shared>,
    life: Lifecycle,
}

struct Shared {
    other: Other,
    target: String,
    client: Client<HttpConnector, Body>,
    /// How many streams of each kind were opened.
    streams: Mutex<BTreeMap<String, usize>>,
}

impl Skew {
    async fn start(target: &str, other: Other) -> Self {
        let client = Client::builder(TokioExecutor::new())
            .http2_only(true)
            .build_http();
        let shared = Arc::new(Shared {
            other,
            target: target.to_owned(),
            client,
            streams: Mutex::default(),
        });
        let listener = ccag_daemon::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = axum::Router::new().fallback(pass).with_state(Arc::clone(&shared));
        let life = Lifecycle::new();
        let serving = life.clone();
        tokio::spawn(async move { ccag_daemon::serve(&serving, listener, router, Duration::ZERO).await });
        Self { url, shared, life }
    }

    fn streams(&self) -> BTreeMap<String, usize> {
        self.shared.streams.lock().unwrap().clone()
    }
}

impl Drop for Skew {
    fn drop(&mut self) {
        self.life.force_shutdown();
    }
}

async fn pass(State(shared): State<Arc<Shared>>, mut request: Request) -> Response {
    let path = request.uri().path().to_owned();
    *shared.streams.lock().unwrap().entry(path.clone()).or_default() += 1;
    let (up, down) = wire::of(&path);
    // Only of a watch may either side say something unasked.
    let more = shared.other == Other::Newer && path.ends_with("/Watch");
    *request.uri_mut() = format!("{}{path}", shared.target).parse().unwrap();
    let request = request.map(|body| rewritten(body, shared.other, up, more));
    match shared.client.request(request).await {
        Ok(response) => response.map(|body| rewritten(Body::new(body), shared.other, down, more)),
        // As a control plane that is not there.
        Err(_) => Response::builder().status(503).body(Body::empty()).unwrap(),
    }
}

/// The body with every message in it as the other version would write it, followed by one that no version knows if
/// `more`; trailers pass.
fn rewritten(body: Body, other: Other, shape: &'static Shape, more: bool) -> Body {
    let mut waiting = BytesMut::new();
    Body::new(body.map_frame(move |frame| match frame.into_data() {
        Ok(data) => {
            waiting.extend_from_slice(&data);
            let mut out = BytesMut::new();
            // A byte for compression, four for the length.
            while waiting.len() >= 5 {
                let length = usize::try_from((&waiting[1..5]).get_u32()).unwrap();
                if waiting.len() < 5 + length {
                    break;
                }
                assert_eq!(waiting[0], 0, "a compressed message");
                let message = waiting.split_to(5 + length);
                put(&written_by(other, &message[5..], shape), &mut out);
                if more {
                    put(&unheard_of(), &mut out);
                }
            }
            Frame::data(out.freeze())
        }
        Err(trailers) => trailers.map_data(|_: Bytes| Bytes::new()),
    }))
}

fn put(message: &[u8], out: &mut BytesMut) {
    out.put_u8(0);
    out.put_u32(u32::try_from(message.len()).unwrap());
    out.put_slice(message);
}

/// Everything that the planes tell each other, with one of them of another version than the other.
async fn work_together(other: Other) {
    let sim = Sim::start().await;
    let control = ControlPlane::start("control", &database()).await;
    let skew = Skew::start(&control.grpc, other).await;
    let plane = DataPlane::start_at("data", &skew.url, &sim).await;
    let admin = control.admin().await;
    let (id, secret) = admin.create_key("skewed").await;
    let budget = json!({"scope": "key", "key_id": id, "amount_usd": "1", "period": "total", "mode": "hard"});
    admin.post("/admin/budgets", &budget).await;
    let limit = json!({"scope": "key", "key_id": id, "kind": "requests_per_minute", "amount": 100});
    admin.post("/admin/limits", &limit).await;
    admin.fleet_of(1).await;

    // Configuration, shares of a budget and a limit, and records go their ways.
    let client = plane.client(&secret);
    let mut ids = Vec::new();
    for n in 0..5 {
        let reply = client.stream(MODEL, &format!("request {n}")).await;
        assert!(reply.is_complete(), "{other:?}: {reply:?}");
        ids.push(reply.request_id);
    }
    let ledger = admin.ledger_with(&ids).await;
    let account = sim.settled().await;
    assert_eq!(ledger.len(), account.len());
    for answer in &account {
        let row = ledger
            .iter()
            .find(|row| row["aws_request_id"] == answer.request_id.as_str());
        answer.assert_billed_by(row.unwrap());
    }
    admin.revoke_key(&id).await;
    wait_until("the key is refused", Duration::from_secs(5), || async {
        (client.stream(MODEL, "revoked").await.status == 401).then_some(())
    })
    .await;
    admin.fleet_of(1).await;

    assert_eq!(plane.metric("rejected_objects_total").await, 0, "{other:?}");
    // Signs of life have gone to and fro meanwhile, and nobody has hung up on the other.
    tokio::time::sleep(Duration::from_secs(4)).await;
    let streams = skew.streams();
    assert_eq!(streams.len(), 3, "{streams:?}");
    assert!(
        streams.values().all(|opened| *opened == 1),
        "{other:?}: {streams:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn each_plane_ignores_what_only_a_newer_one_would_say() {
    work_together(Other::Newer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_plane_does_without_what_an_older_one_does_not_say() {
    work_together(Other::Older).await;
}
