//! Costs that the ledger holds, worked out anew from the prices that are in the history now.

use super::costing::{Costed, Costing, Used};
use super::notifications::events;
use super::{App, Changed, rollup, usage};
use crate::store::entity::usage_record;
use crate::store::{LedgerFilter, Repriced, Step, Steps, StoreError};
use ccag_admin_api::{Reprice, RepriceQuery, RepriceReport, RepricedModel};
use ccag_domain::{Actor, Area, Code, Geography, Lane, ModelName, NanoUsd, Permission, Problem, Tokens};
use serde_json::json;
use std::collections::BTreeMap;

/// How many records are read, and changed in one transaction, at a time.
const PAGE: u64 = 500;

/// The longest reason, in characters.
const MAX_REASON: usize = 500;

/// Shows what the records of a range would cost at the prices that are in the history now. Changes nothing.
///
/// # Errors
/// [`Code::Forbidden`] for members, [`Code::InvalidRequest`] for a range that is none.
pub async fn preview(app: &App, actor: &Actor, query: RepriceQuery) -> Result<RepriceReport, Problem> {
    actor.require_all(Permission::Read(Area::Ledger))?;
    let filter = filter(app, &query).await?;
    walk(app, &query, &filter, false).await
}

/// Gives the records of a range the costs that [`preview`] shows. Every transaction leaves rows, hourly sums and budgets
/// agreeing with each other; where it is interrupted, doing it again does the rest.
///
/// # Errors
/// As [`preview`], and [`Code::InvalidRequest`] without a reason.
pub async fn apply(app: &App, actor: &Actor, request: Reprice) -> Result<RepriceReport, Problem> {
    actor.require_all(Permission::Change(Area::Ledger))?;
    let reason = request.reason.trim();
    if reason.is_empty() || reason.chars().count() > MAX_REASON || reason.contains('\0') {
        let message = format!("Say why, in at most {MAX_REASON} characters: it stands in the audit log.");
        return Err(Problem::new(Code::InvalidRequest, message).field("reason"));
    }
    let query = RepriceQuery {
        from: request.from,
        to: request.to,
        model: request.model.clone(),
    };
    let filter = filter(app, &query).await?;
    let about = |changed: Changed| {
        changed
            .with("from", &query.from)
            .with("to", &query.to)
            .with("model", &filter.model)
            .with("reason", &reason)
    };
    // What it comes to is known at the end; if it is interrupted, this says who began it.
    note(app, actor, "usage.reprice.begin", about(Changed::default())).await?;
    let report = walk(app, &query, &filter, true).await?;
    let cost = |amount: NanoUsd| json!({ "cost_nano_usd": amount });
    let changed = Changed::updated(&cost(report.stored_nano_usd), &cost(report.recomputed_nano_usd));
    note(
        app,
        actor,
        "usage.reprice",
        about(changed).with("rows", &report.changed_rows),
    )
    .await?;
    Ok(report)
}

async fn note(app: &App, actor: &Actor, action: &'static str, details: Changed) -> Result<(), Problem> {
    let tx = app.store.change().await?;
    let entry = app.audit_usage(actor, action, "ledger", details);
    tx.commit(app.now_ms(), entry).await?;
    Ok(())
}

async fn filter(app: &App, query: &RepriceQuery) -> Result<LedgerFilter, Problem> {
    if query.from >= query.to {
        return Err(Problem::new(
            Code::InvalidRequest,
            "The range ends before it begins; exchange `from` and `to`.",
        )
        .field("from"));
    }
    Ok(LedgerFilter {
        from_ms: Some(query.from.ms()),
        to_ms: Some(query.to.ms()),
        model: usage::model_name(app, query.model.as_deref()).await?,
        ..LedgerFilter::default()
    })
}

async fn walk(
    app: &App,
    query: &RepriceQuery,
    filter: &LedgerFilter,
    apply: bool,
) -> Result<RepriceReport, Problem> {
    let mut costing = Costing::load(app).await?;
    let mut models: BTreeMap<String, RepricedModel> = BTreeMap::new();
    let mut after: Option<(i64, String)> = None;
    loop {
        let cursor = after.as_ref().map(|(at_ms, id)| (*at_ms, id.as_str()));
        let page = app.store.list_usage(filter, cursor, PAGE).await?;
        let full = page.len() as u64 == PAGE;
        after = page.last().map(|last| (last.started_at_ms, last.id.clone()));
        let mut changes = Vec::new();
        for row in page {
            let cost = cost(&mut costing, &row)?;
            let is_new = cost.amount.0 != row.cost_nano_usd || cost.price_id != row.price_id;
            add(&mut models, &row, &cost, is_new);
            if is_new {
                changes.push(Repriced {
                    cost_nano_usd: cost.amount.0,
                    price_id: cost.price_id,
                    price_assumed: cost.assumed,
                    row,
                });
            }
        }
        if apply && !changes.is_empty() {
            let tell = |step: &Step| events::budget(app, step);
            let noting = Steps {
                now_ms: app.now_ms(),
                tell: &tell,
            };
            app.store.reprice(&changes, rollup::sums, &noting).await?;
        }
        if !full {
            break;
        }
    }
    let models: Vec<RepricedModel> = models.into_values().collect();
    let sum = |of: fn(&RepricedModel) -> NanoUsd| models.iter().map(of).sum::<NanoUsd>();
    Ok(RepriceReport {
        from: query.from,
        to: query.to,
        applied: apply,
        rows: models.iter().map(|m| m.rows).sum(),
        changed_rows: models.iter().map(|m| m.changed_rows).sum(),
        stored_nano_usd: sum(|m| m.stored_nano_usd),
        recomputed_nano_usd: sum(|m| m.recomputed_nano_usd),
        difference_nano_usd: sum(|m| m.difference_nano_usd),
        models,
    })
}

fn add(models: &mut BTreeMap<String, RepricedModel>, row: &usage_record::Model, cost: &Costed, is_new: bool) {
    let sum = models.entry(row.model.clone()).or_insert_with(|| RepricedModel {
        model: row.model.clone(),
        rows: 0,
        changed_rows: 0,
        stored_nano_usd: NanoUsd::ZERO,
        recomputed_nano_usd: NanoUsd::ZERO,
        difference_nano_usd: NanoUsd::ZERO,
    });
    let stored = NanoUsd(row.cost_nano_usd);
    sum.rows += 1;
    sum.changed_rows += u64::from(is_new);
    sum.stored_nano_usd += stored;
    sum.recomputed_nano_usd += cost.amount;
    sum.difference_nano_usd += cost.amount - stored;
}

/// What a record costs now.
fn cost(costing: &mut Costing, row: &usage_record::Model) -> Result<Costed, StoreError> {
    let unreadable = |column| move || StoreError::unreadable("usage_records", column);
    let count = |n: i64| u64::try_from(n).unwrap_or(0);
    let model = ModelName::canonical(&row.model);
    Ok(costing.cost(&Used {
        model: &model,
        geography: Geography::parse(&row.geography).ok_or_else(unreadable("bad value in geography"))?,
        lane: Lane::parse(&row.surface).ok_or_else(unreadable("bad value in surface"))?,
        tokens: Tokens {
            input: count(row.input_tokens),
            output: count(row.output_tokens),
            cache_read: count(row.cache_read_tokens),
            cache_write_5m: count(row.cache_write_5m_tokens),
            cache_write_1h: count(row.cache_write_1h_tokens),
        },
        web_searches: u32::try_from(row.web_searches).unwrap_or(0),
        began_ms: row.started_at_ms,
    }))
}
