//! Signing in and out.

use super::{App, refusals, sign_on, throttle, views};
use crate::store::AuditEntry;
use crate::store::entity::session;
use ccag_admin_api::{SESSION_TOKEN_PREFIX, Secret, UserView};
use ccag_daemon::CancellationToken;
use ccag_domain::key::random_token;
use ccag_domain::{AccountState, Actor, Code, KeyDigest, Problem, SessionId, UnixMs, Via};
use std::net::IpAddr;
use std::time::Duration;
use tokio::sync::mpsc;

/// How many refusals may wait to be written down.
pub(crate) const REFUSED_AT_ONCE: usize = 1_000;

/// Takes what is to be written down of who was not let in.
pub(crate) type Refused = mpsc::Sender<(UnixMs, AuditEntry)>;

/// The longest user name and password that are looked at.
const MAX_INPUT: usize = 1_024;

/// A session that has just begun.
#[derive(Debug, Clone)]
pub struct LoggedIn {
    /// The token, shown only here.
    pub token: Secret,
    /// The session behind it.
    pub session: Session,
}

/// Somebody who is signed in.
#[derive(Debug, Clone)]
pub struct Session {
    /// Names the session.
    pub id: SessionId,
    /// What forms and scripts of the console have to show besides the cookie.
    pub csrf: String,
    /// When it ends.
    pub expires_at_ms: UnixMs,
    /// Who it is.
    pub user: UserView,
    /// By which way it is used now, where it is another than the API and the console.
    pub via: Option<Via>,
}

impl Session {
    /// The one who acts through this session.
    #[must_use]
    pub fn actor(&self) -> Actor {
        Actor::User {
            id: self.user.id.clone(),
            role: self.user.role,
            team_id: self.user.team_id.clone(),
            session: self.id.clone(),
            via: self.via,
        }
    }
}

/// Begins a session. `address` is where the attempt comes from, as far as it is known.
///
/// # Errors
/// [`Code::Unauthenticated`] for a wrong name or password, whichever it is; [`Code::Forbidden`] for the right one of a
/// suspended user, and for any, with the field `password`, where passwords are turned off; [`Code::RateLimited`] after too many attempts.
pub async fn login(
    app: &App,
    username: &str,
    password: &str,
    address: Option<IpAddr>,
) -> Result<LoggedIn, Problem> {
    let username = username.trim();
    if username.len() > MAX_INPUT || password.len() > MAX_INPUT || username.contains('\0') {
        return Err(wrong());
    }
    throttle::attempt(app, address, username).await?;
    if !sign_on::passwords(app).await? {
        return Err(Problem::new(
            Code::Forbidden,
            "Passwords are turned off here. Sign in with your organisation's account.",
        )
        .field("password"));
    }
    let user = app.store.find_user_by_name(username).await?;
    let hash = user.as_ref().and_then(|user| user.password_hash.as_deref());
    let matches = app.passwords.verify(hash, password).await?;
    let user = user.as_ref().map(views::user).transpose()?;
    let Some(user) = user.clone().filter(|_| matches) else {
        app.metrics.login_failed.inc();
        tracing::info!("a log-in failed: wrong user name or password");
        // What strangers type as a name may be a password: a name that nobody has is not written down.
        if let Some(user) = user {
            refused(app, &user, "session.wrong_password", address);
        }
        return Err(wrong());
    };
    if user.state != AccountState::Active {
        refused(app, &user, "session.suspended", address);
        return Err(Problem::new(
            Code::Forbidden,
            "Your account is suspended. Ask an admin of your gateway to activate it.",
        ));
    }
    throttle::forget(app, address, username).await?;
    begin(app, user, address).await
}

/// Has it written down that somebody was not let in. The answer does not wait for it: how long it takes must not tell
/// whether there is a user of that name.
fn refused(app: &App, user: &UserView, action: &'static str, address: Option<IpAddr>) {
    let entry = app.audit_session(&user.id, action, user.id.as_str(), address);
    if app.refused.try_send((app.now_ms(), entry)).is_err() {
        tracing::warn!(user = %user.id, action, "so many are not let in that not all of it is written to the audit log");
    }
}

/// How often it is looked which refusals have been counted for long enough.
const LOOK: Duration = Duration::from_secs(1);

async fn write(app: &App, at_ms: UnixMs, entry: AuditEntry) {
    let written = async { app.store.change().await?.commit(at_ms, entry).await };
    if let Err(error) = written.await {
        tracing::warn!(%error, "it cannot be written to the audit log that somebody was refused");
    }
}

/// Writes down who was not let in and what was refused, until the process ends.
pub(crate) async fn write_refused(
    app: App,
    mut inbox: mpsc::Receiver<(UnixMs, AuditEntry)>,
    shutdown: CancellationToken,
) {
    let mut tick = tokio::time::interval(LOOK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            next = inbox.recv() => {
                let Some((at_ms, entry)) = next else { return };
                write(&app, at_ms, entry).await;
            }
            () = shutdown.cancelled() => break,
            _ = tick.tick() => {
                for entry in refusals::over(&app, false) {
                    write(&app, app.now_ms(), entry).await;
                }
            }
        }
    }
    for entry in refusals::over(&app, true) {
        write(&app, app.now_ms(), entry).await;
    }
}

fn wrong() -> Problem {
    Problem::new(
        Code::Unauthenticated,
        "The user name or the password is wrong. Check both and try again.",
    )
}

/// Begins a session for somebody who has shown who they are.
///
/// # Errors
/// [`Code::Unavailable`] without a database.
pub(super) async fn begin(app: &App, user: UserView, address: Option<IpAddr>) -> Result<LoggedIn, Problem> {
    let token = Secret::new(format!("{SESSION_TOKEN_PREFIX}{}", *random_token(&*app.rng)));
    let now = app.now_ms();
    let session = Session {
        id: SessionId::generate(&*app.clock, &*app.rng),
        csrf: random_token(&*app.rng).to_string(),
        expires_at_ms: now.saturating_add(app.terms.session_ttl_ms),
        user,
        via: None,
    };
    let tx = app.store.change().await?;
    tx.insert_session(session::Model {
        id: session.id.to_string(),
        digest: KeyDigest::of(token.reveal()).to_hex(),
        user_id: session.user.id.to_string(),
        csrf: session.csrf.clone(),
        created_at_ms: now,
        expires_at_ms: session.expires_at_ms,
        name: None,
    })
    .await?;
    let entry = app.audit_session(&session.user.id, "session.begin", session.id.as_str(), address);
    tx.commit(now, entry).await?;
    Ok(LoggedIn { token, session })
}

/// Finds out who shows a token. The user's role and state are read anew, so a change holds at once.
///
/// # Errors
/// [`Code::Unauthenticated`] if the token is unknown or has expired, or the user is suspended.
pub async fn authenticate(app: &App, token: &str) -> Result<Session, Problem> {
    let ended = || {
        Problem::new(
            Code::Unauthenticated,
            "This session is unknown or has ended. Sign in again.",
        )
    };
    if !token.starts_with(SESSION_TOKEN_PREFIX) || token.len() > MAX_INPUT {
        return Err(ended());
    }
    let digest = KeyDigest::of(token).to_hex();
    let found = app.store.find_session(&digest, app.now_ms()).await?;
    let (row, user) = found.ok_or_else(ended)?;
    let user = views::user(&user)?;
    if user.state != AccountState::Active {
        return Err(ended());
    }
    Ok(Session {
        id: SessionId::parse(&row.id).map_err(|_| ended())?,
        csrf: row.csrf,
        expires_at_ms: row.expires_at_ms,
        user,
        via: None,
    })
}

/// Ends a session.
///
/// # Errors
/// [`Code::Unavailable`] without a database.
pub async fn logout(app: &App, session: &Session) -> Result<(), Problem> {
    let tx = app.store.change().await?;
    tx.delete_session(session.id.as_str()).await?;
    let entry = app.audit_session(&session.user.id, "session.end", session.id.as_str(), None);
    tx.commit(app.now_ms(), entry).await?;
    Ok(())
}
