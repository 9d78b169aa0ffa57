//! What was used over time, by whom and by what, from hourly sums.

use crate::ledger::csv_field;
use crate::{ExportFormat, GroupBy, Percentiles, RuleAction, ScopeKind, Timestamp, UsageTotals, Usd};
use ccag_domain::{KeyId, NanoUsd, Period, TeamId, UserId};

/// `GET`: sums over time.
pub const ANALYTICS: &str = "/admin/analytics";
/// `GET`: who is active, and when.
pub const ANALYTICS_ACTIVITY: &str = "/admin/analytics/activity";
/// `GET`: how models and endpoints do.
pub const ANALYTICS_PERFORMANCE: &str = "/admin/analytics/performance";
/// `GET`: what the month will come to.
pub const ANALYTICS_FORECAST: &str = "/admin/analytics/forecast";
/// `GET`: what a budget would have done in the last days.
pub const ANALYTICS_WHAT_IF: &str = "/admin/analytics/what-if";

/// How finely time is kept apart. Days, weeks (from Monday on) and months are those of UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// By the hour.
    Hour,
    /// By the day.
    Day,
    /// By the week.
    Week,
    /// By the month.
    Month,
}

impl Step {
    /// All, from the finest.
    pub const ALL: [Self; 4] = [Self::Hour, Self::Day, Self::Week, Self::Month];

    /// The name used in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    /// Reads a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.as_str() == name)
    }
}

/// The query of `GET /admin/analytics` and what is below it. Lists have commas between their parts; `none` in one of teams
/// or users stands for requests without. Members see their own usage only, team managers what their team pays for.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AnalyticsQuery {
    /// The first moment; rounded down to its hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// The first moment after; by default now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
    /// Instead of `from`: so many days up to `to`, the last of them included, which begin at midnight UTC; by default 30.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<u32>,
    /// How finely; by default by the day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<Step>,
    /// What is kept apart besides times; `day` is not among it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_by: Option<GroupBy>,
    /// Only these teams'.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team_id: Option<String>,
    /// Only these users'.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// Only these keys'.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
    /// Only these models', by their canonical names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Only these endpoints'.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint_id: Option<String>,
    /// `csv`, or else JSON. Of `GET /admin/analytics` alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<ExportFormat>,
}

/// The sums of one group within one piece of time.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AnalyticsCell {
    /// When the piece begins.
    pub start: Timestamp,
    /// The group's id, or the model's name; `null` for requests without a team or user, and where nothing is kept apart.
    pub id: Option<String>,
    /// Its name, where it has one and still exists.
    pub name: Option<String>,
    /// The sums.
    #[serde(flatten)]
    pub totals: UsageTotals,
}

impl AnalyticsCell {
    /// The columns of [`AnalyticsCell::to_csv`].
    pub const COLUMNS: [&'static str; 12] = [
        "start",
        "id",
        "name",
        "requests",
        "errors",
        "input_tokens",
        "output_tokens",
        "cache_read_tokens",
        "cache_write_5m_tokens",
        "cache_write_1h_tokens",
        "cost_nano_usd",
        "cost_usd",
    ];

    /// The first line of a table of cells, with its line break.
    #[must_use]
    pub fn csv_header() -> String {
        format!("{}\r\n", Self::COLUMNS.join(","))
    }

    /// The cell as a line of CSV (RFC 4180), with its line break. A name that a spreadsheet would take for a formula gets an
    /// apostrophe before it.
    #[must_use]
    pub fn to_csv(&self) -> String {
        let mut line = String::with_capacity(160);
        csv_field(&mut line, &self.start.to_string());
        csv_field(&mut line, self.id.as_deref().unwrap_or(""));
        csv_field(&mut line, self.name.as_deref().unwrap_or(""));
        let totals = &self.totals;
        for count in [
            totals.requests,
            totals.errors,
            totals.input_tokens,
            totals.output_tokens,
            totals.cache_read_tokens,
            totals.cache_write_5m_tokens,
            totals.cache_write_1h_tokens,
        ] {
            csv_field(&mut line, &count.to_string());
        }
        // Numbers, also where a correction makes them negative: no formulas.
        line.push_str(&format!(
            "{},{}\r\n",
            totals.cost_nano_usd.0, totals.cost_nano_usd
        ));
        line
    }
}

/// The answer to `GET /admin/analytics`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Analytics {
    /// The first moment of the range.
    pub from: Timestamp,
    /// The first moment after it.
    pub to: Timestamp,
    /// How finely time is kept apart.
    pub step: Step,
    /// What is kept apart besides.
    pub group_by: Option<GroupBy>,
    /// Pieces of time in order, in each the dearest group first; those without usage are left out.
    pub cells: Vec<AnalyticsCell>,
}

/// The users of one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ActiveUsers {
    /// When the day begins, UTC.
    pub day: Timestamp,
    /// How many have asked anything.
    pub active: u64,
    /// How many of them never had before.
    pub new: u64,
}

/// The answer to `GET /admin/analytics/activity`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Activity {
    /// The first moment of the range.
    pub from: Timestamp,
    /// The first moment after it.
    pub to: Timestamp,
    /// How many different users have asked anything.
    pub users: u64,
    /// Day by day, those without any left out.
    pub days: Vec<ActiveUsers>,
    /// Requests by weekday, from Monday on, and hour of the day, UTC.
    pub week: [[u64; 24]; 7],
}

/// How one model does at one endpoint, or all together.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Performance {
    /// The model's canonical name, or the endpoint's id.
    pub id: String,
    /// Its name, where it has one and still exists.
    pub name: Option<String>,
    /// From the arrival of a request to the first content.
    pub first_token: Option<Percentiles>,
    /// The sums, with how long requests took in all.
    #[serde(flatten)]
    pub totals: UsageTotals,
}

/// The answer to `GET /admin/analytics/performance`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PerformanceReport {
    /// The first moment of the range.
    pub from: Timestamp,
    /// The first moment after it.
    pub to: Timestamp,
    /// By model, the dearest first.
    pub models: Vec<Performance>,
    /// By endpoint, the dearest first.
    pub endpoints: Vec<Performance>,
}

/// The answer to `GET /admin/analytics/forecast`: what the month will come to, if its days go on like those of the last four
/// weeks.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Forecast {
    /// When the month ends, UTC.
    pub until: Timestamp,
    /// What is spent in it until now.
    pub spent_nano_usd: NanoUsd,
    /// What it is expected to come to.
    pub expected_nano_usd: NanoUsd,
    /// With 95 % it comes to at least this,
    pub low_nano_usd: NanoUsd,
    /// and to at most this.
    pub high_nano_usd: NanoUsd,
    /// From how many whole days this is taken.
    pub from_days: u32,
}

/// The query of `GET /admin/analytics/what-if`: a budget, and over how many days it is tried out.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct WhatIfQuery {
    /// Whose spending.
    pub scope: ScopeKind,
    /// The team, for scopes that are about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team_id: Option<TeamId>,
    /// The user, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    /// The key, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<KeyId>,
    /// How much, in each period: dollars as a decimal, such as `250` or `0.50`.
    pub amount_usd: String,
    /// The period; by default monthly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<Period>,
    /// The time zone that periods begin in; by default UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// `standard`, `soft` or `shaped`; by default `standard`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// Over how many days until now: 1 to 62, by default 30.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<u32>,
}

/// What a budget would have done in one of its periods.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WhatIfPeriod {
    /// When the period begins, or what is replayed if that is later.
    pub start: Timestamp,
    /// When it ends, or now.
    pub end: Timestamp,
    /// What was spent in it.
    pub spent_usd: Usd,
    /// What of that lies beyond the point at which the budget refuses.
    pub over_usd: Usd,
    /// How many requests that are, about.
    pub refused_requests: u64,
    /// How many of those whom the budget is about reached that point.
    pub blocked: u64,
    /// When the first of them did: the hour, or of budgets that each user has the day.
    pub first_blocked_at: Option<Timestamp>,
}

/// How often a step of the budget would have been reached.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WhatIfStep {
    /// At how much of the amount.
    pub at_percent: u32,
    /// What happens there.
    pub action: RuleAction,
    /// How often, counting everybody whom the budget is about in each period.
    pub times: u64,
}

/// Somebody who would have been refused.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WhatIfSubject {
    /// The user's id.
    pub id: String,
    /// The name, if the user still exists.
    pub name: Option<String>,
    /// What they spent in the periods in which they would have been refused.
    pub spent_usd: Usd,
    /// What of that lies beyond.
    pub over_usd: Usd,
    /// How many requests that are, about.
    pub refused_requests: u64,
}

/// The answer to `GET /admin/analytics/what-if`. People who are refused may do something else: this is what was used beyond the
/// point at which the budget refuses, and not a promise of savings.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WhatIf {
    /// From when on it is replayed.
    pub from: Timestamp,
    /// Until when.
    pub to: Timestamp,
    /// What was spent of what counts towards the budget.
    pub spent_usd: Usd,
    /// What of that lies beyond the point at which it refuses.
    pub over_usd: Usd,
    /// How many requests that are, about.
    pub refused_requests: u64,
    /// Its steps, from low to high.
    pub steps: Vec<WhatIfStep>,
    /// Its periods, in order.
    pub periods: Vec<WhatIfPeriod>,
    /// Of budgets that each user has: how many users would have been refused,
    pub refused_subjects: u64,
    /// and those who spent most beyond it, at most twenty.
    pub subjects: Vec<WhatIfSubject>,
}
