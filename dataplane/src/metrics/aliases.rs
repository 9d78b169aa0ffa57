//! The metrics of the existing Claude Code AWS Gateway (1.9), by its names and labels, so that dashboards and alerts that were
//! made for it go on. They are exposed where the operator asks for them.

use super::{Metrics, is_among};
use ccag_daemon::metric::{Label, Metric};
use ccag_domain::{EndpointId, Outcome, ToolCounts, UsageRecord};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::collections::HashSet;
use std::sync::Mutex;

/// So many tools are counted by name; all others together.
const MAX_TOOLS: usize = 200;

/// The buckets that its metrics library has where nothing else is said, in milliseconds.
const BUCKETS: [f64; 15] = [
    0.0, 5.0, 10.0, 25.0, 50.0, 75.0, 100.0, 250.0, 500.0, 750.0, 1_000.0, 2_500.0, 5_000.0, 7_500.0,
    10_000.0,
];

const MODEL: Label = Label::bounded("model", "the models of the catalogue");
const ENDPOINT: Label = Label::bounded("endpoint_id", "the endpoints that admins have made");
const OF_REQUEST: [Label; 3] = [
    MODEL,
    Label::one_of("streaming", &["true", "false"]),
    Label::one_of("status", &["ok", "error"]),
];

const REQUESTS: Metric = Metric::counter(
    "ccag_requests",
    "requests",
    "Requests that reached Bedrock; `ok` where the client has the whole answer",
)
.by(&OF_REQUEST);
const DURATION: Metric = Metric::histogram(
    "ccag_request_duration_ms",
    "milliseconds",
    "From arrival to the end",
)
.by(&OF_REQUEST);
const IN_FLIGHT: Metric = Metric::gauge(
    "ccag_requests_in_flight",
    "requests",
    "Model requests that are open now",
);
const INPUT: Metric =
    Metric::counter("ccag_tokens_input", "tokens", "Input tokens that no cache had").by(&[MODEL]);
const OUTPUT: Metric = Metric::counter("ccag_tokens_output", "tokens", "Output tokens").by(&[MODEL]);
const CACHE_READ: Metric = Metric::counter(
    "ccag_tokens_cache_read",
    "tokens",
    "Tokens read from prompt caches",
)
.by(&[MODEL]);
const CACHE_WRITE: Metric = Metric::counter(
    "ccag_tokens_cache_write",
    "tokens",
    "Tokens written to prompt caches",
)
.by(&[MODEL]);
const TOOL_CALLS: Metric = Metric::counter(
    "ccag_tool_calls",
    "answers",
    "Answers in which a tool was called, by the tool",
)
.by(&[
    Label::bounded("tool", "the first 200 names; all others are `other`"),
    Label::one_of("type", &["builtin", "mcp"]),
]);
const WEB_SEARCHES: Metric = Metric::counter(
    "ccag_web_searches",
    "searches",
    "Web searches that gave something",
);
const ERRORS: Metric = Metric::counter("ccag_errors", "attempts", "Failed attempts at Bedrock").by(&[
    Label::one_of("error_type", &["bedrock_invoke", "bedrock_stream", "parse_error"]),
    ENDPOINT,
]);
const ENDPOINT_REQUESTS: Metric = Metric::counter(
    "ccag_endpoint_requests",
    "requests",
    "Requests by the endpoint that ended them",
)
.by(&[ENDPOINT]);
const THROTTLES: Metric = Metric::counter(
    "ccag_bedrock_throttles",
    "attempts",
    "Attempts that Bedrock throttled",
)
.by(&[MODEL, ENDPOINT]);
const RATE_LIMITS: Metric = Metric::counter(
    "ccag_rate_limits",
    "requests",
    "Requests that were sent away for a while",
);
const AUTH_FAILURES: Metric = Metric::counter(
    "ccag_auth_failures",
    "requests",
    "Requests that showed no key, or none that is good here",
)
.by(&[Label::one_of("reason", &["missing_key", "invalid_key"])]);
const FLUSH_ERRORS: Metric = Metric::counter(
    "ccag_spend_flush_errors",
    "attempts",
    "Times that the delivery of usage records was interrupted",
);
const QUARANTINED: Metric = Metric::counter(
    "ccag_spend_records_quarantined",
    "records",
    "Usage records put aside by the control plane, in the life of the spool",
);

/// The aliases, each beside the metric that says more.
pub const ALIASES: &[(Metric, &str)] = &[
    (REQUESTS, "ccag_dataplane_requests"),
    (DURATION, "ccag_dataplane_duration_seconds"),
    (IN_FLIGHT, "ccag_dataplane_in_flight"),
    (INPUT, "ccag_dataplane_tokens"),
    (OUTPUT, "ccag_dataplane_tokens"),
    (CACHE_READ, "ccag_dataplane_tokens"),
    (CACHE_WRITE, "ccag_dataplane_tokens"),
    (TOOL_CALLS, ""),
    (WEB_SEARCHES, "ccag_dataplane_web_searches"),
    (ERRORS, "ccag_dataplane_upstream_errors"),
    (ENDPOINT_REQUESTS, ""),
    (THROTTLES, "ccag_dataplane_endpoint_failures"),
    (RATE_LIMITS, "ccag_dataplane_rate_limited"),
    (AUTH_FAILURES, "ccag_dataplane_authentication_failures"),
    (FLUSH_ERRORS, "ccag_dataplane_usage_delivery_failures"),
    (QUARANTINED, "ccag_dataplane_usage_quarantined"),
];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfRequest {
    model: String,
    streaming: &'static str,
    status: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfModel {
    model: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfEndpoint {
    endpoint_id: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfTool {
    tool: String,
    r#type: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfError {
    error_type: &'static str,
    endpoint_id: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfThrottle {
    model: String,
    endpoint_id: String,
}

/// What is counted for the aliases alone; the others show what is counted anyway.
#[derive(Debug)]
pub(super) struct Aliases {
    requests: Family<OfRequest, Counter>,
    duration: Family<OfRequest, Histogram>,
    /// Input, output, cache read, cache write.
    tokens: [Family<OfModel, Counter>; 4],
    tool_calls: Family<OfTool, Counter>,
    tools: Mutex<HashSet<String>>,
    web_searches: Counter,
    errors: Family<OfError, Counter>,
    endpoint_requests: Family<OfEndpoint, Counter>,
    throttles: Family<OfThrottle, Counter>,
}

impl Aliases {
    /// Makes and registers them.
    pub(super) fn new(registry: &mut Registry, of: &Metrics) -> Self {
        let aliases = Self {
            requests: Family::default(),
            duration: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            tokens: Default::default(),
            tool_calls: Family::default(),
            tools: Mutex::default(),
            web_searches: Counter::default(),
            errors: Family::default(),
            endpoint_requests: Family::default(),
            throttles: Family::default(),
        };
        REQUESTS.register(registry, aliases.requests.clone());
        DURATION.register(registry, aliases.duration.clone());
        IN_FLIGHT.register(registry, of.in_flight.clone());
        for (metric, class) in [INPUT, OUTPUT, CACHE_READ, CACHE_WRITE]
            .into_iter()
            .zip(&aliases.tokens)
        {
            metric.register(registry, class.clone());
        }
        TOOL_CALLS.register(registry, aliases.tool_calls.clone());
        WEB_SEARCHES.register(registry, aliases.web_searches.clone());
        ERRORS.register(registry, aliases.errors.clone());
        ENDPOINT_REQUESTS.register(registry, aliases.endpoint_requests.clone());
        THROTTLES.register(registry, aliases.throttles.clone());
        RATE_LIMITS.register(registry, of.rate_limited.clone());
        AUTH_FAILURES.register(registry, of.authentication_failures.clone());
        FLUSH_ERRORS.register(registry, of.usage_delivery_failures.clone());
        QUARANTINED.register(registry, of.usage_quarantined.clone());
        aliases
    }

    fn called(&self, tools: &ToolCounts) {
        for called in tools.calls().iter().filter(|called| called.calls > 0) {
            let tool = &called.name;
            let r#type = if tool.starts_with("mcp__") {
                "mcp"
            } else {
                "builtin"
            };
            let is_known = tool != ToolCounts::OTHER && is_among(&self.tools, MAX_TOOLS, tool);
            let tool = if is_known { tool } else { "other" }.to_owned();
            let calls = self.tool_calls.get_or_create(&OfTool { tool, r#type });
            calls.inc_by(called.calls.into());
        }
    }

    pub(super) fn recorded(&self, record: &UsageRecord) {
        let model = record.model.to_string();
        let labels = OfRequest {
            model: model.clone(),
            streaming: if record.streaming { "true" } else { "false" },
            status: if record.outcome == Outcome::Completed {
                "ok"
            } else {
                "error"
            },
        };
        self.requests.get_or_create(&labels).inc();
        self.duration
            .get_or_create(&labels)
            .observe(f64::from(record.duration_ms));
        let labels = OfModel { model };
        let tokens = &record.tokens;
        let counts = [
            tokens.input,
            tokens.output,
            tokens.cache_read,
            tokens.cache_write_5m + tokens.cache_write_1h,
        ];
        for (family, count) in self.tokens.iter().zip(counts) {
            if count > 0 {
                family.get_or_create(&labels).inc_by(count);
            }
        }
        self.web_searches.inc_by(record.web_searches.into());
        self.called(&record.tools);
        let labels = OfEndpoint {
            endpoint_id: record.endpoint_id.to_string(),
        };
        self.endpoint_requests.get_or_create(&labels).inc();
    }

    pub(super) fn failed(&self, attempt: &FailedAttempt<'_>) {
        let labels = OfError {
            error_type: match (attempt.error, attempt.streaming) {
                ("UnusableAnswer", _) => "parse_error",
                (_, true) => "bedrock_stream",
                (_, false) => "bedrock_invoke",
            },
            endpoint_id: attempt.endpoint.to_string(),
        };
        self.errors.get_or_create(&labels).inc();
        if attempt.is_throttled {
            let labels = OfThrottle {
                model: attempt.model.to_owned(),
                endpoint_id: attempt.endpoint.to_string(),
            };
            self.throttles.get_or_create(&labels).inc();
        }
    }
}

/// An attempt at Bedrock that failed.
pub(crate) struct FailedAttempt<'a> {
    /// Bedrock's name of what went wrong, or ours.
    pub(crate) error: &'a str,
    pub(crate) endpoint: &'a EndpointId,
    /// The model by its name in the catalogue.
    pub(crate) model: &'a str,
    pub(crate) streaming: bool,
    pub(crate) is_throttled: bool,
}
