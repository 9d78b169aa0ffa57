//! Identity providers, who people are to them, and sign-ins on their way.

use super::entity::{identity, identity_provider, setting, sign_in_attempt, user};
use super::together::Read as _;
use super::{Store, StoreError, Tx};
use ccag_domain::UnixMs;
use sea_orm::sea_query::{Expr, ExprTrait, Func};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter,
    QueryOrder, QuerySelect,
};

impl Store {
    /// All providers, by name.
    pub(crate) async fn list_providers(&self) -> Result<Vec<identity_provider::Model>, StoreError> {
        identity_provider::Entity::find()
            .order_by_asc(identity_provider::Column::NameKey)
            .all_in(self)
            .await
    }

    pub(crate) async fn find_provider(
        &self,
        id: &str,
    ) -> Result<Option<identity_provider::Model>, StoreError> {
        identity_provider::Entity::find_by_id(id).one_in(self).await
    }

    /// A setting.
    pub(crate) async fn find_setting(&self, name: &str) -> Result<Option<String>, StoreError> {
        let row = setting::Entity::find_by_id(name).one_in(self).await?;
        Ok(row.map(|row| row.value))
    }

    /// Takes a sign-in that is on its way; the next one who asks finds nothing.
    pub(crate) async fn take_sign_in(
        &self,
        state_digest: &str,
        now_ms: UnixMs,
    ) -> Result<Option<sign_in_attempt::Model>, StoreError> {
        let (tx, _writer) = self.write().await?;
        let found = sign_in_attempt::Entity::find_by_id(state_digest)
            .lock_exclusive()
            .one(&tx)
            .await?;
        let gone = sign_in_attempt::Entity::delete_by_id(state_digest)
            .exec(&tx)
            .await?;
        tx.commit().await?;
        Ok(found.filter(|row| gone.rows_affected == 1 && row.expires_at_ms > now_ms))
    }

    /// Remembers a sign-in that begins, and forgets those that came to nothing.
    pub(crate) async fn insert_sign_in(
        &self,
        row: sign_in_attempt::Model,
        now_ms: UnixMs,
    ) -> Result<(), StoreError> {
        let (tx, _writer) = self.write().await?;
        sign_in_attempt::Entity::delete_many()
            .filter(sign_in_attempt::Column::ExpiresAtMs.lte(now_ms))
            .exec(&tx)
            .await?;
        sign_in_attempt::Entity::insert(row.into_active_model())
            .exec_without_returning(&tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }
}

impl Tx {
    pub(crate) async fn find_provider(
        &self,
        id: &str,
    ) -> Result<Option<identity_provider::Model>, StoreError> {
        Ok(identity_provider::Entity::find_by_id(id)
            .lock_exclusive()
            .one(&self.tx)
            .await?)
    }

    /// A setting.
    pub(crate) async fn find_setting(&self, name: &str) -> Result<Option<String>, StoreError> {
        let row = setting::Entity::find_by_id(name).one(&self.tx).await?;
        Ok(row.map(|row| row.value))
    }

    /// Whether there is a provider with this issuer.
    pub(crate) async fn has_issuer(&self, issuer: &str) -> Result<bool, StoreError> {
        Ok(identity_provider::Entity::find()
            .filter(identity_provider::Column::Issuer.eq(issuer))
            .count(&self.tx)
            .await?
            > 0)
    }

    pub(crate) async fn insert_provider(&self, row: identity_provider::Model) -> Result<(), StoreError> {
        identity_provider::Entity::insert(row.into_active_model())
            .exec_without_returning(&self.tx)
            .await?;
        Ok(())
    }

    pub(crate) async fn update_provider(&self, row: identity_provider::Model) -> Result<(), StoreError> {
        row.into_active_model().reset_all().update(&self.tx).await?;
        Ok(())
    }

    /// Deletes a provider, and who people are to it. The users stay.
    pub(crate) async fn delete_provider(&self, id: &str) -> Result<(), StoreError> {
        identity::Entity::delete_many()
            .filter(identity::Column::ProviderId.eq(id))
            .exec(&self.tx)
            .await?;
        self.delete_scim_of(id).await?;
        identity_provider::Entity::delete_by_id(id).exec(&self.tx).await?;
        Ok(())
    }

    /// The users that come from a provider.
    pub(crate) async fn list_users_of_provider(&self, id: &str) -> Result<Vec<user::Model>, StoreError> {
        Ok(user::Entity::find()
            .filter(user::Column::ProviderId.eq(id))
            .order_by_asc(user::Column::Id)
            .lock_exclusive()
            .all(&self.tx)
            .await?)
    }

    /// The users that come from a provider and have one of these names, in lower case, as user name or e-mail address.
    pub(crate) async fn list_users_of_provider_named(
        &self,
        id: &str,
        names: &[String],
    ) -> Result<Vec<user::Model>, StoreError> {
        let email = Expr::expr(Func::lower(Expr::col(user::Column::Email)));
        let named = Condition::any()
            .add(user::Column::UsernameKey.is_in(names))
            .add(email.is_in(names));
        Ok(user::Entity::find()
            .filter(user::Column::ProviderId.eq(id))
            .filter(named)
            .order_by_asc(user::Column::Id)
            .lock_exclusive()
            .all(&self.tx)
            .await?)
    }

    pub(crate) async fn find_identity(
        &self,
        provider_id: &str,
        subject: &str,
    ) -> Result<Option<identity::Model>, StoreError> {
        Ok(
            identity::Entity::find_by_id((provider_id.to_owned(), subject.to_owned()))
                .lock_exclusive()
                .one(&self.tx)
                .await?,
        )
    }

    /// Whether a user is known to a provider under any subject.
    pub(crate) async fn has_identity(&self, provider_id: &str, user_id: &str) -> Result<bool, StoreError> {
        Ok(identity::Entity::find()
            .filter(identity::Column::ProviderId.eq(provider_id))
            .filter(identity::Column::UserId.eq(user_id))
            .count(&self.tx)
            .await?
            > 0)
    }

    pub(crate) async fn insert_identity(&self, row: identity::Model) -> Result<(), StoreError> {
        identity::Entity::insert(row.into_active_model())
            .exec_without_returning(&self.tx)
            .await?;
        Ok(())
    }

    pub(crate) async fn update_identity(&self, row: identity::Model) -> Result<(), StoreError> {
        row.into_active_model().reset_all().update(&self.tx).await?;
        Ok(())
    }

    /// Forgets who a user is to providers.
    pub(crate) async fn delete_identities_of(&self, user_id: &str) -> Result<(), StoreError> {
        identity::Entity::delete_many()
            .filter(identity::Column::UserId.eq(user_id))
            .exec(&self.tx)
            .await?;
        Ok(())
    }

    /// Whether there is a user of that name.
    pub(crate) async fn has_username(&self, name: &str) -> Result<bool, StoreError> {
        Ok(user::Entity::find()
            .filter(user::Column::UsernameKey.eq(name.to_lowercase()))
            .count(&self.tx)
            .await?
            > 0)
    }
}
