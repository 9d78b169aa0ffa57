//! Databases, planes, callers.

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Method, Request, StatusCode};
use ccag_admin_api::Secret;
use ccag_controlplane::app::App;
use ccag_controlplane::store::Store;
use ccag_controlplane::{ControlPlane, ControlPlaneConfig, World};
use ccag_daemon::{Lifecycle, OsRng};
use ccag_domain::rng::SequenceRng;
use ccag_domain::time::FixedClock;
use ccag_domain::{Actor, Clock, KeyId, Outcome, Rng, UnixMs, UsageId, UsageRecord};
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use sea_orm::{ConnectionTrait, Database, DatabaseConnection};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use tonic::transport::{Channel, Endpoint, Server};
use tower::ServiceExt;

pub(crate) const PASSWORD: &str = "correct horse battery";

/// 2026-11-24T12:00:00Z.
pub(crate) const NOON: UnixMs = 1_795_521_600_000;

/// A database of its own, gone with the test.
pub(crate) struct TestDb {
    pub(crate) url: String,
    _dir: Option<tempfile::TempDir>,
    dropped: Option<(String, String)>,
}

impl TestDb {
    pub(crate) async fn sqlite() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self {
            url: format!("sqlite://{}/ccag.db", dir.path().display()),
            _dir: Some(dir),
            dropped: None,
        }
    }

    pub(crate) async fn postgres() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let admin = std::env::var("CCAG_TEST_POSTGRES_URL")
            .expect("CCAG_TEST_POSTGRES_URL is not set: run through `cargo xtask test`");
        let nanos = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos();
        let name = format!(
            "t{}_{}_{nanos}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let db = Database::connect(&admin).await.unwrap();
        db.execute_unprepared(&format!("CREATE DATABASE {name}"))
            .await
            .unwrap();
        db.close().await.unwrap();
        let mut url = url::Url::parse(&admin).unwrap();
        url.set_path(&name);
        Self {
            url: url.into(),
            _dir: None,
            dropped: Some((admin, name)),
        }
    }

    pub(crate) fn is_postgres(&self) -> bool {
        self.dropped.is_some()
    }

    /// The database as a control plane opens it.
    pub(crate) async fn store(&self) -> Store {
        let config = config(self);
        let clock = Arc::new(FixedClock(NOON));
        let keys = config
            .master_keys
            .open(&config.aws, &config.aws_client, clock)
            .await
            .unwrap();
        Store::connect(&config.database, &keys).await.unwrap()
    }

    /// A connection of the test's own.
    pub(crate) async fn connect(&self) -> DatabaseConnection {
        Database::connect(&self.url).await.unwrap()
    }

    /// Keeps everybody out of the database, and throws out who is in, or lets them in again.
    pub(crate) async fn set_available(&self, available: bool) {
        let (admin, name) = self.dropped.as_ref().unwrap();
        let db = Database::connect(admin).await.unwrap();
        db.execute_unprepared(&format!(
            "ALTER DATABASE {name} WITH ALLOW_CONNECTIONS {available}"
        ))
        .await
        .unwrap();
        if !available {
            db.execute_unprepared(&format!(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
            ))
            .await
            .unwrap();
        }
        db.close().await.unwrap();
    }

    pub(crate) async fn count(&self, sql: &str) -> i64 {
        let db = self.connect().await;
        let statement = sea_orm::Statement::from_string(db.get_database_backend(), sql.to_owned());
        let row = db.query_one_raw(statement).await.unwrap().unwrap();
        let count = row.try_get_by_index(0).unwrap();
        db.close().await.unwrap();
        count
    }
}

impl Drop for TestDb {
    fn drop(&mut self) {
        let Some((admin, name)) = self.dropped.take() else {
            return;
        };
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let db = Database::connect(&admin).await.unwrap();
                let _ = db
                    .execute_unprepared(&format!("DROP DATABASE {name} WITH (FORCE)"))
                    .await;
                let _ = db.close().await;
            });
        });
        let _ = dropping.join();
    }
}

/// A clock that the test moves.
pub(crate) struct TestClock(pub(crate) AtomicI64);

impl Clock for TestClock {
    fn now_ms(&self) -> UnixMs {
        self.0.load(Ordering::Relaxed)
    }
}

/// A running control plane.
pub(crate) struct Plane {
    pub(crate) plane: ControlPlane,
    pub(crate) life: Lifecycle,
    pub(crate) clock: Arc<TestClock>,
}

pub(crate) fn config(db: &TestDb) -> ControlPlaneConfig {
    let mut config = ControlPlaneConfig::new(&db.url, "ab".repeat(32).into());
    config.bootstrap.admin_password = Some(Secret::new(PASSWORD));
    config.database.acquire_timeout = std::time::Duration::from_secs(2);
    config
}

impl Plane {
    pub(crate) async fn start(db: &TestDb) -> Self {
        Self::start_with(config(db)).await
    }

    pub(crate) async fn start_with(config: ControlPlaneConfig) -> Self {
        let life = Lifecycle::new();
        let clock = Arc::new(TestClock(AtomicI64::new(NOON)));
        let world = World {
            clock: clock.clone(),
            rng: Arc::new(OsRng),
        };
        let plane = Box::pin(ControlPlane::start_in(config, &life, world))
            .await
            .unwrap();
        Self { plane, life, clock }
    }

    pub(crate) fn app(&self) -> &App {
        self.plane.app()
    }

    pub(crate) async fn stop(self) {
        self.life.drain(std::time::Duration::from_secs(5)).await;
        self.plane.finish().await;
    }

    pub(crate) fn caller(&self) -> Caller {
        Caller {
            router: self.plane.router(),
            token: None,
            headers: Vec::new(),
            address: "192.0.2.1:1000".parse().unwrap(),
        }
    }

    /// The first admin, signed in.
    pub(crate) async fn admin(&self) -> Caller {
        self.caller().login("admin", PASSWORD).await
    }

    /// A data plane's channel, through memory.
    pub(crate) async fn channel(&self) -> Channel {
        let (client, server) = tokio::io::duplex(1 << 20);
        let routes = self.plane.grpc();
        tokio::spawn(async move {
            let incoming = tokio_stream::once(Ok::<_, std::io::Error>(server));
            let _ = Server::builder()
                .add_routes(routes)
                .serve_with_incoming(incoming)
                .await;
            // The connection lives as long as the client wants it.
            std::future::pending::<()>().await;
        });
        let mut client = Some(client);
        Endpoint::from_static("http://memory")
            .connect_with_connector(tower::service_fn(move |_| {
                let client = client.take();
                async move {
                    client
                        .map(TokioIo::new)
                        .ok_or_else(|| std::io::Error::other("one connection only"))
                }
            }))
            .await
            .unwrap()
    }
}

/// Somebody who sends requests.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) router: axum::Router,
    pub(crate) token: Option<String>,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) address: SocketAddr,
}

/// An answer, read.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: axum::http::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {}", self.text))
    }

    pub(crate) fn id(&self) -> String {
        self.json()["id"].as_str().unwrap().to_owned()
    }
}

impl Caller {
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub(crate) async fn send(&self, method: &str, path: &str, body: &str) -> Answer {
        let mut request = Request::builder()
            .method(Method::from_bytes(method.as_bytes()).unwrap())
            .uri(path);
        let has_kind = self.headers.iter().any(|(name, _)| *name == "content-type");
        if !body.is_empty() && !has_kind {
            request = request.header("content-type", "application/json");
        }
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let mut request = request.body(Body::from(body.to_owned())).unwrap();
        request.extensions_mut().insert(ConnectInfo(self.address));
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, "").await
    }

    pub(crate) async fn post(&self, path: &str, body: serde_json::Value) -> Answer {
        self.send("POST", path, &body.to_string()).await
    }

    pub(crate) async fn login(mut self, username: &str, password: &str) -> Self {
        let body = serde_json::json!({"username": username, "password": password});
        let answer = self.post("/auth/login", body).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        self.token = Some(answer.json()["token"].as_str().unwrap().to_owned());
        self
    }

    /// A new member, signed in, and their id.
    pub(crate) async fn new_member(&self, username: &str) -> (Self, String) {
        let body = serde_json::json!({"username": username, "password": PASSWORD});
        let user = self.post("/admin/users", body).await;
        assert_eq!(user.status, 201, "{}", user.text);
        let fresh = Self {
            token: None,
            ..self.clone()
        };
        (fresh.login(username, PASSWORD).await, user.id())
    }
}

/// A record as data planes make them.
pub(crate) fn record(seed: u64) -> UsageRecord {
    let (clock, rng) = (
        ccag_domain::time::FixedClock(NOON),
        SequenceRng::new(seed * 1_000),
    );
    let (clock, rng): (&dyn Clock, &dyn Rng) = (&clock, &rng);
    UsageRecord {
        id: UsageId::generate(clock, rng),
        request_id: ccag_domain::RequestId::generate(clock, rng),
        aws_request_id: Some("7d6b3a".into()),
        key_id: KeyId::parse("key_test").unwrap(),
        user_id: None,
        team_id: None,
        model: ccag_domain::ModelName::canonical("claude-opus-5-5"),
        bedrock_model: "us.anthropic.claude-opus-5-5".into(),
        geography: ccag_domain::Geography::Us,
        endpoint_id: ccag_domain::EndpointId::parse("end_test").unwrap(),
        streaming: true,
        outcome: Outcome::Completed,
        error: None,
        status: 200,
        tokens: ccag_domain::Tokens {
            input: 10,
            output: 20,
            cache_read: 30,
            cache_write_5m: 40,
            cache_write_1h: 50,
        },
        estimated: false,
        attempts: 1,
        started_at_ms: NOON - 1_000,
        first_token_ms: Some(300),
        duration_ms: 1_200,
        session_id: Some("session".into()),
        agent_id: None,
        web_searches: 0,
        replica_id: ccag_domain::ReplicaId::parse("rep_test").unwrap(),
        surface: ccag_domain::Lane::InvokeModel,
        draws: Vec::new(),
        run: 1,
        explanation: None,
        tools: ccag_domain::ToolCounts::default(),
        prompt: None,
    }
}

pub(crate) const SYSTEM: Actor = Actor::System;

/// Runs each test on both databases.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name($crate::support::TestDb::sqlite().await).await })+
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name($crate::support::TestDb::postgres().await).await })+
        }
    };
}
pub(crate) use on_both;
