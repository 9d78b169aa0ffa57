//! What budgets look like from outside: their state, and the shapes of the existing gateway's paths.

use crate::budgets::{BudgetRuleSpec, PolicySpec, PostureKind, RaiseView, Recipients, ScopeKind};
use crate::{Timestamp, Usd};
use ccag_domain::{BudgetId, BudgetMode, KeyId, Period, TeamId, UserId};
use serde::{Deserialize, Serialize};

/// How far a budget is used up: the severest of the steps that were reached, all of which hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum BudgetState {
    /// No step was reached.
    Ok,
    /// Somebody was told.
    Warning,
    /// Only some models are served.
    Restricted,
    /// Requests are slowed down.
    Throttled,
    /// Nothing is served.
    Blocked,
}

impl BudgetState {
    /// The name used in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Throttled => "throttled",
            Self::Restricted => "restricted",
            Self::Blocked => "blocked",
        }
    }
}

/// What one budget holds in the current period, for one subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BudgetAccount {
    /// Whose it is, where everyone has one of their own.
    #[serde(default)]
    pub user_id: Option<UserId>,
    /// Their name.
    #[serde(default)]
    pub user_name: Option<String>,
    /// What there is to spend, raises included.
    pub limit_usd: Usd,
    /// What is spent.
    pub spent_usd: Usd,
    /// What data planes have been granted and have not settled yet.
    pub held_usd: Usd,
    /// What is left of the limit: what is held counts as left. Never negative.
    pub remaining_usd: Usd,
    /// The amount from which on nothing is served; `null` if nothing is ever blocked.
    #[serde(default)]
    pub blocked_at_usd: Option<Usd>,
    /// How much of the limit is spent, in percent, rounded down.
    pub percent: u64,
    /// How far it is used up.
    pub status: BudgetState,
    /// Since when it counts; `null` for a budget that never begins anew.
    #[serde(default)]
    pub period_start: Option<Timestamp>,
    /// When it begins anew; `null` if it never does.
    #[serde(default)]
    pub resets_at: Option<Timestamp>,
    /// The same in the budget's time zone: `2026-12-01T00:00:00+01:00`.
    #[serde(default)]
    pub resets_at_local: Option<String>,
}

/// A budget.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BudgetView {
    /// Its id.
    pub id: BudgetId,
    /// Whose spending it bounds.
    pub scope: ScopeKind,
    /// The team that it names.
    #[serde(default)]
    pub team_id: Option<TeamId>,
    /// The team's name.
    #[serde(default)]
    pub team_name: Option<String>,
    /// The user that it names.
    #[serde(default)]
    pub user_id: Option<UserId>,
    /// The user's name.
    #[serde(default)]
    pub user_name: Option<String>,
    /// The key that it names.
    #[serde(default)]
    pub key_id: Option<KeyId>,
    /// The key's name.
    #[serde(default)]
    pub key_name: Option<String>,
    /// What it is about, in words: `Team platform`.
    pub about: String,
    /// How much, without raises.
    pub amount_usd: Usd,
    /// When it begins anew.
    pub period: Period,
    /// In whose midnight that is.
    pub time_zone: String,
    /// How closely it holds.
    pub mode: BudgetMode,
    /// The preset that the rules are, or `custom`.
    pub policy: String,
    /// What happens on the way, from low to high.
    pub rules: Vec<BudgetRuleSpec>,
    /// More, for a while: the newest first.
    pub raises: Vec<RaiseView>,
    /// What happens without the control plane.
    pub posture: PostureKind,
    /// For the posture `grace`: how much each data plane may serve while it is cut off.
    #[serde(default)]
    pub grace_usd: Option<Usd>,
    /// Who is told.
    pub notify_recipients: Recipients,
    /// What it holds now; where everyone has an account of their own, the dearest of them, `null` while there is none.
    #[serde(default)]
    pub current: Option<BudgetAccount>,
    /// How many have an account of their own now; `null` where it is one for all.
    #[serde(default)]
    pub accounts: Option<u64>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

/// The answer to `GET /admin/budgets`, by scope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BudgetList {
    /// The budgets of this page.
    pub budgets: Vec<BudgetView>,
    /// Asks for the next page; `null` on the last.
    pub next_cursor: Option<String>,
}

/// The answer to `GET /admin/budgets/{id}/events`, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BudgetEventList {
    /// The steps that were reached, of this page.
    pub events: Vec<BudgetEventView>,
    /// Asks for the next page; `null` on the last.
    #[serde(default)]
    pub next_cursor: Option<String>,
}

/// The answer to `GET /admin/budgets/{id}/accounts`, the one that has spent most first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BudgetAccountList {
    /// The accounts of this page.
    pub accounts: Vec<BudgetAccount>,
    /// Asks for the next page; `null` on the last.
    pub next_cursor: Option<String>,
}

/// A step of a budget that was reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BudgetEventView {
    /// The budget.
    pub budget_id: BudgetId,
    /// Whose account, where everyone has one of their own.
    #[serde(default)]
    pub user_id: Option<UserId>,
    /// Which share was reached, in percent.
    pub at_percent: u32,
    /// What happens there: `notify`, `throttle`, `restrict` or `block`.
    pub action: String,
    /// What was spent then.
    pub spent_usd: Usd,
    /// What there was to spend.
    pub limit_usd: Usd,
    /// When.
    pub at: Timestamp,
}

/// The body of `PUT /admin/teams/{id}/budget`: the team's budget and that of each of its members, whole.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SetTeamBudget {
    /// How much the team may spend together; absent or `null`: no such budget.
    #[serde(default)]
    pub budget_amount_usd: Option<Usd>,
    /// When both begin anew; by default `monthly`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_period: Option<Period>,
    /// What happens on the way; by default `standard`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_policy: Option<PolicySpec>,
    /// How much each member may spend; absent or `null`: no such budget.
    #[serde(default)]
    pub default_user_budget_usd: Option<Usd>,
    /// Who is told; by default `both`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify_recipients: Option<Recipients>,
    /// How closely both hold; by default `balanced`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<BudgetMode>,
    /// In whose midnight they begin anew; by default `UTC`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
}

/// The answer to `GET` and `PUT /admin/teams/{id}/budget`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TeamBudgetView {
    /// The team.
    pub team_id: TeamId,
    /// How much the team may spend together.
    #[serde(default)]
    pub budget_amount_usd: Option<Usd>,
    /// When both begin anew.
    pub budget_period: Period,
    /// The preset, or the rules where they are of no preset; `null` without a budget.
    #[serde(default)]
    pub budget_policy: Option<PolicySpec>,
    /// How much each member may spend.
    #[serde(default)]
    pub default_user_budget_usd: Option<Usd>,
    /// Who is told.
    pub notify_recipients: Recipients,
    /// How closely both hold.
    pub mode: BudgetMode,
    /// In whose midnight they begin anew.
    pub time_zone: String,
    /// The team's budget.
    #[serde(default)]
    pub budget: Option<BudgetView>,
    /// The budget of each of its members.
    #[serde(default)]
    pub member_budget: Option<BudgetView>,
}

/// The body of `PUT /admin/settings/default-budget`: what each user may spend who has no other word on it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SetDefaultBudget {
    /// How much; absent or `null`: no such budget.
    #[serde(default)]
    pub budget_amount_usd: Option<Usd>,
    /// When it begins anew; by default `monthly`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_period: Option<Period>,
    /// What happens on the way; by default `standard`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_policy: Option<PolicySpec>,
    /// Who is told; by default `both`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify_recipients: Option<Recipients>,
    /// How closely it holds; by default `balanced`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<BudgetMode>,
    /// In whose midnight it begins anew; by default `UTC`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
}

/// The answer to `GET` and `PUT /admin/settings/default-budget`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DefaultBudgetView {
    /// How much; `null` without such a budget.
    #[serde(default)]
    pub budget_amount_usd: Option<Usd>,
    /// When it begins anew.
    pub budget_period: Period,
    /// The preset, or the rules where they are of no preset.
    #[serde(default)]
    pub budget_policy: Option<PolicySpec>,
    /// Who is told.
    pub notify_recipients: Recipients,
    /// How closely it holds.
    pub mode: BudgetMode,
    /// In whose midnight it begins anew.
    pub time_zone: String,
    /// How many active users it counts for, or would.
    pub affected_user_count: u64,
    /// The budget.
    #[serde(default)]
    pub budget: Option<BudgetView>,
}

/// The body of `PUT /admin/users/{id}/spend-limit`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SetSpendLimit {
    /// How much the user may spend, whichever team pays; absent or `null`: no limit of their own.
    #[serde(default)]
    pub limit_usd: Option<Usd>,
    /// When it begins anew; by default as before, else `monthly`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<Period>,
    /// What happens on the way; by default as before, else `standard`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicySpec>,
    /// How closely it holds; by default as before, else `balanced`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<BudgetMode>,
    /// In whose midnight it begins anew; by default as before, else `UTC`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
}

/// The answer to `GET` and `PUT /admin/users/{id}/spend-limit`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SpendLimitView {
    /// The user.
    pub user_id: UserId,
    /// How much; `null` without a limit of their own.
    #[serde(default)]
    pub limit_usd: Option<Usd>,
    /// The budget.
    #[serde(default)]
    pub budget: Option<BudgetView>,
}

/// The query of `GET /admin/budget/status`; by default the caller's own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct BudgetStatusQuery {
    /// Of this user. Only admins may name somebody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    /// Of this key. Members may name their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<KeyId>,
}

/// A budget that bounds somebody's spending.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AppliedBudget {
    /// The budget.
    pub budget_id: BudgetId,
    /// Whose spending it bounds.
    pub scope: ScopeKind,
    /// What it is about, in words: `Team platform`.
    pub about: String,
    /// When it begins anew.
    pub period: Period,
    /// In whose midnight that is.
    pub time_zone: String,
    /// How closely it holds.
    pub mode: BudgetMode,
    /// The preset that the rules are, or `custom`.
    pub policy: String,
    /// What happens on the way, from low to high.
    pub rules: Vec<BudgetRuleSpec>,
    /// What it holds now.
    pub account: BudgetAccount,
    /// Whether it is the one that binds: the furthest used up, then the one with least left.
    pub binds: bool,
}

/// Where a limit comes from, in the existing gateway's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum LimitSource {
    /// It is set for the user, or for the user as a member of their team, or for the key.
    Explicit,
    /// It is set for each member of the team, or for the team.
    Team,
    /// It is set for each user, or for the organisation.
    Default,
    /// There is none.
    Unlimited,
}

/// A team's budget in a status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TeamStatus {
    /// The team.
    pub id: TeamId,
    /// Its name.
    pub name: String,
    /// What the team has spent.
    pub spend_usd: Usd,
    /// What it may spend.
    pub limit_usd: Usd,
    /// How much of it is spent, in percent, rounded down.
    pub percent: u64,
    /// How far it is used up.
    pub status: BudgetState,
}

/// The answer to `GET /admin/budget/status`. The fields up to `unpriced_tokens` tell of the budget of the user's own; what
/// holds in the end is `status`, of all budgets together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BudgetStatusView {
    /// The user's name, or the key's.
    pub user: String,
    /// When the budget begins anew.
    pub period: Period,
    /// Since when it counts.
    #[serde(default)]
    pub period_start: Option<Timestamp>,
    /// What is spent in it.
    pub spend_usd: Usd,
    /// What there is to spend; `null` without a budget.
    #[serde(default)]
    pub limit_usd: Option<Usd>,
    /// How much of it is spent, in percent, rounded down; `null` without a budget.
    #[serde(default)]
    pub percent: Option<u64>,
    /// Where the limit comes from.
    pub limit_source: LimitSource,
    /// What it is set for, in words; `null` without a budget.
    #[serde(default)]
    pub limit_source_name: Option<String>,
    /// The preset, or the rules where they are of no preset; `null` without a budget.
    #[serde(default)]
    pub policy: Option<PolicySpec>,
    /// The budget of the user's team.
    #[serde(default)]
    pub team: Option<TeamStatus>,
    /// Steps that were reached lately, the newest first.
    pub recent_events: Vec<BudgetEventView>,
    /// Always 0: nothing is served without a price.
    pub unpriced_tokens: u64,
    /// How far the budgets are used up, all together.
    pub status: BudgetState,
    /// What is left until the budget that binds is used up; `null` without a budget.
    #[serde(default)]
    pub remaining_usd: Option<Usd>,
    /// When the budget that binds begins anew, in its time zone.
    #[serde(default)]
    pub resets_at: Option<String>,
    /// Every budget that bounds the spending. All of them must hold.
    pub budgets: Vec<AppliedBudget>,
}
