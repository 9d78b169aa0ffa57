//! The ledger: one row per request, inserted once however often it arrives.

use super::dialect::{self, LedgerUse};
use super::entity::budget_account;
use super::entity::{usage_record, usage_rollup};
use super::together::Read as _;
use super::{
    ExplanationRow, Observed, Steps, Store, StoreError, allowances, explanations, observed, rollups, steps,
};
use ccag_allowance::Draw;
use ccag_domain::UnixMs;
use sea_orm::sea_query::{Expr, ExprTrait, Func};
use sea_orm::{
    ColumnTrait, Condition, DatabaseTransaction, EntityTrait, FromQueryResult, IntoActiveModel, Iterable,
    QueryFilter, QueryOrder, QuerySelect, Select, TryInsertResult,
};
use std::collections::{HashMap, HashSet};

/// Which records to export.
#[derive(Debug, Clone, Default)]
pub(crate) struct LedgerFilter {
    /// Started at or after this.
    pub(crate) from_ms: Option<UnixMs>,
    /// Started before this.
    pub(crate) to_ms: Option<UnixMs>,
    pub(crate) user_id: Option<String>,
    pub(crate) team_id: Option<String>,
    pub(crate) key_id: Option<String>,
    pub(crate) model: Option<String>,
}

/// What a record has drawn from the shares that its data plane was granted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Drawn {
    /// In which of its runs the data plane drew.
    pub(crate) run: i64,
    /// From which accounts, and how much.
    pub(crate) draws: Vec<(String, i64)>,
}

/// What belongs to records, by their ids.
#[derive(Debug, Default)]
pub(crate) struct Beside {
    /// What they have taken from the shares of their data planes.
    pub(crate) drawn: HashMap<String, Drawn>,
    /// How their requests were decided.
    pub(crate) explained: HashMap<String, ExplanationRow>,
    /// What is seen of them besides.
    pub(crate) observed: HashMap<String, Observed>,
}

/// What came of a batch.
#[derive(Debug, Default)]
pub(crate) struct Inserted {
    /// The ids that were new.
    pub(crate) ids: HashSet<String>,
}

impl Store {
    /// Inserts the records that are not there yet, and adds those, and only those, to the hourly sums and to the accounts of
    /// budgets, in one transaction. `sum` makes the sums of a set of records; `beside` is what belongs to them. Steps of budgets that
    /// are reached by it are noted and told in the same transaction.
    ///
    /// The rows must be sorted by id and each id stand once: two control planes that take in the same records at the same
    /// time then wait for each other instead of dead-locking.
    pub(crate) async fn insert_usage(
        &self,
        rows: &[usage_record::Model],
        beside: &Beside,
        sum: fn(&[&usage_record::Model]) -> Vec<usage_rollup::Model>,
        noting: &Steps<'_>,
    ) -> Result<Inserted, StoreError> {
        if rows.is_empty() {
            return Ok(Inserted::default());
        }
        let (tx, _writer) = self.write().await?;
        dialect::lock_ledger(&tx, self.backend, LedgerUse::Add).await?;
        let mut inserted = HashSet::with_capacity(rows.len());
        let columns = usage_record::Column::iter().count();
        for chunk in rows.chunks(dialect::rows_per_statement(columns)) {
            let result = usage_record::Entity::insert_many(
                chunk.iter().cloned().map(IntoActiveModel::into_active_model),
            )
            .on_conflict_do_nothing()
            .exec_with_returning_keys(&tx)
            .await?;
            if let TryInsertResult::Inserted(ids) = result {
                inserted.extend(ids);
            }
        }
        let new: Vec<_> = rows.iter().filter(|row| inserted.contains(&row.id)).collect();
        rollups::add(&tx, sum(&new)).await?;
        let accounts = settle(&tx, &new, &beside.drawn).await?;
        observed::add(&tx, &new, &beside.observed).await?;
        let explained = new
            .iter()
            .filter_map(|row| beside.explained.get(&row.id).cloned());
        explanations::add(&tx, explained.collect()).await?;
        steps::note(&tx, &accounts, noting).await?;
        tx.commit().await?;
        Ok(Inserted { ids: inserted })
    }

    /// How many of these records are there.
    pub(crate) async fn count_usage_of(&self, ids: &[String]) -> Result<usize, StoreError> {
        let there = usage_record::Entity::find()
            .filter(usage_record::Column::Id.is_in(ids))
            .count_in(self)
            .await?;
        Ok(usize::try_from(there).unwrap_or(usize::MAX))
    }

    /// One page of the ledger in order of time, after the record `after` (its time and id).
    pub(crate) async fn list_usage(
        &self,
        filter: &LedgerFilter,
        after: Option<(UnixMs, &str)>,
        limit: u64,
    ) -> Result<Vec<usage_record::Model>, StoreError> {
        use usage_record::Column as C;
        let mut condition = condition(filter);
        if let Some((at_ms, id)) = after {
            condition = condition.add(
                Condition::any()
                    .add(C::StartedAtMs.gt(at_ms))
                    .add(Condition::all().add(C::StartedAtMs.eq(at_ms)).add(C::Id.gt(id))),
            );
        }
        usage_record::Entity::find()
            .filter(condition)
            .order_by_asc(C::StartedAtMs)
            .order_by_asc(C::Id)
            .limit(limit)
            .all_in(self)
            .await
    }
}

fn condition(filter: &LedgerFilter) -> Condition {
    use usage_record::Column as C;
    Condition::all()
        .add_option(filter.from_ms.map(|at| C::StartedAtMs.gte(at)))
        .add_option(filter.to_ms.map(|at| C::StartedAtMs.lt(at)))
        .add_option(filter.user_id.as_ref().map(|id| C::UserId.eq(id)))
        .add_option(filter.team_id.as_ref().map(|id| C::TeamId.eq(id)))
        .add_option(filter.key_id.as_ref().map(|id| C::KeyId.eq(id)))
        .add_option(filter.model.as_ref().map(|name| C::Model.eq(name)))
}

/// What everything that a filter selects has cost, in nano-USD.
pub(super) async fn sum_cost(tx: &DatabaseTransaction, filter: &LedgerFilter) -> Result<i64, StoreError> {
    let sum: Option<Option<i64>> = cost_of(filter).into_tuple().one(tx).await?;
    Ok(sum.flatten().unwrap_or(0))
}

fn cost_of(filter: &LedgerFilter) -> Select<usage_record::Entity> {
    // `SUM` of 64-bit integers is a decimal on Postgres: cast back.
    let cost = Expr::expr(Func::sum(Expr::col(usage_record::Column::CostNanoUsd))).cast_as("bigint");
    usage_record::Entity::find()
        .select_only()
        .expr_as(cost, "sum")
        .filter(condition(filter))
}

#[derive(FromQueryResult)]
struct CostSum {
    sum: Option<i64>,
}

impl Store {
    /// What everything that a filter selects has cost, in nano-USD.
    pub(super) async fn sum_ledger(&self, filter: &LedgerFilter) -> Result<i64, StoreError> {
        let found: Vec<CostSum> = self.read_some(cost_of(filter), &["sum"]).await?;
        Ok(found.first().and_then(|found| found.sum).unwrap_or(0))
    }
}

/// Adds new records to the accounts that they count towards, and takes what they have drawn off their data planes' shares.
/// Returns the accounts as they are now.
async fn settle(
    tx: &DatabaseTransaction,
    new: &[&usage_record::Model],
    drawn: &HashMap<String, Drawn>,
) -> Result<Vec<budget_account::Model>, StoreError> {
    let mut costs: HashMap<String, i64> = HashMap::new();
    for account in allowances::candidates(tx, new).await? {
        let counting = new.iter().filter(|record| counts(&account, record));
        let cost = counting.fold(None, |sum: Option<i64>, record| {
            Some(sum.unwrap_or(0).saturating_add(record.cost_nano_usd))
        });
        costs.extend(cost.map(|cost| (account.id, cost)));
    }
    let with_draws: Vec<_> = new
        .iter()
        .filter_map(|record| Some((&record.replica_id, drawn.get(&record.id)?)))
        .filter(|(_, drawn)| !drawn.draws.is_empty())
        .collect();
    if costs.is_empty() && with_draws.is_empty() {
        return Ok(Vec::new());
    }
    let mut ids: Vec<String> = costs.keys().cloned().collect();
    ids.extend(
        with_draws
            .iter()
            .flat_map(|(_, drawn)| drawn.draws.iter().map(|(id, _)| id.clone())),
    );
    let replicas: HashSet<String> = with_draws.iter().map(|(replica, _)| (*replica).clone()).collect();
    let replicas: Vec<String> = replicas.into_iter().collect();
    let mut books = allowances::load(tx, &ids, &replicas).await?;
    let runs = allowances::runs(tx, &replicas).await?;
    for (id, cost) in &costs {
        if let Some(account) = books.accounts.get_mut(id) {
            account.settled_nano_usd = account.settled_nano_usd.saturating_add(*cost);
        }
    }
    for (replica, drawn) in with_draws {
        let earlier_run = runs.get(replica) != Some(&drawn.run);
        for (id, amount) in &drawn.draws {
            if books.holdings.contains_key(&(id.clone(), replica.clone())) {
                let draw = Draw {
                    amount: *amount,
                    earlier_run,
                };
                books.with(id, replica, None, |account, holding| {
                    account.settle(0, Some((holding, draw)))
                });
            }
        }
    }
    let accounts: Vec<_> = costs
        .keys()
        .filter_map(|id| books.accounts.get(id).cloned())
        .collect();
    allowances::save(tx, books).await?;
    Ok(accounts)
}

/// Whether a record counts towards an account.
pub(super) fn counts(account: &budget_account::Model, record: &usage_record::Model) -> bool {
    let is = |wanted: &str, there: Option<&str>| wanted.is_empty() || there == Some(wanted);
    (account.start_ms..account.end_ms).contains(&record.started_at_ms)
        && is(&account.team_id, record.team_id.as_deref())
        && is(&account.user_id, record.user_id.as_deref())
        && is(&account.key_id, Some(&record.key_id))
}
