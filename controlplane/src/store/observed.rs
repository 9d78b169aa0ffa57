//! What is seen of requests beside what they cost: which tools were called, how sessions and conversations go on, and what was
//! lost where a prompt was not read from the cache. It is added in the transaction of the records, so that each counts once.

use super::entity::usage_record;
use super::{StoreError, cache_losses, tool_sums, used_sessions};
use ccag_domain::{NanoUsd, PromptFacts, ToolCalls};
use sea_orm::DatabaseTransaction;
use std::collections::HashMap;

/// What is seen of a request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Observed {
    /// Which tools were called, and which have failed.
    pub(crate) tools: Vec<ToolCalls>,
    /// What the prompt is known by, and what reading it from the cache would have saved, where that can be told.
    pub(crate) prompt: Option<(PromptFacts, Saving)>,
    /// Whether it belongs to a session of a client.
    pub(crate) in_session: bool,
}

/// How much less a request would have cost, had all tokens of a class been read from the cache.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Saving {
    pub(crate) input: NanoUsd,
    pub(crate) cache_write_5m: NanoUsd,
    pub(crate) cache_write_1h: NanoUsd,
}

/// Adds what is seen of new records, by their ids.
pub(super) async fn add(
    tx: &DatabaseTransaction,
    new: &[&usage_record::Model],
    observed: &HashMap<String, Observed>,
) -> Result<(), StoreError> {
    let mut seen: Vec<(&usage_record::Model, &Observed)> = new
        .iter()
        .filter_map(|record| Some((*record, observed.get(&record.id)?)))
        .collect();
    if seen.is_empty() {
        return Ok(());
    }
    seen.sort_by_key(|(record, _)| (record.started_at_ms, &record.id));
    tool_sums::add(tx, &seen).await?;
    used_sessions::add(tx, &seen).await?;
    cache_losses::add(tx, &seen).await
}
