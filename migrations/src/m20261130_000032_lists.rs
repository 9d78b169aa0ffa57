//! Lists of keys in the orders in which they are shown.

use crate::table::index;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        index(manager, "virtual_keys", &["kind", "created_at_ms", "id"], false).await?;
        index(manager, "virtual_keys", &["kind", "name_key", "id"], false).await?;
        index(manager, "virtual_keys", &["expires_at_ms"], false).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
