//! One version of the rules for a surface.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "capability_books")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub surface: String,
    pub version: String,
    pub sequence: i64,
    pub shipped_version: String,
    pub shipped_digest: String,
    pub rules: String,
    pub made_at_ms: i64,
    pub made_by: String,
    pub reason: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
