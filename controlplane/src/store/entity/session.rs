//! A signed-in session of the console or the admin API.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, serde::Serialize)]
#[sea_orm(table_name = "sessions")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    #[serde(skip)]
    pub digest: String,
    #[serde(skip)]
    pub user_id: String,
    #[serde(skip)]
    pub csrf: String,
    #[serde(skip)]
    pub created_at_ms: i64,
    pub expires_at_ms: i64,
    /// What a token is called; sessions of people have no name.
    pub name: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
