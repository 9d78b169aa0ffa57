//! One AWS account, region and role.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, serde::Serialize)]
#[sea_orm(table_name = "endpoints")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    #[serde(skip)]
    pub id: String,
    pub name: String,
    #[serde(skip)]
    pub name_key: String,
    pub region: Option<String>,
    pub role_arn: Option<String>,
    pub external_id: Option<String>,
    pub geography: Option<String>,
    pub runtime_url: Option<String>,
    pub weight: i64,
    pub enabled: bool,
    pub is_default: bool,
    #[serde(skip)]
    pub created_at_ms: i64,
    /// JSON: a list of names.
    pub lanes: Option<String>,
    pub mantle_url: Option<String>,
    /// JSON.
    pub guardrail: Option<String>,
    /// JSON, without secrets.
    pub access: Option<String>,
    /// JSON, sealed.
    #[serde(rename = "has_own_secrets", serialize_with = "super::is_set")]
    pub access_secrets: Option<String>,
    pub draining: bool,
    /// JSON, without secrets.
    #[serde(serialize_with = "crate::store::network::noted")]
    pub network: Option<String>,
    /// The password of a proxy, sealed.
    #[serde(rename = "has_proxy_password", serialize_with = "super::is_set")]
    pub network_secrets: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
