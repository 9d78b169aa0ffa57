//! `/Bulk`: many requests, one after the other, each of which is done or refused by itself (RFC 7644, §3.7).

use super::{Answer, Incoming, Refusal, resources, segments};
use crate::app::scim::Client;
use crate::http::HttpState;
use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, Method, header};
use ccag_scim::bulk::{self, Operation};
use ccag_scim::{Kind, ScimError};
use serde_json::Value;
use std::collections::{HashMap, VecDeque};

pub(super) async fn run(state: &HttpState, client: &Client, body: &Value) -> Result<Answer, Refusal> {
    let bulk = bulk::parse(body)?;
    let count = bulk.operations.len();
    let mut answers: Vec<Option<Value>> = vec![None; count];
    let mut made: HashMap<String, String> = HashMap::new();
    let mut errors = 0;
    let mut waiting: VecDeque<(usize, Operation)> = bulk.operations.into_iter().enumerate().collect();
    // What refers to something that comes later waits for it; when all that is left waits, nothing comes any more.
    let mut turned_away = 0;
    while let Some((at, mut operation)) = waiting.pop_front() {
        let lacking = operation.waits_for(&made);
        if lacking.is_some() && turned_away < waiting.len() {
            turned_away += 1;
            waiting.push_back((at, operation));
            continue;
        }
        turned_away = 0;
        let done = match lacking {
            Some(name) => Err(bulk::unresolved(&name).into()),
            None => {
                operation.resolve(&made);
                one(state, client, &operation).await
            }
        };
        let answer = match done {
            Ok(answer) => {
                if let (Some(name), Some(id)) =
                    (&operation.id, answer.body.as_ref().and_then(|b| b["id"].as_str()))
                {
                    made.insert(name.clone(), id.to_owned());
                }
                let (location, version) = (answer.location.as_deref(), answer.version.as_deref());
                operation.answer(answer.status.as_u16(), location, version, None)
            }
            Err(refusal) => {
                errors += 1;
                let error = refusal.error;
                operation.answer(error.status, None, None, Some(error.to_json()))
            }
        };
        if let Some(slot) = answers.get_mut(at) {
            *slot = Some(answer);
        }
        if bulk.fail_on_errors.is_some_and(|most| errors >= most.max(1)) {
            break;
        }
    }
    Ok(Answer::of(bulk::response(
        answers.into_iter().flatten().collect(),
    )))
}

async fn one(state: &HttpState, client: &Client, operation: &Operation) -> Result<Answer, Refusal> {
    let (path, query) = operation.path.split_once('?').unwrap_or((&operation.path, ""));
    let mut headers = HeaderMap::new();
    if let Some(version) = operation
        .version
        .as_deref()
        .and_then(|v| HeaderValue::from_str(v).ok())
    {
        headers.insert(header::IF_MATCH, version);
    }
    let incoming = Incoming {
        method: Method::from_bytes(operation.method.as_bytes()).unwrap_or_default(),
        segments: segments(path)?,
        query: query.to_owned(),
        headers,
        bytes: Bytes::from(operation.data.to_string()),
    };
    let folders: Vec<String> = incoming.segments.iter().map(|s| s.to_ascii_lowercase()).collect();
    let folders: Vec<&str> = folders.iter().map(String::as_str).collect();
    let (kind, rest) = match folders.as_slice() {
        ["users", rest @ ..] => (Kind::User, rest),
        ["groups", rest @ ..] => (Kind::Group, rest),
        _ => return Err(ScimError::new(404, "A bulk request is about `/Users` and `/Groups`.").into()),
    };
    Box::pin(resources::route(state, client, kind, rest, &incoming)).await
}
