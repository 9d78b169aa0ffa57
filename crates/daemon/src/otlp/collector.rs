//! Sends what is in the queue to the collector, and again if it could not take it just then.

use super::config::{Signal, Target};
use super::way::{Lost, Way};
use crate::SharedRegistry;
use crate::metric::{Label, Metric};
use ccag_domain::Rng;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource as WireResource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use opentelemetry_sdk::Resource;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How much may wait: spans, or collections of metrics.
pub(super) const QUEUE: usize = 4_096;

/// The most spans in a message.
const BATCH: usize = 512;

/// How long a span waits for others.
const LINGER: Duration = Duration::from_secs(1);

/// How long the last messages may take when the process ends.
pub(super) const LAST: Duration = Duration::from_secs(3);

/// For how long a message is sent again and again before it is dropped, counted from its first attempt.
const GIVE_UP: Duration = Duration::from_secs(30);

/// The first pause before it is sent again, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(8));

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
     not answer or had no room for half a minute, `refused` where it did not take them",
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
            Err(lost) if lost.may_pass() => (0, Some(("unreachable", count))),
            Err(_) => (0, Some(("refused", count))),
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

/// The collector of one kind of telemetry.
pub(super) struct Collector {
    way: Way,
    signal: Signal,
    resource: WireResource,
    counters: Counters,
    rng: Arc<dyn Rng>,
    /// Whether the last message got through: a change is logged, and not every message.
    is_well: bool,
}

/// A message.
pub(super) enum Message {
    Traces(ExportTraceServiceRequest),
    Metrics(Box<ExportMetricsServiceRequest>),
}

impl Collector {
    /// Prepares to speak to the collector; nothing is connected yet.
    pub(super) fn new(
        target: &Target,
        signal: Signal,
        resource: &Resource,
        counters: Counters,
        rng: Arc<dyn Rng>,
    ) -> Result<Self, String> {
        Ok(Self {
            way: Way::new(target)?,
            signal,
            resource: WireResource {
                attributes: resource.iter().map(|(key, value)| (key, value).into()).collect(),
                ..WireResource::default()
            },
            counters,
            rng,
            is_well: true,
        })
    }

    /// Sends what comes until it is closed, and then what waits.
    pub(super) async fn run(mut self, mut waiting: mpsc::Receiver<Shipment>, closing: CancellationToken) {
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
            self.send(std::mem::take(&mut batch), &closing).await;
        }
    }

    async fn send(&mut self, batch: Vec<Shipment>, closing: &CancellationToken) {
        let mut spans = Vec::new();
        for shipment in batch {
            match shipment {
                Shipment::Span(span) => spans.push(*span),
                Shipment::Metrics(message) => self.deliver(&Message::Metrics(message), 1, closing).await,
            }
        }
        if !spans.is_empty() {
            let count = spans.len() as u64;
            let message = Message::Traces(self.message(spans));
            self.deliver(&message, count, closing).await;
        }
    }

    /// Sends a message, again after a pause where that may help, until it is taken, turned down or given up.
    async fn deliver(&mut self, message: &Message, count: u64, closing: &CancellationToken) {
        let until = Instant::now() + GIVE_UP;
        let mut pause = PAUSES.0;
        let outcome = loop {
            let lost = match self.way.send(message).await {
                Ok(rejected) => break Ok(rejected),
                Err(lost) => lost,
            };
            // What the collector asks for is kept to; and otherwise it is not all gateways at once that come back.
            let wait = lost.after().unwrap_or_else(|| self.about(pause));
            if !lost.may_pass() || Instant::now() + wait > until || closing.is_cancelled() {
                break Err(lost);
            }
            tracing::debug!(signal = self.signal.as_str(), reason = %lost, "telemetry is sent again");
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = closing.cancelled() => {}
            }
            pause = (pause * 2).min(PAUSES.1);
        };
        self.counters.outcome(self.signal.as_str(), count, &outcome);
        self.note(&outcome);
    }

    /// Half of a pause, and at random as much again.
    fn about(&self, pause: Duration) -> Duration {
        let mut random = [0; 2];
        self.rng.fill(&mut random);
        pause / 2 + pause.mul_f64(f64::from(u16::from_le_bytes(random)) / 131_072.0)
    }

    fn note(&mut self, outcome: &Result<u64, Lost>) {
        let signal = self.signal.as_str();
        match outcome {
            Ok(_) if self.is_well => return,
            Ok(_) => tracing::info!(signal, "the OpenTelemetry collector takes telemetry again"),
            Err(_) if !self.is_well => return,
            Err(lost) if lost.may_pass() => {
                tracing::warn!(
                    signal,
                    reason = %lost,
                    "the OpenTelemetry collector cannot be reached; telemetry is dropped"
                );
            }
            Err(lost) => {
                tracing::warn!(
                    signal,
                    reason = %lost,
                    "the OpenTelemetry collector does not take telemetry; it is dropped"
                );
            }
        }
        self.is_well = outcome.is_ok();
    }

    fn message(&self, spans: Vec<Span>) -> ExportTraceServiceRequest {
        ExportTraceServiceRequest {
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
        }
    }
}
