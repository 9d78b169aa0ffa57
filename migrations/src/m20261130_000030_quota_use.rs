//! What counts against quotas of AWS's, as data planes say.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::text;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut quota_use = text("quota_use");
        quota_use.default("[]");
        let mut change = Table::alter();
        change.table("replicas").add_column(quota_use);
        manager.alter_table(change).await?;
        // What data planes hold of endpoints is without quotas. Under another epoch they get everything anew.
        let mut update = Query::update();
        update
            .table("config_revision")
            .value("epoch", Expr::cust("epoch || '-30'"));
        manager.execute(update).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
