//! What tokens of clients are signed with.
//!
//! Data planes verify with public keys that are pushed to them, so a new key has to be known there before anything is signed
//! with it: for its first minute the one before it goes on signing, and that one is kept until its last token is over.

use crate::app::{App, Changed};
use crate::secrets::name;
use crate::store::Tx;
use crate::store::entity::signing_key;
use ccag_domain::ids::ulid;
use ccag_domain::{Actor, Area, Code, ObjectKind, Permission, Problem, SealKey, UnixMs};
use ccag_session_token::{CLOCK_SKEW_MS, KEY_BYTES, Signer, Verifier};
use serde_json::json;

/// How long a key is only known, and signs nothing.
const LEAD_MS: i64 = 60_000;

/// After what time another key takes over.
const ROTATE_AFTER_MS: i64 = 30 * ccag_domain::time::DAY_MS;

/// Makes the first key, or the next one when the time has come, and forgets those of which no token can be good any more. Once,
/// however many control planes there are.
///
/// # Errors
/// [`Code::Unavailable`] without a database.
pub(crate) async fn keep(app: &App) -> Result<(), Problem> {
    let now = app.now_ms();
    let due = |rows: &[signing_key::Model]| {
        let newest = rows
            .iter()
            .filter(|row| row.retired_at_ms.is_none())
            .map(|row| row.created_at_ms)
            .max();
        let over = rows
            .iter()
            .any(|row| row.expires_at_ms.is_some_and(|at| at < now));
        (newest.is_none_or(|at| now - at >= ROTATE_AFTER_MS), over)
    };
    if due(&app.store.list_signing_keys().await?) == (false, false) {
        return Ok(());
    }
    let mut tx = app.store.change().await?;
    tx.serialize().await?;
    let (old, over) = due(&tx.list_signing_keys().await?);
    if over {
        tx.delete_expired_signing_keys(now).await?;
    }
    let made = if old { Some(add(app, &mut tx).await?) } else { None };
    if made.is_none() && !over {
        return Ok(());
    }
    let details = json!({ "made": made, "expired_removed": over });
    let entry = app.audit(
        &Actor::System,
        "signing_key.rotate",
        ObjectKind::SigningKey,
        "signing_keys",
        details,
    );
    tx.commit(now, entry).await?;
    Ok(())
}

/// Lets another key take over now. Tokens of the old one stay good until they are over.
///
/// # Errors
/// [`Code::Forbidden`] for members.
pub async fn rotate(app: &App, actor: &Actor) -> Result<(), Problem> {
    actor.require_all(Permission::Change(Area::SignOn))?;
    let mut tx = app.store.change().await?;
    tx.serialize().await?;
    let made = add(app, &mut tx).await?;
    let entry = app.audit(
        actor,
        "signing_key.rotate",
        ObjectKind::SigningKey,
        &made,
        Changed::created(&json!({ "id": made })),
    );
    tx.commit(app.now_ms(), entry).await?;
    Ok(())
}

async fn add(app: &App, tx: &mut Tx) -> Result<String, Problem> {
    let now = app.now_ms();
    let last_token_ms = now + LEAD_MS + app.terms.token_ttl_ms + 2 * CLOCK_SKEW_MS;
    tx.retire_signing_keys(now, last_token_ms).await?;
    let id = format!("sig_{}", ulid(&*app.clock, &*app.rng));
    let seed = SealKey::generate(&*app.rng);
    let signer = Signer::from_seed(&id, seed.reveal()).map_err(|_| broken())?;
    tx.insert_signing_key(signing_key::Model {
        public_key: hex::encode(signer.public()),
        private_key: app.store.secrets().seal(&name::signing_key(&id), seed.reveal()),
        id: id.clone(),
        created_at_ms: now,
        retired_at_ms: None,
        expires_at_ms: None,
    })
    .await?;
    Ok(id)
}

/// The key to sign with now: the newest, if data planes must know it by now; else the one before it, if there is one.
pub(super) async fn signer(app: &App) -> Result<Signer, Problem> {
    let now = app.now_ms();
    let mut rows = app.store.list_signing_keys().await?;
    rows.retain(|row| row.expires_at_ms.is_none_or(|at| at > now));
    let newest = |row: &&signing_key::Model| row.retired_at_ms.is_none();
    let row = rows
        .iter()
        .find(|row| newest(row) && row.created_at_ms <= now - LEAD_MS)
        .or_else(|| rows.iter().find(|row| !newest(row)))
        .or_else(|| rows.first())
        .ok_or_else(broken)?;
    let seed = app
        .store
        .secrets()
        .open(&name::signing_key(&row.id), &row.private_key);
    let seed = seed.and_then(|bytes| <[u8; KEY_BYTES]>::try_from(bytes.as_slice()).ok());
    Signer::from_seed(&row.id, &seed.ok_or_else(broken)?).map_err(|_| broken())
}

/// What verifies a token that names a key.
pub(super) async fn verifier(app: &App, id: &str, now: UnixMs) -> Result<Option<Verifier>, Problem> {
    let rows = app.store.list_signing_keys().await?;
    let row = rows
        .into_iter()
        .find(|row| row.id == id && row.expires_at_ms.is_none_or(|at| at > now));
    let public = row.and_then(|row| hex::decode(&row.public_key).ok());
    let public = public.and_then(|bytes| <[u8; KEY_BYTES]>::try_from(bytes).ok());
    Ok(public.map(|public| Verifier::new(&public)))
}

fn broken() -> Problem {
    tracing::error!(
        "there is no key to sign tokens with, or it cannot be opened: was the master key changed?"
    );
    Problem::new(
        Code::Internal,
        "Tokens cannot be signed at the moment. The log has the details under this request's id.",
    )
}
