//! The addresses of one user and of one team.

use super::{TEAMS, USERS, encode};

/// A user's own page, and the form target that changes them.
#[must_use]
pub fn user(id: &str) -> String {
    format!("{USERS}/{}", encode(id))
}

/// The form target that signs a user out everywhere.
#[must_use]
pub fn sign_out_user(id: &str) -> String {
    format!("{}/sign-out", user(id))
}

/// The form target that makes a token of a service account.
#[must_use]
pub fn user_tokens(id: &str) -> String {
    format!("{}/tokens", user(id))
}

/// The form target that revokes one.
#[must_use]
pub fn revoke_user_token(id: &str) -> String {
    format!("{}/tokens/revoke", user(id))
}

/// The page that asks before a user is deleted, and the form target that does it.
#[must_use]
pub fn delete_user(id: &str) -> String {
    format!("{}/delete", user(id))
}

/// A team's own page, and the form target that renames it.
#[must_use]
pub fn team(id: &str) -> String {
    format!("{TEAMS}/{}", encode(id))
}

/// The form target that takes somebody into a team.
#[must_use]
pub fn team_members(id: &str) -> String {
    format!("{}/members", team(id))
}

/// The form target that takes somebody out of it.
#[must_use]
pub fn remove_team_member(id: &str) -> String {
    format!("{}/members/remove", team(id))
}

/// The page that asks before a team is deleted, and the form target that does it.
#[must_use]
pub fn delete_team(id: &str) -> String {
    format!("{}/delete", team(id))
}
