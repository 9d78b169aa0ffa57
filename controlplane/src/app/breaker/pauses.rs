//! Sessions that are paused: seen and resumed by whose they are, by the managers of the teams that pay, and by admins.

use crate::app::{App, Changed, authority, not_found};
use crate::store::StoreError;
use crate::store::breaker::PauseQuery;
use crate::store::entity::paused_session;
use crate::store::rows::read;
use ccag_admin_api::{PauseKind, PausedSessionView, Timestamp, Usd};
use ccag_domain::authority::refusal;
use ccag_domain::time::DAY_MS;
use ccag_domain::{
    Actor, Area, Code, KeyId, ObjectKind, PauseId, PauseReason, Permission, Problem, Reach, SessionOwner,
    Target, TeamId, UserId,
};
use serde_json::json;
use std::collections::HashMap;

/// For how long a pause holds and is remembered, in milliseconds.
const KEPT_MS: i64 = 7 * DAY_MS;

/// How many old pauses are forgotten at a time.
const PAGE: u64 = 500;

/// Pauses, the newest first, one page: a member's own, or all.
///
/// # Errors
/// [`Code::Forbidden`] if a member asks for somebody else's.
pub(crate) async fn list(
    app: &App,
    actor: &Actor,
    query: &PauseQuery,
) -> Result<Vec<PausedSessionView>, Problem> {
    let rows = app.store.list_pauses(&own(actor, query)?).await?;
    views(app, rows).await
}

/// How many there are on all pages.
///
/// # Errors
/// [`Code::Forbidden`] if a member asks for somebody else's.
pub(crate) async fn count(app: &App, actor: &Actor, query: &PauseQuery) -> Result<u64, Problem> {
    Ok(app.store.count_pauses(&own(actor, query)?).await?)
}

/// Lets a session go on: what it did before counts no more.
///
/// # Errors
/// [`Code::NotFound`], also for members and others' sessions; [`Code::Conflict`] if it goes on already.
pub async fn resume(app: &App, actor: &Actor, id: &PauseId) -> Result<PausedSessionView, Problem> {
    let now = app.now_ms();
    let mut tx = app.store.change().await?;
    tx.serialize().await?;
    let row = tx.find_pause(id.as_str()).await?.filter(|row| {
        let target = Target::Owned {
            user: Some(&row.owner),
            team: row.team_id.as_deref(),
        };
        let permission = Permission::Change(Area::Sessions);
        actor.may_all(permission) || actor.may(permission, target)
    });
    let mut row = row.ok_or_else(|| not_found("paused session", id.as_str()))?;
    let by = actor.user_id().map_or("system", UserId::as_str).to_owned();
    if !tx.resume_pause(&row.id, now, &by).await? {
        return Err(Problem::new(
            Code::Conflict,
            "This session has been resumed already. If it is paused again, that pause has an id of its own.",
        ));
    }
    let details = Changed::updated(&json!({"state": "paused"}), &json!({"state": "resumed"}))
        .with("owner", &row.owner)
        .with("session_id", &row.session_id);
    let entry = app.audit(
        actor,
        "session.resume",
        ObjectKind::PausedSession,
        &row.id,
        details,
    );
    tx.commit(now, entry).await?;
    tracing::info!(id = row.id, owner = row.owner, by, "a paused session was resumed");
    row.resumed_at_ms = Some(now);
    row.resumed_by = Some(by);
    row.open_for = None;
    let mut shown = views(app, vec![row]).await?;
    shown
        .pop()
        .ok_or_else(|| not_found("paused session", id.as_str()))
}

/// Forgets pauses of more than a week ago; sessions that are still paused then may go on.
///
/// # Errors
/// [`StoreError`] if the database is not able to take it now.
pub async fn forget_old(app: &App) -> Result<(), StoreError> {
    loop {
        let now = app.now_ms();
        let old = app.store.list_pauses_before(now - KEPT_MS, PAGE).await?;
        if old.is_empty() {
            return Ok(());
        }
        let mut tx = app.store.change().await?;
        tx.delete_pauses(&old).await?;
        let lifted: Vec<&str> = old
            .iter()
            .filter(|(_, open)| *open)
            .map(|(id, _)| id.as_str())
            .collect();
        let details = Changed::deleted(&json!({"pauses": old.len(), "still_paused": lifted}));
        let entry = app.audit(
            &Actor::System,
            "session.forget",
            ObjectKind::PausedSession,
            "old",
            details,
        );
        tx.commit(now, entry).await?;
    }
}

/// A member sees their own and a manager their team's; neither may ask for others'.
fn own(actor: &Actor, query: &PauseQuery) -> Result<PauseQuery, Problem> {
    let permission = Permission::Read(Area::Sessions);
    let mut query = query.clone();
    let user = actor.user_id().map(ToString::to_string);
    let asks_own = query.owner.is_some() && query.owner == user;
    match actor.reach(permission) {
        Reach::Team if !asks_own => {
            query.team_id = authority::narrowed(actor, permission, query.team_id)?;
        }
        Reach::Own | Reach::Nothing if query.owner.is_some() && !asks_own => {
            return Err(refusal(permission));
        }
        Reach::Own | Reach::Nothing => query.owner = user,
        Reach::Team | Reach::Everything => {}
    }
    Ok(query)
}

async fn views(app: &App, rows: Vec<paused_session::Model>) -> Result<Vec<PausedSessionView>, Problem> {
    let (mut users, mut keys) = (Vec::new(), Vec::new());
    for row in &rows {
        match SessionOwner::parse(&row.owner) {
            Some(SessionOwner::User(id)) => users.push(id.into()),
            _ => keys.push(row.key_id.clone()),
        }
    }
    let mut names: HashMap<String, String> = HashMap::new();
    let (users, keys) = tokio::try_join!(app.store.list_user_names(&users), app.store.list_key_names(&keys))?;
    names.extend(users);
    names.extend(keys);
    rows.into_iter().map(|row| Ok(view(row, &names)?)).collect()
}

fn view(
    row: paused_session::Model,
    names: &HashMap<String, String>,
) -> Result<PausedSessionView, StoreError> {
    const T: &str = "paused_sessions";
    let reason = PauseReason::of(&row.reason, row.measured, row.allowed);
    let reason = read(T, "reason", reason)?;
    let team = row.team_id.as_deref().map(TeamId::parse).transpose();
    let (mut spend, mut agents) = (None, None);
    let kind = match reason {
        PauseReason::Spend { measured, limit } => {
            spend = Some((Usd(measured), Usd(limit)));
            PauseKind::Spend
        }
        PauseReason::Agents { measured, limit } => {
            agents = Some((measured, limit));
            PauseKind::Agents
        }
    };
    Ok(PausedSessionView {
        id: read(T, "id", PauseId::parse(&row.id).ok())?,
        user_id: match read(T, "owner", SessionOwner::parse(&row.owner))? {
            SessionOwner::User(id) => Some(id),
            SessionOwner::Key(_) => None,
        },
        key_id: read(T, "key_id", KeyId::parse(&row.key_id).ok())?,
        team_id: read(T, "team_id", team.ok())?,
        owner: names.get(&row.owner).cloned().unwrap_or(row.owner),
        session_id: row.session_id,
        reason: kind,
        measured_usd: spend.map(|(measured, _)| measured),
        limit_usd: spend.map(|(_, limit)| limit),
        measured_agents: agents.map(|(measured, _)| measured),
        limit_agents: agents.map(|(_, limit)| limit),
        message: reason.to_string(),
        paused_at: Timestamp::from_ms(row.paused_at_ms),
        resumed_at: row.resumed_at_ms.map(Timestamp::from_ms),
        resumed_by: row.resumed_by.as_deref().and_then(|id| UserId::parse(id).ok()),
    })
}
