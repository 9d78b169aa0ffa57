//! SCIM: how providers manage their users here.

use crate::{Secret, Timestamp};
use ccag_domain::{ProviderId, UserId};

/// The body of `POST /admin/idps/{id}/scim-tokens`.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CreateScimToken {
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// From when on it is refused; by default never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// A token that a provider manages its users with.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ScimTokenView {
    /// Its id.
    pub id: String,
    /// The provider whose users it manages.
    pub idp_id: ProviderId,
    /// What people call it.
    pub name: String,
    /// How it begins.
    pub token_prefix: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who has made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_by: Option<UserId>,
    /// From when on it is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<Timestamp>,
}

/// The answer to `POST /admin/idps/{id}/scim-tokens`, which alone shows the token.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CreatedScimToken {
    /// The token.
    pub token: Secret,
    /// What else is known of it.
    #[serde(flatten)]
    pub record: ScimTokenView,
}

/// The answer to `GET /admin/idps/{id}/scim-tokens`, the oldest first.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ScimTokenList {
    /// All of them.
    pub tokens: Vec<ScimTokenView>,
}

/// The body of `PUT /admin/idps/{id}/scim`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct EnableScim {
    /// Whether the provider manages its users through SCIM.
    pub enabled: bool,
}

/// The answer to `GET` and `PUT /admin/idps/{id}/scim`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ScimStatus {
    /// Whether the provider manages its users through SCIM.
    pub enabled: bool,
    /// What the provider has to be told to send its requests to.
    pub base_url: String,
    /// How many users it manages.
    pub users: u64,
    /// How many groups it manages.
    pub groups: u64,
    /// How many tokens it may use.
    pub tokens: u64,
    /// When one was last used, to a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_request_at: Option<Timestamp>,
}

/// The body of `PUT /admin/idps/{id}/scim-admin-groups`, and the answer to it and to `GET`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ScimAdminGroups {
    /// The names of the groups whose members are admins, whatever the case.
    pub groups: Vec<String>,
}
