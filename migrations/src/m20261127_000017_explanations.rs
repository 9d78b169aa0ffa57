//! How requests were decided, and the ledger by the ids that clients saw.
//!
//! No foreign keys: refusals have no record, and records outlive their explanations.

use crate::table::{create, index};
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, text, text_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create(
            manager,
            "request_explanations",
            vec![
                text("request_id"),
                big_integer("at_ms"),
                text("key_id"),
                text_null("user_id"),
                text_null("team_id"),
                big_integer("status"),
                // JSON, as the data plane wrote it.
                text("explanation"),
            ],
            &["request_id"],
        )
        .await?;
        index(manager, "request_explanations", &["at_ms"], false).await?;
        index(manager, "usage_records", &["request_id"], false).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
