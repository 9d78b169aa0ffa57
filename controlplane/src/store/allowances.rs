//! Accounts of budgets and limits, and what data planes hold of them. The arithmetic is [`ccag_allowance`]'s.

use super::dialect::{self, LedgerUse};
use super::entity::{budget_account, budget_holder, budget_holding, usage_record};
use super::together::Read as _;
use super::{Store, StoreError};
use ccag_allowance::{Account, Holding, Report};
use ccag_domain::{BudgetId, UnixMs, account::AccountOf};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ColumnTrait, DatabaseTransaction, EntityTrait, IntoActiveModel, Iterable, PaginatorTrait, QueryFilter,
    QueryOrder, QuerySelect, QueryTrait,
};
use std::collections::{BTreeMap, HashMap, HashSet};
use tokio::sync::OwnedMutexGuard;

/// A stream of a data plane's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HolderStream {
    pub(crate) replica_id: String,
    /// Grows with each start of the data plane.
    pub(crate) run: i64,
    /// Grows with each stream of a run.
    pub(crate) stream: i64,
}

/// What became of a hello.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Begun {
    /// The run is known: it has reconnected.
    Resumed,
    /// It is a new run, or a new data plane.
    Restarted,
    /// A newer stream has begun already.
    Superseded,
}

/// Accounts by id, and holdings by account id and data plane.
#[derive(Debug, Default)]
pub(crate) struct Books {
    pub(crate) accounts: BTreeMap<String, budget_account::Model>,
    pub(crate) holdings: HashMap<(String, String), budget_holding::Model>,
}

impl Books {
    /// Whether an account is a limit's: what data planes hold of it ends with them.
    pub(crate) fn is_limit(&self, account_id: &str) -> bool {
        self.accounts.get(account_id).is_some_and(|row| row.is_limit)
    }

    /// Works on an account and on what a data plane holds of it. `ceiling` is the most that may be spent, or taken.
    pub(crate) fn with<T>(
        &mut self,
        account_id: &str,
        replica_id: &str,
        ceiling: Option<i64>,
        work: impl FnOnce(&mut Account, &mut Holding) -> T,
    ) -> Option<T> {
        let row = self.accounts.get_mut(account_id)?;
        let held = self
            .holdings
            .entry((account_id.to_owned(), replica_id.to_owned()))
            .or_insert_with(|| empty_holding(account_id, replica_id));
        let mut account = Account {
            ceiling,
            settled: row.settled_nano_usd,
            held: row.held_nano_usd,
        };
        let mut holding = holding(held);
        let done = work(&mut account, &mut holding);
        row.settled_nano_usd = account.settled;
        row.held_nano_usd = account.held;
        set_holding(held, &holding);
        Some(done)
    }
}

fn empty_holding(account_id: &str, replica_id: &str) -> budget_holding::Model {
    budget_holding::Model {
        account_id: account_id.to_owned(),
        replica_id: replica_id.to_owned(),
        carried: 0,
        written_off: 0,
        granted: 0,
        returned: 0,
        settled: 0,
        unused: 0,
        exposed: 0,
    }
}

fn holding(row: &budget_holding::Model) -> Holding {
    Holding {
        carried: row.carried,
        written_off: row.written_off,
        granted: row.granted,
        returned: row.returned,
        settled: row.settled,
        said: Report {
            unused: row.unused,
            exposed: row.exposed,
            kept: 0,
        },
    }
}

fn set_holding(row: &mut budget_holding::Model, holding: &Holding) {
    row.carried = holding.carried;
    row.written_off = holding.written_off;
    row.granted = holding.granted;
    row.returned = holding.returned;
    row.settled = holding.settled;
    row.unused = holding.said.unused;
    row.exposed = holding.said.exposed;
}

/// A transaction on accounts. Rows that it loads stay locked until it ends; they are locked in the order of their ids, and
/// after the data plane's own, everywhere.
pub(crate) struct LeaseTx {
    tx: DatabaseTransaction,
    _writer: Option<OwnedMutexGuard<()>>,
}

impl Store {
    /// Begins a transaction on accounts.
    pub(crate) async fn lease(&self) -> Result<LeaseTx, StoreError> {
        let (tx, writer) = self.write().await?;
        Ok(LeaseTx { tx, _writer: writer })
    }

    /// Which of these accounts there are.
    pub(crate) async fn find_accounts(
        &self,
        ids: &[String],
    ) -> Result<Vec<budget_account::Model>, StoreError> {
        let mut found = Vec::new();
        for chunk in ids.chunks(dialect::rows_per_statement(1)) {
            let some = budget_account::Entity::find().filter(budget_account::Column::Id.is_in(chunk));
            found.extend(some.all_in(self).await?);
        }
        Ok(found)
    }

    /// Makes accounts that are not there yet, with what the ledger says is spent already.
    pub(crate) async fn insert_accounts(&self, accounts: &[(BudgetId, AccountOf)]) -> Result<(), StoreError> {
        let (tx, _writer) = self.write().await?;
        dialect::lock_ledger(&tx, self.backend, LedgerUse::Sum).await?;
        let of: Vec<&AccountOf> = accounts.iter().map(|(_, account)| account).collect();
        let spent = self.spent(&tx, &of).await?;
        for ((budget_id, account), spent) in accounts.iter().zip(spent) {
            let id = |id: Option<&str>| id.unwrap_or_default().to_owned();
            let filter = &account.filter;
            let row = budget_account::Model {
                id: account.id.to_string(),
                budget_id: budget_id.to_string(),
                start_ms: account.stretch.start_ms,
                end_ms: account.stretch.end_ms,
                team_id: id(filter.team_id.as_ref().map(AsRef::as_ref)),
                user_id: id(filter.user_id.as_ref().map(AsRef::as_ref)),
                key_id: id(filter.key_id.as_ref().map(AsRef::as_ref)),
                settled_nano_usd: spent,
                held_nano_usd: 0,
                is_limit: false,
            };
            budget_account::Entity::insert(row.into_active_model())
                .on_conflict_do_nothing()
                .exec_without_returning(&tx)
                .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Makes accounts of limits that are not there yet: their names, and what they belong to.
    pub(crate) async fn insert_limit_accounts(
        &self,
        accounts: &[(String, String)],
    ) -> Result<(), StoreError> {
        let (tx, _writer) = self.write().await?;
        for (id, owner) in accounts {
            let row = budget_account::Model {
                id: id.clone(),
                budget_id: owner.clone(),
                start_ms: 0,
                end_ms: UnixMs::MAX,
                team_id: String::new(),
                user_id: String::new(),
                key_id: String::new(),
                settled_nano_usd: 0,
                held_nano_usd: 0,
                is_limit: true,
            };
            budget_account::Entity::insert(row.into_active_model())
                .on_conflict_do_nothing()
                .exec_without_returning(&tx)
                .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Data planes of which nothing was heard since then and that do not count as lost yet.
    pub(crate) async fn list_silent_holders(
        &self,
        before_ms: UnixMs,
    ) -> Result<Vec<budget_holder::Model>, StoreError> {
        use budget_holder::Column as C;
        budget_holder::Entity::find()
            .filter(C::HeardAtMs.lt(before_ms))
            .filter(C::Lost.eq(false))
            .all_in(self)
            .await
    }

    /// Forgets who held what of accounts whose period has been over since then.
    pub(crate) async fn delete_holdings_before(&self, before_ms: UnixMs) -> Result<u64, StoreError> {
        let over = budget_account::Entity::find()
            .select_only()
            .column(budget_account::Column::Id)
            .filter(budget_account::Column::EndMs.lt(before_ms));
        let gone = budget_holding::Entity::delete_many()
            .filter(budget_holding::Column::AccountId.in_subquery(QueryTrait::into_query(over)))
            .exec(&self.db)
            .await?;
        Ok(gone.rows_affected)
    }
}

impl LeaseTx {
    /// A data plane says hello.
    pub(crate) async fn begin_stream(&self, from: &HolderStream, now: UnixMs) -> Result<Begun, StoreError> {
        let known = budget_holder::Entity::find_by_id(&from.replica_id)
            .lock_exclusive()
            .one(&self.tx)
            .await?;
        let begun = match &known {
            Some(known) if (known.run, known.stream) >= (from.run, from.stream) => {
                return Ok(Begun::Superseded);
            }
            Some(known) if known.run == from.run => Begun::Resumed,
            _ => Begun::Restarted,
        };
        let row = budget_holder::Model {
            replica_id: from.replica_id.clone(),
            run: from.run,
            stream: from.stream,
            heard_at_ms: now,
            lost: false,
        };
        let replace = OnConflict::column(budget_holder::Column::ReplicaId)
            .update_columns(budget_holder::Column::iter().skip(1))
            .to_owned();
        budget_holder::Entity::insert(row.into_active_model())
            .on_conflict(replace)
            .exec_without_returning(&self.tx)
            .await?;
        Ok(begun)
    }

    /// A data plane speaks on a stream; false if a newer one has begun.
    pub(crate) async fn hear(&self, from: &HolderStream, now: UnixMs) -> Result<bool, StoreError> {
        use budget_holder::Column as C;
        let heard = budget_holder::Entity::update_many()
            .col_expr(C::HeardAtMs, Expr::value(now))
            .col_expr(C::Lost, Expr::value(false))
            .filter(C::ReplicaId.eq(&from.replica_id))
            .filter(C::Run.eq(from.run))
            .filter(C::Stream.eq(from.stream))
            .exec(&self.tx)
            .await?;
        Ok(heard.rows_affected == 1)
    }

    /// Marks a data plane as lost, unless it has been heard of.
    pub(crate) async fn lose(&self, holder: &budget_holder::Model) -> Result<bool, StoreError> {
        use budget_holder::Column as C;
        let lost = budget_holder::Entity::update_many()
            .col_expr(C::Lost, Expr::value(true))
            .filter(C::ReplicaId.eq(&holder.replica_id))
            .filter(C::HeardAtMs.eq(holder.heard_at_ms))
            .filter(C::Lost.eq(false))
            .exec(&self.tx)
            .await?;
        Ok(lost.rows_affected == 1)
    }

    /// How many data planes draw on budgets.
    pub(crate) async fn count_holders(&self) -> Result<u64, StoreError> {
        Ok(budget_holder::Entity::find()
            .filter(budget_holder::Column::Lost.eq(false))
            .count(&self.tx)
            .await?)
    }

    /// What of an account is held and does not come back soon: all that data planes have which count as lost, and of others
    /// what requests of earlier runs had used that left no record.
    pub(crate) async fn never_back(&self, account_id: &str) -> Result<i64, StoreError> {
        use budget_holding::Column as C;
        let lost: HashSet<String> = budget_holder::Entity::find()
            .select_only()
            .column(budget_holder::Column::ReplicaId)
            .filter(budget_holder::Column::Lost.eq(true))
            .into_tuple()
            .all(&self.tx)
            .await?
            .into_iter()
            .collect();
        let held = budget_holding::Entity::find()
            .filter(C::AccountId.eq(account_id))
            .all(&self.tx)
            .await?;
        let of = |row: &budget_holding::Model| {
            let holding = holding(row);
            match lost.contains(&row.replica_id) {
                true => holding.outstanding(),
                false => holding.carried.min(holding.written_off),
            }
        };
        Ok(held.iter().map(|row| Ord::max(of(row), 0)).sum())
    }

    /// Loads accounts and what a data plane holds of them.
    pub(crate) async fn load(&self, account_ids: &[String], replica_id: &str) -> Result<Books, StoreError> {
        load(&self.tx, account_ids, &[replica_id.to_owned()]).await
    }

    /// Loads everything that a data plane holds.
    pub(crate) async fn load_all_of(&self, replica_id: &str) -> Result<Books, StoreError> {
        let ids: Vec<String> = budget_holding::Entity::find()
            .select_only()
            .column(budget_holding::Column::AccountId)
            .filter(budget_holding::Column::ReplicaId.eq(replica_id))
            .into_tuple()
            .all(&self.tx)
            .await?;
        self.load(&ids, replica_id).await
    }

    /// Writes accounts and holdings back.
    pub(crate) async fn save(&self, books: Books) -> Result<(), StoreError> {
        save(&self.tx, books).await
    }

    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        self.tx.commit().await?;
        Ok(())
    }
}

/// Loads accounts, and what some data planes hold of them, and locks the accounts.
pub(super) async fn load(
    tx: &DatabaseTransaction,
    account_ids: &[String],
    replica_ids: &[String],
) -> Result<Books, StoreError> {
    let mut ids = account_ids.to_vec();
    ids.sort();
    ids.dedup();
    let mut books = Books::default();
    for chunk in ids.chunks(dialect::rows_per_statement(1)) {
        let accounts = budget_account::Entity::find()
            .filter(budget_account::Column::Id.is_in(chunk))
            .order_by_asc(budget_account::Column::Id)
            .lock_exclusive()
            .all(tx)
            .await?;
        books
            .accounts
            .extend(accounts.into_iter().map(|row| (row.id.clone(), row)));
        let holdings = budget_holding::Entity::find()
            .filter(budget_holding::Column::AccountId.is_in(chunk))
            .filter(budget_holding::Column::ReplicaId.is_in(replica_ids))
            .all(tx)
            .await?;
        let by_key = |row: budget_holding::Model| ((row.account_id.clone(), row.replica_id.clone()), row);
        books.holdings.extend(holdings.into_iter().map(by_key));
    }
    Ok(books)
}

/// Writes accounts and holdings back.
pub(super) async fn save(tx: &DatabaseTransaction, books: Books) -> Result<(), StoreError> {
    let accounts: Vec<_> = books.accounts.into_values().collect();
    let columns = budget_account::Column::iter().count();
    for chunk in accounts.chunks(dialect::rows_per_statement(columns)) {
        use budget_account::Column as C;
        let replace = OnConflict::column(C::Id)
            .update_columns([C::SettledNanoUsd, C::HeldNanoUsd])
            .to_owned();
        budget_account::Entity::insert_many(chunk.iter().cloned().map(IntoActiveModel::into_active_model))
            .on_conflict(replace)
            .exec_without_returning(tx)
            .await?;
    }
    let mut holdings: Vec<_> = books.holdings.into_iter().collect();
    holdings.sort_by(|a, b| a.0.cmp(&b.0));
    let columns = budget_holding::Column::iter().count();
    for chunk in holdings.chunks(dialect::rows_per_statement(columns)) {
        use budget_holding::Column as C;
        let replace = OnConflict::columns([C::AccountId, C::ReplicaId])
            .update_columns(C::iter().skip(2))
            .to_owned();
        let rows = chunk.iter().map(|(_, row)| row.clone().into_active_model());
        budget_holding::Entity::insert_many(rows)
            .on_conflict(replace)
            .exec_without_returning(tx)
            .await?;
    }
    Ok(())
}

/// The ids of the accounts that any of these records may count towards.
pub(super) async fn candidates(
    tx: &DatabaseTransaction,
    records: &[&usage_record::Model],
) -> Result<Vec<budget_account::Model>, StoreError> {
    use budget_account::Column as C;
    let (Some(first), Some(last)) = (
        records.iter().map(|r| r.started_at_ms).min(),
        records.iter().map(|r| r.started_at_ms).max(),
    ) else {
        return Ok(Vec::new());
    };
    let ids = |of: fn(&usage_record::Model) -> Option<&str>| {
        let mut ids: Vec<String> = records.iter().filter_map(|r| of(r)).map(str::to_owned).collect();
        ids.push(String::new());
        ids.sort();
        ids.dedup();
        ids
    };
    Ok(budget_account::Entity::find()
        .filter(C::IsLimit.eq(false))
        .filter(C::EndMs.gt(first))
        .filter(C::StartMs.lte(last))
        .filter(C::TeamId.is_in(ids(|r| r.team_id.as_deref())))
        .filter(C::UserId.is_in(ids(|r| r.user_id.as_deref())))
        .filter(C::KeyId.is_in(ids(|r| Some(&r.key_id))))
        .all(tx)
        .await?)
}

/// Which run each of these data planes is in.
pub(super) async fn runs(
    tx: &DatabaseTransaction,
    replica_ids: &[String],
) -> Result<HashMap<String, i64>, StoreError> {
    let rows = budget_holder::Entity::find()
        .filter(budget_holder::Column::ReplicaId.is_in(replica_ids))
        .all(tx)
        .await?;
    Ok(rows.into_iter().map(|row| (row.replica_id, row.run)).collect())
}
