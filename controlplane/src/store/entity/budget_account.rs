//! What is spent and granted of a budget in a period, or granted of a limit at present.

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
    /// Nano-USD, or permits of a limit.
    pub held_nano_usd: i64,
    /// Whether it is a limit's: `budget_id` is what the limit belongs to, and nothing is ever settled.
    pub is_limit: bool,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
