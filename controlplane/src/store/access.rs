//! With what endpoints are called: JSON in a column, and what is secret of it, sealed, in another.

use super::StoreError;
use super::entity::endpoint;
use super::network;
use super::rows::read;
use crate::secrets::{Secrets, name};
use ccag_admin_api::Secret;
use ccag_domain::{
    Access, AccessKeys, CredentialKind, CredentialSource, ServiceSecret, ServiceTier, SessionTags, UnixMs,
};
use std::sync::Arc;
use zeroize::Zeroizing;

/// What is not secret.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub(crate) struct OpenAccess {
    /// The kind of the credentials.
    pub(crate) kind: CredentialKind,
    /// The name of a profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) profile: Option<String>,
    /// The last characters of an access key id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) access_key_id_ends: Option<String>,
    /// When the secrets were set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) set_at_ms: Option<UnixMs>,
    pub(crate) session_tags: SessionTags,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) service_tier: Option<ServiceTier>,
    pub(crate) request_metadata: bool,
}

/// What is.
#[derive(Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
struct SecretAccess {
    #[serde(skip_serializing_if = "Option::is_none")]
    access_key_id: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_access_key: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_token: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    api_key: Option<Secret>,
}

/// What stands open in a row. One that cannot be read makes the whole row unreadable: other credentials are never used instead.
pub(crate) fn open(row: &endpoint::Model) -> Result<OpenAccess, StoreError> {
    match row.access.as_deref() {
        None => Ok(OpenAccess::default()),
        Some(text) => read("endpoints", "access", serde_json::from_str(text).ok()),
    }
}

/// The credentials of a row, without secrets.
pub(crate) fn sealed(open: &OpenAccess) -> Result<CredentialSource, StoreError> {
    Ok(match open.kind {
        CredentialKind::Process => CredentialSource::Process,
        CredentialKind::Keys => CredentialSource::Keys(None),
        CredentialKind::Profile => {
            CredentialSource::Profile(read("endpoints", "access.profile", open.profile.clone())?)
        }
        CredentialKind::ApiKey => CredentialSource::ApiKey(None),
    })
}

/// How a row is called, without secrets.
pub(crate) fn without_secrets(row: &endpoint::Model) -> Result<Access, StoreError> {
    let open = open(row)?;
    Ok(Access {
        credentials: sealed(&open)?,
        session_tags: open.session_tags,
        service_tier: open.service_tier,
        request_metadata: open.request_metadata,
        network: network::without_secrets(row)?,
    })
}

/// How a row is called. Secrets that cannot be opened are missing: the endpoint has no credentials then.
pub(super) fn with_secrets(secrets: &Secrets, row: &endpoint::Model) -> Result<Arc<Access>, StoreError> {
    let mut access = without_secrets(row)?;
    network::add_secrets(secrets, row, &mut access.network);
    let opened = row
        .access_secrets
        .as_ref()
        .and_then(|sealed| secrets.open(&name::endpoint(&row.id), sealed))
        .and_then(|bytes| serde_json::from_slice::<SecretAccess>(&bytes).ok())
        .unwrap_or_default();
    let secret = |text: Secret| ServiceSecret::new(text.reveal());
    match &mut access.credentials {
        CredentialSource::Keys(keys) => {
            *keys = opened
                .access_key_id
                .zip(opened.secret_access_key)
                .map(|(id, key)| AccessKeys {
                    id: secret(id),
                    secret: secret(key),
                    session_token: opened.session_token.map(secret),
                });
        }
        CredentialSource::ApiKey(key) => *key = opened.api_key.map(secret),
        CredentialSource::Process | CredentialSource::Profile(_) => {}
    }
    Ok(Arc::new(access))
}

/// Writes credentials that were entered now into a row.
pub(crate) fn put_credentials(
    secrets: &Secrets,
    row: &mut endpoint::Model,
    open: &mut OpenAccess,
    source: &CredentialSource,
    now_ms: UnixMs,
) {
    let text = |secret: &ServiceSecret| Secret::new(secret.reveal());
    let mut hidden = SecretAccess::default();
    *open = OpenAccess {
        kind: source.kind(),
        profile: None,
        access_key_id_ends: None,
        set_at_ms: None,
        ..*open
    };
    match source {
        CredentialSource::Process | CredentialSource::Keys(None) | CredentialSource::ApiKey(None) => {}
        CredentialSource::Profile(name) => open.profile = Some(name.clone()),
        CredentialSource::Keys(Some(keys)) => {
            let id = keys.id.reveal();
            let ends = id.char_indices().rev().nth(3).map_or(0, |(at, _)| at);
            open.access_key_id_ends = Some(id[ends..].to_owned());
            open.set_at_ms = Some(now_ms);
            hidden.access_key_id = Some(text(&keys.id));
            hidden.secret_access_key = Some(text(&keys.secret));
            hidden.session_token = keys.session_token.as_ref().map(text);
        }
        CredentialSource::ApiKey(Some(key)) => {
            open.set_at_ms = Some(now_ms);
            hidden.api_key = Some(text(key));
        }
    }
    row.access_secrets = open
        .set_at_ms
        .and_then(|_| serde_json::to_vec(&hidden).ok().map(Zeroizing::new))
        .map(|bytes| secrets.seal(&name::endpoint(&row.id), &bytes));
}

/// Writes what stands open into a row.
pub(crate) fn put(row: &mut endpoint::Model, open: &OpenAccess) {
    row.access = serde_json::to_string(open)
        .ok()
        .filter(|_| *open != OpenAccess::default());
}
