//! Users.

use crate::{Patch, Secret, Timestamp};
use ccag_domain::{AccountState, ProviderId, Role, TeamId, UserId, UserKind};

/// The body of `POST /admin/users`. At least one of `username` and `email` has to be there.
#[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CreateUser {
    /// The name to sign in with; by default the e-mail address. No other user may have it, whatever the case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Their e-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Their name, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Whether it is a person, which is the default, or a `service` account: a program, which cannot sign in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<UserKind>,
    /// What they may do; by default `member`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Their team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team_id: Option<TeamId>,
    /// Their password; without one they cannot sign in by password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UserView {
    /// Their id.
    pub id: UserId,
    /// The name they sign in with.
    pub username: String,
    /// Their e-mail address.
    pub email: Option<String>,
    /// Their name, for people.
    pub display_name: Option<String>,
    /// Whether it is a person or a program.
    #[serde(default)]
    pub kind: UserKind,
    /// What they may do.
    pub role: Role,
    /// Whether they may sign in and their keys work.
    pub state: AccountState,
    /// Their team.
    pub team_id: Option<TeamId>,
    /// The identity provider that they come from; `null` for a user of the gateway's own.
    #[serde(default)]
    pub provider_id: Option<ProviderId>,
    /// Their groups there.
    #[serde(default)]
    pub groups: Vec<String>,
    /// When they were added.
    pub created_at: Timestamp,
}

/// The query of `GET /admin/users`.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ListUsers {
    /// Only the user with exactly this user name, whatever the case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Only this team's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team_id: Option<TeamId>,
    /// Only people, or only service accounts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<UserKind>,
    /// Only users with this role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Only users in this state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<AccountState>,
    /// Only users with this in their user name, address or display name, whatever the case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<String>,
    /// How many at most: 1 to 1000, by default 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// The `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// The answer to `GET /admin/users` and `GET /admin/teams/{id}/members`, by user name.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UserList {
    /// The users of this page.
    pub users: Vec<UserView>,
    /// Asks for the next page; `null` on the last.
    pub next_cursor: Option<String>,
}

/// The body of `PATCH /admin/users/{id}`, and of `PUT`, which means the same here.
#[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct UpdateUser {
    /// Another e-mail address, or none.
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    pub email: Patch<String>,
    /// Another name, or none.
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    pub display_name: Patch<String>,
    /// What they may do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Another team, or none.
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    pub team_id: Patch<TeamId>,
    /// Another password, or none: then they cannot sign in by password. Their sessions end either way.
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    pub password: Patch<Secret>,
}

/// The body of `PUT /admin/users/{id}/team`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SetTeam {
    /// The team, or `null` for none.
    #[serde(deserialize_with = "Option::deserialize")]
    pub team_id: Option<TeamId>,
}
