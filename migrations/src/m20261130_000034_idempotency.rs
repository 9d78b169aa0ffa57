//! Requests that carry an idempotency key: which they were, and what was answered.

use crate::table::{create, index};
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, text, text_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let columns = vec![
            text("id"),
            text("body_digest"),
            // Null until there is an answer, which is sealed: it may hold a secret.
            big_integer_null("status"),
            text_null("answer"),
            big_integer("created_at_ms"),
        ];
        create(manager, "idempotent_requests", columns, &["id"]).await?;
        index(manager, "idempotent_requests", &["created_at_ms"], false).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
