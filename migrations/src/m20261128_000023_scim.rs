//! What providers manage through SCIM, and the tokens that they do it with.

use crate::table::{create, index};
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, boolean, text, text_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        tokens(manager).await?;
        users(manager).await?;
        groups(manager).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

async fn tokens(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    create(
        manager,
        "scim_tokens",
        vec![
            text("id"),
            text("provider_id"),
            text("name"),
            text("prefix"),
            // SHA-256 of the token, hexadecimal.
            text("digest"),
            big_integer("created_at_ms"),
            text_null("created_by"),
            big_integer_null("expires_at_ms"),
            big_integer_null("last_used_at_ms"),
        ],
        &["id"],
    )
    .await?;
    index(manager, "scim_tokens", &["digest"], true).await?;
    index(manager, "scim_tokens", &["provider_id"], false).await
}

async fn users(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    create(
        manager,
        "scim_users",
        vec![
            text("user_id"),
            text("provider_id"),
            // The provider's name for the user, in lower case.
            text("user_name_key"),
            text_null("external_id"),
            // JSON: what the provider says of the user.
            text("attributes"),
            big_integer("version"),
            // Whether the provider has deleted the user, who is kept for when they come back.
            boolean("deleted"),
            big_integer("created_at_ms"),
            big_integer("updated_at_ms"),
        ],
        &["user_id"],
    )
    .await?;
    index(manager, "scim_users", &["provider_id", "user_name_key"], true).await?;
    index(manager, "scim_users", &["provider_id", "external_id"], true).await
}

async fn groups(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    create(
        manager,
        "scim_groups",
        vec![
            text("id"),
            text("provider_id"),
            text("display_name"),
            text("name_key"),
            text_null("external_id"),
            // JSON: what the provider says of the group, without its members.
            text("attributes"),
            big_integer("version"),
            big_integer("created_at_ms"),
            big_integer("updated_at_ms"),
        ],
        &["id"],
    )
    .await?;
    index(manager, "scim_groups", &["provider_id", "name_key"], true).await?;
    index(manager, "scim_groups", &["provider_id", "external_id"], false).await?;
    create(
        manager,
        "scim_group_members",
        vec![text("group_id"), text("user_id")],
        &["group_id", "user_id"],
    )
    .await?;
    index(manager, "scim_group_members", &["user_id"], false).await
}
