//! Usage comes in: at least once from the data planes, exactly once into the ledger.

use super::costing::{Costing, Used};
use super::notifications::events;
use super::{App, breaker, explanations, observed, rollup};
use crate::store::entity::usage_record;
use crate::store::{Beside, Drawn, QuarantineRow, Step, Steps, StoreError};
use ccag_domain::UsageRecord;
use ccag_proto::v1;
use prost::Message;
use std::collections::{BTreeMap, HashMap};

/// The most tokens of one class that a request can have used: far above any context window.
const MAX_TOKENS: u64 = 1_000_000_000;

/// The most web searches that a request can have had.
const MAX_SEARCHES: u32 = 10_000;

/// The times that a record can have, in milliseconds: the years 2020 to 2099.
pub(super) const TIMES: std::ops::Range<i64> = 1_577_836_800_000..4_102_444_800_000;

/// The longest descriptive text that is kept, in characters.
const MAX_TEXT: usize = 256;

/// The longest account of a record that was put aside, in characters.
const MAX_PAYLOAD: usize = 8_192;

/// The most records that go into one transaction.
const MAX_ROWS: usize = 1_000;

/// The longest message that is kept as it came, in bytes; a record has a few hundred.
const MAX_MESSAGE: usize = 65_536;

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
    /// The message as it came, for another attempt.
    pub message: Vec<u8>,
}

/// Reads a message; one that is no record is kept as it came.
#[must_use]
pub fn understand(message: Vec<u8>) -> Incoming {
    let unreadable = |id: &str, reason: String, payload: String, message: Vec<u8>| {
        Incoming::Unreadable(Unreadable {
            id: id.to_owned(),
            reason,
            payload,
            message,
        })
    };
    let mut decoded = match v1::UsageRecord::decode(message.as_slice()) {
        Ok(decoded) => decoded,
        Err(error) => {
            let payload = String::from_utf8_lossy(&message).into_owned();
            return unreadable("", error.to_string(), payload, message);
        }
    };
    // What explains a record is no part of what a person looks at.
    let (json, decided) = (decoded.explanation.take(), decoded.decided.take());
    let (id, payload) = (decoded.id.clone(), format!("{decoded:?}"));
    let is_explained = json.is_some() || decided.is_some();
    (decoded.explanation, decoded.decided) = (json, decided);
    match UsageRecord::try_from(decoded) {
        Ok(record) => {
            if is_explained && record.explanation.is_none() {
                tracing::warn!(request_id = %record.request_id, "what explains a request cannot be read and is let go");
            }
            Incoming::Record(Box::new(record))
        }
        Err(error) => unreadable(&id, error.to_string(), payload, message),
    }
}

/// A record that was understood and is refused all the same.
fn refused(record: &UsageRecord, reason: String) -> Unreadable {
    let shown = UsageRecord {
        explanation: None,
        ..record.clone()
    };
    Unreadable {
        id: record.id.to_string(),
        reason,
        payload: format!("{shown:?}"),
        message: v1::UsageRecord::from(record.clone()).encode_to_vec(),
    }
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
    let mut costing = Costing::load(app).await?;
    let now = app.now_ms();
    // Sorted by id, each once: see the store.
    let mut rows: BTreeMap<String, usage_record::Model> = BTreeMap::new();
    let mut beside = Beside::default();
    let mut records: HashMap<String, Box<UsageRecord>> = HashMap::new();
    let mut repeated = 0;
    for incoming in batch {
        let unreadable = match incoming {
            Incoming::Record(record) => match check(&record) {
                Ok(()) => {
                    note(app, &mut costing, &mut beside, &record);
                    let row = row(&mut costing, &record, now);
                    records.insert(row.id.clone(), record);
                    repeated += usize::from(rows.insert(row.id.clone(), row).is_some());
                    continue;
                }
                Err(reason) => refused(&record, reason),
            },
            Incoming::Unreadable(unreadable) => unreadable,
        };
        receipt
            .quarantined
            .push(quarantine(app, replica_id, unreadable).await?);
    }
    let rows: Vec<_> = rows.into_values().collect();
    let batch = Batch {
        replica_id,
        beside,
        records,
    };
    store(app, &batch, &rows, &mut receipt).await?;
    receipt.duplicates += repeated;
    app.metrics.usage_stored.inc_by(receipt.stored as u64);
    app.metrics.usage_duplicate.inc_by(receipt.duplicates as u64);
    app.metrics
        .usage_quarantined
        .inc_by(receipt.quarantined.len() as u64);
    Ok(receipt)
}

/// Takes in a record that was put aside. Returns whether it was new, or, if it still cannot be stored, why.
///
/// # Errors
/// [`StoreError`] if the database is not able to take anything now.
pub(super) async fn take_in_again(app: &App, message: Vec<u8>) -> Result<Result<bool, String>, StoreError> {
    let record = match understand(message) {
        Incoming::Record(record) => record,
        Incoming::Unreadable(unreadable) => return Ok(Err(unreadable.reason)),
    };
    if let Err(reason) = check(&record) {
        return Ok(Err(reason));
    }
    let mut costing = Costing::load(app).await?;
    let mut beside = Beside::default();
    note(app, &mut costing, &mut beside, &record);
    let rows = [row(&mut costing, &record, app.now_ms())];
    let tell = |step: &Step| events::budget(app, step);
    let noting = Steps {
        now_ms: app.now_ms(),
        tell: &tell,
    };
    let inserted = app.store.insert_usage(&rows, &beside, rollup::sums, &noting);
    match inserted.await {
        Ok(inserted) => {
            app.metrics.usage_stored.inc_by(inserted.ids.len() as u64);
            let new = rows.iter().filter(|row| inserted.ids.contains(&row.id));
            new.for_each(|row| app.metrics.spent(row));
            Ok(Ok(!inserted.ids.is_empty()))
        }
        Err(error @ (StoreError::Data(_) | StoreError::Duplicate(_))) => Ok(Err(error.to_string())),
        Err(error) => Err(error),
    }
}

/// What belongs to the rows of a batch.
struct Batch<'a> {
    replica_id: &'a str,
    beside: Beside,
    records: HashMap<String, Box<UsageRecord>>,
}

/// Stores rows, so many at a time; where the database refuses their data, halves them until the culprit stands alone.
async fn store(
    app: &App,
    batch: &Batch<'_>,
    rows: &[usage_record::Model],
    receipt: &mut Receipt,
) -> Result<(), StoreError> {
    let mut parts: Vec<_> = rows.chunks(MAX_ROWS).rev().collect();
    let tell = |step: &Step| events::budget(app, step);
    let noting = Steps {
        now_ms: app.now_ms(),
        tell: &tell,
    };
    while let Some(part) = parts.pop() {
        let inserted = app.store.insert_usage(part, &batch.beside, rollup::sums, &noting);
        match inserted.await {
            Ok(inserted) => {
                receipt.stored += inserted.ids.len();
                receipt.duplicates += part.len() - inserted.ids.len();
                let new = part.iter().filter(|row| inserted.ids.contains(&row.id));
                new.clone().for_each(|row| app.metrics.spent(row));
                if let Err(error) = breaker::watch(app, new).await {
                    tracing::warn!(%error, "the pace of sessions could not be looked at");
                }
            }
            Err(error @ (StoreError::Data(_) | StoreError::Duplicate(_))) => match part {
                [row] => {
                    let Some(record) = batch.records.get(&row.id) else {
                        return Err(error);
                    };
                    let unreadable = refused(record, error.to_string());
                    receipt
                        .quarantined
                        .push(quarantine(app, batch.replica_id, unreadable).await?);
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

/// Notes what belongs to a record.
fn note(app: &App, costing: &mut Costing, beside: &mut Beside, record: &UsageRecord) {
    let id = || record.id.to_string();
    beside.drawn.extend(draws(record).map(|draws| (id(), draws)));
    beside
        .explained
        .extend(explanations::row(app, record).map(|row| (id(), row)));
    beside
        .observed
        .extend(observed::of(costing, record).map(|seen| (id(), seen)));
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
    let message = hex::encode(&refused.message);
    let id = match ccag_domain::UsageId::parse(&refused.id) {
        Ok(id) => id.to_string(),
        Err(_) => format!("raw_{}", ccag_domain::KeyDigest::of(&message).to_hex()),
    };
    app.store
        .insert_quarantine(QuarantineRow {
            id,
            replica_id: clean(replica_id, MAX_TEXT),
            reason: clean(&refused.reason, MAX_TEXT),
            payload,
            at_ms: app.now_ms(),
            message: (refused.message.len() <= MAX_MESSAGE).then_some(message),
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
pub(super) fn clean(text: &str, max: usize) -> String {
    text.chars()
        .map(|c| if c == '\0' { '\u{fffd}' } else { c })
        .take(max)
        .collect()
}

/// The ledger's row: the record, with what it cost at the prices that were in force when it began.
fn row(costing: &mut Costing, record: &UsageRecord, now_ms: i64) -> usage_record::Model {
    let used = Used {
        model: &record.model,
        geography: record.geography,
        lane: record.surface,
        tokens: record.tokens,
        web_searches: record.web_searches,
        began_ms: record.started_at_ms,
    };
    let cost = costing.cost(&used);
    if cost.assumed {
        tracing::warn!(model = %cost.model, "a model without a price was priced as the dearest of its family");
    }
    let count = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let optional = |text: &Option<String>| text.as_ref().map(|text| clean(text, MAX_TEXT));
    usage_record::Model {
        id: record.id.to_string(),
        request_id: record.request_id.to_string(),
        aws_request_id: optional(&record.aws_request_id),
        key_id: record.key_id.to_string(),
        user_id: record.user_id.as_ref().map(ToString::to_string),
        team_id: record.team_id.as_ref().map(ToString::to_string),
        model: cost.model.to_string(),
        bedrock_model: clean(&record.bedrock_model, MAX_TEXT),
        geography: record.geography.as_str().to_owned(),
        endpoint_id: record.endpoint_id.to_string(),
        streaming: record.streaming,
        outcome: record.outcome.as_str().to_owned(),
        error: optional(&record.error),
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
        session_id: optional(&record.session_id),
        replica_id: record.replica_id.to_string(),
        cost_nano_usd: cost.amount.0,
        price_id: cost.price_id,
        price_assumed: cost.assumed,
        received_at_ms: now_ms,
        surface: record.surface.as_str().to_owned(),
        web_searches: i64::from(record.web_searches),
        agent_id: optional(&record.agent_id),
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
