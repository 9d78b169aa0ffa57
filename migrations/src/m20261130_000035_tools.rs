//! How often tools were called.

use crate::table::index;
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, text};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const TABLE: &str = "tool_sums";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut table = Table::create();
        table.table(TABLE);
        // What a cube does not keep apart is empty in all of its rows. The server is that of the tool.
        for name in ["cube", "team_id", "tool", "user_id", "key_id", "model", "server"] {
            table.col(text(name));
        }
        for name in ["start_ms", "calls", "failed"] {
            table.col(big_integer(name));
        }
        let mut key = Index::create();
        for column in [
            "cube", "start_ms", "team_id", "tool", "user_id", "key_id", "model",
        ] {
            key.col(column);
        }
        table.primary_key(&mut key);
        if manager.get_database_backend() == sea_orm_migration::sea_orm::DbBackend::Sqlite {
            // The rows of a cube and a day lie together, as they are read.
            table.extra("WITHOUT ROWID");
        }
        manager.create_table(table).await?;
        for column in ["tool", "server", "user_id", "key_id"] {
            index(manager, TABLE, &["cube", column, "start_ms"], false).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
