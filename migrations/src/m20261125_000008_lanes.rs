//! Lanes and guardrails of endpoints, guardrails of teams, and the lane that each request took.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{text, text_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // JSON: a list of names; null: the default lane alone.
        add(manager, "endpoints", text_null("lanes")).await?;
        add(manager, "endpoints", text_null("mantle_url")).await?;
        // JSON.
        add(manager, "endpoints", text_null("guardrail")).await?;
        add(manager, "teams", text_null("guardrail")).await?;
        let mut surface = text("surface");
        surface.default("invoke-model");
        add(manager, "usage_records", surface).await
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
