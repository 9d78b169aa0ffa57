//! What quotas are, what is used of them and what became of it, for the ops port.

use super::Quotas;
use crate::metrics::{QUOTA_COUNTED, QUOTA_LIMIT, QUOTA_PASSED_OVER, QUOTA_SHARE_REFUSED};
use ccag_daemon::metric::Metric;
use ccag_domain::EndpointId;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfEndpoint {
    endpoint_id: String,
}

/// What became of requests because of quotas.
#[derive(Debug, Default)]
pub(crate) struct QuotaCounters {
    refused: Family<OfEndpoint, Counter>,
    passed_over: Family<OfEndpoint, Counter>,
}

impl QuotaCounters {
    pub(crate) fn register(&self, registry: &mut Registry) {
        QUOTA_SHARE_REFUSED.register(registry, self.refused.clone());
        QUOTA_PASSED_OVER.register(registry, self.passed_over.clone());
    }

    pub(super) fn refused(&self, endpoint: &EndpointId) {
        self.refused.get_or_create(&of(endpoint)).inc();
    }

    pub(super) fn passed_over(&self, endpoint: &EndpointId) {
        self.passed_over.get_or_create(&of(endpoint)).inc();
    }
}

fn of(endpoint: &EndpointId) -> OfEndpoint {
    OfEndpoint {
        endpoint_id: endpoint.to_string(),
    }
}

/// The gauges of quotas, which are worked out when they are asked for.
pub(crate) struct QuotaGauges(pub(crate) Arc<Quotas>);

impl fmt::Debug for QuotaGauges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("QuotaGauges").finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, EncodeLabelSet)]
struct Labels {
    endpoint_id: String,
    model: String,
    scope: &'static str,
    kind: &'static str,
}

impl Collector for QuotaGauges {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let step = self.0.step();
        let mut all: BTreeMap<Labels, (u64, u64)> = BTreeMap::new();
        for (endpoint, place) in self.0.places.each() {
            for bucket in &place.buckets {
                let labels = Labels {
                    endpoint_id: endpoint.to_string(),
                    model: place.model().to_string(),
                    scope: bucket.scope.as_str(),
                    kind: bucket.kind.as_str(),
                };
                all.insert(labels, (bucket.limit(), bucket.counted(step)));
            }
        }
        let mut family = |metric: &Metric, value: fn(&(u64, u64)) -> u64| {
            let mut encoder =
                encoder.encode_descriptor(metric.name, metric.meaning, None, MetricType::Gauge)?;
            for (labels, both) in &all {
                let gauge = ConstGauge::new(i64::try_from(value(both)).unwrap_or(i64::MAX));
                gauge.encode(encoder.encode_family(labels)?)?;
            }
            Ok(())
        };
        family(&QUOTA_LIMIT, |both| both.0)?;
        family(&QUOTA_COUNTED, |both| both.1)
    }
}
