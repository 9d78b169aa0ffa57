//! Limits of requests, tokens and concurrency, and their accounts among those of budgets.

use crate::table::{create, index};
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, boolean, text, text_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create(
            manager,
            "limits",
            vec![
                text("id"),
                text("scope"),
                text_null("team_id"),
                text_null("user_id"),
                text_null("key_id"),
                // Scope and ids as one text: there is one limit of a kind for each with the same models.
                text("scope_key"),
                // JSON.
                text("models"),
                text("kind"),
                big_integer("amount"),
                // JSON; null where tokens are not counted.
                text_null("weights"),
                big_integer("created_at_ms"),
                big_integer("updated_at_ms"),
            ],
            &["id"],
        )
        .await?;
        index(manager, "limits", &["scope_key", "kind", "models"], true).await?;
        index(manager, "limits", &["team_id"], false).await?;
        // Permits of a limit are granted as money of a budget is, and never settled.
        let mut is_limit = boolean("is_limit");
        is_limit.default(false);
        let mut change = Table::alter();
        change.table("budget_accounts").add_column(&mut is_limit);
        manager.alter_table(change).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
