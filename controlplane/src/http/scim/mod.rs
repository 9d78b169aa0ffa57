//! `/scim/v2`: every answer, a refusal included, is SCIM's (RFC 7644).
//!
//! One handler takes all requests and sorts them itself, so that whatever is wrong with one is said in SCIM's words, and so
//! that a bulk request is many requests and nothing else.

pub(super) mod admin;
mod bulk;
mod resources;

use super::{HttpState, base};
use crate::app::scim::{self, Client, Shown};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use ccag_admin_api::paths;
use ccag_scim::list::Query;
use ccag_scim::{Kind, MEDIA_TYPE, ScimError, ScimType, discovery, list};
use serde_json::Value;
use std::time::Duration;

/// The largest body, in bytes: groups may have many members.
const MAX_BODY: usize = ccag_scim::bulk::MAX_PAYLOAD;

/// How long a request may take: less than any request may, so that the refusal is ours.
const PATIENCE: Duration = Duration::from_secs(11);

pub(super) fn router() -> Router<HttpState> {
    Router::new()
        .route(paths::SCIM, any(handle))
        .route(&format!("{}/", paths::SCIM), any(handle))
        .route(&format!("{}/{{*path}}", paths::SCIM), any(handle))
}

/// A request, read.
struct Incoming {
    method: Method,
    /// The segments of the path below the base, decoded.
    segments: Vec<String>,
    query: String,
    headers: HeaderMap,
    /// The body as it came.
    bytes: Bytes,
}

/// An answer.
#[derive(Default)]
struct Answer {
    status: StatusCode,
    body: Option<Value>,
    location: Option<String>,
    version: Option<String>,
}

impl Answer {
    fn of(body: Value) -> Self {
        Self {
            body: Some(body),
            ..Self::default()
        }
    }

    fn empty() -> Self {
        Self {
            status: StatusCode::NO_CONTENT,
            ..Self::default()
        }
    }

    fn shown(shown: Shown) -> Self {
        Self {
            status: StatusCode::OK,
            body: Some(shown.resource.into()),
            location: Some(shown.location),
            version: Some(shown.version),
        }
    }
}

async fn handle(State(state): State<HttpState>, request: Request) -> Response {
    let answered = Box::pin(answer(&state, request));
    match tokio::time::timeout(PATIENCE, answered).await {
        Ok(Ok(answer)) => render(answer),
        Ok(Err(refusal)) => render_error(&state, &refusal),
        Err(_) => {
            tracing::warn!("a SCIM request took too long");
            let detail = "The answer took too long. Nothing was changed; try again in a few seconds.";
            render_error(&state, &ScimError::new(503, detail).into())
        }
    }
}

/// A refusal, and which methods there are where it was about that.
struct Refusal {
    error: ScimError,
    allow: Option<&'static str>,
}

impl From<ScimError> for Refusal {
    fn from(error: ScimError) -> Self {
        Self { error, allow: None }
    }
}

fn no_such_method(method: &Method, allow: &'static str) -> Refusal {
    Refusal {
        error: ScimError::new(405, format!("{method} is none of the methods here: {allow}.")),
        allow: Some(allow),
    }
}

fn nothing_here() -> Refusal {
    ScimError::new(
        404,
        "There is nothing here. Users are at `/Users`, groups at `/Groups`.",
    )
    .into()
}

async fn answer(state: &HttpState, request: Request) -> Result<Answer, Refusal> {
    let (mut parts, body) = request.into_parts();
    // The server leaves the body of the answer out.
    if parts.method == Method::HEAD {
        parts.method = Method::GET;
    }
    let base = base::url(&parts.headers, state.public_url.as_ref());
    let base = format!("{base}{}", paths::SCIM);
    let path = parts.uri.path();
    let below = path.strip_prefix(paths::SCIM).unwrap_or(path);
    let segments = segments(below)?;
    let segments_text: Vec<&str> = segments.iter().map(String::as_str).collect();
    if let Some(found) = discover(&parts.method, &segments_text, parts.uri.query(), &base) {
        return found;
    }
    let client = scim::authenticate(&state.app, bearer(&parts.headers), base).await?;
    let bytes = axum::body::to_bytes(body, MAX_BODY).await.map_err(|_| {
        let detail = format!("The body has more than {MAX_BODY} bytes, or broke off.");
        ScimError::new(413, detail)
    })?;
    let incoming = Incoming {
        method: parts.method,
        segments,
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        bytes,
    };
    route(state, &client, incoming).await
}

fn segments(path: &str) -> Result<Vec<String>, ScimError> {
    let parts = path.split('/').filter(|part| !part.is_empty());
    let decoded = parts.map(|part| {
        let text = percent_encoding::percent_decode_str(part).decode_utf8();
        text.map(String::from)
    });
    decoded
        .collect::<Result<_, _>>()
        .map_err(|_| ScimError::new(404, "The path is not UTF-8."))
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = text.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Answers what needs no token (RFC 7644, §4); `None` for all else.
fn discover(
    method: &Method,
    segments: &[&str],
    query: Option<&str>,
    base: &str,
) -> Option<Result<Answer, Refusal>> {
    let is = |name: &str| {
        segments
            .first()
            .is_some_and(|first| first.eq_ignore_ascii_case(name))
    };
    let (is_config, is_types, is_schemas) = (is("ServiceProviderConfig"), is("ResourceTypes"), is("Schemas"));
    if !is_config && !is_types && !is_schemas {
        return None;
    }
    if method != Method::GET {
        return Some(Err(no_such_method(method, "GET")));
    }
    let mut pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    if pairs.any(|(name, _)| name.eq_ignore_ascii_case("filter")) {
        return Some(Err(
            ScimError::new(403, "What is discovered cannot be filtered.").into()
        ));
    }
    let all = |resources: Vec<_>| Some(list::response(resources.len() as u64, 1, resources));
    let found = match segments {
        [_] if is_config => Some(discovery::service_provider_config(base)),
        [_] if is_types => all(discovery::resource_types(base)),
        [_] if is_schemas => all(discovery::schemas(base)),
        [_, name] if is_types => discovery::resource_type(name, base),
        [_, urn] if is_schemas => discovery::schema(urn, base),
        _ => None,
    };
    Some(found.map(Answer::of).ok_or_else(nothing_here))
}

async fn route(state: &HttpState, client: &Client, incoming: Incoming) -> Result<Answer, Refusal> {
    let segments: Vec<String> = incoming.segments.iter().map(|s| s.to_ascii_lowercase()).collect();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let both = [Kind::User, Kind::Group];
    match segments.as_slice() {
        [] => match incoming.method {
            Method::GET => search(state, client, &both, incoming.query()?).await,
            ref other => Err(no_such_method(other, "GET")),
        },
        [".search"] => match incoming.method {
            Method::POST => search(state, client, &both, Query::from_body(&incoming.json()?)?).await,
            ref other => Err(no_such_method(other, "POST")),
        },
        ["me", ..] => Err(ScimError::new(
            501,
            "A token stands for a provider, not for a user: there is no `/Me`.",
        )
        .into()),
        ["bulk"] => match incoming.method {
            Method::POST => bulk::run(state, client, &incoming.json()?).await,
            ref other => Err(no_such_method(other, "POST")),
        },
        ["users", rest @ ..] => resources::route(state, client, Kind::User, rest, &incoming).await,
        ["groups", rest @ ..] => resources::route(state, client, Kind::Group, rest, &incoming).await,
        _ => Err(nothing_here()),
    }
}

async fn search(state: &HttpState, client: &Client, kinds: &[Kind], query: Query) -> Result<Answer, Refusal> {
    Ok(Answer::of(scim::search(&state.app, client, kinds, &query).await?))
}

impl Incoming {
    /// The parameters in the URL.
    fn query(&self) -> Result<Query, ScimError> {
        let pairs: Vec<_> = url::form_urlencoded::parse(self.query.as_bytes()).collect();
        Query::from_pairs(pairs.iter().map(|(name, value)| (&**name, &**value)))
    }

    /// The body as JSON.
    fn json(&self) -> Result<Value, ScimError> {
        let kind = self
            .headers
            .get(header::CONTENT_TYPE)
            .map(|kind| kind.to_str().unwrap_or("?"));
        let essence = kind.map(|kind| kind.split(';').next().unwrap_or_default().trim());
        let fine = |essence: &str| {
            essence.eq_ignore_ascii_case(MEDIA_TYPE) || essence.eq_ignore_ascii_case("application/json")
        };
        if !essence.is_none_or(fine) {
            let detail = format!("Send JSON, with the header `Content-Type: {MEDIA_TYPE}`.");
            return Err(ScimError::new(415, detail));
        }
        serde_json::from_slice(&self.bytes).map_err(|error| {
            let detail = format!("The body is not valid JSON: {error}.");
            ScimError::of(ScimType::InvalidSyntax, detail)
        })
    }
}

fn render(answer: Answer) -> Response {
    let json = answer.body.map(|body| body.to_string());
    let mut response = match json {
        Some(json) => (answer.status, [(header::CONTENT_TYPE, MEDIA_TYPE)], json).into_response(),
        None => answer.status.into_response(),
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (header::LOCATION, answer.location),
        (header::ETAG, answer.version),
    ] {
        if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
            headers.insert(name, value);
        }
    }
    response
}

fn render_error(state: &HttpState, refusal: &Refusal) -> Response {
    let error = &refusal.error;
    if matches!(error.status, 500 | 503) {
        state.app.metrics.db_error("scim");
    }
    tracing::debug!(status = error.status, detail = error.detail, "refused");
    let mut response = render(Answer {
        status: StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        body: Some(error.to_json()),
        ..Answer::default()
    });
    let headers = response.headers_mut();
    if error.status == 401 {
        let scheme = HeaderValue::from_static("Bearer realm=\"scim\"");
        headers.insert(header::WWW_AUTHENTICATE, scheme);
    }
    if error.status == 503 {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(5));
    }
    if let Some(allow) = refusal.allow {
        headers.insert(header::ALLOW, HeaderValue::from_static(allow));
    }
    response
}
