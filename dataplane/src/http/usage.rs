//! `GET /api/oauth/usage`: what Claude Code shows of the caller's budgets under `/usage`.

use super::Gateway;
use super::error::{render, set_request_id};
use super::messages::identify;
use axum::body::Body;
use axum::response::Response;
use ccag_domain::Problem;
use ccag_domain::standing::usage;
use http::{HeaderMap, HeaderValue, header};
use serde_json::Value;

/// Tells a caller how their budgets stand.
pub(super) async fn handle(gateway: &Gateway, headers: &HeaderMap) -> Response {
    let request_id = gateway.request_id();
    match answer(gateway, headers).await {
        Ok(value) => {
            let mut response = Response::new(Body::from(value.to_string()));
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            set_request_id(headers, &request_id);
            response
        }
        Err(problem) => render(&problem, &request_id),
    }
}

async fn answer(gateway: &Gateway, headers: &HeaderMap) -> Result<Value, Problem> {
    gateway.caught_up(headers).await;
    let admitted = identify(gateway, headers)?;
    let (view, caller) = (&admitted.view, &admitted.who.caller);
    if view.budgets().is_empty() {
        return Ok(usage(&[]));
    }
    let now = gateway.clock.now_ms();
    let standings = Box::pin(gateway.allowances.standings(view, caller, now)).await;
    Ok(usage(&standings))
}
