//! Who changed what.

use crate::table::{create, index};
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, text};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create(
            manager,
            "audit",
            vec![
                text("id"),
                big_integer("at_ms"),
                // A user id, or `system`.
                text("actor"),
                text("action"),
                text("object_kind"),
                text("object_id"),
                // JSON; never holds a secret.
                text("details"),
            ],
            &["id"],
        )
        .await?;
        index(manager, "audit", &["at_ms"], false).await?;
        index(manager, "audit", &["object_kind", "object_id"], false).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
