//! The way to an endpoint.

use crate::Secret;

/// An HTTP proxy that everything of an endpoint goes through. A user without a password keeps the one that is stored.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ProxySpec {
    /// Its URL, `http` or `https`, without a user and a password: `http://proxy.example:3128`.
    pub url: String,
    /// Who asks, where it wants to know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The user's password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
}

/// What is told of a proxy. Its password is never shown again.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ProxyView {
    /// Its URL.
    pub url: String,
    /// Who asks.
    pub user: Option<String>,
}
