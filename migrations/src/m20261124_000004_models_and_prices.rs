//! Models and the price book.

use crate::table::{create, index};
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, boolean, text, text_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create(
            manager,
            "models",
            vec![
                text("name"),
                // JSON lists of strings.
                text("aliases"),
                text("display_name"),
                text("family"),
                text("bedrock_id"),
                text("geographies"),
                boolean("on_demand"),
                big_integer("context_tokens"),
                big_integer("max_output_tokens"),
                boolean("counts_tokens"),
                big_integer("released_at_s"),
                text("source"),
                big_integer("created_at_ms"),
            ],
            &["name"],
        )
        .await?;
        create(
            manager,
            "prices",
            vec![
                text("id"),
                text("model"),
                // The model while this row is in force, null once it has been replaced: at most one per model, and the
                // rows that old costs were computed from stay.
                text_null("current_for"),
                big_integer("input"),
                big_integer("output"),
                big_integer("cache_read"),
                big_integer("cache_write_5m"),
                big_integer("cache_write_1h"),
                big_integer_null("long_above_tokens"),
                big_integer_null("long_input"),
                big_integer_null("long_output"),
                big_integer_null("long_cache_read"),
                big_integer_null("long_cache_write_5m"),
                big_integer_null("long_cache_write_1h"),
                big_integer("regional_permille"),
                big_integer("gov_permille"),
                text("source"),
                big_integer("effective_from_ms"),
                big_integer_null("replaced_at_ms"),
            ],
            &["id"],
        )
        .await?;
        index(manager, "prices", &["current_for"], true).await?;
        index(manager, "prices", &["model"], false).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
