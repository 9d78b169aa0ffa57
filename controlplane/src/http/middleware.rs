//! What happens around every request.

use super::HttpState;
use super::problem::{Refusal, render};
use crate::store::Tally;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use ccag_domain::{Code, Problem, RequestId};
use std::time::Duration;
use tracing::Instrument;

/// Tells the caller under which id the log has the request.
const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");

/// How long a handler may take until its first byte.
const PATIENCE: Duration = Duration::from_secs(12);

/// Gives the request its id, bounds its time, writes refusals down, and adds the headers that all answers have.
pub(super) async fn around(State(state): State<HttpState>, mut request: Request, next: Next) -> Response {
    let id = RequestId::generate(&*state.app.clock, &*state.app.rng);
    request.extensions_mut().insert(id.clone());
    let told = state.traces.as_ref().map(|traces| traces.serve(&request, &id));
    let span = tracing::info_span!("http", request_id = %id, method = %request.method(), path = %request.uri().path());
    let tally = request.extensions_mut().remove::<Tally>().unwrap_or_default();
    let handled = tally
        .clone()
        .during(tokio::time::timeout(
            PATIENCE,
            state.app.store.together(next.run(request)),
        ))
        .instrument(span.clone())
        .await;
    state.app.metrics.statements(tally.statements());
    let mut response = handled.unwrap_or_else(|_| {
        span.in_scope(|| tracing::warn!("a request took too long"));
        let problem = Problem::new(
            Code::Unavailable,
            "The answer took too long, probably because the database does not respond. Try again in a few seconds.",
        );
        axum::response::IntoResponse::into_response(Refusal(problem.retry_after(5)))
    });
    if let Some(Refusal(problem)) = response.extensions_mut().remove::<Refusal>() {
        if matches!(problem.code, Code::Unavailable | Code::Internal) {
            state.app.metrics.db_error("http");
        }
        span.in_scope(|| tracing::debug!(code = problem.code.slug(), "refused"));
        let allow = response.headers_mut().remove(header::ALLOW);
        response = render(&problem, id.clone());
        if let Some(allow) = allow {
            response.headers_mut().insert(header::ALLOW, allow);
        }
    }
    if let Some(told) = told {
        told.answered(response.status());
    }
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        headers.insert(REQUEST_ID, value);
    }
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}
