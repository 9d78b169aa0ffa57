//! The price book.

use super::entity::price;
use super::together::Read as _;
use super::{Store, StoreError, Tx};
use ccag_domain::{ObjectKind, UnixMs};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder};

/// The rows that are in force.
pub(super) async fn list_current<C: ConnectionTrait>(db: &C) -> Result<Vec<price::Model>, StoreError> {
    Ok(price::Entity::find()
        .filter(price::Column::CurrentFor.is_not_null())
        .order_by_asc(price::Column::Model)
        .all(db)
        .await?)
}

impl Store {
    /// All prices that are or ever were in force: by model, the newest first.
    pub(crate) async fn list_price_history(&self) -> Result<Vec<price::Model>, StoreError> {
        price::Entity::find()
            .order_by_asc(price::Column::Model)
            .order_by_desc(price::Column::EffectiveFromMs)
            .order_by_desc(price::Column::Id)
            .all_in(self)
            .await
    }
}

impl Tx {
    /// The prices that are in force.
    pub(crate) async fn list_prices(&self) -> Result<Vec<price::Model>, StoreError> {
        list_current(&self.tx).await
    }

    /// The models that have, or ever had, a price.
    pub(crate) async fn list_priced_models(&self) -> Result<Vec<String>, StoreError> {
        let rows = price::Entity::find().all(&self.tx).await?;
        Ok(rows.into_iter().map(|row| row.model).collect())
    }

    /// Puts a price in force. The row it replaces stays, for the costs that were computed from it.
    pub(crate) async fn insert_price(&mut self, row: price::Model) -> Result<(), StoreError> {
        self.retire_price(&row.model, row.effective_from_ms).await?;
        price::Entity::insert(row.into_active_model())
            .exec_without_returning(&self.tx)
            .await?;
        Ok(())
    }

    /// Takes the price of a model out of force.
    pub(crate) async fn retire_price(&mut self, model: &str, now_ms: UnixMs) -> Result<(), StoreError> {
        self.touch(ObjectKind::Price, model);
        price::Entity::update_many()
            .col_expr(
                price::Column::CurrentFor,
                sea_orm::sea_query::Expr::val(Option::<String>::None),
            )
            .col_expr(price::Column::ReplacedAtMs, sea_orm::sea_query::Expr::val(now_ms))
            .filter(price::Column::CurrentFor.eq(model))
            .exec(&self.tx)
            .await?;
        Ok(())
    }
}
