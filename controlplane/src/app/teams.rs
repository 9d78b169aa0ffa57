//! Teams.

use super::{App, Changed, authority, budgets, duplicate, limits, not_found, validate, validate_aws, views};
use crate::store::TeamQuery;
use crate::store::entity::team;
use crate::store::rows;
use ccag_admin_api::{CreateTeam, RoutingSpec, TeamView, UpdateTeam};
use ccag_domain::{AccountState, Actor, Area, Code, ObjectKind, Permission, Problem, Target, TeamId};

/// Makes a team.
///
/// # Errors
/// [`Code::Conflict`] if there is one with the same name.
pub async fn create(app: &App, actor: &Actor, request: CreateTeam) -> Result<TeamView, Problem> {
    actor.require_all(Permission::Change(Area::Teams))?;
    let now = app.now_ms();
    let name = validate::name("name", &request.name)?;
    let row = team::Model {
        id: TeamId::generate(&*app.clock, &*app.rng).to_string(),
        name_key: name.to_lowercase(),
        name,
        state: AccountState::Active.as_str().to_owned(),
        created_at_ms: now,
        guardrail: None,
        routing: None,
    };
    let mut tx = app.store.change().await?;
    tx.insert_team(row.clone())
        .await
        .map_err(|e| taken(e, &row.name))?;
    let entry = app.audit(
        actor,
        "team.create",
        ObjectKind::Team,
        &row.id,
        Changed::created(&row),
    );
    tx.commit(now, entry).await?;
    Ok(views::team(&row, 0)?)
}

/// Lists teams by name, and says how many there are in all. Managers see their own.
///
/// # Errors
/// [`Code::Forbidden`] for members.
pub async fn list(app: &App, actor: &Actor, query: &TeamQuery) -> Result<(Vec<TeamView>, u64), Problem> {
    let id = authority::narrowed(actor, Permission::Read(Area::Teams), query.id.clone())?;
    let query = TeamQuery { id, ..query.clone() };
    let (rows, total) = app.store.list_teams(&query).await?;
    let ids: Vec<_> = rows.iter().map(|row| row.id.clone()).collect();
    let members = app.store.count_members(&ids).await?;
    let teams = rows
        .iter()
        .map(|row| {
            Ok(shown(
                actor,
                views::team(row, members.get(&row.id).copied().unwrap_or(0))?,
            ))
        })
        .collect::<Result<_, Problem>>()?;
    Ok((teams, total))
}

/// The teams that a manager or an admin can choose from, by name.
///
/// # Errors
/// [`Code::Forbidden`] for members.
pub(crate) async fn choices(app: &App, actor: &Actor, most: u64) -> Result<Vec<(String, String)>, Problem> {
    let query = TeamQuery {
        id: authority::narrowed(actor, Permission::Read(Area::Teams), None)?,
        limit: most,
        ..TeamQuery::default()
    };
    let (rows, _) = app.store.list_teams(&query).await?;
    Ok(rows.into_iter().map(|row| (row.id, row.name)).collect())
}

/// Finds a team.
///
/// # Errors
/// [`Code::NotFound`], [`Code::Forbidden`] for members.
pub async fn find(app: &App, actor: &Actor, id: &TeamId) -> Result<TeamView, Problem> {
    actor.require(Permission::Read(Area::Teams), Target::Team(id.as_str()))?;
    let row = app.store.find_team(id.as_str()).await?;
    let row = row.ok_or_else(|| not_found("team", id.as_str()))?;
    Ok(shown(actor, view(app, row).await?))
}

/// A team as the actor may see it: guardrails and routes name accounts, which are for those who see endpoints.
fn shown(actor: &Actor, team: TeamView) -> TeamView {
    if actor.may_all(Permission::Read(Area::Routing)) {
        return team;
    }
    TeamView {
        guardrail: None,
        routing: RoutingSpec::default(),
        ..team
    }
}

/// Renames a team, suspends it or activates it, or gives it a guardrail.
///
/// # Errors
/// [`Code::NotFound`], or [`Code::Conflict`] if another one has the name.
pub async fn update(app: &App, actor: &Actor, id: &TeamId, request: UpdateTeam) -> Result<TeamView, Problem> {
    actor.require_all(Permission::Change(Area::Teams))?;
    let mut tx = app.store.change().await?;
    let row = tx.find_team(id.as_str()).await?;
    let mut row = row.ok_or_else(|| not_found("team", id.as_str()))?;
    let before = row.clone();
    if let Some(name) = &request.name {
        row.name = validate::name("name", name)?;
        row.name_key = row.name.to_lowercase();
    }
    if let Some(state) = request.state {
        row.state = state.as_str().to_owned();
    }
    let held = rows::team(&row, &[])?.guardrail;
    let guardrail = validate_aws::guardrail(request.guardrail.apply(held.map(Into::into)))?;
    row.guardrail = rows::guardrail_json(guardrail.as_ref());
    tx.update_team(row.clone())
        .await
        .map_err(|e| taken(e, &row.name))?;
    let details = Changed::updated(&before, &row);
    let entry = app.audit(actor, "team.update", ObjectKind::Team, &row.id, details);
    tx.commit(app.now_ms(), entry).await?;
    view(app, row).await
}

/// The keys of a team that are not revoked, by name: ids and names. With any of them it is not deleted.
///
/// # Errors
/// [`Code::Forbidden`] for whoever may not delete teams.
pub async fn keys_of(app: &App, actor: &Actor, id: &TeamId) -> Result<Vec<(String, String)>, Problem> {
    actor.require_all(Permission::Change(Area::Teams))?;
    Ok(app.store.list_team_keys(id.as_str()).await?)
}

/// What keeps a team from being deleted, and what to do about it.
fn in_use(name: &str, users: u64, keys: u64) -> Problem {
    let some = |n: u64, one: &str, many: &str| match n {
        0 => None,
        1 => Some(format!("1 {one}")),
        n => Some(format!("{n} {many}")),
    };
    let who = [some(users, "member", "members"), some(keys, "key", "keys")];
    let who: Vec<String> = who.into_iter().flatten().collect();
    let todo = match (users, keys) {
        (_, 0) => "Take them out of the team or move them to another one first.",
        (0, _) => "Give them to another team or revoke them first.",
        _ => {
            "Move the members to another team or take them out, and give the keys to another team or revoke them first."
        }
    };
    let verb = if users + keys == 1 { "belongs" } else { "belong" };
    Problem::new(
        Code::Conflict,
        format!(
            "The team `{name}` cannot be deleted: {} that {verb} to it. {todo}",
            match who.as_slice() {
                [both @ .., last] if !both.is_empty() => format!("there are {} and {last}", both.join(", ")),
                [only] if users + keys == 1 => format!("there is {only}"),
                _ => format!("there are {}", who.join(", ")),
            }
        ),
    )
}

/// Deletes a team that nobody and no key belongs to, with the budgets and limits that are about it, and its destinations of
/// notifications.
///
/// # Errors
/// [`Code::NotFound`], or [`Code::Conflict`] while it is in use.
pub async fn delete(app: &App, actor: &Actor, id: &TeamId) -> Result<(), Problem> {
    actor.require_all(Permission::Change(Area::Teams))?;
    let mut tx = app.store.change().await?;
    tx.serialize().await?;
    let row = tx.find_team(id.as_str()).await?;
    let row = row.ok_or_else(|| not_found("team", id.as_str()))?;
    let (users, keys) = tx.count_team_members(&row.id).await?;
    if users + keys > 0 {
        return Err(in_use(&row.name, users, keys));
    }
    let budgets = tx.list_budgets_of_team(&row.id).await?;
    let budgets = budgets::forget(&mut tx, budgets).await?;
    let limits = tx.list_limits_of_team(&row.id).await?;
    let limits = limits::forget(&mut tx, limits).await?;
    let destinations = tx.list_destinations_of_team(&row.id).await?;
    for destination in &destinations {
        tx.delete_destination(&destination.id).await?;
    }
    let destinations: Vec<String> = destinations.into_iter().map(|one| one.name).collect();
    tx.delete_session_breaker(&row.id).await?;
    tx.delete_team(&row.id).await?;
    let entry = app.audit(
        actor,
        "team.delete",
        ObjectKind::Team,
        &row.id,
        Changed::deleted(&row)
            .with("budgets", &budgets)
            .with("limits", &limits)
            .with("destinations", &destinations),
    );
    tx.commit(app.now_ms(), entry).await?;
    Ok(())
}

async fn view(app: &App, row: team::Model) -> Result<TeamView, Problem> {
    let members = app.store.count_members(std::slice::from_ref(&row.id)).await?;
    Ok(views::team(&row, members.get(&row.id).copied().unwrap_or(0))?)
}

fn taken(error: crate::store::StoreError, name: &str) -> Problem {
    duplicate(
        error,
        || format!("There is a team named `{name}` already. Choose another name."),
        "name",
    )
}
