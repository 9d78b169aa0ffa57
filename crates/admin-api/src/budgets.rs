//! Budgets: how much may be spent, and how much is.

use crate::{Timestamp, Usd};
use ccag_domain::{BudgetMode, KeyId, Period, TeamId, UserId};
use serde::de::{self, value::SeqAccessDeserializer};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;

/// Whose spending a budget bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ScopeKind {
    /// Everybody's together.
    Organisation,
    /// Each user's, where nothing is set for the user or, by their team, for its members.
    EachUser,
    /// A team's together.
    Team,
    /// Each member's of a team, as far as the team pays, where nothing is set for the member.
    EachMember,
    /// A member's of a team, as far as the team pays.
    Member,
    /// A user's, whichever team pays.
    User,
    /// A key's.
    Key,
}

impl ScopeKind {
    /// All, from wide to narrow.
    pub const ALL: [Self; 7] = [
        Self::Organisation,
        Self::EachUser,
        Self::Team,
        Self::EachMember,
        Self::Member,
        Self::User,
        Self::Key,
    ];

    /// The name used in the API and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Organisation => "organisation",
            Self::EachUser => "each_user",
            Self::Team => "team",
            Self::EachMember => "each_member",
            Self::Member => "member",
            Self::User => "user",
            Self::Key => "key",
        }
    }

    /// Reads a name; hyphens are as good as underscores.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.replace('-', "_");
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// Who is told when a step of a budget is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Recipients {
    /// Those whom the budget is about, and the admins.
    #[default]
    Both,
    /// Those whom the budget is about.
    User,
    /// The admins.
    #[serde(alias = "admin")]
    Admins,
}

impl Recipients {
    /// The name used in the API and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Both => "both",
            Self::User => "user",
            Self::Admins => "admins",
        }
    }

    /// Reads a name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Both, Self::User, Self::Admins]
            .into_iter()
            .find(|r| r.as_str() == text)
    }
}

/// What a data plane does about a budget while it cannot ask the control plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum PostureKind {
    /// It serves from what it has been granted, and then no more.
    #[default]
    Granted,
    /// It serves `grace_usd` more.
    Grace,
    /// It serves nothing.
    Refuse,
}

/// What happens from a share of a budget on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum RuleAction {
    /// Somebody is told.
    Notify,
    /// Requests are slowed down to `requests_per_minute`.
    #[serde(alias = "shape")]
    Throttle,
    /// Only `models` are served.
    Restrict,
    /// Nothing is served.
    Block,
}

/// One step on the way through a budget.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct BudgetRuleSpec {
    /// From which share of the amount on, in percent: 1 to 1000.
    pub at_percent: u32,
    /// What happens.
    pub action: RuleAction,
    /// For `throttle`: how many requests a minute.
    #[serde(default, alias = "shaped_rpm", skip_serializing_if = "Option::is_none")]
    pub requests_per_minute: Option<u32>,
    /// For `restrict`: the models that are still served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub models: Option<Vec<String>>,
}

/// What happens on the way through a budget: the name of a preset, or the steps themselves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum PolicySpec {
    /// `standard`, `soft` or `shaped`.
    Preset(String),
    /// The steps, from low to high.
    Rules(Vec<BudgetRuleSpec>),
}

impl<'de> Deserialize<'de> for PolicySpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Policy;
        impl<'de> de::Visitor<'de> for Policy {
            type Value = PolicySpec;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`standard`, `soft`, `shaped`, or a list of rules")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<PolicySpec, E> {
                Ok(PolicySpec::Preset(text.to_owned()))
            }
            fn visit_seq<A: de::SeqAccess<'de>>(self, seq: A) -> Result<PolicySpec, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(seq)).map(PolicySpec::Rules)
            }
        }
        deserializer.deserialize_any(Policy)
    }
}

/// The body of `POST /admin/budgets`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CreateBudget {
    /// Whose spending it bounds.
    pub scope: ScopeKind,
    /// The team, for `team`, `each_member` and `member`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team_id: Option<TeamId>,
    /// The user, for `user` and `member`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    /// The key, for `key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<KeyId>,
    /// How much; zero means that nothing may be spent.
    pub amount_usd: Usd,
    /// When it begins anew; by default `monthly`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<Period>,
    /// In whose midnight that is, such as `Europe/Berlin`; by default `UTC`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// How closely it holds; by default `balanced`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<BudgetMode>,
    /// What happens on the way; by default `standard`.
    #[serde(default, alias = "rules", skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicySpec>,
    /// What happens without the control plane; by default `granted`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub posture: Option<PostureKind>,
    /// For the posture `grace`: how much each data plane may serve while it is cut off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace_usd: Option<Usd>,
    /// Who is told; by default `both`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify_recipients: Option<Recipients>,
}

/// The body of `PUT /admin/budgets/{id}`; an absent field keeps its value. Scope, period and time zone stay what they are:
/// what is spent is counted by them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct UpdateBudget {
    /// How much; zero means that nothing may be spent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount_usd: Option<Usd>,
    /// How closely it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<BudgetMode>,
    /// What happens on the way.
    #[serde(default, alias = "rules", skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicySpec>,
    /// What happens without the control plane.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub posture: Option<PostureKind>,
    /// For the posture `grace`: how much each data plane may serve while it is cut off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace_usd: Option<Usd>,
    /// Who is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify_recipients: Option<Recipients>,
}

/// The body of `POST /admin/budgets/{id}/raises`: more, from now on, for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CreateRaise {
    /// How much more.
    pub amount_usd: Usd,
    /// Until when.
    pub until: Timestamp,
    /// Why, for those who come after.
    pub reason: String,
}

/// Where a raise stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum RaiseState {
    /// It counts.
    Active,
    /// It has ended, or was withdrawn.
    Past,
}

/// More, for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RaiseView {
    /// Names it among the raises of its budget.
    pub id: String,
    /// How much more.
    pub amount_usd: Usd,
    /// Since when.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// Why.
    pub reason: String,
    /// Where it stands.
    pub state: RaiseState,
}

/// The query of `GET /admin/budgets`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ListBudgets {
    /// Only those of this scope.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<ScopeKind>,
    /// Only those that name this team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team_id: Option<TeamId>,
    /// Only those that name this user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    /// Only those that name this key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<KeyId>,
    /// Only those about a team, user or key with this in its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<String>,
    /// How many at most: 1 to 1000, by default 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// The `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// The query of `GET /admin/budgets/{id}/events`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ListBudgetEvents {
    /// How many at most: 1 to 1000, by default 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// The `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// The query of `GET /admin/budgets/{id}/accounts`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ListAccounts {
    /// How many at most: 1 to 1000, by default 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// The `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}
