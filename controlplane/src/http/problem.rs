//! Refusals as RFC 9457 problem documents.

use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use ccag_admin_api::{PROBLEM_JSON, ProblemBody};
use ccag_domain::{Code, Problem, RequestId};

/// A refusal on its way out. The middleware around all handlers writes its body, since it knows the request's id.
#[derive(Debug, Clone)]
pub(crate) struct Refusal(pub(crate) Problem);

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = status(&self.0).into_response();
        Concealed::mark(self.0.conceals, &mut response);
        response.extensions_mut().insert(self);
        response
    }
}

/// Marks an answer that stands in place of a refusal: [`Problem::conceals`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Concealed;

impl Concealed {
    /// Marks the answer if it is such a one.
    pub(super) fn mark(conceals: bool, response: &mut Response) {
        if conceals {
            response.extensions_mut().insert(Self);
        }
    }
}

/// 529 is Anthropic's own and means nothing here.
fn status(problem: &Problem) -> StatusCode {
    match problem.code {
        Code::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
        code => StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

/// Writes the document.
pub(super) fn render(problem: &Problem, request_id: RequestId) -> Response {
    let status = status(problem);
    let mut body = ProblemBody::new(problem, request_id);
    body.status = status.as_u16();
    let json = serde_json::to_vec(&body).unwrap_or_default();
    let mut response = (status, [(header::CONTENT_TYPE, PROBLEM_JSON)], json).into_response();
    if let Some(seconds) = problem.retry_after_s {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if problem.code == Code::Unauthenticated {
        let scheme = HeaderValue::from_static("Bearer");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
    }
    response
}

pub(super) async fn no_such_path(uri: Uri) -> Refusal {
    let path: String = uri.path().chars().take(200).collect();
    Refusal(Problem::new(
        Code::NotFound,
        format!("There is nothing at `{path}`."),
    ))
}

pub(super) async fn no_such_method(method: Method, uri: Uri) -> Refusal {
    let path: String = uri.path().chars().take(200).collect();
    Refusal(Problem::new(
        Code::MethodNotAllowed,
        format!("`{path}` does not take {method} requests; the `Allow` header says what it takes."),
    ))
}
