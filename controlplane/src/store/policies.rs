//! Policies.

use super::entity::policy;
use super::rows::read;
use super::together::Read as _;
use super::{Store, StoreError, Tx};
use ccag_domain::{ModelName, ModelPolicy, ObjectKind, PolicyId};
use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel, QueryOrder, QuerySelect};

/// What a policy says of models; `None` if it says nothing.
pub(super) fn pushed(row: &policy::Model) -> Result<Option<ModelPolicy>, StoreError> {
    const T: &str = "policies";
    let models: Option<Vec<String>> = read(T, "models", serde_json::from_str(&row.models).ok())?;
    let Some(models) = models else { return Ok(None) };
    Ok(Some(ModelPolicy {
        id: read(T, "id", PolicyId::parse(&row.id).ok())?,
        name: row.name.clone(),
        priority: row.priority,
        subject: read(T, "subject", serde_json::from_str(&row.subject).ok())?,
        models: models.iter().map(|name| ModelName::canonical(name)).collect(),
    }))
}

impl Store {
    /// All policies, those that win first.
    pub(crate) async fn list_policies(&self) -> Result<Vec<policy::Model>, StoreError> {
        policy::Entity::find()
            .order_by_desc(policy::Column::Priority)
            .order_by_asc(policy::Column::Id)
            .all_in(self)
            .await
    }

    pub(crate) async fn find_policy(&self, id: &str) -> Result<Option<policy::Model>, StoreError> {
        policy::Entity::find_by_id(id).one_in(self).await
    }
}

impl Tx {
    pub(crate) async fn find_policy(&self, id: &str) -> Result<Option<policy::Model>, StoreError> {
        Ok(policy::Entity::find_by_id(id)
            .lock_exclusive()
            .one(&self.tx)
            .await?)
    }

    pub(crate) async fn insert_policy(&mut self, row: policy::Model) -> Result<(), StoreError> {
        self.touch(ObjectKind::ModelPolicy, &row.id);
        policy::Entity::insert(row.into_active_model())
            .exec_without_returning(&self.tx)
            .await?;
        Ok(())
    }

    pub(crate) async fn update_policy(&mut self, row: policy::Model) -> Result<(), StoreError> {
        self.touch(ObjectKind::ModelPolicy, &row.id);
        row.into_active_model().reset_all().update(&self.tx).await?;
        Ok(())
    }

    pub(crate) async fn delete_policy(&mut self, id: &str) -> Result<(), StoreError> {
        self.touch(ObjectKind::ModelPolicy, id);
        policy::Entity::delete_by_id(id).exec(&self.tx).await?;
        Ok(())
    }
}
