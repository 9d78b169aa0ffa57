//! How old the configuration is, for those who watch: measured when somebody looks.

use super::Current;
use crate::metrics::{CONFIGURATION_AGE, CONFIGURATION_TRUST, CONFIGURATION_TRUSTED};
use ccag_daemon::metric::Metric;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::gauge::ConstGauge;
use std::fmt;
use std::sync::Arc;

/// The gauges of what is held: its age, the age up to which it is trusted, and whether it is.
pub(crate) struct TrustGauges(pub(crate) Arc<Current>);

impl fmt::Debug for TrustGauges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TrustGauges").finish_non_exhaustive()
    }
}

impl Collector for TrustGauges {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let current = &self.0;
        let mut gauge = |metric: &Metric, value: i64| {
            let gauge = ConstGauge::new(value);
            gauge.encode(encoder.encode_descriptor(metric.name, metric.meaning, None, gauge.metric_type())?)
        };
        if let Some(age_ms) = current.known_age_ms() {
            gauge(&CONFIGURATION_AGE, age_ms / 1_000)?;
        }
        gauge(&CONFIGURATION_TRUST, current.trust_ms / 1_000)?;
        gauge(&CONFIGURATION_TRUSTED, i64::from(current.view().is_ok()))
    }
}
