//! One row of the price book, in force or replaced.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, serde::Serialize)]
#[sea_orm(table_name = "prices")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub model: String,
    #[serde(skip)]
    pub current_for: Option<String>,
    pub input: i64,
    pub output: i64,
    pub cache_read: i64,
    pub cache_write_5m: i64,
    pub cache_write_1h: i64,
    pub long_above_tokens: Option<i64>,
    pub long_input: Option<i64>,
    pub long_output: Option<i64>,
    pub long_cache_read: Option<i64>,
    pub long_cache_write_5m: Option<i64>,
    pub long_cache_write_1h: Option<i64>,
    pub regional_permille: i64,
    pub gov_permille: i64,
    pub in_region_permille: i64,
    pub mantle_permille: i64,
    pub aws_sku: Option<String>,
    pub source: String,
    pub effective_from_ms: i64,
    #[serde(skip)]
    pub replaced_at_ms: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
