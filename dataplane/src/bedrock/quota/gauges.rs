//! What quotas are, what is used of them and what became of it, for the ops port.

use super::Quotas;
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
        registry.register(
            "quota_share_refused",
            "Requests that were sent away because a quota is short and their team has its share, by the endpoint that came first",
            self.refused.clone(),
        );
        registry.register(
            "quota_passed_over",
            "Requests that went to another endpoint first, because the quotas of this one had no room for them",
            self.passed_over.clone(),
        );
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
        let mut family = |name: &str, help: &str, value: fn(&(u64, u64)) -> u64| {
            let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for (labels, both) in &all {
                let gauge = ConstGauge::new(i64::try_from(value(both)).unwrap_or(i64::MAX));
                gauge.encode(metric.encode_family(labels)?)?;
            }
            Ok(())
        };
        family(
            "quota_limit",
            "What AWS lets an account use of a model in a minute, for quotas that requests have counted against",
            |both| both.0,
        )?;
        family(
            "quota_counted",
            "What counts against it, as far as this data plane knows: set aside for what runs, and used in the last minute, here \
             and elsewhere",
            |both| both.1,
        )
    }
}
