//! The gateway protocol of Claude Code, as far as the control plane speaks it: discovery (RFC 8414), the device grant (RFC 8628),
//! refresh, revocation (RFC 7009), managed settings, and what `/usage` shows.
//!
//! What a request says beyond what is known here is ignored (RFC 6749 §3.2). The OAuth endpoints refuse in OAuth's own words, the
//! others in Anthropic's, which are what clients show people.

mod managed;
mod usage;

use super::client::client_address;
use super::{HttpState, base};
use crate::app::clients::device::{self, Answer};
use crate::app::clients::sessions::{self, Opened, RefreshError};
use crate::app::clients::{Device, Surface};
use crate::app::sign_on;
use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use ccag_domain::{Code, Problem};
use serde_json::{Value, json};
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use url::form_urlencoded;

/// The largest form, in bytes.
const MAX_FORM: usize = 64 << 10;

/// RFC 8628 §3.4.
const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

pub(super) fn router() -> Router<HttpState> {
    Router::new()
        .route("/.well-known/oauth-authorization-server", get(metadata))
        .route("/oauth/device_authorization", post(authorize_device))
        .route("/oauth/token", post(token))
        .route("/oauth/revoke", post(revoke))
        .route("/managed/settings", get(managed::settings))
}

/// What data planes serve as well, where they are reached under the same address.
pub(super) fn shared() -> Router<HttpState> {
    Router::new().route("/api/oauth/usage", get(usage::show))
}

/// Where a request comes from, and which program sends it.
pub(in crate::http) struct Origin {
    pub(in crate::http) address: Option<IpAddr>,
    pub(in crate::http) base_url: String,
    agent: Option<String>,
}

impl FromRequestParts<HttpState> for Origin {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &HttpState) -> Result<Self, Infallible> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let peer = peer.map(|ConnectInfo(peer)| *peer);
        let agent = parts.headers.get(header::USER_AGENT);
        Ok(Self {
            address: client_address(&parts.headers, peer, &state.trusted_proxies),
            base_url: base::url(&parts.headers, state.public_url.as_ref()),
            agent: agent.and_then(|value| value.to_str().ok()).map(str::to_owned),
        })
    }
}

impl Origin {
    fn device(&self) -> Device {
        Device::new(self.agent.as_deref(), self.address)
    }
}

async fn metadata(origin: Origin) -> Response {
    let at = |path: &str| format!("{}{path}", origin.base_url);
    json_answer(
        StatusCode::OK,
        &json!({
            "issuer": origin.base_url,
            "device_authorization_endpoint": at("/oauth/device_authorization"),
            "token_endpoint": at("/oauth/token"),
            "revocation_endpoint": at("/oauth/revoke"),
            "grant_types_supported": [DEVICE_GRANT, "refresh_token"],
            "response_types_supported": [],
            "token_endpoint_auth_methods_supported": ["none"],
            "revocation_endpoint_auth_methods_supported": ["none"],
            "gateway_protocol_version": 1,
        }),
    )
}

/// The fields of a form; of one that is there twice the first counts.
struct Form(Vec<(String, String)>);

impl Form {
    async fn read(request: Request<Body>) -> Result<Self, Response> {
        let bytes = axum::body::to_bytes(request.into_body(), MAX_FORM).await;
        let bytes = bytes.map_err(|_| {
            error(
                StatusCode::BAD_REQUEST,
                "invalid_request",
                "The form has more than 64 KiB, or broke off.",
            )
        })?;
        Ok(Self(form_urlencoded::parse(&bytes).into_owned().collect()))
    }

    fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(field, _)| field == name);
        found
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }
}

async fn authorize_device(origin: Origin, State(state): State<HttpState>, request: Request) -> Response {
    let form = match Form::read(request).await {
        Ok(form) => form,
        Err(refusal) => return refusal,
    };
    let surface = Surface::parse(form.get("surface"));
    let started = match device::begin(&state.app, surface, &origin.device()).await {
        Ok(started) => started,
        Err(problem) => return refused(&problem),
    };
    let page = format!("{}/device", origin.base_url);
    let mut answer = json!({
        "device_code": started.device_code,
        "user_code": started.user_code,
        "verification_uri": page,
        "verification_uri_complete": format!("{page}?user_code={}", started.user_code),
        "expires_in": device::LIFE_S,
        "interval": device::INTERVAL_S,
    });
    match sign_on::login_notice(&state.app).await {
        Ok(Some(notice)) => answer["login_notice"] = notice.into(),
        Ok(None) => {}
        Err(problem) => return refused(&problem),
    }
    json_answer(StatusCode::OK, &answer)
}

async fn token(State(state): State<HttpState>, request: Request) -> Response {
    let form = match Form::read(request).await {
        Ok(form) => form,
        Err(refusal) => return refusal,
    };
    match form.get("grant_type") {
        Some(DEVICE_GRANT) => match form.get("device_code") {
            Some(code) => device_token(&state, code).await,
            None => missing("device_code"),
        },
        Some("refresh_token") => match form.get("refresh_token") {
            Some(token) => refreshed(&state, token).await,
            None => missing("refresh_token"),
        },
        Some(other) => {
            let shown: String = other.chars().take(80).collect();
            let message = format!(
                "`{shown}` is not a way to get a token here: sign in with a device code, or refresh."
            );
            error(StatusCode::BAD_REQUEST, "unsupported_grant_type", &message)
        }
        None => missing("grant_type"),
    }
}

async fn device_token(state: &HttpState, code: &str) -> Response {
    let waiting = |code: &str, message: &str| error(StatusCode::BAD_REQUEST, code, message);
    match Box::pin(device::poll(&state.app, code)).await {
        Ok(Answer::Pending) => waiting("authorization_pending", "Nobody has confirmed the code yet."),
        Ok(Answer::SlowDown) => waiting("slow_down", "Ask less often: wait five seconds longer each time."),
        Ok(Answer::Denied) => waiting("access_denied", "The sign-in was turned down."),
        Ok(Answer::Expired) => waiting(
            "expired_token",
            "This device code is over. Start the sign-in anew.",
        ),
        Ok(Answer::Client(opened)) => tokens(&opened),
        Ok(Answer::Console(login)) => {
            let life_ms = login.session.expires_at_ms - state.app.now_ms();
            let user = &login.session.user;
            json_answer(
                StatusCode::OK,
                &json!({
                    "access_token": login.token.reveal(),
                    "token_type": "Bearer",
                    "expires_in": life_ms.div_euclid(1_000).max(1),
                    "email": user.email.as_deref().unwrap_or(&user.username),
                }),
            )
        }
        Err(problem) => refused(&problem),
    }
}

async fn refreshed(state: &HttpState, token: &str) -> Response {
    match Box::pin(sessions::refresh(&state.app, token)).await {
        Ok(opened) => tokens(&opened),
        // The protocol of Claude Code wants 401 here, where RFC 6749 §5.2 has 400.
        Err(RefreshError::InvalidGrant(why)) => {
            let message = format!("Sign in again with /login: {why}.");
            error(StatusCode::UNAUTHORIZED, "invalid_grant", &message)
        }
        Err(RefreshError::Problem(problem)) => refused(&problem),
    }
}

fn tokens(opened: &Opened) -> Response {
    json_answer(
        StatusCode::OK,
        &json!({
            "access_token": opened.access_token,
            "token_type": "Bearer",
            "expires_in": opened.expires_in_s,
            "refresh_token": opened.refresh_token,
            "email": opened.email,
        }),
    )
}

async fn revoke(State(state): State<HttpState>, request: Request) -> Response {
    let form = match Form::read(request).await {
        Ok(form) => form,
        Err(refusal) => return refusal,
    };
    let Some(token) = form.get("token") else {
        return missing("token");
    };
    match sessions::give_back(&state.app, token).await {
        Ok(()) => json_answer(StatusCode::OK, &json!({})),
        Err(problem) => refused(&problem),
    }
}

fn missing(field: &str) -> Response {
    let message = format!("The form has no `{field}`.");
    error(StatusCode::BAD_REQUEST, "invalid_request", &message)
}

/// A refusal in the words of RFC 6749 §5.2.
fn error(status: StatusCode, code: &str, description: &str) -> Response {
    json_answer(status, &json!({"error": code, "error_description": description}))
}

fn refused(problem: &Problem) -> Response {
    let (status, code) = match problem.code {
        Code::RateLimited => (StatusCode::TOO_MANY_REQUESTS, "slow_down"),
        Code::Unavailable | Code::Overloaded | Code::Timeout => {
            (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable")
        }
        Code::Internal | Code::BadUpstream => (StatusCode::INTERNAL_SERVER_ERROR, "server_error"),
        _ => (StatusCode::BAD_REQUEST, "invalid_request"),
    };
    let mut response = error(status, code, &problem.message);
    if let Some(seconds) = problem.retry_after_s {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn json_answer(status: StatusCode, value: &Value) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (status, headers, value.to_string()).into_response()
}

/// A refusal in Anthropic's envelope.
fn envelope(problem: &Problem) -> Response {
    let status = StatusCode::from_u16(problem.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = json!({
        "type": "error",
        "error": {"type": problem.code.anthropic_type(), "message": problem.message},
    });
    let mut response = json_answer(status, &body);
    if let Some(retry) = problem.should_retry {
        let value = HeaderValue::from_static(if retry { "true" } else { "false" });
        response.headers_mut().insert("x-should-retry", value);
    }
    response
}

/// The token of `Authorization: Bearer`, else of `x-api-key`.
fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
    super::auth::bearer(headers).ok_or_else(|| {
        let message = "Sign in first: run /login in Claude Code.";
        Problem::new(Code::Unauthenticated, message).should_retry(false)
    })
}
