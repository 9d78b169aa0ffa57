//! A limit of requests, tokens or concurrency.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, serde::Serialize)]
#[sea_orm(table_name = "limits")]
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
    pub models: String,
    pub kind: String,
    pub amount: i64,
    pub weights: Option<String>,
    #[serde(skip)]
    pub created_at_ms: i64,
    #[serde(skip)]
    pub updated_at_ms: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
