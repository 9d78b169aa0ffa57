//! What the data plane tells OpenTelemetry of requests: a span for each, one below it for every attempt at Bedrock, and
//! metrics, all by the semantic conventions for generative AI.
//!
//! Nothing of a conversation is told: models, counts, times and outcomes. Whose request it was is told by ids, and only if
//! the operator wants it.
//!
//! <https://opentelemetry.io/docs/specs/semconv/gen-ai/>

use crate::bedrock::fault::Fault;
use crate::usage::Start;
use ccag_daemon::otlp::{Histogram, KeyValue, Otlp, Span};
use ccag_domain::routing::Candidate;
use ccag_domain::{Outcome, Problem, RequestId, UsageRecord};
use http::HeaderMap;
use std::sync::Arc;
use std::time::Duration;

const OPERATION: &str = "chat";
const PROVIDER: &str = "aws.bedrock";
const ROUTE: &str = "/v1/messages";

/// The buckets that the conventions name for tokens.
const TOKENS: [f64; 14] = [
    1.0,
    4.0,
    16.0,
    64.0,
    256.0,
    1_024.0,
    4_096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];

/// For how long the whole takes, in seconds.
const DURATION: [f64; 14] = [
    0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
];

/// For how long it takes until the first token, in seconds.
const FIRST_TOKEN: [f64; 16] = [
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];

/// What is told, and how.
pub(crate) struct GenAi {
    otlp: Otlp,
    tokens: Histogram<u64>,
    duration: Histogram<f64>,
    first_token: Histogram<f64>,
}

impl GenAi {
    pub(crate) fn new(otlp: Otlp) -> Self {
        let meter = otlp.meter();
        Self {
            tokens: meter
                .u64_histogram("gen_ai.client.token.usage")
                .with_unit("{token}")
                .with_description("Input and output tokens of a request")
                .with_boundaries(TOKENS.to_vec())
                .build(),
            duration: meter
                .f64_histogram("gen_ai.client.operation.duration")
                .with_unit("s")
                .with_description("From a request's arrival to its end")
                .with_boundaries(DURATION.to_vec())
                .build(),
            first_token: meter
                .f64_histogram("gen_ai.server.time_to_first_token")
                .with_unit("s")
                .with_description("From a request's arrival to its first content")
                .with_boundaries(FIRST_TOKEN.to_vec())
                .build(),
            otlp,
        }
    }

    /// Begins the span of a request that has arrived.
    pub(crate) fn serve(self: &Arc<Self>, headers: &HeaderMap, request_id: &RequestId) -> Box<Trace> {
        let mut request = self.otlp.serve(format!("POST {ROUTE}"), headers);
        request.set("http.request.method", "POST");
        request.set("http.route", ROUTE);
        request.set("url.path", ROUTE);
        request.set("ccag.request.id", request_id.as_str());
        Box::new(Trace {
            request,
            attempt: None,
            stop_reason: None,
            model: String::new(),
            max_output: 0,
            by: Arc::clone(self),
        })
    }

    /// Measures a request that has ended.
    pub(crate) fn recorded(&self, record: &UsageRecord) {
        let mut about = vec![
            KeyValue::new("gen_ai.operation.name", OPERATION),
            KeyValue::new("gen_ai.provider.name", PROVIDER),
            KeyValue::new("gen_ai.request.model", record.model.to_string()),
            KeyValue::new("gen_ai.response.model", record.bedrock_model.clone()),
        ];
        for (kind, count) in [
            ("input", record.tokens.prompt()),
            ("output", record.tokens.output),
        ] {
            if count > 0 {
                about.push(KeyValue::new("gen_ai.token.type", kind));
                self.tokens.record(count, &about);
                about.pop();
            }
        }
        if let Some(ms) = record.first_token_ms {
            self.first_token.record(seconds(ms), &about);
        }
        if let Some(error) = error_type(record) {
            about.push(KeyValue::new("error.type", error.to_owned()));
        }
        self.duration.record(seconds(record.duration_ms), &about);
    }
}

fn seconds(ms: u32) -> f64 {
    Duration::from_millis(ms.into()).as_secs_f64()
}

/// The name of what went wrong, if anything did.
fn error_type(record: &UsageRecord) -> Option<&str> {
    match record.outcome {
        Outcome::Completed => None,
        Outcome::Abandoned => Some("abandoned"),
        Outcome::Failed | Outcome::Cut => Some(record.error.as_deref().unwrap_or(record.outcome.as_str())),
    }
}

/// The spans of a request.
pub(crate) struct Trace {
    request: Span,
    attempt: Option<Span>,
    stop_reason: Option<String>,
    model: String,
    max_output: u64,
    by: Arc<GenAi>,
}

impl Trace {
    /// The request is understood.
    pub(crate) fn asked(&mut self, start: &Start) {
        self.model = start.model.to_string();
        self.max_output = start.max_output;
        if !self.request.is_recorded() {
            return;
        }
        self.request.set("gen_ai.operation.name", OPERATION);
        self.request.set("gen_ai.provider.name", PROVIDER);
        self.request.set("gen_ai.request.model", self.model.as_str());
        if self.by.otlp.names_callers() {
            let caller = &start.caller;
            self.request.set("ccag.key.id", caller.key_id.as_str());
            if let Some(user) = &caller.user_id {
                self.request.set("ccag.user.id", user.as_str());
            }
            if let Some(team) = &caller.team_id {
                self.request.set("ccag.team.id", team.as_str());
            }
            if let Some(session) = &start.session_id {
                self.request.set("gen_ai.conversation.id", session.as_str());
            }
        }
    }

    /// Bedrock is about to be asked, at this address.
    pub(crate) fn trying(&mut self, candidate: &Candidate, base_url: Option<&str>) {
        let name = format!("{OPERATION} {}", self.model);
        let mut span = self.by.otlp.call(name, Some(self.request.context()));
        if span.is_recorded() {
            span.set("gen_ai.operation.name", OPERATION);
            span.set("gen_ai.provider.name", PROVIDER);
            span.set("gen_ai.request.model", self.model.as_str());
            span.set("gen_ai.request.max_tokens", self.max_output);
            span.set("ccag.endpoint.id", candidate.endpoint.id.as_str());
            span.set("ccag.lane", candidate.lane.as_str());
            if let Some(url) = base_url.and_then(|url| url::Url::parse(url).ok()) {
                span.set("server.address", url.host_str().unwrap_or_default());
                span.set("server.port", url.port_or_known_default().unwrap_or_default());
            }
        }
        self.attempt = Some(span);
    }

    /// The attempt has failed.
    pub(crate) fn faulted(&mut self, fault: &Fault) {
        if let Some(mut span) = self.attempt.take() {
            span.fail(&fault.error.kind);
            if let Some(id) = &fault.aws_request_id {
                span.set("aws.request_id", id.as_str());
            }
        }
    }

    /// Why the model stopped.
    pub(crate) fn stopped(&mut self, reason: Option<&str>) {
        self.stop_reason = reason.map(str::to_owned);
    }

    /// A call is over, and the request goes on with others.
    pub(crate) fn carried(&mut self) {
        self.attempt = None;
    }

    /// The request has ended.
    pub(crate) fn finished(mut self, record: &UsageRecord) {
        if let Some(mut span) = self.attempt.take() {
            self.usage(&mut span, record);
            if let Some(id) = &record.aws_request_id {
                span.set("aws.request_id", id.as_str());
            }
            if let Some(error) = error_type(record) {
                span.fail(error);
            }
        }
        let mut request = self.request;
        request.set("http.response.status_code", record.status);
        if !request.is_recorded() {
            return;
        }
        tell_usage(&mut request, record, self.stop_reason);
        if let Some(error) = error_type(record) {
            request.fail(error);
        }
    }

    fn usage(&self, span: &mut Span, record: &UsageRecord) {
        if span.is_recorded() {
            tell_usage(span, record, self.stop_reason.clone());
        }
    }

    /// The request was answered without a record.
    pub(crate) fn refused(mut self, problem: &Problem) {
        self.attempt = None;
        let status = problem.code.status();
        self.request.set("http.response.status_code", status);
        // What a client did wrong is no error of a server's, by the conventions.
        if status >= 500 {
            self.request.fail(problem.code.slug());
        } else {
            self.request.set("error.type", problem.code.slug());
        }
    }
}

fn tell_usage(span: &mut Span, record: &UsageRecord, stop_reason: Option<String>) {
    let tokens = &record.tokens;
    span.set("gen_ai.response.model", record.bedrock_model.as_str());
    span.set("gen_ai.usage.input_tokens", tokens.prompt());
    span.set("gen_ai.usage.output_tokens", tokens.output);
    span.set("gen_ai.usage.cache_read.input_tokens", tokens.cache_read);
    span.set(
        "gen_ai.usage.cache_creation.input_tokens",
        tokens.cache_write_5m + tokens.cache_write_1h,
    );
    if let Some(reason) = stop_reason {
        span.set("gen_ai.response.finish_reasons", vec![reason]);
    }
}
