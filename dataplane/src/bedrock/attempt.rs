//! The walk along a route: which endpoint answers, and when to try another.
//!
//! Another endpoint, or the same once more, is tried only while the client has seen nothing. The first event with content
//! is therefore read before the client gets a status: an exception in its place becomes a real status, or a failover.

use super::events::{Events, Step};
use super::fault::Fault;
use super::health::EndpointHealth;
use super::homes::Homes;
use super::job::Job;
use super::lanes::{self, LaneTable, guard};
use super::left::{Left, Next};
use super::quota::{Asking, Quotas, Refused};
use super::reading::{begin, whole};
use super::throttling::Throttling;
use super::uncounted::Uncounted;
use super::{Call, Operation, Reply, Upstream, UpstreamBody};
use crate::metrics::{FailedAttempt, Metrics};
use crate::profiles::{Learning, Pins, Rules};
use crate::usage::Ticket;
use bytes::{Bytes, BytesMut};
use ccag_daemon::Lifecycle;
use ccag_domain::routing::{Candidate, drained_last};
use ccag_domain::{Lane, Problem, Tokens, ToolCounts, quota};
use ccag_translate::error::{Health, UpstreamError};
use http_body_util::BodyExt;
use std::sync::Arc;
use std::time::Duration;

/// How many endpoints are tried at most: each costs the client time.
const MAX_ENDPOINTS: usize = 3;

/// The most that is read of an error's body, and for how long.
pub(super) const ERROR_BYTES: usize = 64 * 1024;
pub(super) const ERROR_TIME: Duration = Duration::from_secs(10);

/// What all walks share.
pub(crate) struct Bedrock {
    pub(crate) upstream: Arc<dyn Upstream>,
    pub(crate) health: Arc<EndpointHealth>,
    pub(crate) homes: Arc<Homes>,
    pub(crate) uncounted: Uncounted,
    pub(crate) throttling: Throttling,
    pub(crate) quotas: Arc<Quotas>,
    pub(crate) lanes: LaneTable,
    /// For the probes of lanes.
    pub(crate) life: Lifecycle,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) pins: Pins,
    pub(crate) learning: Arc<Learning>,
    /// How long a stream that has begun may stay without content until the client gets its status and a ping.
    pub(crate) patience: Duration,
}

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
pub(super) enum Answered {
    Stream(Box<Begun>),
    Whole {
        body: Bytes,
        tokens: Tokens,
        stop_reason: Option<String>,
        tools: ToolCounts,
    },
}

/// A stream that has begun, without its ticket.
pub(super) struct Begun {
    pub(super) events: Events,
    pub(super) upstream: UpstreamBody,
    pub(super) out: Vec<u8>,
    pub(super) last: Step,
    pub(super) silent: bool,
}

/// Tries the candidates in order, those that were in trouble lately last.
pub(crate) async fn walk(
    bedrock: Arc<Bedrock>,
    mut route: Vec<Candidate>,
    mut job: Job,
    mut ticket: Ticket,
) -> Result<Answer, Box<Failure>> {
    let conversation = job.lane.asked.conversation;
    let Some(first) = route.first().map(|candidate| candidate.endpoint.id.clone()) else {
        return Err(failure(Fault::no_route(), Tokens::default(), ticket));
    };
    let is_sticky = job.lane.asked.is_sticky;
    if !(is_sticky && job.lane.asked.has_history) {
        drained_last(&mut route);
    }
    let moved = is_sticky && bedrock.homes.lead(&conversation, &mut route);
    let asking = asking(&job, &ticket);
    let admitted = bedrock
        .quotas
        .admit(&mut route, &asking, |home| bedrock.health.is_out(home))
        .await;
    let judged = match admitted {
        Ok(judged) => judged,
        Err(refused) => {
            let Refused { judged, fault } = *refused;
            ticket.routed(&route, (moved, &judged), &bedrock);
            return Err(failure(fault, Tokens::default(), ticket));
        }
    };
    bedrock.health.order(&mut route);
    ticket.routed(&route, (moved, &judged), &bedrock);
    let mut spent = Tokens::default();
    let mut left = Left::new(judged.waited.is_some());
    let mut last = Fault::no_route();
    let tried = route.len().min(MAX_ENDPOINTS);
    for (place, endpoint) in route.iter().take(tried).enumerate() {
        if place > 0 && last.error.health == Health::Throttled && judged.is_over_share(&endpoint.endpoint.id)
        {
            // Who has been throttled elsewhere does not take here what is left for others.
            break;
        }
        left.is_last = place + 1 == tried;
        let mut candidate = enter(&bedrock, endpoint, &job, &ticket);
        if let Err(problem) = job.meet(&candidate, &bedrock) {
            return Err(failure(
                Fault::refused_here("RequestRefused", problem),
                spent,
                ticket,
            ));
        }
        loop {
            ticket.attempt(&candidate);
            ticket.trying(&candidate, &job, bedrock.upstream.home_region());
            ticket.trace_trying(&candidate, bedrock.upstream.as_ref());
            ticket.hold(bedrock.quotas.reserve(&candidate, &asking));
            let fault = match once(&bedrock, &candidate, &job, &mut ticket).await {
                Ok((answered, aws_request_id)) => {
                    bedrock.health.succeeded(&candidate);
                    if is_sticky {
                        let by = &candidate.endpoint.id;
                        bedrock.homes.served(&conversation, &first, by);
                    }
                    ticket.worked(aws_request_id.as_deref());
                    job.rules().worked(&candidate, &bedrock.pins, &bedrock.learning);
                    return Ok(finish(answered, aws_request_id, job.source.rules, ticket));
                }
                Err(fault) => fault,
            };
            report(&bedrock.metrics, &ticket, &candidate, &job, &fault);
            ticket.faulted(&fault);
            ticket.trace_faulted(&fault);
            ticket.release(&fault.tokens);
            if !fault.reached {
                ticket.not_reached();
            }
            spent += fault.tokens;
            last = fault;
            if bedrock
                .lanes
                .leave(&candidate, &job.lane.asked, &last, !left.again)
            {
                candidate = endpoint.clone();
                ticket.leaves_lane();
                if let Err(problem) = job.meet(&candidate, &bedrock) {
                    last = Fault::refused_here("RequestRefused", problem);
                    return Err(failure(last, spent, ticket));
                }
                continue;
            }
            if let Some(extra) = bedrock.lanes.leave_out(&candidate, &last) {
                ticket.goes_without(extra.as_str());
                if let Err(problem) = job.meet(&candidate, &bedrock) {
                    last = Fault::refused_here("RequestRefused", problem);
                    return Err(failure(last, spent, ticket));
                }
                continue;
            }
            bedrock.health.failed(&candidate, last.error.health);
            bedrock
                .throttling
                .noticed(&candidate.endpoint.id, last.error.health);
            if last.error.health == Health::Throttled {
                bedrock.quotas.throttled(&candidate, &asking.model);
            }
            match left.next(&bedrock, &candidate, &mut job, &last) {
                Next::Nothing => return Err(failure(last, spent, ticket)),
                Next::Endpoint => break,
                Next::Again => {}
                Next::InAMoment => {
                    ticket.waits();
                    tokio::time::sleep(bedrock.health.moment()).await;
                }
                Next::After(wait) => tokio::time::sleep(wait).await,
            }
        }
    }
    Err(failure(last, spent, ticket))
}

/// What the request wants of quotas.
fn asking(job: &Job, ticket: &Ticket) -> Asking {
    let (prompt, most_output) = ticket.size();
    Asking {
        model: Arc::clone(&job.lane.asked.model),
        party: ticket.party(),
        tokens: quota::reserved(prompt, most_output),
        is_warm: job.lane.asked.is_warm,
        is_first: !ticket.reached_bedrock(),
    }
}

/// The lane that the job takes at an endpoint; a lane that it would rather take is looked for meanwhile.
fn enter(bedrock: &Arc<Bedrock>, endpoint: &Candidate, job: &Job, ticket: &Ticket) -> Candidate {
    if job.lane.needs_invoke_model(endpoint) {
        return endpoint.clone();
    }
    let asked = &job.lane.asked;
    let choice = bedrock
        .lanes
        .choose(endpoint, asked, bedrock.upstream.home_region());
    if let Some(probe) = choice.probe {
        match job.rules_on(probe.lane, bedrock) {
            Ok(rules) => {
                let own = (asked.clone(), rules, ticket.for_probe());
                let run = lanes::probe::run(Arc::clone(bedrock), probe, own);
                bedrock.life.spawn("probe of a lane", run);
            }
            Err(problem) => tracing::error!(%problem, lane = probe.lane.as_str(), "a lane cannot be probed"),
        }
    }
    choice.candidate
}

fn finish(answered: Answered, aws_request_id: Option<String>, rules: Rules, mut ticket: Ticket) -> Answer {
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
        Answered::Whole {
            body,
            tokens,
            stop_reason,
            tools,
        } => {
            ticket.stopped(stop_reason.as_deref());
            ticket.called(&tools);
            Answer::Whole(Box::new(Whole {
                body,
                tokens,
                aws_request_id,
                ticket,
            }))
        }
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

fn report(metrics: &Metrics, ticket: &Ticket, candidate: &Candidate, job: &Job, fault: &Fault) {
    metrics.attempt_failed(&FailedAttempt {
        error: &fault.error.kind,
        endpoint: &candidate.endpoint.id,
        model: job.lane.asked.model.name.as_str(),
        streaming: job.streaming,
        is_throttled: fault.error.health == Health::Throttled,
    });
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
pub(super) async fn once(
    bedrock: &Bedrock,
    candidate: &Candidate,
    job: &Job,
    ticket: &mut Ticket,
) -> Result<(Answered, Option<String>), Fault> {
    let guarded = job
        .lane
        .guardrail(candidate)
        .filter(|_| guard::is_applied_here(candidate.lane));
    if let Some(guardrail) = guarded {
        // Whatever comes of it, the model has not been asked.
        guard::check_input(bedrock, candidate, guardrail, job)
            .await
            .map_err(|fault| Fault {
                reached: false,
                ..fault
            })?;
    }
    let call = Call {
        endpoint: &candidate.endpoint,
        model: &candidate.model.id,
        operation: match candidate.lane {
            Lane::InvokeModel if job.streaming => Operation::InvokeStream,
            Lane::InvokeModel => Operation::Invoke,
            Lane::Messages => Operation::Messages,
            Lane::Mantle => Operation::Mantle,
        },
        subject: job.lane.subject.as_deref(),
        headers: job
            .headers(candidate, bedrock)
            .map_err(|problem| Fault::refused_here("GuardrailMisconfigured", problem))?,
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
        let throttles = bedrock.health.throttles(candidate);
        Err(refused(reply, &job.model_said, throttles)
            .await
            .of_passed(&job.passed))
    } else if job.streaming {
        begin(bedrock, candidate, reply, job, ticket.request_id())
            .await
            .map(|begun| Answered::Stream(Box::new(begun)))
    } else {
        whole(bedrock, candidate, reply, job).await
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
