//! Records that were put aside because they can never be stored.

use super::entity::usage_quarantine::{Column as C, Entity, Model};
use super::together::Read as _;
use super::{Store, StoreError, Tx};
use ccag_domain::UnixMs;
use sea_orm::{ColumnTrait, Condition, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};

/// A record that was put aside.
pub(crate) type QuarantineRow = Model;

/// Where a page begins.
#[derive(Debug, Clone, Default)]
pub(crate) struct QuarantineQuery {
    /// After the record of this time and id.
    pub(crate) after: Option<(UnixMs, String)>,
    /// After so many.
    pub(crate) offset: u64,
    pub(crate) limit: u64,
}

impl Store {
    /// Puts a record aside, once.
    pub(crate) async fn insert_quarantine(&self, row: QuarantineRow) -> Result<(), StoreError> {
        Entity::insert(row.into_active_model())
            .on_conflict_do_nothing()
            .exec_without_returning(&self.db)
            .await?;
        Ok(())
    }

    /// Records that were put aside, the newest first, one page.
    pub(crate) async fn list_quarantine(
        &self,
        query: &QuarantineQuery,
    ) -> Result<Vec<QuarantineRow>, StoreError> {
        let after = query.after.as_ref().map(|(at_ms, id)| {
            let same = Condition::all().add(C::AtMs.eq(*at_ms)).add(C::Id.lt(id));
            Condition::any().add(C::AtMs.lt(*at_ms)).add(same)
        });
        Entity::find()
            .filter(Condition::all().add_option(after))
            .order_by_desc(C::AtMs)
            .order_by_desc(C::Id)
            .offset(query.offset)
            .limit(query.limit)
            .all_in(self)
            .await
    }

    /// How many were put aside.
    pub(crate) async fn count_quarantine(&self) -> Result<u64, StoreError> {
        Entity::find().count_in(self).await
    }

    pub(crate) async fn find_quarantine(&self, id: &str) -> Result<Option<QuarantineRow>, StoreError> {
        Entity::find_by_id(id).one_in(self).await
    }
}

impl Tx {
    /// Forgets a record that was put aside; false if there is none.
    pub(crate) async fn delete_quarantine(&self, id: &str) -> Result<bool, StoreError> {
        let gone = Entity::delete_by_id(id).exec(&self.tx).await?;
        Ok(gone.rows_affected == 1)
    }
}
