//! Other costs for records that are in the ledger.

use super::dialect::{self, LedgerUse};
use super::entity::{budget_account, usage_record, usage_rollup};
use super::ledger::counts;
use super::{Steps, Store, StoreError, allowances, rollups, steps};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter};
use std::collections::HashMap;

/// What a record is to cost.
#[derive(Debug, Clone)]
pub(crate) struct Repriced {
    /// The record as it was read.
    pub(crate) row: usage_record::Model,
    pub(crate) cost_nano_usd: i64,
    pub(crate) price_id: String,
    pub(crate) price_assumed: bool,
}

impl Repriced {
    fn difference(&self) -> i64 {
        self.cost_nano_usd.saturating_sub(self.row.cost_nano_usd)
    }
}

impl Store {
    /// Gives records other costs, and carries the differences to the hourly sums and to the accounts of budgets, in one
    /// transaction. A record that costs something else than when it was read is left alone. `sum` makes the hourly sums of
    /// records. Steps of budgets that are reached by it are noted and told in the same transaction.
    ///
    /// The records must be in the order in which the ledger lists them: two who do this at the same time then wait for each
    /// other instead of dead-locking.
    pub(crate) async fn reprice(
        &self,
        records: &[Repriced],
        sum: fn(&[&usage_record::Model]) -> Vec<usage_rollup::Model>,
        noting: &Steps<'_>,
    ) -> Result<(), StoreError> {
        use usage_record::Column as C;
        let (tx, _writer) = self.write().await?;
        // As one who adds: whoever sums up the ledger for a new account sees all of it or nothing.
        dialect::lock_ledger(&tx, self.backend, LedgerUse::Add).await?;
        let mut changed = Vec::new();
        for record in records {
            let updated = usage_record::Entity::update_many()
                .col_expr(C::CostNanoUsd, Expr::value(record.cost_nano_usd))
                .col_expr(C::PriceId, Expr::value(record.price_id.clone()))
                .col_expr(C::PriceAssumed, Expr::value(record.price_assumed))
                .filter(C::Id.eq(&record.row.id))
                .filter(C::CostNanoUsd.eq(record.row.cost_nano_usd))
                .exec(&tx)
                .await?;
            if updated.rows_affected == 1 && record.difference() != 0 {
                changed.push(record);
            }
        }
        rollups::add(&tx, differences(&changed, sum)).await?;
        let accounts = settle(&tx, &changed).await?;
        steps::note(&tx, &accounts, noting).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// Hourly sums that hold nothing but what is to be added to the costs.
fn differences(
    changed: &[&Repriced],
    sum: fn(&[&usage_record::Model]) -> Vec<usage_rollup::Model>,
) -> Vec<usage_rollup::Model> {
    let rows: Vec<usage_record::Model> = changed
        .iter()
        .map(|record| usage_record::Model {
            cost_nano_usd: record.difference(),
            ..record.row.clone()
        })
        .collect();
    let mut sums = sum(&rows.iter().collect::<Vec<_>>());
    for sum in &mut sums {
        sum.requests = 0;
        sum.errors = 0;
        sum.input_tokens = 0;
        sum.output_tokens = 0;
        sum.cache_read_tokens = 0;
        sum.cache_write_5m_tokens = 0;
        sum.cache_write_1h_tokens = 0;
        sum.latency.clear();
    }
    sums
}

async fn settle(
    tx: &DatabaseTransaction,
    changed: &[&Repriced],
) -> Result<Vec<budget_account::Model>, StoreError> {
    let rows: Vec<_> = changed.iter().map(|record| &record.row).collect();
    let mut differences: HashMap<String, i64> = HashMap::new();
    for account in allowances::candidates(tx, &rows).await? {
        let counting = changed.iter().filter(|record| counts(&account, &record.row));
        let sum = counting.fold(0_i64, |sum, record| sum.saturating_add(record.difference()));
        if sum != 0 {
            differences.insert(account.id, sum);
        }
    }
    if differences.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<String> = differences.keys().cloned().collect();
    let mut books = allowances::load(tx, &ids, &[]).await?;
    for (id, account) in &mut books.accounts {
        let difference = differences.get(id).copied().unwrap_or_default();
        account.settled_nano_usd = account.settled_nano_usd.saturating_add(difference);
    }
    let accounts = books.accounts.values().cloned().collect();
    allowances::save(tx, books).await?;
    Ok(accounts)
}
