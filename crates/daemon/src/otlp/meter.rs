//! Metrics: aggregated in the process, handed to the queue from time to time.

use super::collector::{Counters, Shipment};
use super::config::OtlpConfig;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider, Temporality};
use std::time::Duration;
use tokio::sync::mpsc;

/// Makes meters whose measurements go into the queue, or nowhere without one.
pub(super) fn provider(
    config: &OtlpConfig,
    resource: Resource,
    queue: Option<mpsc::Sender<Shipment>>,
    counters: Counters,
) -> SdkMeterProvider {
    let Some(queue) = queue else {
        return SdkMeterProvider::builder().with_resource(resource).build();
    };
    let reader = PeriodicReader::builder(IntoQueue { queue, counters })
        .with_interval(config.metrics_every)
        .build();
    SdkMeterProvider::builder()
        .with_resource(resource)
        .with_reader(reader)
        .build()
}

/// Takes what the reader has collected. It never waits.
struct IntoQueue {
    queue: mpsc::Sender<Shipment>,
    counters: Counters,
}

impl PushMetricExporter for IntoQueue {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        let message = ExportMetricsServiceRequest::from(metrics);
        if self.queue.try_send(Shipment::Metrics(Box::new(message))).is_err() {
            self.counters.dropped("metrics", "full", 1);
        }
        Ok(())
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }

    fn temporality(&self) -> Temporality {
        Temporality::Cumulative
    }
}
