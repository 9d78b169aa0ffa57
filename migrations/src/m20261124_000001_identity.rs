//! Teams, users, sessions, and what failed log-ins leave behind.

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
            "teams",
            vec![
                text("id"),
                text("name"),
                // The name in lower case: names differ in more than case.
                text("name_key"),
                text("state"),
                big_integer("created_at_ms"),
            ],
            &["id"],
        )
        .await?;
        index(manager, "teams", &["name_key"], true).await?;
        create(
            manager,
            "users",
            vec![
                text("id"),
                text("username"),
                text("username_key"),
                text_null("email"),
                text_null("display_name"),
                text("role"),
                text("state"),
                text_null("team_id"),
                // User name, e-mail address and display name in lower case, to search in.
                text("search_key"),
                // A PHC string (argon2id); null: no log-in by password.
                text_null("password_hash"),
                big_integer("created_at_ms"),
            ],
            &["id"],
        )
        .await?;
        index(manager, "users", &["username_key"], true).await?;
        index(manager, "users", &["team_id"], false).await?;
        create(
            manager,
            "sessions",
            vec![
                text("id"),
                // SHA-256 of the token, hexadecimal.
                text("digest"),
                text("user_id"),
                text("csrf"),
                big_integer("created_at_ms"),
                big_integer("expires_at_ms"),
            ],
            &["id"],
        )
        .await?;
        index(manager, "sessions", &["digest"], true).await?;
        index(manager, "sessions", &["user_id"], false).await?;
        index(manager, "sessions", &["expires_at_ms"], false).await?;
        create(
            manager,
            "login_failures",
            vec![
                // A digest of address and account.
                text("subject"),
                big_integer("window_start_ms"),
                big_integer("failures"),
            ],
            &["subject"],
        )
        .await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
