//! `GET /v1/models`: what this caller can really use, in the shape of Anthropic's API.

use super::Gateway;
use super::error::{render, set_request_id};
use crate::admission::is_servable;
use crate::auth::authenticate;
use crate::sync::ConfigView;
use axum::body::Body;
use axum::response::Response;
use ccag_domain::{Caller, Code, Model, Problem, RequestId, routing};
use http::{HeaderMap, HeaderValue, header};
use serde_json::{Value, json};
use std::sync::Arc;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Anthropic's default and largest page.
const DEFAULT_LIMIT: usize = 20;
const MAX_LIMIT: usize = 1_000;

/// Lists models, or tells about one.
pub(super) fn handle(
    gateway: &Gateway,
    headers: &HeaderMap,
    id: Option<&str>,
    query: Option<&str>,
) -> Response {
    let request_id = gateway.request_id();
    match answer(gateway, headers, id, query) {
        Ok(value) => json_response(&value, &request_id),
        Err(problem) => render(&problem, &request_id),
    }
}

fn answer(
    gateway: &Gateway,
    headers: &HeaderMap,
    id: Option<&str>,
    query: Option<&str>,
) -> Result<Value, Problem> {
    let view = gateway.view()?;
    let caller = authenticate(headers, &view, gateway.clock.now_ms())?.caller;
    let mut models = servable(&view, &caller, gateway.bedrock.upstream.home_region());
    if let Some(id) = id {
        let wanted = view.model(id).map(|m| &m.name);
        return models
            .iter()
            .find(|m| Some(&m.name) == wanted)
            .map(|m| describe(m))
            .ok_or_else(|| Problem::new(Code::NotFound, format!("model: {}", shortened(id))));
    }
    models.sort_by(|a, b| {
        b.released_at_s
            .cmp(&a.released_at_s)
            .then_with(|| a.name.cmp(&b.name))
    });
    page(&models, query.unwrap_or_default())
}

/// The models that some endpoint of the caller offers and that have a price.
pub(super) fn servable(view: &ConfigView, caller: &Caller, home_region: &str) -> Vec<Arc<Model>> {
    let team = caller.team_id.as_ref().and_then(|id| view.team(id));
    let Ok(endpoints) = routing::eligible(team.map(AsRef::as_ref), view.endpoints()) else {
        return Vec::new();
    };
    view.models()
        .filter(|model| is_servable(view, model))
        .filter(|model| routing::order(&endpoints, model, home_region, "").is_ok())
        .cloned()
        .collect()
}

fn page(models: &[Arc<Model>], query: &str) -> Result<Value, Problem> {
    let mut limit = DEFAULT_LIMIT;
    let mut from = 0;
    let mut until = models.len();
    let mut backwards = false;
    let position = |id: &str| models.iter().position(|m| m.name.as_str() == id);
    for (key, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let unknown =
            || Problem::new(Code::InvalidRequest, format!("{key}: no such model")).field(key.as_ref());
        match key.as_ref() {
            "limit" => {
                limit = value
                    .parse()
                    .ok()
                    .filter(|n| (1..=MAX_LIMIT).contains(n))
                    .ok_or_else(|| {
                        Problem::new(Code::InvalidRequest, "limit: must be a number from 1 to 1000")
                            .field("limit")
                    })?;
            }
            "after_id" => from = position(&value).ok_or_else(unknown)? + 1,
            "before_id" => {
                until = position(&value).ok_or_else(unknown)?;
                backwards = true;
            }
            _ => {}
        }
    }
    let range = models.get(from..until).unwrap_or_default();
    let shown = if backwards {
        &range[range.len().saturating_sub(limit)..]
    } else {
        &range[..range.len().min(limit)]
    };
    Ok(json!({
        "data": shown.iter().map(|m| describe(m)).collect::<Vec<_>>(),
        "has_more": shown.len() < range.len(),
        "first_id": shown.first().map(|m| m.name.as_str()),
        "last_id": shown.last().map(|m| m.name.as_str()),
    }))
}

fn describe(model: &Model) -> Value {
    let created_at = OffsetDateTime::from_unix_timestamp(model.released_at_s)
        .ok()
        .and_then(|at| at.format(&Rfc3339).ok());
    json!({
        "type": "model",
        "id": model.name.as_str(),
        "display_name": model.display_name,
        "created_at": created_at,
    })
}

fn shortened(text: &str) -> String {
    text.chars().take(120).collect()
}

pub(super) fn json_response(value: &Value, request_id: &RequestId) -> Response {
    let mut response = Response::new(Body::from(value.to_string()));
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    set_request_id(response.headers_mut(), request_id);
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use ccag_domain::catalogue;

    fn ids(query: &str) -> (Vec<String>, bool) {
        let models: Vec<_> = catalogue::models().into_iter().map(Arc::new).collect();
        let page = page(&models, query).unwrap();
        let ids = page["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|m| m["id"].as_str().unwrap().to_owned());
        (ids.collect(), page["has_more"].as_bool().unwrap())
    }

    #[test]
    fn pages_follow_one_another() {
        let (all, more) = ids("limit=1000");
        assert!(!more && all.len() > 3);
        let (first, more) = ids("limit=2");
        assert!(more && first == all[..2]);
        let (second, _) = ids(&format!("limit=2&after_id={}", first[1]));
        assert_eq!(second, all[2..4]);
        let (back, _) = ids(&format!("limit=1&before_id={}", all[2]));
        assert_eq!(back, all[1..2]);
    }

    #[test]
    fn bad_cursors_and_limits_are_refused() {
        for query in [
            "limit=0",
            "limit=x",
            "limit=1001",
            "after_id=nonesuch",
            "before_id=",
        ] {
            assert!(page(&[], query).is_err(), "{query}");
        }
        assert_eq!(page(&[], "limit=5&beta=true").unwrap()["data"], json!([]));
    }
}
