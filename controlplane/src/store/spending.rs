//! What was spent of accounts: whole hours from the sums that are kept, what lies at the edges from the ledger itself.

use super::cubes::Facts;
use super::ledger::{self, LedgerFilter};
use super::questions::Sql;
use super::reading::Reading;
use super::rollups::{Piece, RollupFilter};
use super::{Store, StoreError};
use ccag_domain::UnixMs;
use ccag_domain::account::AccountOf;
use ccag_domain::time::{HOUR_MS, hour_bucket};
use futures_util::future::try_join_all;
use sea_orm::{DatabaseTransaction, FromQueryResult, Statement};
use std::sync::atomic::Ordering;

/// How many accounts are summed up in one statement.
const AT_A_TIME: usize = 100;

impl Store {
    /// What was spent in each account's period by those who count, in their order, whether there is such an account or not.
    pub(crate) async fn sum_spent(&self, accounts: &[&AccountOf]) -> Result<Vec<i64>, StoreError> {
        let hours: Vec<RollupFilter> = accounts.iter().map(|account| whole_hours(account)).collect();
        let edges: Vec<(usize, LedgerFilter)> = accounts
            .iter()
            .enumerate()
            .flat_map(|(n, account)| edges(account).map(move |(from, to)| (n, in_ledger(account, from, to))))
            .collect();
        // Nothing is counted twice if something comes in between: they are about different times.
        let (hours, at_edges) = tokio::try_join!(
            try_join_all(hours.chunks(AT_A_TIME).map(|some| self.sum_costs_now(some))),
            try_join_all(edges.iter().map(|(_, filter)| self.sum_ledger(filter)))
        )?;
        let mut sums = hours.concat();
        for ((n, _), edge) in edges.iter().zip(at_edges) {
            if let Some(sum) = sums.get_mut(*n) {
                *sum = sum.saturating_add(edge);
            }
        }
        Ok(sums)
    }

    /// The same, as a transaction sees it.
    pub(super) async fn spent(
        &self,
        tx: &DatabaseTransaction,
        accounts: &[&AccountOf],
    ) -> Result<Vec<i64>, StoreError> {
        let mut sums = Vec::with_capacity(accounts.len());
        for some in accounts.chunks(AT_A_TIME) {
            let hours: Vec<RollupFilter> = some.iter().map(|account| whole_hours(account)).collect();
            sums.extend(self.sum_costs(tx, &hours).await?);
        }
        for (account, sum) in accounts.iter().zip(&mut sums) {
            for (from, to) in edges(account) {
                let edge = ledger::sum_cost(tx, &in_ledger(account, from, to)).await?;
                *sum = sum.saturating_add(edge);
            }
        }
        Ok(sums)
    }

    /// What everything that each filter selects has cost, in nano-USD, as a transaction sees it.
    async fn sum_costs(
        &self,
        tx: &DatabaseTransaction,
        filters: &[RollupFilter],
    ) -> Result<Vec<i64>, StoreError> {
        let rows = CostRow::find_by_statement(self.costs(filters)).all(tx).await?;
        Ok(in_order(rows, filters.len()))
    }

    /// The same, as it is now.
    async fn sum_costs_now(&self, filters: &[RollupFilter]) -> Result<Vec<i64>, StoreError> {
        let columns = vec!["n".to_owned(), "cost".to_owned()];
        let rows = self.read(self.costs(filters), columns).await?;
        Ok(in_order(rows, filters.len()))
    }

    fn costs(&self, filters: &[RollupFilter]) -> Statement {
        let mut sql = Sql::default();
        sql.say("SELECT n, CAST(SUM(cost_nano_usd) AS BIGINT) AS cost FROM (");
        for (n, filter) in filters.iter().enumerate() {
            let reading = Reading {
                facts: Facts::Usage,
                dims: filter.dims(),
                piece: Piece::Whole,
                latency: false,
                complete_from: self.complete_from.load(Ordering::Relaxed),
            };
            if n > 0 {
                sql.say(" UNION ALL ");
            }
            sql.parts(
                filter,
                &reading,
                &format!("CAST({n} AS BIGINT) AS n, cost_nano_usd"),
                "",
            );
        }
        sql.say(") AS parts GROUP BY n");
        sql.made(self)
    }
}

#[derive(FromQueryResult)]
struct CostRow {
    n: i64,
    cost: Option<i64>,
}

/// Sums in the order of the filters.
fn in_order(rows: Vec<CostRow>, filters: usize) -> Vec<i64> {
    let mut sums = vec![0; filters];
    for row in rows {
        if let Some(slot) = usize::try_from(row.n).ok().and_then(|n| sums.get_mut(n)) {
            *slot = row.cost.unwrap_or(0);
        }
    }
    sums
}

/// The first whole hour of an account's period, and the end of the last: the same where there is none.
fn hours(account: &AccountOf) -> (UnixMs, UnixMs) {
    let (start, end) = (account.stretch.start_ms, account.stretch.end_ms);
    let first = hour_bucket(start.saturating_add(HOUR_MS - 1));
    (first, hour_bucket(end).max(first))
}

/// What of a period lies before and after its whole hours. Most begin and end with an hour.
fn edges(account: &AccountOf) -> impl Iterator<Item = (UnixMs, UnixMs)> {
    let (start, end) = (account.stretch.start_ms, account.stretch.end_ms);
    let (first, last) = hours(account);
    let edges = if first == last {
        [(start, end), (end, end)]
    } else {
        [(start, first), (last, end)]
    };
    edges.into_iter().filter(|(from, to)| from < to)
}

fn in_ledger(account: &AccountOf, from: UnixMs, to: UnixMs) -> LedgerFilter {
    let filter = &account.filter;
    LedgerFilter {
        from_ms: Some(from),
        to_ms: Some(to),
        team_id: filter.team_id.as_ref().map(ToString::to_string),
        user_id: filter.user_id.as_ref().map(ToString::to_string),
        key_id: filter.key_id.as_ref().map(ToString::to_string),
        ..LedgerFilter::default()
    }
}

fn whole_hours(account: &AccountOf) -> RollupFilter {
    let filter = &account.filter;
    let (from, to) = hours(account);
    RollupFilter {
        from_ms: Some(from),
        to_ms: Some(to),
        team_id: filter.team_id.as_ref().map(ToString::to_string),
        user_id: filter.user_id.as_ref().map(ToString::to_string),
        key_id: filter.key_id.as_ref().map(ToString::to_string),
        ..RollupFilter::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ccag_domain::account::AccountFilter;
    use ccag_domain::{AccountId, BudgetId, Stretch};

    fn account(start_ms: UnixMs, end_ms: UnixMs) -> AccountOf {
        let budget = BudgetId::parse("bud_1").unwrap();
        AccountOf {
            id: AccountId::new(&budget, start_ms, None),
            stretch: Stretch { start_ms, end_ms },
            filter: AccountFilter::default(),
        }
    }

    #[test]
    fn hours_and_edges_are_the_whole_period() {
        for (start, end) in [
            (0, 24 * HOUR_MS),
            (1, 24 * HOUR_MS),
            (HOUR_MS / 2, 24 * HOUR_MS + HOUR_MS / 2),
            (10, 20),
            (HOUR_MS - 5, HOUR_MS + 5),
        ] {
            let account = account(start, end);
            let (first, last) = hours(&account);
            let edges: Vec<_> = edges(&account).collect();
            let sum: i64 = edges.iter().map(|(from, to)| to - from).sum();
            assert_eq!(sum + (last - first), end - start, "{start} to {end}: {edges:?}");
            assert!(first % HOUR_MS == 0 && last % HOUR_MS == 0);
        }
    }
}
