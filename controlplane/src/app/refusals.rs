//! Administrative requests that were refused, on their way to the audit log.
//!
//! Whoever is signed in can be refused as often as they like, so not each refusal is an entry: of one person at one route the
//! first within a minute is written at once, and how many more there were, when the minute is over.

use super::App;
use crate::store::AuditEntry;
use ccag_domain::{Actor, ObjectKind, UnixMs};
use serde_json::json;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

/// How long refusals of one person at one route are counted together, in milliseconds.
const WINDOW_MS: i64 = 60_000;

/// For how many persons and routes at a time.
const MOST: usize = 10_000;

/// The longest path that is written down, in characters.
const MAX_PATH: usize = 200;

/// A request that was refused.
#[derive(Debug, Clone)]
pub(crate) struct Refused {
    pub(crate) actor: Actor,
    /// The method and the route's path, with names for its parameters.
    pub(crate) route: String,
    /// The path that was asked for.
    pub(crate) path: String,
    /// Where the request came from, as far as it is known.
    pub(crate) address: Option<IpAddr>,
}

/// What is counted now: by person and route.
#[derive(Default)]
pub(crate) struct Windows(Mutex<HashMap<(String, String), Window>>);

struct Window {
    since_ms: UnixMs,
    /// How many there were after the first one.
    more: u64,
    last: Refused,
}

impl Window {
    /// The entry about those that were not written at once, if there are any.
    fn rest(&self, app: &App) -> Option<AuditEntry> {
        (self.more > 0).then(|| entry(app, &self.last, self.more))
    }
}

/// Has it written down that a request was refused. The answer does not wait for it.
pub(crate) fn note(app: &App, refused: Refused) {
    let Some(user) = refused.actor.user_id() else {
        return;
    };
    let (now, key) = (app.now_ms(), (user.to_string(), refused.route.clone()));
    let mut windows = app.windows.0.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(window) = windows.get_mut(&key)
        && now - window.since_ms < WINDOW_MS
    {
        window.more += 1;
        window.last = refused;
        return;
    }
    if windows.len() >= MOST {
        tracing::warn!(user = %user, route = refused.route, "so much is refused that not all of it is written to the audit log");
        return;
    }
    let first = entry(app, &refused, 1);
    let window = Window {
        since_ms: now,
        more: 0,
        last: refused,
    };
    let rest = windows.insert(key, window).and_then(|before| before.rest(app));
    drop(windows);
    for entry in rest.into_iter().chain([first]) {
        if app.refused.try_send((now, entry)).is_err() {
            tracing::warn!("so much is refused that not all of it is written to the audit log");
        }
    }
}

/// Takes the entries about minutes that are over; at the end, about all.
pub(crate) fn over(app: &App, all: bool) -> Vec<AuditEntry> {
    let now = app.now_ms();
    let mut windows = app.windows.0.lock().unwrap_or_else(PoisonError::into_inner);
    let over = windows.extract_if(|_, window| all || now - window.since_ms >= WINDOW_MS);
    over.filter_map(|(_, window)| window.rest(app)).collect()
}

fn entry(app: &App, refused: &Refused, count: u64) -> AuditEntry {
    let path: String = refused.path.chars().take(MAX_PATH).collect();
    let role = match &refused.actor {
        Actor::User { role, .. } => role.as_str(),
        Actor::System => "system",
    };
    let address = refused.address.map(|address| address.to_canonical());
    let details = json!({ "path": path, "role": role, "address": address, "count": count });
    AuditEntry {
        kind: "route",
        ..app.audit(
            &refused.actor,
            "request.refused",
            ObjectKind::Settings,
            &refused.route,
            details,
        )
    }
}
