//! Teams and their members.

use crate::{GuardrailSpec, Patch, RoutingSpec, Timestamp};
use ccag_domain::{AccountState, TeamId, UserId};

/// The body of `POST /admin/teams`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CreateTeam {
    /// Its name; no other team may have it, whatever the case.
    pub name: String,
}

/// A team.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TeamView {
    /// Its id.
    pub id: TeamId,
    /// Its name.
    pub name: String,
    /// Whether its keys work.
    pub state: AccountState,
    /// How many users belong to it.
    pub member_count: u64,
    /// What its requests must pass, whichever endpoint they go through; it wins over the endpoint's own.
    #[serde(default)]
    pub guardrail: Option<GuardrailSpec>,
    /// What it says about the routes of its requests.
    #[serde(default)]
    pub routing: RoutingSpec,
    /// When it was made.
    pub created_at: Timestamp,
}

/// The query of `GET /admin/teams`.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ListTeams {
    /// Only the team with exactly this name, whatever the case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Only teams with this in their name, whatever the case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<String>,
    /// How many at most: 1 to 1000, by default 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// The `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// The answer to `GET /admin/teams`, by name.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TeamList {
    /// The teams of this page.
    pub teams: Vec<TeamView>,
    /// Asks for the next page; `null` on the last.
    pub next_cursor: Option<String>,
}

/// The body of `PATCH /admin/teams/{id}`; an absent field is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct UpdateTeam {
    /// A new name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether its keys work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<AccountState>,
    /// What its requests must pass; `null` takes it away.
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    pub guardrail: Patch<GuardrailSpec>,
}

/// The query of `GET /admin/teams/{id}/members`.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ListMembers {
    /// How many at most: 1 to 1000, by default 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// The `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// The body of `POST /admin/teams/{id}/members`: puts a user into the team, out of whichever they were in.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AddMember {
    /// The user.
    pub user_id: UserId,
}
