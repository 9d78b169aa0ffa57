//! What a client is told of its budget with every answer.

use super::slot::Slot;
use super::{Current, Scope, UnixMs};
use ccag_domain::{BudgetAction, NanoUsd};
use http::{HeaderMap, HeaderName, HeaderValue};
use std::sync::{Arc, Mutex, PoisonError};

/// The names of the headers, made once.
mod name {
    use http::HeaderName;

    pub(super) static PERCENT: HeaderName = HeaderName::from_static("x-ccag-budget-percent");
    pub(super) static REMAINING: HeaderName = HeaderName::from_static("x-ccag-budget-remaining-usd");
    pub(super) static STATUS: HeaderName = HeaderName::from_static("x-ccag-budget-status");
    pub(super) static RESETS: HeaderName = HeaderName::from_static("x-ccag-budget-resets");
    pub(super) static MAX_TOKENS: HeaderName = HeaderName::from_static("x-ccag-budget-max-tokens");
    pub(super) static UNIFIED_STATUS: HeaderName =
        HeaderName::from_static("anthropic-ratelimit-unified-status");
    pub(super) static CLAIM: HeaderName =
        HeaderName::from_static("anthropic-ratelimit-unified-representative-claim");
    pub(super) static OVERAGE_STATUS: HeaderName =
        HeaderName::from_static("anthropic-ratelimit-unified-overage-status");
    pub(super) static UTILIZATION: HeaderName =
        HeaderName::from_static("anthropic-ratelimit-unified-overage-utilization");
    pub(super) static UNIFIED_RESET: HeaderName =
        HeaderName::from_static("anthropic-ratelimit-unified-reset");
    pub(super) static OVERAGE_RESET: HeaderName =
        HeaderName::from_static("anthropic-ratelimit-unified-overage-reset");
    pub(super) static SURPASSED: HeaderName =
        HeaderName::from_static("anthropic-ratelimit-unified-overage-surpassed-threshold");
}

/// What there is to tell of a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Standing {
    /// What is spent, in tenths of a percent of the amount.
    percent_tenths: u64,
    remaining: NanoUsd,
    status: &'static str,
    resets_at: UnixMs,
}

/// Room for these and for everything else that an answer has.
const ROOM: usize = 24;

/// The headers that were made last of a budget: as long as nothing else is known of it, every answer has the same.
#[derive(Debug, Default)]
pub(super) struct Written(Mutex<Option<(Standing, Arc<HeaderMap>)>>);

impl Written {
    fn of(&self, standing: Standing, resets: &str) -> Arc<HeaderMap> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some((known, headers)) if *known == standing => Arc::clone(headers),
            _ => {
                let headers = Arc::new(standing.headers(resets));
                *last = Some((standing, Arc::clone(&headers)));
                headers
            }
        }
    }
}

/// What a client is told of the budget that it has used most of.
#[derive(Debug, Clone)]
pub(crate) struct Notice {
    standing: Standing,
    of: Arc<Current>,
    /// The most output tokens that were asked for, where the budget has no more.
    pub(crate) max_tokens: Option<u64>,
}

impl Notice {
    pub(super) fn new(slot: &Slot, scope: &Scope) -> Self {
        let budget = &scope.budget;
        let spent = slot.spent();
        let amount = budget.amount_at(scope.now);
        let (used, all) = (spent.0.max(0), amount.0.max(1));
        let tenths = match used.checked_mul(1_000) {
            Some(thousandfold) => u64::try_from(thousandfold / all),
            None => u64::try_from(i128::from(used) * 1_000 / i128::from(all)),
        };
        let status = budget
            .reached(spent, scope.now)
            .map(|rule| match rule.action {
                BudgetAction::Notify => (1, "warning"),
                BudgetAction::Restrict { .. } => (2, "restricted"),
                BudgetAction::Throttle { .. } => (3, "shaped"),
                BudgetAction::Block => (4, "blocked"),
            })
            .max()
            .map_or("ok", |(_, status)| status);
        let standing = Standing {
            percent_tenths: tenths.unwrap_or(u64::MAX),
            remaining: NanoUsd((amount - spent).0.max(0)),
            status,
            resets_at: scope.resets_at,
        };
        Self {
            standing,
            of: Arc::clone(&scope.current),
            max_tokens: None,
        }
    }

    /// What is spent, in tenths of a percent of the amount.
    pub(super) const fn percent_tenths(&self) -> u64 {
        self.standing.percent_tenths
    }

    /// Writes it into the headers of an answer: our own, and those that Claude Code reads.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        let written = self.of.written.of(self.standing, &self.of.resets);
        // There are more of these than of the others: a copy of the whole table is cheaper than to put in each.
        let others = std::mem::replace(headers, HeaderMap::clone(&written));
        headers.extend(others);
        if let Some(tokens) = self.max_tokens {
            headers.insert(name::MAX_TOKENS.clone(), tokens.into());
        }
    }
}

impl Standing {
    fn headers(self, resets: &str) -> HeaderMap {
        let mut all = HeaderMap::with_capacity(ROOM);
        let mut put = |name: &HeaderName, value: HeaderValue| drop(all.insert(name.clone(), value));
        let text = |text: String| HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""));
        let (whole, tenth) = (self.percent_tenths / 10, self.percent_tenths % 10);
        put(&name::PERCENT, text(format!("{whole}.{tenth}")));
        put(&name::REMAINING, text(self.remaining.to_usd_string(2)));
        put(&name::STATUS, HeaderValue::from_static(self.status));
        put(&name::RESETS, text(resets.to_owned()));
        let status = match self.status {
            "ok" => "allowed",
            "blocked" => "rejected",
            _ => "allowed_warning",
        };
        put(&name::UNIFIED_STATUS, HeaderValue::from_static("allowed"));
        put(&name::CLAIM, HeaderValue::from_static("overage"));
        put(&name::OVERAGE_STATUS, HeaderValue::from_static(status));
        let (units, permille) = (self.percent_tenths / 1_000, self.percent_tenths % 1_000);
        put(&name::UTILIZATION, text(format!("{units}.{permille:03}")));
        if self.resets_at < UnixMs::MAX / 2 {
            let seconds = HeaderValue::from(self.resets_at / 1_000);
            put(&name::UNIFIED_RESET, seconds.clone());
            put(&name::OVERAGE_RESET, seconds);
        }
        let surpassed = [(95, "0.95"), (75, "0.75")]
            .into_iter()
            .find(|(share, _)| whole >= *share);
        if let Some((_, share)) = surpassed {
            put(&name::SURPASSED, HeaderValue::from_static(share));
        }
        all
    }
}
