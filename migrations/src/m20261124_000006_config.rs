//! The history of the pushed configuration, the settings, and the fleet that follows it.

use crate::table::{create, index};
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, boolean, text};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create(
            manager,
            "config_revision",
            vec![big_integer("id"), text("epoch"), big_integer("revision")],
            &["id"],
        )
        .await?;
        create(
            manager,
            "config_changes",
            vec![
                big_integer("revision"),
                text("kind"),
                text("object_id"),
                big_integer("at_ms"),
            ],
            &["revision"],
        )
        .await?;
        index(manager, "config_changes", &["at_ms"], false).await?;
        create(manager, "settings", vec![text("name"), text("value")], &["name"]).await?;
        create(
            manager,
            "replicas",
            vec![
                text("id"),
                text("name"),
                text("version"),
                big_integer("started_at_ms"),
                boolean("connected"),
                // Which control-plane process holds its stream.
                text("connected_to"),
                big_integer("applied_revision"),
                big_integer_null("apply_p99_ms"),
                // JSON list of what it could not apply.
                text("rejected"),
                big_integer("in_flight"),
                big_integer("spooled_records"),
                boolean("draining"),
                big_integer("last_seen_ms"),
            ],
            &["id"],
        )
        .await?;
        index(manager, "replicas", &["last_seen_ms"], false).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
