//! With what an endpoint is called.

use crate::{Secret, Timestamp};
use ccag_domain::CredentialKind;

/// Credentials of an endpoint's own. A kind without its secrets keeps those that are stored.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CredentialSpec {
    /// Which kind.
    pub kind: CredentialKind,
    /// Of `keys`: the access key id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_key_id: Option<Secret>,
    /// Of `keys`: the secret access key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_access_key: Option<Secret>,
    /// Of `keys` that are temporary: the session token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_token: Option<Secret>,
    /// Of `profile`: its name in the AWS configuration files of every data plane, and of the control plane.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Of `api_key`: the Amazon Bedrock API key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key: Option<Secret>,
}

/// What is told of an endpoint's credentials. Secrets are never shown again.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CredentialView {
    /// Which kind.
    pub kind: CredentialKind,
    /// The last four characters of the access key id.
    pub access_key_id_ends: Option<String>,
    /// The profile's name.
    pub profile: Option<String>,
    /// When the secrets were set.
    pub set_at: Option<Timestamp>,
}
