//! Requests that may be sent twice and are carried out once: those with an `Idempotency-Key`.
//!
//! Of requests with the same key, by the same person and to the same place within a day the first is carried out, and the others
//! get its answer. A refusal changes nothing, so it is not kept, and the request may be sent again. The request is carried out to its end also
//! if the client goes away: that is when it will be sent again.

use super::auth::SignedIn;
use super::extract::MAX_BODY;
use super::{HttpState, Refusal};
use crate::app::App;
use crate::store::ANSWERS_KEPT_MS;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use ccag_admin_api::{IDEMPOTENCY_KEY, paths};
use ccag_domain::{Code, Problem, UnixMs};
use sha2::{Digest, Sha256};
use tokio::sync::oneshot;
use tracing::Instrument;

/// After so long without an answer nobody is at work on a request any more: a handler has twelve seconds.
const UNDER_WAY_MS: UnixMs = 30_000;

/// The largest answer that is kept, in bytes.
const MAX_ANSWER: usize = 1 << 20;

/// Says that an answer is that of an earlier request.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// Whether a request is to be carried out once only.
pub(super) fn asked(method: &Method, path: &str, headers: &HeaderMap) -> bool {
    *method == Method::POST && !is_apart(path) && headers.contains_key(IDEMPOTENCY_KEY)
}

/// Whether requests to a path take no key: a price list may be imported as often as one likes, to the same end, and is too large to
/// be compared; and what a tool does carries none.
pub(super) fn is_apart(path: &str) -> bool {
    [paths::PRICING_IMPORT, paths::MCP].contains(&path)
}

/// Carries a request out, or answers as before.
pub(super) async fn once(state: &HttpState, who: &SignedIn, request: Request, next: Next) -> Response {
    match Box::pin(claim(state, who, request)).await {
        Ok(Claimed::First(id, request)) => carry_out(state, id, request, next).await,
        Ok(Claimed::Before(response)) => response,
        Err(problem) => Refusal(problem).into_response(),
    }
}

enum Claimed {
    First(String, Request),
    Before(Response),
}

async fn claim(state: &HttpState, who: &SignedIn, request: Request) -> Result<Claimed, Problem> {
    let (parts, body) = request.into_parts();
    let key = parts
        .headers
        .get(IDEMPOTENCY_KEY)
        .and_then(|key| key.to_str().ok());
    let key = key.filter(|key| (1..=255).contains(&key.len())).ok_or_else(|| {
        Problem::new(
            Code::InvalidRequest,
            "`Idempotency-Key` has to be 1 to 255 visible characters, such as a UUID.",
        )
    })?;
    let body = axum::body::to_bytes(body, MAX_BODY)
        .await
        .map_err(|_| Problem::new(Code::TooLarge, "The body has more than 1 MiB, or broke off."))?;
    let path = parts.uri.path_and_query().map_or("", |path| path.as_str());
    let user = &who.0.user.id;
    // None of them but the key, which is last, can hold a line break.
    let id = digest(format!("{user}\n{path}\n{key}").as_bytes());
    let app = &state.app;
    let body_digest = digest(&body);
    let now = app.now_ms();
    let earlier = app
        .store
        .claim_request(&id, &body_digest, now, now - ANSWERS_KEPT_MS)
        .await?;
    let Some(earlier) = earlier else {
        return Ok(Claimed::First(id, Request::from_parts(parts, Body::from(body))));
    };
    if earlier.body_digest != body_digest {
        return Err(Problem::new(
            Code::KeyReused,
            "This `Idempotency-Key` was sent with another body before. Take a new key for a new request.",
        ));
    }
    match earlier.answer {
        Some((status, body)) => Ok(Claimed::Before(replayed(status, &body))),
        None if now - earlier.created_at_ms < UNDER_WAY_MS => Err(Problem::new(
            Code::Conflict,
            "A request with this `Idempotency-Key` is being carried out. Send it again in a moment to get its answer.",
        )
        .retry_after(1)
        .should_retry(true)),
        None => Err(Problem::new(
            Code::Conflict,
            "A request with this `Idempotency-Key` was begun, and its answer was lost. See whether it was carried out; if not, send it \
             with a new key.",
        )),
    }
}

fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn replayed(status: u16, body: &[u8]) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let mut response = answer(status, body);
    response
        .headers_mut()
        .insert(REPLAYED, HeaderValue::from_static("true"));
    response
}

fn answer(status: StatusCode, body: &[u8]) -> Response {
    if body.is_empty() {
        return status.into_response();
    }
    let json = [(header::CONTENT_TYPE, "application/json")];
    (status, json, body.to_owned()).into_response()
}

/// Carries a request out, whether anybody still waits for the answer or not.
async fn carry_out(state: &HttpState, id: String, request: Request, next: Next) -> Response {
    let (done, answered) = oneshot::channel();
    let app = state.app.clone();
    let work = async move {
        let response = Box::pin(next.run(request)).await;
        let response = Box::pin(kept(&app, &id, response)).await;
        // Nobody may wait for it any more.
        let _ = done.send(response);
    };
    state
        .life
        .spawn("request with an idempotency key", work.in_current_span());
    answered.await.unwrap_or_else(|_| {
        let problem = Problem::new(
            Code::Internal,
            "The request ended without an answer. See whether it was carried out.",
        );
        Refusal(problem).into_response()
    })
}

/// Keeps the answer if something was done, and forgets the request if not. Where that fails, the answer goes out nevertheless.
async fn kept(app: &App, id: &str, response: Response) -> Response {
    let status = response.status();
    let (response, kept) = if status.is_success() {
        let (parts, body) = response.into_parts();
        let Ok(body) = axum::body::to_bytes(body, MAX_ANSWER).await else {
            let problem = Problem::new(Code::Internal, "The answer is too long to be kept.");
            return Refusal(problem).into_response();
        };
        let kept = app.store.keep_answer(id, status.as_u16(), &body).await;
        (Response::from_parts(parts, Body::from(body)), kept)
    } else {
        (response, app.store.forget_request(id).await)
    };
    if let Err(error) = kept {
        app.metrics.db_error("idempotency");
        tracing::warn!(%error, "what became of a request with an idempotency key cannot be kept");
    }
    response
}
