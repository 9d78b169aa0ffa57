//! What became of telling a destination of an event.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "notification_deliveries")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub event_id: String,
    pub destination_id: String,
    pub state: String,
    pub attempts: i64,
    pub due_at_ms: i64,
    pub leased_by: String,
    pub leased_until_ms: i64,
    pub answer: Option<String>,
    pub created_at_ms: i64,
    pub changed_at_ms: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
