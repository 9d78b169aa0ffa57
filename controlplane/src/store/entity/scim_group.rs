//! A group of a provider.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, serde::Serialize)]
#[sea_orm(table_name = "scim_groups")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    #[serde(skip)]
    pub id: String,
    #[serde(skip)]
    pub provider_id: String,
    pub display_name: String,
    #[serde(skip)]
    pub name_key: String,
    pub external_id: Option<String>,
    #[serde(skip)]
    pub attributes: String,
    #[serde(skip)]
    pub version: i64,
    #[serde(skip)]
    pub created_at_ms: i64,
    #[serde(skip)]
    pub updated_at_ms: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
