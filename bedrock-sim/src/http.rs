//! The HTTP surface: which path is which operation, and who may call it.

use crate::account::Received;
use crate::admission::TokenQuota;
use crate::guardrail::Guardrail;
use crate::iam::{self, Denial, Session};
use crate::invoke::Ask;
use crate::script::Rule;
use crate::sigv4::{self, Denied, Signed};
use crate::surface::Surface;
use crate::{Shared, control, guardrail, invoke, kms, lanes, quotas, sts, sys};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

/// A response in the making.
pub(crate) struct Answer(Response);

impl Answer {
    /// Adds a header.
    pub(crate) fn with(mut self, name: impl TryInto<HeaderName>, value: impl AsRef<str>) -> Self {
        if let (Ok(name), Ok(value)) = (name.try_into(), HeaderValue::from_str(value.as_ref())) {
            self.0.headers_mut().insert(name, value);
        }
        self
    }
}

/// A response with this status and body.
pub(crate) fn answer(status: u16, body: impl Into<Body>) -> Answer {
    let mut response = Response::new(body.into());
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Answer(response)
}

/// An AWS error: the type in `x-amzn-errortype`, the message in the body.
pub(crate) fn refuse(status: u16, error_type: &str, message: &str) -> Answer {
    answer(status, json!({"message": message}).to_string())
        .with(header::CONTENT_TYPE, "application/json")
        .with("x-amzn-errortype", error_type)
}

pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/_sim/script", post(add_rules).delete(clear_rules))
        .route("/_sim/guardrails", post(add_guardrail))
        .route("/_sim/quotas", post(set_quota))
        .route("/_sim/denied", post(deny).delete(allow_all))
        .route("/_sim/sessions", get(sessions))
        .route("/_sim/requests", get(requests))
        .route("/_sim/account", get(account).delete(clear_account))
        .route("/_sim/health", get(|| async { "ok" }))
        .fallback(aws)
        .with_state(shared)
}

async fn add_rules(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    let rules: Result<Vec<Rule>, _> = serde_json::from_slice(&body)
        .or_else(|_| serde_json::from_slice::<Rule>(&body).map(|rule| vec![rule]));
    match rules {
        Ok(rules) => {
            let mut script = shared.script.lock().unwrap_or_else(PoisonError::into_inner);
            rules.into_iter().for_each(|rule| script.add(rule));
            StatusCode::NO_CONTENT.into_response()
        }
        Err(error) => (StatusCode::BAD_REQUEST, format!("not a rule: {error}\n")).into_response(),
    }
}

async fn clear_rules(State(shared): State<Arc<Shared>>) -> StatusCode {
    shared
        .script
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clear();
    StatusCode::NO_CONTENT
}

async fn add_guardrail(State(shared): State<Arc<Shared>>, Json(guardrail): Json<Guardrail>) -> StatusCode {
    shared
        .guardrails
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(guardrail);
    StatusCode::NO_CONTENT
}

async fn set_quota(State(shared): State<Arc<Shared>>, Json(quota): Json<TokenQuota>) -> StatusCode {
    shared.admission.set(quota);
    StatusCode::NO_CONTENT
}

async fn deny(State(shared): State<Arc<Shared>>, Json(denial): Json<Denial>) -> StatusCode {
    shared
        .denied
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(denial);
    StatusCode::NO_CONTENT
}

async fn allow_all(State(shared): State<Arc<Shared>>) -> StatusCode {
    shared
        .denied
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clear();
    StatusCode::NO_CONTENT
}

async fn sessions(State(shared): State<Arc<Shared>>) -> Json<Vec<Session>> {
    Json(
        shared
            .sessions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone(),
    )
}

async fn requests(State(shared): State<Arc<Shared>>) -> Json<Value> {
    Json(json!({"requests": shared.books.log()}))
}

async fn account(State(shared): State<Arc<Shared>>) -> Json<Value> {
    Json(json!({"entries": shared.books.entries()}))
}

async fn clear_account(State(shared): State<Arc<Shared>>) -> StatusCode {
    shared.books.clear();
    StatusCode::NO_CONTENT
}

/// Everything that AWS would answer.
async fn aws(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let request_id = sys::request_id(shared.counter.fetch_add(1, Ordering::Relaxed));
    let at_ms = sys::now_ms();
    let (parts, body) = request.into_parts();
    let (path, query) = (
        parts.uri.path().to_owned(),
        parts.uri.query().unwrap_or("").to_owned(),
    );
    let answer = match axum::body::to_bytes(body, shared.max_body).await {
        Err(_) => refuse(
            413,
            "RequestEntityTooLargeException",
            "Request body is too large.",
        ),
        Ok(body) => {
            let signed = Signed {
                method: &parts.method,
                raw_path: &path,
                raw_query: &query,
                headers: &parts.headers,
                body: &body,
            };
            let answer = match authorize(&shared, &signed) {
                Err(denied) if kms::is_meant(&parts.headers) => kms::refuse(&denied),
                Err(denied) if quotas::is_meant(&parts.headers) => {
                    quotas::denied(denied.error_type, &denied.message)
                }
                Err(denied) if path == "/" => sts::refuse(&request_id, &denied),
                Err(denied) => refuse(403, denied.error_type, &denied.message),
                Ok(()) => route(&shared, &request_id, &signed).await,
            };
            log(
                &shared,
                (&request_id, at_ms),
                &parts.method,
                (&path, &query),
                &parts.headers,
                &body,
                answer.0.status(),
            );
            answer
        }
    };
    answer.with("x-amzn-requestid", request_id).0
}

fn authorize(shared: &Shared, request: &Signed<'_>) -> Result<(), Denied> {
    if shared.credentials.is_empty() && shared.bearer_keys.is_empty() {
        return Ok(());
    }
    let authorization = request
        .headers
        .get("authorization")
        .and_then(|v| v.to_str().ok())
        .unwrap_or("");
    let api_key = request.headers.get("x-api-key").and_then(|v| v.to_str().ok());
    let is_lane = request.raw_path.contains("/anthropic/v1/");
    if let Some(key) = authorization
        .strip_prefix("Bearer ")
        .or(api_key.filter(|_| is_lane))
    {
        return if shared.bearer_keys.iter().any(|k| k == key) {
            Ok(())
        } else {
            Err(Denied {
                error_type: "AccessDeniedException",
                message: "Authentication failed: Please make sure your API Key is valid.".into(),
            })
        };
    }
    let services: &[&str] = match request.raw_path {
        "/" if kms::is_meant(request.headers) => &["kms"],
        "/" if quotas::is_meant(request.headers) => &["servicequotas"],
        "/" => &["sts"],
        path if path.starts_with("/mantle/") => &["bedrock-mantle"],
        _ => &["bedrock"],
    };
    let issued = shared.issued.lock().unwrap_or_else(PoisonError::into_inner);
    sigv4::verify(request, services, sys::now_ms(), |id| {
        shared
            .credentials
            .iter()
            .chain(issued.iter())
            .find(|c| c.access_key_id == id)
            .cloned()
    })
}

async fn route(shared: &Arc<Shared>, request_id: &str, request: &Signed<'_>) -> Answer {
    let decode = |text: &str| {
        percent_encoding::percent_decode_str(text)
            .decode_utf8_lossy()
            .into_owned()
    };
    let segments: Vec<&str> = request.raw_path.split('/').skip(1).collect();
    if let Some((action, resource)) = iam::wanted(shared, request.method.as_str(), &segments)
        && let Err(denied) = iam::check(shared, request.headers, action, &resource)
    {
        return if segments.contains(&"anthropic") {
            let surface = if segments[0] == "mantle" {
                Surface::Mantle
            } else {
                Surface::Messages
            };
            surface.refuse(403, denied.error_type, &denied.message, request_id)
        } else {
            refuse(403, denied.error_type, &denied.message)
        };
    }
    match (request.method.as_str(), segments.as_slice()) {
        (
            "POST",
            [
                "model",
                id,
                operation @ ("invoke" | "invoke-with-response-stream"),
            ],
        ) => {
            let ask = Ask {
                surface: Surface::InvokeModel,
                model_id: &decode(id),
                streaming: *operation != "invoke",
                headers: request.headers,
                body: request.body,
            };
            invoke::invoke(Arc::clone(shared), request_id, ask).await
        }
        ("POST", ["anthropic", "v1", "messages"]) => {
            let (headers, body) = (request.headers, request.body);
            lanes::messages(Arc::clone(shared), request_id, Surface::Messages, headers, body).await
        }
        ("POST", ["mantle", "anthropic", "v1", "messages"]) => {
            let (headers, body) = (request.headers, request.body);
            lanes::messages(Arc::clone(shared), request_id, Surface::Mantle, headers, body).await
        }
        ("POST", ["mantle", "anthropic", "v1", "messages", "count_tokens"]) => {
            lanes::count_tokens(shared, request_id, request.headers, request.body)
        }
        ("POST", ["guardrail", id, "version", version, "apply"]) => {
            guardrail::apply(shared, &decode(id), &decode(version), request.body)
        }
        ("POST", ["model", id, "count-tokens"]) => invoke::count_tokens(shared, &decode(id), request.body),
        ("GET", ["inference-profiles"]) => control::list_profiles(shared, request.raw_query),
        ("GET", ["inference-profiles", id]) => control::get_profile(shared, &decode(id)),
        ("GET", ["foundation-models"]) => control::list_models(request.raw_query),
        ("GET", ["foundation-model-availability", id]) => control::availability(shared, &decode(id)),
        ("POST", [""]) if kms::is_meant(request.headers) => kms::kms(shared, request.headers, request.body),
        ("POST", [""]) if quotas::is_meant(request.headers) => quotas::list(shared, request),
        ("POST", [""]) => sts::sts(shared, request_id, request.headers, request.body),
        _ => lanes::unknown_operation(false),
    }
}

fn log(
    shared: &Shared,
    (request_id, at_ms): (&str, i64),
    method: &Method,
    (path, query): (&str, &str),
    headers: &HeaderMap,
    body: &[u8],
    status: StatusCode,
) {
    let path = if query.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{query}")
    };
    let (access_key_id, region) = sigv4::scope(headers).unwrap_or_default();
    let issued = shared.issued.lock().unwrap_or_else(PoisonError::into_inner);
    let account = issued
        .iter()
        .find(|credential| credential.access_key_id == access_key_id)
        .and_then(|credential| credential.account.clone())
        .unwrap_or_else(|| shared.account_id.clone());
    drop(issued);
    let signed_by = iam::signer(headers);
    let headers = headers
        .iter()
        .filter(|(name, _)| *name != header::AUTHORIZATION && *name != "x-amz-security-token")
        .map(|(name, value)| {
            (
                name.to_string(),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            )
        })
        .collect();
    shared.books.receive(Received {
        request_id: request_id.to_owned(),
        at_ms,
        account,
        region: region.to_owned(),
        signed_by,
        method: method.to_string(),
        path,
        headers,
        body: String::from_utf8_lossy(body).into_owned(),
        status: status.as_u16(),
    });
}
