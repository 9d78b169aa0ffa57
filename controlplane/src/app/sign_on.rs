//! How people sign in, as admins have set it.

use super::sessions::Session;
use super::{App, Changed};
use ccag_admin_api::SignInSettings;
use ccag_domain::{Actor, Area, Code, ObjectKind, Permission, Problem};
use serde_json::json;

/// The settings' names.
const PASSWORDS: &str = "password_sign_in";
const NOTICE: &str = "login_notice";

/// The longest notice, in characters (Claude Code shows no more).
const MAX_NOTICE: usize = 500;

/// How people sign in.
///
/// # Errors
/// [`Code::Forbidden`] for members.
pub async fn settings(app: &App, actor: &Actor) -> Result<SignInSettings, Problem> {
    actor.require_all(Permission::Read(Area::SignOn))?;
    read(app).await
}

async fn read(app: &App) -> Result<SignInSettings, Problem> {
    Ok(SignInSettings {
        password_sign_in: passwords(app).await?,
        login_notice: login_notice(app).await?,
    })
}

/// Whether passwords are good for signing in. The operator can open that door again from outside.
///
/// # Errors
/// [`Code::Unavailable`] without a database.
pub async fn passwords(app: &App) -> Result<bool, Problem> {
    let off = app.store.find_setting(PASSWORDS).await?.as_deref() == Some("false");
    Ok(!off || app.terms.passwords_always)
}

/// What Claude Code shows beside the code.
///
/// # Errors
/// [`Code::Unavailable`] without a database.
pub async fn login_notice(app: &App) -> Result<Option<String>, Problem> {
    let notice = app.store.find_setting(NOTICE).await?;
    Ok(notice.filter(|text| !text.is_empty()))
}

/// Changes how people sign in. Passwords can be turned off by an owner who has signed in without one: nobody locks themselves
/// out.
///
/// # Errors
/// [`Code::InvalidRequest`] for a notice that is too long, [`Code::Conflict`] if single sign-on has not been shown to work.
pub async fn set(app: &App, who: &Session, request: SignInSettings) -> Result<SignInSettings, Problem> {
    let actor = who.actor();
    actor.require_all(Permission::Change(Area::SignOn))?;
    let before = read(app).await?;
    let notice = request
        .login_notice
        .map(|text| text.trim().to_owned())
        .unwrap_or_default();
    if notice.chars().count() > MAX_NOTICE || notice.chars().any(|c| c.is_control() && c != '\n') {
        return Err(Problem::new(
            Code::InvalidRequest,
            format!("The notice has at most {MAX_NOTICE} characters and no control characters."),
        )
        .field("login_notice"));
    }
    if before.password_sign_in != request.password_sign_in {
        actor.require_all(Permission::Change(Area::Owners))?;
    }
    if before.password_sign_in && !request.password_sign_in && who.user.provider_id.is_none() {
        return Err(Problem::new(
            Code::Conflict,
            "Sign in with an identity provider first, as an owner: passwords can be turned off by somebody who does not need \
             one, so that nobody is locked out.",
        )
        .field("password_sign_in"));
    }
    let mut tx = app.store.change().await?;
    tx.put_setting(PASSWORDS, request.password_sign_in.to_string())
        .await?;
    tx.put_setting(NOTICE, notice.clone()).await?;
    let after = json!({"password_sign_in": request.password_sign_in, "login_notice": notice});
    let details = Changed::updated(&before, &after);
    let entry = app.audit(
        &actor,
        "sign_in.update",
        ObjectKind::Settings,
        "settings",
        details,
    );
    tx.commit(app.now_ms(), entry).await?;
    read(app).await
}
