//! Something that happened and that destinations are told of.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "notification_events")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    /// Names what is told, so that it is told once.
    pub dedup_key: String,
    pub kind: String,
    pub category: String,
    pub team_id: Option<String>,
    /// JSON, as it goes out.
    pub body: String,
    pub at_ms: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
