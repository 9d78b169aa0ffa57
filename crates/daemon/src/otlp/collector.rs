//! Sends what is in the queue to the collector.

use super::config::{OtlpConfig, Protocol};
use crate::SharedRegistry;
use crate::metric::{Label, Metric};
use http::{HeaderMap, HeaderValue, Request, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource as WireResource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use opentelemetry_sdk::Resource;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use prost::Message;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tonic::metadata::MetadataMap;
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};
use url::Url;

/// How much may wait: spans, or collections of metrics.
pub(super) const QUEUE: usize = 4_096;

/// The most spans in a message.
const BATCH: usize = 512;

/// How long a span waits for others.
const LINGER: Duration = Duration::from_secs(1);

/// How long the last messages may take when the process ends.
pub(super) const LAST: Duration = Duration::from_secs(3);

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(5);

/// The most that is read of an answer.
const ANSWER: usize = 64 * 1024;

const SIGNAL: Label = Label::one_of("signal", &["traces", "metrics"]);

const SENT: Metric = Metric::counter(
    "ccag_otlp_sent",
    "spans and collections of metrics",
    "Spans, and collections of metrics, that the OpenTelemetry collector has taken",
)
.by(&[SIGNAL]);

const DROPPED: Metric = Metric::counter(
    "ccag_otlp_dropped",
    "spans and collections of metrics",
    "Spans, and collections of metrics, that were dropped: `full` where too many waited, `unreachable` where the collector did \
     not answer, `refused` where it did not take them",
)
.by(&[SIGNAL, Label::one_of("reason", &["full", "unreachable", "refused"])]);

/// What is counted of the way to the collector, where there is one.
pub const METRICS: &[Metric] = &[SENT, DROPPED];

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfSignal {
    signal: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfDrop {
    signal: &'static str,
    reason: &'static str,
}

/// What became of spans and metrics. Clones count together.
#[derive(Debug, Clone, Default)]
pub(super) struct Counters {
    sent: Family<OfSignal, Counter>,
    dropped: Family<OfDrop, Counter>,
}

impl Counters {
    pub(super) fn dropped(&self, signal: &'static str, reason: &'static str, count: u64) {
        self.dropped
            .get_or_create(&OfDrop { signal, reason })
            .inc_by(count);
    }

    fn outcome(&self, signal: &'static str, count: u64, outcome: &Result<u64, Lost>) {
        let (taken, lost) = match outcome {
            Ok(rejected) => (count.saturating_sub(*rejected), Some(("refused", *rejected))),
            Err(Lost::Unreachable(_)) => (0, Some(("unreachable", count))),
            Err(Lost::Refused(_)) => (0, Some(("refused", count))),
        };
        self.sent.get_or_create(&OfSignal { signal }).inc_by(taken);
        if let Some((reason, lost)) = lost.filter(|(_, lost)| *lost > 0) {
            self.dropped(signal, reason, lost);
        }
    }
}

/// What is counted, and where it is shown. Clones count together, as two parts of one process have to.
#[derive(Clone)]
pub struct Counts {
    pub(super) counters: Counters,
    pub(super) registry: SharedRegistry,
}

impl Default for Counts {
    fn default() -> Self {
        let counters = Counters::default();
        let mut registry = Registry::default();
        SENT.register(&mut registry, counters.sent.clone());
        DROPPED.register(&mut registry, counters.dropped.clone());
        Self {
            counters,
            registry: Arc::new(Mutex::new(registry)),
        }
    }
}

/// Something on its way.
#[derive(Debug)]
pub(super) enum Shipment {
    Span(Box<Span>),
    Metrics(Box<ExportMetricsServiceRequest>),
}

/// Why something did not arrive.
#[derive(Debug)]
enum Lost {
    Unreachable(String),
    Refused(String),
}

/// How the collector is spoken to.
enum Way {
    Grpc {
        traces: TraceServiceClient<Channel>,
        metrics: MetricsServiceClient<Channel>,
        headers: MetadataMap,
    },
    Http {
        client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
        traces: Uri,
        metrics: Uri,
        headers: HeaderMap,
    },
}

/// The collector.
pub(super) struct Collector {
    way: Way,
    resource: WireResource,
    patience: Duration,
    /// Whether the last message got through: a change is logged, and not every message.
    is_well: bool,
}

impl Collector {
    /// Prepares to speak to the collector; nothing is connected yet.
    pub(super) fn new(config: &OtlpConfig, endpoint: &Url, resource: &Resource) -> Result<Self, String> {
        let way = match config.protocol {
            Protocol::Grpc => grpc(config, endpoint)?,
            Protocol::Http => http_way(config, endpoint)?,
        };
        Ok(Self {
            way,
            resource: WireResource {
                attributes: resource.iter().map(|(key, value)| (key, value).into()).collect(),
                ..WireResource::default()
            },
            patience: config.timeout,
            is_well: true,
        })
    }

    /// Sends what comes until it is closed, and then what waits.
    pub(super) async fn run(
        mut self,
        mut waiting: mpsc::Receiver<Shipment>,
        counters: Counters,
        closing: CancellationToken,
    ) {
        let mut batch = Vec::new();
        loop {
            let got = tokio::select! {
                got = waiting.recv_many(&mut batch, BATCH) => got,
                () = closing.cancelled() => {
                    waiting.close();
                    waiting.recv_many(&mut batch, BATCH).await
                }
            };
            if got == 0 {
                return;
            }
            if batch.len() < BATCH {
                tokio::select! {
                    () = tokio::time::sleep(LINGER) => {}
                    () = closing.cancelled() => {}
                }
                while batch.len() < BATCH
                    && let Ok(more) = waiting.try_recv()
                {
                    batch.push(more);
                }
            }
            self.send(std::mem::take(&mut batch), &counters).await;
        }
    }

    async fn send(&mut self, batch: Vec<Shipment>, counters: &Counters) {
        let mut spans = Vec::new();
        for shipment in batch {
            match shipment {
                Shipment::Span(span) => spans.push(*span),
                Shipment::Metrics(message) => {
                    let outcome = self.metrics(*message).await;
                    counters.outcome("metrics", 1, &outcome);
                    self.note(&outcome);
                }
            }
        }
        if !spans.is_empty() {
            let count = spans.len() as u64;
            let outcome = self.traces(spans).await;
            counters.outcome("traces", count, &outcome);
            self.note(&outcome);
        }
    }

    fn note(&mut self, outcome: &Result<u64, Lost>) {
        match outcome {
            Ok(_) if self.is_well => return,
            Ok(_) => tracing::info!("the OpenTelemetry collector takes telemetry again"),
            Err(_) if !self.is_well => return,
            Err(Lost::Unreachable(reason)) => {
                tracing::warn!(
                    reason,
                    "the OpenTelemetry collector cannot be reached; telemetry is dropped"
                );
            }
            Err(Lost::Refused(reason)) => {
                tracing::warn!(
                    reason,
                    "the OpenTelemetry collector does not take telemetry; it is dropped"
                );
            }
        }
        self.is_well = outcome.is_ok();
    }

    /// How many spans the collector has rejected.
    async fn traces(&mut self, spans: Vec<Span>) -> Result<u64, Lost> {
        let message = ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans {
                resource: Some(self.resource.clone()),
                scope_spans: vec![ScopeSpans {
                    scope: Some(InstrumentationScope {
                        name: super::SCOPE.to_owned(),
                        version: env!("CARGO_PKG_VERSION").to_owned(),
                        ..InstrumentationScope::default()
                    }),
                    spans,
                    ..ScopeSpans::default()
                }],
                ..ResourceSpans::default()
            }],
        };
        match &mut self.way {
            Way::Grpc { traces, headers, .. } => {
                let call = traces.export(with(headers, message));
                let answer = in_time(self.patience, call)
                    .await?
                    .map_err(|status| lost(&status))?;
                Ok(rejected(&answer.into_inner()))
            }
            Way::Http {
                client,
                traces,
                headers,
                ..
            } => {
                let call = post(client, traces, headers, message.encode_to_vec());
                let answer = in_time(self.patience, call).await??;
                let answer = ExportTraceServiceResponse::decode(answer).unwrap_or_default();
                Ok(rejected(&answer))
            }
        }
    }

    async fn metrics(&mut self, message: ExportMetricsServiceRequest) -> Result<u64, Lost> {
        match &mut self.way {
            Way::Grpc { metrics, headers, .. } => {
                let call = metrics.export(with(headers, message));
                in_time(self.patience, call)
                    .await?
                    .map_err(|status| lost(&status))?;
            }
            Way::Http {
                client,
                metrics,
                headers,
                ..
            } => {
                let call = post(client, metrics, headers, message.encode_to_vec());
                in_time(self.patience, call).await??;
            }
        }
        Ok(0)
    }
}

fn rejected(answer: &ExportTraceServiceResponse) -> u64 {
    let partly = answer.partial_success.as_ref();
    partly.map_or(0, |partly| {
        u64::try_from(partly.rejected_spans).unwrap_or_default()
    })
}

async fn in_time<T>(patience: Duration, call: impl Future<Output = T>) -> Result<T, Lost> {
    tokio::time::timeout(patience, call)
        .await
        .map_err(|_| Lost::Unreachable(format!("no answer within {patience:?}")))
}

/// A collector's own words are not repeated: they may quote what it was sent.
fn lost(status: &tonic::Status) -> Lost {
    let code = status.code();
    match code {
        tonic::Code::Unavailable | tonic::Code::Unknown | tonic::Code::DeadlineExceeded => {
            Lost::Unreachable(format!("{code:?}"))
        }
        _ => Lost::Refused(format!("{code:?}")),
    }
}

fn with<T>(headers: &MetadataMap, message: T) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    *request.metadata_mut() = headers.clone();
    request
}

fn grpc(config: &OtlpConfig, endpoint: &Url) -> Result<Way, String> {
    let mut to = Endpoint::from_shared(endpoint.to_string())
        .map_err(|error| error.to_string())?
        .connect_timeout(CONNECT);
    if endpoint.scheme() == "https" {
        let tls = ClientTlsConfig::new().with_native_roots();
        to = to.tls_config(tls).map_err(|error| error.to_string())?;
    }
    let channel = to.connect_lazy();
    Ok(Way::Grpc {
        traces: TraceServiceClient::new(channel.clone()),
        metrics: MetricsServiceClient::new(channel),
        headers: MetadataMap::from_headers(config.headers.clone()),
    })
}

fn http_way(config: &OtlpConfig, endpoint: &Url) -> Result<Way, String> {
    let base = endpoint.as_str().trim_end_matches('/');
    let at = |path: &str| {
        format!("{base}/v1/{path}")
            .parse::<Uri>()
            .map_err(|error| error.to_string())
    };
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_connect_timeout(Some(CONNECT));
    let tls = hyper_rustls::HttpsConnectorBuilder::new()
        .with_native_roots()
        .map_err(|error| error.to_string())?;
    let connector = tls.https_or_http().enable_http1().wrap_connector(tcp);
    Ok(Way::Http {
        client: Client::builder(TokioExecutor::new()).build(connector),
        traces: at("traces")?,
        metrics: at("metrics")?,
        headers: config.headers.clone(),
    })
}

async fn post(
    client: &Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    to: &Uri,
    headers: &HeaderMap,
    message: Vec<u8>,
) -> Result<Bytes, Lost> {
    let mut request = Request::new(Full::new(Bytes::from(message)));
    *request.method_mut() = http::Method::POST;
    *request.uri_mut() = to.clone();
    *request.headers_mut() = headers.clone();
    let kind = HeaderValue::from_static("application/x-protobuf");
    request.headers_mut().insert(header::CONTENT_TYPE, kind);
    let answer = client
        .request(request)
        .await
        .map_err(|error| Lost::Unreachable(error.to_string()))?;
    let status = answer.status();
    if !status.is_success() {
        return Err(Lost::Refused(status.to_string()));
    }
    let body = Limited::new(answer.into_body(), ANSWER).collect().await;
    Ok(body.map(http_body_util::Collected::to_bytes).unwrap_or_default())
}
