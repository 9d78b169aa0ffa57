//! What is remembered between looks at what nobody does: conditions, which begin and end, and marks of what drifts.

use super::entity::{config_change, notification_condition as condition, notification_mark as mark};
use super::outbox::{NewEvent, raise};
use super::rows::read;
use super::{Store, StoreError};
use ccag_domain::UnixMs;
use ccag_domain::condition::{Condition, Phase};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QuerySelect, TryInsertResult,
};
use std::collections::HashMap;

const T: &str = "notification_conditions";

impl Store {
    /// All conditions, by id.
    pub(crate) async fn list_conditions(&self) -> Result<HashMap<String, Condition>, StoreError> {
        let rows = condition::Entity::find().all(&self.db).await?;
        let one = |row: condition::Model| Ok((row.id.clone(), read_row(&row)?));
        rows.into_iter().map(one).collect()
    }

    /// Takes a condition to its next state, and tells what there is to tell of it, in one transaction. `next` is asked with the
    /// state as it is then: another control plane may have been faster.
    pub(crate) async fn turn_condition(
        &self,
        id: &str,
        next: impl Fn(Option<Condition>) -> (Option<Condition>, Option<NewEvent>) + Send,
    ) -> Result<(), StoreError> {
        let (tx, _writer) = self.write().await?;
        let row = condition::Entity::find_by_id(id)
            .lock_exclusive()
            .one(&tx)
            .await?;
        let before = row.as_ref().map(read_row).transpose()?;
        let (after, event) = next(before);
        if after == before {
            return Ok(());
        }
        match &after {
            None => {
                condition::Entity::delete_by_id(id).exec(&tx).await?;
            }
            Some(after) if before.is_some() => {
                condition::Entity::update(write_row(id, after).into_active_model().reset_all())
                    .exec(&tx)
                    .await?;
            }
            Some(after) => {
                let inserted = condition::Entity::insert(write_row(id, after).into_active_model())
                    .on_conflict_do_nothing()
                    .exec_without_returning(&tx)
                    .await?;
                if !matches!(inserted, TryInsertResult::Inserted(rows) if rows > 0) {
                    // Another has noticed it at the same moment, and tells it.
                    return Ok(());
                }
            }
        }
        if let Some(event) = &event {
            raise(&tx, event).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// All marks whose ids begin so, by id: the value, and when it was made.
    pub(crate) async fn list_marks(
        &self,
        prefix: &str,
    ) -> Result<HashMap<String, (String, UnixMs)>, StoreError> {
        let rows = mark::Entity::find()
            .filter(mark::Column::Id.like(super::starting_with(prefix)))
            .all(&self.db)
            .await?;
        Ok(rows
            .into_iter()
            .map(|row| (row.id, (row.value, row.at_ms)))
            .collect())
    }

    /// Makes or changes a mark, and tells what that means, in one transaction; nothing is told if another was faster.
    pub(crate) async fn put_mark(
        &self,
        before: Option<&str>,
        after: mark::Model,
        event: Option<&NewEvent>,
    ) -> Result<(), StoreError> {
        let (tx, _writer) = self.write().await?;
        let is_mine = match before {
            None => {
                let inserted = mark::Entity::insert(after.into_active_model())
                    .on_conflict(OnConflict::column(mark::Column::Id).do_nothing().to_owned())
                    .exec_without_returning(&tx)
                    .await?;
                inserted > 0
            }
            Some(before) => {
                let changed = mark::Entity::update_many()
                    .col_expr(mark::Column::Value, Expr::value(after.value))
                    .col_expr(mark::Column::AtMs, Expr::value(after.at_ms))
                    .filter(mark::Column::Id.eq(after.id))
                    .filter(mark::Column::Value.eq(before))
                    .exec(&tx)
                    .await?;
                changed.rows_affected == 1
            }
        };
        if is_mine && let Some(event) = event {
            raise(&tx, event).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// The newest revision that was there at a moment; 0 if nothing is known of it.
    pub(crate) async fn find_revision_at(&self, at_ms: UnixMs) -> Result<i64, StoreError> {
        let newest: Option<Option<i64>> = config_change::Entity::find()
            .select_only()
            .column_as(config_change::Column::Revision.max(), "newest")
            .filter(config_change::Column::AtMs.lte(at_ms))
            .into_tuple()
            .one(&self.db)
            .await?;
        Ok(newest.flatten().unwrap_or(0))
    }
}

fn read_row(row: &condition::Model) -> Result<Condition, StoreError> {
    Ok(Condition {
        phase: read(T, "phase", Phase::parse(&row.phase))?,
        level: read(T, "level", u8::try_from(row.level).ok())?,
        since_ms: row.since_ms,
        quiet_ms: row.quiet_ms,
        ended_ms: row.ended_ms,
        returns: read(T, "returns", u32::try_from(row.returns).ok())?,
    })
}

fn write_row(id: &str, of: &Condition) -> condition::Model {
    condition::Model {
        id: id.to_owned(),
        phase: of.phase.as_str().to_owned(),
        level: of.level.into(),
        since_ms: of.since_ms,
        quiet_ms: of.quiet_ms,
        ended_ms: of.ended_ms,
        returns: of.returns.into(),
    }
}
