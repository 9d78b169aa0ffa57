//! The ledger, its hourly sums, and what could not be taken in.
//!
//! No foreign keys: a record is never impossible to insert because something it names has been deleted.

use crate::table::{create, index};
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, boolean, text, text_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create(manager, "usage_records", ledger_columns(), &["id"]).await?;
        index(manager, "usage_records", &["started_at_ms", "id"], false).await?;
        index(manager, "usage_records", &["user_id", "started_at_ms"], false).await?;
        create(
            manager,
            "usage_rollups_hourly",
            vec![
                big_integer("bucket_ms"),
                // Empty where a record has no team or no user.
                text("team_id"),
                text("user_id"),
                text("key_id"),
                text("model"),
                text("endpoint_id"),
                big_integer("requests"),
                big_integer("errors"),
                big_integer("input_tokens"),
                big_integer("output_tokens"),
                big_integer("cache_read_tokens"),
                big_integer("cache_write_5m_tokens"),
                big_integer("cache_write_1h_tokens"),
                big_integer("cost_nano_usd"),
                // JSON; merged in Rust.
                text("latency"),
            ],
            &[
                "bucket_ms",
                "team_id",
                "user_id",
                "key_id",
                "model",
                "endpoint_id",
            ],
        )
        .await?;
        index(manager, "usage_rollups_hourly", &["user_id", "bucket_ms"], false).await?;
        create(
            manager,
            "usage_quarantine",
            vec![
                text("id"),
                text("replica_id"),
                text("reason"),
                text("payload"),
                big_integer("at_ms"),
            ],
            &["id"],
        )
        .await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

fn ledger_columns() -> Vec<ColumnDef> {
    vec![
        text("id"),
        text("request_id"),
        text_null("aws_request_id"),
        text("key_id"),
        text_null("user_id"),
        text_null("team_id"),
        text("model"),
        text("bedrock_model"),
        text("geography"),
        text("endpoint_id"),
        boolean("streaming"),
        text("outcome"),
        text_null("error"),
        big_integer("status"),
        big_integer("input_tokens"),
        big_integer("output_tokens"),
        big_integer("cache_read_tokens"),
        big_integer("cache_write_5m_tokens"),
        big_integer("cache_write_1h_tokens"),
        boolean("estimated"),
        big_integer("attempts"),
        big_integer("started_at_ms"),
        big_integer_null("first_token_ms"),
        big_integer("duration_ms"),
        text_null("session_id"),
        text("replica_id"),
        big_integer("cost_nano_usd"),
        text("price_id"),
        // Priced as the dearest of its family, since the model had no price of its own.
        boolean("price_assumed"),
        big_integer("received_at_ms"),
    ]
}
