//! Quotas of tokens a minute, enforced as Bedrock does: a request is let in if its whole prompt and the most output that it
//! may have fit; when it is over, what it has used counts instead.
//!
//! Sources: Amazon Bedrock user guide, "How tokens are counted in Amazon Bedrock" and "Quotas for the bedrock-runtime endpoint".
//! AWS does not say to which minute it books what a request has used; here it is the one that begins when the request ends.

use crate::Usage;
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

const MINUTE: Duration = Duration::from_secs(60);

/// A quota of tokens a minute of this account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenQuota {
    /// Part of the ids of the models and profiles that share it; empty: all of them.
    #[serde(default)]
    pub model: String,
    /// How many tokens a minute.
    pub tokens_per_minute: u64,
    /// How many times an output token counts when the request is over.
    #[serde(default = "one")]
    pub burndown: u64,
}

const fn one() -> u64 {
    1
}

/// What was counted against one quota.
#[derive(Debug)]
struct Account {
    quota: TokenQuota,
    /// What is set aside for requests that run.
    reserved: u64,
    /// What those that have ended have used, and when they did.
    settled: Vec<(Instant, u64)>,
}

impl Account {
    fn counted(&mut self, now: Instant) -> u64 {
        self.settled.retain(|(at, _)| now.duration_since(*at) < MINUTE);
        self.reserved + self.settled.iter().map(|(_, tokens)| tokens).sum::<u64>()
    }
}

/// All quotas of the account; without any, everything is let in.
#[derive(Debug, Default)]
pub(crate) struct Admission(Mutex<Vec<Account>>);

impl Admission {
    fn accounts(&self) -> MutexGuard<'_, Vec<Account>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets a quota in place of the one for the same models.
    pub(crate) fn set(&self, quota: TokenQuota) {
        let mut accounts = self.accounts();
        match accounts.iter_mut().find(|one| one.quota.model == quota.model) {
            Some(account) => account.quota = quota,
            None => accounts.push(Account {
                quota,
                reserved: 0,
                settled: Vec::new(),
            }),
        }
    }

    /// The quota for a model, where one is set.
    pub(crate) fn limit(&self, model_id: &str) -> Option<u64> {
        let accounts = self.accounts();
        let account = accounts.iter().find(|one| model_id.contains(&one.quota.model));
        account.map(|one| one.quota.tokens_per_minute)
    }

    /// What counts now against the quota for a model.
    pub(crate) fn counted(&self, model_id: &str) -> u64 {
        let mut accounts = self.accounts();
        let account = accounts
            .iter_mut()
            .find(|one| model_id.contains(&one.quota.model));
        account.map_or(0, |one| one.counted(Instant::now()))
    }

    /// Sets aside `tokens`; `None` if they do not fit.
    pub(crate) fn reserve(self: &Arc<Self>, model_id: &str, tokens: u64) -> Option<Reserved> {
        let mut accounts = self.accounts();
        let place = accounts
            .iter()
            .position(|one| model_id.contains(&one.quota.model));
        if let Some(account) = place.and_then(|place| accounts.get_mut(place)) {
            let counted = account.counted(Instant::now());
            if counted.saturating_add(tokens) > account.quota.tokens_per_minute {
                return None;
            }
            account.reserved += tokens;
        }
        Some(Reserved {
            admission: Arc::clone(self),
            place,
            tokens,
        })
    }
}

/// What is set aside for a request. Dropped without an end it is free again.
#[derive(Debug)]
pub(crate) struct Reserved {
    admission: Arc<Admission>,
    place: Option<usize>,
    tokens: u64,
}

impl Reserved {
    /// The request is over and has used this, with so many output tokens.
    pub(crate) fn settle(mut self, usage: &Usage, output: u64) {
        self.end(Some((usage, output)));
    }

    fn end(&mut self, used: Option<(&Usage, u64)>) {
        let Some(place) = self.place.take() else { return };
        let mut accounts = self.admission.accounts();
        let Some(account) = accounts.get_mut(place) else {
            return;
        };
        account.reserved = account.reserved.saturating_sub(self.tokens);
        if let Some((usage, output)) = used {
            let written = usage.cache_write_5m + usage.cache_write_1h;
            let tokens = usage.input + written + output * account.quota.burndown;
            account.settled.push((Instant::now(), tokens));
        }
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.end(None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quota(model: &str, tokens_per_minute: u64) -> TokenQuota {
        TokenQuota {
            model: model.to_owned(),
            tokens_per_minute,
            burndown: 10,
        }
    }

    #[test]
    fn what_is_asked_for_at_most_counts_until_what_was_used_does() {
        let admission = Arc::new(Admission::default());
        admission.set(quota("opus", 10_000));
        let first = admission.reserve("us.anthropic.claude-opus-5-5", 9_000).unwrap();
        assert!(admission.reserve("us.anthropic.claude-opus-5-5", 1_001).is_none());
        assert!(
            admission
                .reserve("us.anthropic.claude-haiku-4-5", 1_000_000)
                .is_some()
        );
        let usage = Usage {
            input: 100,
            cache_read: 8_000,
            cache_write_5m: 200,
            cache_write_1h: 100,
            output: 50,
        };
        first.settle(&usage, usage.output);
        assert_eq!(admission.counted("opus"), 100 + 300 + 500);
        drop(admission.reserve("opus", 9_100).unwrap());
        assert_eq!(admission.counted("opus"), 900);
    }
}
