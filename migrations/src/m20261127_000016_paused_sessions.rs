//! What sessions may do within a minute, and those that are paused because they did more.

use crate::table::{create, index};
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, text, text_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut change = Table::alter();
        change.table("usage_records").add_column(text_null("agent_id"));
        manager.alter_table(change).await?;
        index(manager, "usage_records", &["session_id", "received_at_ms"], false).await?;
        create(
            manager,
            "session_breakers",
            vec![
                // `organisation`, or the id of a team.
                text("scope"),
                big_integer_null("nano_usd_per_minute"),
                big_integer_null("agents_per_minute"),
                big_integer("updated_at_ms"),
            ],
            &["scope"],
        )
        .await?;
        create(
            manager,
            "paused_sessions",
            vec![
                text("id"),
                // The user whose session it is, or the key.
                text("owner"),
                text("session_id"),
                // The key and the team of the record that went too far.
                text("key_id"),
                text_null("team_id"),
                text("reason"),
                big_integer("measured"),
                big_integer("allowed"),
                text_null("resume_url"),
                big_integer("paused_at_ms"),
                big_integer_null("resumed_at_ms"),
                text_null("resumed_by"),
                // Owner and session while it is paused, so that it is paused once; null afterwards.
                text_null("open_for"),
            ],
            &["id"],
        )
        .await?;
        index(manager, "paused_sessions", &["open_for"], true).await?;
        index(manager, "paused_sessions", &["owner", "session_id"], false).await?;
        index(manager, "paused_sessions", &["paused_at_ms", "id"], false).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
