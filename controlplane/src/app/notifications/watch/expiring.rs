//! What is about to expire.

use crate::app::App;
use crate::app::notifications::events::{Told, event, subject};
use crate::store::StoreError;
use crate::store::entity::{scim_token, virtual_key};
use crate::store::outbox::{Audience, NewEvent};
use ccag_admin_api::{EventSubject, Timestamp};
use ccag_console::path;
use ccag_domain::time::DAY_MS;
use ccag_domain::{Category, Severity, UnixMs};
use serde_json::json;
use std::collections::HashMap;

/// How many days before something expires it is told, each once.
const DAYS: [i64; 3] = [1, 3, 14];

/// The last of the marks that has been passed.
fn mark(expires_ms: UnixMs, now: UnixMs) -> Option<i64> {
    let left = expires_ms - now;
    DAYS.into_iter().find(|days| left > 0 && left <= days * DAY_MS)
}

/// Keys and tokens.
pub(super) async fn expiring(app: &App) -> Result<Vec<NewEvent>, StoreError> {
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
