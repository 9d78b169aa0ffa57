//! Service accounts, and tokens with which they use the admin API.

use crate::table::index;
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{text, text_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // Whether a user is a person, or a program that has keys and cannot sign in.
        let mut kind = text("kind");
        kind.default("person");
        let mut table = Table::alter();
        table.table("users").add_column(kind);
        manager.alter_table(table).await?;
        // What a token is called; null: a session that somebody began by signing in.
        let mut table = Table::alter();
        table.table("sessions").add_column(text_null("name"));
        manager.alter_table(table).await?;
        index(manager, "sessions", &["name"], false).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
