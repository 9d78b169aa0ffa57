//! Teams.

use super::budget_words::account;
use super::form::{Posted, is_about_input, pairs};
use super::overview::{since, thirty_days};
use super::visitor::Visitor;
use crate::app::{budgets, endpoints, teams, usage};
use crate::store::TeamQuery;
use axum::extract::{Path, RawQuery};
use axum::http::StatusCode;
use axum::response::Response;
use ccag_admin_api::{CreateTeam, GroupBy, UpdateTeam};
use ccag_console::form::{Choice, Field};
use ccag_console::page::{NewTeamForm, PAGE_SIZE, TeamRow, TeamsPage};
use ccag_console::{Tone, path};
use ccag_domain::{AccountState, Area, Code, NanoUsd, Permission, Problem, TeamId};
use std::collections::HashMap;

/// How many teams are offered to choose from.
const MOST: u64 = 500;

fn all() -> TeamQuery {
    TeamQuery {
        limit: MOST,
        ..TeamQuery::default()
    }
}

/// The teams as entries of a drop-down list.
pub(super) async fn team_choices(visitor: &Visitor) -> Result<Vec<Choice>, Problem> {
    let (teams, _) = teams::list(&visitor.state().app, &visitor.actor(), &all()).await?;
    Ok(teams
        .into_iter()
        .map(|team| Choice::new(team.id.to_string(), team.name))
        .collect())
}

pub(super) async fn list(visitor: Visitor, RawQuery(query): RawQuery) -> Response {
    let (mut search, mut page) = (String::new(), 1);
    for (name, value) in pairs(query.as_deref()) {
        match name.as_ref() {
            "q" => search = value.trim().chars().take(100).collect(),
            "page" => page = value.parse().unwrap_or(1).clamp(1, 1_000_000),
            _ => {}
        }
    }
    let page = gather(&visitor, search, page).await;
    visitor.answer(page)
}

async fn gather(visitor: &Visitor, search: String, page: u64) -> Result<TeamsPage, Problem> {
    let app = &visitor.state().app;
    let actor = visitor.actor();
    let now = visitor.now_ms();
    let query = TeamQuery {
        search: Some(search.clone()),
        offset: TeamsPage::offset(page),
        limit: PAGE_SIZE,
        ..TeamQuery::default()
    };
    let (teams, total) = teams::list(app, &actor, &query).await?;
    let spend = usage::top(
        app,
        &actor,
        &since(thirty_days(now), now),
        GroupBy::Team,
        u64::MAX >> 1,
    )
    .await?;
    let spend: HashMap<_, _> = spend
        .into_iter()
        .filter_map(|group| Some((group.id?, group.totals.cost_nano_usd)))
        .collect();
    let mut assigned: HashMap<String, u64> = HashMap::new();
    let routes = actor.may_all(Permission::Read(Area::Routing));
    let endpoints = match routes {
        true => endpoints::list(app, &actor).await?.endpoints,
        false => Vec::new(),
    };
    for endpoint in endpoints {
        for team in endpoint.teams {
            *assigned.entry(team.id.to_string()).or_default() += 1;
        }
    }
    let mut budgets = budgets::of_teams(app, &actor).await?;
    let mut row = |team: ccag_admin_api::TeamView| TeamRow {
        budget: budgets
            .remove(team.id.as_str())
            .map(|(current, time_zone)| account(current, &time_zone)),
        endpoints: assigned.get(team.id.as_str()).copied().unwrap_or(0),
        spend_30_days: spend.get(team.id.as_str()).copied().unwrap_or(NanoUsd::ZERO),
        id: team.id.to_string(),
        name: team.name,
        state: team.state,
        strategy: team.routing.strategy,
        guardrail: team.guardrail.map(|guardrail| guardrail.id),
        users: team.member_count,
        created_at_ms: team.created_at.ms(),
    };
    Ok(TeamsPage {
        search,
        page,
        total,
        rows: teams.into_iter().map(&mut row).collect(),
        ..TeamsPage::default()
    })
}

pub(super) async fn create(Posted { visitor, form }: Posted) -> Response {
    let name = form.text("name");
    let request = CreateTeam { name: name.clone() };
    let result = if name.is_empty() {
        Err(Problem::new(Code::InvalidRequest, "Give the team a name.").field("name"))
    } else {
        teams::create(&visitor.state().app, &visitor.actor(), request).await
    };
    match result {
        Ok(team) => {
            let message = format!("Team “{}” is there. Assign users to it, or keys.", team.name);
            visitor.go_saying(path::TEAMS, Tone::Good, &message)
        }
        Err(problem) if is_about_input(&problem) => {
            let mut page = match gather(&visitor, String::new(), 1).await {
                Ok(page) => page,
                Err(problem) => return visitor.refuse(problem),
            };
            page.form = NewTeamForm {
                name: Field::new(name).with_error(problem.message),
            };
            visitor.show(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
        Err(problem) => visitor.refuse(problem),
    }
}

pub(super) async fn set_state(Path(id): Path<String>, Posted { visitor, form }: Posted) -> Response {
    let (Ok(id), Some(state)) = (TeamId::parse(&id), AccountState::parse(form.raw("state"))) else {
        return visitor.refuse(Problem::new(Code::NotFound, "There is no such team."));
    };
    let request = UpdateTeam {
        state: Some(state),
        ..UpdateTeam::default()
    };
    match teams::update(&visitor.state().app, &visitor.actor(), &id, request).await {
        Ok(team) => {
            let message = match team.state {
                AccountState::Active => format!("“{}” is active again; its keys work.", team.name),
                AccountState::Suspended => {
                    format!(
                        "“{}” is suspended; its keys are refused until it is activated again.",
                        team.name
                    )
                }
            };
            visitor.go_saying(path::TEAMS, Tone::Good, &message)
        }
        Err(problem) if is_about_input(&problem) => {
            visitor.go_saying(path::TEAMS, Tone::Bad, &problem.message)
        }
        Err(problem) => visitor.refuse(problem),
    }
}
