//! Virtual keys.

use super::entity::user;
use super::entity::virtual_key::{self, Column as C};
use super::together::{OfId, Read as _};
use super::turn::{COUNTED, Sorted, Turn};
use super::{Store, StoreError, Tx, contains};
use ccag_domain::{ObjectKind, UnixMs};
use sea_orm::sea_query::SelectStatement;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait,
};

/// By what keys are put in order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum KeyOrder {
    /// When they were made.
    #[default]
    Created,
    /// Their name.
    Name,
    /// When they expire; those that never do come last.
    Expires,
}

/// Which state of a key is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyStateFilter {
    /// Neither revoked nor expired.
    Active,
    /// Expired, but not revoked.
    Expired,
    /// Revoked.
    Revoked,
}

/// The keys of somebody who does not see all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeysWithin {
    /// Those of this user,
    pub user_id: String,
    /// and those that this team pays for or that belong to its members.
    pub team_id: Option<String>,
}

impl KeysWithin {
    /// The ids of those keys.
    pub(super) fn ids(&self) -> SelectStatement {
        virtual_key::Entity::find()
            .select_only()
            .column(C::Id)
            .filter(self.condition())
            .into_query()
    }

    fn condition(&self) -> Condition {
        let Some(team) = &self.team_id else {
            return Condition::all().add(C::UserId.eq(&self.user_id));
        };
        let members = user::Entity::find()
            .select_only()
            .column(user::Column::Id)
            .filter(user::Column::TeamId.eq(team));
        Condition::any()
            .add(C::UserId.eq(&self.user_id))
            .add(C::TeamId.eq(team))
            .add(C::UserId.in_subquery(members.into_query()))
    }
}

/// The most keys that are looked at for when they expire.
const MOST_EXPIRING: u64 = 1_000;

/// Which keys to list, and how.
#[derive(Debug, Clone, Default)]
pub struct KeyQuery {
    /// Part of the name or the beginning of the secret, whatever the case.
    pub search: Option<String>,
    /// The whole name, whatever the case.
    pub name: Option<String>,
    /// Only those that somebody may see; `None` is all.
    pub within: Option<KeysWithin>,
    /// Only this user's.
    pub user_id: Option<String>,
    /// Only this team's.
    pub team_id: Option<String>,
    /// Only those in this state.
    pub state: Option<KeyStateFilter>,
    /// In which order.
    pub order: KeyOrder,
    /// The smallest first; otherwise the greatest, which for [`KeyOrder::Created`] is the newest.
    pub ascending: bool,
    /// Only those made before this time and id, which is where a page in the default order ends.
    pub before: Option<(UnixMs, String)>,
    /// Where the page lies, in its order.
    pub turn: Option<Turn>,
    /// How many to skip.
    pub offset: u64,
    /// How many at most.
    pub limit: u64,
}

impl KeyQuery {
    fn condition(&self, now_ms: UnixMs) -> Condition {
        let not_expired = Condition::any()
            .add(C::ExpiresAtMs.is_null())
            .add(C::ExpiresAtMs.gt(now_ms));
        let state = self.state.map(|state| match state {
            KeyStateFilter::Active => Condition::all().add(C::State.eq("active")).add(not_expired),
            KeyStateFilter::Expired => Condition::all()
                .add(C::State.eq("active"))
                .add(C::ExpiresAtMs.lte(now_ms)),
            KeyStateFilter::Revoked => Condition::all().add(C::State.eq("revoked")),
        });
        let search = self
            .search
            .as_deref()
            .filter(|text| !text.is_empty())
            .map(|text| {
                Condition::any()
                    .add(C::NameKey.like(contains(&text.to_lowercase())))
                    .add(C::Prefix.like(contains(text)))
            });
        let before = self.before.as_ref().map(|(at_ms, id)| {
            Condition::any()
                .add(C::CreatedAtMs.lt(*at_ms))
                .add(Condition::all().add(C::CreatedAtMs.eq(*at_ms)).add(C::Id.lt(id)))
        });
        Condition::all()
            // Sessions of clients are listed as such.
            .add(C::Kind.eq("key"))
            .add_option(search)
            .add_option(before)
            .add_option(self.within.as_ref().map(KeysWithin::condition))
            .add_option(self.name.as_ref().map(|name| C::NameKey.eq(name.to_lowercase())))
            .add_option(self.user_id.as_ref().map(|id| C::UserId.eq(id)))
            .add_option(self.team_id.as_ref().map(|id| C::TeamId.eq(id)))
            .add_option(state)
    }
}

impl Store {
    /// The keys of a team that are not revoked, by name: ids and names.
    pub(crate) async fn list_team_keys(&self, team_id: &str) -> Result<Vec<(String, String)>, StoreError> {
        let select = virtual_key::Entity::find()
            .select_only()
            .column(C::Id)
            .column_as(C::Name, "value")
            .filter(C::TeamId.eq(team_id))
            .filter(C::State.eq("active"))
            .order_by_asc(C::Name)
            .order_by_asc(C::Id);
        let found: Vec<OfId> = self.read_some(select, &["id", "value"]).await?;
        Ok(found.into_iter().map(|key| (key.id, key.value)).collect())
    }

    /// One page of keys, and how many there are in all, up to [`COUNTED`]. Of a page that ends before a row the last one comes
    /// first.
    pub(crate) async fn list_keys(
        &self,
        query: &KeyQuery,
        now_ms: UnixMs,
    ) -> Result<(Vec<virtual_key::Model>, u64), StoreError> {
        let select = virtual_key::Entity::find().filter(query.condition(now_ms));
        let (by, number, optional) = match query.order {
            KeyOrder::Created => (C::CreatedAtMs, true, false),
            KeyOrder::Name => (C::NameKey, false, false),
            KeyOrder::Expires => (C::ExpiresAtMs, true, true),
        };
        let sorted = Sorted {
            by,
            number,
            optional,
            id: C::Id,
            ascending: query.ascending,
        };
        let rows = sorted
            .select(select.clone(), query.turn.as_ref())
            .offset(query.offset)
            .limit(query.limit);
        tokio::try_join!(rows.all_in(self), select.count_up_to(self, COUNTED))
    }

    pub(crate) async fn find_key(&self, id: &str) -> Result<Option<virtual_key::Model>, StoreError> {
        virtual_key::Entity::find_by_id(id).one_in(self).await
    }

    /// A key, and the user whose it is.
    pub(crate) async fn find_key_and_user(
        &self,
        id: &str,
    ) -> Result<(Option<virtual_key::Model>, Option<user::Model>), StoreError> {
        let whose = virtual_key::Entity::find_by_id(id)
            .select_only()
            .column(C::UserId)
            .into_query();
        let users = user::Entity::find().filter(user::Column::Id.in_subquery(whose));
        tokio::try_join!(self.find_key(id), users.one_in(self))
    }

    /// A key by the digest of its secret.
    pub(crate) async fn find_key_by_digest(
        &self,
        digest: &str,
    ) -> Result<Option<virtual_key::Model>, StoreError> {
        virtual_key::Entity::find()
            .filter(C::Digest.eq(digest))
            .one_in(self)
            .await
    }

    /// Keys in use that expire after one moment and not after another, the first to expire first.
    pub(crate) async fn list_expiring_keys(
        &self,
        after_ms: UnixMs,
        until_ms: UnixMs,
    ) -> Result<Vec<virtual_key::Model>, StoreError> {
        virtual_key::Entity::find()
            .filter(C::Kind.ne("session"))
            .filter(C::State.eq("active"))
            .filter(C::ExpiresAtMs.gt(after_ms))
            .filter(C::ExpiresAtMs.lte(until_ms))
            .order_by_asc(C::ExpiresAtMs)
            .limit(MOST_EXPIRING)
            .all_in(self)
            .await
    }

    /// The names of these keys.
    pub(crate) async fn list_key_names(&self, ids: &[String]) -> Result<Vec<(String, String)>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let select = virtual_key::Entity::find()
            .select_only()
            .column(C::Id)
            .column_as(C::Name, "value")
            .filter(C::Id.is_in(ids));
        let found: Vec<OfId> = self.read_some(select, &["id", "value"]).await?;
        Ok(found.into_iter().map(|of| (of.id, of.value)).collect())
    }
}

impl Tx {
    pub(crate) async fn find_key(&self, id: &str) -> Result<Option<virtual_key::Model>, StoreError> {
        Ok(virtual_key::Entity::find_by_id(id)
            .lock_exclusive()
            .one(&self.tx)
            .await?)
    }

    /// The keys of a user that are not revoked.
    pub(crate) async fn list_active_keys_of(
        &self,
        user_id: &str,
    ) -> Result<Vec<virtual_key::Model>, StoreError> {
        Ok(virtual_key::Entity::find()
            .filter(C::UserId.eq(user_id))
            .filter(C::State.eq("active"))
            .order_by_asc(C::Id)
            .lock_exclusive()
            .all(&self.tx)
            .await?)
    }

    pub(crate) async fn insert_key(&mut self, row: virtual_key::Model) -> Result<(), StoreError> {
        self.touch(ObjectKind::Key, &row.id);
        virtual_key::Entity::insert(row.into_active_model())
            .exec_without_returning(&self.tx)
            .await?;
        Ok(())
    }

    pub(crate) async fn update_key(&mut self, row: virtual_key::Model) -> Result<(), StoreError> {
        self.touch(ObjectKind::Key, &row.id);
        row.into_active_model().reset_all().update(&self.tx).await?;
        Ok(())
    }

    pub(crate) async fn delete_key(&mut self, id: &str) -> Result<(), StoreError> {
        self.touch(ObjectKind::Key, id);
        virtual_key::Entity::delete_by_id(id).exec(&self.tx).await?;
        Ok(())
    }
}
