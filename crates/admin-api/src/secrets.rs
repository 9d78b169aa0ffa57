//! Secrets at rest, and the master keys that they are kept under.

use std::collections::BTreeMap;

/// The answer to `GET /admin/secrets`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SecretsView {
    /// The master keys that the control plane which answered knows, the current one first.
    pub keys: Vec<MasterKeyView>,
    /// The kinds of secrets, with how many there are of each.
    pub kinds: Vec<SealedKindView>,
    /// How many secrets are not kept under the current key, and can be brought there.
    pub to_reseal: u64,
    /// How many secrets no known key opens.
    pub unreadable: u64,
    /// The first of those.
    pub unreadable_secrets: Vec<UnreadableSecret>,
}

/// A master key.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MasterKeyView {
    /// Its id: eight hexadecimal digits that say nothing of the key.
    pub id: String,
    /// Whether everything new is kept under it.
    pub current: bool,
    /// How many secrets are kept under it.
    pub secrets: u64,
}

/// The secrets of one kind.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SealedKindView {
    /// `endpoint_credentials`, `proxy_passwords`, `provider_secrets`, `search_service_keys`, `search_result_key`, `signing_keys`, `sign_ins`,
    /// `destination_secrets`, `destination_draft_secrets` or `answers`.
    pub kind: String,
    /// How many there are under each known key, by its id.
    pub under: BTreeMap<String, u64>,
    /// How many no known key opens.
    pub unreadable: u64,
}

/// A secret that no known key opens.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UnreadableSecret {
    /// Its kind.
    pub kind: String,
    /// Whose it is: the id of the endpoint, for example.
    pub id: String,
    /// The id of the key that would open it, as far as the secret says.
    pub key: Option<String>,
}

/// The answer to `POST /admin/secrets/reseal`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ResealReport {
    /// The id of the key that everything is kept under now.
    pub key: String,
    /// How many secrets were brought there, by their kind.
    pub resealed: BTreeMap<String, u64>,
    /// How many were not, since no known key opens them.
    pub unreadable: u64,
}
