//! Usage comes in: at least once from the data planes, exactly once into the ledger.

use super::{App, allowances, rollup};
use crate::store::entity::usage_record;
use crate::store::{Drawn, QuarantineRow, StoreError, rows};
use ccag_domain::{DatedPrice, ModelName, NanoUsd, PriceBook, PriceHistory, UsageRecord, catalogue};
use std::collections::{BTreeMap, HashMap};

/// The most tokens of one class that a request can have used: far above any context window.
const MAX_TOKENS: u64 = 1_000_000_000;

/// The most web searches that a request can have had.
const MAX_SEARCHES: u32 = 10_000;

/// The times that a record can have, in milliseconds: the years 2020 to 2099.
const TIMES: std::ops::Range<i64> = 1_577_836_800_000..4_102_444_800_000;

/// The longest descriptive text that is kept, in characters.
const MAX_TEXT: usize = 256;

/// The longest account of a record that was put aside, in characters.
const MAX_PAYLOAD: usize = 8_192;

/// A record as it arrived: understood, or not.
#[derive(Debug, Clone)]
pub enum Incoming {
    /// A record.
    Record(Box<UsageRecord>),
    /// A message that is no record.
    Unreadable(Unreadable),
}

/// A message that is no record.
#[derive(Debug, Clone)]
pub struct Unreadable {
    /// The id it came with, whatever it is.
    pub id: String,
    /// What is wrong with it.
    pub reason: String,
    /// The whole message, for the person who looks into it.
    pub payload: String,
}

/// What became of a batch: everything in it is stored or put aside.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Receipt {
    /// How many records are in the ledger because of this batch.
    pub stored: usize,
    /// How many were there before.
    pub duplicates: usize,
    /// The ids of those that were put aside.
    pub quarantined: Vec<String>,
}

/// Takes in a batch. Records that can never be stored are put aside one by one, and the rest goes in.
///
/// # Errors
/// [`StoreError`] if the database is not able to take anything now: the batch must be sent again.
pub async fn take_in(app: &App, replica_id: &str, batch: Vec<Incoming>) -> Result<Receipt, StoreError> {
    let mut receipt = Receipt::default();
    let mut pricing = Pricing::load(app).await?;
    let now = app.now_ms();
    // Sorted by id, each once: see the store.
    let mut rows: BTreeMap<String, usage_record::Model> = BTreeMap::new();
    let mut drawn: HashMap<String, Drawn> = HashMap::new();
    let mut repeated = 0;
    for incoming in batch {
        let refused = match incoming {
            Incoming::Record(record) => match check(&record) {
                Ok(()) => {
                    if let Some(draws) = draws(&record) {
                        drawn.insert(record.id.to_string(), draws);
                    }
                    let row = pricing.price(*record, now);
                    repeated += usize::from(rows.insert(row.id.clone(), row).is_some());
                    continue;
                }
                Err(reason) => Unreadable {
                    id: record.id.to_string(),
                    payload: format!("{record:?}"),
                    reason,
                },
            },
            Incoming::Unreadable(refused) => refused,
        };
        receipt
            .quarantined
            .push(quarantine(app, replica_id, refused).await?);
    }
    let rows: Vec<_> = rows.into_values().collect();
    store(app, replica_id, &rows, &drawn, &mut receipt).await?;
    receipt.duplicates += repeated;
    app.metrics.usage_stored.inc_by(receipt.stored as u64);
    app.metrics.usage_duplicate.inc_by(receipt.duplicates as u64);
    app.metrics
        .usage_quarantined
        .inc_by(receipt.quarantined.len() as u64);
    Ok(receipt)
}

/// Stores rows; where the database refuses their data, halves them until the culprit stands alone.
async fn store(
    app: &App,
    replica_id: &str,
    rows: &[usage_record::Model],
    drawn: &HashMap<String, Drawn>,
    receipt: &mut Receipt,
) -> Result<(), StoreError> {
    let mut parts = vec![rows];
    while let Some(part) = parts.pop() {
        match app.store.insert_usage(part, drawn, rollup::sums).await {
            Ok(inserted) => {
                receipt.stored += inserted.ids.len();
                receipt.duplicates += part.len() - inserted.ids.len();
                // What is missed here is noticed with the next record.
                if let Err(error) = allowances::note_steps(app, &inserted.accounts).await {
                    tracing::warn!(%error, "steps of budgets could not be noted");
                }
            }
            Err(error @ (StoreError::Data(_) | StoreError::Duplicate(_))) => match part {
                [row] => {
                    let refused = Unreadable {
                        id: row.id.clone(),
                        reason: error.to_string(),
                        payload: format!("{row:?}"),
                    };
                    receipt
                        .quarantined
                        .push(quarantine(app, replica_id, refused).await?);
                }
                _ => {
                    let (left, right) = part.split_at(part.len() / 2);
                    parts.extend([right, left]);
                }
            },
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// What a record has drawn, if anything.
fn draws(record: &UsageRecord) -> Option<Drawn> {
    if record.draws.is_empty() {
        return None;
    }
    Some(Drawn {
        run: i64::try_from(record.run).unwrap_or(i64::MAX),
        draws: record
            .draws
            .iter()
            .map(|draw| (draw.account.to_string(), draw.amount.0))
            .collect(),
    })
}

/// Puts a message aside and returns the id it came with.
async fn quarantine(app: &App, replica_id: &str, refused: Unreadable) -> Result<String, StoreError> {
    tracing::error!(
        id = %clean(&refused.id, MAX_TEXT),
        replica_id,
        reason = %clean(&refused.reason, MAX_TEXT),
        "a usage record was put aside: it is not in the ledger"
    );
    let payload = clean(&refused.payload, MAX_PAYLOAD);
    let id = match ccag_domain::UsageId::parse(&refused.id) {
        Ok(id) => id.to_string(),
        Err(_) => format!("raw_{}", ccag_domain::KeyDigest::of(&refused.payload).to_hex()),
    };
    app.store
        .insert_quarantine(QuarantineRow {
            id,
            replica_id: clean(replica_id, MAX_TEXT),
            reason: clean(&refused.reason, MAX_TEXT),
            payload,
            at_ms: app.now_ms(),
        })
        .await?;
    Ok(refused.id)
}

/// Refuses what cannot be true, and what no database takes.
fn check(record: &UsageRecord) -> Result<(), String> {
    let tokens = record.tokens;
    for (class, count) in [
        ("input", tokens.input),
        ("output", tokens.output),
        ("cache read", tokens.cache_read),
        ("5-minute cache write", tokens.cache_write_5m),
        ("1-hour cache write", tokens.cache_write_1h),
    ] {
        if count > MAX_TOKENS {
            return Err(format!("absurd count of {class} tokens: {count}"));
        }
    }
    if record.web_searches > MAX_SEARCHES {
        return Err(format!("absurd count of web searches: {}", record.web_searches));
    }
    if !TIMES.contains(&record.started_at_ms) {
        return Err(format!("absurd time: {}", record.started_at_ms));
    }
    let model = record.model.as_str();
    if model.is_empty() || model.contains('\0') || model.chars().count() > MAX_TEXT {
        return Err("the model's name is empty, too long or holds a NUL".to_owned());
    }
    Ok(())
}

/// Text without NUL, which Postgres does not take, and not longer than `max` characters. What describes a record never
/// decides whether it is counted: some of it comes from clients.
fn clean(text: &str, max: usize) -> String {
    text.chars()
        .map(|c| if c == '\0' { '\u{fffd}' } else { c })
        .take(max)
        .collect()
}

/// The prices over time, and the other names of models.
struct Pricing {
    history: PriceHistory,
    /// The books of the stretches of time that records have asked for.
    books: HashMap<usize, PriceBook>,
    aliases: HashMap<ModelName, ModelName>,
    /// Of one web search.
    search: NanoUsd,
}

impl Pricing {
    async fn load(app: &App) -> Result<Self, StoreError> {
        let mut prices = Vec::new();
        for row in app.store.list_price_history().await? {
            prices.push(rows::dated_price(&row)?);
        }
        if prices.is_empty() {
            prices.extend(catalogue::prices().into_iter().map(|price| DatedPrice {
                price,
                valid_from_ms: 0,
                valid_until_ms: None,
            }));
        }
        let mut aliases = HashMap::new();
        for row in app.store.list_models().await? {
            let model = rows::model(&row)?;
            aliases.extend(model.aliases.into_iter().map(|alias| (alias, model.name.clone())));
        }
        Ok(Self {
            history: PriceHistory::new(prices),
            books: HashMap::new(),
            aliases,
            search: app.store.find_web_search().await?.price,
        })
    }

    /// The ledger's row: the record, with what it cost at the prices that were in force when it began.
    fn price(&mut self, record: UsageRecord, now_ms: i64) -> usage_record::Model {
        let model = self.aliases.get(&record.model).unwrap_or(&record.model).clone();
        let (history, began) = (&self.history, record.started_at_ms);
        let book = self
            .books
            .entry(history.stretch(began))
            .or_insert_with(|| history.at(began));
        let cost = book
            .cost(&model, record.geography, record.surface, &record.tokens)
            // All prices were taken away: what there was before is better than nothing.
            .or_else(|| {
                let built_in = PriceBook::new(catalogue::prices());
                built_in.cost(&model, record.geography, record.surface, &record.tokens)
            });
        let (cost, price_id, assumed) = match cost {
            Some(cost) => (cost.amount, cost.price_id.to_string(), cost.assumed),
            // The built-in book is never empty.
            None => (NanoUsd::ZERO, "price_none".to_owned(), true),
        };
        let cost = cost + self.search.times(record.web_searches);
        if assumed {
            tracing::warn!(model = %model, "a model without a price was priced as the dearest of its family");
        }
        let count = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        let optional = |text: Option<String>| text.map(|text| clean(&text, MAX_TEXT));
        usage_record::Model {
            id: record.id.into(),
            request_id: record.request_id.into(),
            aws_request_id: optional(record.aws_request_id),
            key_id: record.key_id.into(),
            user_id: record.user_id.map(Into::into),
            team_id: record.team_id.map(Into::into),
            model: model.to_string(),
            bedrock_model: clean(&record.bedrock_model, MAX_TEXT),
            geography: record.geography.as_str().to_owned(),
            endpoint_id: record.endpoint_id.into(),
            streaming: record.streaming,
            outcome: record.outcome.as_str().to_owned(),
            error: optional(record.error),
            status: i64::from(record.status),
            input_tokens: count(record.tokens.input),
            output_tokens: count(record.tokens.output),
            cache_read_tokens: count(record.tokens.cache_read),
            cache_write_5m_tokens: count(record.tokens.cache_write_5m),
            cache_write_1h_tokens: count(record.tokens.cache_write_1h),
            estimated: record.estimated,
            attempts: i64::from(record.attempts),
            started_at_ms: record.started_at_ms,
            first_token_ms: record.first_token_ms.map(i64::from),
            duration_ms: i64::from(record.duration_ms),
            session_id: optional(record.session_id),
            replica_id: record.replica_id.into(),
            cost_nano_usd: cost.0,
            price_id,
            price_assumed: assumed,
            received_at_ms: now_ms,
            surface: record.surface.as_str().to_owned(),
            web_searches: i64::from(record.web_searches),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_by_characters_and_loses_its_nul() {
        assert_eq!(clean("a\0ü", 3), "a\u{fffd}ü");
        assert_eq!(clean(&"ü".repeat(300), 256).chars().count(), 256);
    }
}
