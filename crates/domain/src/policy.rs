//! Policies: which models people may use, and what Claude Code is told on their machines.

use crate::{ModelName, PolicyId, Role, TeamId};

/// Whom a policy is about. What is empty does not matter; of what is not, one has to be true, and of all that are not, each.
/// A policy of which everything is empty is about everybody.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct PolicyMatch {
    /// Teams.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub team_ids: Vec<TeamId>,
    /// Groups at the identity provider, whatever the case.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// Roles.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<Role>,
    /// Domains of e-mail addresses, whatever the case.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub email_domains: Vec<String>,
}

/// Somebody, as policies see them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PolicySubject<'a> {
    /// Their team.
    pub team_id: Option<&'a TeamId>,
    /// Their groups.
    pub groups: &'a [String],
    /// Their role; a key of nobody's has none.
    pub role: Option<Role>,
    /// The domain of their e-mail address.
    pub email_domain: Option<&'a str>,
}

impl PolicyMatch {
    /// Whether the policy is about somebody.
    #[must_use]
    pub fn is_about(&self, who: &PolicySubject<'_>) -> bool {
        let any_or = |empty: bool, found: bool| empty || found;
        any_or(
            self.team_ids.is_empty(),
            who.team_id.is_some_and(|id| self.team_ids.contains(id)),
        ) && any_or(
            self.groups.is_empty(),
            who.groups
                .iter()
                .any(|group| self.groups.iter().any(|named| same(named, group))),
        ) && any_or(
            self.roles.is_empty(),
            who.role.is_some_and(|role| self.roles.contains(&role)),
        ) && any_or(
            self.email_domains.is_empty(),
            who.email_domain
                .is_some_and(|domain| self.email_domains.iter().any(|named| same(named, domain))),
        )
    }
}

/// Whether two names are the same but for the case of their letters.
fn same(one: &str, other: &str) -> bool {
    one.len() == other.len() && one.eq_ignore_ascii_case(other) || one.to_lowercase() == other.to_lowercase()
}

/// A policy as data planes know it: what it says of models. What it says to Claude Code stays with the control plane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelPolicy {
    /// Its id.
    pub id: PolicyId,
    /// Its name, for messages.
    pub name: String,
    /// Of policies about the same person the one with the highest number that says anything of models holds.
    pub priority: i64,
    /// Whom it is about.
    pub subject: PolicyMatch,
    /// The models that they may use, by their canonical names; empty: none.
    pub models: Vec<ModelName>,
}

/// The policy that says which models somebody may use; `None`: all.
pub fn model_policy<'p>(
    policies: impl IntoIterator<Item = &'p ModelPolicy>,
    who: &PolicySubject<'_>,
) -> Option<&'p ModelPolicy> {
    policies
        .into_iter()
        .filter(|policy| policy.subject.is_about(who))
        .max_by(|a, b| a.priority.cmp(&b.priority).then_with(|| b.id.cmp(&a.id)))
}
