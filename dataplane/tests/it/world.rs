//! A data plane with everything around it.

use crate::control::{ControlPlane, JOIN_TOKEN, KEY, usual};
use crate::fake::{Fake, FakeBedrock};
use bytes::Bytes;
use ccag_daemon::{Answers, ConnectionLimits, Lifecycle, OsRng, Server, SystemClock};
use ccag_dataplane::{ControlLink, DataPlane, DataPlaneConfig, World};
use ccag_domain::{Clock, ConfigObject, UnixMs};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::TcpListener;

/// A clock that can be put forward.
pub struct TestClock(AtomicI64);

impl TestClock {
    pub fn forward(&self, ms: i64) {
        self.0.fetch_add(ms, Ordering::Relaxed);
    }
}

impl Clock for TestClock {
    fn now_ms(&self) -> UnixMs {
        SystemClock.now_ms() + self.0.load(Ordering::Relaxed)
    }
}

/// A control plane that listens.
pub struct Control {
    pub plane: ControlPlane,
    pub addr: SocketAddr,
    life: Lifecycle,
}

impl Control {
    pub async fn start(plane: ControlPlane) -> Self {
        Self::start_at(plane, "127.0.0.1:0".parse().unwrap()).await
    }

    pub async fn start_at(plane: ControlPlane, at: SocketAddr) -> Self {
        let listener = ccag_daemon::bind(at).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let life = Lifecycle::new();
        let router = plane.routes().prepare().into_axum_router();
        serve(&life, listener, Server::new(router));
        Self { plane, addr, life }
    }

    pub async fn stop(self) -> ControlPlane {
        self.life.force_shutdown();
        self.life.drain(Duration::from_secs(5)).await;
        self.plane
    }
}

fn serve(life: &Lifecycle, listener: TcpListener, server: Server<impl Answers>) {
    let server_life = life.clone();
    let server = server.deadline(Duration::from_secs(5));
    life.spawn("test server", async move {
        server.run(&server_life, listener).await.unwrap();
    });
}

pub type Http = Client<HttpConnector, Full<Bytes>>;

/// A running data plane.
pub struct Rig {
    pub plane: DataPlane,
    pub life: Lifecycle,
    pub addr: SocketAddr,
    pub http: Http,
    pub bedrock: Fake,
    pub clock: Arc<TestClock>,
    pub dir: Arc<TempDir>,
}

pub struct Options {
    pub dir: Arc<TempDir>,
    pub change: Box<dyn FnOnce(&mut DataPlaneConfig) + Send>,
    /// What client connections may take.
    pub connections: ConnectionLimits,
    /// Asks AWS, or what the configuration names in its place, instead of the scripted Bedrock.
    pub real_client: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            dir: Arc::new(tempfile::tempdir().unwrap()),
            change: Box::new(|_| {}),
            connections: ConnectionLimits::default(),
            real_client: false,
        }
    }
}

pub fn config(dir: PathBuf, control: SocketAddr) -> DataPlaneConfig {
    let link = ControlLink::Url {
        urls: vec![format!("http://{control}")],
        join_token: Some(JOIN_TOKEN.to_owned().into()),
        certificates: None,
    };
    DataPlaneConfig::new(dir, link)
}

impl Rig {
    /// The metrics as Prometheus reads them.
    pub fn metrics(&self) -> String {
        let mut text = String::new();
        let registry = self.plane.registry();
        prometheus_client::encoding::text::encode(&mut text, &registry.lock().unwrap()).unwrap();
        text
    }

    pub async fn start(control: SocketAddr, options: Options) -> Self {
        let rig = Self::start_unready(control, options).await;
        rig.ready().await;
        rig
    }

    pub async fn start_unready(control: SocketAddr, options: Options) -> Self {
        let mut config = config(options.dir.path().to_owned(), control);
        (options.change)(&mut config);
        let life = Lifecycle::new();
        let bedrock = Arc::new(FakeBedrock::default());
        let clock = Arc::new(TestClock(AtomicI64::new(0)));
        let world = World {
            clock: Arc::clone(&clock) as _,
            rng: Arc::new(OsRng),
            upstream: (!options.real_client).then(|| Arc::clone(&bedrock) as _),
        };
        let plane = Box::pin(DataPlane::start_in(config, &life, world)).await.unwrap();
        let listener = ccag_daemon::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let server = Server::new(plane.front())
            .limits(options.connections)
            .refusal(plane.refusal());
        serve(&life, listener, server);
        let http = Client::builder(TokioExecutor::new()).build_http();
        Self {
            plane,
            life,
            addr,
            http,
            bedrock,
            clock,
            dir: options.dir,
        }
    }

    pub async fn ready(&self) {
        for _ in 0..500 {
            if self.life.is_ready() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("not ready: waiting for {:?}", self.life.waiting_for());
    }

    /// Waits until the control plane has acknowledged everything.
    pub async fn delivered(&self) {
        while self.plane.undelivered() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub fn request(&self, method: &str, path: &str, key: &str) -> http::request::Builder {
        http::Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.addr))
            .header("x-api-key", key)
            .header("anthropic-version", "2023-06-01")
    }

    /// Posts a body to `/v1/messages` and reads the whole answer.
    pub async fn post(&self, body: impl Into<Bytes>) -> Answer {
        self.post_with(KEY, body).await
    }

    pub async fn post_with(&self, key: &str, body: impl Into<Bytes>) -> Answer {
        let request = self.request("POST", "/v1/messages?beta=true", key);
        self.send(request.body(Full::new(body.into())).unwrap()).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request("GET", path, KEY).body(Full::default()).unwrap())
            .await
    }

    pub async fn send(&self, request: http::Request<Full<Bytes>>) -> Answer {
        let response = self.http.request(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            body,
        }
    }

    /// Posts and returns the open stream.
    pub async fn open(&self, body: String) -> Open {
        let request = self
            .request("POST", "/v1/messages", KEY)
            .body(Full::new(Bytes::from(body)))
            .unwrap();
        let response = self.http.request(request).await.unwrap();
        Open {
            status: response.status().as_u16(),
            body: response.into_body(),
            read: String::new(),
        }
    }

    /// Ends the data plane as the process does.
    pub async fn stop(self) {
        self.life.begin_shutdown();
        self.plane.finish().await;
        self.life.drain(Duration::from_secs(5)).await;
    }
}

pub struct Answer {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    /// `error.type`, after checking the envelope and its header.
    pub fn error_type(&self) -> String {
        let json = self.json();
        assert_eq!(json["type"], "error", "{json}");
        let id = json["request_id"].as_str().unwrap();
        assert!(id.starts_with("req_") && id.len() <= 40, "{id}");
        assert_eq!(self.headers["request-id"], id);
        assert!(!json["error"]["message"].as_str().unwrap().is_empty());
        json["error"]["type"].as_str().unwrap().to_owned()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|v| v.to_str().unwrap())
    }
}

/// A stream being read.
pub struct Open {
    pub status: u16,
    pub body: hyper::body::Incoming,
    pub read: String,
}

impl Open {
    /// Reads until `needle` has been seen.
    pub async fn until(&mut self, needle: &str) {
        while !self.read.contains(needle) {
            let frame = tokio::time::timeout(Duration::from_secs(20), self.body.frame())
                .await
                .unwrap_or_else(|_| panic!("waited for {needle:?}, got {:?}", self.read));
            let Some(frame) = frame else {
                panic!("ended before {needle:?}: {:?}", self.read)
            };
            if let Ok(data) = frame.unwrap().into_data() {
                self.read.push_str(std::str::from_utf8(&data).unwrap());
            }
        }
    }

    pub async fn rest(mut self) -> String {
        while let Some(frame) = self.body.frame().await {
            if let Ok(data) = frame.unwrap().into_data() {
                self.read.push_str(std::str::from_utf8(&data).unwrap());
            }
        }
        self.read
    }
}

pub fn ask(stream: bool) -> String {
    serde_json::json!({
        "model": "claude-haiku-4-5", "max_tokens": 64, "stream": stream,
        "messages": [{"role": "user", "content": "hi"}],
    })
    .to_string()
}

/// The usual world: one control plane with one key, one data plane.
pub async fn usual_world() -> (Control, Rig) {
    world_of(usual(), Options::default()).await
}

pub async fn world_of(objects: Vec<ConfigObject>, options: Options) -> (Control, Rig) {
    let control = Control::start(ControlPlane::new(objects)).await;
    let rig = Rig::start(control.addr, options).await;
    (control, rig)
}
