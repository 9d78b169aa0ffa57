use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use ccag_daemon::otlp::{Otlp, OtlpConfig, Protocol, Target};
use ccag_daemon::{OsRng, SystemClock};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use prometheus_client::encoding::text::encode;
use prost::Message;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tonic::{Code, Request, Response, Status};

fn start(config: &OtlpConfig) -> Option<Otlp> {
    let service = ("ccag-test", "one");
    Otlp::start(config, service, Arc::new(SystemClock), Arc::new(OsRng)).unwrap()
}

fn target(url: &str, protocol: Protocol) -> Target {
    Target {
        endpoint: url.parse().unwrap(),
        protocol,
        headers: HeaderMap::new(),
        timeout: Duration::from_secs(10),
    }
}

fn traces_to(target: Target) -> OtlpConfig {
    OtlpConfig {
        traces: Some(target),
        ..OtlpConfig::default()
    }
}

fn exposed(config: &OtlpConfig) -> String {
    let mut text = String::new();
    encode(&mut text, &config.registry().unwrap().lock().unwrap()).unwrap();
    text
}

async fn until(config: &OtlpConfig, series: &str) {
    let waiting = async {
        while !exposed(config).contains(series) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(25), waiting).await;
    assert!(waited.is_ok(), "no {series} in {}", exposed(config));
}

/// Status, and what goes along: `Retry-After`, or seconds of `RetryInfo`.
type Answer = (u16, Option<u8>);

/// A collector over HTTP or gRPC that answers as it is told, and then takes everything.
#[derive(Clone, Default)]
struct Stand {
    answers: Arc<Mutex<VecDeque<Answer>>>,
    came: Arc<Mutex<Vec<ExportTraceServiceRequest>>>,
    metrics: Arc<Mutex<Vec<ExportMetricsServiceRequest>>>,
}

impl Stand {
    fn with(answers: &[Answer]) -> Self {
        let stand = Self::default();
        stand.answers.lock().unwrap().extend(answers);
        stand
    }

    /// The names of the spans of every attempt.
    fn names(&self) -> Vec<String> {
        let came = self.came.lock().unwrap();
        let spans = came
            .iter()
            .flat_map(|message| &message.resource_spans[0].scope_spans[0].spans);
        spans.map(|span| span.name.clone()).collect()
    }

    async fn over_http(&self) -> String {
        let (traces, metrics) = (self.clone(), self.clone());
        let routes = Router::new()
            .route(
                "/v1/traces",
                post(async move |body: Bytes| {
                    traces
                        .came
                        .lock()
                        .unwrap()
                        .push(ExportTraceServiceRequest::decode(body).unwrap());
                    let mut headers = HeaderMap::new();
                    let Some((status, after)) = traces.answers.lock().unwrap().pop_front() else {
                        return (StatusCode::OK, headers);
                    };
                    headers.extend(after.map(|after| (http::header::RETRY_AFTER, u16::from(after).into())));
                    (StatusCode::from_u16(status).unwrap(), headers)
                }),
            )
            .route(
                "/metrics-go-here",
                post(async move |body: Bytes| {
                    let message = ExportMetricsServiceRequest::decode(body).unwrap();
                    metrics.metrics.lock().unwrap().push(message);
                }),
            );
        serve(routes).await
    }

    async fn over_grpc(&self) -> String {
        let service = TraceServiceServer::new(self.clone());
        serve(tonic::service::Routes::new(service).into_axum_router()).await
    }
}

async fn serve(routes: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    url
}

#[tonic::async_trait]
impl TraceService for Stand {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.came.lock().unwrap().push(request.into_inner());
        match self.answers.lock().unwrap().pop_front() {
            None => Ok(Response::new(ExportTraceServiceResponse::default())),
            Some((code, after)) => {
                // google.rpc.Status with one detail, a RetryInfo: each a field with its length, all shorter than 128 bytes.
                let details = after.map_or_else(Vec::new, |seconds| {
                    let info = [0x0a, 2, 0x08, seconds];
                    let name = b"type.googleapis.com/google.rpc.RetryInfo";
                    let mut any = vec![0x0a, u8::try_from(name.len()).unwrap()];
                    any.extend(name);
                    any.extend([0x12, u8::try_from(info.len()).unwrap()]);
                    any.extend(info);
                    let mut status = vec![0x1a, u8::try_from(any.len()).unwrap()];
                    status.extend(any);
                    status
                });
                Err(Status::with_details(
                    Code::from(i32::from(code)),
                    "not now",
                    details.into(),
                ))
            }
        }
    }
}

/// On one thread, so that nothing is sent while the queue fills.
#[tokio::test]
async fn what_finds_no_room_is_dropped_at_once_and_counted() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let config = traces_to(target(&url, Protocol::Grpc));
    let otlp = start(&config).unwrap();
    for _ in 0..5_000 {
        let span = otlp.serve("POST /".to_owned(), &HeaderMap::new());
        drop(otlp.call("chat".to_owned(), Some(span.context())));
    }
    let dropped = "ccag_otlp_dropped_total{signal=\"traces\",reason=\"full\"} 5904\n";
    let text = exposed(&config);
    assert!(text.contains(dropped), "{text}");
}

#[tokio::test]
async fn without_a_collector_there_is_nothing() {
    let config = OtlpConfig::default();
    assert!(start(&config).is_none());
    assert!(config.registry().is_none());
}

#[tokio::test]
async fn what_a_collector_could_not_take_just_then_is_sent_again_and_arrives_once() {
    // Over HTTP with every status that passes, and with a time to come back; over gRPC likewise.
    let http = Stand::with(&[(503, Some(1)), (429, Some(0)), (502, Some(0)), (504, None)]);
    let unavailable = Code::Unavailable as u16;
    let exhausted = Code::ResourceExhausted as u16;
    let grpc = Stand::with(&[(unavailable, None), (exhausted, Some(1))]);
    let over_http = target(&format!("{}/v1/traces", http.over_http().await), Protocol::Http);
    let over_grpc = target(&grpc.over_grpc().await, Protocol::Grpc);
    for (stand, target, attempts) in [(http, over_http, 5), (grpc, over_grpc, 3)] {
        let config = traces_to(target);
        let otlp = start(&config).unwrap();
        drop(otlp.call("first".to_owned(), None));
        until(&config, "ccag_otlp_sent_total{signal=\"traces\"} 1\n").await;
        assert_eq!(stand.names(), vec!["first"; attempts]);
        let text = exposed(&config);
        assert!(!text.contains("ccag_otlp_dropped_total{"), "{text}");
    }
}

#[tokio::test]
async fn what_a_collector_does_not_take_is_not_sent_again() {
    let exhausted = Code::ResourceExhausted as u16;
    let invalid = Code::InvalidArgument as u16;
    let http = Stand::with(&[(400, Some(0)), (500, None)]);
    let grpc = Stand::with(&[(invalid, None), (exhausted, None)]);
    let over_http = target(&format!("{}/v1/traces", http.over_http().await), Protocol::Http);
    let over_grpc = target(&grpc.over_grpc().await, Protocol::Grpc);
    for (stand, target) in [(http, over_http), (grpc, over_grpc)] {
        let config = traces_to(target);
        let otlp = start(&config).unwrap();
        for (at, name) in ["one", "two"].into_iter().enumerate() {
            drop(otlp.call(name.to_owned(), None));
            let dropped = format!(
                "ccag_otlp_dropped_total{{signal=\"traces\",reason=\"refused\"}} {}\n",
                at + 1
            );
            until(&config, &dropped).await;
        }
        assert_eq!(stand.names(), ["one", "two"]);
    }
}

#[tokio::test]
async fn a_collector_that_wants_to_be_left_alone_for_longer_is_not_waited_for() {
    let stand = Stand::with(&[(503, Some(60))]);
    let url = format!("{}/v1/traces", stand.over_http().await);
    let config = traces_to(target(&url, Protocol::Http));
    let otlp = start(&config).unwrap();
    drop(otlp.call("lost".to_owned(), None));
    until(
        &config,
        "ccag_otlp_dropped_total{signal=\"traces\",reason=\"unreachable\"} 1\n",
    )
    .await;
    drop(otlp.call("next".to_owned(), None));
    until(&config, "ccag_otlp_sent_total{signal=\"traces\"} 1\n").await;
    assert_eq!(stand.names(), ["lost", "next"]);
}

#[tokio::test]
async fn an_end_does_not_wait_for_a_collector_to_come_back() {
    let stand = Stand::with(&[(503, Some(20)), (503, Some(20))]);
    let url = format!("{}/v1/traces", stand.over_http().await);
    let config = traces_to(target(&url, Protocol::Http));
    let otlp = start(&config).unwrap();
    drop(otlp.call("last".to_owned(), None));
    while stand.names().is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    otlp.finish().await;
    // Asked once more, and then no more.
    assert_eq!(stand.names(), ["last", "last"]);
    let text = exposed(&config);
    let dropped = "ccag_otlp_dropped_total{signal=\"traces\",reason=\"unreachable\"} 1\n";
    assert!(text.contains(dropped), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_may_go_elsewhere_and_alone() {
    let stand = Stand::default();
    let url = format!("{}/metrics-go-here", stand.over_http().await);
    let config = OtlpConfig {
        metrics: Some(target(&url, Protocol::Http)),
        metrics_every: Duration::from_millis(100),
        ..OtlpConfig::default()
    };
    let otlp = start(&config).unwrap();
    otlp.meter().u64_histogram("sizes").build().record(3, &[]);
    drop(otlp.call("nobody takes it".to_owned(), None));
    until(&config, "ccag_otlp_sent_total{signal=\"metrics\"} ").await;
    assert!(!stand.metrics.lock().unwrap().is_empty() && stand.names().is_empty());
    assert!(!exposed(&config).contains("signal=\"traces\""));
    otlp.finish().await;
}
