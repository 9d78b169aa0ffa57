//! Virtual keys.

use crate::{Patch, Secret, Timestamp};
use ccag_domain::{KeyId, TeamId, UserId};

/// The body of `POST /admin/keys`.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CreateKey {
    /// A name to know it by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whose use it is; members can only name themselves, which is also the default for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    /// Which team pays; by default the user's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team_id: Option<TeamId>,
    /// Requests per minute; absent means unlimited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit_rpm: Option<u32>,
    /// From when on it is refused; absent means never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// The answer (201) to `POST /admin/keys`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CreatedKey {
    /// The secret (`sk-ccag-…`). It is shown only here.
    pub key: Secret,
    /// The record, with its `id`, `prefix`, `name`, `created_at` and the rest beside `key`.
    #[serde(flatten)]
    pub record: KeyView,
}

/// Whether a key works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum KeyState {
    /// It works, as far as the key itself goes.
    Active,
    /// It was revoked; that cannot be undone.
    Revoked,
    /// Its date has passed.
    Expired,
}

impl KeyState {
    /// The name used in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
        }
    }
}

/// A virtual key as it is shown: never its secret.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct KeyView {
    /// Its id.
    pub id: KeyId,
    /// How the secret begins, to recognise it by.
    pub prefix: String,
    /// Its name; empty if it was given none.
    pub name: String,
    /// Whose use it is.
    pub user_id: Option<UserId>,
    /// Which team pays.
    pub team_id: Option<TeamId>,
    /// Whether it works.
    pub state: KeyState,
    /// The same as `state` being `active`.
    pub is_active: bool,
    /// Requests per minute; `null` is unlimited.
    pub rate_limit_rpm: Option<u32>,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is refused; `null` is never.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// The query of `GET /admin/keys`. Members see their own keys only.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ListKeys {
    /// Only keys with exactly this name, whatever the case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Only this user's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    /// Only this team's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team_id: Option<TeamId>,
    /// Only keys in this state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<KeyState>,
    /// Only keys with this in their name or in the beginning of their secret, whatever the case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<String>,
    /// How many at most: 1 to 1000, by default 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// The `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// The answer to `GET /admin/keys`, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct KeyList {
    /// The keys of this page.
    pub keys: Vec<KeyView>,
    /// Asks for the next page; `null` on the last.
    pub next_cursor: Option<String>,
}

/// The body of `PATCH /admin/keys/{id}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct UpdateKey {
    /// A new name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Another owner, or none.
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    pub user_id: Patch<UserId>,
    /// Another team, or none.
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    pub team_id: Patch<TeamId>,
    /// Another rate limit, or none.
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    pub rate_limit_rpm: Patch<u32>,
    /// Another expiry, or none.
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    pub expires_at: Patch<Timestamp>,
}
