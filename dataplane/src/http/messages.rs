//! `POST /v1/messages`, from top to bottom.

mod afford;
mod ending;
mod explained;
pub(super) mod route;

pub(super) use ending::{failed, not_recorded};

use super::error::{render, set_aws_request_id, set_request_id};
use super::memory::COPIES;
use super::{Gateway, body, search, session, sse};
use crate::admission;
use crate::allowance::{self, Notice, Reservation, Size};
use crate::auth::{Authenticated, authenticate, shows_a_key};
use crate::bedrock::attempt::{self, Answer};
use crate::bedrock::job::{Job, LaneJob, Source, pieces};
use crate::bedrock::lanes::Asked;
use crate::conversation::{self, ConversationKey};
use crate::explain::{Arrived, Stage};
use crate::metrics::Metrics;
use crate::permission;
use crate::profiles::Rules;
use crate::search::{Wanted, terms};
use crate::sync::ConfigView;
use crate::usage::{Start, Ticket};
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use ccag_domain::explanation::Routed;
use ccag_domain::routing::{self, Candidate, Strategy};
use ccag_domain::{Code, Model, ModelName, Problem, PromptFacts, RequestId, Subject, ToolCounts, UnixMs};
use ccag_translate::request::{self, Operation, Peeked};
use ccag_translate::search::Terms;
use http::{HeaderMap, HeaderValue};
use std::sync::Arc;
use tokio::time::Instant;

/// Bodies from this size on are read on a thread of their own, so that others' events do not wait for them.
const OFFLOAD_BYTES: usize = 512 * 1024;

/// Counts a request as open while it lives; a stream takes it along.
pub(super) struct InFlight(Arc<Metrics>);

impl InFlight {
    fn new(metrics: &Arc<Metrics>) -> Self {
        metrics.in_flight.inc();
        Self(Arc::clone(metrics))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.dec();
    }
}

/// A refusal that never reached Bedrock.
struct Refused {
    problem: Problem,
    model: Option<ModelName>,
    /// Where it might have gone, if it was refused because it cannot go there.
    route: Option<Box<Routed>>,
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self {
            problem,
            model: None,
            route: None,
        }
    }
}

/// From so many tokens on it is worth waiting a moment for the endpoint that has a conversation's prompts in its cache.
const WARM_TOKENS: u64 = 8_192;

/// What is known when the headers are in.
pub(super) struct Admitted {
    pub(super) view: Arc<ConfigView>,
    pub(super) who: Authenticated,
}

/// What is to be done, once the body is understood.
struct Plan {
    model: Arc<Model>,
    route: Vec<Candidate>,
    /// How the route was chosen.
    chosen_from: Routed,
    job: Job,
    /// The client's own wish: a request with searches is always streamed from Bedrock.
    streaming: bool,
    search: Option<Wanted>,
    session_id: Option<String>,
    agent_id: Option<String>,
    size: Size,
    /// What the prompt is known by.
    prompt: PromptFacts,
    /// Which tools its last message says to have failed.
    failed_tools: ToolCounts,
}

/// Serves one request.
pub(super) async fn handle(gateway: Arc<Gateway>, request: Request) -> Response {
    let request_id = gateway.request_id();
    let started = Instant::now();
    let started_at_ms = gateway.clock.now_ms();
    let in_flight = InFlight::new(&gateway.metrics);
    let arrived = Arrived {
        id: request_id.clone(),
        at_ms: started_at_ms,
    };
    let trace = gateway
        .recorder
        .genai
        .as_ref()
        .map(|genai| genai.serve(request.headers(), &request_id));
    let (admitted, mut plan) = match understand(Arc::clone(&gateway), request, &arrived).await {
        Ok(understood) => understood,
        Err(Refused { problem, model, .. }) => {
            gateway.metrics.refused(problem.code.status(), model.as_ref());
            if let Some(trace) = trace {
                trace.refused(&problem);
            }
            return render(&problem, &request_id);
        }
    };
    let mut explanation = explained::begun(&admitted, &mut plan, &arrived);
    let afforded = afford::afford(&gateway, &admitted, &mut plan, &mut explanation).await;
    let allowance::Admitted { reservation, notice } = match afforded {
        Ok(afforded) => afforded,
        Err(problem) => {
            refused(&gateway, &admitted, &problem, &request_id);
            explained::unaffordable(&gateway, explanation, &plan, &problem);
            gateway
                .metrics
                .refused(problem.code.status(), Some(&plan.model.name));
            if let Some(trace) = trace {
                trace.refused(&problem);
            }
            return render(&problem, &request_id);
        }
    };
    let arrived = (started_at_ms, started);
    let ticket = ticket(
        &gateway,
        &admitted,
        &plan,
        request_id.clone(),
        arrived,
        reservation,
    )
    .explained(explanation)
    .traced(trace);
    let Plan {
        route,
        job,
        streaming,
        search,
        ..
    } = plan;
    // From here on the configuration is no longer needed; a stream must not keep an old revision alive.
    drop(admitted);
    if let Some(wanted) = search {
        let task = search::Task {
            wanted,
            route,
            job,
            ticket,
            in_flight,
            streaming,
        };
        return with_notice(Box::pin(search::serve(&gateway, task)).await, notice.as_ref());
    }
    let response = match attempt::walk(Arc::clone(&gateway.bedrock), route, job, ticket).await {
        Ok(Answer::Stream(opened)) => {
            let aws_request_id = opened.aws_request_id.clone();
            let mut response = Response::new(Body::new(sse::StreamBody::new(&gateway, *opened, in_flight)));
            let headers = response.headers_mut();
            sse::set_headers(headers);
            set_request_id(headers, &request_id);
            set_aws_request_id(headers, aws_request_id.as_deref());
            response
        }
        Ok(Answer::Whole(whole)) => ending::whole_answer(*whole, &request_id).await,
        Err(failure) => failed(*failure, &gateway, &request_id).await,
    };
    with_notice(response, notice.as_ref())
}

/// Tells the client of its budget.
fn with_notice(mut response: Response, notice: Option<&Notice>) -> Response {
    if let Some(notice) = notice {
        notice.write(response.headers_mut());
    }
    response
}

/// Logs a refusal.
fn refused(gateway: &Gateway, admitted: &Admitted, problem: &Problem, request_id: &RequestId) {
    tracing::info!(
        %request_id,
        key_id = %admitted.who.caller.key_id,
        status = problem.code.status(),
        reason = problem.code.slug(),
        field = problem.field,
        "refused"
    );
    match problem.code {
        Code::BudgetExceeded => {
            gateway.metrics.budget_refused.inc();
        }
        Code::RateLimited => {
            gateway.metrics.rate_limited.inc();
        }
        _ => {}
    }
}

/// Everything up to the point where Bedrock is asked.
async fn understand(
    gateway: Arc<Gateway>,
    request: Request,
    arrived: &Arrived,
) -> Result<(Admitted, Plan), Refused> {
    let request_id = &arrived.id;
    let (head, body) = request.into_parts();
    gateway.caught_up(&head.headers).await;
    let admitted = match admit(&gateway, &head.headers) {
        Ok(admitted) => admitted,
        Err(problem) => {
            tracing::info!(%request_id, status = problem.code.status(), reason = problem.code.slug(), "refused");
            explained::turned_away(&gateway, &head.headers, arrived, &problem);
            body::drain(&head.headers, body).await;
            return Err(problem.into());
        }
    };
    let (body, held) = body::read(&head.headers, body, &gateway, COPIES)
        .await
        .inspect_err(|problem| {
            explained::refused(&gateway, (&admitted, arrived), Stage::Body, problem, (None, None));
        })?;
    let length = body.len();
    let planned = if body.len() < OFFLOAD_BYTES {
        plan(&gateway, &admitted, &head.headers, &body, request_id)
    } else {
        let (view, who, headers) = (Arc::clone(&admitted.view), admitted.who.clone(), head.headers);
        let gateway = Arc::clone(&gateway);
        let id = request_id.clone();
        let planning = move || plan(&gateway, &Admitted { view, who }, &headers, &body, &id);
        tokio::task::spawn_blocking(planning).await.unwrap_or_else(|_| {
            Err(Problem::new(Code::Internal, "the request could not be processed").into())
        })
    };
    let plan = planned.inspect_err(|refusal| {
        refused(&gateway, &admitted, &refusal.problem, request_id);
        let planned = (refusal.model.as_ref(), refusal.route.as_deref());
        explained::refused(
            &gateway,
            (&admitted, arrived),
            Stage::Request,
            &refusal.problem,
            planned,
        );
    })?;
    held.needs_only(length + plan.job.copied);
    gateway
        .bedrock
        .learning
        .noticed(&gateway.metrics, &plan.job.dropped, &plan.job.passed);
    Ok((admitted, plan))
}

/// Who is asking, and may they ask now? Decided by the headers alone, before the body is read.
fn admit(gateway: &Gateway, headers: &HeaderMap) -> Result<Admitted, Problem> {
    let admitted = identify(gateway, headers)?;
    gateway.admission.admit()?;
    let key_rate = admitted.who.grant.rate_limit_rpm;
    gateway.allowances.refuse_early(
        &admitted.view,
        &admitted.who.caller,
        key_rate,
        gateway.clock.now_ms(),
    )?;
    Ok(admitted)
}

/// Who is asking?
pub(super) fn identify(gateway: &Gateway, headers: &HeaderMap) -> Result<Admitted, Problem> {
    let view = gateway.view()?;
    let who = authenticate(headers, &view, &gateway.tokens, gateway.clock.now_ms())
        .inspect_err(|_| gateway.metrics.not_let_in(shows_a_key(headers)))?;
    Ok(Admitted { view, who })
}

/// Understands the body, and decides what Bedrock is asked and where.
fn plan(
    gateway: &Gateway,
    admitted: &Admitted,
    headers: &HeaderMap,
    body: &Bytes,
    request_id: &RequestId,
) -> Result<Plan, Refused> {
    let peeked = request::peek(body, Operation::Messages)?;
    let model = admission::model(&admitted.view, peeked.model())?;
    let of_model = |problem| Refused {
        problem,
        model: Some(model.name.clone()),
        route: None,
    };
    let home_region = gateway.bedrock.upstream.home_region();
    let may_go = route::rules(&admitted.view, &admitted.who.caller, home_region);
    may_go.check_model(&model.name).map_err(of_model)?;
    permission::check(&admitted.view, &admitted.who.caller, &model.name).map_err(of_model)?;
    let search = Wanted::of(&admitted.view, &admitted.who.caller, &peeked).map_err(of_model)?;
    let session_id = session::of(headers, &peeked);
    session::check(admitted, session_id.as_deref()).map_err(of_model)?;
    let affinity = session_id
        .clone()
        .unwrap_or_else(|| format!("{:016x}", peeked.conversation_hash()));
    let is_sticky = may_go.strategy() == Strategy::Sticky;
    let asked = Asked {
        conversation: ConversationKey::new(&admitted.who.caller.key_id, &affinity, &model.name),
        model: Arc::clone(&model),
        // A request with searches is always streamed from Bedrock.
        streaming: peeked.stream() || search.is_some(),
        has_history: peeked.has_history(),
        is_sticky,
        is_warm: is_sticky && peeked.has_history() && peeked.estimated_input_tokens() >= WARM_TOKENS,
    };
    let rules = rules(gateway, admitted, &asked).map_err(of_model)?;
    let lane = lane(admitted, asked);
    let mut job = translate(rules, lane, terms(&admitted.view), &peeked, headers, body).map_err(of_model)?;
    let streaming = job.streaming;
    job.streaming |= search.is_some();
    let ask = routing::Ask {
        model: &model,
        conversation: &affinity,
        request: request_id.as_str(),
    };
    let chosen =
        route::choose(&gateway.bedrock, &admitted.view, &may_go, ask).map_err(|nowhere| Refused {
            route: Some(nowhere.told),
            ..of_model(nowhere.problem)
        })?;
    job.lane.subject = subject(admitted, &chosen.candidates);
    let size = Size {
        input: peeked.estimated_input_tokens(),
        most_input: peeked.most_input_tokens(),
        max_output: peeked.max_tokens().unwrap_or(u64::from(model.max_output_tokens)),
        writes_1h: job.writes_1h,
    };
    let agent_id = session::agent(headers);
    let digests = peeked.digests(job.rules().profile());
    let caller = &admitted.who.caller.key_id;
    let of = (session_id.as_deref(), agent_id.as_deref());
    let prompt = PromptFacts {
        conversation: conversation::number(caller, of, digests.beginning),
        tools: digests.tools,
        system: digests.system,
        has_history: peeked.has_history(),
        caching: job.caching,
    };
    Ok(Plan {
        model,
        route: chosen.candidates,
        chosen_from: chosen.told,
        job,
        streaming,
        search,
        session_id,
        agent_id,
        size,
        prompt,
        failed_tools: peeked.failed_tools(),
    })
}

/// What the conversation is translated by.
fn rules(gateway: &Gateway, admitted: &Admitted, asked: &Asked) -> Result<Rules, Problem> {
    let known = (admitted.view.books(), admitted.view.lessons());
    let now = gateway.clock.now_ms();
    let pins = &gateway.bedrock.pins;
    Rules::of(
        asked.conversation,
        asked.has_history,
        &asked.model,
        known,
        (pins, now),
    )
}

/// What the lanes and guardrails want to know of the request.
fn lane(admitted: &Admitted, asked: Asked) -> LaneJob {
    let (view, caller) = (&admitted.view, &admitted.who.caller);
    let team = caller.team_id.as_ref().and_then(|id| view.team(id));
    let guardrail = team.and_then(|team| team.guardrail.clone());
    LaneJob::new(asked, guardrail, view.epoch())
}

/// The body for Bedrock.
fn translate(
    rules: Rules,
    lane: LaneJob,
    terms: Terms,
    peeked: &Peeked<'_>,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<Job, Problem> {
    let text = |value: &HeaderValue| value.to_str().ok().map(str::to_owned);
    let source = Source {
        body: body.clone(),
        betas: headers
            .get_all("anthropic-beta")
            .iter()
            .filter_map(text)
            .collect(),
        version: headers.get("anthropic-version").and_then(text),
        rules,
        terms: Arc::new(terms),
        most_output: None,
    };
    let prepared = source.prepare(peeked)?;
    Ok(Job {
        caching: prepared.caching(),
        copied: prepared.body.copied(),
        body: pieces(body, prepared.body),
        source,
        model_said: peeked.model().to_owned(),
        streaming: peeked.stream(),
        betas: prepared.betas,
        dropped: prepared.dropped,
        passed: prepared.passed,
        writes_1h: prepared.writes_1h,
        lane,
    })
}

/// Whose request it is, if an endpoint of the route tells AWS.
pub(super) fn subject(admitted: &Admitted, route: &[Candidate]) -> Option<Arc<Subject>> {
    if !route.iter().any(|one| one.endpoint.access.names_callers()) {
        return None;
    }
    let caller = &admitted.who.caller;
    let team = caller.team_id.as_ref().and_then(|id| admitted.view.team(id));
    let name = team.map(|team| team.name.as_str());
    Some(Arc::new(Subject::of(caller, name)))
}

fn ticket(
    gateway: &Gateway,
    admitted: &Admitted,
    plan: &Plan,
    request_id: RequestId,
    (started_at_ms, started): (UnixMs, Instant),
    reservation: Option<Reservation>,
) -> Ticket {
    let start = Start {
        request_id,
        caller: admitted.who.caller.clone(),
        model: plan.model.name.clone(),
        streaming: plan.streaming,
        session_id: plan.session_id.clone(),
        agent_id: plan.agent_id.clone(),
        started_at_ms,
        started,
        input_estimate: plan.size.input,
        max_output: plan.size.max_output,
        prompt: Some(plan.prompt),
        failed_tools: plan.failed_tools.clone(),
    };
    Ticket::new(Arc::clone(&gateway.recorder), start, reservation)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How large a future is, by what makes it.
    fn size<A, B, F: Future>(_: impl FnOnce(A, B) -> F) -> usize {
        size_of::<F>()
    }

    /// Every request that waits for its first content holds its future, and it is moved twice until it waits.
    #[test]
    fn a_request_takes_little_while_it_waits() {
        let of_handle = size(handle);
        assert!(of_handle < 12_288, "{of_handle} bytes");
    }
}
