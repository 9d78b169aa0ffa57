//! Endpoints in trouble, as data planes that are connected see them, each with the first of its troubles of a kind.

use super::lasting::{Seen, how_long};
use crate::app::notifications::events::{Told, subject};
use crate::app::{App, fleet};
use crate::store::StoreError;
use crate::store::entity::replica;
use crate::store::outbox::Audience;
use ccag_admin_api::{EndpointTrouble, EventSubject, Timestamp};
use ccag_console::path;
use ccag_domain::condition::{Condition, Look, News, Patience};
use ccag_domain::{Category, Severity, Trouble};
use serde_json::json;
use std::collections::{BTreeMap, HashMap};

/// How long an endpoint must not have been in trouble before it counts as healthy, in milliseconds.
const QUIET_MS: i64 = 5 * 60_000;

/// How long it must be asked for more than its quota allows before that is told, in milliseconds: for moments that is usual.
const THROTTLED_MS: i64 = 5 * 60_000;

const PREFIX: &str = "endpoint/";

/// A trouble of one kind at one endpoint.
#[derive(Default)]
struct Found {
    /// The first that was found; none now.
    trouble: Option<EndpointTrouble>,
    /// How many data planes see it.
    by: u64,
}

pub(super) async fn seen<'a>(
    app: &App,
    replicas: &[replica::Model],
    known: &HashMap<String, Condition>,
) -> Result<Vec<Seen<'a>>, StoreError> {
    let now = app.now_ms();
    let mut found: BTreeMap<(String, String), Found> = BTreeMap::new();
    for id in known.keys().filter_map(|id| id.strip_prefix(PREFIX)) {
        if let Some((endpoint, cause)) = id.split_once('/') {
            found.insert((endpoint.to_owned(), cause.to_owned()), Found::default());
        }
    }
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
                let found = found.entry(key).or_default();
                found.by += 1;
                found.trouble.get_or_insert(trouble);
            }
        }
    }
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let rows = app.store.list_endpoints().await?;
    let names: HashMap<String, String> = (rows.into_iter())
        .filter(|row| row.enabled)
        .map(|row| (row.id, row.name))
        .collect();
    let one = |((endpoint, cause), found): ((String, String), Found)| {
        let look = match (&found.trouble, names.contains_key(&endpoint)) {
            (_, false) => Look::Gone,
            (Some(trouble), true) => Look::There {
                level: 1,
                since_ms: trouble.since.ms(),
            },
            (None, true) if connected == 0 => Look::Unknown,
            (None, true) => Look::Away,
        };
        let kind = Trouble::parse(&cause);
        let hold_ms = if kind == Some(Trouble::Throttled) {
            THROTTLED_MS
        } else {
            0
        };
        let endpoint = subject(&endpoint, names.get(&endpoint).map_or("", String::as_str));
        Seen {
            id: format!("{PREFIX}{}/{cause}", endpoint.id),
            look,
            patience: Patience {
                hold_ms,
                quiet_ms: QUIET_MS,
            },
            tell: Box::new(move |condition, news| {
                told(&endpoint, (&cause, kind), (&found, connected), condition, news)
            }),
        }
    };
    Ok(found.into_iter().map(one).collect())
}

fn told(
    endpoint: &EventSubject,
    (cause, kind): (&str, Option<Trouble>),
    (found, connected): (&Found, u64),
    condition: &Condition,
    news: News,
) -> Told {
    let throttling = kind.is_some_and(Trouble::is_throttling);
    let (name, by) = (&endpoint.name, found.by);
    let mut data = json!({
        "endpoint": endpoint, "cause": cause, "model": found.trouble.as_ref().and_then(|trouble| trouble.model.clone()),
        "data_planes": by, "of_data_planes": connected, "since": Timestamp::from_ms(condition.since_ms),
    });
    let (event, severity, text) = match news {
        News::Over(lasted_ms) => {
            data["lasted_s"] = json!(lasted_ms / 1_000);
            let lasted = how_long(lasted_ms);
            if throttling {
                let text = format!("The endpoint {name} is no longer throttled. It was for {lasted}.");
                ("endpoint.throttling_ended", Severity::Info, text)
            } else {
                let was = kind.map_or("there was trouble", Trouble::was);
                let text = format!("The endpoint {name} is healthy again. For {lasted} it was not: {was}.");
                ("endpoint.recovered", Severity::Info, text)
            }
        }
        News::Began | News::Worse => {
            let severity = if by == connected {
                Severity::Critical
            } else {
                Severity::Warning
            };
            let (event, is) = if throttling {
                ("endpoint.throttled", "is throttled")
            } else {
                ("endpoint.trouble", "is in trouble")
            };
            let why = kind.map_or("", Trouble::told);
            let text = format!("The endpoint {name} {is}, as {by} of {connected} data planes see it. {why}");
            (event, severity, text)
        }
    };
    Told {
        once: String::new(),
        kind: event,
        category: Category::Endpoint,
        severity,
        text,
        page: path::FLEET.to_owned(),
        team: None,
        user: None,
        data,
        audience: Audience::Organisation,
    }
}
