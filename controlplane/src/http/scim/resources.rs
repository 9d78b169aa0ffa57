//! `/Users` and `/Groups`.

use super::{Answer, Incoming, Refusal, no_such_method, nothing_here, search};
use crate::app::scim::{self, Client, Shown, Versions};
use crate::http::HttpState;
use axum::http::{HeaderMap, Method, StatusCode, header};
use ccag_scim::list::Query;
use ccag_scim::{Kind, Projection, patch};

const OF_ALL: &str = "GET, POST";
const OF_ONE: &str = "GET, PUT, PATCH, DELETE";

pub(super) async fn route(
    state: &HttpState,
    client: &Client,
    kind: Kind,
    rest: &[&str],
    incoming: &Incoming,
) -> Result<Answer, Refusal> {
    match (rest, &incoming.method) {
        ([], &Method::GET) => search(state, client, &[kind], incoming.query()?).await,
        ([], &Method::POST) => create(state, client, kind, incoming).await,
        ([], other) => Err(no_such_method(other, OF_ALL)),
        ([".search"], &Method::POST) => {
            search(state, client, &[kind], Query::from_body(&incoming.json()?)?).await
        }
        ([".search"], other) => Err(no_such_method(other, "POST")),
        ([_], method) => {
            // As it was written: ids are exact.
            let id = incoming.segments.get(1).map(String::as_str).unwrap_or_default();
            let id = scim::former::ours(kind, id);
            one(state, client, kind, &id, method, incoming).await
        }
        _ => Err(nothing_here()),
    }
}

fn versions(headers: &HeaderMap, name: header::HeaderName) -> Option<Versions> {
    let text = headers.get(name)?.to_str().ok()?;
    Some(Versions::new(text))
}

fn project(kind: Kind, projection: &Projection, mut shown: Shown) -> Shown {
    shown.resource = projection.apply(kind, shown.resource);
    shown
}

async fn create(
    state: &HttpState,
    client: &Client,
    kind: Kind,
    incoming: &Incoming,
) -> Result<Answer, Refusal> {
    let projection = incoming.query()?.projection;
    let body = incoming.json()?;
    let shown = match kind {
        Kind::User => scim::create_user(&state.app, client, &body).await?,
        Kind::Group => scim::create_group(&state.app, client, &body).await?,
    };
    Ok(Answer {
        status: StatusCode::CREATED,
        ..Answer::shown(project(kind, &projection, shown))
    })
}

async fn one(
    state: &HttpState,
    client: &Client,
    kind: Kind,
    id: &str,
    method: &Method,
    incoming: &Incoming,
) -> Result<Answer, Refusal> {
    let app = &state.app;
    let projection = incoming.query()?.projection;
    let wanted = versions(&incoming.headers, header::IF_MATCH);
    let wanted = wanted.as_ref();
    let shown = match (method, kind) {
        (&Method::GET, Kind::User) => scim::find_user(app, client, id, &projection).await?,
        (&Method::GET, Kind::Group) => scim::find_group(app, client, id, &projection).await?,
        (&Method::PUT, Kind::User) => scim::replace_user(app, client, id, &incoming.json()?, wanted).await?,
        (&Method::PUT, Kind::Group) => {
            scim::replace_group(app, client, id, &incoming.json()?, wanted, &projection).await?
        }
        (&Method::PATCH, Kind::User) => {
            let operations = patch::parse(&incoming.json()?)?;
            scim::patch_user(app, client, id, &operations, wanted).await?
        }
        (&Method::PATCH, Kind::Group) => {
            let operations = patch::parse(&incoming.json()?)?;
            return patch_group(state, client, id, &operations, wanted, &projection).await;
        }
        (&Method::DELETE, Kind::User) => {
            scim::delete_user(app, client, id, wanted).await?;
            return Ok(Answer::empty());
        }
        (&Method::DELETE, Kind::Group) => {
            scim::delete_group(app, client, id, wanted).await?;
            return Ok(Answer::empty());
        }
        (other, _) => return Err(no_such_method(other, OF_ONE)),
    };
    let known = versions(&incoming.headers, header::IF_NONE_MATCH);
    if method == Method::GET && known.is_some_and(|known| known.include(&shown.version)) {
        return Ok(Answer {
            status: StatusCode::NOT_MODIFIED,
            version: Some(shown.version),
            ..Answer::default()
        });
    }
    Ok(Answer::shown(project(kind, &projection, shown)))
}

/// A group may have many members, and providers do not look at them after a change: they are shown to who asks.
async fn patch_group(
    state: &HttpState,
    client: &Client,
    id: &str,
    operations: &[patch::Operation],
    wanted: Option<&Versions>,
    projection: &Projection,
) -> Result<Answer, Refusal> {
    let asked = projection.is_some();
    let without = Projection::new([], ["members"]);
    let read = if asked { projection } else { &without };
    let shown = scim::patch_group(&state.app, client, id, operations, wanted, read).await?;
    if asked {
        return Ok(Answer::shown(project(Kind::Group, projection, shown)));
    }
    Ok(Answer {
        version: Some(shown.version),
        ..Answer::empty()
    })
}
