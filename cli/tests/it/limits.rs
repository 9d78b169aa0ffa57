//! Limits, against a server that keeps them in a vector and writes down what it was sent.

use crate::server::{Data, made_at, missing};
use crate::{Person, server, server::Server};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use ccag_admin_api::*;
use ccag_domain::LimitId;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

type Shared = State<Arc<Mutex<Data>>>;

pub(crate) fn router() -> Router<Arc<Mutex<Data>>> {
    Router::new()
        .route(paths::LIMITS, get(list).post(create))
        .route(paths::LIMIT, get(show).put(update).delete(remove))
}

async fn list(State(data): Shared, Query(query): Query<ListLimits>) -> Json<LimitList> {
    let mut all = data.lock().unwrap().limits.clone();
    all.retain(|limit| query.kind.is_none_or(|kind| limit.kind == kind));
    let (limits, next_cursor) = server::page(&all, query.cursor.as_ref());
    Json(LimitList { limits, next_cursor })
}

async fn create(State(data): Shared, Json(body): Json<Value>) -> Response {
    let request: CreateLimit = serde_json::from_value(body.clone()).unwrap();
    let mut data = data.lock().unwrap();
    data.bodies.push(body);
    let new = LimitView {
        id: LimitId::parse(&format!("lim_{}", data.limits.len() + 1)).unwrap(),
        scope: request.scope,
        about: request.scope.as_str().to_owned(),
        team_id: request.team_id,
        user_id: request.user_id,
        key_id: request.key_id,
        kind: request.kind,
        amount: request.amount,
        models: request.models,
        weights: request.weights,
        in_use: 3,
        created_at: made_at(),
        updated_at: made_at(),
    };
    data.limits.push(new.clone());
    (StatusCode::CREATED, Json(new)).into_response()
}

fn with(data: &Mutex<Data>, id: &LimitId, change: impl FnOnce(&mut LimitView)) -> Response {
    let mut data = data.lock().unwrap();
    match data.limits.iter_mut().find(|limit| limit.id == *id) {
        Some(limit) => {
            change(limit);
            Json(limit.clone()).into_response()
        }
        None => missing(),
    }
}

async fn show(State(data): Shared, Path(id): Path<LimitId>) -> Response {
    with(&data, &id, |_| {})
}

async fn update(State(data): Shared, Path(id): Path<LimitId>, Json(body): Json<Value>) -> Response {
    data.lock().unwrap().bodies.push(body.clone());
    let request: UpdateLimit = serde_json::from_value(body).unwrap();
    with(&data, &id, |limit| {
        limit.amount = request.amount.unwrap_or(limit.amount);
        limit.models = request.models.unwrap_or(limit.models.clone());
    })
}

async fn remove(State(data): Shared, Path(id): Path<LimitId>) -> StatusCode {
    data.lock().unwrap().limits.retain(|limit| limit.id != id);
    StatusCode::NO_CONTENT
}

#[test]
fn limits_are_made_listed_changed_and_deleted() {
    let server = Server::start();
    let person = Person::signed_in(&server);
    server.add_team("team_1", "Platform");
    server.add_user("user_1", "ada");
    assert!(person.ok(&["limits", "list"]).starts_with("No limits."));
    let sent = || server.data.lock().unwrap().bodies.last().unwrap().clone();
    person.ok(&["limits", "create", "600", "rpm"]);
    assert_eq!(
        sent(),
        json!({"scope": "organisation", "kind": "requests_per_minute", "amount": 600})
    );
    let shown = person.ok(&[
        "limits",
        "create",
        "2000000",
        "tokens-per-minute",
        "--team",
        "platform",
        "--each",
        "--model",
        "claude-opus-5-5",
        "--weight",
        "output=1000",
        "--weight",
        "cache-read=10",
    ]);
    assert_eq!(
        sent(),
        json!({"scope": "each_member", "team_id": "team_1", "kind": "tokens_per_minute", "amount": 2_000_000,
               "models": ["claude-opus-5-5"], "weights": {"output": 1000, "cache_read": 10}})
    );
    assert!(shown.contains("2,000,000 tokens per minute"), "{shown}");
    let listed = person.ok(&["limits", "list"]);
    assert!(
        listed.contains("lim_2") && listed.contains("claude-opus-5-5"),
        "{listed}"
    );
    assert_eq!(
        person.json(&["limits", "list", "--kind", "rpm"])["limits"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    person.ok(&["limits", "update", "lim_2", "--amount", "5", "--all-models"]);
    assert_eq!(sent(), json!({"amount": 5, "models": []}));
    assert_eq!(person.json(&["limits", "show", "lim_2"])["amount"], 5);
    let gone = person.ok(&["limits", "delete", "lim_1", "lim_2"]);
    assert_eq!(gone.trim(), "Deleted lim_1.\nDeleted lim_2.");
    for wrong in [
        &["limits", "create", "-5", "rpm"][..],
        &["limits", "create", "5"],
        &["limits", "create", "5", "dollars"],
        &["limits", "create", "5", "tpm", "--weight", "output"],
        &["limits", "create", "5", "tpm", "--each", "--user", "ada"],
        &["limits", "update", "lim_1"],
    ] {
        assert_eq!(person.run(wrong).code, 2, "{wrong:?}");
    }
}
