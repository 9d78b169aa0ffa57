//! Virtual keys.

use crate::table::{create, index};
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, text, text_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create(
            manager,
            "virtual_keys",
            vec![
                text("id"),
                // SHA-256 of the secret, hexadecimal. The secret itself is stored nowhere.
                text("digest"),
                text("prefix"),
                text("name"),
                text("name_key"),
                text_null("user_id"),
                text_null("team_id"),
                text("state"),
                big_integer_null("rate_limit_rpm"),
                big_integer_null("expires_at_ms"),
                big_integer("created_at_ms"),
                text_null("created_by"),
                big_integer_null("revoked_at_ms"),
                text_null("revoked_by"),
            ],
            &["id"],
        )
        .await?;
        index(manager, "virtual_keys", &["digest"], true).await?;
        index(manager, "virtual_keys", &["user_id"], false).await?;
        index(manager, "virtual_keys", &["team_id"], false).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
