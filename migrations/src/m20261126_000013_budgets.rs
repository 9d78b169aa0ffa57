//! Budgets, what is spent and granted of each in each period, and who holds what.

use crate::table::{create, index};
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, boolean, text, text_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        budgets(manager).await?;
        accounts(manager).await?;
        create(
            manager,
            "budget_events",
            vec![
                text("account_id"),
                big_integer("at_percent"),
                text("action"),
                big_integer("spent_nano_usd"),
                big_integer("amount_nano_usd"),
                big_integer("at_ms"),
            ],
            // Each step of an account is taken once.
            &["account_id", "at_percent"],
        )
        .await?;
        // What a new account has spent already is summed up from the ledger.
        index(manager, "usage_records", &["team_id", "started_at_ms"], false).await?;
        index(manager, "usage_records", &["key_id", "started_at_ms"], false).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

async fn budgets(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    create(
        manager,
        "budgets",
        vec![
            text("id"),
            text("scope"),
            text_null("team_id"),
            text_null("user_id"),
            text_null("key_id"),
            // Scope and ids as one text: there is one budget for each with each period.
            text("scope_key"),
            big_integer("amount_nano_usd"),
            text("period"),
            text("time_zone"),
            text("mode"),
            // JSON.
            text("rules"),
            text("raises"),
            text("posture"),
            big_integer("grace_nano_usd"),
            big_integer("created_at_ms"),
            big_integer("updated_at_ms"),
        ],
        &["id"],
    )
    .await?;
    index(manager, "budgets", &["scope_key", "period"], true).await?;
    index(manager, "budgets", &["team_id"], false).await
}

async fn accounts(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    create(
        manager,
        "budget_accounts",
        vec![
            text("id"),
            text("budget_id"),
            big_integer("start_ms"),
            big_integer("end_ms"),
            // Whose requests count; empty where anybody's do.
            text("team_id"),
            text("user_id"),
            text("key_id"),
            big_integer("settled_nano_usd"),
            big_integer("held_nano_usd"),
        ],
        &["id"],
    )
    .await?;
    index(manager, "budget_accounts", &["budget_id", "start_ms"], false).await?;
    index(manager, "budget_accounts", &["end_ms"], false).await?;
    create(
        manager,
        "budget_holdings",
        vec![
            text("account_id"),
            text("replica_id"),
            big_integer("carried"),
            big_integer("written_off"),
            big_integer("granted"),
            big_integer("returned"),
            big_integer("settled"),
            big_integer("unused"),
            big_integer("exposed"),
        ],
        &["account_id", "replica_id"],
    )
    .await?;
    index(manager, "budget_holdings", &["replica_id"], false).await?;
    create(
        manager,
        "budget_holders",
        vec![
            text("replica_id"),
            big_integer("run"),
            big_integer("stream"),
            big_integer("heard_at_ms"),
            boolean("lost"),
        ],
        &["replica_id"],
    )
    .await
}
