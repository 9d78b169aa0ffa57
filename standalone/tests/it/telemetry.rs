//! What the gateway tells of itself by OpenTelemetry, and that nobody waits for it.

use crate::harness::{Client, Collector, ControlPlane, DataPlane, MODEL, Sim, message, text, wait_until};
use bedrock_sim::Action;
use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind, status::StatusCode};
use std::time::Duration;

const DATA: &str = "ccag-dataplane";

/// Both planes with a collector, and a key.
struct Planes {
    control: ControlPlane,
    data: DataPlane,
    sim: Sim,
    client: Client,
    _folder: tempfile::TempDir,
}

impl Planes {
    async fn start(environment: &[(&'static str, String)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sim = Sim::start().await;
        let database = format!("sqlite://{}", folder.path().join("ccag.db").display());
        let control = ControlPlane::start_with("control", &database, environment).await;
        let data = DataPlane::start_with("data", &[&control], &sim, environment).await;
        let (_, secret) = control.admin().await.create_key("test").await;
        let client = data.client(&secret);
        wait_until("the key works", Duration::from_secs(10), || async {
            (client.send(&message(MODEL, "hello")).await.status == 200).then_some(())
        })
        .await;
        Self {
            control,
            data,
            sim,
            client,
            _folder: folder,
        }
    }
}

/// A trace of a client's: its id, and what the client sends.
fn trace(number: u8, flags: &str) -> (Vec<u8>, String) {
    let id = vec![number; 16];
    let hex: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    (id, format!("00-{hex}-b7ad6b7169203331-{flags}"))
}

async fn send(client: &Client, parent: &str, body: serde_json::Value) -> u16 {
    let request = client
        .request()
        .header("traceparent", parent)
        .body(body.to_string());
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let _ = response.bytes().await.unwrap();
    status
}

fn kind(span: &Span) -> SpanKind {
    span.kind()
}

fn is_error(span: &Span) -> bool {
    span.status
        .as_ref()
        .is_some_and(|status| status.code() == StatusCode::Error)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_told_of_as_spans_below_the_clients_own_and_without_a_word_of_it() {
    let collector = Collector::start().await;
    let planes = Planes::start(&collector.environment("grpc")).await;
    let (id, parent) = trace(1, "01");
    let mut body = message(MODEL, "heliotrope");
    body["stream"] = true.into();
    assert_eq!(send(&planes.client, &parent, body).await, 200);

    let server = collector.span(DATA, &id, "POST /v1/messages").await;
    let client = collector.span(DATA, &id, &format!("chat {MODEL}")).await;
    assert_eq!(kind(&server), SpanKind::Server);
    assert_eq!(
        server.parent_span_id,
        [0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31]
    );
    assert_eq!(kind(&client), SpanKind::Client);
    assert_eq!(client.parent_span_id, server.span_id);
    assert!(!is_error(&server) && !is_error(&client));
    assert!(server.start_time_unix_nano <= client.start_time_unix_nano);
    assert!(client.end_time_unix_nano > client.start_time_unix_nano);
    for (key, value) in [
        ("gen_ai.operation.name", "chat"),
        ("gen_ai.provider.name", "aws.bedrock"),
        ("gen_ai.request.model", MODEL),
        ("gen_ai.request.max_tokens", "4096"),
        ("gen_ai.response.finish_reasons", "end_turn"),
        ("server.address", "127.0.0.1"),
    ] {
        assert_eq!(text(&client.attributes, key), value, "{key}");
    }
    assert!(text(&client.attributes, "gen_ai.response.model").contains("claude-sonnet-4-6"));
    assert_eq!(text(&server.attributes, "http.response.status_code"), "200");
    for key in ["gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"] {
        assert!(text(&client.attributes, key).parse::<u64>().unwrap() > 0, "{key}");
    }
    // Whose it was is told only if the operator wants it.
    assert_eq!(text(&server.attributes, "ccag.key.id"), "");

    // Bedrock refuses.
    let (id, parent) = trace(2, "01");
    planes.sim.once(Action::Error {
        status: 400,
        error_type: "ValidationException".into(),
        message: "messages.0: heliotrope is not allowed".into(),
    });
    assert_eq!(
        send(&planes.client, &parent, message(MODEL, "heliotrope")).await,
        400
    );
    let failed = collector.span(DATA, &id, &format!("chat {MODEL}")).await;
    assert!(is_error(&failed));
    assert_eq!(text(&failed.attributes, "error.type"), "ValidationException");
    let server = collector.span(DATA, &id, "POST /v1/messages").await;
    assert_eq!(text(&server.attributes, "http.response.status_code"), "400");

    // Who is refused by us has a span and no attempt.
    let (id, parent) = trace(3, "01");
    let stranger = planes.data.client("sk-ccag-heliotrope");
    assert_eq!(send(&stranger, &parent, message(MODEL, "heliotrope")).await, 401);
    let refused = collector.span(DATA, &id, "POST /v1/messages").await;
    assert_eq!(text(&refused.attributes, "error.type"), "unauthenticated");

    // Metrics, and the control plane's part.
    wait_until("metrics have come", Duration::from_secs(20), || async {
        let tokens = collector.histogram("gen_ai.client.token.usage");
        let is_there = |kind: &str| {
            tokens
                .iter()
                .any(|(about, _, sum)| text(about, "gen_ai.token.type") == kind && *sum > 0.0)
        };
        let durations = collector.histogram("gen_ai.client.operation.duration");
        let failed = durations
            .iter()
            .any(|(about, count, _)| text(about, "error.type") == "ValidationException" && *count == 1);
        let first = collector.histogram("gen_ai.server.time_to_first_token");
        (is_there("input") && is_there("output") && failed && !first.is_empty()).then_some(())
    })
    .await;
    planes.control.admin().await;
    wait_until("the control plane tells", Duration::from_secs(20), || async {
        let spans = collector.spans("ccag-controlplane");
        let is_route = spans.iter().any(|span| span.name == "POST /auth/login");
        let told = collector.spans(DATA);
        // The stream that a data plane has opened is one trace with what the control plane says of it.
        let opened = told.iter().find(|span| span.name == "ccag.v1.Config/Watch")?;
        let below = spans
            .iter()
            .any(|span| span.parent_span_id == opened.span_id && span.trace_id == opened.trace_id);
        (is_route && below).then_some(())
    })
    .await;
    let bytes = collector.bytes();
    for secret in ["heliotrope", "sk-ccag-", crate::harness::PASSWORD, "open sesame"] {
        let is_there = bytes
            .windows(secret.len())
            .any(|window| window == secret.as_bytes());
        assert!(!is_there, "{secret} is told");
    }
    assert!(collector.keys().iter().all(|key| key == "open sesame"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_may_want_http_and_traces_that_nobody_records_are_not_sent() {
    let collector = Collector::start().await;
    let mut environment = collector.environment("http/protobuf");
    environment.push(("OTEL_TRACES_SAMPLER", "parentbased_always_off".to_owned()));
    environment.push(("CCAG_OTLP_CALLERS", "true".to_owned()));
    let planes = Planes::start(&environment).await;
    let (unrecorded, parent) = trace(4, "00");
    assert_eq!(send(&planes.client, &parent, message(MODEL, "hello")).await, 200);
    let (recorded, parent) = trace(5, "01");
    assert_eq!(send(&planes.client, &parent, message(MODEL, "hello")).await, 200);
    let server = collector.span(DATA, &recorded, "POST /v1/messages").await;
    assert!(text(&server.attributes, "ccag.key.id").starts_with("key_"));
    let spans = collector.spans(DATA);
    assert!(
        spans
            .iter()
            .all(|span| span.trace_id == recorded && span.trace_id != unrecorded)
    );
    assert!(collector.keys().iter().all(|key| key == "open sesame"));
    wait_until("metrics have come", Duration::from_secs(20), || async {
        (!collector.histogram("gen_ai.client.token.usage").is_empty()).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_never_answers_keeps_nobody_waiting_and_what_is_lost_is_counted() {
    // It takes connections and says nothing.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let environment = vec![
        (
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            format!("http://{}", silent.local_addr().unwrap()),
        ),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "300".to_owned()),
    ];
    let mut planes = Planes::start(&environment).await;
    for _ in 0..20 {
        assert_eq!(planes.client.send(&message(MODEL, "hello")).await.status, 200);
    }
    // Half a minute is how long it is sent again and again.
    wait_until("what is lost is counted", Duration::from_secs(60), || async {
        let text = planes.data.ops("/metrics", "text/plain").await;
        text.lines()
            .any(|line| {
                line.starts_with("ccag_otlp_dropped_total{signal=\"traces\",reason=\"unreachable\"} ")
            })
            .then_some(())
    })
    .await;
    // Nor does it keep the process from ending.
    let mut process = planes.data.process.take().unwrap();
    process.terminate();
    assert!(process.ended(Duration::from_secs(30)).await.success());
}
