//! With what endpoints are called, and that they can be drained.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{boolean, text_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut draining = boolean("draining");
        draining.default(false);
        // JSON; the secrets in a column of their own, sealed under the master key.
        for column in [text_null("access"), text_null("access_secrets"), draining] {
            let mut table = Table::alter();
            table.table("endpoints").add_column(column);
            manager.alter_table(table).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
