//! Where notifications go.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, serde::Serialize)]
#[sea_orm(table_name = "notification_destinations")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    #[serde(skip)]
    pub id: String,
    pub name: String,
    #[serde(skip)]
    pub name_key: String,
    pub team_id: Option<String>,
    /// JSON.
    pub categories: String,
    pub enabled: bool,
    /// JSON.
    pub active: Option<String>,
    #[serde(rename = "active_has_secrets", serialize_with = "super::is_set")]
    pub active_secrets: Option<String>,
    /// JSON.
    pub draft: Option<String>,
    #[serde(rename = "draft_has_secrets", serialize_with = "super::is_set")]
    pub draft_secrets: Option<String>,
    pub draft_version: i64,
    #[serde(skip)]
    pub test: Option<String>,
    #[serde(skip)]
    pub created_at_ms: i64,
    #[serde(skip)]
    pub updated_at_ms: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
