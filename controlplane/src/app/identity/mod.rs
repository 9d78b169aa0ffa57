//! Single sign-on: providers of identities, and who their users are here.
//!
//! A person is who a provider says under one subject (OpenID Connect Core 1.0 §5.7): two providers that say the same e-mail
//! address speak of two people. What a provider issues to us, we read once and keep nothing of.

pub(crate) mod check;
mod checks;
mod claims;
pub(crate) mod groups;
mod known;
mod people;
pub mod providers;
pub mod sign_in;

pub(crate) use known::Known;

use crate::secrets::{Secrets, name};
use crate::store::StoreError;
use crate::store::entity::identity_provider;
use crate::store::rows::read;
use ccag_admin_api::{ProviderRules, Secret};
use ccag_domain::ProviderId;

/// A provider, ready to be asked.
#[derive(Debug, Clone)]
pub(crate) struct Provider {
    pub(crate) id: ProviderId,
    pub(crate) name: String,
    pub(crate) issuer: String,
    pub(crate) client_id: String,
    pub(crate) client_secret: Option<Secret>,
    pub(crate) rules: ProviderRules,
    pub(crate) updated_at_ms: i64,
}

impl Provider {
    /// From its row. A secret that cannot be opened makes the row unreadable: without it nobody could sign in anyway.
    pub(crate) fn read(secrets: &Secrets, row: &identity_provider::Model) -> Result<Self, StoreError> {
        const T: &str = "identity_providers";
        let client_secret = row
            .client_secret
            .as_deref()
            .map(|sealed| {
                let opened = secrets.open(&name::provider(&row.id), sealed);
                let text = opened.and_then(|bytes| String::from_utf8(bytes.to_vec()).ok());
                read(T, "client_secret", text.map(Secret::new))
            })
            .transpose()?;
        Ok(Self {
            id: read(T, "id", ProviderId::parse(&row.id).ok())?,
            name: row.name.clone(),
            issuer: row.issuer.clone(),
            client_id: row.client_id.clone(),
            client_secret,
            rules: rules(row)?,
            updated_at_ms: row.updated_at_ms,
        })
    }
}

/// What a provider's users are to us.
pub(crate) fn rules(row: &identity_provider::Model) -> Result<ProviderRules, StoreError> {
    read(
        "identity_providers",
        "settings",
        serde_json::from_str(&row.settings).ok(),
    )
}
