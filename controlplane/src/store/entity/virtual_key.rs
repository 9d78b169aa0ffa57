//! A virtual key: everything but its secret.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, serde::Serialize)]
#[sea_orm(table_name = "virtual_keys")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    #[serde(skip)]
    pub id: String,
    #[serde(skip)]
    pub digest: String,
    #[serde(skip)]
    pub prefix: String,
    pub name: String,
    #[serde(skip)]
    pub name_key: String,
    pub user_id: Option<String>,
    pub team_id: Option<String>,
    pub state: String,
    pub rate_limit_rpm: Option<i64>,
    pub expires_at_ms: Option<i64>,
    #[serde(skip)]
    pub created_at_ms: i64,
    #[serde(skip)]
    pub created_by: Option<String>,
    pub revoked_at_ms: Option<i64>,
    pub revoked_by: Option<String>,
    /// `key`, or `session` for the session of a client.
    pub kind: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
