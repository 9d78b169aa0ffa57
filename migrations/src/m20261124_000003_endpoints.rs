//! Endpoints, and which teams may use which.

use crate::table::{create, index};
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, boolean, text, text_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create(
            manager,
            "endpoints",
            vec![
                text("id"),
                text("name"),
                text("name_key"),
                text_null("region"),
                text_null("role_arn"),
                text_null("external_id"),
                text_null("geography"),
                text_null("runtime_url"),
                big_integer("weight"),
                boolean("enabled"),
                boolean("is_default"),
                big_integer("created_at_ms"),
            ],
            &["id"],
        )
        .await?;
        index(manager, "endpoints", &["name_key"], true).await?;
        create(
            manager,
            "team_endpoints",
            vec![text("team_id"), text("endpoint_id"), big_integer("position")],
            &["team_id", "endpoint_id"],
        )
        .await?;
        index(manager, "team_endpoints", &["endpoint_id"], false).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
