//! The audit log is a chain: each entry is sealed with the one before it.

use crate::table::{create, index};
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, text, text_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // Entries from before have neither: they are not part of the chain. SQLite adds one column at a time.
        for mut column in [big_integer_null("seq"), text_null("hash")] {
            let mut change = Table::alter();
            change.table("audit").add_column(&mut column);
            manager.alter_table(change).await?;
        }
        index(manager, "audit", &["seq"], true).await?;
        // One row: the last entry. Whoever adds one locks it.
        create(
            manager,
            "audit_head",
            vec![big_integer("id"), big_integer("seq"), text("hash")],
            &["id"],
        )
        .await?;
        let first = Query::insert()
            .into_table("audit_head")
            .columns(["id", "seq", "hash"])
            .values_panic([1.into(), 0.into(), "".into()])
            .to_owned();
        manager.execute(first).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
