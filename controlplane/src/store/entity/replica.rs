//! A data plane that has been seen.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "replicas")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub name: String,
    pub version: String,
    pub started_at_ms: i64,
    pub connected: bool,
    pub connected_to: String,
    pub applied_revision: i64,
    pub apply_p99_ms: Option<i64>,
    pub rejected: String,
    pub in_flight: i64,
    pub spooled_records: i64,
    pub draining: bool,
    pub troubles: String,
    pub quota_use: String,
    /// What the usage spool takes on disk, and how much it may; 0 where the data plane does not say.
    pub spool_bytes: i64,
    pub spool_max_bytes: i64,
    pub last_seen_ms: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
