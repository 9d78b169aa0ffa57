//! A stand-in for an OpenTelemetry collector: it takes OTLP over gRPC and over HTTP on one port, and keeps what it gets.

use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[derive(Default)]
struct Kept {
    traces: Vec<ExportTraceServiceRequest>,
    metrics: Vec<ExportMetricsServiceRequest>,
    /// The header `api-key` of each message.
    keys: Vec<String>,
}

#[derive(Clone, Default)]
struct Keeper(Arc<Mutex<Kept>>);

impl Keeper {
    fn key(&self, value: Option<&str>) {
        self.0
            .lock()
            .unwrap()
            .keys
            .push(value.unwrap_or_default().to_owned());
    }
}

#[tonic::async_trait]
impl TraceService for Keeper {
    async fn export(
        &self,
        request: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<ExportTraceServiceResponse>, tonic::Status> {
        self.key(request.metadata().get("api-key").map(|key| key.to_str().unwrap()));
        self.0.lock().unwrap().traces.push(request.into_inner());
        Ok(tonic::Response::new(Default::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Keeper {
    async fn export(
        &self,
        request: tonic::Request<ExportMetricsServiceRequest>,
    ) -> Result<tonic::Response<ExportMetricsServiceResponse>, tonic::Status> {
        self.0.lock().unwrap().metrics.push(request.into_inner());
        Ok(tonic::Response::new(Default::default()))
    }
}

/// A running collector.
pub(crate) struct Collector {
    pub(crate) url: String,
    keeper: Keeper,
    serving: tokio::task::JoinHandle<()>,
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Collector {
    pub(crate) async fn start() -> Self {
        let keeper = Keeper::default();
        let (traces, metrics) = (keeper.clone(), keeper.clone());
        let over_http = axum::Router::new()
            .route(
                "/v1/traces",
                axum::routing::post(
                    async move |headers: axum::http::HeaderMap, body: axum::body::Bytes| {
                        assert_eq!(headers["content-type"], "application/x-protobuf");
                        traces.key(headers.get("api-key").map(|key| key.to_str().unwrap()));
                        let message = ExportTraceServiceRequest::decode(body).unwrap();
                        traces.0.lock().unwrap().traces.push(message);
                    },
                ),
            )
            .route(
                "/v1/metrics",
                axum::routing::post(async move |body: axum::body::Bytes| {
                    let message = ExportMetricsServiceRequest::decode(body).unwrap();
                    metrics.0.lock().unwrap().metrics.push(message);
                }),
            );
        let over_grpc = tonic::service::Routes::new(TraceServiceServer::new(keeper.clone()))
            .add_service(MetricsServiceServer::new(keeper.clone()))
            .into_axum_router();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let routes = over_grpc.merge(over_http);
        let serving = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { url, keeper, serving }
    }

    /// What a process needs to send here, often.
    pub(crate) fn environment(&self, protocol: &str) -> Vec<(&'static str, String)> {
        vec![
            ("OTEL_EXPORTER_OTLP_ENDPOINT", self.url.clone()),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol.to_owned()),
            ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=open%20sesame".to_owned()),
            ("OTEL_METRIC_EXPORT_INTERVAL", "200".to_owned()),
            (
                "OTEL_RESOURCE_ATTRIBUTES",
                "deployment.environment.name=test".to_owned(),
            ),
        ]
    }

    /// The value of the header that each message of traces came with.
    pub(crate) fn keys(&self) -> Vec<String> {
        self.keeper.0.lock().unwrap().keys.clone()
    }

    /// Every span of a service, in the order in which they ended.
    pub(crate) fn spans(&self, service: &str) -> Vec<Span> {
        let kept = self.keeper.0.lock().unwrap();
        let of_service = kept
            .traces
            .iter()
            .flat_map(|message| &message.resource_spans)
            .filter(|of| {
                let resource = of.resource.as_ref().unwrap();
                text(&resource.attributes, "deployment.environment.name") == "test"
                    && text(&resource.attributes, "service.name") == service
            });
        of_service
            .flat_map(|of| &of.scope_spans)
            .flat_map(|scope| scope.spans.clone())
            .collect()
    }

    /// The span of this name in a trace, when it has come.
    pub(crate) async fn span(&self, service: &str, trace_id: &[u8], name: &str) -> Span {
        super::wait_until(
            &format!("span {name} of {service} has come"),
            Duration::from_secs(20),
            || async {
                let mut spans = self.spans(service).into_iter();
                spans.find(|span| span.trace_id == trace_id && span.name == name)
            },
        )
        .await
    }

    /// The sums of the newest histogram of this name, with the labels of each.
    pub(crate) fn histogram(&self, name: &str) -> Vec<(Vec<KeyValue>, u64, f64)> {
        let kept = self.keeper.0.lock().unwrap();
        let all = kept.metrics.iter().flat_map(|message| &message.resource_metrics);
        let mut metrics = all
            .flat_map(|of| &of.scope_metrics)
            .flat_map(|scope| &scope.metrics);
        let Some(metric) = metrics.rfind(|metric| metric.name == name) else {
            return Vec::new();
        };
        let Some(Data::Histogram(histogram)) = &metric.data else {
            panic!("{name} is no histogram");
        };
        let points = histogram.data_points.iter();
        points
            .map(|p| (p.attributes.clone(), p.count, p.sum.unwrap_or_default()))
            .collect()
    }

    /// Everything that came, as bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let kept = self.keeper.0.lock().unwrap();
        let mut bytes: Vec<u8> = kept.traces.iter().flat_map(Message::encode_to_vec).collect();
        bytes.extend(kept.metrics.iter().flat_map(Message::encode_to_vec));
        bytes
    }
}

/// An attribute, as text.
pub(crate) fn text(attributes: &[KeyValue], key: &str) -> String {
    let found = attributes.iter().find(|attribute| attribute.key == key);
    match found.and_then(|attribute| attribute.value.as_ref()?.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::ArrayValue(list)) => {
            let texts = list.values.iter().map(|value| match &value.value {
                Some(Value::StringValue(text)) => text.clone(),
                other => panic!("{key} holds {other:?}"),
            });
            texts.collect::<Vec<_>>().join(",")
        }
        None => String::new(),
        other => panic!("{key} is {other:?}"),
    }
}
