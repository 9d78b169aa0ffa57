//! `POST /v1/messages/count_tokens`: Bedrock Runtime's own count where the model has one, else bedrock-mantle's where an
//! endpoint has that lane, else an estimate that says so. It is free and leaves no usage record.

use super::error::{render, set_request_id};
use super::memory::COUNT_COPIES;
use super::messages::{Admitted, identify, route, subject};
use super::{Gateway, body};
use crate::admission;
use crate::bedrock::attempt::{Bedrock, collect};
use crate::bedrock::{Call, Operation as Upstream};
use crate::permission;
use crate::search::terms;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use ccag_aws::Pieces;
use ccag_domain::routing::{self, Candidate};
use ccag_domain::{Lane, Model, Problem, RequestId, Subject};
use ccag_translate::count_tokens::{
    answer, prepare_count_with, prepare_lane_count, read_answer, read_lane_answer,
};
use ccag_translate::request::{Headers, Operation, peek};
use ccag_translate::search::Terms;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use std::sync::Arc;
use std::time::Duration;

/// Marks a count that was estimated here.
const COUNTED_BY: HeaderName = HeaderName::from_static("x-ccag-token-count");

/// Claude Code sends dozens of these at once and does not wait long.
const PATIENCE: Duration = Duration::from_secs(10);

/// Who counted; the last is nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counter {
    /// `CountTokens` of Bedrock Runtime.
    Runtime,
    /// `count_tokens` of bedrock-mantle.
    Mantle,
}

impl Counter {
    /// The lane that it belongs to.
    const fn lane(self) -> Lane {
        match self {
            Self::Runtime => Lane::InvokeModel,
            Self::Mantle => Lane::Mantle,
        }
    }

    /// What the client is told.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Runtime => "bedrock",
            Self::Mantle => "mantle",
        }
    }
}

/// One way to have the tokens counted.
struct Ask {
    counter: Counter,
    candidate: Candidate,
    body: Pieces,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// What to count, and where: the ways in the order in which they are tried.
struct Plan {
    model: Arc<Model>,
    ways: Vec<Ask>,
    estimate: u64,
    subject: Option<Arc<Subject>>,
}

/// Serves one request.
pub(super) async fn handle(gateway: Arc<Gateway>, request: Request) -> Response {
    let request_id = gateway.request_id();
    match count(Arc::clone(&gateway), request, request_id.clone()).await {
        Ok(response) => response,
        Err(problem) => render(&problem, &request_id),
    }
}

async fn count(gateway: Arc<Gateway>, request: Request, request_id: RequestId) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    gateway.caught_up(&head.headers).await;
    let who = identify(&gateway, &head.headers).and_then(|admitted| {
        gateway
            .admission
            .admit_count(&admitted.who, gateway.clock.now_ms())?;
        Ok(admitted)
    });
    let admitted = match who {
        Ok(admitted) => admitted,
        Err(problem) => {
            body::drain(&head.headers, body).await;
            return Err(problem);
        }
    };
    let (body, _held) = body::read(&head.headers, body, &gateway, COUNT_COPIES).await?;
    let plan = plan(&gateway.bedrock, &admitted, &head.headers, &body, &request_id)?;
    let counted = ask_in_turn(&gateway.bedrock, &plan).await;
    let (count, by) = counted.map_or((plan.estimate, "estimate"), |(count, by)| (count, by.as_str()));
    let mut response = Response::new(Body::from(answer(count)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(COUNTED_BY, HeaderValue::from_static(by));
    set_request_id(headers, &request_id);
    Ok(response)
}

fn plan(
    bedrock: &Bedrock,
    admitted: &Admitted,
    headers: &HeaderMap,
    body: &Bytes,
    request_id: &RequestId,
) -> Result<Plan, Problem> {
    let peeked = peek(body, Operation::CountTokens)?;
    let model = admission::model(&admitted.view, peeked.model())?;
    let affinity = format!("{:016x}", peeked.conversation_hash());
    let ask = routing::Ask {
        model: &model,
        conversation: &affinity,
        request: request_id.as_str(),
    };
    let (view, caller) = (&admitted.view, &admitted.who.caller);
    let may_go = route::rules(view, caller, bedrock.upstream.home_region());
    may_go.check_model(&model.name)?;
    permission::check(view, caller, &model.name)?;
    let chosen = route::choose(bedrock, view, &may_go, ask).map_err(|nowhere| nowhere.problem)?;
    let candidates = chosen.candidates;
    let betas: Vec<&str> = headers
        .get_all("anthropic-beta")
        .iter()
        .filter_map(|v| v.to_str().ok())
        .collect();
    let version = headers.get("anthropic-version").and_then(|v| v.to_str().ok());
    let headers = Headers {
        betas: &betas,
        version,
    };
    // A tool that is not carried out at the moment still has its tokens.
    let terms = Terms {
        enabled: true,
        ..terms(&admitted.view)
    };
    let mut ways = Vec::new();
    let profile = admitted.view.profile(&model).filter(|_| model.counts_tokens);
    if let Some((candidate, profile)) = candidates.first().zip(profile) {
        ways.push(Ask {
            counter: Counter::Runtime,
            candidate: candidate.clone(),
            body: prepare_count_with(&peeked, headers, &profile, &terms)?
                .body
                .into(),
            headers: Vec::new(),
        });
    }
    let with_mantle = |candidate: &&Candidate| candidate.endpoint.lanes.contains(Lane::Mantle);
    let book = admitted.view.books().current(Lane::Mantle.as_str());
    if let Some((candidate, book)) = candidates.iter().find(with_mantle).zip(book) {
        let profile = book.profile(&model);
        let prepared = prepare_lane_count(&peeked, headers, &profile, (&model.bedrock_id, &terms))?;
        ways.push(Ask {
            counter: Counter::Mantle,
            candidate: candidate.clone(),
            body: prepared.body.into(),
            headers: prepared
                .headers
                .iter()
                .filter_map(|(name, value)| {
                    Some((HeaderName::from_static(name), HeaderValue::from_str(value).ok()?))
                })
                .collect(),
        });
    }
    Ok(Plan {
        subject: subject(admitted, &candidates),
        ways,
        estimate: peeked.estimated_input_tokens(),
        model,
    })
}

/// Bedrock's count and who made it; `None` if nobody did, for whatever reason: the client is then served an estimate.
async fn ask_in_turn(bedrock: &Bedrock, plan: &Plan) -> Option<(u64, Counter)> {
    for way in &plan.ways {
        if let Some(count) = ask(bedrock, way, plan).await {
            return Some((count, way.counter));
        }
    }
    None
}

/// One way's count. An endpoint that does not count is left alone for ten minutes: Claude Code sends dozens of these at once.
async fn ask(bedrock: &Bedrock, way: &Ask, plan: &Plan) -> Option<u64> {
    let model = &plan.model;
    let (endpoint, lane) = (&way.candidate.endpoint.id, way.counter.lane());
    if bedrock.uncounted.has(endpoint, lane, &model.bedrock_id) {
        return None;
    }
    let call = Call {
        endpoint: &way.candidate.endpoint,
        // Both know foundation models, not inference profiles (Amazon Bedrock API reference, "CountTokens").
        model: &model.bedrock_id,
        operation: match way.counter {
            Counter::Runtime => Upstream::CountTokens,
            Counter::Mantle => Upstream::MantleCount,
        },
        subject: plan.subject.as_deref(),
        headers: way.headers.clone(),
        body: way.body.clone(),
    };
    let ask = async {
        let reply = bedrock
            .upstream
            .call(call)
            .await
            .map_err(|error| error.to_string())?;
        let status = reply.status;
        let bytes = collect(reply.body, 64 * 1024).await?;
        let count = match way.counter {
            Counter::Runtime => read_answer(&bytes),
            Counter::Mantle => read_lane_answer(&bytes),
        };
        match count {
            Some(count) if status.is_success() => Ok(count),
            _ => Err(format!("status {status}")),
        }
    };
    let reason = match tokio::time::timeout(PATIENCE, ask).await {
        Ok(Ok(count)) => return Some(count),
        Ok(Err(reason)) => reason,
        Err(_) => "no answer in time".to_owned(),
    };
    tracing::info!(
        endpoint = way.candidate.endpoint.name,
        model = model.bedrock_id,
        by = way.counter.as_str(),
        reason,
        "tokens are not counted here; not asking again for ten minutes"
    );
    bedrock.uncounted.note(endpoint, lane, &model.bedrock_id);
    None
}
