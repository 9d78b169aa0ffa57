//! Watching the pace of sessions, by what arrives in the ledger.
//!
//! All control planes on a database see the same ledger, so whichever takes in the record that goes too far sees the
//! requests of all data planes. What a session has done is judged by when its requests ended, not by when their records
//! arrive: a backlog of an hour ago pauses nobody now.

use crate::app::notifications::events::{self, Told};
use crate::app::{App, Changed};
use crate::metrics::Reason;
use crate::store::StoreError;
use crate::store::breaker::{ORGANISATION, SessionKey};
use crate::store::entity::{paused_session, usage_record};
use crate::store::outbox::{Audience, NewEvent};
use ccag_domain::breaker::WINDOW_MS;
use ccag_domain::{
    Actor, BreakerPolicy, Category, ObjectKind, PauseId, PauseReason, SessionOwner, Severity, UnixMs,
    UsageRecord,
};
use serde_json::json;
use std::collections::HashMap;

/// The page on which paused sessions are resumed, below the public address.
const RESUME_PATH: &str = ccag_console::path::SESSIONS;

/// A session that is looked at.
#[derive(Clone, Copy)]
struct Watched<'a> {
    /// Its newest record.
    row: &'a usage_record::Model,
    policy: BreakerPolicy,
    /// When the newest of its requests ended, or now if that is said to be in the future.
    ended_ms: UnixMs,
}

/// Looks at the sessions of records that are new in the ledger, and pauses those that go too far.
///
/// # Errors
/// [`StoreError`] if the database is not able to answer: the next records of the sessions are looked at again.
pub(in crate::app) async fn watch<'a>(
    app: &App,
    new: impl Iterator<Item = &'a usage_record::Model>,
) -> Result<(), StoreError> {
    let now = app.now_ms();
    let mut recent = recent(new, now);
    if recent.is_empty() {
        return Ok(());
    }
    let policies = app.store.list_session_breakers().await?;
    recent.retain(|_, watched| {
        watched.policy = policy(&policies, watched.row.team_id.as_deref());
        watched.policy.limits()
    });
    if recent.is_empty() {
        return Ok(());
    }
    let keys: Vec<SessionKey> = recent.keys().cloned().collect();
    let pauses = app.store.list_latest_pauses(&keys).await?;
    let mut sessions = Vec::with_capacity(recent.len());
    for (key, watched) in &recent {
        let latest = pauses.get(key);
        if latest.is_some_and(|pause| pause.open_for.is_some()) {
            continue;
        }
        let resumed = latest.and_then(|pause| pause.resumed_at_ms).unwrap_or(0);
        sessions.push((key.clone(), resumed.max(watched.ended_ms - WINDOW_MS)));
    }
    let paces = app.store.measure_sessions(&sessions).await?;
    for (key, since) in sessions {
        let (Some(pace), Some(watched)) = (paces.get(&key), recent.get(&key)) else {
            continue;
        };
        if let Some(reason) = watched.policy.judge(*pace) {
            pause(app, key, watched.row, reason, since).await?;
        }
    }
    Ok(())
}

/// The sessions among these records that were at work within the last minute.
fn recent<'a>(
    new: impl Iterator<Item = &'a usage_record::Model>,
    now: UnixMs,
) -> HashMap<SessionKey, Watched<'a>> {
    let mut recent: HashMap<SessionKey, Watched<'a>> = HashMap::new();
    for row in new {
        let Some(session) = row.session_id.as_deref() else {
            continue;
        };
        let ended_ms = row.started_at_ms.saturating_add(row.duration_ms).min(now);
        if session == UsageRecord::LANE_PROBE || ended_ms <= now - WINDOW_MS {
            continue;
        }
        let owner = row.user_id.as_ref().unwrap_or(&row.key_id);
        let watched = Watched {
            row,
            policy: BreakerPolicy::default(),
            ended_ms,
        };
        let newest = recent
            .entry((owner.clone(), session.to_owned()))
            .or_insert(watched);
        if ended_ms >= newest.ended_ms {
            *newest = watched;
        }
    }
    recent
}

/// A team's word replaces the organisation's.
fn policy(policies: &HashMap<String, BreakerPolicy>, team: Option<&str>) -> BreakerPolicy {
    team.and_then(|id| policies.get(id))
        .or_else(|| policies.get(ORGANISATION))
        .copied()
        .unwrap_or_default()
}

/// Pauses a session, unless somebody else has by now, or it was resumed since what was measured.
async fn pause(
    app: &App,
    key: SessionKey,
    record: &usage_record::Model,
    reason: PauseReason,
    since: UnixMs,
) -> Result<(), StoreError> {
    let (measured, allowed) = reason.figures();
    let (owner, session_id) = key.clone();
    let mut row = paused_session::Model {
        id: PauseId::generate(&*app.clock, &*app.rng).into(),
        open_for: Some(format!("{owner} {session_id}")),
        owner,
        session_id,
        key_id: record.key_id.clone(),
        team_id: record.team_id.clone(),
        reason: reason.kind().to_owned(),
        measured,
        allowed,
        resume_url: resume_url(app),
        paused_at_ms: app.now_ms(),
        resumed_at_ms: None,
        resumed_by: None,
    };
    // Names are looked up before the transaction: within it that would take a second connection while one is held.
    let told = told(app, &row, reason).await?;
    let mut tx = app.store.change().await?;
    // From here on no other control plane pauses or resumes anything.
    tx.serialize().await?;
    if let Some(latest) = tx.find_latest_pause(&key).await?
        && latest.resumed_at_ms.is_none_or(|at| at > since)
    {
        return Ok(());
    }
    let now = app.now_ms();
    row.paused_at_ms = now;
    let details = Changed::updated(&json!({"state": "running"}), &json!({"state": "paused"})).with(
        "session",
        &json!({
            "owner": row.owner, "session_id": row.session_id, "key_id": row.key_id, "team_id": row.team_id,
            "reason": row.reason, "measured": measured, "allowed": allowed,
        }),
    );
    let entry = app.audit(
        &Actor::System,
        "session.pause",
        ObjectKind::PausedSession,
        &row.id,
        details,
    );
    let (id, owner, team) = (row.id.clone(), row.owner.clone(), row.team_id.clone());
    tx.insert_pause(row).await?;
    tx.raise(&told).await?;
    tx.commit(now, entry).await?;
    let kind = reason.kind();
    app.metrics
        .sessions_paused
        .get_or_create(&Reason { reason: kind })
        .inc();
    tracing::info!(
        id,
        owner,
        team,
        reason = kind,
        measured,
        allowed,
        "a session was paused"
    );
    Ok(())
}

/// What destinations are told of a pause.
async fn told(app: &App, row: &paused_session::Model, reason: PauseReason) -> Result<NewEvent, StoreError> {
    let teams: Vec<String> = row.team_id.iter().cloned().collect();
    let team = app.store.list_team_names(&teams).await?.pop();
    let user = match SessionOwner::parse(&row.owner) {
        Some(SessionOwner::User(id)) => app.store.list_user_names(&[id.into()]).await?.pop(),
        _ => None,
    };
    let key = app
        .store
        .list_key_names(std::slice::from_ref(&row.key_id))
        .await?
        .pop();
    let subject = |of: Option<(String, String)>| of.map(|(id, name)| events::subject(&id, &name));
    let (team, user, key) = (subject(team), subject(user), subject(key));
    let whose = user.as_ref().or(key.as_ref());
    let whose = whose.map_or(row.owner.as_str(), |subject| subject.name.as_str());
    let figures = match reason {
        PauseReason::Spend { measured, limit } => {
            json!({ "measured_usd": measured.to_string(), "limit_usd": limit.to_string() })
        }
        PauseReason::Agents { measured, limit } => {
            json!({ "measured_agents": measured, "limit_agents": limit })
        }
    };
    let mut data =
        json!({ "pause_id": row.id, "session_id": row.session_id, "key": key, "reason": row.reason });
    if let (Some(data), serde_json::Value::Object(figures)) = (data.as_object_mut(), figures) {
        data.extend(figures);
    }
    Ok(events::event(
        app,
        &Told {
            once: format!("session/{}", row.id),
            kind: "session.paused",
            category: Category::Session,
            severity: Severity::Critical,
            text: format!("A session of {whose} was paused: {reason}."),
            page: RESUME_PATH.to_owned(),
            team,
            user,
            data,
            audience: Audience::Both,
        },
    ))
}

fn resume_url(app: &App) -> Option<String> {
    let base = app.terms.public_url.as_ref()?.as_str();
    Some(format!("{}{RESUME_PATH}", base.trim_end_matches('/')))
}
