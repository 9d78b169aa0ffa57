//! What was lost because a prompt was not read from the cache, and why: each turn of a conversation is held against the one before.
//! What can be known of it and what cannot: `docs/analytics.md`, "Lost to cache misses".

use super::cubes::day_start;
use super::entity::{cache_loss, conversation, usage_record};
use super::observed::{Observed, Saving};
use super::{StoreError, dialect};
use cache_loss::Column as L;
use ccag_domain::{CacheMiss, Caching, Outcome, PromptFacts, UnixMs};
use conversation::{Column as C, Entity, Model};
use sea_orm::sea_query::{Alias, Expr, ExprTrait, OnConflict};
use sea_orm::{
    ColumnTrait, DatabaseConnection, DatabaseTransaction, EntityTrait, IntoActiveModel, Iterable,
    QueryFilter, QueryOrder, QuerySelect,
};
use std::collections::BTreeMap;

/// Fewer tokens than this are no miss: no model caches a shorter prefix (Anthropic, "Prompt caching": 1024 tokens at least).
const LEAST: i64 = 1_024;

/// A longer prompt can be cached by every model (Anthropic, "Prompt caching": 4096 tokens at most are asked for).
const LONG_ENOUGH: i64 = 4_096;

/// How long a cache entry lives after it was last read (Anthropic, "Prompt caching").
const MINUTES_MS: i64 = 5 * 60_000;
const HOUR_MS: i64 = 60 * 60_000;

/// The turns of conversations, by conversation and model.
type Turns = BTreeMap<(String, String), Model>;

/// What a request that misses has lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Miss {
    reason: CacheMiss,
    tokens: i64,
}

/// Holds new records against the turns before them, and adds up what was lost.
pub(super) async fn add(
    tx: &DatabaseTransaction,
    seen: &[(&usage_record::Model, &Observed)],
) -> Result<(), StoreError> {
    let looked_at: Vec<_> = seen
        .iter()
        .filter_map(|(record, observed)| Some((*record, observed.prompt.as_ref()?)))
        .filter(|(record, _)| record.outcome == Outcome::Completed.as_str() && !record.estimated)
        .collect();
    if looked_at.is_empty() {
        return Ok(());
    }
    let mut turns = turns(tx, &looked_at).await?;
    let mut news = Turns::new();
    let mut losses: BTreeMap<[String; 7], cache_loss::Model> = BTreeMap::new();
    for (record, (facts, saving)) in looked_at {
        let turn = turn(record, facts);
        let of = (turn.conversation.clone(), turn.model.clone());
        if turns.get(&of).is_some_and(|known| known.at_ms > turn.at_ms) {
            // It came late: what came after it is known already.
            continue;
        }
        if facts.has_history
            && let Some(miss) = miss(&turns, &turn, record, facts.caching)
        {
            note(&mut losses, record, miss, *saving);
        }
        turns.insert(of.clone(), turn.clone());
        news.insert(of, turn);
    }
    let news: Vec<Model> = news.into_values().collect();
    for chunk in news.chunks(dialect::rows_per_statement(C::iter().count())) {
        let mut replaced = OnConflict::columns([C::Conversation, C::Model]);
        replaced.update_columns([
            C::AtMs,
            C::Place,
            C::PromptTokens,
            C::CachedTokens,
            C::Hour,
            C::Tools,
            C::System,
        ]);
        Entity::insert_many(chunk.iter().cloned().map(IntoActiveModel::into_active_model))
            .on_conflict(replaced)
            .exec_without_returning(tx)
            .await?;
    }
    put(tx, losses.into_values().collect()).await
}

/// How the conversations of records stand.
async fn turns(
    tx: &DatabaseTransaction,
    looked_at: &[(&usage_record::Model, &(PromptFacts, Saving))],
) -> Result<Turns, StoreError> {
    let mut names: Vec<String> = looked_at.iter().map(|(_, (facts, _))| named(facts)).collect();
    names.sort_unstable();
    names.dedup();
    let mut turns = Turns::new();
    for chunk in names.chunks(dialect::rows_per_statement(1)) {
        let rows = Entity::find()
            .filter(C::Conversation.is_in(chunk.iter().map(String::as_str)))
            .order_by_asc(C::Conversation)
            .order_by_asc(C::Model)
            .lock_exclusive()
            .all(tx)
            .await?;
        turns.extend(
            rows.into_iter()
                .map(|row| ((row.conversation.clone(), row.model.clone()), row)),
        );
    }
    Ok(turns)
}

fn named(facts: &PromptFacts) -> String {
    format!("{:016x}", facts.conversation)
}

fn turn(record: &usage_record::Model, facts: &PromptFacts) -> Model {
    let written = record.cache_write_5m_tokens + record.cache_write_1h_tokens;
    let cached = record.cache_read_tokens + written;
    Model {
        conversation: named(facts),
        model: record.model.clone(),
        at_ms: record.started_at_ms,
        place: format!("{}/{}/{}", record.endpoint_id, record.surface, record.geography),
        prompt_tokens: record.input_tokens + cached,
        cached_tokens: cached,
        hour: facts.caching == Caching::Hour,
        tools: i64::from(facts.tools),
        system: i64::from(facts.system),
    }
}

/// Whether a turn has missed the cache, and why: what is sure comes before what is likely.
fn miss(turns: &Turns, turn: &Model, record: &usage_record::Model, caching: Caching) -> Option<Miss> {
    let before = turns.get(&(turn.conversation.clone(), turn.model.clone()));
    let read = record.cache_read_tokens;
    let not_read = |could: i64| Ord::min(could, turn.prompt_tokens) - read;
    let unless_small = |reason, tokens: i64| (tokens >= LEAST).then_some(Miss { reason, tokens });
    let Some(before) = before else {
        // It has gone on with another model, or began before anything was known of it.
        let other = turns
            .range((turn.conversation.clone(), String::new())..)
            .take_while(|((conversation, _), _)| *conversation == turn.conversation)
            .map(|(_, other)| other)
            .filter(|other| other.at_ms <= turn.at_ms)
            .max_by_key(|other| other.at_ms)?;
        return unless_small(CacheMiss::ModelChanged, not_read(other.cached_tokens));
    };
    match caching {
        Caching::NotAsked => return unless_small(CacheMiss::NotAsked, not_read(before.prompt_tokens)),
        Caching::NotTaken => return unless_small(CacheMiss::NotTaken, not_read(before.prompt_tokens)),
        Caching::Minutes | Caching::Hour => {}
    }
    if turn.cached_tokens == 0 && turn.prompt_tokens < LONG_ENOUGH && before.cached_tokens == 0 {
        let tokens = Ord::min(before.prompt_tokens, turn.prompt_tokens);
        return (tokens > 0).then_some(Miss {
            reason: CacheMiss::TooShort,
            tokens,
        });
    }
    if turn.cached_tokens == 0 && before.cached_tokens == 0 {
        // Caching was asked for, and takes place nowhere.
        return unless_small(CacheMiss::Unexplained, not_read(before.prompt_tokens));
    }
    let lives = if before.hour { HOUR_MS } else { MINUTES_MS };
    let reason = if before.place != turn.place {
        CacheMiss::Moved
    } else if turn.at_ms - before.at_ms > lives {
        CacheMiss::Expired
    } else if before.tools != turn.tools {
        CacheMiss::ToolsChanged
    } else if before.system != turn.system {
        CacheMiss::SystemChanged
    } else if read > 0 {
        CacheMiss::HistoryChanged
    } else {
        CacheMiss::Unexplained
    };
    unless_small(reason, not_read(before.cached_tokens))
}

/// Adds what a miss has cost: the tokens are taken for those that were dearest, an hour's writes before those of five minutes, and
/// those before what was paid in full.
fn note(
    losses: &mut BTreeMap<[String; 7], cache_loss::Model>,
    record: &usage_record::Model,
    miss: Miss,
    saving: Saving,
) {
    let mut left = miss.tokens;
    let mut cost: i128 = 0;
    for (tokens, saving) in [
        (record.cache_write_1h_tokens, saving.cache_write_1h),
        (record.cache_write_5m_tokens, saving.cache_write_5m),
        (record.input_tokens, saving.input),
    ] {
        let part = Ord::min(left, tokens);
        if part > 0 {
            cost += i128::from(saving.0) * i128::from(part) / i128::from(tokens);
            left -= part;
        }
    }
    let row = cache_loss::Model {
        start_ms: day_start(record.started_at_ms),
        reason: miss.reason.as_str().to_owned(),
        team_id: record.team_id.clone().unwrap_or_default(),
        user_id: record.user_id.clone().unwrap_or_default(),
        key_id: record.key_id.clone(),
        model: record.model.clone(),
        endpoint_id: record.endpoint_id.clone(),
        requests: 1,
        tokens: miss.tokens - left,
        cost_nano_usd: i64::try_from(Ord::max(cost, 0)).unwrap_or(i64::MAX),
    };
    let key = [
        format!("{:020}", row.start_ms),
        row.reason.clone(),
        row.team_id.clone(),
        row.user_id.clone(),
        row.key_id.clone(),
        row.model.clone(),
        row.endpoint_id.clone(),
    ];
    match losses.get_mut(&key) {
        Some(sum) => {
            sum.requests += 1;
            sum.tokens = sum.tokens.saturating_add(row.tokens);
            sum.cost_nano_usd = sum.cost_nano_usd.saturating_add(row.cost_nano_usd);
        }
        None => {
            losses.insert(key, row);
        }
    }
}

async fn put(tx: &DatabaseTransaction, losses: Vec<cache_loss::Model>) -> Result<(), StoreError> {
    for chunk in losses.chunks(dialect::rows_per_statement(L::iter().count())) {
        let mut added = OnConflict::columns([
            L::StartMs,
            L::Reason,
            L::TeamId,
            L::UserId,
            L::KeyId,
            L::Model,
            L::EndpointId,
        ]);
        for column in [L::Requests, L::Tokens, L::CostNanoUsd] {
            let stored = Expr::col((cache_loss::Entity, column));
            let new = Expr::col((Alias::new("excluded"), column));
            added.value(column, stored.add(new));
        }
        cache_loss::Entity::insert_many(chunk.iter().cloned().map(IntoActiveModel::into_active_model))
            .on_conflict(added)
            .exec_without_returning(tx)
            .await?;
    }
    Ok(())
}

/// Forgets conversations of which nothing was heard since `at_ms`.
pub(super) async fn forget(db: &DatabaseConnection, at_ms: UnixMs) -> Result<u64, StoreError> {
    let gone = Entity::delete_many().filter(C::AtMs.lt(at_ms)).exec(db).await?;
    Ok(gone.rows_affected)
}
