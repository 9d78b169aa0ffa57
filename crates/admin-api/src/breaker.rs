//! Sessions that run away: what they may do within a minute, and those that are paused.

use crate::{Timestamp, Usd};
use ccag_domain::{KeyId, PauseId, TeamId, UserId};

/// The body of `PUT /admin/settings/session-breaker` and `PUT /admin/teams/{id}/session-breaker`: all of it; what is left
/// out has no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SetSessionBreaker {
    /// What the requests of a session that end within a minute may cost together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usd_per_minute: Option<Usd>,
    /// How many agents of a session, the main one included, may work within a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agents_per_minute: Option<u32>,
}

/// Whose word a team's sessions go by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum BreakerSource {
    /// The team's own.
    Team,
    /// The organisation's.
    Organisation,
    /// Nobody's: nothing is limited.
    None,
}

/// What a session may do within a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SessionBreakerView {
    /// Dollars; `null` without a limit.
    pub usd_per_minute: Option<Usd>,
    /// Agents; `null` without a limit.
    pub agents_per_minute: Option<u32>,
    /// Where this comes from.
    pub source: BreakerSource,
}

/// Which pauses to list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum PauseState {
    /// Those that hold.
    #[default]
    Paused,
    /// Those that are over.
    Resumed,
    /// All that are remembered.
    All,
}

/// The query of `GET /admin/paused-sessions`.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ListPausedSessions {
    /// By default those that hold.
    #[serde(default)]
    pub state: PauseState,
    /// Only this user's; members see their own anyway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    /// Only those of a team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team_id: Option<TeamId>,
    /// How many at most: 1 to 1000, by default 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// The `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// The answer to `GET /admin/paused-sessions`, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PausedSessionList {
    /// The pauses of this page.
    pub paused_sessions: Vec<PausedSessionView>,
    /// How many there are on all pages.
    pub total: u64,
    /// Asks for the next page; `null` on the last.
    pub next_cursor: Option<String>,
}

/// What went too far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum PauseKind {
    /// Money.
    Spend,
    /// Agents.
    Agents,
}

/// A session that is or was paused.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PausedSessionView {
    /// The id of the pause.
    pub id: PauseId,
    /// The session, as Claude Code names it.
    pub session_id: String,
    /// Whose session it is; `null` for one of a key that belongs to nobody.
    pub user_id: Option<UserId>,
    /// The key that was shown last.
    pub key_id: KeyId,
    /// The team that pays.
    pub team_id: Option<TeamId>,
    /// The name of the user, or of the key.
    pub owner: String,
    /// What went too far.
    pub reason: PauseKind,
    /// With `spend`: what the requests of a minute cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured_usd: Option<Usd>,
    /// With `spend`: what they may cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_usd: Option<Usd>,
    /// With `agents`: how many worked within a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured_agents: Option<u32>,
    /// With `agents`: how many may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_agents: Option<u32>,
    /// The same in words.
    pub message: String,
    /// Since when.
    pub paused_at: Timestamp,
    /// Until when; `null` while it is paused.
    pub resumed_at: Option<Timestamp>,
    /// The user who resumed it.
    pub resumed_by: Option<UserId>,
}
