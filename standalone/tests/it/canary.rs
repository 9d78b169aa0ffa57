//! Words that must not come out anywhere are put in everywhere, and everything that comes out is searched for them.

use crate::harness::{
    Client, Collector, ControlPlane, DataPlane, MODEL, Person, Sim, Standalone, free_port, wait_until,
};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

const PROMPT: &str = "kanarienvogelprompt";
const SYSTEM: &str = "kanarienvogelsystem";
const ARGUMENT: &str = "kanarienvogelargument";
const RESULT: &str = "kanarienvogelresult";
const DESCRIPTION: &str = "kanarienvogeldescription";
const CREDENTIAL: &str = "kanarienvogelcredential";
const PASSWORD: &str = "kanarienvogelpassword";
const UNKNOWN_KEY: &str = "sk-ccag-kanarienvogelkey";
const COLLECTOR_KEY: &str = "kanarienvogelcollector";
const MALFORMED: &str = "kanarienvogelmalformed";

/// A request that holds a word in every place where a conversation can.
fn request(stream: bool) -> Value {
    json!({
        "model": MODEL,
        "max_tokens": 200,
        "stream": stream,
        "system": [{"type": "text", "text": format!("You are {SYSTEM}.")}],
        "tools": [{
            "name": "Bash",
            "description": format!("Runs {DESCRIPTION}"),
            "input_schema": {"type": "object", "properties": {"command": {"type": "string"}}}
        }],
        "messages": [
            {"role": "user", "content": format!("Run {PROMPT}")},
            {"role": "assistant", "content": [
                {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {"command": format!("cat {ARGUMENT}")}}
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": format!("it says {RESULT}")}
            ]}
        ]
    })
}

/// Everything that comes out, by where.
#[derive(Default)]
struct Outputs(Vec<(String, Vec<u8>)>);

impl Outputs {
    fn take(&mut self, place: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        self.0.push((place.into(), bytes.into()));
    }

    /// Every file below a folder.
    fn folder(&mut self, folder: &Path) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                self.folder(&path);
            } else {
                self.take(path.display().to_string(), std::fs::read(&path).unwrap());
            }
        }
    }

    /// Where a secret is found.
    fn with(&self, secret: &str) -> Vec<&str> {
        let holds = |bytes: &[u8]| {
            bytes
                .windows(secret.len())
                .any(|window| window.eq_ignore_ascii_case(secret.as_bytes()))
        };
        self.0
            .iter()
            .filter(|(_, bytes)| holds(bytes))
            .map(|(place, _)| place.as_str())
            .collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_word_of_a_conversation_and_no_secret_comes_out_anywhere() {
    let folder = tempfile::tempdir().unwrap();
    let (sim, collector) = (Sim::start().await, Collector::start().await);
    let mut environment = collector.environment("grpc");
    environment.extend([
        ("OTEL_EXPORTER_OTLP_HEADERS", format!("api-key={COLLECTOR_KEY}")),
        ("CCAG_OTLP_CALLERS", "true".to_owned()),
        ("ADMIN_PASSWORD", format!("{PASSWORD}-for-the-admin")),
        ("RUST_LOG", "trace".to_owned()),
    ]);
    let database = format!("sqlite://{}", folder.path().join("ccag.db").display());
    let control = ControlPlane::start_with("control", &database, &environment).await;
    environment.push(("CCAG_METRICS_ALIASES", "true".to_owned()));
    let data = DataPlane::start_with("data", &[&control], &sim, &environment).await;
    let admin = control.admin_with(&format!("{PASSWORD}-for-the-admin")).await;
    let (_, key) = admin.create_key("canary").await;
    // A second endpoint, whose credentials the database holds.
    let endpoint = json!({
        "name": "second",
        "region": "us-east-1",
        "credentials": {
            "kind": "keys",
            "access_key_id": "AKIAIOSFODNN7EXAMPLE",
            "secret_access_key": format!("{CREDENTIAL}-of-an-endpoint"),
        },
    });
    admin.post("/admin/endpoints", &endpoint).await;
    let mut out = Outputs::default();

    let client = data.client(&key);
    wait_until("the key works", Duration::from_secs(20), || async {
        (client.send(&request(false)).await.status == 200).then_some(())
    })
    .await;
    let streamed = client.send(&request(true)).await;
    assert_eq!(streamed.status, 200);
    // Refused by us at every stage: what we say quotes nothing.
    let mut unknown_model = request(false);
    unknown_model["model"] = "no-such-model".into();
    let mut refused: Vec<(u16, Client, String)> = vec![
        (401, data.client(UNKNOWN_KEY), request(false).to_string()),
        (404, data.client(&key), unknown_model.to_string()),
        (400, data.client(&key), format!("{{\"model\": {MALFORMED}")),
    ];
    let mut wrong_type = request(false);
    wrong_type["messages"] = json!(MALFORMED);
    refused.push((400, data.client(&key), wrong_type.to_string()));
    for (status, client, body) in refused {
        let reply = client.raw(body).await;
        assert_eq!(reply.status, status, "{}", reply.body);
        out.take(format!("body of a {status}"), reply.body.to_string());
    }
    // Bedrock's own words, which quote the request: the client is told, and nobody else.
    sim.once(bedrock_sim::Action::Error {
        status: 400,
        error_type: "ValidationException".into(),
        message: format!("messages.0: {PROMPT} is not allowed"),
    });
    assert_eq!(client.send(&request(false)).await.status, 400);
    sim.once(bedrock_sim::Action::Error {
        status: 500,
        error_type: "InternalServerException".into(),
        message: "it failed".into(),
    });
    let _ = client.send(&request(true)).await;
    // A sign-in that fails, with a password that somebody might use elsewhere.
    let wrong = json!({"username": "admin", "password": format!("{PASSWORD}-wrong")});
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let denied = http
        .post(format!("{}/auth/login", control.http))
        .json(&wrong)
        .send()
        .await
        .unwrap();
    assert_eq!(denied.status(), 401);
    out.take("body of a failed sign-in", denied.text().await.unwrap());

    // What people and programs are shown.
    admin
        .ledger_with(std::slice::from_ref(&streamed.request_id))
        .await;
    let explained = format!("/admin/requests/{}/explanation", streamed.request_id);
    wait_until("the request is explained", Duration::from_secs(20), || async {
        admin.find(&explained).await
    })
    .await;
    for path in [
        explained.as_str(),
        "/admin/audit",
        "/admin/usage/summary",
        "/admin/keys",
        "/admin/endpoints",
    ] {
        out.take(path, admin.get(path).await.to_string());
    }
    out.take(
        "/admin/usage/export",
        Value::from(admin.ledger().await).to_string(),
    );
    let mut person = Person::new();
    let page = person.open(&format!("{}/console", control.http)).await;
    let whole = format!("{PASSWORD}-for-the-admin");
    person
        .submit(&page, &[("username", "admin"), ("password", &whole)])
        .await;
    for path in [
        format!("/console/requests/{}", streamed.request_id),
        "/console/audit".into(),
        "/console/requests".into(),
    ] {
        let page = person.open(&format!("{}{path}", control.http)).await;
        assert_eq!(page.status, 200, "{path}");
        out.take(path, page.text);
    }

    // What operators see.
    wait_until("requests are told of", Duration::from_secs(20), || async {
        let spans = collector.spans("ccag-dataplane");
        let requests = spans
            .iter()
            .filter(|span| span.name == "POST /v1/messages")
            .count();
        let is_measured = !collector.histogram("gen_ai.client.token.usage").is_empty();
        (requests >= 6 && is_measured).then_some(())
    })
    .await;
    for path in ["/metrics", "/config_dump"] {
        out.take(format!("{path} of the data plane"), data.ops(path, "*/*").await);
        out.take(
            format!("{path} of the control plane"),
            control.ops(path, "*/*").await,
        );
    }
    let dump: Value = serde_json::from_str(&data.ops("/config_dump", "*/*").await).unwrap();
    assert_eq!(dump["control"]["join_token"], "(set)", "{dump}");
    assert_eq!(dump["otlp"]["headers"], "(set)", "{dump}");
    let dump: Value = serde_json::from_str(&control.ops("/config_dump", "*/*").await).unwrap();
    for secret in [
        &dump["master_key"],
        &dump["admin"]["password"],
        &dump["grpc"]["join_token"],
    ] {
        assert_eq!(secret, "(set)", "{dump}");
    }
    out.take("OpenTelemetry", collector.bytes());
    out.take(
        "the log of the data plane",
        data.process.as_ref().unwrap().output(),
    );
    out.take(
        "the log of the control plane",
        control.process.as_ref().unwrap().output(),
    );
    out.folder(folder.path());
    out.folder(data.folder());

    // All of it was looked at.
    assert!(!out.with("canary").is_empty() && !out.with(&streamed.request_id).is_empty());
    for place in [
        "the log of the data plane",
        "the log of the control plane",
        "OpenTelemetry",
        "/admin/audit",
    ] {
        let (_, bytes) = out.0.iter().find(|(name, _)| name == place).unwrap();
        assert!(bytes.len() > 500, "{place} says too little to prove anything");
    }
    for secret in [
        PROMPT,
        SYSTEM,
        ARGUMENT,
        RESULT,
        DESCRIPTION,
        CREDENTIAL,
        PASSWORD,
        "kanarienvogelkey",
        COLLECTOR_KEY,
        MALFORMED,
        key.as_str(),
        admin.token(),
        crate::harness::JOIN_TOKEN,
        crate::harness::MASTER_KEY,
        "a-secret-that-opens-nothing",
    ] {
        assert_eq!(out.with(secret), Vec::<&str>::new(), "{secret} came out");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn standalone_shows_what_it_runs_with_and_no_secret() {
    let port = free_port();
    let environment = [
        ("CCAG_OPS_LISTEN", format!("127.0.0.1:{port}")),
        ("ADMIN_PASSWORD", format!("{PASSWORD}-for-the-admin")),
        ("CCAG_METRICS_ALIASES", "true".to_owned()),
        (
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            format!("http://me:{COLLECTOR_KEY}@127.0.0.1:9"),
        ),
        (
            "CCAG_TELEMETRY_COLLECTORS",
            format!("http://me:{COLLECTOR_KEY}@127.0.0.1:9"),
        ),
    ];
    let it = Standalone::start(&["--simulate"], &environment).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let get = async |path: &str| {
        let response = client
            .get(format!("http://127.0.0.1:{port}{path}"))
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 200, "{path}");
        response.text().await.unwrap()
    };
    let text = get("/config_dump").await;
    let dump: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(dump["data_plane"]["metrics_aliases"], true, "{dump}");
    assert_eq!(dump["control_plane"]["master_key"], "(set)", "{dump}");
    let endpoint = "http://(set)@127.0.0.1:9";
    assert_eq!(dump["data_plane"]["otlp"]["endpoint"], endpoint);
    assert_eq!(dump["data_plane"]["telemetry"]["collectors"][0], endpoint);
    let master_key = std::fs::read_to_string(it.data_dir.path().join("master.key")).unwrap();
    let log = it.process.output();
    for secret in [PASSWORD, COLLECTOR_KEY, master_key.trim()] {
        assert!(
            !text.contains(secret) && !log.contains(secret),
            "{secret} is shown"
        );
    }
    // Both planes count into one exposition, each metric once.
    let metrics = get("/metrics").await;
    for name in [
        "ccag_otlp_dropped_total",
        "ccag_dataplane_requests_total",
        "ccag_control_revision",
        "ccag_requests_total",
    ] {
        assert_eq!(metrics.matches(&format!("# TYPE {name} ")).count(), 1, "{name}");
    }
}
