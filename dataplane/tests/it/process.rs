//! The process itself: `kill -9` under load, SIGTERM with an open stream, bad configuration.

use crate::control::{ControlPlane, KEY, usual};
use crate::world::{Control, Http, ask};
use bedrock_sim::{Action, Ending, Pace, Rule, Sim};
use bytes::Bytes;
use ccag_proto::v1;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::process::{Child, Command};

struct Process {
    child: Child,
    addr: SocketAddr,
    ops: SocketAddr,
}

fn free_address() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, ccag_free_port::reserve().unwrap()).into()
}

fn command(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ccag-dataplane"));
    command
        .env_clear()
        .env("CCAG_DATA_DIR", dir)
        .env("CCAG_DRAIN_NOTICE_S", "0")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    command
}

impl Process {
    async fn start(dir: &Path, control: SocketAddr, sim: &Sim) -> Self {
        let (addr, ops) = (free_address(), free_address());
        let log = std::fs::File::create(dir.join("log")).unwrap();
        let child = command(dir)
            .stderr(log)
            .env("RUST_LOG", "trace")
            .env("CCAG_HTTP_LISTEN", addr.to_string())
            .env("CCAG_OPS_LISTEN", ops.to_string())
            .env("CCAG_CONTROL_PLANE", format!("http://{control}"))
            .env("CCAG_JOIN_TOKEN", "join-me")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", "a-secret")
            .env("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", sim.base_url())
            .spawn()
            .unwrap();
        let process = Self { child, addr, ops };
        for _ in 0..1_000 {
            if process
                .get("/readyz")
                .await
                .is_some_and(|(status, _)| status == 200)
            {
                return process;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the process does not become ready");
    }

    async fn get(&self, path: &str) -> Option<(u16, String)> {
        let client: Http = Client::builder(TokioExecutor::new()).build_http();
        let answer = client
            .get(format!("http://{}{path}", self.ops).parse().unwrap())
            .await
            .ok()?;
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.ok()?.to_bytes();
        Some((status, String::from_utf8(body.to_vec()).unwrap()))
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().unwrap().to_string();
        let sent = std::process::Command::new("kill")
            .args(["-s", name, &pid])
            .status()
            .unwrap();
        assert!(sent.success());
    }
}

async fn post(http: &Http, addr: SocketAddr, stream: bool) -> Option<(u16, String)> {
    let request = http::Request::post(format!("http://{addr}/v1/messages"))
        .header("authorization", format!("Bearer {KEY}"))
        .body(Full::new(Bytes::from(ask(stream))))
        .unwrap();
    let answer = http.request(request).await.ok()?;
    let status = answer.status().as_u16();
    let id = answer
        .headers()
        .get("x-amzn-requestid")
        .map(|v| v.to_str().unwrap().to_owned())
        .unwrap_or_default();
    let body = answer.into_body().collect().await.ok()?.to_bytes();
    let text = std::str::from_utf8(&body).unwrap();
    let is_whole = if stream {
        text.contains("event: message_stop")
    } else {
        text.contains("\"stop_reason\"")
    };
    is_whole.then_some((status, id))
}

async fn signed_sim() -> Sim {
    Sim::builder()
        .credential("AKIDEXAMPLE", "a-secret")
        .start()
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_kill_9_under_load_the_ledger_has_every_completed_answer_once() {
    let sim = signed_sim().await;
    sim.script(Rule::always(Action::Pace(Pace {
        text: Some(200),
        events: Some(10),
        gap_ms: 3,
        ..Pace::default()
    })));
    let control = Control::start(ControlPlane::new(usual())).await;
    let dir = tempfile::tempdir().unwrap();
    let mut process = Process::start(dir.path(), control.addr, &sim).await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut clients = tokio::task::JoinSet::new();
    for n in 0..24 {
        let (stop, addr) = (Arc::clone(&stop), process.addr);
        clients.spawn(async move {
            let http: Http = Client::builder(TokioExecutor::new()).build_http();
            let mut completed = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                if let Some((200, id)) = post(&http, addr, n % 2 == 0).await {
                    completed.push(id);
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            completed
        });
    }
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    process.child.kill().await.unwrap();
    stop.store(true, Ordering::Relaxed);
    let completed: Vec<String> = clients.join_all().await.into_iter().flatten().collect();
    assert!(completed.len() > 30, "{}", completed.len());

    let process = Process::start(dir.path(), control.addr, &sim).await;
    let mut stored = control.plane.shared.stored.subscribe();
    let has_all = |records: &HashMap<String, v1::UsageRecord>| {
        completed
            .iter()
            .all(|id| records.values().any(|r| r.aws_request_id.as_deref() == Some(id)))
    };
    let ledger = tokio::time::timeout(Duration::from_secs(10), stored.wait_for(has_all)).await;
    let ledger = ledger
        .expect("every completed answer is in the ledger")
        .unwrap()
        .clone();
    let account: HashMap<String, bedrock_sim::Entry> = sim
        .account()
        .into_iter()
        .map(|e| (e.request_id.clone(), e))
        .collect();
    let mut counted: HashMap<&str, u32> = HashMap::new();
    for record in ledger.values() {
        *counted
            .entry(record.aws_request_id.as_deref().unwrap_or_default())
            .or_default() += 1;
    }
    for id in &completed {
        assert_eq!(counted[id.as_str()], 1);
        let record = ledger
            .values()
            .find(|r| r.aws_request_id.as_deref() == Some(id))
            .unwrap();
        let (tokens, usage) = (record.tokens.unwrap(), account[id].usage);
        assert_eq!((tokens.input, tokens.output), (usage.input, usage.output));
        assert_eq!(account[id].ending, Ending::Completed);
    }
    drop(process);
}

#[tokio::test]
async fn sigterm_lets_the_open_stream_finish_and_exits_with_0() {
    let sim = signed_sim().await;
    sim.script(Rule::always(Action::Pace(Pace {
        text: Some(200),
        events: Some(20),
        gap_ms: 40,
        ..Pace::default()
    })));
    let control = Control::start(ControlPlane::new(usual())).await;
    let dir = tempfile::tempdir().unwrap();
    let mut process = Process::start(dir.path(), control.addr, &sim).await;
    let (_, metrics) = process.get("/metrics").await.unwrap();
    assert!(
        metrics.contains("ccag_dataplane_applied_revision 100"),
        "{metrics}"
    );
    let (_, dump) = process.get("/config_dump").await.unwrap();
    assert!(dump.contains("(set)") && !dump.contains("join-me"));
    let addr = process.addr;
    let http: Http = Client::builder(TokioExecutor::new()).build_http();
    let stream = tokio::spawn(async move { post(&http, addr, true).await });
    while sim.account().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    process.signal("TERM");
    let (status, _) = stream.await.unwrap().expect("the stream is finished");
    assert_eq!(status, 200);
    let exit = tokio::time::timeout(Duration::from_secs(20), process.child.wait())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(exit.code(), Some(0));
    assert_eq!(
        control.plane.shared.stored.borrow().len(),
        1,
        "delivered before the end"
    );
}

#[tokio::test]
async fn no_secret_and_no_word_of_a_conversation_is_logged_at_any_level() {
    let sim = signed_sim().await;
    let control = Control::start(ControlPlane::new(usual())).await;
    let dir = tempfile::tempdir().unwrap();
    let process = Process::start(dir.path(), control.addr, &sim).await;
    let http: Http = Client::builder(TokioExecutor::new()).build_http();
    let quoting = |status, error_type: &str| Action::Error {
        status,
        error_type: error_type.into(),
        message: "messages.0: canary-prompt is not allowed".into(),
    };
    let send = async |key: &str, body: String| {
        let request =
            http::Request::post(format!("http://{}/v1/messages", process.addr)).header("x-api-key", key);
        let answer = http
            .request(request.body(Full::new(Bytes::from(body))).unwrap())
            .await
            .unwrap();
        let status = answer.status().as_u16();
        answer.into_body().collect().await.unwrap();
        status
    };
    let prompt = |stream| ask(stream).replace("\"hi\"", "\"canary-prompt\"");
    assert_eq!(send(KEY, prompt(true)).await, 200);
    assert_eq!(send(KEY, prompt(false)).await, 200);
    assert_eq!(send("sk-ccag-canary-key", prompt(true)).await, 401);
    assert_eq!(
        send(KEY, prompt(true).replace("\"user\"", "canary-prompt")).await,
        400
    );
    sim.script(Rule::once(quoting(400, "ValidationException")));
    assert_eq!(send(KEY, prompt(true)).await, 400);
    let log = std::fs::read_to_string(dir.path().join("log")).unwrap();
    assert!(log.contains("request ended") && log.contains("DEBUG"), "{log}");
    for secret in ["canary", KEY, "join-me", "a-secret"] {
        let line = log.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret}");
    }
}

#[tokio::test]
async fn a_bad_configuration_is_refused_before_a_port_opens() {
    let dir = tempfile::tempdir().unwrap();
    for (name, value, word) in [
        ("CCAG_CONTROL_PLANE", "http://10.1.2.3:8082", "https://"),
        ("CCAG_HTTP_LISTEN", "nonsense", "CCAG_HTTP_LISTEN"),
    ] {
        let output = command(dir.path())
            .env("CCAG_CONTROL_PLANE", "http://127.0.0.1:1")
            .env(name, value)
            .arg("--check-config")
            .stdout(Stdio::piped())
            .output()
            .await
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(7), "{text}");
        assert!(
            text.contains("FAULT    configuration") && text.contains(word),
            "{text}"
        );
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}
