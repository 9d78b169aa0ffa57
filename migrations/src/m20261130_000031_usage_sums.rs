//! Coarser sums of the ledger beside the hourly ones.

use crate::table::{create, index};
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, text};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const TABLE: &str = "usage_sums";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut table = Table::create();
        table.table(TABLE);
        for name in ["cube", "team_id", "user_id", "key_id", "model", "endpoint_id"] {
            // What a cube does not keep apart is empty in all of its rows.
            table.col(text(name));
        }
        for name in [
            "start_ms",
            "requests",
            "errors",
            "input_tokens",
            "output_tokens",
            "cache_read_tokens",
            "cache_write_5m_tokens",
            "cache_write_1h_tokens",
            "cost_nano_usd",
            // The first and the last hour with any usage.
            "first_ms",
            "last_ms",
        ] {
            table.col(big_integer(name));
        }
        // JSON; merged in Rust, and empty in most cubes.
        table.col(text("latency"));
        let mut key = Index::create();
        for column in [
            "cube",
            "start_ms",
            "team_id",
            "user_id",
            "key_id",
            "model",
            "endpoint_id",
        ] {
            key.col(column);
        }
        table.primary_key(&mut key);
        if manager.get_database_backend() == sea_orm_migration::sea_orm::DbBackend::Sqlite {
            // The rows of a cube and a day lie together, as they are read.
            table.extra("WITHOUT ROWID");
        }
        manager.create_table(table).await?;
        index(manager, TABLE, &["cube", "team_id", "start_ms"], false).await?;
        index(manager, TABLE, &["cube", "user_id", "start_ms"], false).await?;
        index(manager, TABLE, &["cube", "key_id", "start_ms"], false).await?;
        index(manager, "usage_rollups_hourly", &["key_id", "bucket_ms"], false).await?;
        // From which day on the sums are complete. Those of days before are made while the gateway runs.
        create(
            manager,
            "usage_sums_state",
            vec![big_integer("id"), big_integer("complete_from_ms")],
            &["id"],
        )
        .await?;
        manager
            .get_connection()
            .execute_unprepared(
                "INSERT INTO usage_sums_state (id, complete_from_ms) SELECT 1, CASE WHEN EXISTS \
                 (SELECT 1 FROM usage_rollups_hourly) THEN 4102444800000 ELSE 0 END",
            )
            .await?;
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
