//! Notifications: where they go, what has happened, and what became of telling each destination.

use crate::table::{create, index};
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, boolean, text, text_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        destinations(manager).await?;
        let columns = vec![
            text("id"),
            // Names what is told, so that it is told once.
            text("dedup_key"),
            text("kind"),
            text("category"),
            text_null("team_id"),
            // JSON, as it goes out.
            text("body"),
            big_integer("at_ms"),
        ];
        create(manager, "notification_events", columns, &["id"]).await?;
        index(manager, "notification_events", &["dedup_key"], true).await?;
        index(manager, "notification_events", &["at_ms"], false).await?;
        let columns = vec![
            text("id"),
            text("event_id"),
            text("destination_id"),
            text("state"),
            big_integer("attempts"),
            big_integer("due_at_ms"),
            // Who is sending it, and until when nobody else does.
            text("leased_by"),
            big_integer("leased_until_ms"),
            text_null("answer"),
            big_integer("created_at_ms"),
            big_integer("changed_at_ms"),
        ];
        create(manager, "notification_deliveries", columns, &["id"]).await?;
        index(
            manager,
            "notification_deliveries",
            &["event_id", "destination_id"],
            true,
        )
        .await?;
        index(
            manager,
            "notification_deliveries",
            &["state", "destination_id", "due_at_ms"],
            false,
        )
        .await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

async fn destinations(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let columns = vec![
        text("id"),
        text("name"),
        text("name_key"),
        text_null("team_id"),
        // JSON.
        text("categories"),
        boolean("enabled"),
        // How it is reached, and how it is to be reached when that has been tested: JSON, with what is secret sealed.
        text_null("active"),
        text_null("active_secrets"),
        text_null("draft"),
        text_null("draft_secrets"),
        // Changes with every draft; a test is of one of them.
        big_integer("draft_version"),
        // JSON.
        text_null("test"),
        big_integer("created_at_ms"),
        big_integer("updated_at_ms"),
    ];
    create(manager, "notification_destinations", columns, &["id"]).await?;
    index(manager, "notification_destinations", &["name_key"], true).await
}
