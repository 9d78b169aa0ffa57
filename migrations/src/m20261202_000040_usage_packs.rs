//! Sums of days and months that are over, packed.

use crate::table::{create, index};
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, blob, text};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create(
            manager,
            "usage_numbers",
            // The id of a team, a user, a key or an endpoint, or the name of a model.
            vec![text("id"), big_integer("number")],
            &["id"],
        )
        .await?;
        index(manager, "usage_numbers", &["number"], true).await?;
        create(
            manager,
            "usage_packs",
            // Which rows of `usage_sums`, and which column of theirs.
            vec![
                text("cube"),
                big_integer("start_ms"),
                text("part"),
                // When the rows were packed: the parts of a pack agree in it.
                big_integer("packed_ms"),
                blob("data"),
            ],
            &["cube", "start_ms", "part"],
        )
        .await?;
        if manager.get_database_backend() == sea_orm_migration::sea_orm::DbBackend::Postgres {
            // It is dense already.
            manager
                .get_connection()
                .execute_unprepared("ALTER TABLE usage_packs ALTER COLUMN data SET STORAGE EXTERNAL")
                .await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
