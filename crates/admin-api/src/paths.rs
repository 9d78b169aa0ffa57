//! Where things are. The constants are route templates, the functions fill them in.

use ccag_domain::{KeyId, RuleId, SearchKind, TeamId, UserId};

/// `POST`: sign in.
pub const LOGIN: &str = "/auth/login";
/// `POST`: end the session; 204.
pub const LOGOUT: &str = "/auth/logout";
/// `GET`: who is asking.
pub const ME: &str = "/auth/me";

/// `GET`: list, `POST`: create.
pub const KEYS: &str = "/admin/keys";
/// `GET`, `PATCH`, `DELETE` (204).
pub const KEY: &str = "/admin/keys/{id}";
/// `POST`: revoke; answers with the key. Revoking a revoked key changes nothing.
pub const KEY_REVOKE: &str = "/admin/keys/{id}/revoke";

/// `GET`: list, `POST`: create.
pub const TEAMS: &str = "/admin/teams";
/// `GET`, `PATCH`, `DELETE` (204; 409 while users or keys belong to it).
pub const TEAM: &str = "/admin/teams/{id}";
/// `GET`: all members, on one page; `POST`: add one (204).
pub const TEAM_MEMBERS: &str = "/admin/teams/{id}/members";
/// `DELETE`: take a user out of the team; 204.
pub const TEAM_MEMBER: &str = "/admin/teams/{id}/members/{user_id}";

/// `GET`: list, `POST`: create.
pub const USERS: &str = "/admin/users";
/// `GET`, `PATCH`, `PUT` (the same), `DELETE` (204).
pub const USER: &str = "/admin/users/{id}";
/// `PUT`: give a user a team, or none; answers with the user.
pub const USER_TEAM: &str = "/admin/users/{id}/team";
/// `POST`: refuse a user everywhere; answers with the user.
pub const USER_SUSPEND: &str = "/admin/users/{id}/suspend";
/// `POST`: let a suspended user in again; answers with the user.
pub const USER_ACTIVATE: &str = "/admin/users/{id}/activate";

/// `GET`: sums.
pub const USAGE_SUMMARY: &str = "/admin/usage/summary";
/// `GET`: the ledger.
pub const USAGE_EXPORT: &str = "/admin/usage/export";

/// `GET`, `PUT`: the rules of web search.
pub const WEB_SEARCH: &str = "/admin/websearch-mode";
/// `POST`: try the service for everybody.
pub const WEB_SEARCH_TEST: &str = "/admin/websearch-mode/test";
/// `GET`: one's own search services, `PUT`: add or change one, and use it.
pub const SEARCH_PROVIDERS: &str = "/admin/search-providers";
/// `POST`: use another of one's own; answers with the list.
pub const SEARCH_PROVIDER_ACTIVATE: &str = "/admin/search-providers/activate";
/// `POST`: try one of one's own.
pub const SEARCH_PROVIDER_TEST: &str = "/admin/search-providers/test";
/// `DELETE`: forget one of one's own; 204.
pub const SEARCH_PROVIDER: &str = "/admin/search-providers/{kind}";

/// `GET`: the data planes.
pub const FLEET: &str = "/admin/fleet";
/// `GET`: the gateway as a whole.
pub const STATUS: &str = "/admin/status";
/// `GET`: the models.
pub const MODELS: &str = "/admin/models";
/// `GET`: the prices.
pub const PRICING: &str = "/admin/pricing";

/// `GET`: what Bedrock takes, what was learnt and what clients send.
pub const CAPABILITIES: &str = "/admin/capabilities";
/// `GET`: the rules of a surface that are in force, whole; `?version=` gives another version.
pub const CAPABILITY_BOOK: &str = "/admin/capabilities/books/{surface}";
/// `POST`: add a rule.
pub const CAPABILITY_RULES: &str = "/admin/capabilities/rules";
/// `PUT`: replace a rule, `DELETE`: take it away (204).
pub const CAPABILITY_RULE: &str = "/admin/capabilities/rules/{id}";
/// `DELETE`: forget something that was learnt (204); it is tried again.
pub const LEARNT_FACT: &str = "/admin/capabilities/learnt/{id}";

/// One key.
#[must_use]
pub fn key(id: &KeyId) -> String {
    fill(KEY, "{id}", id.as_str())
}

/// Revokes a key.
#[must_use]
pub fn key_revoke(id: &KeyId) -> String {
    fill(KEY_REVOKE, "{id}", id.as_str())
}

/// One team.
#[must_use]
pub fn team(id: &TeamId) -> String {
    fill(TEAM, "{id}", id.as_str())
}

/// A team's members.
#[must_use]
pub fn team_members(id: &TeamId) -> String {
    fill(TEAM_MEMBERS, "{id}", id.as_str())
}

/// One member of a team.
#[must_use]
pub fn team_member(id: &TeamId, user: &UserId) -> String {
    fill(
        &fill(TEAM_MEMBER, "{id}", id.as_str()),
        "{user_id}",
        user.as_str(),
    )
}

/// One user.
#[must_use]
pub fn user(id: &UserId) -> String {
    fill(USER, "{id}", id.as_str())
}

/// A user's team.
#[must_use]
pub fn user_team(id: &UserId) -> String {
    fill(USER_TEAM, "{id}", id.as_str())
}

/// Suspends a user.
#[must_use]
pub fn user_suspend(id: &UserId) -> String {
    fill(USER_SUSPEND, "{id}", id.as_str())
}

/// Activates a user.
#[must_use]
pub fn user_activate(id: &UserId) -> String {
    fill(USER_ACTIVATE, "{id}", id.as_str())
}

/// The rules of a surface.
#[must_use]
pub fn capability_book(surface: &str) -> String {
    fill(CAPABILITY_BOOK, "{surface}", surface)
}

/// One rule.
#[must_use]
pub fn capability_rule(id: &RuleId) -> String {
    fill(CAPABILITY_RULE, "{id}", id.as_str())
}

/// Something that was learnt.
#[must_use]
pub fn learnt_fact(id: &str) -> String {
    fill(LEARNT_FACT, "{id}", id)
}

/// One of one's own search services.
#[must_use]
pub fn search_provider(kind: SearchKind) -> String {
    fill(SEARCH_PROVIDER, "{kind}", kind.as_str())
}

/// Ids hold only letters, digits, `_` and `-`: nothing in them needs escaping.
fn fill(template: &str, name: &str, id: &str) -> String {
    template.replacen(name, id, 1)
}
