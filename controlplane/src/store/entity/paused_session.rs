//! A session that ran away.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "paused_sessions")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub owner: String,
    pub session_id: String,
    pub key_id: String,
    pub team_id: Option<String>,
    pub reason: String,
    pub measured: i64,
    pub allowed: i64,
    pub resume_url: Option<String>,
    pub paused_at_ms: i64,
    pub resumed_at_ms: Option<i64>,
    pub resumed_by: Option<String>,
    pub open_for: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
