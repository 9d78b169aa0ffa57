//! What the gateway tells of its own work, by OpenTelemetry: spans and metrics, sent to one collector over OTLP.
//!
//! Whoever is served never waits for it. Spans and metrics go into queues of bounded length; a task for each sends them, for a while
//! again and again where the collector is away or busy; what does not find room, or that the collector does not take, is dropped and
//! counted. Without a collector there is no [`Otlp`] at all.

mod collector;
mod config;
mod context;
mod meter;
mod span;
mod way;

pub use collector::{Counts, METRICS};
pub use config::{ENVIRONMENT, OtlpConfig, OtlpSection, Protocol, Target};
pub use context::{Sampler, TraceContext};
pub use opentelemetry::KeyValue;
pub use opentelemetry::metrics::{Histogram, Meter};
pub use span::{Kind, Span, Value};

use crate::Lifecycle;
use ccag_domain::{Clock, Rng};
use collector::{Collector, Counters, Shipment};
use config::Signal;
use http::HeaderMap;
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// What one part of the program is called in spans and metrics.
const SCOPE: &str = "ccag";

/// The way to the collector. Clones are the same.
#[derive(Clone)]
pub struct Otlp {
    inner: Arc<Inner>,
}

struct Inner {
    /// Where spans go, if anybody takes them.
    spans: Option<mpsc::Sender<Shipment>>,
    counters: Counters,
    sampler: Sampler,
    names_callers: bool,
    meters: SdkMeterProvider,
    clock: Arc<dyn Clock>,
    rng: Arc<dyn Rng>,
    life: Lifecycle,
    sent: Vec<CancellationToken>,
}

impl std::fmt::Debug for Otlp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Otlp").finish_non_exhaustive()
    }
}

/// The collector cannot be spoken to as configured.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the OpenTelemetry collector cannot be spoken to: {0}; check OTEL_EXPORTER_OTLP_ENDPOINT")]
pub struct OtlpError(String);

impl Otlp {
    /// Begins to send, if there is a collector. `service` is what the process is called unless the operator names it, `instance`
    /// what tells it from others of the kind. It has to be called inside a Tokio runtime.
    ///
    /// # Errors
    /// [`OtlpError`] if the address or TLS cannot be used. Whether anybody answers there is not asked.
    pub fn start(
        config: &OtlpConfig,
        (service, instance): (&'static str, &str),
        clock: Arc<dyn Clock>,
        rng: Arc<dyn Rng>,
    ) -> Result<Option<Self>, OtlpError> {
        if config.traces.is_none() && config.metrics.is_none() {
            return Ok(None);
        }
        let resource = config.resource(service, instance);
        let counters = config.counts.counters.clone();
        // It outlives what it tells of: the last spans come when everything else has ended.
        let (life, mut sent) = (Lifecycle::new(), Vec::new());
        let mut queue = |target: &Option<Target>, signal: Signal| {
            let Some(target) = target else { return Ok(None) };
            let collector = Collector::new(target, signal, &resource, counters.clone(), Arc::clone(&rng));
            let (queue, waiting) = mpsc::channel(collector::QUEUE);
            let shipping = collector.map_err(OtlpError)?.run(waiting, life.shutdown());
            let all = CancellationToken::new();
            let done = all.clone().drop_guard();
            life.spawn("telemetry of the gateway", async move {
                shipping.await;
                drop(done);
            });
            sent.push(all);
            Ok(Some(queue))
        };
        let spans = queue(&config.traces, Signal::Traces)?;
        let measurements = queue(&config.metrics, Signal::Metrics)?;
        let meters = meter::provider(config, resource, measurements, counters.clone());
        let nobody = Sampler {
            heeds_parents: false,
            ratio: 0.0,
        };
        Ok(Some(Self {
            inner: Arc::new(Inner {
                sampler: spans.as_ref().map_or(nobody, |_| config.sampler),
                spans,
                counters,
                names_callers: config.names_callers,
                meters,
                clock,
                rng,
                life,
                sent,
            }),
        }))
    }

    /// Makes instruments.
    #[must_use]
    pub fn meter(&self) -> Meter {
        self.inner.meters.meter(SCOPE)
    }

    /// Whether spans may say whose request it was, by the ids of key, user and team.
    #[must_use]
    pub fn names_callers(&self) -> bool {
        self.inner.names_callers
    }

    /// Begins a span for a request that has just arrived. Its parent is what the request's `traceparent` names, which also
    /// decides whether the span is recorded, as far as the sampler heeds parents.
    #[must_use]
    pub fn serve(&self, name: String, headers: &HeaderMap) -> Span {
        let parent = TraceContext::of(headers);
        self.begin(Kind::Server, name, parent.as_ref(), true)
    }

    /// Begins a span for something that is done for another span, or, without a parent, on its own account.
    #[must_use]
    pub fn call(&self, name: String, parent: Option<&TraceContext>) -> Span {
        self.begin(Kind::Client, name, parent, false)
    }

    fn begin(&self, kind: Kind, name: String, parent: Option<&TraceContext>, is_remote: bool) -> Span {
        let inner = &self.inner;
        let context = TraceContext::begin(parent, is_remote, inner.sampler, inner.rng.as_ref());
        let parent = parent.map(|parent| (parent.span_id(), is_remote));
        Span::begin(self.clone(), kind, name, (context, parent), inner.clock.now_ms())
    }

    /// Takes in a span that has ended.
    fn ended(&self, span: opentelemetry_proto::tonic::trace::v1::Span) {
        let Some(queue) = &self.inner.spans else { return };
        if queue.try_send(Shipment::Span(Box::new(span))).is_err() {
            self.inner.counters.dropped("traces", "full", 1);
        }
    }

    /// Sends what waits, for at most some seconds, and ends.
    pub async fn finish(&self) {
        let meters = self.inner.meters.clone();
        // The last measurements are collected on a thread of the meters' own, which is waited for.
        let _ = tokio::task::spawn_blocking(move || meters.shutdown()).await;
        self.inner.life.begin_shutdown();
        let all = async {
            for sent in &self.inner.sent {
                sent.cancelled().await;
            }
        };
        let _ = tokio::time::timeout(collector::LAST, all).await;
    }
}
