//! A device that waits to be let in.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "device_grants")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub device_digest: String,
    pub user_code: String,
    pub surface: String,
    pub state: String,
    pub user_id: Option<String>,
    pub device: String,
    pub interval_s: i64,
    pub polled_at_ms: i64,
    pub created_at_ms: i64,
    pub expires_at_ms: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
