//! What Bedrock takes: the versions of the rules, the admins' own rules, and what requests have shown.

use crate::table::{create, index};
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, boolean, text};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create(
            manager,
            "capability_books",
            vec![
                // Surface and version.
                text("id"),
                text("surface"),
                text("version"),
                big_integer("sequence"),
                // What it was made of: the version of the release's rules, and a digest of them.
                text("shipped_version"),
                text("shipped_digest"),
                // JSON.
                text("rules"),
                big_integer("made_at_ms"),
                text("made_by"),
                text("reason"),
            ],
            &["id"],
        )
        .await?;
        index(manager, "capability_books", &["surface", "sequence"], true).await?;
        create(
            manager,
            "capability_rules",
            vec![
                text("id"),
                text("surface"),
                text("book_table"),
                // JSON.
                text("rule"),
                big_integer("changed_at_ms"),
                text("changed_by"),
            ],
            &["id"],
        )
        .await?;
        create(
            manager,
            "learnt_facts",
            vec![
                text("id"),
                text("endpoint_id"),
                text("bedrock_model"),
                text("surface"),
                text("version"),
                text("kind"),
                text("value"),
                big_integer("learnt_at_ms"),
            ],
            &["id"],
        )
        .await?;
        create(
            manager,
            "seen_features",
            vec![
                text("kind"),
                text("name"),
                boolean("known"),
                big_integer("count"),
                big_integer("first_seen_ms"),
                big_integer("last_seen_ms"),
            ],
            &["kind", "name"],
        )
        .await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
