//! What the data plane counts. Label values are bounded: canonical model names, statuses, and names that come from outside only
//! up to a limit. [`catalogue`] says what each metric is called and by what its labels are bounded.

mod aliases;
mod catalogue;

pub use aliases::ALIASES;
pub(crate) use aliases::FailedAttempt;
pub use catalogue::ALL as METRICS;
pub(crate) use catalogue::{
    CONFIGURATION_AGE, CONFIGURATION_TRUST, CONFIGURATION_TRUSTED, QUOTA_COUNTED, QUOTA_LIMIT,
    QUOTA_PASSED_OVER, QUOTA_SHARE_REFUSED,
};

use crate::usage::Accounts;
use aliases::Aliases;
use ccag_domain::{EndpointId, Lane, ModelName, Tokens, Trouble, UsageRecord};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// So many different names of dropped betas and fields are counted by name; all others together.
const MAX_DROPPED_NAMES: usize = 200;

/// So many of Bedrock's names of errors are.
const MAX_ERRORS: usize = 64;

/// Labels of a finished request.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    outcome: &'static str,
    status: u16,
    model: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TokenLabels {
    class: &'static str,
    model: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ErrorLabels {
    error: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DroppedLabels {
    kind: &'static str,
    name: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct GuardrailLabels {
    stage: &'static str,
    lane: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SearchLabels {
    provider: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ProbeLabels {
    lane: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DropLabels {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TroubleLabels {
    endpoint_id: String,
    model: String,
    cause: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FailureLabels {
    endpoint_id: String,
    cause: &'static str,
}

/// All metrics.
#[derive(Debug)]
pub(crate) struct Metrics {
    requests: Family<RequestLabels, Counter>,
    tokens: Family<TokenLabels, Counter>,
    upstream_errors: Family<ErrorLabels, Counter>,
    searches: Family<SearchLabels, Counter>,
    dropped: Family<DroppedLabels, Counter>,
    passed: Family<DroppedLabels, Counter>,
    dropped_names: Mutex<HashSet<String>>,
    error_names: Mutex<HashSet<String>>,
    guardrails: Family<GuardrailLabels, Counter>,
    lane_probes: Family<ProbeLabels, Counter>,
    first_token: Histogram,
    duration: Histogram,
    pub(crate) in_flight: Gauge,
    pub(crate) body_memory: Gauge,
    pub(crate) bodies_refused: Counter,
    pub(crate) telemetry_relayed: Counter,
    pub(crate) telemetry_dropped: Counter,
    troubles: Family<TroubleLabels, Gauge>,
    failures: Family<FailureLabels, Counter>,
    pub(crate) budget_refused: Counter,
    pub(crate) rate_limited: Counter,
    pub(crate) allowance_messages: Counter,
    pub(crate) allowance_waits: Counter,
    spool_records: Gauge,
    usage_spooled: Gauge,
    usage_unaccounted: Gauge,
    usage_emitted: Counter,
    pub(crate) spool_bytes: Gauge,
    usage_delivered: Counter,
    usage_quarantined: Counter,
    pub(crate) applied_revision: Gauge,
    pub(crate) rejected_objects: Counter,
    pub(crate) control_connected: Gauge,
    pub(crate) pings: Counter,
    explanations_dropped: Family<DropLabels, Counter>,
    authentication_failures: Family<DropLabels, Counter>,
    pub(crate) usage_delivery_failures: Counter,
    aliases: Option<Aliases>,
}

impl Metrics {
    /// Makes the metrics and registers them.
    pub(crate) fn new(registry: &mut Registry) -> Self {
        let metrics = Self {
            requests: Family::default(),
            tokens: Family::default(),
            upstream_errors: Family::default(),
            searches: Family::default(),
            dropped: Family::default(),
            passed: Family::default(),
            dropped_names: Mutex::default(),
            error_names: Mutex::default(),
            guardrails: Family::default(),
            lane_probes: Family::default(),
            first_token: Histogram::new(exponential_buckets(0.05, 2.0, 14)),
            duration: Histogram::new(exponential_buckets(0.05, 2.0, 16)),
            in_flight: Gauge::default(),
            body_memory: Gauge::default(),
            bodies_refused: Counter::default(),
            telemetry_relayed: Counter::default(),
            telemetry_dropped: Counter::default(),
            troubles: Family::default(),
            failures: Family::default(),
            budget_refused: Counter::default(),
            rate_limited: Counter::default(),
            allowance_messages: Counter::default(),
            allowance_waits: Counter::default(),
            spool_records: Gauge::default(),
            usage_spooled: Gauge::default(),
            usage_unaccounted: Gauge::default(),
            usage_emitted: Counter::default(),
            spool_bytes: Gauge::default(),
            usage_delivered: Counter::default(),
            usage_quarantined: Counter::default(),
            applied_revision: Gauge::default(),
            rejected_objects: Counter::default(),
            control_connected: Gauge::default(),
            pings: Counter::default(),
            explanations_dropped: Family::default(),
            authentication_failures: Family::default(),
            usage_delivery_failures: Counter::default(),
            aliases: None,
        };
        metrics.register(registry);
        metrics
    }

    /// The same metrics, also by the names of the existing gateway.
    pub(crate) fn with_aliases(mut self, registry: &mut Registry) -> Self {
        self.aliases = Some(Aliases::new(registry, &self));
        self
    }

    fn register(&self, r: &mut Registry) {
        catalogue::REQUESTS.register(r, self.requests.clone());
        catalogue::TOKENS.register(r, self.tokens.clone());
        catalogue::UPSTREAM_ERRORS.register(r, self.upstream_errors.clone());
        catalogue::SEARCHES.register(r, self.searches.clone());
        catalogue::DROPPED.register(r, self.dropped.clone());
        catalogue::UNKNOWN_PASSED.register(r, self.passed.clone());
        catalogue::BUDGET_REFUSED.register(r, self.budget_refused.clone());
        catalogue::RATE_LIMITED.register(r, self.rate_limited.clone());
        catalogue::ALLOWANCE_MESSAGES.register(r, self.allowance_messages.clone());
        catalogue::ALLOWANCE_WAITS.register(r, self.allowance_waits.clone());
        catalogue::GUARDRAILS.register(r, self.guardrails.clone());
        catalogue::LANE_PROBES.register(r, self.lane_probes.clone());
        catalogue::FIRST_TOKEN.register(r, self.first_token.clone());
        catalogue::DURATION.register(r, self.duration.clone());
        catalogue::IN_FLIGHT.register(r, self.in_flight.clone());
        catalogue::BODY_MEMORY.register(r, self.body_memory.clone());
        catalogue::BODIES_REFUSED.register(r, self.bodies_refused.clone());
        catalogue::TELEMETRY_RELAYED.register(r, self.telemetry_relayed.clone());
        catalogue::TELEMETRY_DROPPED.register(r, self.telemetry_dropped.clone());
        catalogue::ENDPOINT_TROUBLE.register(r, self.troubles.clone());
        catalogue::ENDPOINT_FAILURES.register(r, self.failures.clone());
        catalogue::SPOOL_RECORDS.register(r, self.spool_records.clone());
        catalogue::SPOOL_BYTES.register(r, self.spool_bytes.clone());
        catalogue::USAGE_DELIVERED.register(r, self.usage_delivered.clone());
        catalogue::USAGE_QUARANTINED.register(r, self.usage_quarantined.clone());
        catalogue::USAGE_EMITTED.register(r, self.usage_emitted.clone());
        catalogue::USAGE_SPOOLED.register(r, self.usage_spooled.clone());
        catalogue::USAGE_UNACCOUNTED.register(r, self.usage_unaccounted.clone());
        catalogue::APPLIED_REVISION.register(r, self.applied_revision.clone());
        catalogue::REJECTED_OBJECTS.register(r, self.rejected_objects.clone());
        catalogue::CONTROL_CONNECTED.register(r, self.control_connected.clone());
        catalogue::PINGS.register(r, self.pings.clone());
        catalogue::EXPLANATIONS_DROPPED.register(r, self.explanations_dropped.clone());
        catalogue::AUTHENTICATION_FAILURES.register(r, self.authentication_failures.clone());
        catalogue::USAGE_DELIVERY_FAILURES.register(r, self.usage_delivery_failures.clone());
    }

    /// What became of usage records up to now.
    pub(crate) fn usage(&self, accounts: &Accounts) {
        let gauge = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        self.spool_records.set(gauge(accounts.spooled));
        self.usage_spooled.set(gauge(accounts.spooled));
        self.usage_unaccounted.set(accounts.unaccounted());
        for (counter, value) in [
            (&self.usage_emitted, accounts.emitted),
            (&self.usage_delivered, accounts.delivered),
            (&self.usage_quarantined, accounts.quarantined),
        ] {
            // Several may say so at once, in any order.
            counter.inner().fetch_max(value, Ordering::Relaxed);
        }
    }

    /// An endpoint was at fault.
    pub(crate) fn endpoint_failed(&self, endpoint: &EndpointId, trouble: Trouble) {
        let labels = FailureLabels {
            endpoint_id: endpoint.to_string(),
            cause: trouble.as_str(),
        };
        self.failures.get_or_create(&labels).inc();
    }

    /// These endpoints, or models of them, are out of order, and no others.
    pub(crate) fn troubles<'t>(&self, out: impl Iterator<Item = (&'t EndpointId, Option<&'t str>, Trouble)>) {
        self.troubles.clear();
        for (endpoint, model, trouble) in out {
            let labels = TroubleLabels {
                endpoint_id: endpoint.to_string(),
                model: model.unwrap_or_default().to_owned(),
                cause: trouble.as_str(),
            };
            self.troubles.get_or_create(&labels).set(1);
        }
    }

    /// A request that was answered without asking Bedrock.
    pub(crate) fn refused(&self, status: u16, model: Option<&ModelName>) {
        let model = model.map(ToString::to_string).unwrap_or_default();
        self.requests
            .get_or_create(&RequestLabels {
                outcome: "refused",
                status,
                model,
            })
            .inc();
    }

    /// A request that reached Bedrock and has ended.
    pub(crate) fn recorded(&self, record: &UsageRecord) {
        let model = record.model.to_string();
        let labels = RequestLabels {
            outcome: record.outcome.as_str(),
            status: record.status,
            model: model.clone(),
        };
        self.requests.get_or_create(&labels).inc();
        let Tokens {
            input,
            output,
            cache_read,
            cache_write_5m,
            cache_write_1h,
        } = record.tokens;
        for (class, count) in [
            ("input", input),
            ("output", output),
            ("cache_read", cache_read),
            ("cache_write_5m", cache_write_5m),
            ("cache_write_1h", cache_write_1h),
        ] {
            if count > 0 {
                self.tokens
                    .get_or_create(&TokenLabels {
                        class,
                        model: model.clone(),
                    })
                    .inc_by(count);
            }
        }
        if let Some(ms) = record.first_token_ms {
            self.first_token
                .observe(Duration::from_millis(ms.into()).as_secs_f64());
        }
        self.duration
            .observe(Duration::from_millis(record.duration_ms.into()).as_secs_f64());
        if let Some(aliases) = &self.aliases {
            aliases.recorded(record);
        }
    }

    /// Somebody is not let in; `shows_a_key` if they tried.
    pub(crate) fn not_let_in(&self, shows_a_key: bool) {
        let reason = if shows_a_key { "invalid_key" } else { "missing_key" };
        self.authentication_failures
            .get_or_create(&DropLabels { reason })
            .inc();
    }

    /// An attempt failed.
    pub(crate) fn attempt_failed(&self, attempt: &FailedAttempt<'_>) {
        self.upstream_error(attempt.error);
        if let Some(aliases) = &self.aliases {
            aliases.failed(attempt);
        }
    }

    /// Something went wrong at Bedrock. The names are AWS's, which are few; a name that is none is not taken.
    pub(crate) fn upstream_error(&self, name: &str) {
        let plain = name.len() <= 48 && name.bytes().all(|b| b.is_ascii_alphanumeric());
        let known = plain && is_among(&self.error_names, MAX_ERRORS, name);
        let error = if known { name } else { "Other" }.to_owned();
        self.upstream_errors.get_or_create(&ErrorLabels { error }).inc();
    }

    /// A guardrail stepped in; `stage` is `input` or `output`.
    pub(crate) fn guardrail(&self, stage: &'static str, lane: Lane) {
        let lane = lane.as_str();
        self.guardrails
            .get_or_create(&GuardrailLabels { stage, lane })
            .inc();
    }

    /// A lane was probed.
    pub(crate) fn lane_probe(&self, lane: Lane, serves: bool) {
        let labels = ProbeLabels {
            lane: lane.as_str(),
            outcome: if serves { "serves" } else { "failed" },
        };
        self.lane_probes.get_or_create(&labels).inc();
    }

    /// A search service was asked; `outcome` is `ok` or the failure's name.
    pub(crate) fn searched(&self, provider: &'static str, outcome: &'static str) {
        self.searches
            .get_or_create(&SearchLabels { provider, outcome })
            .inc();
    }

    /// What explains a refusal was let go; `reason` is `full` or `repeated`.
    pub(crate) fn explanation_dropped(&self, reason: &'static str) {
        self.explanations_dropped
            .get_or_create(&DropLabels { reason })
            .inc();
    }

    /// Something of the client's did not go to Bedrock.
    pub(crate) fn dropped(&self, kind: &'static str, name: &str) {
        let name = self.bounded(name);
        self.dropped.get_or_create(&DroppedLabels { kind, name }).inc();
    }

    /// Something that nobody here has heard of went to Bedrock, or came from it, all the same.
    pub(crate) fn passed(&self, kind: &'static str, name: &str) {
        let name = self.bounded(name);
        self.passed.get_or_create(&DroppedLabels { kind, name }).inc();
    }

    /// A name that clients or Bedrock make up, as a label: `other` once there are too many.
    fn bounded(&self, name: &str) -> String {
        let known = name.len() <= 80 && is_among(&self.dropped_names, MAX_DROPPED_NAMES, name);
        if known { name } else { "other" }.to_owned()
    }
}

/// Whether a name is among the first `most` that were ever asked for.
fn is_among(names: &Mutex<HashSet<String>>, most: usize, name: &str) -> bool {
    let mut names = names.lock().unwrap_or_else(PoisonError::into_inner);
    names.contains(name) || (names.len() < most && names.insert(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::encoding::text::encode;

    #[test]
    fn clients_cannot_make_up_any_number_of_label_values() {
        let mut registry = Registry::default();
        let metrics = Metrics::new(&mut registry);
        for n in 0..1_000 {
            metrics.dropped("beta", &format!("beta-{n}"));
        }
        metrics.upstream_error("ThrottlingException");
        metrics.upstream_error("no such \"thing\"");
        for n in 0..1_000 {
            metrics.upstream_error(&format!("Made{n}Up"));
        }
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        assert_eq!(text.matches("kind=\"beta\"").count(), MAX_DROPPED_NAMES + 1);
        assert!(text.contains("name=\"other\"} 800"), "{text}");
        assert!(text.contains("error=\"ThrottlingException\"") && text.contains("error=\"Other\""));
        assert_eq!(
            text.matches("ccag_dataplane_upstream_errors_total{").count(),
            MAX_ERRORS + 1
        );
    }
}
