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
use ccag_console::page::{NewTeamForm, PAGE_SIZE, TeamRow, TeamSort, TeamsPage};
use ccag_console::{Tone, path};
use ccag_domain::{AccountState, Area, Code, NanoUsd, Permission, Problem, TeamId};
use std::collections::HashMap;

/// How many teams are offered to choose from.
const MOST: u64 = 500;

/// The teams as entries of a drop-down list.
pub(super) async fn team_choices(visitor: &Visitor) -> Result<Vec<Choice>, Problem> {
    let teams = teams::choices(&visitor.state().app, &visitor.actor(), MOST).await?;
    Ok(teams
        .into_iter()
        .map(|(id, name)| Choice::new(id, name))
        .collect())
}

pub(super) async fn list(visitor: Visitor, RawQuery(query): RawQuery) -> Response {
    let mut asked = TeamsPage {
        page: 1,
        ..TeamsPage::default()
    };
    let mut order = None;
    for (name, value) in pairs(query.as_deref()) {
        match name.as_ref() {
            "q" => asked.search = value.trim().chars().take(100).collect(),
            "sort" => asked.sort = TeamSort::parse(&value),
            "order" => order = Some(value == "desc"),
            "page" => asked.page = value.parse().unwrap_or(1).clamp(1, 1_000_000),
            _ => {}
        }
    }
    asked.descending = order.unwrap_or(asked.sort.descends_at_first());
    let page = gather(&visitor, asked).await;
    visitor.answer(page)
}

async fn gather(visitor: &Visitor, asked: TeamsPage) -> Result<TeamsPage, Problem> {
    let app = &visitor.state().app;
    let actor = visitor.actor();
    let now = visitor.now_ms();
    // All of them: what they are sorted by comes from several places.
    let query = TeamQuery {
        search: Some(asked.search.clone()),
        limit: u64::MAX,
        ..TeamQuery::default()
    };
    let routes = actor.may_all(Permission::Read(Area::Routing));
    let scope = since(thirty_days(now), now);
    let endpoints = async {
        match routes {
            true => Ok(endpoints::list(app, &actor).await?.endpoints),
            false => Ok(Vec::new()),
        }
    };
    let ((teams, total), spend, endpoints, mut budgets) = tokio::try_join!(
        teams::list(app, &actor, &query),
        usage::top(app, &actor, &scope, GroupBy::Team, u64::MAX >> 1),
        endpoints,
        budgets::of_teams(app, &actor)
    )?;
    let spend: HashMap<_, _> = spend
        .into_iter()
        .filter_map(|group| Some((group.id?, group.totals.cost_nano_usd)))
        .collect();
    let mut assigned: HashMap<String, u64> = HashMap::new();
    for endpoint in endpoints {
        for team in endpoint.teams {
            *assigned.entry(team.id.to_string()).or_default() += 1;
        }
    }
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
    let mut rows: Vec<TeamRow> = teams.into_iter().map(&mut row).collect();
    match asked.sort {
        // They come by name.
        TeamSort::Name => {}
        TeamSort::Users => rows.sort_by_key(|row| row.users),
        TeamSort::Spend => rows.sort_by_key(|row| row.spend_30_days),
        TeamSort::Created => rows.sort_by_key(|row| row.created_at_ms),
    }
    if asked.descending {
        rows.reverse();
    }
    let size = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    let page = rows.into_iter().skip(size(TeamsPage::offset(asked.page)));
    Ok(TeamsPage {
        total,
        rows: page.take(size(PAGE_SIZE)).collect(),
        ..asked
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
            let mut page = match gather(&visitor, TeamsPage::default()).await {
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
