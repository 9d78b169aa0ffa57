//! A team.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, serde::Serialize)]
#[sea_orm(table_name = "teams")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    #[serde(skip)]
    pub id: String,
    pub name: String,
    #[serde(skip)]
    pub name_key: String,
    pub state: String,
    #[serde(skip)]
    pub created_at_ms: i64,
    /// JSON.
    pub guardrail: Option<String>,
    /// JSON.
    pub routing: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
