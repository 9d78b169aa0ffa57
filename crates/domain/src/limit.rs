//! Limits: how much may be asked for at a time, by whom.
//!
//! A limit has an account as a budget has, of permits instead of money: a request takes its permits when it is let through,
//! and they are free again a minute later (rates) or when it has ended (concurrency). What all data planes have taken
//! together never exceeds the limit, so no minute, wherever it begins, sees more.

use crate::account::{AccountId, AccountName};
use crate::budget::{BudgetScope, Scoped};
use crate::{LimitId, ModelName, Tokens, UserId};

/// How long a permit of a rate is taken, in milliseconds.
pub const MINUTE_MS: i64 = 60_000;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitKind {
    /// Requests that are let through in a minute.
    Requests,
    /// Tokens of the requests that are let through in a minute, each class by its weight.
    Tokens(TokenWeights),
    /// Requests that run at the same time.
    Concurrency,
}

impl LimitKind {
    /// The name used in the API and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests_per_minute",
            Self::Tokens(_) => "tokens_per_minute",
            Self::Concurrency => "concurrent_requests",
        }
    }

    /// The kind with this name; `weights` are used for tokens only.
    #[must_use]
    pub fn of(name: &str, weights: TokenWeights) -> Option<Self> {
        [Self::Requests, Self::Tokens(weights), Self::Concurrency]
            .into_iter()
            .find(|kind| kind.as_str() == name)
    }

    /// Whether permits are free again after a minute, rather than when the request has ended.
    #[must_use]
    pub const fn is_rate(self) -> bool {
        !matches!(self, Self::Concurrency)
    }
}

/// How much a token of each class counts, in percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenWeights {
    /// Of the prompt, not cached.
    pub input: u32,
    /// Of the answer.
    pub output: u32,
    /// Read from the cache.
    pub cache_read: u32,
    /// Written to the cache.
    pub cache_write: u32,
}

impl Default for TokenWeights {
    /// As Bedrock's own quotas settle them: what is read from the cache is free ("Token quota management", Amazon Bedrock
    /// User Guide). Its burn-down of output differs by model, and is 1 here.
    fn default() -> Self {
        Self {
            input: 100,
            output: 100,
            cache_read: 0,
            cache_write: 100,
        }
    }
}

impl TokenWeights {
    /// How much these tokens count, rounded up to whole tokens.
    #[must_use]
    pub fn count(&self, tokens: &Tokens) -> u64 {
        let classes = [
            (self.input, tokens.input),
            (self.output, tokens.output),
            (self.cache_read, tokens.cache_read),
            (self.cache_write, tokens.cache_write_5m),
            (self.cache_write, tokens.cache_write_1h),
        ];
        let percents: u128 = classes
            .iter()
            .map(|(weight, count)| u128::from(*weight) * u128::from(*count))
            .sum();
        u64::try_from(percents.div_ceil(100)).unwrap_or(u64::MAX)
    }

    /// How much a prompt and an answer of these lengths count, if nothing of the prompt is in the cache.
    #[must_use]
    pub fn uncached(&self, input: u64, output: u64) -> u64 {
        let prompt = Tokens {
            cache_write_5m: input,
            output,
            ..Tokens::default()
        };
        let unwritten = Tokens {
            input,
            output,
            ..Tokens::default()
        };
        self.count(&prompt).max(self.count(&unwritten))
    }
}

/// How much may be asked for at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// Its id.
    pub id: LimitId,
    /// Whom it is about.
    pub scope: BudgetScope,
    /// The models whose requests count, by canonical name; empty for all.
    pub models: Vec<ModelName>,
    /// What is counted.
    pub kind: LimitKind,
    /// How many; zero lets nothing through.
    pub amount: u64,
}

impl Scoped for Limit {
    type Id = LimitId;

    fn id(&self) -> &LimitId {
        &self.id
    }

    fn scope(&self) -> &BudgetScope {
        &self.scope
    }
}

impl Limit {
    /// Whether requests for a model count.
    #[must_use]
    pub fn counts(&self, model: &ModelName) -> bool {
        self.models.is_empty() || self.models.contains(model)
    }

    /// Its account; a limit for everyone separately needs a subject.
    #[must_use]
    pub fn account(&self, subject: Option<&UserId>) -> AccountId {
        AccountId::from(&AccountName::Limit {
            limit: self.id.clone(),
            subject: subject.filter(|_| self.scope.is_each()).cloned(),
        })
    }

    /// The most permits that may be taken at a time.
    #[must_use]
    pub fn ceiling(&self) -> i64 {
        i64::try_from(self.amount).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_class_counts_by_its_weight_and_parts_of_a_token_are_rounded_up_once() {
        let weights = TokenWeights {
            input: 100,
            output: 500,
            cache_read: 10,
            cache_write: 125,
        };
        let tokens = Tokens {
            input: 10,
            output: 3,
            cache_read: 11,
            cache_write_5m: 1,
            cache_write_1h: 1,
        };
        // 10 + 15 + 1.1 + 1.25 + 1.25
        assert_eq!(weights.count(&tokens), 29);
        assert_eq!(TokenWeights::default().count(&tokens), 15);
        assert_eq!(weights.uncached(10, 3), 28);
        assert_eq!(weights.count(&Tokens::default()), 0);
        let most = Tokens {
            output: u64::MAX,
            ..Tokens::default()
        };
        assert_eq!(weights.count(&most), u64::MAX);
    }

    #[test]
    fn kinds_are_read_back_by_name() {
        let weights = TokenWeights::default();
        for kind in [
            LimitKind::Requests,
            LimitKind::Tokens(weights),
            LimitKind::Concurrency,
        ] {
            assert_eq!(LimitKind::of(kind.as_str(), weights), Some(kind));
        }
        assert_eq!(LimitKind::of("requests", weights), None);
    }

    #[test]
    fn everyone_has_permits_of_their_own_only_where_the_limit_is_for_each() {
        let user = UserId::parse("user_1").unwrap();
        let mut limit = Limit {
            id: LimitId::parse("lim_1").unwrap(),
            scope: BudgetScope::EachUser,
            models: vec![ModelName::canonical("claude-opus-5-5")],
            kind: LimitKind::Requests,
            amount: 5,
        };
        assert_eq!(limit.account(Some(&user)).as_str(), "lim_1/user_1");
        limit.scope = BudgetScope::Organisation;
        assert_eq!(limit.account(Some(&user)).as_str(), "lim_1");
        assert!(limit.counts(&ModelName::canonical("claude-opus-5-5")));
        assert!(!limit.counts(&ModelName::canonical("claude-haiku-4-5")));
    }
}
