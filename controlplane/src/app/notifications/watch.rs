//! What nobody does and is worth telling all the same: what is about to expire, endpoints in trouble, data planes that are gone.
//!
//! Every control plane looks, now and then, and finds the same. What an event is told once for says which of them tells it.

use super::events::{Told, event, subject};
use crate::app::{App, fleet};
use crate::store::StoreError;
use crate::store::entity::{replica, scim_token, virtual_key};
use crate::store::outbox::{Audience, NewEvent};
use ccag_admin_api::{EndpointTrouble, EventSubject, Timestamp};
use ccag_console::path;
use ccag_domain::time::{DAY_MS, HOUR_MS};
use ccag_domain::{Category, Severity, Trouble, UnixMs};
use serde_json::json;
use std::collections::{BTreeMap, HashMap};

/// How many days before something expires it is told, each once.
const DAYS: [i64; 3] = [1, 3, 14];

/// How long nothing has to be heard of a data plane before it is told, in milliseconds: one that restarts is back by then.
const GONE_MS: i64 = 5 * 60_000;

/// An endpoint that is in trouble again and again is told once in this time, in milliseconds.
const DAMPED_MS: i64 = 6 * HOUR_MS;

/// Looks, and writes what is new into the outbox.
///
/// # Errors
/// [`StoreError`] if the database is not able to answer or to take it now.
pub async fn look(app: &App) -> Result<(), StoreError> {
    let mut found = expiring(app).await?;
    let replicas = app.store.list_replicas().await?;
    found.extend(gone(app, &replicas));
    found.extend(troubles(app, &replicas).await?);
    app.store.raise(&found).await
}

/// The last of the marks that has been passed.
fn mark(expires_ms: UnixMs, now: UnixMs) -> Option<i64> {
    let left = expires_ms - now;
    DAYS.into_iter().find(|days| left > 0 && left <= days * DAY_MS)
}

async fn expiring(app: &App) -> Result<Vec<NewEvent>, StoreError> {
    let now = app.now_ms();
    let until = now + DAYS[2] * DAY_MS;
    let keys = app.store.list_expiring_keys(now, until).await?;
    let tokens = app.store.list_expiring_scim_tokens(now, until).await?;
    let ids = |of: fn(&virtual_key::Model) -> &Option<String>| -> Vec<String> {
        keys.iter().filter_map(|key| of(key).clone()).collect()
    };
    let teams = app.store.list_team_names(&ids(|key| &key.team_id)).await?;
    let users = app.store.list_user_names(&ids(|key| &key.user_id)).await?;
    let (teams, users): (HashMap<_, _>, HashMap<_, _>) =
        (teams.into_iter().collect(), users.into_iter().collect());
    let named = |names: &HashMap<String, String>, id: &Option<String>| {
        id.as_ref()
            .map(|id| subject(id, names.get(id).map_or("", String::as_str)))
    };
    let mut found = Vec::new();
    for key in &keys {
        let (team, user) = (named(&teams, &key.team_id), named(&users, &key.user_id));
        let what = Expiring {
            kind: "key.expiring",
            what: "The key",
            subject: subject(&key.id, &key.name),
            page: path::key(&key.id),
        };
        found.extend(expires(app, &what, key.expires_at_ms, team, user));
    }
    for token in &tokens {
        let scim_token::Model { id, name, .. } = token;
        let what = Expiring {
            kind: "scim_token.expiring",
            what: "The SCIM token",
            subject: subject(id, name),
            page: path::provider(&token.provider_id),
        };
        found.extend(expires(app, &what, token.expires_at_ms, None, None));
    }
    Ok(found)
}

/// Something that expires.
struct Expiring {
    kind: &'static str,
    what: &'static str,
    subject: EventSubject,
    page: String,
}

fn expires(
    app: &App,
    of: &Expiring,
    expires_ms: Option<UnixMs>,
    team: Option<EventSubject>,
    user: Option<EventSubject>,
) -> Option<NewEvent> {
    let at = expires_ms?;
    let days = mark(at, app.now_ms())?;
    let when = Timestamp::from_ms(at);
    let told = Told {
        once: format!("expiry/{}/{at}/{days}", of.subject.id),
        kind: of.kind,
        category: Category::Expiry,
        severity: Severity::Warning,
        text: format!(
            "{} {} expires at {}.",
            of.what,
            of.subject.name,
            when.to_the_minute()
        ),
        page: of.page.clone(),
        team,
        user,
        data: json!({ "what": of.subject, "expires_at": when, "days": days }),
        audience: Audience::Both,
    };
    Some(event(app, &told))
}

/// Data planes of which nothing is heard, unless they had said that they are going.
fn gone(app: &App, replicas: &[replica::Model]) -> Vec<NewEvent> {
    let now = app.now_ms();
    let is_gone = |row: &&replica::Model| !row.draining && now - row.last_seen_ms > GONE_MS;
    let told = |row: &replica::Model| {
        let seen = Timestamp::from_ms(row.last_seen_ms);
        let told = Told {
            // Once for each time that it goes.
            once: format!("gone/{}/{}", row.id, row.last_seen_ms),
            kind: "data_plane.gone",
            category: Category::Fleet,
            severity: Severity::Warning,
            text: format!(
                "Nothing is heard of the data plane {} since {}.",
                row.name,
                seen.to_the_minute()
            ),
            page: path::FLEET.to_owned(),
            team: None,
            user: None,
            data: json!({
                "data_plane": subject(&row.id, &row.name), "last_seen_at": seen, "spooled_records": row.spooled_records,
            }),
            audience: Audience::Organisation,
        };
        event(app, &told)
    };
    replicas.iter().filter(is_gone).map(told).collect()
}

/// Endpoints in trouble, as data planes that are connected see them, each with the first of its troubles.
async fn troubles(app: &App, replicas: &[replica::Model]) -> Result<Vec<NewEvent>, StoreError> {
    let now = app.now_ms();
    let mut seen: BTreeMap<(String, String), (EndpointTrouble, u64)> = BTreeMap::new();
    let mut connected = 0_u64;
    for row in replicas {
        if !row.connected || now - row.last_seen_ms >= fleet::SILENT_MS {
            continue;
        }
        connected += 1;
        let troubles: Vec<EndpointTrouble> = serde_json::from_str(&row.troubles).unwrap_or_default();
        let mut here: Vec<(String, String)> = Vec::new();
        for trouble in troubles {
            let key = (trouble.endpoint_id.to_string(), trouble.cause.clone());
            if !here.contains(&key) {
                here.push(key.clone());
                seen.entry(key).or_insert((trouble, 0)).1 += 1;
            }
        }
    }
    if seen.is_empty() {
        return Ok(Vec::new());
    }
    let rows = app.store.list_endpoints().await?;
    let names: HashMap<String, String> = rows.into_iter().map(|row| (row.id, row.name)).collect();
    let told = |((id, cause), (trouble, by)): (&(String, String), &(EndpointTrouble, u64))| {
        let endpoint = subject(id, names.get(id).map_or("", String::as_str));
        let kind = Trouble::parse(cause);
        let throttled = matches!(kind, Some(Trouble::Throttled | Trouble::DailyQuota));
        let why = kind.map_or("", Trouble::told);
        let told = Told {
            once: format!("endpoint/{id}/{cause}/{}", now / DAMPED_MS),
            kind: if throttled {
                "endpoint.throttled"
            } else {
                "endpoint.trouble"
            },
            category: Category::Endpoint,
            severity: if *by == connected {
                Severity::Critical
            } else {
                Severity::Warning
            },
            text: format!(
                "The endpoint {} is in trouble, as {by} of {connected} data planes see it. {why}",
                endpoint.name
            ),
            page: path::FLEET.to_owned(),
            team: None,
            user: None,
            data: json!({
                "endpoint": endpoint, "cause": cause, "model": trouble.model, "data_planes": by, "of_data_planes": connected,
            }),
            audience: Audience::Organisation,
        };
        event(app, &told)
    };
    Ok(seen.iter().map(told).collect())
}
