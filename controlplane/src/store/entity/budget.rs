//! How much may be spent.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, serde::Serialize)]
#[sea_orm(table_name = "budgets")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    #[serde(skip)]
    pub id: String,
    #[serde(skip)]
    pub scope: String,
    #[serde(skip)]
    pub team_id: Option<String>,
    #[serde(skip)]
    pub user_id: Option<String>,
    #[serde(skip)]
    pub key_id: Option<String>,
    pub scope_key: String,
    pub amount_nano_usd: i64,
    pub period: String,
    pub time_zone: String,
    pub mode: String,
    pub rules: String,
    pub raises: String,
    pub posture: String,
    pub grace_nano_usd: i64,
    #[serde(skip)]
    pub created_at_ms: i64,
    #[serde(skip)]
    pub updated_at_ms: i64,
    /// Who is told when a step is reached.
    pub notify_recipients: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
