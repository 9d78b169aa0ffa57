//! What was used, and what it cost.

use crate::Timestamp;
use ccag_domain::time::DAY_MS;
use ccag_domain::{KeyId, NanoUsd, TeamId, Tokens, UnixMs, UserId};

/// By what usage is summed up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum GroupBy {
    /// By the team that pays.
    Team,
    /// By user.
    User,
    /// By virtual key.
    Key,
    /// By canonical model.
    Model,
    /// By endpoint.
    Endpoint,
    /// By day, in UTC.
    Day,
}

impl GroupBy {
    /// The name used in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Team => "team",
            Self::User => "user",
            Self::Key => "key",
            Self::Model => "model",
            Self::Endpoint => "endpoint",
            Self::Day => "day",
        }
    }
}

/// From when (inclusive) to when (exclusive).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeRange {
    /// The first moment.
    pub from_ms: UnixMs,
    /// The first moment after it.
    pub to_ms: UnixMs,
}

impl TimeRange {
    /// How far back a request reaches that does not say.
    pub const DEFAULT_DAYS: u32 = 30;

    /// The range that a request means: `from` and `to` as given; `to` is otherwise now, `from` otherwise the beginning of the first
    /// of `days` days (30 by default), UTC, of which the last is the one that `to` ends. `None` if it ends before it begins.
    #[must_use]
    pub fn resolve(
        from: Option<Timestamp>,
        to: Option<Timestamp>,
        days: Option<u32>,
        now_ms: UnixMs,
    ) -> Option<Self> {
        let to_ms = to.map_or(now_ms.saturating_add(1), Timestamp::ms);
        let days = i64::from(days.unwrap_or(Self::DEFAULT_DAYS));
        let end = to_ms
            .saturating_add(DAY_MS - 1)
            .div_euclid(DAY_MS)
            .saturating_mul(DAY_MS);
        let from_ms = from.map_or(end.saturating_sub(days * DAY_MS), Timestamp::ms);
        (from_ms <= to_ms).then_some(Self { from_ms, to_ms })
    }
}

/// The query of `GET /admin/usage/summary`. Sums are kept by the hour: both ends of the range are rounded down to one.
/// Members see their own usage only.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct UsageQuery {
    /// The first moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// The first moment after; by default now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
    /// Instead of `from`: so many days up to `to`, the last of them included, which begin at midnight UTC; by default 30.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<u32>,
    /// By what to sum up; absent gives the total alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_by: Option<GroupBy>,
    /// Only this team's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team_id: Option<TeamId>,
    /// Only this user's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    /// Only this key's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<KeyId>,
    /// Only this model's, by any of its names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

/// The query of `GET /admin/usage/export`: the ledger, one row per request, the oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ExportQuery {
    /// The first moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// The first moment after; by default now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
    /// Instead of `from`: so many days up to `to`, the last of them included, which begin at midnight UTC; by default 30.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<u32>,
    /// Only this team's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team_id: Option<TeamId>,
    /// Only this user's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    /// Only this key's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<KeyId>,
    /// Only this model's, by any of its names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The form of the rows; by default what the `Accept` header prefers, JSON Lines if it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<crate::ExportFormat>,
}

/// The middle, the slow and the slowest of some durations, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Percentiles {
    /// Half of them took at most this long.
    pub p50_ms: u64,
    /// 95 % took at most this long.
    pub p95_ms: u64,
    /// 99 % took at most this long.
    pub p99_ms: u64,
}

/// Sums over requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UsageTotals {
    /// Requests that reached Bedrock.
    pub requests: u64,
    /// Those of them that did not complete.
    pub errors: u64,
    /// Input that was not cached.
    pub input_tokens: u64,
    /// Output, thinking included.
    pub output_tokens: u64,
    /// Input read from the prompt cache.
    pub cache_read_tokens: u64,
    /// Input written to the prompt cache for five minutes.
    pub cache_write_5m_tokens: u64,
    /// Input written to the prompt cache for one hour.
    pub cache_write_1h_tokens: u64,
    /// What it cost, in nano-USD.
    pub cost_nano_usd: NanoUsd,
    /// How long the requests took; absent where there were none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<Percentiles>,
}

impl UsageTotals {
    /// The token counts by class.
    #[must_use]
    pub fn tokens(&self) -> Tokens {
        Tokens {
            input: self.input_tokens,
            output: self.output_tokens,
            cache_read: self.cache_read_tokens,
            cache_write_5m: self.cache_write_5m_tokens,
            cache_write_1h: self.cache_write_1h_tokens,
        }
    }
}

/// The sums of one team, user, key, model, endpoint or day.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UsageGroup {
    /// Its id, the model's name or the date; `null` for requests without a team or user.
    pub id: Option<String>,
    /// Its name, where it has one and still exists.
    pub name: Option<String>,
    /// The sums.
    #[serde(flatten)]
    pub totals: UsageTotals,
}

/// The answer to `GET /admin/usage/summary`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UsageSummary {
    /// The first moment of the range.
    pub from: Timestamp,
    /// The first moment after it.
    pub to: Timestamp,
    /// By what `groups` are made.
    pub group_by: Option<GroupBy>,
    /// The sums over everything.
    pub total: UsageTotals,
    /// The dearest first; days in their order. Empty without `group_by`.
    pub groups: Vec<UsageGroup>,
}
