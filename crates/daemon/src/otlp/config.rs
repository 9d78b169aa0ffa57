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

/// How telemetry of the gateway itself is sent.
#[derive(Clone)]
pub struct OtlpConfig {
    /// The collector; `None` sends nothing.
    pub endpoint: Option<Url>,
    /// How it is spoken to.
    pub protocol: Protocol,
    /// What goes along with every message.
    pub headers: HeaderMap,
    /// How long the collector may take to answer.
    pub timeout: Duration,
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
            endpoint: None,
            protocol: Protocol::Grpc,
            headers: HeaderMap::new(),
            timeout: Duration::from_secs(10),
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
            .field("enabled", &self.endpoint.is_some())
            .field("protocol", &self.protocol)
            .finish_non_exhaustive()
    }
}

impl OtlpConfig {
    /// How much was sent and dropped, for the ops port; nothing where nothing is sent.
    #[must_use]
    pub fn registry(&self) -> Option<SharedRegistry> {
        self.endpoint.as_ref().map(|_| Arc::clone(&self.counts.registry))
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
        let endpoint = match self.endpoint.trim() {
            "" => None,
            _ if self.disabled => None,
            text => Some(
                Url::parse(text)
                    .ok()
                    .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
                    .ok_or_else(|| {
                        let example = "is not an http(s) URL such as http://collector:4317";
                        ("otlp.endpoint", example.to_owned())
                    })?,
            ),
        };
        Ok(OtlpConfig {
            endpoint,
            protocol: self.protocol,
            headers: headers(&self.headers)?,
            timeout: at_least("otlp.timeout_ms", self.timeout_ms)?,
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
        })
    }
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

fn headers(text: &str) -> Result<HeaderMap, (&'static str, String)> {
    let wrong = || {
        let example = "is not a list such as api-key=SECRET,tenant=one";
        ("otlp.headers", example.to_owned())
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
mod tests {
    use super::*;

    fn section(change: impl FnOnce(&mut OtlpSection)) -> OtlpSection {
        let mut section = OtlpSection {
            endpoint: "http://collector:4317".into(),
            protocol: Protocol::Grpc,
            headers: "Authorization=Bearer%20abc, tenant=one".into(),
            timeout_ms: 10_000,
            metrics_interval_ms: 60_000,
            service_name: String::new(),
            resource_attributes: "service.namespace=ai,service.name=theirs".into(),
            sampler: SamplerName::ParentsRatio,
            sampler_arg: "0.25".into(),
            disabled: false,
            callers: false,
        };
        change(&mut section);
        section
    }

    #[test]
    fn what_opentelemetrys_variables_say_is_understood() {
        let config = section(|_| {}).check().unwrap();
        assert_eq!(config.headers["authorization"], "Bearer abc");
        assert!(config.headers["authorization"].is_sensitive());
        assert_eq!(
            config.sampler,
            Sampler {
                heeds_parents: true,
                ratio: 0.25
            }
        );
        let name = |config: &OtlpConfig| {
            let resource = config.resource("ccag-dataplane", "i");
            resource.get(&"service.name".into()).unwrap().to_string()
        };
        assert_eq!(name(&config), "theirs");
        let config = section(|s| s.service_name = "named".into()).check().unwrap();
        assert_eq!(name(&config), "named");
        assert_eq!(section(|s| s.disabled = true).check().unwrap().endpoint, None);
    }

    #[test]
    fn what_is_wrong_is_named_and_secrets_are_not_repeated() {
        for (key, wrong) in [
            ("otlp.endpoint", section(|s| s.endpoint = "collector:4317".into())),
            ("otlp.headers", section(|s| s.headers = "hunter2".into())),
            ("otlp.sampler_arg", section(|s| s.sampler_arg = "2".into())),
            ("otlp.timeout_ms", section(|s| s.timeout_ms = 0)),
            (
                "otlp.resource_attributes",
                section(|s| s.resource_attributes = "a".into()),
            ),
        ] {
            let (named, reason) = wrong.check().unwrap_err();
            assert_eq!(named, key);
            assert!(!reason.contains("hunter2"));
        }
        let shown = section(|s| s.endpoint = "https://me:hunter2@collector".into()).dump();
        assert_eq!(shown["sampler"], "parentbased_traceidratio");
        assert_eq!(shown["protocol"], "grpc");
        let shown = shown.to_string();
        assert!(!shown.contains("hunter2") && !shown.contains("abc"), "{shown}");
    }
}
