//! How conversations stand, what was lost to cache misses, and how many sessions there were.

use crate::table::{create, index};
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, boolean, text};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // The last turn of each conversation with each model; deleted when it has rested for long.
        let columns = vec![
            text("conversation"),
            text("model"),
            big_integer("at_ms"),
            text("place"),
            big_integer("prompt_tokens"),
            big_integer("cached_tokens"),
            boolean("hour"),
            big_integer("tools"),
            big_integer("system"),
        ];
        create(manager, "conversations", columns, &["conversation", "model"]).await?;
        index(manager, "conversations", &["at_ms"], false).await?;
        let key = [
            "start_ms",
            "reason",
            "team_id",
            "user_id",
            "key_id",
            "model",
            "endpoint_id",
        ];
        let mut columns = vec![big_integer("start_ms")];
        columns.extend(key[1..].iter().map(|name| text(*name)));
        columns.extend(["requests", "tokens", "cost_nano_usd"].map(big_integer));
        create(manager, "cache_losses", columns, &key).await?;
        index(manager, "cache_losses", &["user_id", "start_ms"], false).await?;
        index(manager, "cache_losses", &["key_id", "start_ms"], false).await?;
        // Sessions that may still go on; deleted when they have rested for long. Their ids are digests.
        let columns = vec![
            text("id"),
            text("team_id"),
            text("user_id"),
            text("key_id"),
            big_integer("first_ms"),
            big_integer("last_ms"),
        ];
        create(manager, "used_sessions", columns, &["id"]).await?;
        index(manager, "used_sessions", &["last_ms"], false).await?;
        let key = ["cube", "start_ms", "team_id", "user_id", "key_id"];
        let mut columns = vec![text("cube"), big_integer("start_ms")];
        columns.extend(key[2..].iter().map(|name| text(*name)));
        columns.extend(["sessions", "requests", "length_ms"].map(big_integer));
        create(manager, "session_sums", columns, &key).await?;
        index(manager, "session_sums", &["cube", "user_id", "start_ms"], false).await?;
        index(manager, "session_sums", &["cube", "key_id", "start_ms"], false).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
