//! Limits: how much may be asked for at a time.

use crate::{ScopeKind, Timestamp};
use ccag_domain::{KeyId, LimitId, LimitKind, TeamId, TokenWeights, UserId};
use serde::{Deserialize, Serialize};

/// What a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum LimitKindSpec {
    /// Requests that are let through in a minute.
    #[serde(alias = "rpm")]
    RequestsPerMinute,
    /// Tokens of the requests that are let through in a minute.
    #[serde(alias = "tpm")]
    TokensPerMinute,
    /// Requests that run at the same time.
    #[serde(alias = "concurrency")]
    ConcurrentRequests,
}

impl LimitKindSpec {
    /// All kinds.
    pub const ALL: [Self; 3] = [
        Self::RequestsPerMinute,
        Self::TokensPerMinute,
        Self::ConcurrentRequests,
    ];

    /// The name used in the API and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RequestsPerMinute => "requests_per_minute",
            Self::TokensPerMinute => "tokens_per_minute",
            Self::ConcurrentRequests => "concurrent_requests",
        }
    }

    /// Reads a name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// What so many of them are called: "2,000 requests per minute".
    #[must_use]
    pub fn amount(self, amount: u64) -> String {
        let one = if amount == 1 { "" } else { "s" };
        let amount = grouped(amount);
        match self {
            Self::RequestsPerMinute => format!("{amount} request{one} per minute"),
            Self::TokensPerMinute => format!("{amount} token{one} per minute"),
            Self::ConcurrentRequests => format!("{amount} request{one} at a time"),
        }
    }
}

/// With a comma between groups of three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

impl From<LimitKind> for LimitKindSpec {
    fn from(kind: LimitKind) -> Self {
        match kind {
            LimitKind::Requests => Self::RequestsPerMinute,
            LimitKind::Tokens(_) => Self::TokensPerMinute,
            LimitKind::Concurrency => Self::ConcurrentRequests,
        }
    }
}

/// How much a token of each class counts, in percent; what is left out counts as it does by default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct WeightsSpec {
    /// Of the prompt, not cached; by default 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<u32>,
    /// Of the answer; by default 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<u32>,
    /// Read from the cache; by default 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_read: Option<u32>,
    /// Written to the cache; by default 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<u32>,
}

impl WeightsSpec {
    /// These weights over others.
    #[must_use]
    pub fn over(self, others: TokenWeights) -> TokenWeights {
        TokenWeights {
            input: self.input.unwrap_or(others.input),
            output: self.output.unwrap_or(others.output),
            cache_read: self.cache_read.unwrap_or(others.cache_read),
            cache_write: self.cache_write.unwrap_or(others.cache_write),
        }
    }
}

impl From<TokenWeights> for WeightsSpec {
    fn from(weights: TokenWeights) -> Self {
        Self {
            input: Some(weights.input),
            output: Some(weights.output),
            cache_read: Some(weights.cache_read),
            cache_write: Some(weights.cache_write),
        }
    }
}

/// The body of `POST /admin/limits`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CreateLimit {
    /// Whom it is about.
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
    /// What is counted.
    pub kind: LimitKindSpec,
    /// How many; zero lets nothing through.
    pub amount: u64,
    /// The models whose requests count; all if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<String>,
    /// How much a token of each class counts; for `tokens_per_minute`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<WeightsSpec>,
}

/// The body of `PUT /admin/limits/{id}`; an absent field keeps its value. Scope and kind stay what they are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct UpdateLimit {
    /// How many; zero lets nothing through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<u64>,
    /// The models whose requests count; all if the list is empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub models: Option<Vec<String>>,
    /// How much a token of each class counts; for `tokens_per_minute`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<WeightsSpec>,
}

/// A limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LimitView {
    /// Its id.
    pub id: LimitId,
    /// Whom it is about.
    pub scope: ScopeKind,
    /// The same in words: "Each member of team Platform".
    pub about: String,
    /// The team.
    pub team_id: Option<TeamId>,
    /// The user.
    pub user_id: Option<UserId>,
    /// The key.
    pub key_id: Option<KeyId>,
    /// What is counted.
    pub kind: LimitKindSpec,
    /// How many.
    pub amount: u64,
    /// The models whose requests count; all if there are none.
    pub models: Vec<String>,
    /// How much a token of each class counts, for `tokens_per_minute`.
    pub weights: Option<WeightsSpec>,
    /// How many of them data planes have taken or keep ready at present; where everyone has their own, of the one who has
    /// most.
    pub in_use: u64,
    /// Since when there is such a limit.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

/// The answer of `GET /admin/limits`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LimitList {
    /// One page.
    pub limits: Vec<LimitView>,
    /// Set if there is another page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// The query of `GET /admin/limits`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ListLimits {
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
    /// Only those of this kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<LimitKindSpec>,
    /// How many at most: 1 to 1000, by default 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// The `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_easily() {
        let said = [1, 999, 1_000, 2_000_000].map(|amount| LimitKindSpec::ConcurrentRequests.amount(amount));
        assert_eq!(
            said,
            [
                "1 request at a time",
                "999 requests at a time",
                "1,000 requests at a time",
                "2,000,000 requests at a time"
            ]
        );
    }
}
