//! What lasts and has an end (an endpoint in trouble, a data plane that is behind), so that both are told once; what was last told of
//! what drifts; and how full data planes' spools are.

use crate::table::create;
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, text};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let columns = vec![
            text("id"),
            text("phase"),
            // How bad it was at worst.
            big_integer("level"),
            big_integer("since_ms"),
            // Since when nobody has seen it.
            big_integer_null("quiet_ms"),
            // When it was over, and how often it has come back soon after.
            big_integer("ended_ms"),
            big_integer("returns"),
        ];
        create(manager, "notification_conditions", columns, &["id"]).await?;
        // The value is JSON.
        let columns = vec![text("id"), text("value"), big_integer("at_ms")];
        create(manager, "notification_marks", columns, &["id"]).await?;
        for name in ["spool_bytes", "spool_max_bytes"] {
            let mut bytes = big_integer(name);
            bytes.default(0);
            let mut change = Table::alter();
            change.table("replicas").add_column(bytes);
            manager.alter_table(change).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
