//! What one data plane holds of an account: see `ccag_allowance::Holding`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "budget_holdings")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub replica_id: String,
    pub carried: i64,
    pub written_off: i64,
    pub granted: i64,
    pub returned: i64,
    pub settled: i64,
    pub unused: i64,
    pub exposed: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
