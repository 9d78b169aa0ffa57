//! Tokens that are exchanged for a key's secret.

use super::entity::setup_token::{self, Column as C};
use super::{StoreError, Tx};
use ccag_domain::UnixMs;
use sea_orm::{ColumnTrait, Condition, EntityTrait, IntoActiveModel, QueryFilter};

impl Tx {
    /// Keeps a token. Those before it of the same key, and all that are over, are gone.
    pub(crate) async fn put_setup_token(&self, row: setup_token::Model) -> Result<(), StoreError> {
        let over = Condition::any()
            .add(C::KeyId.eq(&row.key_id))
            .add(C::ExpiresAtMs.lte(row.created_at_ms));
        setup_token::Entity::delete_many()
            .filter(over)
            .exec(&self.tx)
            .await?;
        setup_token::Entity::insert(row.into_active_model())
            .exec_without_returning(&self.tx)
            .await?;
        Ok(())
    }

    /// Takes a token out and says which key it is for; `None` if there is none, or it is over.
    pub(crate) async fn take_setup_token(
        &self,
        digest: &str,
        now_ms: UnixMs,
    ) -> Result<Option<String>, StoreError> {
        let Some(row) = setup_token::Entity::find_by_id(digest).one(&self.tx).await? else {
            return Ok(None);
        };
        // Of several who show it at once, one has it.
        let taken = setup_token::Entity::delete_by_id(digest).exec(&self.tx).await?;
        let good = taken.rows_affected == 1 && row.expires_at_ms > now_ms;
        Ok(good.then_some(row.key_id))
    }
}
