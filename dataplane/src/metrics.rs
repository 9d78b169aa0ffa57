//! What the data plane counts. Label values are bounded: canonical model names, statuses, and names that clients chose only
//! up to a limit.

use crate::usage::Accounts;
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
        };
        metrics.register(registry.sub_registry_with_prefix("ccag_dataplane"));
        metrics
    }

    fn register(&self, r: &mut Registry) {
        r.register(
            "requests",
            "Model requests by ending; `refused` never reached Bedrock",
            self.requests.clone(),
        );
        r.register("tokens", "Tokens by class", self.tokens.clone());
        r.register(
            "upstream_errors",
            "Failed attempts by Bedrock's error type",
            self.upstream_errors.clone(),
        );
        r.register(
            "web_searches",
            "Web searches by service and outcome",
            self.searches.clone(),
        );
        r.register(
            "dropped",
            "Betas, fields and whatever else the rules leave out of requests and answers, by name",
            self.dropped.clone(),
        );
        r.register(
            "unknown_passed",
            "Tool types, content, events and whatever else no rule names and that passed all the same, by name",
            self.passed.clone(),
        );
        r.register(
            "budget_refused",
            "Requests that were refused because a budget is used up",
            self.budget_refused.clone(),
        );
        r.register(
            "rate_limited",
            "Requests that were sent away for a while: a limit was reached, or a budget had set aside all that was left",
            self.rate_limited.clone(),
        );
        r.register(
            "allowance_messages",
            "Messages to the control plane about shares of budgets and limits",
            self.allowance_messages.clone(),
        );
        r.register(
            "allowance_waits",
            "Times that a request waited for the control plane to grant a share of a budget or limit",
            self.allowance_waits.clone(),
        );
        r.register(
            "guardrail_interventions",
            "Requests that a guardrail stepped into, by what it found fault with and by lane",
            self.guardrails.clone(),
        );
        r.register(
            "lane_probes",
            "Requests of the gateway's own to find out whether a lane serves a model",
            self.lane_probes.clone(),
        );
        r.register(
            "first_token_seconds",
            "From arrival to the first content",
            self.first_token.clone(),
        );
        r.register(
            "duration_seconds",
            "From arrival to the end",
            self.duration.clone(),
        );
        r.register(
            "in_flight",
            "Model requests that are open now",
            self.in_flight.clone(),
        );
        r.register(
            "body_memory_bytes",
            "Memory set aside for the bodies of requests that Bedrock has not answered yet",
            self.body_memory.clone(),
        );
        r.register(
            "bodies_refused",
            "Requests that were refused because the memory for bodies was used up",
            self.bodies_refused.clone(),
        );
        r.register(
            "telemetry_relayed",
            "Messages of clients' own telemetry that were passed on to collectors",
            self.telemetry_relayed.clone(),
        );
        r.register(
            "telemetry_dropped",
            "Messages of clients' own telemetry that were dropped: too large, or more than collectors take",
            self.telemetry_dropped.clone(),
        );
        r.register(
            "endpoint_trouble",
            "1 for an endpoint, or a Bedrock model of it, that is tried last until it answers again, with what is wrong",
            self.troubles.clone(),
        );
        r.register(
            "endpoint_failures",
            "Attempts that an endpoint was at fault for, by what was wrong",
            self.failures.clone(),
        );
        r.register(
            "spool_records",
            "Usage records not yet acknowledged",
            self.spool_records.clone(),
        );
        r.register(
            "spool_bytes",
            "Bytes of the usage spool on disk",
            self.spool_bytes.clone(),
        );
        r.register(
            "usage_delivered",
            "Usage records that are in the ledger, in the life of the spool",
            self.usage_delivered.clone(),
        );
        r.register(
            "usage_quarantined",
            "Usage records put aside by the control plane, in the life of the spool",
            self.usage_quarantined.clone(),
        );
        r.register(
            "usage_emitted",
            "Usage records that were made, in the life of the spool",
            self.usage_emitted.clone(),
        );
        r.register(
            "usage_spooled",
            "Usage records that wait in the spool",
            self.usage_spooled.clone(),
        );
        r.register(
            "usage_unaccounted",
            "Usage records that were made and are neither delivered nor put aside nor in the spool: being written just now, or lost",
            self.usage_unaccounted.clone(),
        );
        r.register(
            "applied_revision",
            "Revision of the configuration in use",
            self.applied_revision.clone(),
        );
        r.register(
            "rejected_objects",
            "Pushed objects that could not be used",
            self.rejected_objects.clone(),
        );
        r.register(
            "control_connected",
            "1 while the control plane is connected",
            self.control_connected.clone(),
        );
        r.register("pings", "Pings sent while Bedrock was silent", self.pings.clone());
        r.register(
            "explanations_dropped",
            "Refusals that cannot be explained: `full` where too many waited to be delivered, `repeated` where a key had too many",
            self.explanations_dropped.clone(),
        );
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
    }

    /// An attempt failed. The names are AWS's, which are few; a name that is none is not taken.
    pub(crate) fn upstream_error(&self, name: &str) {
        let plain = name.len() <= 48 && name.bytes().all(|b| b.is_ascii_alphanumeric());
        let error = if plain { name } else { "Other" }.to_owned();
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
        let mut names = self.dropped_names.lock().unwrap_or_else(PoisonError::into_inner);
        let known = names.contains(name)
            || (names.len() < MAX_DROPPED_NAMES && name.len() <= 80 && names.insert(name.to_owned()));
        if known { name } else { "other" }.to_owned()
    }
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
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        assert_eq!(text.matches("kind=\"beta\"").count(), MAX_DROPPED_NAMES + 1);
        assert!(text.contains("name=\"other\"} 800"), "{text}");
        assert!(text.contains("error=\"ThrottlingException\"") && text.contains("error=\"Other\""));
    }
}
