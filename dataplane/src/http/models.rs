//! `GET /v1/models`: what this caller can really use, in the shape of Anthropic's API.

use super::Gateway;
use super::error::{render, set_request_id};
use super::messages::route;
use crate::admission::is_servable;
use crate::auth::authenticate;
use crate::permission;
use crate::sync::ConfigView;
use axum::body::Body;
use axum::response::Response;
use ccag_domain::{Caller, Code, Model, Problem, RequestId};
use http::{HeaderMap, HeaderValue, header};
use serde_json::{Value, json};
use std::sync::Arc;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Anthropic's default and largest page.
const DEFAULT_LIMIT: usize = 20;
const MAX_LIMIT: usize = 1_000;

/// Lists models, or tells about one.
pub(super) async fn handle(
    gateway: &Gateway,
    headers: &HeaderMap,
    id: Option<&str>,
    query: Option<&str>,
) -> Response {
    let request_id = gateway.request_id();
    gateway.caught_up(headers).await;
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
    let caller = authenticate(headers, &view, &gateway.tokens, gateway.clock.now_ms())?.caller;
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

/// The models that the caller may use, that some endpoint of theirs offers within their rules, and that have a price.
pub(super) fn servable(view: &ConfigView, caller: &Caller, home_region: &str) -> Vec<Arc<Model>> {
    let rules = route::rules(view, caller, home_region);
    view.models()
        .filter(|model| is_servable(view, model))
        .filter(|model| permission::check(view, caller, &model.name).is_ok())
        .filter(|model| rules.serves(model, view.endpoints()))
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
    use ccag_domain::{
        ConfigObject, Discovery, Endpoint, EndpointId, Geography, KeyId, OfferedProfile, Offers, Revision,
        catalogue,
    };

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

    fn view() -> ConfigView {
        let mut view = ConfigView::empty("e", Revision(1));
        for model in catalogue::models() {
            view.put(ConfigObject::Model(model)).unwrap();
        }
        for price in catalogue::prices() {
            view.put(ConfigObject::Price(price)).unwrap();
        }
        view
    }

    fn endpoint(discovery: Option<Discovery>) -> Endpoint {
        Endpoint {
            region: Some("us-east-1".into()),
            offers: Arc::new(Offers {
                discovery,
                ..Offers::default()
            }),
            ..Endpoint::new(EndpointId::parse("end_1").unwrap(), "e")
        }
    }

    fn caller() -> Caller {
        Caller {
            key_id: KeyId::parse("key_1").unwrap(),
            user_id: None,
            team_id: None,
        }
    }

    fn profile(id: &str, geography: Geography, application: bool) -> OfferedProfile {
        OfferedProfile {
            id: id.into(),
            name: String::new(),
            foundation_model: "anthropic.claude-opus-5-5".into(),
            geography,
            application,
        }
    }

    #[test]
    fn only_what_an_endpoint_really_offers_is_listed() {
        let mut view = view();
        assert!(
            servable(&view, &caller(), "").is_empty(),
            "no endpoint, no models"
        );
        view.put(ConfigObject::Endpoint(endpoint(None))).unwrap();
        assert!(servable(&view, &caller(), "").len() > 10);
        let found = Discovery {
            at_ms: 1,
            profiles: vec![profile("us.anthropic.claude-opus-5-5", Geography::Us, false)],
            on_demand: vec!["anthropic.claude-haiku-4-5-20251001-v1:0".into()],
        };
        view.put(ConfigObject::Endpoint(endpoint(Some(found)))).unwrap();
        let listed = servable(&view, &caller(), "");
        let names: Vec<_> = listed.iter().map(|m| m.name.as_str()).collect();
        assert_eq!(names, ["claude-haiku-4-5", "claude-opus-5-5"]);
        // A model without a price is not served, and not listed.
        view.remove(&ccag_domain::ObjectRef {
            kind: ccag_domain::ObjectKind::Price,
            id: "claude-opus-5-5".into(),
        });
        let listed = servable(&view, &caller(), "");
        assert_eq!(listed.len(), 1);
    }

    #[test]
    fn every_way_to_name_a_model_means_the_same_one() {
        let arn = "arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/Abc123";
        let found = Discovery {
            at_ms: 1,
            profiles: vec![profile(arn, Geography::Us, true)],
            on_demand: Vec::new(),
        };
        let mut view = view();
        assert!(view.model(arn).is_none());
        view.put(ConfigObject::Endpoint(endpoint(Some(found)))).unwrap();
        for said in [
            "claude-opus-5-5",
            "claude-opus-5-5[1m]",
            "claude-opus-5-5-20260921",
            "anthropic.claude-opus-5-5",
            "eu.anthropic.claude-opus-5-5",
            "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-opus-5-5",
            "arn:aws:bedrock:us-east-1:111122223333:inference-profile/us.anthropic.claude-opus-5-5",
            arn,
            &format!("{arn}[1m]"),
        ] {
            let model = view.model(said).unwrap_or_else(|| panic!("{said}"));
            assert_eq!(model.name.as_str(), "claude-opus-5-5", "{said}");
            assert!(view.is_priced(&model.name));
        }
        for other in [
            "claude-opus-5-55",
            "opus",
            "xclaude-opus-5-5",
            &arn[..arn.len() - 1],
        ] {
            assert!(view.model(other).is_none(), "{other}");
        }
        view.remove(&ccag_domain::ObjectRef {
            kind: ccag_domain::ObjectKind::Endpoint,
            id: "end_1".into(),
        });
        assert!(view.model(arn).is_none(), "the profile went with its endpoint");
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
