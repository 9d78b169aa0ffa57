//! What sessions may do within a minute: the organisation's word, and that of teams, which replaces it.

use crate::app::{App, Changed, not_found};
use crate::store::breaker::ORGANISATION;
use crate::store::entity::session_breaker;
use ccag_admin_api::{BreakerSource, SessionBreakerView, SetSessionBreaker, Usd};
use ccag_domain::{
    Actor, Area, BreakerPolicy, Code, NanoUsd, ObjectKind, Permission, Problem, Target, TeamId,
};
use serde_json::json;

/// The most dollars within a minute that are still a limit.
const MAX_USD: NanoUsd = NanoUsd::from_usd(1_000_000);

/// The most agents within a minute that are still a limit.
const MAX_AGENTS: u32 = 100_000;

/// What sessions may do whose team says nothing of its own.
///
/// # Errors
/// [`Code::Forbidden`] for members.
pub async fn organisation(app: &App, actor: &Actor) -> Result<SessionBreakerView, Problem> {
    actor.require_some(Permission::Read(Area::Breaker))?;
    of_organisation(app).await
}

async fn of_organisation(app: &App) -> Result<SessionBreakerView, Problem> {
    let policy = app.store.find_session_breaker(ORGANISATION).await?;
    Ok(view(policy.map(|policy| (policy, BreakerSource::Organisation))))
}

/// Says what sessions may do; without any limit nothing is paused.
///
/// # Errors
/// [`Code::InvalidRequest`] names the field that is wrong.
pub async fn set_organisation(
    app: &App,
    actor: &Actor,
    request: SetSessionBreaker,
) -> Result<SessionBreakerView, Problem> {
    actor.require_all(Permission::Change(Area::Breaker))?;
    let policy = read(request)?;
    let tx = app.store.change().await?;
    let before = tx.find_session_breaker(ORGANISATION).await?.unwrap_or_default();
    if policy.limits() {
        tx.put_session_breaker(row(ORGANISATION, policy, app.now_ms()))
            .await?;
    } else {
        tx.delete_session_breaker(ORGANISATION).await?;
    }
    let entry = app.audit(
        actor,
        "session_breaker.update",
        ObjectKind::Settings,
        "settings",
        Changed::updated(&details(before), &details(policy)),
    );
    tx.commit(app.now_ms(), entry).await?;
    organisation(app, actor).await
}

/// What the sessions of a team may do, and whose word that is.
///
/// # Errors
/// [`Code::NotFound`], [`Code::Forbidden`] for members.
pub async fn of_team(app: &App, actor: &Actor, id: &TeamId) -> Result<SessionBreakerView, Problem> {
    actor.require(Permission::Read(Area::Breaker), Target::Team(id.as_str()))?;
    let (team, own, organisation) = tokio::try_join!(
        app.store.find_team(id.as_str()),
        app.store.find_session_breaker(id.as_str()),
        app.store.find_session_breaker(ORGANISATION)
    )?;
    if team.is_none() {
        return Err(not_found("team", id.as_str()));
    }
    let own = own.map(|policy| (policy, BreakerSource::Team));
    Ok(view(own.or_else(|| {
        organisation.map(|policy| (policy, BreakerSource::Organisation))
    })))
}

/// Says what the sessions of a team may do, instead of what the organisation says. Without any limit the team's sessions
/// are never paused.
///
/// # Errors
/// [`Code::NotFound`], or [`Code::InvalidRequest`] names the field that is wrong.
pub async fn set_team(
    app: &App,
    actor: &Actor,
    id: &TeamId,
    request: SetSessionBreaker,
) -> Result<SessionBreakerView, Problem> {
    actor.require_all(Permission::Change(Area::Breaker))?;
    let policy = read(request)?;
    let tx = app.store.change().await?;
    // A team that is being deleted takes its policy along.
    tx.serialize().await?;
    if tx.find_team(id.as_str()).await?.is_none() {
        return Err(not_found("team", id.as_str()));
    }
    let changed = match tx.find_session_breaker(id.as_str()).await? {
        Some(before) => Changed::updated(&details(before), &details(policy)),
        None => Changed::created(&details(policy)),
    };
    tx.put_session_breaker(row(id.as_str(), policy, app.now_ms()))
        .await?;
    let entry = app.audit(
        actor,
        "session_breaker.update",
        ObjectKind::Team,
        id.as_str(),
        changed,
    );
    tx.commit(app.now_ms(), entry).await?;
    Ok(view(Some((policy, BreakerSource::Team))))
}

/// The organisation's word counts for the team again.
///
/// # Errors
/// [`Code::NotFound`] if there is no such team.
pub async fn clear_team(app: &App, actor: &Actor, id: &TeamId) -> Result<(), Problem> {
    actor.require_all(Permission::Change(Area::Breaker))?;
    let tx = app.store.change().await?;
    if tx.find_team(id.as_str()).await?.is_none() {
        return Err(not_found("team", id.as_str()));
    }
    if let Some(before) = tx.find_session_breaker(id.as_str()).await? {
        tx.delete_session_breaker(id.as_str()).await?;
        let entry = app.audit(
            actor,
            "session_breaker.delete",
            ObjectKind::Team,
            id.as_str(),
            Changed::deleted(&details(before)),
        );
        tx.commit(app.now_ms(), entry).await?;
    }
    Ok(())
}

fn read(request: SetSessionBreaker) -> Result<BreakerPolicy, Problem> {
    let invalid = |field: &str, message: &str| Problem::new(Code::InvalidRequest, message).field(field);
    if let Some(Usd(amount)) = request.usd_per_minute
        && (amount <= NanoUsd::ZERO || amount > MAX_USD)
    {
        return Err(invalid(
            "usd_per_minute",
            "Dollars within a minute are more than 0 and at most 1,000,000. Leave them out if there is to be no limit.",
        ));
    }
    if let Some(agents) = request.agents_per_minute
        && !(1..=MAX_AGENTS).contains(&agents)
    {
        return Err(invalid(
            "agents_per_minute",
            "Agents within a minute are 1 to 100,000. Leave them out if there is to be no limit.",
        ));
    }
    Ok(BreakerPolicy {
        usd_per_minute: request.usd_per_minute.map(|usd| usd.0),
        agents_per_minute: request.agents_per_minute,
    })
}

fn row(scope: &str, policy: BreakerPolicy, now_ms: i64) -> session_breaker::Model {
    session_breaker::Model {
        scope: scope.to_owned(),
        nano_usd_per_minute: policy.usd_per_minute.map(|usd| usd.0),
        agents_per_minute: policy.agents_per_minute.map(i64::from),
        updated_at_ms: now_ms,
    }
}

fn view(found: Option<(BreakerPolicy, BreakerSource)>) -> SessionBreakerView {
    let (policy, source) = found.unwrap_or((BreakerPolicy::default(), BreakerSource::None));
    SessionBreakerView {
        usd_per_minute: policy.usd_per_minute.map(Usd),
        agents_per_minute: policy.agents_per_minute,
        source,
    }
}

fn details(policy: BreakerPolicy) -> serde_json::Value {
    json!({
        "nano_usd_per_minute": policy.usd_per_minute,
        "agents_per_minute": policy.agents_per_minute,
    })
}
