//! Tokens of clients: issued, renewed, and taken back.

use super::{Device, keys};
use crate::app::{App, Changed, authority, keys as virtual_keys, not_found};
use crate::store::Tx;
use crate::store::clients::{ClientSessionQuery, RefreshToken};
use crate::store::entity::{client_session, user, virtual_key};
use ccag_admin_api::{ClientSessionView, Timestamp};
use ccag_domain::key::random_token;
use ccag_domain::{
    Actor, Area, Code, KeyDigest, KeyId, KeySecret, ObjectKind, Permission, Problem, Revision, UnixMs, UserId,
};
use ccag_session_token::{Claims, TokenError, key_id};
use serde_json::json;

/// What refresh tokens start with.
pub const REFRESH_TOKEN_PREFIX: &str = "ccagr_";

/// How long after a refresh token was used another use of it is taken for the same client's: two of its processes, or a
/// lost answer. After that somebody has stolen one of the two, and the session ends (RFC 9700 §4.14.2).
const CLUMSY_MS: i64 = 10_000;

/// The longest token that is looked at.
const MAX_TOKEN: usize = 4_096;

/// Tokens for a client.
#[derive(Debug)]
pub struct Opened {
    /// To show with requests.
    pub access_token: String,
    /// To get the next ones with; good once.
    pub refresh_token: String,
    /// How long the first is good, in seconds.
    pub expires_in_s: i64,
    /// Whose they are: their e-mail address, else their name.
    pub email: String,
}

/// Why there are no new tokens.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// The refresh token is good for nothing, or not any more; why, for the client's log.
    #[error("{0}")]
    InvalidGrant(&'static str),
    /// Something else.
    #[error("{}", .0.message)]
    Problem(#[from] Problem),
}

impl From<crate::store::StoreError> for RefreshError {
    fn from(error: crate::store::StoreError) -> Self {
        Self::Problem(error.into())
    }
}

fn new_refresh_token(app: &App) -> String {
    format!("{REFRESH_TOKEN_PREFIX}{}", *random_token(&*app.rng))
}

/// Opens a session for a user's Claude Code, and ends the transaction with it.
pub(super) async fn open(
    app: &App,
    mut tx: Tx,
    user: &user::Model,
    device: &Device,
) -> Result<Opened, Problem> {
    let now = app.now_ms();
    let expires_at_ms = now.saturating_add(app.terms.client_session_ttl_ms);
    let key_id = KeyId::generate(&*app.clock, &*app.rng);
    // Nobody is told this secret: the key is named by tokens.
    let nobodys = KeySecret::generate(&*app.rng);
    let name = device.session_name();
    let refresh_token = new_refresh_token(app);
    tx.insert_key(virtual_key::Model {
        id: key_id.to_string(),
        digest: nobodys.digest().to_hex(),
        prefix: String::new(),
        name_key: name.to_lowercase(),
        name,
        user_id: Some(user.id.clone()),
        team_id: None,
        state: "active".to_owned(),
        rate_limit_rpm: None,
        expires_at_ms: Some(expires_at_ms),
        created_at_ms: now,
        created_by: Some(user.id.clone()),
        revoked_at_ms: None,
        revoked_by: None,
        kind: "session".to_owned(),
    })
    .await?;
    tx.insert_client_session(client_session::Model {
        key_id: key_id.to_string(),
        user_id: user.id.clone(),
        provider_id: user.provider_id.clone(),
        refresh_digest: KeyDigest::of(&refresh_token).to_hex(),
        device: device.to_json(),
        created_at_ms: now,
        refreshed_at_ms: now,
        expires_at_ms,
    })
    .await?;
    let user_id = UserId::parse(&user.id).map_err(|_| not_found("user", &user.id))?;
    let entry = app.audit_session(&user_id, "client_session.begin", key_id.as_str(), device.address);
    let revision = tx.commit(now, entry).await?;
    tokens(
        app,
        user,
        &user_id,
        key_id,
        (expires_at_ms, revision),
        refresh_token,
    )
    .await
}

async fn tokens(
    app: &App,
    user: &user::Model,
    user_id: &UserId,
    session: KeyId,
    (session_ends_ms, revision): (UnixMs, Revision),
    refresh_token: String,
) -> Result<Opened, Problem> {
    let now = app.now_ms();
    let expires_ms = now.saturating_add(app.terms.token_ttl_ms).min(session_ends_ms);
    let claims = Claims::new(user_id.clone(), session, now, expires_ms, revision.0);
    let signed = keys::signer(app).await?.sign(&claims);
    let access_token = signed.map_err(|_| Problem::new(Code::Internal, "The token cannot be signed."))?;
    Ok(Opened {
        access_token,
        refresh_token,
        expires_in_s: (expires_ms - now).div_euclid(1_000).max(1),
        email: user.email.clone().unwrap_or_else(|| user.username.clone()),
    })
}

/// New tokens for a refresh token, which is then used up.
///
/// # Errors
/// [`RefreshError::InvalidGrant`] if it is not known, used up, or its user or session may not go on.
pub async fn refresh(app: &App, token: &str) -> Result<Opened, RefreshError> {
    if !token.starts_with(REFRESH_TOKEN_PREFIX) || token.len() > MAX_TOKEN {
        return Err(RefreshError::InvalidGrant(
            "this is not a refresh token of this gateway",
        ));
    }
    let now = app.now_ms();
    let tx = app.store.change().await?;
    let found = tx.find_refresh_token(&KeyDigest::of(token).to_hex()).await?;
    let session = match found {
        RefreshToken::Good(session) => *session,
        RefreshToken::Unknown => return Err(RefreshError::InvalidGrant("this session is over")),
        RefreshToken::Spent(key_id, at_ms) => {
            if now - at_ms > CLUMSY_MS {
                stolen(app, tx, key_id).await?;
            }
            return Err(RefreshError::InvalidGrant("this refresh token was used before"));
        }
    };
    let key = tx.find_key(&session.key_id).await?;
    let user = tx.find_user(&session.user_id).await?;
    let open = session.expires_at_ms > now && key.is_some_and(|key| key.state == "active");
    if !open {
        return Err(RefreshError::InvalidGrant("this session is over"));
    }
    let Some(user) = user.filter(|user| user.state == "active") else {
        return Err(RefreshError::InvalidGrant("the account is deactivated"));
    };
    let (ends_ms, id) = (session.expires_at_ms, session.key_id.clone());
    let fresh = new_refresh_token(app);
    tx.rotate_refresh_token(session, KeyDigest::of(&fresh).to_hex(), now)
        .await?;
    // The key is pushed already: nothing about it changes.
    tx.keep().await?;
    let user_id = UserId::parse(&user.id).map_err(|_| not_found("user", &user.id))?;
    let id = KeyId::parse(&id).map_err(|_| not_found("session", &id))?;
    Ok(tokens(app, &user, &user_id, id, (ends_ms, Revision(0)), fresh).await?)
}

/// Ends a session of which a used refresh token was shown.
async fn stolen(app: &App, mut tx: Tx, key_id: String) -> Result<(), Problem> {
    tracing::warn!(
        session = key_id,
        "a refresh token was used twice; its session is ended"
    );
    let owner = end(&mut tx, &Actor::System, &key_id, app.now_ms()).await?;
    let Some(owner) = owner else { return Ok(()) };
    let entry = app.audit_session(&owner, "client_session.replayed", &key_id, None);
    tx.commit(app.now_ms(), entry).await?;
    Ok(())
}

/// Ends one session; whose it was, if it was open.
async fn end(tx: &mut Tx, actor: &Actor, key_id: &str, now: UnixMs) -> Result<Option<UserId>, Problem> {
    let key = tx.find_key(key_id).await?;
    let key = key.filter(|key| key.kind == "session" && key.state == "active");
    tx.delete_client_sessions(&[key_id.to_owned()]).await?;
    let Some(mut key) = key else { return Ok(None) };
    let owner = key.user_id.as_deref().and_then(|id| UserId::parse(id).ok());
    virtual_keys::mark_revoked(&mut key, actor, now);
    tx.update_key(key).await?;
    Ok(owner)
}

/// Ends all sessions of a user's clients; how many those were.
pub(crate) async fn end_all_of(
    tx: &mut Tx,
    actor: &Actor,
    user_id: &str,
    now: UnixMs,
) -> Result<usize, Problem> {
    let keys = tx.list_session_keys_of(user_id).await?;
    let ids: Vec<String> = keys.iter().map(|key| key.id.clone()).collect();
    tx.delete_client_sessions(&ids).await?;
    for mut key in keys {
        virtual_keys::mark_revoked(&mut key, actor, now);
        tx.update_key(key).await?;
    }
    Ok(ids.len())
}

/// A client gives back a token of either kind (RFC 7009): its session ends. A token that is not known is no error.
///
/// # Errors
/// [`Code::Unavailable`] without a database.
pub async fn give_back(app: &App, token: &str) -> Result<(), Problem> {
    if token.len() > MAX_TOKEN {
        return Ok(());
    }
    let mut tx = app.store.change().await?;
    let key_id = if token.starts_with(REFRESH_TOKEN_PREFIX) {
        match tx.find_refresh_token(&KeyDigest::of(token).to_hex()).await? {
            RefreshToken::Good(session) => Some(session.key_id),
            RefreshToken::Spent(..) | RefreshToken::Unknown => None,
        }
    } else {
        // One that has expired may be given back as well.
        read(app, token).await?.map(|claims| claims.session.to_string())
    };
    let Some(key_id) = key_id else { return Ok(()) };
    if let Some(owner) = end(&mut tx, &Actor::System, &key_id, app.now_ms()).await? {
        let entry = app.audit_session(&owner, "client_session.end", &key_id, None);
        tx.commit(app.now_ms(), entry).await?;
    }
    Ok(())
}

/// What a token says, if it was signed here.
async fn read(app: &App, token: &str) -> Result<Option<Claims>, Problem> {
    let Some(key) = key_id(token) else { return Ok(None) };
    let verifier = keys::verifier(app, &key, app.now_ms()).await?;
    Ok(verifier.and_then(|verifier| verifier.verify(token).ok()))
}

/// Whose token it is: the user of an open session. For what the control plane serves to clients.
///
/// # Errors
/// [`Code::Unauthenticated`].
pub(crate) async fn authenticate(app: &App, token: &str) -> Result<user::Model, Problem> {
    Ok(of_token(app, token).await?.1)
}

/// The same, and which session it is.
///
/// # Errors
/// As [`authenticate`].
pub(crate) async fn of_token(app: &App, token: &str) -> Result<(KeyId, user::Model), Problem> {
    let over = |message: &str| Problem::new(Code::Unauthenticated, message).should_retry(false);
    let now = app.now_ms();
    let claims = read(app, token)
        .await?
        .ok_or_else(|| over("This token is not one of this gateway. Run /login to sign in again."))?;
    claims.check_time(now).map_err(|error| match error {
        TokenError::Expired => {
            over("This token has expired and was not renewed. Run /login to sign in again.")
        }
        TokenError::Invalid => over("This token is from the future: check the clock of the gateway."),
    })?;
    let ended = || over("This session has been ended. Run /login to sign in again.");
    app.store
        .find_client_session(claims.session.as_str(), now)
        .await?
        .filter(|session| session.user_id == claims.user_id.as_str())
        .ok_or_else(ended)?;
    let user = app.store.find_user(claims.user_id.as_str()).await?;
    let user = user
        .filter(|user| user.state == "active")
        .ok_or_else(|| over("Your account is deactivated. Ask your administrator."))?;
    Ok((claims.session, user))
}

/// The open sessions of clients, the newest first, and how many there are in all. Members see their own, managers those of
/// their team's members as well.
///
/// # Errors
/// [`Code::Unavailable`] without a database.
pub async fn list(
    app: &App,
    actor: &Actor,
    mut query: ClientSessionQuery,
) -> Result<(Vec<ClientSessionView>, u64), Problem> {
    query.within = authority::keys_within(actor);
    let (rows, total) = app.store.list_client_sessions(&query, app.now_ms()).await?;
    let sessions = rows.iter().map(view).collect::<Result<_, _>>()?;
    Ok((sessions, total))
}

fn view(row: &client_session::Model) -> Result<ClientSessionView, Problem> {
    let device = Device::read(&row.device);
    Ok(ClientSessionView {
        id: KeyId::parse(&row.key_id).map_err(|_| not_found("session", &row.key_id))?,
        user_id: UserId::parse(&row.user_id).map_err(|_| not_found("user", &row.user_id))?,
        client: device.agent,
        address: device.address.map(|address| address.to_string()),
        created_at: Timestamp::from_ms(row.created_at_ms),
        refreshed_at: Timestamp::from_ms(row.refreshed_at_ms),
        expires_at: Timestamp::from_ms(row.expires_at_ms),
    })
}

/// Ends a session of a client: one's own, for managers those of their team's members, and for admins anybody's.
///
/// # Errors
/// [`Code::NotFound`], also for somebody else's.
pub async fn revoke(app: &App, actor: &Actor, id: &KeyId) -> Result<(), Problem> {
    let missing = |conceals| Problem {
        conceals,
        ..not_found("session", id.as_str())
    };
    let mut tx = app.store.change().await?;
    let key = match authority::change_key(&tx, actor, id).await {
        Ok(key) if key.kind == "session" && key.state == "active" => key,
        Ok(_) => return Err(missing(false)),
        Err(problem) if problem.code == Code::NotFound => return Err(missing(problem.conceals)),
        Err(problem) => return Err(problem),
    };
    let now = app.now_ms();
    end(&mut tx, actor, id.as_str(), now).await?;
    let details = Changed::deleted(&json!({"user_id": key.user_id, "name": key.name}));
    let entry = app.audit(
        actor,
        "client_session.revoke",
        ObjectKind::Key,
        id.as_str(),
        details,
    );
    tx.commit(now, entry).await?;
    Ok(())
}

/// Signs somebody out everywhere: the console, the API, and all their clients. Their keys stay.
///
/// # Errors
/// [`Code::NotFound`]; [`Code::Forbidden`] for members about others.
pub async fn sign_out(app: &App, actor: &Actor, id: &UserId) -> Result<usize, Problem> {
    let own = actor.user_id() == Some(id);
    if !own {
        actor.require_all(Permission::Change(Area::Users))?;
    }
    let now = app.now_ms();
    let mut tx = app.store.change().await?;
    let row = tx.find_user(id.as_str()).await?;
    let row = row.ok_or_else(|| not_found("user", id.as_str()))?;
    if !own {
        authority::require_over(actor, authority::person(&row).role)?;
    }
    let sessions = tx.delete_sessions_of(id.as_str()).await?;
    let ended = end_all_of(&mut tx, actor, id.as_str(), now).await?;
    let details = Changed::updated(
        &json!({"sessions": sessions, "client_sessions": ended}),
        &json!({"sessions": 0, "client_sessions": 0}),
    );
    let entry = app.audit(actor, "user.sign_out", ObjectKind::User, id.as_str(), details);
    tx.commit(now, entry).await?;
    Ok(ended)
}

/// How many sessions that are over are put away in one transaction.
const AT_ONCE: u64 = 500;

/// Puts sessions away whose time is over: data planes need not know of them any more.
///
/// # Errors
/// [`Code::Unavailable`] without a database.
pub async fn forget_over(app: &App) -> Result<(), Problem> {
    let now = app.now_ms();
    app.store.delete_expired_client_sessions(now).await?;
    loop {
        let mut tx = app.store.change().await?;
        let over = tx.list_expired_session_keys(now, AT_ONCE).await?;
        let count = over.len() as u64;
        if count == 0 {
            return Ok(());
        }
        for mut key in over {
            virtual_keys::mark_revoked(&mut key, &Actor::System, now);
            tx.update_key(key).await?;
        }
        let details = json!({ "sessions": count });
        let entry = app.audit(
            &Actor::System,
            "client_session.expire",
            ObjectKind::Key,
            "client_sessions",
            details,
        );
        tx.commit(now, entry).await?;
        if count < AT_ONCE {
            return Ok(());
        }
    }
}
