//! The walk along a route: which endpoint answers, and when to try another.
//!
//! Another endpoint, or the same once more, is tried only while the client has seen nothing. The first event with content
//! is therefore read before the client gets a status: an exception in its place becomes a real status, or a failover.

use super::events::{Events, Step};
use super::fault::Fault;
use super::health::EndpointHealth;
use super::job::Job;
use super::{Call, Operation, Reply, Upstream, UpstreamBody};
use crate::metrics::Metrics;
use crate::profiles::{Learning, Pins, Rules};
use crate::usage::Ticket;
use bytes::{Bytes, BytesMut};
use ccag_domain::routing::Candidate;
use ccag_domain::{Problem, RequestId, Tokens};
use ccag_translate::error::{Retry, UpstreamError};
use ccag_translate::response::{self, HeaderCounts};
use http_body_util::BodyExt;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How many endpoints are tried at most: each costs the client time.
const MAX_ENDPOINTS: usize = 3;

/// The most that is read of an error's body, and for how long.
const ERROR_BYTES: usize = 64 * 1024;
const ERROR_TIME: Duration = Duration::from_secs(10);

/// The most that a whole answer may have: 128 000 tokens are about half a megabyte.
const ANSWER_BYTES: usize = 64 << 20;

/// What all walks share.
pub(crate) struct Bedrock {
    pub(crate) upstream: Arc<dyn Upstream>,
    pub(crate) health: EndpointHealth,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) pins: Pins,
    pub(crate) learning: Arc<Learning>,
    /// How long a stream that has begun may stay without content until the client gets its status and a ping.
    pub(crate) patience: Duration,
}

/// How often a request is sent again with less, after Bedrock has refused a part of it.
const MAX_REDUCTIONS: u32 = 4;

/// Bedrock answers.
pub(crate) enum Answer {
    Stream(Box<Opened>),
    Whole(Box<Whole>),
}

/// A stream that has begun.
pub(crate) struct Opened {
    pub(crate) events: Events,
    pub(crate) upstream: UpstreamBody,
    /// What the client is to get first.
    pub(crate) out: Vec<u8>,
    /// How the stream stands: the last step that was read.
    pub(crate) last: Step,
    /// Whether a ping is due already.
    pub(crate) silent: bool,
    pub(crate) aws_request_id: Option<String>,
    /// The rules by which Bedrock took the request in the end.
    pub(crate) rules: Rules,
    pub(crate) ticket: Ticket,
}

/// A whole answer.
pub(crate) struct Whole {
    pub(crate) body: Bytes,
    pub(crate) tokens: Tokens,
    pub(crate) aws_request_id: Option<String>,
    pub(crate) ticket: Ticket,
}

/// No endpoint answers.
pub(crate) struct Failure {
    pub(crate) ticket: Ticket,
    pub(crate) problem: Problem,
    pub(crate) name: String,
    pub(crate) tokens: Tokens,
    pub(crate) aws_request_id: Option<String>,
}

/// An answer without its ticket.
enum Answered {
    Stream(Box<Begun>),
    Whole { body: Bytes, tokens: Tokens },
}

/// A stream that has begun, without its ticket.
struct Begun {
    events: Events,
    upstream: UpstreamBody,
    out: Vec<u8>,
    last: Step,
    silent: bool,
}

/// Tries the candidates in order, those that were in trouble lately last.
pub(crate) async fn walk(
    bedrock: Arc<Bedrock>,
    mut route: Vec<Candidate>,
    mut job: Job,
    mut ticket: Ticket,
) -> Result<Answer, Box<Failure>> {
    bedrock.health.order(&mut route);
    let mut spent = Tokens::default();
    let mut again = true;
    let mut reductions = MAX_REDUCTIONS;
    let mut last = Fault::no_route();
    for candidate in route.iter().take(MAX_ENDPOINTS) {
        job.meet(candidate, &bedrock.learning);
        loop {
            ticket.attempt(candidate);
            let fault = match once(&bedrock, candidate, &job, &mut ticket).await {
                Ok((answered, aws_request_id)) => {
                    bedrock.health.succeeded(candidate);
                    job.source
                        .rules
                        .worked(candidate, &bedrock.pins, &bedrock.learning);
                    return Ok(finish(answered, aws_request_id, job.source.rules, ticket));
                }
                Err(fault) => fault,
            };
            bedrock.health.failed(candidate, fault.error.health);
            report(&bedrock.metrics, &ticket, candidate, &fault);
            if !fault.reached {
                ticket.not_reached();
            }
            spent += fault.tokens;
            last = fault;
            match &last.error.retry {
                Retry::Never => return Err(failure(last, spent, ticket)),
                Retry::SameOnce if again => again = false,
                Retry::RefreshCredentials if again => {
                    again = false;
                    bedrock.upstream.forget_credentials(&candidate.endpoint);
                }
                Retry::Reduced(by) => {
                    if reductions == 0 || !job.reduce(by) {
                        return Err(failure(last, spent, ticket));
                    }
                    reductions -= 1;
                }
                Retry::OtherHistory => {
                    if reductions == 0 || !job.other_history(candidate) {
                        return Err(failure(last, spent, ticket));
                    }
                    reductions -= 1;
                }
                Retry::NextEndpoint | Retry::SameOnce | Retry::RefreshCredentials => break,
            }
        }
    }
    Err(failure(last, spent, ticket))
}

fn finish(answered: Answered, aws_request_id: Option<String>, rules: Rules, ticket: Ticket) -> Answer {
    match answered {
        Answered::Stream(begun) => {
            let Begun {
                events,
                upstream,
                out,
                last,
                silent,
            } = *begun;
            let opened = Opened {
                events,
                upstream,
                out,
                last,
                silent,
                aws_request_id,
                rules,
                ticket,
            };
            Answer::Stream(Box::new(opened))
        }
        Answered::Whole { body, tokens } => Answer::Whole(Box::new(Whole {
            body,
            tokens,
            aws_request_id,
            ticket,
        })),
    }
}

fn failure(last: Fault, tokens: Tokens, ticket: Ticket) -> Box<Failure> {
    let UpstreamError { kind, problem, .. } = last.error;
    Box::new(Failure {
        ticket,
        problem,
        name: kind,
        tokens,
        aws_request_id: last.aws_request_id,
    })
}

fn report(metrics: &Metrics, ticket: &Ticket, candidate: &Candidate, fault: &Fault) {
    metrics.upstream_error(&fault.error.kind);
    // What Bedrock says about a request may quote it, and no word of a conversation reaches the log.
    let detail = if fault.error.kind == "ValidationException" {
        "(told to the client)"
    } else {
        &fault.detail
    };
    tracing::warn!(
        request_id = %ticket.request_id(),
        endpoint = candidate.endpoint.name,
        endpoint_id = %candidate.endpoint.id,
        model = candidate.model.id,
        error = fault.error.kind,
        detail,
        aws_request_id = fault.aws_request_id,
        "an attempt at Bedrock failed"
    );
}

/// One attempt, until there is content, a whole answer, or a fault.
async fn once(
    bedrock: &Bedrock,
    candidate: &Candidate,
    job: &Job,
    ticket: &mut Ticket,
) -> Result<(Answered, Option<String>), Fault> {
    let call = Call {
        endpoint: &candidate.endpoint,
        model: &candidate.model.id,
        operation: if job.streaming {
            Operation::InvokeStream
        } else {
            Operation::Invoke
        },
        body: job.body.clone(),
    };
    let reply = bedrock
        .upstream
        .call(call)
        .await
        .map_err(|error| Fault::of_call(&error))?;
    let aws_request_id = reply.aws_request_id();
    ticket.answered(aws_request_id.clone());
    let answered = if !reply.status.is_success() {
        Err(refused(reply, &job.model_said, bedrock.health.throttles(candidate)).await)
    } else if job.streaming {
        begin(reply, job, ticket.request_id(), bedrock.patience)
            .await
            .map(|begun| Answered::Stream(Box::new(begun)))
    } else {
        whole(reply, job).await
    };
    match answered {
        Ok(answered) => Ok((answered, aws_request_id)),
        Err(fault) => Err(Fault {
            aws_request_id,
            ..fault
        }),
    }
}

/// Reads the reason of a refusal.
async fn refused(reply: Reply, model: &str, throttles: u32) -> Fault {
    let Reply {
        status,
        headers,
        body,
    } = reply;
    let bytes = match tokio::time::timeout(ERROR_TIME, collect(body, ERROR_BYTES)).await {
        Ok(Ok(bytes)) => bytes,
        // The status and the type in the header still say something.
        Ok(Err(_)) | Err(_) => Bytes::new(),
    };
    Fault::of_refusal(status, &headers, &bytes, model, throttles)
}

/// Reads a whole answer.
async fn whole(reply: Reply, job: &Job) -> Result<Answered, Fault> {
    let count = |name: &str| reply.headers.get(name)?.to_str().ok()?.parse().ok();
    let counts = HeaderCounts {
        input: count("x-amzn-bedrock-input-token-count"),
        output: count("x-amzn-bedrock-output-token-count"),
        cache_read: count("x-amzn-bedrock-cache-read-input-token-count"),
        cache_write: count("x-amzn-bedrock-cache-write-input-token-count"),
    };
    let collected = collect(reply.body, ANSWER_BYTES)
        .await
        .map_err(|detail| Fault::cut(&detail))?;
    let translated =
        response::translate(&collected, &job.model_said, counts, job.writes_1h).map_err(Fault::unusable)?;
    Ok(Answered::Whole {
        body: translated.body.into(),
        tokens: translated.tokens,
    })
}

/// Reads a stream up to its first content.
async fn begin(reply: Reply, job: &Job, request_id: &RequestId, patience: Duration) -> Result<Begun, Fault> {
    let mut upstream = reply.body;
    let mut events = Events::new(job, request_id);
    let mut out = Vec::new();
    let mut deadline = Instant::now() + patience;
    loop {
        let frame = match tokio::time::timeout_at(deadline, upstream.frame()).await {
            Ok(frame) => frame,
            Err(_) => {
                return Ok(Begun {
                    events,
                    upstream,
                    out,
                    last: Step::Opening,
                    silent: true,
                });
            }
        };
        match frame {
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    events.feed(&data);
                }
            }
            Some(Err(error)) => {
                let fault = Fault::cut(&describe(error.as_ref()));
                return Err(Fault {
                    tokens: events.tokens().0,
                    ..fault
                });
            }
            None => events.end(),
        }
        while let Some(step) = events.next(&mut out) {
            match step {
                Step::Opening => {}
                Step::Ended(reason) => {
                    return Err(Fault {
                        tokens: events.tokens().0,
                        ..Fault::of_end(reason)
                    });
                }
                last @ (Step::Content | Step::Last) => {
                    return Ok(Begun {
                        events,
                        upstream,
                        out,
                        last,
                        silent: false,
                    });
                }
            }
        }
        deadline = Instant::now() + patience;
    }
}

/// Reads a whole body of at most `limit` bytes.
///
/// # Errors
/// What went wrong, for logs.
pub(crate) async fn collect(mut body: UpstreamBody, limit: usize) -> Result<Bytes, String> {
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| describe(error.as_ref()))?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > limit {
            return Err(format!("the answer is longer than {limit} bytes"));
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes.freeze())
}

/// An error and its causes.
pub(crate) fn describe(error: &(dyn std::error::Error + Send + Sync + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
