//! `POST /v1/messages/count_tokens`: Bedrock's own count where the model has one, else an estimate that says so. It is free
//! and leaves no usage record.

use super::error::{render, set_request_id};
use super::messages::{Admitted, identify, route};
use super::{Gateway, body};
use crate::admission;
use crate::bedrock::attempt::{Bedrock, collect};
use crate::bedrock::{Call, Operation as Ask};
use crate::search::terms;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use ccag_domain::routing::Candidate;
use ccag_domain::{BedrockModel, Model, Problem, RequestId};
use ccag_translate::count_tokens::{answer, prepare_count_with, read_answer};
use ccag_translate::error::Health;
use ccag_translate::request::{Headers, Operation, peek};
use ccag_translate::search::Terms;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use std::sync::Arc;
use std::time::Duration;

/// Marks a count that was estimated here.
const COUNTED_BY: HeaderName = HeaderName::from_static("x-ccag-token-count");

/// Claude Code sends dozens of these at once and does not wait long.
const PATIENCE: Duration = Duration::from_secs(10);

/// What to count, and where.
struct Plan {
    model: Arc<Model>,
    candidates: Vec<Candidate>,
    body: Option<Bytes>,
    estimate: u64,
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
    let body = body::read(&head.headers, body, gateway.body_bytes).await?;
    let plan = plan(
        &admitted,
        &head.headers,
        &body,
        gateway.bedrock.upstream.home_region(),
    )?;
    let counted = ask(&gateway.bedrock, &plan).await;
    let mut response = Response::new(Body::from(answer(counted.unwrap_or(plan.estimate))));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let by = if counted.is_some() { "bedrock" } else { "estimate" };
    headers.insert(COUNTED_BY, HeaderValue::from_static(by));
    set_request_id(headers, &request_id);
    Ok(response)
}

fn plan(admitted: &Admitted, headers: &HeaderMap, body: &Bytes, home_region: &str) -> Result<Plan, Problem> {
    let peeked = peek(body, Operation::CountTokens)?;
    let model = admission::model(&admitted.view, peeked.model())?;
    let affinity = format!("{:016x}", peeked.conversation_hash());
    let candidates = route(admitted, &model, home_region, &affinity)?;
    let profile = admitted.view.profile(&model).filter(|_| model.counts_tokens);
    let body = if let Some(profile) = profile {
        let betas: Vec<&str> = headers
            .get_all("anthropic-beta")
            .iter()
            .filter_map(|v| v.to_str().ok())
            .collect();
        let version = headers.get("anthropic-version").and_then(|v| v.to_str().ok());
        Some(
            prepare_count_with(
                &peeked,
                Headers {
                    betas: &betas,
                    version,
                },
                &profile,
                &Terms {
                    enabled: true,
                    ..terms(&admitted.view)
                },
            )?
            .body
            .into(),
        )
    } else {
        None
    };
    Ok(Plan {
        candidates,
        body,
        estimate: peeked.estimated_input_tokens(),
        model,
    })
}

/// Bedrock's count; `None` if it has none, for whatever reason: the client is then served an estimate. An endpoint that
/// does not count is left alone for a while: Claude Code sends dozens of these at once.
async fn ask(bedrock: &Bedrock, plan: &Plan) -> Option<u64> {
    let candidate = plan.candidates.first()?;
    let body = plan.body.clone()?;
    let counting = Candidate {
        endpoint: candidate.endpoint.clone(),
        model: BedrockModel {
            // `CountTokens` knows foundation models, not inference profiles (Amazon Bedrock API reference, "CountTokens").
            id: format!("count-tokens {}", plan.model.bedrock_id),
            geography: candidate.model.geography,
        },
    };
    if bedrock.health.is_cooling(&counting) {
        return None;
    }
    let call = Call {
        endpoint: &candidate.endpoint,
        model: &plan.model.bedrock_id,
        operation: Ask::CountTokens,
        body,
    };
    let ask = async {
        let reply = bedrock
            .upstream
            .call(call)
            .await
            .map_err(|error| error.to_string())?;
        let status = reply.status;
        let bytes = collect(reply.body, 64 * 1024).await?;
        match read_answer(&bytes) {
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
        endpoint = candidate.endpoint.name,
        model = plan.model.bedrock_id,
        reason,
        "Bedrock does not count tokens here; estimating for ten minutes"
    );
    bedrock.health.failed(&counting, Health::ModelMissing);
    None
}
