//! Prices in the region itself, where a price comes from, and what endpoints offer.

use crate::table::create;
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, text, text_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut permille = big_integer("in_region_permille");
        permille.default(1_000);
        add(manager, "prices", permille).await?;
        // The number of the input price in AWS's price list.
        add(manager, "prices", text_null("aws_sku")).await?;
        create(
            manager,
            "endpoint_discoveries",
            vec![
                text("endpoint_id"),
                big_integer("at_ms"),
                // JSON: what AWS lists. Null while it has never been listed whole.
                text_null("found"),
                // Why the last attempt failed; null if it did not.
                text_null("error"),
            ],
            &["endpoint_id"],
        )
        .await?;
        create(
            manager,
            "endpoint_profiles",
            vec![
                text("endpoint_id"),
                text("model"),
                text("arn"),
                text("geography"),
                text_null("reason"),
                big_integer("created_at_ms"),
            ],
            &["endpoint_id", "model"],
        )
        .await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

async fn add(manager: &SchemaManager<'_>, table: &'static str, mut column: ColumnDef) -> Result<(), DbErr> {
    let mut change = Table::alter();
    change.table(table).add_column(&mut column);
    manager.alter_table(change).await
}
