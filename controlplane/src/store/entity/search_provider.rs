//! A search service that somebody has configured.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, serde::Serialize)]
#[sea_orm(table_name = "search_providers")]
pub struct Model {
    /// A user's id, or `global`.
    #[sea_orm(primary_key, auto_increment = false)]
    #[serde(skip)]
    pub owner: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub kind: String,
    pub url: Option<String>,
    /// Sealed.
    #[serde(rename = "has_api_key", serialize_with = "super::is_set")]
    pub api_key: Option<String>,
    pub max_results: i64,
    pub allow_private_address: bool,
    /// Whether it is the one that the owner's searches go to.
    pub active: bool,
    #[serde(skip)]
    pub updated_at_ms: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
