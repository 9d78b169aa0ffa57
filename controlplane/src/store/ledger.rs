//! The ledger: one row per request, inserted once however often it arrives.

use super::entity::{usage_quarantine, usage_record, usage_rollup};
use super::{Store, StoreError, dialect, rollups};
use ccag_domain::UnixMs;
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, IntoActiveModel, Iterable, QueryFilter, QueryOrder, QuerySelect,
    TryInsertResult,
};
use std::collections::HashSet;

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

/// A record that was put aside.
pub(crate) type QuarantineRow = usage_quarantine::Model;

impl Store {
    /// Inserts the records that are not there yet, and adds those, and only those, to the hourly sums, in one transaction.
    /// `sum` makes the sums of a set of records. Returns the ids that were new.
    ///
    /// The rows must be sorted by id and each id stand once: two control planes that take in the same records at the same
    /// time then wait for each other instead of dead-locking.
    pub(crate) async fn insert_usage(
        &self,
        rows: &[usage_record::Model],
        sum: fn(&[&usage_record::Model]) -> Vec<usage_rollup::Model>,
    ) -> Result<HashSet<String>, StoreError> {
        if rows.is_empty() {
            return Ok(HashSet::new());
        }
        let (tx, _writer) = self.write().await?;
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
        tx.commit().await?;
        Ok(inserted)
    }

    /// Puts a record aside, once.
    pub(crate) async fn insert_quarantine(&self, row: QuarantineRow) -> Result<(), StoreError> {
        usage_quarantine::Entity::insert(row.into_active_model())
            .on_conflict_do_nothing()
            .exec_without_returning(&self.db)
            .await?;
        Ok(())
    }

    /// One page of the ledger in order of time, after the record `after` (its time and id).
    pub(crate) async fn list_usage(
        &self,
        filter: &LedgerFilter,
        after: Option<(UnixMs, &str)>,
        limit: u64,
    ) -> Result<Vec<usage_record::Model>, StoreError> {
        use usage_record::Column as C;
        let mut condition = Condition::all()
            .add_option(filter.from_ms.map(|at| C::StartedAtMs.gte(at)))
            .add_option(filter.to_ms.map(|at| C::StartedAtMs.lt(at)))
            .add_option(filter.user_id.as_ref().map(|id| C::UserId.eq(id)))
            .add_option(filter.team_id.as_ref().map(|id| C::TeamId.eq(id)))
            .add_option(filter.key_id.as_ref().map(|id| C::KeyId.eq(id)))
            .add_option(filter.model.as_ref().map(|name| C::Model.eq(name)));
        if let Some((at_ms, id)) = after {
            condition = condition.add(
                Condition::any()
                    .add(C::StartedAtMs.gt(at_ms))
                    .add(Condition::all().add(C::StartedAtMs.eq(at_ms)).add(C::Id.gt(id))),
            );
        }
        Ok(usage_record::Entity::find()
            .filter(condition)
            .order_by_asc(C::StartedAtMs)
            .order_by_asc(C::Id)
            .limit(limit)
            .all(&self.db)
            .await?)
    }
}
