//! What was spent: into the ledger, where analytics and budgets find it.

use super::world::{World, id};
use crate::app::costing::{Costing, Used};
use crate::app::intake::{TIMES, clean};
use crate::app::notifications::events;
use crate::app::rollup;
use crate::store::ccag::{Ccag, SpendRow};
use crate::store::entity::usage_record;
use crate::store::{Beside, Step, Steps, StoreError};
use ccag_domain::ids::ulid_of;
use ccag_domain::{Geography, Lane, ModelName, NanoUsd, Outcome, Tokens};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};

/// How many requests are read, and brought in within one transaction, at a time.
const PAGE: u64 = 1_000;

/// How many single requests, names and models are named at most.
const NAMED: usize = 20;

/// The longest descriptive text that is kept, in characters.
const MAX_TEXT: usize = 256;

/// The key of requests that were sent without one, by people who had signed in.
pub(super) const SIGNED_IN: &str = "key_former-sign-ins";

/// The endpoint of requests of which it is not known.
const NOWHERE: &str = "end_former-gateway";

/// What an import has found out about the history.
#[derive(Debug, Default)]
struct Seen {
    found: usize,
    made: usize,
    there: usize,
    /// What it has cost, in nano-USD.
    cost: i64,
    refused: usize,
    /// Requests without a price there, and what they cost here, by model.
    unpriced: BTreeMap<String, (u64, i64)>,
    /// Names of nobody, and how many requests.
    strangers: BTreeMap<String, u64>,
}

/// Brings the history in, or only looks at it. Says now and then how far it has come.
pub(super) async fn carry(
    world: &mut World<'_>,
    from: &Ccag,
    geographies: &HashMap<String, Geography>,
    say: &(dyn Fn(String) + Send + Sync),
) -> Result<(), StoreError> {
    let total = from.count_spend().await?;
    let mut costing = Costing::load(world.app).await?;
    let mut seen = Seen::default();
    let mut after = -i64::MAX;
    loop {
        let page = from.spend_after(after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.id;
        seen.found += page.len();
        let rows = page
            .iter()
            .filter_map(|row| record(world, &mut seen, &mut costing, geographies, row));
        let mut rows: Vec<_> = rows.collect();
        rows.sort_by(|a, b| a.id.cmp(&b.id));
        rows.dedup_by(|a, b| a.id == b.id);
        seen.cost = rows
            .iter()
            .fold(seen.cost, |sum, row| sum.saturating_add(row.cost_nano_usd));
        store(world, &mut seen, &rows).await?;
        if seen.found % 20_000 < page.len() {
            say(format!("{} of {total} requests of the history", seen.found));
        }
    }
    tell(world, &seen);
    Ok(())
}

/// Puts rows into the ledger that are not there yet, with their sums and budgets.
async fn store(
    world: &mut World<'_>,
    seen: &mut Seen,
    rows: &[usage_record::Model],
) -> Result<(), StoreError> {
    let app = world.app;
    let ids: Vec<String> = rows.iter().map(|row| row.id.clone()).collect();
    if world.report.dry_run {
        let there = app.store.count_usage_of(&ids).await?;
        seen.there += there;
        seen.made += rows.len() - there;
        return Ok(());
    }
    let tell = |step: &Step| events::budget(app, step);
    let noting = Steps {
        now_ms: world.now,
        tell: &tell,
    };
    let inserted = app
        .store
        .insert_usage(rows, &Beside::default(), rollup::sums, &noting)
        .await?;
    seen.made += inserted.ids.len();
    seen.there += rows.len() - inserted.ids.len();
    Ok(())
}

/// A request as a row of the ledger; `None` if it cannot be one.
fn record(
    world: &mut World<'_>,
    seen: &mut Seen,
    costing: &mut Costing,
    geographies: &HashMap<String, Geography>,
    row: &SpendRow,
) -> Option<usage_record::Model> {
    let counts = [
        row.input_tokens,
        row.output_tokens,
        row.cache_read_tokens,
        row.cache_write_tokens,
    ];
    let model = clean(&row.model, MAX_TEXT);
    let wrong = if counts.iter().any(|n| *n < 0) {
        Some("a count of tokens is negative")
    } else if !TIMES.contains(&row.recorded_at_ms) {
        Some("its time is none that a request can have")
    } else if model.trim().is_empty() {
        Some("it names no model")
    } else {
        None
    };
    if let Some(wrong) = wrong {
        seen.refused += 1;
        if seen.refused <= NAMED {
            world.report.note(
                "spend_log",
                row.id.to_string(),
                format!("{wrong}: it is not carried over"),
            );
        }
        return None;
    }
    let owner = row.key_id.as_ref().and_then(|id| world.keys.get(id));
    let named = row.user_identity.as_deref().map(str::to_lowercase);
    let user = named.as_ref().and_then(|name| world.emails.get(name)).cloned();
    if let (None, None, Some(name)) = (&user, owner, &row.user_identity) {
        *seen.strangers.entry(clean(name, MAX_TEXT)).or_default() += 1;
    }
    let user_id = user.or_else(|| owner.and_then(|owner| owner.user_id.clone()));
    // The budgets of teams count what their members spend, whichever key they use.
    let team_id = user_id.as_ref().and_then(|id| world.team_of.get(id)).cloned();
    let team_id = team_id.or_else(|| owner.and_then(|owner| owner.team_id.clone()));
    let endpoint_id = row.endpoint_id.as_ref().and_then(|uuid| id("end_", uuid));
    let endpoint_id = endpoint_id.unwrap_or_else(|| NOWHERE.to_owned());
    let geography = geographies
        .get(&endpoint_id)
        .copied()
        .unwrap_or(Geography::Global);
    let digest: [u8; 32] = Sha256::digest(format!(
        "{}\n{}\n{}\n{}",
        row.id,
        row.recorded_at_ms,
        row.request_id.as_deref().unwrap_or_default(),
        row.model
    ))
    .into();
    let mut bits = [0; 16];
    bits[..6].copy_from_slice(&row.recorded_at_ms.to_be_bytes()[2..]);
    bits[6..].copy_from_slice(&digest[..10]);
    let body = ulid_of(u128::from_be_bytes(bits));
    let request = row
        .request_id
        .as_deref()
        .and_then(|text| ccag_domain::RequestId::parse(text).ok());
    let count = |n: i64| u64::try_from(n).unwrap_or(0);
    let name = ModelName::canonical(&model);
    let used = Used {
        model: &name,
        geography,
        lane: Lane::InvokeModel,
        tokens: Tokens {
            input: count(row.input_tokens),
            output: count(row.output_tokens),
            cache_read: count(row.cache_read_tokens),
            cache_write_5m: count(row.cache_write_tokens),
            cache_write_1h: 0,
        },
        web_searches: 0,
        began_ms: row.recorded_at_ms,
    };
    let ours = costing.cost(&used);
    let (cost, price_id, assumed) = match row.cost {
        Some(cost) => (cost, "price_former-gateway".to_owned(), false),
        None => {
            let (requests, cost) = seen.unpriced.entry(model.clone()).or_default();
            *requests += 1;
            *cost = cost.saturating_add(ours.amount.0);
            (ours.amount.0, ours.price_id, true)
        }
    };
    Some(usage_record::Model {
        id: format!("use_{body}"),
        request_id: request.map_or_else(|| format!("req_{body}"), |id| id.to_string()),
        aws_request_id: None,
        key_id: owner.map_or_else(|| SIGNED_IN.to_owned(), |owner| owner.key_id.clone()),
        user_id,
        team_id,
        model: ours.model.to_string(),
        bedrock_model: model,
        geography: geography.as_str().to_owned(),
        endpoint_id,
        streaming: row.streaming,
        outcome: Outcome::Completed.as_str().to_owned(),
        error: None,
        status: 200,
        input_tokens: row.input_tokens,
        output_tokens: row.output_tokens,
        cache_read_tokens: row.cache_read_tokens,
        cache_write_5m_tokens: row.cache_write_tokens,
        cache_write_1h_tokens: 0,
        estimated: false,
        attempts: 1,
        started_at_ms: row.recorded_at_ms,
        first_token_ms: None,
        duration_ms: row.duration_ms.unwrap_or(0).max(0),
        session_id: row.session_id.as_ref().map(|text| clean(text, MAX_TEXT)),
        replica_id: "rep_former-gateway".to_owned(),
        cost_nano_usd: cost,
        price_id,
        price_assumed: assumed,
        received_at_ms: world.now,
        surface: Lane::InvokeModel.as_str().to_owned(),
        web_searches: 0,
        agent_id: None,
    })
}

fn tell(world: &mut World<'_>, seen: &Seen) {
    const TABLE: &str = "spend_log";
    let report = &mut world.report;
    report.part("requests of the history", seen.found, seen.made, seen.there);
    if seen.found > 0 {
        let text = format!(
            "{} requests cost {} dollars there",
            seen.made + seen.there,
            NanoUsd(seen.cost)
        );
        report.note(TABLE, "*", text);
    }
    if seen.refused > NAMED {
        report.note(
            TABLE,
            "*",
            format!(
                "{} more requests are not carried over for the same reasons",
                seen.refused - NAMED
            ),
        );
    }
    for (model, (requests, cost)) in seen.unpriced.iter().take(NAMED) {
        let text = format!(
            "{requests} requests for `{model}` have no price there, and counted as nothing; they count {} dollars here, by this \
             gateway's prices",
            NanoUsd(*cost)
        );
        report.note(TABLE, "*", text);
    }
    for (name, requests) in seen.strangers.iter().take(NAMED) {
        report.note(
            TABLE,
            "*",
            format!("{requests} requests are of `{name}`, who is no user: they count as nobody's"),
        );
    }
    for (what, more) in [("models", seen.unpriced.len()), ("names", seen.strangers.len())] {
        if more > NAMED {
            report.note(
                TABLE,
                "*",
                format!("the same holds for {} more {what}", more - NAMED),
            );
        }
    }
}
