//! Which tools are called, how sessions go, and what is lost where prompts are not read from the cache: by whole days, UTC.

use crate::ledger::csv_field;
use crate::{AnalyticsQuery, ExportFormat, Step, Timestamp};
use ccag_domain::{CacheMiss, NanoUsd};

/// `GET`: how often tools and MCP servers are called, and by whom.
pub const ANALYTICS_TOOLS: &str = "/admin/analytics/tools";
/// `GET`: how many sessions of clients there were.
pub const ANALYTICS_SESSIONS: &str = "/admin/analytics/sessions";
/// `GET`: what was lost because prompts were not read from the cache, and why.
pub const ANALYTICS_CACHE_MISSES: &str = "/admin/analytics/cache-misses";

/// What calls of tools are kept apart by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum ToolsBy {
    /// The tool.
    #[default]
    Tool,
    /// The MCP server that the tool belongs to.
    Server,
    /// The team that pays.
    Team,
    /// The user.
    User,
    /// The virtual key.
    Key,
}

impl ToolsBy {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Tool, Self::Server, Self::Team, Self::User, Self::Key];

    /// The name used in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tool => "tool",
            Self::Server => "server",
            Self::Team => "team",
            Self::User => "user",
            Self::Key => "key",
        }
    }

    /// Reads a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|by| by.as_str() == name)
    }
}

/// The query of `GET /admin/analytics/tools`. Lists have commas between their parts; `none` among teams, users or servers stands
/// for those without. Members see their own calls only, team managers those of their team.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ToolsQuery {
    /// The first moment; rounded down to its day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// The first moment after, rounded up to a day; by default now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
    /// Instead of `from`: so many days up to `to`, the last of them included, which begin at midnight UTC; by default 30.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<u32>,
    /// How finely times are kept apart: by the day, week or month; by default not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<Step>,
    /// What is kept apart; by default the tool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_by: Option<ToolsBy>,
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
    /// Only these tools, by their names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// Only tools of these MCP servers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// `csv`, or else JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<ExportFormat>,
}

impl ToolsQuery {
    /// What it has in common with other questions of analytics.
    #[must_use]
    pub fn common(&self) -> AnalyticsQuery {
        AnalyticsQuery {
            from: self.from,
            to: self.to,
            days: self.days,
            step: self.step,
            team_id: self.team_id.clone(),
            user_id: self.user_id.clone(),
            key_id: self.key_id.clone(),
            model: self.model.clone(),
            ..AnalyticsQuery::default()
        }
    }
}

/// The calls of one group.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ToolCell {
    /// When the piece of time begins; `null` where times are not kept apart.
    pub start: Option<Timestamp>,
    /// The tool's or the server's name, or the group's id; `null` for none. `(other)` is what had no place of its own.
    pub id: Option<String>,
    /// The group's name, where it has one and still exists.
    pub name: Option<String>,
    /// Of a tool: the MCP server that it belongs to.
    pub server: Option<String>,
    /// How often it was called.
    pub calls: u64,
    /// How many results were said to be errors.
    pub failed: u64,
}

impl ToolCell {
    /// The columns of [`ToolCell::to_csv`].
    pub const COLUMNS: [&'static str; 6] = ["start", "id", "name", "server", "calls", "failed"];

    /// The first line of a table of cells, with its line break.
    #[must_use]
    pub fn csv_header() -> String {
        format!("{}\r\n", Self::COLUMNS.join(","))
    }

    /// The cell as a line of CSV (RFC 4180), with its line break. A name that a spreadsheet would take for a formula gets an
    /// apostrophe before it.
    #[must_use]
    pub fn to_csv(&self) -> String {
        let mut line = String::with_capacity(80);
        let start = self.start.map(|at| at.to_string()).unwrap_or_default();
        csv_field(&mut line, &start);
        for text in [&self.id, &self.name, &self.server] {
            csv_field(&mut line, text.as_deref().unwrap_or(""));
        }
        line.push_str(&format!("{},{}\r\n", self.calls, self.failed));
        line
    }
}

/// The answer to `GET /admin/analytics/tools`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ToolReport {
    /// The first moment of the range.
    pub from: Timestamp,
    /// The first moment after it.
    pub to: Timestamp,
    /// What is kept apart.
    pub group_by: ToolsBy,
    /// All calls that fit.
    pub calls: u64,
    /// Those whose results were said to be errors.
    pub failed: u64,
    /// Pieces of time in order, in each the most called first; at most 5,000.
    pub cells: Vec<ToolCell>,
    /// How many more there are.
    pub left_out: u64,
}

/// The sessions that began on one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SessionsOfDay {
    /// When the day begins, UTC.
    pub day: Timestamp,
    /// How many began.
    pub sessions: u64,
    /// How many requests they have had until now.
    pub requests: u64,
    /// How long they were in all, from the arrival of the first request to the end of the last, in milliseconds.
    pub length_ms: u64,
}

/// The answer to `GET /admin/analytics/sessions`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SessionReport {
    /// The first moment of the range.
    pub from: Timestamp,
    /// The first moment after it.
    pub to: Timestamp,
    /// How many began.
    pub sessions: u64,
    /// How many requests they have had until now.
    pub requests: u64,
    /// How long they were in all, in milliseconds.
    pub length_ms: u64,
    /// Day by day, those without any left out.
    pub days: Vec<SessionsOfDay>,
}

/// What was lost for one reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LostView {
    /// When the day begins, UTC; `null` for the whole range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day: Option<Timestamp>,
    /// Why.
    pub reason: CacheMiss,
    /// By how many requests.
    pub requests: u64,
    /// How many tokens could have been read and were not.
    pub tokens: u64,
    /// How much more they cost than if they had been read.
    pub lost_nano_usd: NanoUsd,
}

/// The answer to `GET /admin/analytics/cache-misses`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CacheMissReport {
    /// The first moment of the range.
    pub from: Timestamp,
    /// The first moment after it.
    pub to: Timestamp,
    /// How much was lost in all.
    pub lost_nano_usd: NanoUsd,
    /// By reason, the dearest first.
    pub reasons: Vec<LostView>,
    /// By day and reason.
    pub days: Vec<LostView>,
}
