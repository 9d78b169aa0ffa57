//! Sessions of clients: Claude Code on somebody's machine, let in by `/login`.

use crate::Timestamp;
use ccag_domain::{KeyId, UserId};

/// The session of a client.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ClientSessionView {
    /// Its id: that of the key that stands for it, in the ledger and everywhere else.
    pub id: KeyId,
    /// Whose it is.
    pub user_id: UserId,
    /// What the client calls itself.
    pub client: Option<String>,
    /// Where it signed in from.
    pub address: Option<String>,
    /// When it signed in.
    pub created_at: Timestamp,
    /// When it last got a new token.
    pub refreshed_at: Timestamp,
    /// When it has to sign in again.
    pub expires_at: Timestamp,
}

/// The answer to `GET /admin/client-sessions`, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ClientSessionList {
    /// The sessions of this page.
    pub sessions: Vec<ClientSessionView>,
    /// Asks for the next page; `null` on the last.
    pub next_cursor: Option<String>,
}

/// The query of `GET /admin/client-sessions`.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ListClientSessions {
    /// Only this user's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    /// How many at most: 1 to 1000, by default 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// The `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// The answer to `POST /admin/users/{id}/sign-out`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SignedOut {
    /// How many clients were signed out.
    pub client_sessions: u64,
}
