//! An application inference profile that is chosen for a model at an endpoint.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, serde::Serialize)]
#[sea_orm(table_name = "endpoint_profiles")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    #[serde(skip)]
    pub endpoint_id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub model: String,
    pub arn: String,
    pub geography: String,
    pub reason: Option<String>,
    #[serde(skip)]
    pub created_at_ms: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
