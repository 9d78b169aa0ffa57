//! SCIM: tokens, and the providers that they belong to. Users and groups are in the modules below.

mod groups;
mod users;

pub(crate) use groups::Member;
pub(crate) use users::{Narrow, Person};

use super::entity::{identity_provider, scim_group, scim_group_member, scim_token, scim_user};
use super::together::Read as _;
use super::{Store, StoreError, Tx};
use ccag_domain::UnixMs;
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use sea_orm::{ColumnTrait, Condition, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder};

/// What can be read outside a change as well as within one.
pub(crate) struct ScimReads<'a, C>(&'a C);

impl Store {
    pub(crate) fn scim(&self) -> ScimReads<'_, sea_orm::DatabaseConnection> {
        ScimReads(&self.db)
    }

    /// The token with this digest, and its provider.
    pub(crate) async fn find_scim_token(
        &self,
        digest: &str,
    ) -> Result<Option<(scim_token::Model, identity_provider::Model)>, StoreError> {
        let token = scim_token::Entity::find()
            .filter(scim_token::Column::Digest.eq(digest))
            .one_in(self)
            .await?;
        let Some(token) = token else { return Ok(None) };
        let provider = self.find_provider(&token.provider_id).await?;
        Ok(provider.map(|provider| (token, provider)))
    }

    /// Notes that a token was used, unless that was noted after `since_ms`.
    pub(crate) async fn note_scim_token(
        &self,
        id: &str,
        now_ms: UnixMs,
        since_ms: UnixMs,
    ) -> Result<(), StoreError> {
        use scim_token::Column as C;
        let (tx, _writer) = self.write().await?;
        scim_token::Entity::update_many()
            .col_expr(C::LastUsedAtMs, Expr::val(now_ms))
            .filter(C::Id.eq(id))
            .filter(
                Condition::any()
                    .add(C::LastUsedAtMs.is_null())
                    .add(C::LastUsedAtMs.lte(since_ms)),
            )
            .exec(&tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Tokens that expire after one moment and not after another.
    pub(crate) async fn list_expiring_scim_tokens(
        &self,
        after_ms: UnixMs,
        until_ms: UnixMs,
    ) -> Result<Vec<scim_token::Model>, StoreError> {
        scim_token::Entity::find()
            .filter(scim_token::Column::ExpiresAtMs.gt(after_ms))
            .filter(scim_token::Column::ExpiresAtMs.lte(until_ms))
            .order_by_asc(scim_token::Column::Id)
            .all_in(self)
            .await
    }

    /// The tokens of a provider, the oldest first.
    pub(crate) async fn list_scim_tokens(
        &self,
        provider_id: &str,
    ) -> Result<Vec<scim_token::Model>, StoreError> {
        scim_token::Entity::find()
            .filter(scim_token::Column::ProviderId.eq(provider_id))
            .order_by_asc(scim_token::Column::Id)
            .all_in(self)
            .await
    }
}

impl Tx {
    pub(crate) fn scim(&self) -> ScimReads<'_, sea_orm::DatabaseTransaction> {
        ScimReads(&self.tx)
    }

    pub(crate) async fn count_scim_tokens(&self, provider_id: &str) -> Result<u64, StoreError> {
        use sea_orm::PaginatorTrait;
        Ok(scim_token::Entity::find()
            .filter(scim_token::Column::ProviderId.eq(provider_id))
            .count(&self.tx)
            .await?)
    }

    pub(crate) async fn insert_scim_token(&self, row: scim_token::Model) -> Result<(), StoreError> {
        scim_token::Entity::insert(row.into_active_model())
            .exec_without_returning(&self.tx)
            .await?;
        Ok(())
    }

    pub(crate) async fn find_scim_token(
        &self,
        provider_id: &str,
        id: &str,
    ) -> Result<Option<scim_token::Model>, StoreError> {
        Ok(scim_token::Entity::find_by_id(id)
            .filter(scim_token::Column::ProviderId.eq(provider_id))
            .one(&self.tx)
            .await?)
    }

    pub(crate) async fn delete_scim_token(&self, id: &str) -> Result<(), StoreError> {
        scim_token::Entity::delete_by_id(id).exec(&self.tx).await?;
        Ok(())
    }

    /// Forgets the tokens of a provider, its groups, and what it has said of its users, who stay.
    pub(crate) async fn delete_scim_of(&self, provider_id: &str) -> Result<(), StoreError> {
        let groups = Query::select()
            .column(scim_group::Column::Id)
            .from(scim_group::Entity)
            .and_where(Expr::col(scim_group::Column::ProviderId).eq(provider_id))
            .to_owned();
        scim_group_member::Entity::delete_many()
            .filter(scim_group_member::Column::GroupId.in_subquery(groups))
            .exec(&self.tx)
            .await?;
        scim_group::Entity::delete_many()
            .filter(scim_group::Column::ProviderId.eq(provider_id))
            .exec(&self.tx)
            .await?;
        scim_user::Entity::delete_many()
            .filter(scim_user::Column::ProviderId.eq(provider_id))
            .exec(&self.tx)
            .await?;
        scim_token::Entity::delete_many()
            .filter(scim_token::Column::ProviderId.eq(provider_id))
            .exec(&self.tx)
            .await?;
        Ok(())
    }
}
