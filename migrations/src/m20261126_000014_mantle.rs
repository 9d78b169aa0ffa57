//! What the bedrock-mantle lane costs.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::big_integer;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut permille = big_integer("mantle_permille");
        permille.default(1_000);
        let mut change = Table::alter();
        change.table("prices").add_column(permille);
        manager.alter_table(change).await?;
        // The lane takes a tenth more for the generation of 5.5, and always has.
        let mut dearer = Query::update();
        dearer
            .table("prices")
            .value("mantle_permille", 1_100)
            .and_where(Expr::col("model").is_in([
                "claude-opus-5-5",
                "claude-sonnet-5-5",
                "claude-haiku-5-5",
            ]));
        manager.execute(dearer).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
