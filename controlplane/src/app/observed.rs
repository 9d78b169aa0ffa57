//! What is seen of a request beside what it costs.

use super::App;
use super::costing::{Costing, Used};
use crate::store::{Observed, Saving, StoreError};
use ccag_domain::time::DAY_MS;
use ccag_domain::{NanoUsd, PromptFacts, Tokens, UsageRecord};

/// Sessions and conversations that rest for so long are forgotten: one that goes on afterwards counts as a new one.
const REST_MS: i64 = 30 * DAY_MS;

/// Forgets sessions and conversations that have rested for long.
///
/// # Errors
/// [`StoreError`].
pub(crate) async fn forget_rested(app: &App) -> Result<u64, StoreError> {
    app.store.forget_rested(app.now_ms() - REST_MS).await
}

/// What is seen of a record; `None` for nothing.
pub(super) fn of(costing: &mut Costing, record: &UsageRecord) -> Option<Observed> {
    let own = record.session_id.as_deref() == Some(UsageRecord::LANE_PROBE);
    if own {
        return None;
    }
    let observed = Observed {
        tools: record.tools.calls().to_vec(),
        prompt: record.prompt.and_then(|facts| prompt(costing, record, facts)),
        in_session: record.session_id.is_some(),
    };
    let is_any = observed.in_session || observed.prompt.is_some() || !observed.tools.is_empty();
    is_any.then_some(observed)
}

/// What reading from the cache would have saved. Nothing can be told of a request that was several calls, or none.
fn prompt(costing: &mut Costing, record: &UsageRecord, facts: PromptFacts) -> Option<(PromptFacts, Saving)> {
    if record.web_searches > 0 || record.attempts == 0 {
        return None;
    }
    if !facts.has_history {
        return Some((facts, Saving::default()));
    }
    let tokens = record.tokens;
    let mut cost = |tokens: Tokens| {
        let used = Used {
            model: &record.model,
            geography: record.geography,
            lane: record.surface,
            tokens,
            web_searches: 0,
            began_ms: record.started_at_ms,
        };
        costing.cost(&used).amount
    };
    let paid = cost(tokens);
    let mut saves = |count: u64, take: fn(&mut Tokens) -> &mut u64| {
        if count == 0 {
            return NanoUsd::ZERO;
        }
        let mut read = tokens;
        *take(&mut read) = 0;
        read.cache_read = read.cache_read.saturating_add(count);
        NanoUsd(paid.0.saturating_sub(cost(read).0))
    };
    let saving = Saving {
        input: saves(tokens.input, |tokens| &mut tokens.input),
        cache_write_5m: saves(tokens.cache_write_5m, |tokens| &mut tokens.cache_write_5m),
        cache_write_1h: saves(tokens.cache_write_1h, |tokens| &mut tokens.cache_write_1h),
    };
    Some((facts, saving))
}
