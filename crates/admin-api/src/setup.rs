//! Setting up Claude Code on people's machines.

use crate::{Secret, Timestamp};
use ccag_domain::KeyId;

/// How Claude Code connects to the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ConnectMode {
    /// With an API key of the gateway, in `ANTHROPIC_AUTH_TOKEN`.
    Key,
    /// With a helper that signs in through the browser and renews its token.
    Sso,
    /// With Claude Code's own `/login`.
    Login,
    /// With an API key, in Claude Code's gateway mode (`CLAUDE_CODE_USE_GATEWAY`).
    Gateway,
}

impl ConnectMode {
    /// All of them, in the order in which they are offered.
    pub const ALL: [Self; 4] = [Self::Sso, Self::Login, Self::Key, Self::Gateway];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Sso => "sso",
            Self::Login => "login",
            Self::Gateway => "gateway",
        }
    }

    /// The mode with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == name)
    }
}

/// The body of `PUT /admin/setup`, and the answer to it and to `GET`: what the setup script does unless it is told otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SetupSettings {
    /// How Claude Code connects; absent: through the browser if there is an identity provider, otherwise with a key.
    #[serde(default)]
    pub mode: Option<ConnectMode>,
    /// Whether Claude Code is told to keep prompts cached for an hour, which costs more to write and less to come back to.
    #[serde(default)]
    pub one_hour_cache: bool,
    /// Whether Claude Code is told to offer the gateway's list of models.
    #[serde(default)]
    pub model_discovery: bool,
}

/// The body of `POST /admin/keys/{id}/setup-token`.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CreateSetupToken {
    /// For how long it is good, in minutes: 15 by default, and seven days at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minutes: Option<u32>,
}

/// The answer to `POST /admin/keys/{id}/setup-token`: the only one that holds the token.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CreatedSetupToken {
    /// The token. Whoever shows it first gets a new secret for the key; the secret that the key has now is no longer good then.
    pub token: Secret,
    /// The key that it is for.
    pub key_id: KeyId,
    /// Until when it is good.
    pub expires_at: Timestamp,
    /// For how many seconds.
    pub expires_in_s: u32,
}
