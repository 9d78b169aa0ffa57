//! Endpoints: the AWS accounts, regions and roles that requests leave through, and which teams may use which.
//!
//! A team that has endpoints uses these and no others; a team without uses the default ones. Nothing here ever makes a
//! team fall back from its own endpoints to the default ones by itself: an endpoint that a team uses cannot be deleted, and
//! taking the last one from a team is a request of its own.

mod access;
mod edit;
mod network;

use self::edit::{changed, checked, replaced};
use super::{App, Changed, duplicate, not_found, routing, views};
use crate::store::entity::endpoint;
use crate::store::{Assignment, Tx, rows};
use ccag_admin_api::{
    CreateEndpoint, EndpointList, EndpointView, SetTeamEndpoints, TeamEndpoint, TeamEndpoints, UpdateEndpoint,
};
use ccag_domain::{Actor, Area, Code, EndpointId, ObjectKind, Permission, Problem, RoutingPolicy, TeamId};
use serde_json::json;
use std::collections::HashSet;

/// The most endpoints that a team can have.
const MAX_PER_TEAM: usize = 100;

/// Makes an endpoint.
///
/// # Errors
/// [`Code::InvalidRequest`] names the field that is wrong; [`Code::Conflict`] if there is one with the same name.
pub async fn create(app: &App, actor: &Actor, request: CreateEndpoint) -> Result<EndpointView, Problem> {
    actor.require_all(Permission::Change(Area::Endpoints))?;
    let now = app.now_ms();
    let blank = endpoint::Model {
        id: EndpointId::generate(&*app.clock, &*app.rng).to_string(),
        name: String::new(),
        name_key: String::new(),
        region: None,
        role_arn: None,
        external_id: None,
        geography: None,
        runtime_url: None,
        lanes: None,
        mantle_url: None,
        guardrail: None,
        access: None,
        access_secrets: None,
        network: None,
        network_secrets: None,
        weight: 1,
        enabled: true,
        draining: false,
        is_default: false,
        created_at_ms: now,
    };
    let row = checked(replaced(app, blank, request)?)?;
    let mut tx = app.store.change().await?;
    tx.insert_endpoint(row.clone())
        .await
        .map_err(|e| taken(e, &row.name))?;
    commit(app, actor, tx, "endpoint.create", &row, Changed::created(&row)).await?;
    Ok(views::endpoint(&row, &[])?)
}

/// All endpoints, by name.
///
/// # Errors
/// [`Code::Forbidden`] for members.
pub async fn list(app: &App, actor: &Actor) -> Result<EndpointList, Problem> {
    actor.require_all(Permission::Read(Area::Endpoints))?;
    let (assigned, rows) = tokio::try_join!(app.store.list_assignments(None), app.store.list_endpoints())?;
    let endpoints = rows
        .iter()
        .map(|row| views::endpoint(row, &assigned))
        .collect::<Result<_, _>>()?;
    Ok(EndpointList { endpoints })
}

/// Finds an endpoint.
///
/// # Errors
/// [`Code::NotFound`], [`Code::Forbidden`] for members.
pub async fn find(app: &App, actor: &Actor, id: &EndpointId) -> Result<EndpointView, Problem> {
    actor.require_all(Permission::Read(Area::Endpoints))?;
    let (row, assigned) = tokio::try_join!(
        app.store.find_endpoint(id.as_str()),
        app.store.list_assignments(Some(id.as_str()))
    )?;
    let row = row.ok_or_else(|| missing(id))?;
    Ok(views::endpoint(&row, &assigned)?)
}

/// Changes what the request names and keeps the rest.
///
/// # Errors
/// As [`create`], and [`Code::NotFound`]; [`Code::Conflict`] if it would leave no default endpoint.
pub async fn update(
    app: &App,
    actor: &Actor,
    id: &EndpointId,
    request: UpdateEndpoint,
) -> Result<EndpointView, Problem> {
    change(app, actor, id, |row| changed(app, row, request)).await
}

/// Replaces the whole endpoint: what the request does not name falls back to what a new one has. Only whether it is a
/// default stays as it was.
///
/// # Errors
/// As [`update`].
pub async fn replace(
    app: &App,
    actor: &Actor,
    id: &EndpointId,
    request: CreateEndpoint,
) -> Result<EndpointView, Problem> {
    change(app, actor, id, |row| {
        let blank = endpoint::Model {
            weight: 1,
            enabled: true,
            draining: false,
            ..row
        };
        replaced(app, blank, request)
    })
    .await
}

async fn change(
    app: &App,
    actor: &Actor,
    id: &EndpointId,
    edit: impl FnOnce(endpoint::Model) -> Result<endpoint::Model, Problem>,
) -> Result<EndpointView, Problem> {
    actor.require_all(Permission::Change(Area::Endpoints))?;
    let mut tx = app.store.change().await?;
    tx.serialize().await?;
    let before = tx.find_endpoint(id.as_str()).await?;
    let before = before.ok_or_else(|| missing(id))?;
    let row = checked(edit(before.clone())?)?;
    if before.is_default && !row.is_default {
        another_default(&tx, &row.id).await?;
    }
    tx.update_endpoint(row.clone())
        .await
        .map_err(|e| taken(e, &row.name))?;
    let changed = Changed::updated(&before, &row);
    commit(app, actor, tx, "endpoint.update", &row, changed).await?;
    view(app, row).await
}

/// Makes an endpoint the only default one.
///
/// # Errors
/// [`Code::NotFound`], or [`Code::Conflict`] while it is disabled.
pub async fn set_default(app: &App, actor: &Actor, id: &EndpointId) -> Result<EndpointView, Problem> {
    actor.require_all(Permission::Change(Area::Endpoints))?;
    let mut tx = app.store.change().await?;
    tx.serialize().await?;
    let (mut chosen, mut before) = (None, Vec::new());
    // The new default comes first: at no revision is there none.
    let mut rows = tx.list_endpoints().await?;
    rows.sort_by_key(|row| row.id != id.as_str());
    for mut row in rows {
        let is_chosen = row.id == id.as_str();
        if is_chosen && !row.enabled {
            return Err(Problem::new(
                Code::Conflict,
                "A disabled endpoint cannot be the default one: teams without endpoints of their own would be refused. \
                 Enable it first.",
            ));
        }
        if row.is_default {
            before.push(row.id.clone());
        }
        if row.is_default != is_chosen {
            row.is_default = is_chosen;
            tx.update_endpoint(row.clone()).await?;
        }
        if is_chosen {
            chosen = Some(row);
        } else if chosen.is_none() {
            break;
        }
    }
    let row = chosen.ok_or_else(|| missing(id))?;
    let changed = Changed::updated(&json!({"default": before}), &json!({"default": [row.id]}));
    commit(app, actor, tx, "endpoint.set_default", &row, changed).await?;
    view(app, row).await
}

/// Deletes an endpoint that no team uses and that is not the last default one.
///
/// # Errors
/// [`Code::NotFound`], or [`Code::Conflict`] while it is needed.
pub async fn delete(app: &App, actor: &Actor, id: &EndpointId) -> Result<(), Problem> {
    actor.require_all(Permission::Change(Area::Endpoints))?;
    let mut tx = app.store.change().await?;
    tx.serialize().await?;
    let row = tx.find_endpoint(id.as_str()).await?;
    let row = row.ok_or_else(|| missing(id))?;
    let teams = tx.list_assignments(&row.id).await?;
    if !teams.is_empty() {
        return Err(Problem::new(
            Code::Conflict,
            format!(
                "{} may use this endpoint, and would be refused or sent through another account without it. Take it away \
                 from them first, or disable the endpoint.",
                named(&teams)
            ),
        ));
    }
    if row.is_default {
        another_default(&tx, &row.id).await?;
    }
    tx.delete_endpoint(&row.id).await?;
    commit(app, actor, tx, "endpoint.delete", &row, Changed::deleted(&row)).await
}

/// The endpoints that a team may use.
///
/// # Errors
/// [`Code::NotFound`], [`Code::Forbidden`] for members.
pub async fn of_team(app: &App, actor: &Actor, team: &TeamId) -> Result<TeamEndpoints, Problem> {
    actor.require_all(Permission::Read(Area::Routing))?;
    let rows = async { Ok(app.store.list_team_endpoints(team.as_str()).await?) };
    let (routes, rows) = tokio::try_join!(routing::of_team(app, actor, team), rows)?;
    let strategy = routes.in_force.strategy;
    let mut endpoints = Vec::with_capacity(rows.len());
    for (position, row) in rows {
        let view = views::endpoint(&row, &[])?;
        endpoints.push(TeamEndpoint {
            endpoint_id: view.id,
            name: view.name,
            priority: u32::try_from(position).unwrap_or(0),
            enabled: view.enabled,
        });
    }
    Ok(TeamEndpoints {
        uses_default: endpoints.is_empty(),
        endpoints,
        routing_strategy: strategy,
    })
}

/// Says which endpoints a team may use: these and no others, or with none the default ones.
///
/// # Errors
/// [`Code::NotFound`], or [`Code::InvalidRequest`] if one of them does not exist or stands there twice.
pub async fn assign(
    app: &App,
    actor: &Actor,
    team: &TeamId,
    request: SetTeamEndpoints,
) -> Result<TeamEndpoints, Problem> {
    actor.require_all(Permission::Change(Area::Routing))?;
    let invalid = |message: String| Problem::new(Code::InvalidRequest, message).field("endpoints");
    if request.endpoints.len() > MAX_PER_TEAM {
        return Err(invalid(format!("A team has at most {MAX_PER_TEAM} endpoints.")));
    }
    let mut tx = app.store.change().await?;
    tx.serialize().await?;
    let row = tx.find_team(team.as_str()).await?;
    let mut row = row.ok_or_else(|| not_found("team", team.as_str()))?;
    let known = tx.list_endpoints().await?;
    let mut seen = HashSet::new();
    let mut wanted = Vec::with_capacity(request.endpoints.len());
    for (place, assigned) in request.endpoints.iter().enumerate() {
        let id = assigned.endpoint_id.to_string();
        let Some(found) = known.iter().find(|e| e.id == id) else {
            return Err(invalid(format!("There is no endpoint `{id}`.")));
        };
        if !seen.insert(id.clone()) {
            return Err(invalid(format!(
                "The endpoint `{}` stands there twice.",
                found.name
            )));
        }
        let place = u32::try_from(place).unwrap_or(u32::MAX);
        wanted.push((i64::from(assigned.priority.unwrap_or(place)), id));
    }
    wanted.sort();
    let held = tx.list_team_endpoints(&row.id).await?;
    let before = json!({"endpoints": held, "strategy": rows::routing(&row)?.strategy});
    tx.set_team_endpoints(&row.id, &wanted).await?;
    if let Some(strategy) = request.routing_strategy {
        let policy = RoutingPolicy {
            strategy: Some(strategy),
            ..rows::routing(&row)?
        };
        row.routing = rows::routing_json(&policy);
        tx.update_team(row.clone()).await?;
    }
    let ids: Vec<_> = wanted.iter().map(|(_, id)| id).collect();
    let after = json!({"endpoints": ids, "strategy": rows::routing(&row)?.strategy});
    let details = Changed::updated(&before, &after).with("team", &row.name);
    let entry = app.audit(actor, "team.endpoints", ObjectKind::Team, &row.id, details);
    tx.commit(app.now_ms(), entry).await?;
    of_team(app, actor, team).await
}

fn missing(id: &EndpointId) -> Problem {
    not_found("endpoint", id.as_str())
}

fn taken(error: crate::store::StoreError, name: &str) -> Problem {
    duplicate(
        error,
        || format!("There is an endpoint named `{name}` already. Choose another name."),
        "name",
    )
}

/// Some names, and how many more.
fn named(teams: &[Assignment]) -> String {
    let shown: Vec<_> = teams
        .iter()
        .take(3)
        .map(|t| format!("`{}`", t.team_name))
        .collect();
    match teams.len() {
        1 => format!("The team {}", shown.concat()),
        n if n > 3 => format!("The teams {} and {} more", shown.join(", "), n - 3),
        _ => format!("The teams {}", shown.join(", ")),
    }
}

/// Refuses to take the last default endpoint away: every team without endpoints of its own would be refused.
async fn another_default(tx: &Tx, id: &str) -> Result<(), Problem> {
    let others = tx.list_endpoints().await?;
    if others.iter().any(|e| e.is_default && e.id != id) {
        return Ok(());
    }
    Err(Problem::new(
        Code::Conflict,
        "This is the only default endpoint, which teams without endpoints of their own use. Make another one the default \
         first.",
    ))
}

async fn commit(
    app: &App,
    actor: &Actor,
    tx: Tx,
    action: &'static str,
    row: &endpoint::Model,
    changed: Changed,
) -> Result<(), Problem> {
    let entry = app.audit(actor, action, ObjectKind::Endpoint, &row.id, changed);
    tx.commit(app.now_ms(), entry).await?;
    Ok(())
}

async fn view(app: &App, row: endpoint::Model) -> Result<EndpointView, Problem> {
    let assigned = app.store.list_assignments(Some(&row.id)).await?;
    Ok(views::endpoint(&row, &assigned)?)
}
