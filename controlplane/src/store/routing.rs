//! Endpoints and models.

use super::entity::{endpoint, model};
use super::{Store, StoreError, Tx};
use ccag_domain::ObjectKind;
use sea_orm::{EntityTrait, IntoActiveModel, PaginatorTrait, QueryOrder};

impl Store {
    pub(crate) async fn list_endpoints(&self) -> Result<Vec<endpoint::Model>, StoreError> {
        Ok(endpoint::Entity::find()
            .order_by_asc(endpoint::Column::NameKey)
            .all(&self.db)
            .await?)
    }

    pub(crate) async fn list_models(&self) -> Result<Vec<model::Model>, StoreError> {
        Ok(model::Entity::find()
            .order_by_asc(model::Column::Name)
            .all(&self.db)
            .await?)
    }
}

impl Tx {
    pub(crate) async fn count_endpoints(&self) -> Result<u64, StoreError> {
        Ok(endpoint::Entity::find().count(&self.tx).await?)
    }

    pub(crate) async fn insert_endpoint(&mut self, row: endpoint::Model) -> Result<(), StoreError> {
        self.touch(ObjectKind::Endpoint, &row.id);
        endpoint::Entity::insert(row.into_active_model())
            .exec_without_returning(&self.tx)
            .await?;
        Ok(())
    }

    pub(crate) async fn list_model_names(&self) -> Result<Vec<String>, StoreError> {
        let rows = model::Entity::find().all(&self.tx).await?;
        Ok(rows.into_iter().map(|row| row.name).collect())
    }

    pub(crate) async fn insert_model(&mut self, row: model::Model) -> Result<(), StoreError> {
        self.touch(ObjectKind::Model, &row.name);
        model::Entity::insert(row.into_active_model())
            .exec_without_returning(&self.tx)
            .await?;
        Ok(())
    }
}
