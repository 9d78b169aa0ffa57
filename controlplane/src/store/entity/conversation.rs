//! How a conversation stands with a model.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "conversations")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub conversation: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub model: String,
    pub at_ms: i64,
    pub place: String,
    pub prompt_tokens: i64,
    pub cached_tokens: i64,
    pub hour: bool,
    pub tools: i64,
    pub system: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
