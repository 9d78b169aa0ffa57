//! One team.

use super::form::{Posted, again, is_about_input, pairs};
use super::new_key::user_named;
use super::visitor::Visitor;
use crate::app::{teams, users};
use crate::store::UserQuery;
use axum::extract::{Path, RawQuery};
use axum::response::Response;
use ccag_admin_api::{UpdateTeam, UserView};
use ccag_console::form::Field;
use ccag_console::page::{DeleteTeamPage, MemberRow, PAGE_SIZE, TeamPage};
use ccag_console::{Tone, path};
use ccag_domain::{Code, Problem, TeamId, UserId};

fn id_of(text: &str) -> Result<TeamId, Problem> {
    TeamId::parse(text).map_err(|_| Problem::new(Code::NotFound, "There is no such team."))
}

pub(super) async fn show(visitor: Visitor, Path(id): Path<String>, RawQuery(query): RawQuery) -> Response {
    let pairs = pairs(query.as_deref());
    let page = pairs.iter().find(|(name, _)| name == "page");
    let page = page.and_then(|(_, value)| value.parse().ok()).unwrap_or(1_u64);
    let page = gather(&visitor, &id, page.clamp(1, 1_000_000)).await;
    visitor.answer(page)
}

async fn gather(visitor: &Visitor, id: &str, page: u64) -> Result<TeamPage, Problem> {
    let (app, actor) = (&visitor.state().app, visitor.actor());
    let id = id_of(id)?;
    let query = UserQuery {
        team_id: Some(id.to_string()),
        offset: TeamPage::offset(page),
        limit: PAGE_SIZE,
        ..UserQuery::default()
    };
    let (team, (members, total)) =
        tokio::try_join!(teams::find(app, &actor, &id), users::list(app, &actor, &query))?;
    let row = |user: UserView| MemberRow {
        id: user.id.to_string(),
        username: user.username,
        role: user.role,
        state: user.state,
    };
    Ok(TeamPage {
        id: team.id.to_string(),
        new_name: Field::new(team.name.clone()),
        name: team.name,
        state: team.state,
        created_at_ms: team.created_at.ms(),
        page,
        members: members.into_iter().map(row).collect(),
        total,
        username: Field::default(),
        trouble: None,
    })
}

pub(super) async fn rename(Path(id): Path<String>, Posted { visitor, form }: Posted) -> Response {
    let name = form.text("name");
    let renamed = async {
        let request = UpdateTeam {
            name: Some(name.clone()),
            ..UpdateTeam::default()
        };
        teams::update(&visitor.state().app, &visitor.actor(), &id_of(&id)?, request).await
    };
    match renamed.await {
        Ok(team) => {
            let message = format!("The team is called “{}” now.", team.name);
            visitor.go_saying(&path::team(&id), Tone::Good, &message)
        }
        Err(problem) => match gather(&visitor, &id, 1).await {
            Ok(page) => {
                let new_name = Field::new(name);
                again(visitor, TeamPage { new_name, ..page }, Some(problem))
            }
            Err(problem) => visitor.refuse(problem),
        },
    }
}

pub(super) async fn add_member(Path(id): Path<String>, Posted { visitor, form }: Posted) -> Response {
    let name = form.text("username");
    let added = async {
        let team = id_of(&id)?;
        let user = user_named(&visitor, &name).await?.ok_or_else(|| {
            Problem::new(Code::InvalidRequest, "There is no user with this username.").field("username")
        })?;
        users::assign(&visitor.state().app, &visitor.actor(), &user, Some(&team)).await
    };
    match added.await {
        Ok(user) => {
            let message = format!("“{}” is in the team.", user.username);
            visitor.go_saying(&path::team(&id), Tone::Good, &message)
        }
        Err(problem) => match gather(&visitor, &id, 1).await {
            Ok(page) => {
                let username = Field::new(name);
                again(visitor, TeamPage { username, ..page }, Some(problem))
            }
            Err(problem) => visitor.refuse(problem),
        },
    }
}

pub(super) async fn remove_member(Path(id): Path<String>, Posted { visitor, form }: Posted) -> Response {
    let removed = async {
        let user = UserId::parse(form.raw("user_id"))
            .map_err(|_| Problem::new(Code::NotFound, "There is no such user."))?;
        users::unassign(&visitor.state().app, &visitor.actor(), &id_of(&id)?, &user).await
    };
    match removed.await {
        Ok(()) => visitor.go_saying(&path::team(&id), Tone::Good, "They are not in the team any more."),
        Err(problem) => visitor.refuse(problem),
    }
}

/// So many of the keys are named that keep a team from being deleted.
const SOME_KEYS: usize = 10;

pub(super) async fn ask_delete(visitor: Visitor, Path(id): Path<String>) -> Response {
    let page = async {
        let (app, actor, id) = (&visitor.state().app, visitor.actor(), id_of(&id)?);
        let (team, keys) = tokio::try_join!(teams::find(app, &actor, &id), teams::keys_of(app, &actor, &id))?;
        Ok(DeleteTeamPage {
            id: team.id.to_string(),
            name: team.name,
            members: team.member_count,
            keys: keys.len() as u64,
            some_keys: keys.into_iter().take(SOME_KEYS).collect(),
        })
    };
    let page = page.await;
    visitor.answer(page)
}

pub(super) async fn delete(Path(id): Path<String>, Posted { visitor, .. }: Posted) -> Response {
    let deleted = async {
        let (app, actor, id) = (&visitor.state().app, visitor.actor(), id_of(&id)?);
        let team = teams::find(app, &actor, &id).await?;
        teams::delete(app, &actor, &id).await.map(|()| team.name)
    };
    match deleted.await {
        Ok(name) => {
            let message = format!("The team “{name}” is deleted.");
            visitor.go_saying(path::TEAMS, Tone::Good, &message)
        }
        Err(problem) if is_about_input(&problem) => {
            visitor.go_saying(&path::team(&id), Tone::Bad, &problem.message)
        }
        Err(problem) => visitor.refuse(problem),
    }
}
