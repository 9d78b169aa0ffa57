//! Users.

use super::form::{FormData, Posted, is_about_input, pairs};
use super::names::Names;
use super::overview::{since, thirty_days};
use super::teams::team_choices;
use super::visitor::Visitor;
use crate::app::{usage, users};
use crate::store::{Place, Turn, UserOrder, UserQuery};
use axum::extract::{Path, RawQuery};
use axum::http::StatusCode;
use axum::response::Response;
use ccag_admin_api::{CreateUser, GroupBy, Secret, UserView};
use ccag_console::form::{Choice, Field};
use ccag_console::page::{Ends, NewUserForm, PAGE_SIZE, UserRow, UserSort, UsersPage};
use ccag_console::{Tone, path};
use ccag_domain::{AccountState, Code, NanoUsd, Problem, Role, TeamId, UserId, UserKind};
use std::collections::HashMap;

pub(super) async fn list(visitor: Visitor, RawQuery(query): RawQuery) -> Response {
    let mut asked = UsersPage::default();
    let mut order = None;
    for (name, value) in pairs(query.as_deref()) {
        match name.as_ref() {
            "q" => asked.search = value.trim().chars().take(100).collect(),
            "kind" => asked.kind = UserKind::parse(&value),
            "sort" => asked.sort = UserSort::parse(&value),
            "order" => order = Some(value == "desc"),
            name => drop(asked.place.take(name, &value)),
        }
    }
    asked.descending = order.unwrap_or(asked.sort.descends_at_first());
    let page = gather(&visitor, asked).await;
    visitor.answer(page)
}

async fn gather(visitor: &Visitor, asked: UsersPage) -> Result<UsersPage, Problem> {
    let app = &visitor.state().app;
    let actor = visitor.actor();
    let now = visitor.now_ms();
    let query = UserQuery {
        search: Some(asked.search.clone()).filter(|text| !text.is_empty()),
        kind: asked.kind,
        order: match asked.sort {
            UserSort::Name => UserOrder::Name,
            UserSort::Created => UserOrder::Created,
        },
        descending: asked.descending,
        turn: Turn::parse(&asked.place.after, &asked.place.before),
        offset: asked.place.offset(),
        limit: PAGE_SIZE + 1,
        ..UserQuery::default()
    };
    let (mut users, total) = users::list(app, &actor, &query).await?;
    let more = Turn::cut(query.turn.as_ref(), &mut users, PAGE_SIZE);
    let end = |user: Option<&UserView>| {
        let place = |user: &UserView| match asked.sort {
            UserSort::Name => Place::new(Some(user.username.to_lowercase()), &user.id),
            UserSort::Created => Place::new(Some(user.created_at.ms()), &user.id),
        };
        user.map(|user| place(user).to_string()).unwrap_or_default()
    };
    let ends = Ends {
        first: end(users.first()),
        last: end(users.last()),
        more,
    };
    let mut scope = since(thirty_days(now), now);
    scope.only.users = users.iter().map(|user| user.id.to_string()).collect();
    let (teams, choices, spend) = tokio::try_join!(
        Names::of_teams(app, users.iter().map(|user| user.team_id.as_ref())),
        team_choices(visitor),
        usage::top(app, &actor, &scope, GroupBy::User, PAGE_SIZE)
    )?;
    let spend: HashMap<_, _> = spend
        .into_iter()
        .filter_map(|group| Some((group.id?, group.totals.cost_nano_usd)))
        .collect();
    let row = |user: UserView| UserRow {
        spend_30_days: spend.get(user.id.as_str()).copied().unwrap_or(NanoUsd::ZERO),
        team: teams.named(user.team_id.as_ref()),
        id: user.id.to_string(),
        username: user.username,
        detail: user.display_name.or(user.email),
        kind: user.kind,
        role: user.role,
        state: user.state,
        created_at_ms: user.created_at.ms(),
    };
    Ok(UsersPage {
        rows: users.into_iter().map(row).collect(),
        total,
        ends,
        teams: choices,
        ..asked
    })
}

/// The roles to choose from.
pub(super) fn role_choices() -> Vec<Choice> {
    Role::ALL
        .into_iter()
        .rev()
        .map(|role| Choice::new(role.as_str(), role.as_str()))
        .collect()
}

fn refill(form: &FormData) -> NewUserForm {
    NewUserForm {
        username: Field::new(form.text("username")),
        email: Field::new(form.text("email")),
        kind: Field::new(form.text("kind")),
        role: Field::new(form.text("role")),
        team: Field::new(form.text("team")),
        password: Field::default(),
    }
}

pub(super) async fn create(Posted { visitor, form }: Posted) -> Response {
    let mut filled = refill(&form);
    let Some(request) = read(&form, &mut filled) else {
        return again(visitor, filled, None).await;
    };
    match users::create(&visitor.state().app, &visitor.actor(), request).await {
        Ok(user) => {
            let message = format!("User “{}” is there.", user.username);
            visitor.go_saying(path::USERS, Tone::Good, &message)
        }
        Err(problem) if is_about_input(&problem) => {
            let place = match problem.field.as_deref() {
                Some("username") => &mut filled.username,
                Some("email") => &mut filled.email,
                Some("kind") => &mut filled.kind,
                Some("role") => &mut filled.role,
                Some("team_id") => &mut filled.team,
                Some("password") => &mut filled.password,
                _ => return again(visitor, filled, Some(problem.message)).await,
            };
            place.error = Some(problem.message);
            again(visitor, filled, None).await
        }
        Err(problem) => visitor.refuse(problem),
    }
}

/// What the form asks for; `None` if a field is wrong, which then says so.
fn read(form: &FormData, filled: &mut NewUserForm) -> Option<CreateUser> {
    if filled.username.value.is_empty() {
        filled.username.error = Some("Give the user a name to sign in with.".to_owned());
    }
    let role = Role::parse(&filled.role.value);
    if role.is_none() {
        filled.role.error = Some("Choose one of the offered roles.".to_owned());
    }
    let team_id = TeamId::parse(&filled.team.value).ok();
    if team_id.is_none() && !filled.team.value.is_empty() {
        filled.team.error = Some("Choose a team from the list.".to_owned());
    }
    let fields = [&filled.username, &filled.role, &filled.team];
    if fields.iter().any(|field| field.error.is_some()) {
        return None;
    }
    let password = form.raw("password");
    Some(CreateUser {
        username: Some(filled.username.value.clone()),
        email: form.optional("email"),
        display_name: None,
        kind: UserKind::parse(&filled.kind.value),
        role,
        team_id,
        password: (!password.is_empty()).then(|| Secret::new(password)),
    })
}

/// The list with the form once more, with what was entered and what is wrong with it.
async fn again(visitor: Visitor, form: NewUserForm, trouble: Option<String>) -> Response {
    match gather(&visitor, UsersPage::default()).await {
        Ok(page) => visitor.show(
            StatusCode::UNPROCESSABLE_ENTITY,
            &UsersPage {
                form,
                trouble,
                ..page
            },
        ),
        Err(problem) => visitor.refuse(problem),
    }
}

pub(super) async fn set_state(Path(id): Path<String>, Posted { visitor, form }: Posted) -> Response {
    let (Ok(id), Some(state)) = (UserId::parse(&id), AccountState::parse(form.raw("state"))) else {
        return visitor.refuse(Problem::new(Code::NotFound, "There is no such user."));
    };
    let (app, actor) = (&visitor.state().app, visitor.actor());
    let result = match state {
        AccountState::Active => users::activate(app, &actor, &id).await,
        AccountState::Suspended => users::suspend(app, &actor, &id).await,
    };
    match result {
        Ok(user) => {
            let message = match user.state {
                AccountState::Active => format!("“{}” is active again.", user.username),
                AccountState::Suspended => format!(
                    "“{}” is suspended: signed out, and their keys are refused until they are activated again.",
                    user.username
                ),
            };
            visitor.go_saying(path::USERS, Tone::Good, &message)
        }
        Err(problem) if is_about_input(&problem) => {
            visitor.go_saying(path::USERS, Tone::Bad, &problem.message)
        }
        Err(problem) => visitor.refuse(problem),
    }
}
