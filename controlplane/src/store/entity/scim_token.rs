//! A token that a provider manages its users with.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, serde::Serialize)]
#[sea_orm(table_name = "scim_tokens")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    #[serde(skip)]
    pub provider_id: String,
    pub name: String,
    #[serde(skip)]
    pub prefix: String,
    #[serde(skip)]
    pub digest: String,
    #[serde(skip)]
    pub created_at_ms: i64,
    #[serde(skip)]
    pub created_by: Option<String>,
    pub expires_at_ms: Option<i64>,
    #[serde(skip)]
    pub last_used_at_ms: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
