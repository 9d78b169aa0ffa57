//! One user.

use super::form::{Posted, again};
use super::names::Names;
use super::overview::{since, thirty_days};
use super::teams::team_choices;
use super::visitor::Visitor;
use crate::app::clients::sessions;
use crate::app::identity::providers;
use crate::app::usage::Scope;
use crate::app::{tokens, usage, users};
use crate::store::clients::ClientSessionQuery;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use ccag_admin_api::{CreateToken, GroupBy, Patch, Secret, UpdateUser, UserView};
use ccag_console::form::{Choice, Field};
use ccag_console::page::{AccessTokens, DeleteUserPage, Named, TokenRow, UserForm, UserPage};
use ccag_console::{Tone, path};
use ccag_domain::{Area, Code, Permission, Problem, Role, SessionId, TeamId, UserId, UserKind};

fn id_of(text: &str) -> Result<UserId, Problem> {
    UserId::parse(text).map_err(|_| Problem::new(Code::NotFound, "There is no such user."))
}

pub(super) async fn show(visitor: Visitor, Path(id): Path<String>) -> Response {
    let page = gather(&visitor, &id).await;
    visitor.answer(page)
}

async fn gather(visitor: &Visitor, id: &str) -> Result<UserPage, Problem> {
    let (app, actor) = (&visitor.state().app, visitor.actor());
    let id = id_of(id)?;
    let now = visitor.now_ms();
    let scope = Scope {
        user_id: Some(id.clone()),
        ..since(thirty_days(now), now)
    };
    let query = ClientSessionQuery {
        user_id: Some(id.to_string()),
        limit: 1,
        ..ClientSessionQuery::default()
    };
    let (user, spent, (_, devices)) = tokio::try_join!(
        users::find(app, &actor, &id),
        usage::top(app, &actor, &scope, GroupBy::User, 1),
        sessions::list(app, &actor, query)
    )?;
    let spent = spent
        .into_iter()
        .next()
        .map(|group| group.totals)
        .unwrap_or_default();
    let sees_all = actor.may_all(Permission::Read(Area::Users));
    let tokens = async {
        match user.kind {
            UserKind::Service if sees_all => Ok(Some(tokens_of(visitor, &id).await?)),
            _ => Ok(None),
        }
    };
    let (teams, tokens, provider) = tokio::try_join!(
        Names::of_teams(app, std::iter::once(user.team_id.as_ref())),
        tokens,
        provider_of(visitor, &user)
    )?;
    let team = teams.named(user.team_id.as_ref());
    Ok(UserPage {
        id: user.id.to_string(),
        provider,
        spend: spent.cost_nano_usd,
        requests: spent.requests,
        devices,
        tokens,
        teams: match actor.may_all(Permission::Change(Area::Users)) {
            true => team_choices(visitor).await?,
            false => team
                .iter()
                .map(|team| Choice::new(team.id.clone(), team.name.clone()))
                .collect(),
        },
        team,
        form: UserForm {
            display_name: Field::new(user.display_name.unwrap_or_default()),
            email: Field::new(user.email.unwrap_or_default()),
            role: Field::new(user.role.as_str()),
            team: Field::new(user.team_id.map(|id| id.to_string()).unwrap_or_default()),
            password: Field::default(),
        },
        username: user.username,
        kind: user.kind,
        role: user.role,
        state: user.state,
        groups: user.groups,
        created_at_ms: user.created_at.ms(),
        trouble: None,
    })
}

/// The identity provider of a user, by name for those who may know.
async fn provider_of(visitor: &Visitor, user: &UserView) -> Result<Option<Named>, Problem> {
    let Some(id) = &user.provider_id else {
        return Ok(None);
    };
    let (app, actor) = (&visitor.state().app, visitor.actor());
    let name = match actor.may_all(Permission::Read(Area::SignOn)) {
        true => providers::find(app, &actor, id, &visitor.base_url()).await?.name,
        false => "an identity provider".to_owned(),
    };
    Ok(Some(Named {
        id: id.to_string(),
        name,
    }))
}

async fn tokens_of(visitor: &Visitor, id: &UserId) -> Result<AccessTokens, Problem> {
    let found = tokens::list(&visitor.state().app, &visitor.actor(), id).await?;
    let row = |token: ccag_admin_api::TokenView| TokenRow {
        id: token.id.to_string(),
        name: token.name,
        expires_at_ms: token.expires_at.ms(),
    };
    Ok(AccessTokens {
        rows: found.into_iter().map(row).collect(),
        ..AccessTokens::default()
    })
}

pub(super) async fn update(Path(id): Path<String>, Posted { visitor, form }: Posted) -> Response {
    let mut page = match gather(&visitor, &id).await {
        Ok(page) => page,
        Err(problem) => return visitor.refuse(problem),
    };
    page.form = UserForm {
        display_name: Field::new(form.text("display_name")),
        email: Field::new(form.text("email")),
        role: Field::new(form.text("role")),
        team: Field::new(form.text("team")),
        password: Field::default(),
    };
    let role = Role::parse(&page.form.role.value);
    if role.is_none() {
        page.form.role.error = Some("Choose one of the offered roles.".to_owned());
    }
    let team = TeamId::parse(&page.form.team.value).ok();
    if team.is_none() && !page.form.team.value.is_empty() {
        page.form.team.error = Some("Choose a team from the list.".to_owned());
    }
    if page.form.role.error.is_some() || page.form.team.error.is_some() {
        return again(visitor, page, None);
    }
    let password = form.raw("password");
    let request = UpdateUser {
        email: set_or_clear(form.optional("email")),
        display_name: set_or_clear(form.optional("display_name")),
        role,
        team_id: set_or_clear(team),
        password: match password {
            "" => Patch::Keep,
            password => Patch::Set(Secret::new(password)),
        },
    };
    let changed = async {
        let id = id_of(&id)?;
        users::update(&visitor.state().app, &visitor.actor(), &id, request).await
    };
    match changed.await {
        Ok(user) => {
            let message = format!("“{}” is changed. It holds within a second.", user.username);
            visitor.go_saying(&path::user(&id), Tone::Good, &message)
        }
        Err(problem) => again(visitor, page, Some(problem)),
    }
}

fn set_or_clear<T>(value: Option<T>) -> Patch<T> {
    value.map_or(Patch::Clear, Patch::Set)
}

pub(super) async fn sign_out(Path(id): Path<String>, Posted { visitor, .. }: Posted) -> Response {
    let ended = async {
        let id = id_of(&id)?;
        sessions::sign_out(&visitor.state().app, &visitor.actor(), &id).await
    };
    match ended.await {
        Ok(_) => visitor.go_saying(
            &path::user(&id),
            Tone::Good,
            "They are signed out here and in Claude Code. Their keys still work.",
        ),
        Err(problem) => visitor.refuse(problem),
    }
}

/// Makes a token. The answer is the page itself: the token stands in it, and nowhere else.
pub(super) async fn create_token(Path(id): Path<String>, Posted { visitor, form }: Posted) -> Response {
    let request = CreateToken {
        name: form.text("token_name"),
        expires_at: None,
    };
    let made = async {
        let id = id_of(&id)?;
        tokens::issue(&visitor.state().app, &visitor.actor(), &id, request).await
    };
    let made = made.await;
    let mut page = match gather(&visitor, &id).await {
        Ok(page) => page,
        Err(problem) => return visitor.refuse(problem),
    };
    let shown = page.tokens.get_or_insert_default();
    match made {
        Ok(made) => {
            shown.fresh = Some(made.token.reveal().to_owned());
            visitor.show(StatusCode::CREATED, &page)
        }
        Err(problem) if super::form::is_about_input(&problem) => {
            shown.trouble = Some(problem.message);
            visitor.show(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
        Err(problem) => visitor.refuse(problem),
    }
}

pub(super) async fn revoke_token(Path(id): Path<String>, Posted { visitor, form }: Posted) -> Response {
    let revoked = async {
        let token = SessionId::parse(form.raw("token_id"))
            .map_err(|_| Problem::new(Code::NotFound, "There is no such token."))?;
        tokens::revoke(&visitor.state().app, &visitor.actor(), &id_of(&id)?, &token).await
    };
    match revoked.await {
        Ok(()) => visitor.go_saying(
            &path::user(&id),
            Tone::Good,
            "The token is revoked: the next request with it is refused.",
        ),
        Err(problem) => visitor.refuse(problem),
    }
}

pub(super) async fn ask_delete(visitor: Visitor, Path(id): Path<String>) -> Response {
    let page = async {
        let user = users::find(&visitor.state().app, &visitor.actor(), &id_of(&id)?).await?;
        Ok(DeleteUserPage {
            id: user.id.to_string(),
            username: user.username,
        })
    };
    let page = page.await;
    visitor.answer(page)
}

pub(super) async fn delete(Path(id): Path<String>, Posted { visitor, .. }: Posted) -> Response {
    let deleted = async {
        let (app, actor, id) = (&visitor.state().app, visitor.actor(), id_of(&id)?);
        let user = users::find(app, &actor, &id).await?;
        users::delete(app, &actor, &id).await.map(|()| user.username)
    };
    match deleted.await {
        Ok(name) => {
            let message = format!("“{name}” is deleted. Their keys are refused within a second.");
            visitor.go_saying(path::USERS, Tone::Good, &message)
        }
        Err(problem) if super::form::is_about_input(&problem) => {
            visitor.go_saying(&path::user(&id), Tone::Bad, &problem.message)
        }
        Err(problem) => visitor.refuse(problem),
    }
}
