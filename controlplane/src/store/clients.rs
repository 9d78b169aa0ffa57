//! Sessions of clients: devices that wait to be let in, refresh tokens, and what tokens are signed with.

use super::entity::{client_session, device_grant, signing_key, spent_refresh_token, virtual_key};
use super::identity::users_like;
use super::together::Read as _;
use super::{KeysWithin, Store, StoreError, Tx};
use ccag_domain::{ObjectKind, UnixMs};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait,
};

/// Which sessions of clients to list.
#[derive(Debug, Clone, Default)]
pub struct ClientSessionQuery {
    /// Only those that somebody may see; `None` is all.
    pub within: Option<KeysWithin>,
    /// Only this user's.
    pub user_id: Option<String>,
    /// Part of the name or the address of whose they are, whatever the case.
    pub search: Option<String>,
    /// Only those made before this time and id, which is where a page ends.
    pub before: Option<(UnixMs, String)>,
    /// How many to skip.
    pub offset: u64,
    /// How many at most.
    pub limit: u64,
}

/// What has become of a refresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RefreshToken {
    /// It is good for this session.
    Good(Box<client_session::Model>),
    /// It was used before, at this time, for the session of this key.
    Spent(String, UnixMs),
    /// There never was one, or its session is over.
    Unknown,
}

impl Store {
    /// A device that waits, by the code that its user was shown.
    pub(crate) async fn find_device_by_user_code(
        &self,
        user_code: &str,
        now_ms: UnixMs,
    ) -> Result<Option<device_grant::Model>, StoreError> {
        device_grant::Entity::find()
            .filter(device_grant::Column::UserCode.eq(user_code))
            .filter(device_grant::Column::ExpiresAtMs.gt(now_ms))
            .one_in(self)
            .await
    }

    /// Lets a device wait, and forgets those of which the time is long over.
    pub(crate) async fn insert_device(
        &self,
        row: device_grant::Model,
        forget_before_ms: UnixMs,
    ) -> Result<(), StoreError> {
        let (tx, _writer) = self.write().await?;
        device_grant::Entity::delete_many()
            .filter(device_grant::Column::ExpiresAtMs.lt(forget_before_ms))
            .exec(&tx)
            .await?;
        device_grant::Entity::insert(row.into_active_model())
            .exec_without_returning(&tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// The keys that tokens are signed with, the newest first.
    pub(crate) async fn list_signing_keys(&self) -> Result<Vec<signing_key::Model>, StoreError> {
        signing_key::Entity::find()
            .order_by_desc(signing_key::Column::CreatedAtMs)
            .order_by_desc(signing_key::Column::Id)
            .all_in(self)
            .await
    }

    /// The open sessions of clients, the newest first, with the keys that stand for them, and how many there are in all.
    pub(crate) async fn list_client_sessions(
        &self,
        query: &ClientSessionQuery,
        now_ms: UnixMs,
    ) -> Result<(Vec<client_session::Model>, u64), StoreError> {
        use client_session::Column as C;
        let before = query.before.as_ref().map(|(at_ms, id)| {
            Condition::any().add(C::CreatedAtMs.lt(*at_ms)).add(
                Condition::all()
                    .add(C::CreatedAtMs.eq(*at_ms))
                    .add(C::KeyId.lt(id)),
            )
        });
        let wanted = Condition::all()
            .add(C::ExpiresAtMs.gt(now_ms))
            .add_option(
                query
                    .within
                    .as_ref()
                    .map(|within| C::KeyId.in_subquery(within.ids())),
            )
            .add_option(query.user_id.as_ref().map(|id| C::UserId.eq(id)))
            .add_option((query.search.as_deref()).map(|text| C::UserId.in_subquery(users_like(text))))
            .add_option(before);
        let select = client_session::Entity::find().filter(wanted);
        let rows = select
            .clone()
            .order_by_desc(C::CreatedAtMs)
            .order_by_desc(C::KeyId)
            .offset(query.offset)
            .limit(query.limit);
        tokio::try_join!(rows.all_in(self), select.count_in(self))
    }

    /// An open session of a client.
    pub(crate) async fn find_client_session(
        &self,
        key_id: &str,
        now_ms: UnixMs,
    ) -> Result<Option<client_session::Model>, StoreError> {
        client_session::Entity::find_by_id(key_id)
            .filter(client_session::Column::ExpiresAtMs.gt(now_ms))
            .one_in(self)
            .await
    }

    /// Forgets sessions whose time is over, and the refresh tokens of sessions that are no more. How many sessions that were.
    pub(crate) async fn delete_expired_client_sessions(&self, now_ms: UnixMs) -> Result<u64, StoreError> {
        let (tx, _writer) = self.write().await?;
        let gone = client_session::Entity::delete_many()
            .filter(client_session::Column::ExpiresAtMs.lte(now_ms))
            .exec(&tx)
            .await?;
        let open = client_session::Entity::find()
            .select_only()
            .column(client_session::Column::KeyId)
            .into_query();
        spent_refresh_token::Entity::delete_many()
            .filter(spent_refresh_token::Column::KeyId.not_in_subquery(open))
            .exec(&tx)
            .await?;
        tx.commit().await?;
        Ok(gone.rows_affected)
    }
}

impl Tx {
    /// A device that asks how it stands.
    pub(crate) async fn find_device(&self, digest: &str) -> Result<Option<device_grant::Model>, StoreError> {
        Ok(device_grant::Entity::find_by_id(digest)
            .lock_exclusive()
            .one(&self.tx)
            .await?)
    }

    /// A device by the code that its user was shown.
    pub(crate) async fn find_device_by_user_code(
        &self,
        user_code: &str,
    ) -> Result<Option<device_grant::Model>, StoreError> {
        Ok(device_grant::Entity::find()
            .filter(device_grant::Column::UserCode.eq(user_code))
            .lock_exclusive()
            .one(&self.tx)
            .await?)
    }

    pub(crate) async fn update_device(&self, row: device_grant::Model) -> Result<(), StoreError> {
        row.into_active_model().reset_all().update(&self.tx).await?;
        Ok(())
    }

    pub(crate) async fn insert_client_session(&self, row: client_session::Model) -> Result<(), StoreError> {
        client_session::Entity::insert(row.into_active_model())
            .exec_without_returning(&self.tx)
            .await?;
        Ok(())
    }

    /// Finds out what a refresh token is good for.
    pub(crate) async fn find_refresh_token(&self, digest: &str) -> Result<RefreshToken, StoreError> {
        let good = client_session::Entity::find()
            .filter(client_session::Column::RefreshDigest.eq(digest))
            .lock_exclusive()
            .one(&self.tx)
            .await?;
        if let Some(session) = good {
            return Ok(RefreshToken::Good(Box::new(session)));
        }
        let spent = spent_refresh_token::Entity::find_by_id(digest)
            .one(&self.tx)
            .await?;
        Ok(match spent {
            Some(row) => RefreshToken::Spent(row.key_id, row.spent_at_ms),
            None => RefreshToken::Unknown,
        })
    }

    /// Puts another refresh token in the place of the one that a session had.
    pub(crate) async fn rotate_refresh_token(
        &self,
        session: client_session::Model,
        digest: String,
        now_ms: UnixMs,
    ) -> Result<(), StoreError> {
        let spent = spent_refresh_token::Model {
            digest: session.refresh_digest.clone(),
            key_id: session.key_id.clone(),
            spent_at_ms: now_ms,
        };
        spent_refresh_token::Entity::insert(spent.into_active_model())
            .exec_without_returning(&self.tx)
            .await?;
        let session = client_session::Model {
            refresh_digest: digest,
            refreshed_at_ms: now_ms,
            ..session
        };
        session.into_active_model().reset_all().update(&self.tx).await?;
        Ok(())
    }

    /// Ends the sessions of clients that these keys stand for: the caller revokes the keys.
    pub(crate) async fn delete_client_sessions(&self, key_ids: &[String]) -> Result<(), StoreError> {
        client_session::Entity::delete_many()
            .filter(client_session::Column::KeyId.is_in(key_ids))
            .exec(&self.tx)
            .await?;
        spent_refresh_token::Entity::delete_many()
            .filter(spent_refresh_token::Column::KeyId.is_in(key_ids))
            .exec(&self.tx)
            .await?;
        Ok(())
    }

    /// The keys that stand for sessions of a user's clients.
    pub(crate) async fn list_session_keys_of(
        &self,
        user_id: &str,
    ) -> Result<Vec<virtual_key::Model>, StoreError> {
        Ok(virtual_key::Entity::find()
            .filter(virtual_key::Column::UserId.eq(user_id))
            .filter(virtual_key::Column::Kind.eq("session"))
            .filter(virtual_key::Column::State.eq("active"))
            .order_by_asc(virtual_key::Column::Id)
            .lock_exclusive()
            .all(&self.tx)
            .await?)
    }

    /// Keys of sessions of which the time is over and that are still pushed, at most `limit`.
    pub(crate) async fn list_expired_session_keys(
        &self,
        now_ms: UnixMs,
        limit: u64,
    ) -> Result<Vec<virtual_key::Model>, StoreError> {
        Ok(virtual_key::Entity::find()
            .filter(virtual_key::Column::Kind.eq("session"))
            .filter(virtual_key::Column::State.eq("active"))
            .filter(virtual_key::Column::ExpiresAtMs.lte(now_ms))
            .limit(limit)
            .lock_exclusive()
            .all(&self.tx)
            .await?)
    }

    /// The keys that tokens are signed with.
    pub(crate) async fn list_signing_keys(&self) -> Result<Vec<signing_key::Model>, StoreError> {
        Ok(signing_key::Entity::find().all(&self.tx).await?)
    }

    pub(crate) async fn insert_signing_key(&mut self, row: signing_key::Model) -> Result<(), StoreError> {
        self.touch(ObjectKind::SigningKey, &row.id);
        signing_key::Entity::insert(row.into_active_model())
            .exec_without_returning(&self.tx)
            .await?;
        Ok(())
    }

    /// Signs with these keys no more; their tokens are good until the end that is given.
    pub(crate) async fn retire_signing_keys(
        &mut self,
        now_ms: UnixMs,
        expires_at_ms: UnixMs,
    ) -> Result<(), StoreError> {
        use signing_key::Column as C;
        let open = signing_key::Entity::find().filter(C::RetiredAtMs.is_null());
        for row in open.all(&self.tx).await? {
            self.touch(ObjectKind::SigningKey, &row.id);
        }
        signing_key::Entity::update_many()
            .col_expr(C::RetiredAtMs, Expr::value(now_ms))
            .col_expr(C::ExpiresAtMs, Expr::value(expires_at_ms))
            .filter(C::RetiredAtMs.is_null())
            .exec(&self.tx)
            .await?;
        Ok(())
    }

    /// Forgets the keys of which no token can be good any more; how many those were.
    pub(crate) async fn delete_expired_signing_keys(&mut self, now_ms: UnixMs) -> Result<u64, StoreError> {
        use signing_key::Column as C;
        let expired = || C::ExpiresAtMs.lt(now_ms);
        for row in signing_key::Entity::find()
            .filter(expired())
            .all(&self.tx)
            .await?
        {
            self.touch(ObjectKind::SigningKey, &row.id);
        }
        let gone = signing_key::Entity::delete_many()
            .filter(expired())
            .exec(&self.tx)
            .await?;
        Ok(gone.rows_affected)
    }
}
