//! What a metric is called, counts and is told apart by: said once, for the registry and for the document of all metrics.

use prometheus_client::encoding::{EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Metric as Registrable, Registry};
use std::fmt;

/// How a metric moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It only grows, until the process ends. Its series end in `_total`.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Observations in buckets: series that end in `_bucket`, `_sum` and `_count`.
    Histogram,
}

impl Kind {
    /// The name in the text formats of Prometheus.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// Which values a label has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Values {
    /// One of these.
    OneOf(&'static [&'static str]),
    /// Others, of which there are only so many: by what they are bounded.
    Bounded(&'static str),
}

/// What series of a metric are told apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label {
    /// Its name.
    pub name: &'static str,
    /// What it can be.
    pub values: Values,
}

impl Label {
    /// A label with these values and no others.
    #[must_use]
    pub const fn one_of(name: &'static str, values: &'static [&'static str]) -> Self {
        Self {
            name,
            values: Values::OneOf(values),
        }
    }

    /// A label whose values are bounded in another way, which is said.
    #[must_use]
    pub const fn bounded(name: &'static str, by: &'static str) -> Self {
        Self {
            name,
            values: Values::Bounded(by),
        }
    }
}

/// A metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// Its whole name, without the `_total` of a counter.
    pub name: &'static str,
    /// How it moves.
    pub kind: Kind,
    /// What is counted or measured: `seconds`, `bytes`, or a plural.
    pub unit: &'static str,
    /// Its labels.
    pub labels: &'static [Label],
    /// What it says, without a full stop.
    pub meaning: &'static str,
}

impl Metric {
    /// A metric that only grows.
    #[must_use]
    pub const fn counter(name: &'static str, unit: &'static str, meaning: &'static str) -> Self {
        Self::new(name, Kind::Counter, unit, meaning)
    }

    /// A metric that goes up and down.
    #[must_use]
    pub const fn gauge(name: &'static str, unit: &'static str, meaning: &'static str) -> Self {
        Self::new(name, Kind::Gauge, unit, meaning)
    }

    /// A distribution.
    #[must_use]
    pub const fn histogram(name: &'static str, unit: &'static str, meaning: &'static str) -> Self {
        Self::new(name, Kind::Histogram, unit, meaning)
    }

    const fn new(name: &'static str, kind: Kind, unit: &'static str, meaning: &'static str) -> Self {
        Self {
            name,
            kind,
            unit,
            labels: &[],
            meaning,
        }
    }

    /// The same, told apart by these labels.
    #[must_use]
    pub const fn by(mut self, labels: &'static [Label]) -> Self {
        self.labels = labels;
        self
    }

    /// Puts what counts into a registry, under this name. It is shown from the beginning, also while it has no series.
    pub fn register(&self, registry: &mut Registry, counts: impl Registrable) {
        registry.register(self.name, self.meaning, Shown(counts));
    }
}

/// A metric that is shown with its meaning and type even if it has no series yet: who writes an alert sees that it exists.
struct Shown<M>(M);

impl<M: fmt::Debug> fmt::Debug for Shown<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<M: EncodeMetric> EncodeMetric for Shown<M> {
    fn encode(&self, encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
        self.0.encode(encoder)
    }

    fn metric_type(&self) -> MetricType {
        self.0.metric_type()
    }
}
