//! Web search: the services that people have configured, and how many searches a request took.

use crate::table::create;
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, boolean, text, text_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create(
            manager,
            "search_providers",
            vec![
                // A user's id, or `global`.
                text("owner"),
                text("kind"),
                text_null("url"),
                // Sealed under the master key.
                text_null("api_key"),
                big_integer("max_results"),
                boolean("allow_private_address"),
                boolean("active"),
                big_integer("updated_at_ms"),
            ],
            &["owner", "kind"],
        )
        .await?;
        let mut searches = big_integer("web_searches");
        searches.default(0);
        let mut table = Table::alter();
        table.table("usage_records").add_column(searches);
        manager.alter_table(table).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
