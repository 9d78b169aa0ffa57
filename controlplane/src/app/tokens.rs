//! Tokens with which service accounts use the admin API, in their role.
//!
//! A token is a session that nobody signed in to begin, and that has a name. Whatever ends a user's sessions ends their tokens.

use super::{App, Changed, authority, not_found, validate};
use crate::store::entity::session;
use crate::store::rows::read;
use crate::store::{StoreError, Tx};
use ccag_admin_api::{CreateToken, CreatedToken, SESSION_TOKEN_PREFIX, Secret, Timestamp, TokenView};
use ccag_domain::key::random_token;
use ccag_domain::time::DAY_MS;
use ccag_domain::{
    Actor, Area, Code, KeyDigest, ObjectKind, Permission, Problem, SessionId, UserId, UserKind,
};

/// How long a token is good that does not say.
const LIFE_MS: i64 = 365 * DAY_MS;

/// How many tokens an account may have.
const MOST: usize = 100;

/// Makes a token of a service account.
///
/// # Errors
/// [`Code::NotFound`], [`Code::InvalidRequest`] if a field is no good, [`Code::Conflict`] if the user is a person.
pub async fn issue(
    app: &App,
    actor: &Actor,
    id: &UserId,
    request: CreateToken,
) -> Result<CreatedToken, Problem> {
    actor.require_all(Permission::Change(Area::Users))?;
    let now = app.now_ms();
    let name = validate::name("name", &request.name)?;
    let expires = validate::expiry(request.expires_at.map(Timestamp::ms), now)?;
    let token = Secret::new(format!("{SESSION_TOKEN_PREFIX}{}", *random_token(&*app.rng)));
    let tx = app.store.change().await?;
    let user = tx.find_user(id.as_str()).await?;
    let user = user.ok_or_else(|| not_found("user", id.as_str()))?;
    authority::require_over(actor, authority::person(&user).role)?;
    if user.kind != UserKind::Service.as_str() {
        return Err(Problem::new(
            Code::Conflict,
            "Only service accounts have tokens; people sign in. Make a service account for the program that needs one.",
        ));
    }
    if tx.list_tokens_of(id.as_str(), now).await?.len() >= MOST {
        return Err(Problem::new(
            Code::Conflict,
            format!("This account has {MOST} tokens. Revoke those that are not used any more."),
        ));
    }
    let row = session::Model {
        id: SessionId::generate(&*app.clock, &*app.rng).to_string(),
        digest: KeyDigest::of(token.reveal()).to_hex(),
        user_id: user.id,
        csrf: random_token(&*app.rng).to_string(),
        created_at_ms: now,
        expires_at_ms: expires.unwrap_or_else(|| now.saturating_add(LIFE_MS)),
        name: Some(name),
    };
    tx.insert_session(row.clone()).await?;
    note(app, actor, tx, "token.issue", &row, Changed::created(&row)).await?;
    Ok(CreatedToken {
        token,
        record: view(&row)?,
    })
}

/// The tokens of a user that are still good, the newest first.
///
/// # Errors
/// [`Code::NotFound`], [`Code::Forbidden`] for those who do not see all users.
pub async fn list(app: &App, actor: &Actor, id: &UserId) -> Result<Vec<TokenView>, Problem> {
    actor.require_all(Permission::Read(Area::Users))?;
    if app.store.find_user(id.as_str()).await?.is_none() {
        return Err(not_found("user", id.as_str()));
    }
    let rows = app.store.list_tokens_of(id.as_str(), app.now_ms()).await?;
    Ok(rows.iter().map(view).collect::<Result<_, _>>()?)
}

/// Revokes a token.
///
/// # Errors
/// [`Code::NotFound`].
pub async fn revoke(app: &App, actor: &Actor, id: &UserId, token: &SessionId) -> Result<(), Problem> {
    actor.require_all(Permission::Change(Area::Users))?;
    let tx = app.store.change().await?;
    let tokens = tx.list_tokens_of(id.as_str(), app.now_ms()).await?;
    let row = tokens.into_iter().find(|row| row.id == token.as_str());
    let row = row.ok_or_else(|| not_found("token", token.as_str()))?;
    tx.delete_session(&row.id).await?;
    note(app, actor, tx, "token.revoke", &row, Changed::deleted(&row)).await
}

async fn note(
    app: &App,
    actor: &Actor,
    tx: Tx,
    action: &'static str,
    row: &session::Model,
    changed: Changed,
) -> Result<(), Problem> {
    let entry = app.audit(actor, action, ObjectKind::User, &row.user_id, changed);
    tx.commit(app.now_ms(), entry).await?;
    Ok(())
}

fn view(row: &session::Model) -> Result<TokenView, StoreError> {
    const T: &str = "sessions";
    Ok(TokenView {
        id: read(T, "id", SessionId::parse(&row.id).ok())?,
        user_id: read(T, "user_id", UserId::parse(&row.user_id).ok())?,
        name: row.name.clone().unwrap_or_default(),
        created_at: Timestamp::from_ms(row.created_at_ms),
        expires_at: Timestamp::from_ms(row.expires_at_ms),
    })
}
