//! A user.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, serde::Serialize)]
#[sea_orm(table_name = "users")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    #[serde(skip)]
    pub id: String,
    pub username: String,
    #[serde(skip)]
    pub username_key: String,
    pub email: Option<String>,
    pub display_name: Option<String>,
    pub role: String,
    pub state: String,
    pub team_id: Option<String>,
    #[serde(skip)]
    pub search_key: String,
    #[serde(rename = "has_password", serialize_with = "super::is_set")]
    pub password_hash: Option<String>,
    #[serde(skip)]
    pub created_at_ms: i64,
    /// The provider that they come from.
    pub provider_id: Option<String>,
    /// Their groups there: a JSON list of names.
    pub groups: String,
    /// Whether it is a person or a program.
    pub kind: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
