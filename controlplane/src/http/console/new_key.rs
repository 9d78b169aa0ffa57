//! Making a key, and showing its secret once.

use super::cookies::NewKey;
use super::form::{FormData, Posted, is_about_input};
use super::teams::team_choices;
use super::visitor::Visitor;
use crate::app::{keys, users};
use crate::store::UserQuery;
use axum::http::StatusCode;
use axum::response::Response;
use ccag_admin_api::{CreateKey, Timestamp};
use ccag_console::form::Field;
use ccag_console::page::{Expiry, KeyCreatedPage, NewKeyForm, NewKeyPage, Trouble};
use ccag_console::path;
use ccag_domain::{Area, Permission, Problem, Reach, TeamId, UserId};

/// How many usernames are suggested.
const SUGGESTED: u64 = 200;

pub(super) async fn show(visitor: Visitor) -> Response {
    let page = blank(&visitor).await;
    visitor.answer(page)
}

/// The page with an empty form.
async fn blank(visitor: &Visitor) -> Result<NewKeyPage, Problem> {
    if visitor.reach(Permission::Change(Area::Keys)) <= Reach::Own {
        return Ok(NewKeyPage::default());
    }
    let app = &visitor.state().app;
    let query = UserQuery {
        limit: SUGGESTED,
        ..UserQuery::default()
    };
    let actor = visitor.actor();
    let ((users, _), teams) = tokio::try_join!(users::list(app, &actor, &query), team_choices(visitor))?;
    Ok(NewKeyPage {
        usernames: users.into_iter().map(|user| user.username).collect(),
        teams,
        ..NewKeyPage::default()
    })
}

fn refill(form: &FormData) -> NewKeyForm {
    NewKeyForm {
        name: Field::new(form.text("name")),
        user: Field::new(form.text("user")),
        team: Field::new(form.text("team")),
        expiry: Field::new(form.text("expiry")),
    }
}

pub(super) async fn create(Posted { visitor, form }: Posted) -> Response {
    let mut filled = refill(&form);
    let request = match read(&visitor, &mut filled).await {
        Ok(Some(request)) => request,
        Ok(None) => return again(visitor, filled, None).await,
        Err(problem) => return visitor.refuse(problem),
    };
    match keys::issue(&visitor.state().app, &visitor.actor(), request).await {
        Ok(created) => {
            let key = NewKey {
                session: visitor.session.id.to_string(),
                id: created.record.id.to_string(),
                name: created.record.name,
                secret: created.key.reveal().to_owned(),
                until_ms: NewKey::expiry(visitor.now_ms()),
            };
            visitor
                .map_cookies(|cookies| cookies.set_new_key(&key))
                .go(path::KEY_CREATED)
        }
        Err(problem) if is_about_input(&problem) => {
            let place = match problem.field.as_deref() {
                Some("name") => &mut filled.name,
                Some("user_id") => &mut filled.user,
                Some("team_id") => &mut filled.team,
                Some("expires_at") => &mut filled.expiry,
                _ => return again(visitor, filled, Some(problem.message)).await,
            };
            place.error = Some(problem.message);
            again(visitor, filled, None).await
        }
        Err(problem) => visitor.refuse(problem),
    }
}

/// What the form asks for; `None` if a field is wrong, which then says so.
async fn read(visitor: &Visitor, form: &mut NewKeyForm) -> Result<Option<CreateKey>, Problem> {
    if form.name.value.is_empty() {
        form.name.error = Some("Give the key a name, so that you can tell it from others.".to_owned());
    }
    let expiry = Expiry::parse(&form.expiry.value);
    if expiry.is_none() {
        form.expiry.error = Some("Choose one of the offered times.".to_owned());
    }
    let mut team_id = None;
    let mut user_id = None;
    if visitor.reach(Permission::Change(Area::Keys)) > Reach::Own {
        if !form.team.value.is_empty() {
            team_id = TeamId::parse(&form.team.value).ok();
            if team_id.is_none() {
                form.team.error = Some("Choose a team from the list.".to_owned());
            }
        }
        if !form.user.value.is_empty() {
            user_id = user_named(visitor, &form.user.value).await?;
            if user_id.is_none() {
                form.user.error = Some("There is no user with this username.".to_owned());
            }
        }
    }
    let wrong = [&form.name, &form.user, &form.team, &form.expiry];
    if wrong.iter().any(|field| field.error.is_some()) {
        return Ok(None);
    }
    Ok(Some(CreateKey {
        name: Some(form.name.value.clone()),
        user_id,
        team_id,
        rate_limit_rpm: None,
        expires_at: expiry
            .and_then(|e| e.at(visitor.now_ms()))
            .map(Timestamp::from_ms),
    }))
}

/// The user with this username.
pub(super) async fn user_named(visitor: &Visitor, username: &str) -> Result<Option<UserId>, Problem> {
    let query = UserQuery {
        username: Some(username.to_owned()),
        limit: 1,
        ..UserQuery::default()
    };
    let (mut found, _) = users::list(&visitor.state().app, &visitor.actor(), &query).await?;
    Ok(found.pop().map(|user| user.id))
}

/// The form once more, with what was entered and what is wrong with it.
async fn again(visitor: Visitor, form: NewKeyForm, trouble: Option<String>) -> Response {
    match blank(&visitor).await {
        Ok(page) => visitor.show(
            StatusCode::UNPROCESSABLE_ENTITY,
            &NewKeyPage {
                form,
                trouble,
                ..page
            },
        ),
        Err(problem) => visitor.refuse(problem),
    }
}

/// The page with the secret, for the session that made the key, once.
pub(super) async fn created(visitor: Visitor) -> Response {
    let (visitor, key) = visitor.take_new_key();
    let now = visitor.now_ms();
    let key = key.filter(|key| key.until_ms > now && key.session == visitor.session.id.as_str());
    match key {
        Some(key) => {
            let page = KeyCreatedPage {
                id: key.id,
                name: key.name,
                secret: key.secret,
                base_url: visitor.base_url(),
            };
            visitor.show(StatusCode::OK, &page)
        }
        None => visitor.trouble(Trouble::SecretGone),
    }
}
