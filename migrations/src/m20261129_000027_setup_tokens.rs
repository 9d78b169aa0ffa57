//! Tokens that are exchanged for a key's secret, once.

use crate::table::{create, index};
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, text};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let columns = vec![
            text("digest"),
            text("key_id"),
            big_integer("created_at_ms"),
            big_integer("expires_at_ms"),
        ];
        create(manager, "setup_tokens", columns, &["digest"]).await?;
        index(manager, "setup_tokens", &["key_id"], false).await?;
        index(manager, "setup_tokens", &["expires_at_ms"], false).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
