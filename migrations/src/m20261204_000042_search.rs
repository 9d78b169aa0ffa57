//! Lists of keys are searched and chosen from by what their indexes hold: a row is read only if it is among those that are found.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const TABLE: &str = "virtual_keys";

/// By what lists are in order, and the index for that which there was before.
const ORDERS: [(&str, &str); 2] = [
    ("created_at_ms", "ix_virtual_keys_kind_created_at_ms_id"),
    ("name_key", "ix_virtual_keys_kind_name_key_id"),
];

/// What lists are searched for and chosen by.
const CHOSEN: [&str; 4] = ["name_key", "prefix", "state", "expires_at_ms"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (order, before) in ORDERS {
            let mut index = Index::create();
            index.name(format!("ix_{TABLE}_listed_by_{order}")).table(TABLE);
            for column in ["kind", order, "id"] {
                index.col(column);
            }
            for column in CHOSEN.into_iter().filter(|column| *column != order) {
                index.col(column);
            }
            manager.create_index(index).await?;
            let mut drop = Index::drop();
            drop.name(before).table(TABLE);
            manager.drop_index(drop).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
