//! The way to endpoints, and how fast models use quotas up.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, text_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// The factors of models that differ from the default one: see the catalogue.
const FACTORS: &[(i64, &[&str])] = &[
    (15, &["claude-opus-4-8"]),
    (
        5,
        &[
            "claude-opus-4-7",
            "claude-opus-4-6",
            "claude-opus-4-5",
            "claude-opus-4-1",
            "claude-sonnet-4-6",
            "claude-sonnet-4-5",
            "claude-sonnet-4",
            "claude-haiku-4-5",
        ],
    ),
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // JSON; the proxy's password in a column of its own, sealed under the master key.
        for column in [text_null("network"), text_null("network_secrets")] {
            let mut table = Table::alter();
            table.table("endpoints").add_column(column);
            manager.alter_table(table).await?;
        }
        let mut factor = big_integer("output_burndown");
        factor.default(10);
        let mut table = Table::alter();
        table.table("models").add_column(factor);
        manager.alter_table(table).await?;
        for (factor, names) in FACTORS {
            let mut update = Query::update();
            update
                .table("models")
                .value("output_burndown", *factor)
                .and_where(Expr::col("name").is_in(names.iter().copied()));
            manager.execute(update).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
