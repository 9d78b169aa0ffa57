//! Destinations of notifications.

use super::entity::notification_destination::{Column as C, Entity, Model};
use super::together::Read as _;
use super::{Store, StoreError, Tx};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
};

impl Store {
    /// All destinations, by name.
    pub(crate) async fn list_destinations(&self) -> Result<Vec<Model>, StoreError> {
        Entity::find().order_by_asc(C::NameKey).all_in(self).await
    }

    pub(crate) async fn find_destination(&self, id: &str) -> Result<Option<Model>, StoreError> {
        Entity::find_by_id(id).one_in(self).await
    }
}

impl Tx {
    pub(crate) async fn find_destination(&self, id: &str) -> Result<Option<Model>, StoreError> {
        Ok(Entity::find_by_id(id).lock_exclusive().one(&self.tx).await?)
    }

    /// Those that get a team's events.
    pub(crate) async fn list_destinations_of_team(&self, team_id: &str) -> Result<Vec<Model>, StoreError> {
        Ok(Entity::find()
            .filter(C::TeamId.eq(team_id))
            .order_by_asc(C::NameKey)
            .all(&self.tx)
            .await?)
    }

    pub(crate) async fn insert_destination(&self, row: Model) -> Result<(), StoreError> {
        Entity::insert(row.into_active_model())
            .exec_without_returning(&self.tx)
            .await?;
        Ok(())
    }

    pub(crate) async fn update_destination(&self, row: Model) -> Result<(), StoreError> {
        row.into_active_model().reset_all().update(&self.tx).await?;
        Ok(())
    }

    /// Notes what came of a test of a draft, or of what is in force; false if the draft has been changed since.
    pub(crate) async fn note_test(
        &self,
        id: &str,
        draft_version: i64,
        test: String,
    ) -> Result<bool, StoreError> {
        let done = Entity::update_many()
            .col_expr(C::Test, Expr::value(test))
            .filter(C::Id.eq(id))
            .filter(C::DraftVersion.eq(draft_version))
            .exec(&self.tx)
            .await?;
        Ok(done.rows_affected == 1)
    }
}
