//! A model that the gateway serves.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, serde::Serialize)]
#[sea_orm(table_name = "models")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    pub aliases: String,
    pub display_name: String,
    pub family: String,
    pub bedrock_id: String,
    pub geographies: String,
    pub on_demand: bool,
    pub context_tokens: i64,
    pub max_output_tokens: i64,
    pub counts_tokens: bool,
    pub output_burndown: i64,
    pub released_at_s: i64,
    pub source: String,
    #[serde(skip)]
    pub created_at_ms: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
