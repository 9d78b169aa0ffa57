//! What the data plane counts, by name: for the registry, and for docs/metrics.md.

use ccag_daemon::metric::{Label, Metric};

const MODEL: Label = Label::bounded("model", "the models of the catalogue; empty where none is known");
const ENDPOINT: Label = Label::bounded("endpoint_id", "the endpoints that admins have made");
const BEDROCK_MODEL: Label = Label::bounded(
    "model",
    "the models of an endpoint as Bedrock calls them; empty for all of them",
);
const LANE: Label = Label::one_of("lane", &["invoke-model", "messages", "mantle"]);
const CAUSE: Label = Label::one_of(
    "cause",
    &[
        "unreachable",
        "unavailable",
        "throttled",
        "daily_quota",
        "credentials",
        "model_missing",
    ],
);
const THING: [Label; 2] = [
    Label::one_of(
        "kind",
        &[
            "beta",
            "field",
            "content",
            "tool",
            "tool_type",
            "event",
            "answer_block",
            "delta",
        ],
    ),
    Label::bounded(
        "name",
        "the first 200 names, of both metrics together; all others are `other`",
    ),
];

pub(super) const REQUESTS: Metric = Metric::counter(
    "ccag_dataplane_requests",
    "requests",
    "Model requests by ending; `refused` never reached Bedrock",
)
.by(&[
    Label::one_of("outcome", &["completed", "failed", "cut", "abandoned", "refused"]),
    Label::bounded(
        "status",
        "the statuses of docs/errors.md, 200, and 499 for a client that went away",
    ),
    MODEL,
]);
pub(super) const TOKENS: Metric =
    Metric::counter("ccag_dataplane_tokens", "tokens", "Tokens by class").by(&[
        Label::one_of(
            "class",
            &[
                "input",
                "output",
                "cache_read",
                "cache_write_5m",
                "cache_write_1h",
            ],
        ),
        MODEL,
    ]);
pub(super) const UPSTREAM_ERRORS: Metric = Metric::counter(
    "ccag_dataplane_upstream_errors",
    "attempts",
    "Failed attempts by Bedrock's error type",
)
.by(&[Label::bounded(
    "error",
    "the first 64 names of letters and digits; all others are `Other`",
)]);
pub(super) const AUTHENTICATION_FAILURES: Metric = Metric::counter(
    "ccag_dataplane_authentication_failures",
    "requests",
    "Requests that showed no key, or none that is good here",
)
.by(&[Label::one_of("reason", &["missing_key", "invalid_key"])]);
pub(super) const SEARCHES: Metric = Metric::counter(
    "ccag_dataplane_web_searches",
    "searches",
    "Web searches by service and outcome",
)
.by(&[
    Label::one_of(
        "provider",
        &[
            "duckduckgo",
            "tavily",
            "serper",
            "brave",
            "searxng",
            "custom",
            "none",
        ],
    ),
    Label::one_of(
        "outcome",
        &[
            "ok",
            "too_many_requests",
            "bad_query",
            "query_too_long",
            "bad_key",
            "misconfigured",
            "private_address",
            "status",
            "unreadable",
            "timed_out",
            "unreachable",
        ],
    ),
]);
pub(super) const DROPPED: Metric = Metric::counter(
    "ccag_dataplane_dropped",
    "parts of requests and answers",
    "Betas, fields and whatever else the rules leave out of requests and answers, by name",
)
.by(&THING);
pub(super) const UNKNOWN_PASSED: Metric = Metric::counter(
    "ccag_dataplane_unknown_passed",
    "parts of requests and answers",
    "Tool types, content, events and whatever else no rule names and that passed all the same, by name",
)
.by(&THING);
pub(super) const BUDGET_REFUSED: Metric = Metric::counter(
    "ccag_dataplane_budget_refused",
    "requests",
    "Requests that were refused because a budget is used up",
);
pub(super) const RATE_LIMITED: Metric = Metric::counter(
    "ccag_dataplane_rate_limited",
    "requests",
    "Requests that were sent away for a while: a limit was reached, or a budget had set aside all that was left",
);
pub(super) const ALLOWANCE_MESSAGES: Metric = Metric::counter(
    "ccag_dataplane_allowance_messages",
    "messages",
    "Messages to the control plane about shares of budgets and limits",
);
pub(super) const ALLOWANCE_WAITS: Metric = Metric::counter(
    "ccag_dataplane_allowance_waits",
    "waits",
    "Times that a request waited for the control plane to grant a share of a budget or limit",
);
pub(super) const GUARDRAILS: Metric = Metric::counter(
    "ccag_dataplane_guardrail_interventions",
    "requests",
    "Requests that a guardrail stepped into, by what it found fault with and by lane",
)
.by(&[Label::one_of("stage", &["input", "output"]), LANE]);
pub(super) const LANE_PROBES: Metric = Metric::counter(
    "ccag_dataplane_lane_probes",
    "requests",
    "Requests of the gateway's own to find out whether a lane serves a model",
)
.by(&[LANE, Label::one_of("outcome", &["serves", "failed"])]);
pub(super) const FIRST_TOKEN: Metric = Metric::histogram(
    "ccag_dataplane_first_token_seconds",
    "seconds",
    "From arrival to the first content",
);
pub(super) const DURATION: Metric = Metric::histogram(
    "ccag_dataplane_duration_seconds",
    "seconds",
    "From arrival to the end",
);
pub(super) const IN_FLIGHT: Metric = Metric::gauge(
    "ccag_dataplane_in_flight",
    "requests",
    "Model requests that are open now",
);
pub(super) const BODY_MEMORY: Metric = Metric::gauge(
    "ccag_dataplane_body_memory_bytes",
    "bytes",
    "Memory set aside for the bodies of requests that Bedrock has not answered yet",
);
pub(super) const BODIES_REFUSED: Metric = Metric::counter(
    "ccag_dataplane_bodies_refused",
    "requests",
    "Requests that were refused because the memory for bodies was used up",
);
pub(super) const TELEMETRY_RELAYED: Metric = Metric::counter(
    "ccag_dataplane_telemetry_relayed",
    "messages",
    "Messages of clients' own telemetry that were passed on to collectors",
);
pub(super) const TELEMETRY_DROPPED: Metric = Metric::counter(
    "ccag_dataplane_telemetry_dropped",
    "messages",
    "Messages of clients' own telemetry that were dropped: too large, or more than collectors take",
);
pub(super) const ENDPOINT_TROUBLE: Metric = Metric::gauge(
    "ccag_dataplane_endpoint_trouble",
    "1",
    "1 for an endpoint, or a Bedrock model of it, that is tried last until it answers again, with what is wrong",
)
.by(&[ENDPOINT, BEDROCK_MODEL, CAUSE]);
pub(super) const ENDPOINT_FAILURES: Metric = Metric::counter(
    "ccag_dataplane_endpoint_failures",
    "attempts",
    "Attempts that an endpoint was at fault for, by what was wrong",
)
.by(&[ENDPOINT, CAUSE]);
pub(super) const SPOOL_RECORDS: Metric = Metric::gauge(
    "ccag_dataplane_spool_records",
    "records",
    "Usage records not yet acknowledged",
);
pub(super) const SPOOL_BYTES: Metric = Metric::gauge(
    "ccag_dataplane_spool_bytes",
    "bytes",
    "Bytes of the usage spool on disk",
);
pub(super) const USAGE_DELIVERED: Metric = Metric::counter(
    "ccag_dataplane_usage_delivered",
    "records",
    "Usage records that are in the ledger, in the life of the spool",
);
pub(super) const USAGE_DELIVERY_FAILURES: Metric = Metric::counter(
    "ccag_dataplane_usage_delivery_failures",
    "attempts",
    "Times that the delivery of usage records was interrupted; they wait in the spool and are delivered again",
);
pub(super) const USAGE_QUARANTINED: Metric = Metric::counter(
    "ccag_dataplane_usage_quarantined",
    "records",
    "Usage records put aside by the control plane, in the life of the spool",
);
pub(super) const USAGE_EMITTED: Metric = Metric::counter(
    "ccag_dataplane_usage_emitted",
    "records",
    "Usage records that were made, in the life of the spool",
);
pub(super) const USAGE_SPOOLED: Metric = Metric::gauge(
    "ccag_dataplane_usage_spooled",
    "records",
    "Usage records that wait in the spool",
);
pub(super) const USAGE_UNACCOUNTED: Metric = Metric::gauge(
    "ccag_dataplane_usage_unaccounted",
    "records",
    "Usage records that were made and are neither delivered nor put aside nor in the spool: being written just now, or lost",
);
pub(super) const APPLIED_REVISION: Metric = Metric::gauge(
    "ccag_dataplane_applied_revision",
    "revision",
    "Revision of the configuration in use",
);
pub(super) const REJECTED_OBJECTS: Metric = Metric::counter(
    "ccag_dataplane_rejected_objects",
    "objects",
    "Pushed objects that could not be used",
);
pub(super) const CONTROL_CONNECTED: Metric = Metric::gauge(
    "ccag_dataplane_control_connected",
    "1",
    "1 while the control plane is connected",
);
pub(super) const PINGS: Metric = Metric::counter(
    "ccag_dataplane_pings",
    "pings",
    "Pings sent while Bedrock was silent",
);
pub(super) const EXPLANATIONS_DROPPED: Metric = Metric::counter(
    "ccag_dataplane_explanations_dropped",
    "refusals",
    "Refusals that cannot be explained: `full` where too many waited to be delivered, `repeated` where a key had too many",
)
.by(&[Label::one_of("reason", &["full", "repeated"])]);
pub(crate) const QUOTA_SHARE_REFUSED: Metric = Metric::counter(
    "ccag_dataplane_quota_share_refused",
    "requests",
    "Requests that were sent away because a quota is short and their team has its share, by the endpoint that came first",
)
.by(&[ENDPOINT]);
pub(crate) const QUOTA_PASSED_OVER: Metric = Metric::counter(
    "ccag_dataplane_quota_passed_over",
    "requests",
    "Requests that went to another endpoint first, because the quotas of this one had no room for them",
)
.by(&[ENDPOINT]);
const QUOTA: [Label; 4] = [
    ENDPOINT,
    MODEL,
    Label::one_of(
        "scope",
        &["cross_region", "global", "on_demand", "regional", "all"],
    ),
    Label::one_of(
        "kind",
        &["tokens_per_minute", "requests_per_minute", "tokens_per_day"],
    ),
];
pub(crate) const QUOTA_LIMIT: Metric = Metric::gauge(
    "ccag_dataplane_quota_limit",
    "tokens or requests",
    "What AWS lets an account use of a model in a minute, for quotas that requests have counted against",
)
.by(&QUOTA);
pub(crate) const QUOTA_COUNTED: Metric = Metric::gauge(
    "ccag_dataplane_quota_counted",
    "tokens or requests",
    "What counts against it, as far as this data plane knows: set aside for what runs, and used in the last minute, here and \
     elsewhere",
)
.by(&QUOTA);
pub(crate) const CONFIGURATION_AGE: Metric = Metric::gauge(
    "ccag_dataplane_configuration_age_seconds",
    "seconds",
    "Since the control plane was last heard of; missing if it never was",
);
pub(crate) const CONFIGURATION_TRUST: Metric = Metric::gauge(
    "ccag_dataplane_configuration_trust_seconds",
    "seconds",
    "The age up to which the configuration is trusted",
);
pub(crate) const CONFIGURATION_TRUSTED: Metric = Metric::gauge(
    "ccag_dataplane_configuration_trusted",
    "1",
    "1 while there is a configuration that is trusted; without one nothing is served",
);

/// What the data plane counts.
pub const ALL: &[Metric] = &[
    REQUESTS,
    TOKENS,
    FIRST_TOKEN,
    DURATION,
    IN_FLIGHT,
    AUTHENTICATION_FAILURES,
    BUDGET_REFUSED,
    RATE_LIMITED,
    UPSTREAM_ERRORS,
    ENDPOINT_TROUBLE,
    ENDPOINT_FAILURES,
    QUOTA_LIMIT,
    QUOTA_COUNTED,
    QUOTA_SHARE_REFUSED,
    QUOTA_PASSED_OVER,
    GUARDRAILS,
    LANE_PROBES,
    SEARCHES,
    DROPPED,
    UNKNOWN_PASSED,
    PINGS,
    BODY_MEMORY,
    BODIES_REFUSED,
    ALLOWANCE_MESSAGES,
    ALLOWANCE_WAITS,
    USAGE_EMITTED,
    USAGE_DELIVERED,
    USAGE_QUARANTINED,
    USAGE_SPOOLED,
    USAGE_UNACCOUNTED,
    USAGE_DELIVERY_FAILURES,
    SPOOL_RECORDS,
    SPOOL_BYTES,
    APPLIED_REVISION,
    CONFIGURATION_AGE,
    CONFIGURATION_TRUST,
    CONFIGURATION_TRUSTED,
    CONTROL_CONNECTED,
    REJECTED_OBJECTS,
    EXPLANATIONS_DROPPED,
    TELEMETRY_RELAYED,
    TELEMETRY_DROPPED,
];
