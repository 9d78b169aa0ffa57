//! What is spent and granted of a budget in a period.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "budget_accounts")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub budget_id: String,
    pub start_ms: i64,
    pub end_ms: i64,
    pub team_id: String,
    pub user_id: String,
    pub key_id: String,
    pub settled_nano_usd: i64,
    pub held_nano_usd: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
