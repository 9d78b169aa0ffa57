//! Records that were put aside are kept as they came, so that they can be tried again.

use crate::table::index;
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::text_null;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut change = Table::alter();
        // The message in hexadecimal digits; null where it is too long, or from before.
        change.table("usage_quarantine").add_column(text_null("message"));
        manager.alter_table(change).await?;
        index(manager, "usage_quarantine", &["at_ms", "id"], false).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
