//! `GET /managed/settings`: what the policies tell a user's Claude Code.

use super::{bearer, envelope, json_answer};
use crate::app::clients::sessions;
use crate::app::policies;
use crate::http::HttpState;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ccag_domain::{Code, Problem};
use serde_json::json;

pub(super) async fn settings(State(state): State<HttpState>, headers: HeaderMap) -> Response {
    match answer(&state, &headers).await {
        Ok(response) => response,
        Err(problem) => envelope(&problem),
    }
}

async fn answer(state: &HttpState, headers: &HeaderMap) -> Result<Response, Problem> {
    let user = sessions::authenticate(&state.app, bearer(headers)?).await?;
    let Some(document) = policies::settings_of(&state.app, &user).await? else {
        return Err(Problem::new(
            Code::NotFound,
            "No policy says anything about your settings.",
        ));
    };
    let tag = format!("\"{}\"", document.checksum);
    let held = headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|value| value.trim().trim_start_matches("W/"))
        .any(|value| value == "*" || value == tag);
    let mut response = if held {
        (StatusCode::NOT_MODIFIED, [(header::CACHE_CONTROL, "no-cache")]).into_response()
    } else {
        let body = json!({
            "uuid": document.uuid,
            "checksum": document.checksum,
            "settings": document.settings,
        });
        let mut response = json_answer(StatusCode::OK, &body);
        let value = HeaderValue::from_static("no-cache");
        response.headers_mut().insert(header::CACHE_CONTROL, value);
        response
    };
    if let Ok(value) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(header::ETAG, value);
    }
    Ok(response)
}
