//! Setting up Claude Code on people's machines: what the script does, and tokens with which it gets a key.

use super::identity::providers;
use super::{App, Changed, authority};
use crate::store::entity::setup_token;
use ccag_admin_api::{
    ConnectMode, CreateSetupToken, CreatedKey, CreatedSetupToken, Secret, SetupSettings, Timestamp,
};
use ccag_domain::key::random_token;
use ccag_domain::{Actor, Area, Code, KeyDigest, KeyId, KeySecret, ObjectKind, Permission, Problem};
use serde_json::json;

/// The setting's name.
const SETTING: &str = "setup";

/// What setup tokens begin with.
const PREFIX: &str = "st-ccag-";

/// For how many minutes a token is good that does not say, and at most.
const MINUTES: u32 = 15;
const MOST_MINUTES: u32 = 7 * 24 * 60;

/// What the script does unless it is told otherwise.
///
/// # Errors
/// [`Code::Forbidden`] for those who do not see how people sign in.
pub async fn settings(app: &App, actor: &Actor) -> Result<SetupSettings, Problem> {
    actor.require_all(Permission::Read(Area::SignOn))?;
    read(app).await
}

async fn read(app: &App) -> Result<SetupSettings, Problem> {
    let Some(stored) = app.store.find_setting(SETTING).await? else {
        return Ok(SetupSettings::default());
    };
    serde_json::from_str(&stored).or_else(|error| {
        tracing::warn!(%error, "what the setup script does cannot be read; it does what it does by default");
        Ok(SetupSettings::default())
    })
}

/// What the script does, and how Claude Code connects if nobody has said.
///
/// # Errors
/// [`Code::Unavailable`] without a database.
pub async fn in_force(app: &App) -> Result<(ConnectMode, SetupSettings), Problem> {
    let settings = read(app).await?;
    let mode = match settings.mode {
        Some(mode) => mode,
        None if providers::offered(app).await?.is_empty() => ConnectMode::Key,
        None => ConnectMode::Sso,
    };
    Ok((mode, settings))
}

/// Says what the script does.
///
/// # Errors
/// [`Code::Forbidden`] for those who may not say how people sign in.
pub async fn set(app: &App, actor: &Actor, request: SetupSettings) -> Result<SetupSettings, Problem> {
    actor.require_all(Permission::Change(Area::SignOn))?;
    let before = read(app).await?;
    let mut tx = app.store.change().await?;
    let stored = serde_json::to_string(&request)
        .map_err(|_| Problem::new(Code::Internal, "The settings could not be written."))?;
    tx.put_setting(SETTING, stored).await?;
    let changed = Changed::updated(&before, &request);
    let entry = app.audit(actor, "setup.update", ObjectKind::Settings, SETTING, changed);
    tx.commit(app.now_ms(), entry).await?;
    Ok(request)
}

/// Makes a token for which the script gets a new secret of a key. It replaces the token before.
///
/// # Errors
/// [`Code::NotFound`], also for who may only see the key; [`Code::Conflict`] for a key that is revoked or over;
/// [`Code::InvalidRequest`] for a time that is too long.
pub async fn issue(
    app: &App,
    actor: &Actor,
    id: &KeyId,
    request: CreateSetupToken,
) -> Result<CreatedSetupToken, Problem> {
    let now = app.now_ms();
    let minutes = request.minutes.unwrap_or(MINUTES);
    if !(1..=MOST_MINUTES).contains(&minutes) {
        return Err(Problem::new(
            Code::InvalidRequest,
            format!("A setup token is good for 1 to {MOST_MINUTES} minutes, which is seven days."),
        )
        .field("minutes"));
    }
    let token = Secret::new(format!("{PREFIX}{}", *random_token(&*app.rng)));
    let tx = app.store.change().await?;
    let key = authority::change_key(&tx, actor, id).await?;
    if key.state != "active" || key.expires_at_ms.is_some_and(|at| at <= now) {
        return Err(Problem::new(
            Code::Conflict,
            "This key is revoked or has expired. Make a new one.",
        ));
    }
    let expires_at_ms = now.saturating_add(i64::from(minutes) * 60_000);
    tx.put_setup_token(setup_token::Model {
        digest: KeyDigest::of(token.reveal()).to_hex(),
        key_id: key.id.clone(),
        created_at_ms: now,
        expires_at_ms,
    })
    .await?;
    let made = Changed::created(&json!({"expires_at_ms": expires_at_ms})).with("name", &key.name);
    let entry = app.audit(actor, "key.setup_token", ObjectKind::Key, &key.id, made);
    tx.commit(now, entry).await?;
    Ok(CreatedSetupToken {
        token,
        key_id: id.clone(),
        expires_at: Timestamp::from_ms(expires_at_ms),
        expires_in_s: minutes * 60,
    })
}

/// Exchanges a token for a new secret of its key. The secret before is no longer good: whoever is set up has the only one.
///
/// # Errors
/// [`Code::Unauthenticated`] if the token was used, is over, or never was, or its key is.
pub async fn redeem(app: &App, token: &str) -> Result<CreatedKey, Problem> {
    let gone = || {
        Problem::new(
            Code::Unauthenticated,
            "This setup token has been used or is over. Ask for another one.",
        )
    };
    if token.len() > 256 || !token.starts_with(PREFIX) {
        return Err(gone());
    }
    let now = app.now_ms();
    let mut tx = app.store.change().await?;
    let digest = KeyDigest::of(token).to_hex();
    let id = tx.take_setup_token(&digest, now).await?.ok_or_else(gone)?;
    let mut key = tx.find_key(&id).await?.ok_or_else(gone)?;
    if key.state != "active" || key.expires_at_ms.is_some_and(|at| at <= now) {
        return Err(gone());
    }
    let secret = KeySecret::generate(&*app.rng);
    let before = std::mem::replace(&mut key.prefix, secret.shown_prefix());
    key.digest = secret.digest().to_hex();
    tx.update_key(key.clone()).await?;
    let (before, after) = (json!({"prefix": before}), json!({"prefix": key.prefix}));
    let changed = Changed::updated(&before, &after).with("name", &key.name);
    let entry = app.audit(&Actor::System, "key.redeem", ObjectKind::Key, &key.id, changed);
    tx.commit(now, entry).await?;
    Ok(CreatedKey {
        key: Secret::new(secret.reveal()),
        record: super::views::key(&key, now)?,
    })
}
