//! How the collector is configured: by OpenTelemetry's own variables, or by keys of the same meaning.
//!
//! <https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>,
//! <https://opentelemetry.io/docs/specs/otel/protocol/exporter/>

use super::collector::Counts;
use super::context::Sampler;
use crate::SharedRegistry;
use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::KeyValue;
use opentelemetry_sdk::Resource;
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// Which variable sets which key of the section `otlp`.
pub const ENVIRONMENT: &[(&str, &str)] = &[
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "otlp.endpoint"),
    ("OTEL_EXPORTER_OTLP_PROTOCOL", "otlp.protocol"),
    ("OTEL_EXPORTER_OTLP_HEADERS", "otlp.headers"),
    ("OTEL_EXPORTER_OTLP_TIMEOUT", "otlp.timeout_ms"),
    ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "otlp.traces.endpoint"),
    ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "otlp.traces.protocol"),
    ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "otlp.traces.headers"),
    ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "otlp.traces.timeout_ms"),
    ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "otlp.metrics.endpoint"),
    ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "otlp.metrics.protocol"),
    ("OTEL_EXPORTER_OTLP_METRICS_HEADERS", "otlp.metrics.headers"),
    ("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "otlp.metrics.timeout_ms"),
    ("OTEL_METRIC_EXPORT_INTERVAL", "otlp.metrics_interval_ms"),
    ("OTEL_SERVICE_NAME", "otlp.service_name"),
    ("OTEL_RESOURCE_ATTRIBUTES", "otlp.resource_attributes"),
    ("OTEL_TRACES_SAMPLER", "otlp.sampler"),
    ("OTEL_TRACES_SAMPLER_ARG", "otlp.sampler_arg"),
    ("OTEL_SDK_DISABLED", "otlp.disabled"),
    ("CCAG_OTLP_CALLERS", "otlp.callers"),
];

/// The section `otlp` as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OtlpSection {
    endpoint: String,
    protocol: Protocol,
    headers: String,
    timeout_ms: u64,
    metrics_interval_ms: u64,
    service_name: String,
    resource_attributes: String,
    sampler: SamplerName,
    sampler_arg: String,
    disabled: bool,
    callers: bool,
    traces: SignalSection,
    metrics: SignalSection,
}

/// What is said of one kind of telemetry alone; what is empty is as for both.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct SignalSection {
    endpoint: String,
    protocol: String,
    headers: String,
    timeout_ms: u64,
}

impl std::fmt::Debug for OtlpSection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OtlpSection").finish_non_exhaustive()
    }
}

/// How the collector is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
pub enum Protocol {
    /// OTLP over gRPC.
    #[serde(rename = "grpc")]
    Grpc,
    /// OTLP over HTTP, as Protocol Buffers.
    #[serde(rename = "http/protobuf")]
    Http,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum SamplerName {
    AlwaysOn,
    AlwaysOff,
    #[serde(rename = "traceidratio")]
    Ratio,
    #[serde(rename = "parentbased_always_on")]
    ParentsOn,
    #[serde(rename = "parentbased_always_off")]
    ParentsOff,
    #[serde(rename = "parentbased_traceidratio")]
    ParentsRatio,
}

/// A collector.
#[derive(Clone)]
pub struct Target {
    /// Where it is; over HTTP with the path that messages go to.
    pub endpoint: Url,
    /// How it is spoken to.
    pub protocol: Protocol,
    /// What goes along with every message.
    pub headers: HeaderMap,
    /// How long it may take to answer.
    pub timeout: Duration,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Target")
            .field("protocol", &self.protocol)
            .finish_non_exhaustive()
    }
}

/// How telemetry of the gateway itself is sent.
#[derive(Clone)]
pub struct OtlpConfig {
    /// Who takes traces; `None` sends none.
    pub traces: Option<Target>,
    /// Who takes metrics; `None` sends none.
    pub metrics: Option<Target>,
    /// How often metrics are sent.
    pub metrics_every: Duration,
    /// What the process is called, if the operator says so.
    pub service_name: Option<String>,
    /// What is said of the process besides.
    pub resource_attributes: Vec<(String, String)>,
    /// Which traces are recorded.
    pub sampler: Sampler,
    /// Whether spans say whose request it was, by the ids of key, user and team.
    pub names_callers: bool,
    /// What is counted of it.
    pub counts: Counts,
}

impl Default for OtlpConfig {
    /// Nothing is sent.
    fn default() -> Self {
        Self {
            traces: None,
            metrics: None,
            metrics_every: Duration::from_secs(60),
            service_name: None,
            resource_attributes: Vec::new(),
            sampler: Sampler {
                heeds_parents: true,
                ratio: 1.0,
            },
            names_callers: false,
            counts: Counts::default(),
        }
    }
}

impl std::fmt::Debug for OtlpConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OtlpConfig")
            .field("traces", &self.traces)
            .field("metrics", &self.metrics)
            .finish_non_exhaustive()
    }
}

impl OtlpConfig {
    /// How much was sent and dropped, for the ops port; nothing where nothing is sent.
    #[must_use]
    pub fn registry(&self) -> Option<SharedRegistry> {
        let is_sent = self.traces.is_some() || self.metrics.is_some();
        is_sent.then(|| Arc::clone(&self.counts.registry))
    }

    /// Where telemetry is sent; the same collector twice if it takes both kinds.
    pub fn collectors(&self) -> impl Iterator<Item = &Url> {
        [&self.traces, &self.metrics]
            .into_iter()
            .flatten()
            .map(|target| &target.endpoint)
    }

    pub(super) fn resource(&self, service: &'static str, instance: &str) -> Resource {
        let named = self
            .resource_attributes
            .iter()
            .map(|(key, value)| KeyValue::new(key.clone(), value.clone()));
        let mut attributes = vec![
            KeyValue::new("service.name", service),
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            KeyValue::new("service.instance.id", instance.to_owned()),
        ];
        attributes.extend(named);
        attributes.extend(
            self.service_name
                .clone()
                .map(|name| KeyValue::new("service.name", name)),
        );
        // Of several with one name the last counts.
        Resource::builder_empty().with_attributes(attributes).build()
    }
}

impl OtlpSection {
    /// Checks the section.
    ///
    /// # Errors
    /// The key that is wrong, and what is wrong with it. Headers are not repeated.
    pub fn check(self) -> Result<OtlpConfig, (&'static str, String)> {
        let traces = self.target(Signal::Traces)?;
        let metrics = self.target(Signal::Metrics)?;
        Ok(OtlpConfig {
            traces,
            metrics,
            metrics_every: at_least("otlp.metrics_interval_ms", self.metrics_interval_ms)?,
            service_name: Some(self.service_name).filter(|name| !name.is_empty()),
            resource_attributes: pairs(&self.resource_attributes).ok_or_else(|| {
                let example =
                    "is not a list such as deployment.environment.name=production,service.namespace=ai";
                ("otlp.resource_attributes", example.to_owned())
            })?,
            sampler: sampler(self.sampler, &self.sampler_arg)?,
            names_callers: self.callers,
            counts: Counts::default(),
        })
    }

    /// Where one kind of telemetry goes.
    fn target(&self, signal: Signal) -> Result<Option<Target>, (&'static str, String)> {
        let (of, [endpoint_key, protocol_key, headers_key, timeout_key]) = match signal {
            Signal::Traces => (&self.traces, TRACES_KEYS),
            Signal::Metrics => (&self.metrics, METRICS_KEYS),
        };
        let for_both = headers("otlp.headers", &self.headers)?;
        let timeout = match of.timeout_ms {
            0 => at_least("otlp.timeout_ms", self.timeout_ms)?,
            ms => at_least(timeout_key, ms)?,
        };
        let protocol = match of.protocol.trim() {
            "" => self.protocol,
            "grpc" => Protocol::Grpc,
            "http/protobuf" => Protocol::Http,
            other => {
                let reason = format!("is `{other}`; it must be grpc or http/protobuf");
                return Err((protocol_key, reason));
            }
        };
        let endpoint = match (of.endpoint.trim(), self.endpoint.trim()) {
            ("", "") => return Ok(None),
            // The address of both is that of the collector; that of one is the whole address.
            ("", both) => {
                let mut url = address("otlp.endpoint", both)?;
                if protocol == Protocol::Http {
                    let path = format!("{}/v1/{}", url.path().trim_end_matches('/'), signal.as_str());
                    url.set_path(&path);
                }
                url
            }
            (one, _) => address(endpoint_key, one)?,
        };
        Ok(Some(Target {
            endpoint,
            protocol,
            headers: match of.headers.trim() {
                "" => for_both,
                own => headers(headers_key, own)?,
            },
            timeout,
        })
        .filter(|_| !self.disabled))
    }

    /// What may be shown of it.
    #[must_use]
    pub fn dump(&self) -> serde_json::Value {
        let set = |text: &str| if text.is_empty() { "" } else { "(set)" };
        serde_json::json!({
            "endpoint": crate::config::without_password(&self.endpoint),
            "protocol": self.protocol,
            "headers": set(&self.headers),
            "timeout_ms": self.timeout_ms,
            "metrics_interval_ms": self.metrics_interval_ms,
            "service_name": self.service_name,
            "resource_attributes": self.resource_attributes,
            "sampler": self.sampler,
            "sampler_arg": self.sampler_arg,
            "disabled": self.disabled,
            "callers": self.callers,
            "traces": self.traces.dump(),
            "metrics": self.metrics.dump(),
        })
    }
}

impl SignalSection {
    fn dump(&self) -> serde_json::Value {
        serde_json::json!({
            "endpoint": crate::config::without_password(&self.endpoint),
            "protocol": self.protocol,
            "headers": if self.headers.is_empty() { "" } else { "(set)" },
            "timeout_ms": self.timeout_ms,
        })
    }
}

/// A kind of telemetry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    Traces,
    Metrics,
}

impl Signal {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Metrics => "metrics",
        }
    }
}

/// Address, protocol, headers and timeout of one kind of telemetry.
const TRACES_KEYS: [&str; 4] = [
    "otlp.traces.endpoint",
    "otlp.traces.protocol",
    "otlp.traces.headers",
    "otlp.traces.timeout_ms",
];
const METRICS_KEYS: [&str; 4] = [
    "otlp.metrics.endpoint",
    "otlp.metrics.protocol",
    "otlp.metrics.headers",
    "otlp.metrics.timeout_ms",
];

fn address(key: &'static str, text: &str) -> Result<Url, (&'static str, String)> {
    Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        .ok_or_else(|| {
            (
                key,
                "is not an http(s) URL such as http://collector:4317".to_owned(),
            )
        })
}

fn at_least(key: &'static str, ms: u64) -> Result<Duration, (&'static str, String)> {
    if (100..=3_600_000).contains(&ms) {
        return Ok(Duration::from_millis(ms));
    }
    Err((key, format!("is {ms}; it must be between 100 and 3600000")))
}

fn sampler(name: SamplerName, argument: &str) -> Result<Sampler, (&'static str, String)> {
    let ratio = || match argument.trim() {
        "" => Ok(1.0),
        text => text
            .parse::<f64>()
            .ok()
            .filter(|ratio| (0.0..=1.0).contains(ratio))
            .ok_or_else(|| {
                (
                    "otlp.sampler_arg",
                    format!("is {text}; it must be a share from 0 to 1"),
                )
            }),
    };
    let (heeds_parents, ratio) = match name {
        SamplerName::AlwaysOn => (false, 1.0),
        SamplerName::AlwaysOff => (false, 0.0),
        SamplerName::Ratio => (false, ratio()?),
        SamplerName::ParentsOn => (true, 1.0),
        SamplerName::ParentsOff => (true, 0.0),
        SamplerName::ParentsRatio => (true, ratio()?),
    };
    Ok(Sampler { heeds_parents, ratio })
}

/// A list of `name=value`, whose values may be percent-encoded.
fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let each = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
    each.map(|pair| {
        let (name, value) = pair.split_once('=')?;
        let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
        let name = name.trim();
        (!name.is_empty()).then(|| (name.to_owned(), value.into_owned()))
    })
    .collect()
}

fn headers(key: &'static str, text: &str) -> Result<HeaderMap, (&'static str, String)> {
    let wrong = || {
        let example = "is not a list such as api-key=SECRET,tenant=one";
        (key, example.to_owned())
    };
    let mut headers = HeaderMap::new();
    for (name, value) in pairs(text).ok_or_else(wrong)? {
        let name = HeaderName::from_bytes(name.to_lowercase().as_bytes()).map_err(|_| wrong())?;
        let mut value = HeaderValue::from_str(&value).map_err(|_| wrong())?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests;
