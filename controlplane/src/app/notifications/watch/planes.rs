//! Data planes: those of which nothing is heard, those that are behind, and those whose spool fills.

use super::lasting::{Seen, how_long};
use crate::app::notifications::events::{Told, subject};
use crate::app::{App, fleet};
use crate::store::StoreError;
use crate::store::entity::replica;
use crate::store::outbox::Audience;
use ccag_admin_api::{EventSubject, Timestamp};
use ccag_console::path;
use ccag_domain::condition::{Condition, Look, News, Patience};
use ccag_domain::{Category, Severity};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};

/// How long nothing has to be heard of a data plane before it is told, in milliseconds: one that restarts is back by then.
const GONE_MS: i64 = 5 * 60_000;

/// How old a change of the configuration must be to count as one that a data plane lacks, in milliseconds.
const LATE_MS: i64 = 60_000;

/// For how long a data plane must lack one, and then none, in milliseconds.
const BEHIND: Patience = Patience {
    hold_ms: 60_000,
    quiet_ms: 60_000,
};

const SPOOL: Patience = Patience {
    hold_ms: 0,
    quiet_ms: 5 * 60_000,
};

/// How full a spool is that fills, one that is nearly full, and one that still has too little room to call it over, in thousandths.
const FILLING: i64 = 500;
const FULL: i64 = 900;
const DRAINED: i64 = 300;

const GONE: &str = "gone/";
const LATE: &str = "behind/";
const FILLS: &str = "spool/";

pub(super) async fn seen<'a>(
    app: &App,
    replicas: &'a [replica::Model],
    known: &HashMap<String, Condition>,
) -> Result<Vec<Seen<'a>>, StoreError> {
    let now = app.now_ms();
    let wanted = app.store.find_revision_at(now - LATE_MS).await?;
    let there: HashSet<&str> = replicas.iter().map(|row| row.id.as_str()).collect();
    let mut seen = Vec::new();
    for row in replicas {
        let is_connected = row.connected && now - row.last_seen_ms < fleet::SILENT_MS;
        seen.push(gone(row, is_connected, now));
        seen.push(behind(row, is_connected, wanted));
        seen.push(spool(row, is_connected, now));
    }
    // Those that have been forgotten meanwhile.
    for id in known.keys() {
        let of = [GONE, LATE, FILLS]
            .iter()
            .find_map(|prefix| id.strip_prefix(prefix));
        if of.is_some_and(|id| !there.contains(id)) {
            seen.push(Seen {
                id: id.clone(),
                look: Look::Gone,
                patience: SPOOL,
                tell: Box::new(|_, _| told("data_plane.gone", Severity::Info, String::new(), json!({}))),
            });
        }
    }
    Ok(seen)
}

fn told(kind: &'static str, severity: Severity, text: String, data: Value) -> Told {
    Told {
        once: String::new(),
        kind,
        category: Category::Fleet,
        severity,
        text,
        page: path::FLEET.to_owned(),
        team: None,
        user: None,
        data,
        audience: Audience::Organisation,
    }
}

/// What every event about a data plane says of it.
fn data(row: &replica::Model, condition: &Condition, news: News) -> Value {
    let mut data = json!({
        "data_plane": about(row), "last_seen_at": Timestamp::from_ms(row.last_seen_ms),
        "spooled_records": row.spooled_records, "since": Timestamp::from_ms(condition.since_ms),
    });
    if let News::Over(lasted_ms) = news {
        data["lasted_s"] = json!(lasted_ms / 1_000);
    }
    data
}

fn about(row: &replica::Model) -> EventSubject {
    subject(&row.id, &row.name)
}

/// Nothing is heard of it, and it had not said that it is going.
fn gone(row: &replica::Model, is_connected: bool, now: i64) -> Seen<'_> {
    let look = if row.draining {
        Look::Gone
    } else if now - row.last_seen_ms > GONE_MS {
        Look::There {
            level: 1,
            since_ms: row.last_seen_ms,
        }
    } else if is_connected {
        Look::Away
    } else {
        Look::Unknown
    };
    Seen {
        id: format!("{GONE}{}", row.id),
        look,
        patience: Patience {
            hold_ms: 0,
            quiet_ms: 0,
        },
        tell: Box::new(move |condition, news| {
            let data = data(row, condition, news);
            let name = about(row).name;
            if let News::Over(lasted_ms) = news {
                let lasted = how_long(lasted_ms);
                let text = format!("The data plane {name} is back. Nothing was heard of it for {lasted}.");
                return told("data_plane.back", Severity::Info, text, data);
            }
            let since = Timestamp::from_ms(row.last_seen_ms).to_the_minute();
            let text = format!("Nothing is heard of the data plane {name} since {since}.");
            Told {
                // As versions before have named it.
                once: format!("gone/{}/{}", row.id, row.last_seen_ms),
                ..told("data_plane.gone", Severity::Warning, text, data)
            }
        }),
    }
}

/// It lacks changes of the configuration that others have had time to take.
fn behind(row: &replica::Model, is_connected: bool, wanted: i64) -> Seen<'_> {
    let look = if row.draining {
        Look::Gone
    } else if !is_connected {
        Look::Unknown
    } else if row.applied_revision < wanted {
        Look::There {
            level: 1,
            since_ms: i64::MAX,
        }
    } else {
        Look::Away
    };
    Seen {
        id: format!("{LATE}{}", row.id),
        look,
        patience: BEHIND,
        tell: Box::new(move |condition, news| {
            let mut data = data(row, condition, news);
            data["applied_revision"] = json!(row.applied_revision);
            data["revision"] = json!(wanted.max(row.applied_revision));
            let name = about(row).name;
            if let News::Over(lasted_ms) = news {
                let lasted = how_long(lasted_ms);
                let text = format!(
                    "The data plane {name} has taken the configuration again. It was behind for {lasted}."
                );
                return told("data_plane.caught_up", Severity::Info, text, data);
            }
            let lacks = wanted - row.applied_revision;
            let text = format!(
                "The data plane {name} is connected and behind: {lacks} changes of the configuration have not reached it for \
                 more than a minute. What was revoked or limited by them is not there yet."
            );
            told("data_plane.behind", Severity::Critical, text, data)
        }),
    }
}

/// Its usage records are not taken, and pile up.
fn spool(row: &replica::Model, is_connected: bool, now: i64) -> Seen<'_> {
    let permille = match row.spooled_records {
        // What is left on disk of records that have been taken makes no difference.
        0 => 0,
        _ => row
            .spool_bytes
            .saturating_mul(1_000)
            .checked_div(row.spool_max_bytes)
            .unwrap_or(0),
    };
    let there = |level| Look::There { level, since_ms: now };
    let look = match permille {
        _ if row.draining || !is_connected || row.spool_max_bytes <= 0 => Look::Unknown,
        FULL.. => there(2),
        FILLING.. => there(1),
        DRAINED.. => there(0),
        _ => Look::Away,
    };
    Seen {
        id: format!("{FILLS}{}", row.id),
        look,
        patience: SPOOL,
        tell: Box::new(move |condition, news| {
            let mut data = data(row, condition, news);
            data["spool_bytes"] = json!(row.spool_bytes);
            data["spool_max_bytes"] = json!(row.spool_max_bytes);
            let (name, percent) = (about(row).name, permille / 10);
            if let News::Over(lasted_ms) = news {
                let lasted = how_long(lasted_ms);
                let text =
                    format!("The usage spool of the data plane {name} has room again, after {lasted}.");
                return told("data_plane.spool_drained", Severity::Info, text, data);
            }
            let text = format!(
                "The usage spool of the data plane {name} is {percent} % full: {} records wait to be taken by a control plane. \
                 When it is full, the data plane refuses requests.",
                row.spooled_records
            );
            match condition.level {
                2.. => told("data_plane.spool_full", Severity::Critical, text, data),
                _ => told("data_plane.spool_filling", Severity::Warning, text, data),
            }
        }),
    }
}
