//! What providers say of their users.

use super::super::entity::{scim_group, scim_group_member, scim_user, user};
use super::super::{StoreError, Tx, dialect};
use super::ScimReads;
use ccag_domain::ObjectKind;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, JoinType, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect, RelationDef, Select,
};
use std::collections::{HashMap, HashSet};

use scim_user::Column as C;

/// A user, and what their provider says of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Person {
    pub(crate) scim: scim_user::Model,
    pub(crate) user: user::Model,
}

/// What an index knows about the users or groups that are looked for. More than one thing narrows further.
#[derive(Debug, Clone, Default)]
pub(crate) struct Narrow {
    pub(crate) id: Option<String>,
    /// In lower case.
    pub(crate) name_key: Option<String>,
    pub(crate) external_id: Option<String>,
    /// Of groups: somebody who is in it.
    pub(crate) member: Option<String>,
}

/// PostgreSQL takes no such text, and so holds none.
fn sound(narrow: &Narrow) -> bool {
    let parts = [&narrow.id, &narrow.name_key, &narrow.external_id, &narrow.member];
    !parts.into_iter().flatten().any(|text| text.contains('\0'))
}

impl Narrow {
    pub(super) fn is_sound(&self) -> bool {
        sound(self)
    }
}

fn of_user() -> RelationDef {
    scim_user::Entity::belongs_to(user::Entity)
        .from(C::UserId)
        .to(user::Column::Id)
        .into()
}

fn of_provider(provider_id: &str) -> Select<scim_user::Entity> {
    scim_user::Entity::find()
        .filter(C::ProviderId.eq(provider_id))
        .filter(C::Deleted.eq(false))
}

impl<T: ConnectionTrait> ScimReads<'_, T> {
    /// A provider's users in the order of their ids, after one of them and after so many.
    pub(crate) async fn list_people(
        &self,
        provider_id: &str,
        narrow: &Narrow,
        after: Option<&str>,
        offset: u64,
        limit: u64,
    ) -> Result<Vec<Person>, StoreError> {
        if !sound(narrow) {
            return Ok(Vec::new());
        }
        let mut select = of_provider(provider_id);
        for (column, wanted) in [
            (C::UserId, &narrow.id),
            (C::UserNameKey, &narrow.name_key),
            (C::ExternalId, &narrow.external_id),
        ] {
            if let Some(wanted) = wanted {
                select = select.filter(column.eq(wanted));
            }
        }
        if let Some(after) = after {
            select = select.filter(C::UserId.gt(after));
        }
        let rows = select
            .select_also(user::Entity)
            .join(JoinType::InnerJoin, of_user())
            .order_by_asc(C::UserId)
            .offset(offset)
            .limit(limit)
            .all(self.0)
            .await?;
        Ok(rows
            .into_iter()
            .filter_map(|(scim, user)| user.map(|user| Person { scim, user }))
            .collect())
    }

    /// One of a provider's users.
    pub(crate) async fn find_person(
        &self,
        provider_id: &str,
        id: &str,
    ) -> Result<Option<Person>, StoreError> {
        let narrow = Narrow {
            id: Some(id.to_owned()),
            ..Narrow::default()
        };
        let found = self.list_people(provider_id, &narrow, None, 0, 1).await?;
        Ok(found.into_iter().next())
    }

    /// How many users a provider has.
    pub(crate) async fn count_people(&self, provider_id: &str) -> Result<u64, StoreError> {
        Ok(of_provider(provider_id).count(self.0).await?)
    }

    /// Whom the provider calls by this name or id, deleted or not.
    pub(crate) async fn find_known(
        &self,
        provider_id: &str,
        name_key: Option<&str>,
        external_id: Option<&str>,
    ) -> Result<Option<scim_user::Model>, StoreError> {
        let mut select = scim_user::Entity::find().filter(C::ProviderId.eq(provider_id));
        if let Some(name_key) = name_key {
            select = select.filter(C::UserNameKey.eq(name_key));
        }
        if let Some(external_id) = external_id {
            select = select.filter(C::ExternalId.eq(external_id));
        }
        Ok(select.one(self.0).await?)
    }

    /// What any provider says of a user, deleted or not.
    pub(crate) async fn find_said_of(&self, user_id: &str) -> Result<Option<scim_user::Model>, StoreError> {
        Ok(scim_user::Entity::find_by_id(user_id).one(self.0).await?)
    }

    /// Those of these ids that are users of the provider.
    pub(crate) async fn list_known(
        &self,
        provider_id: &str,
        ids: &[String],
    ) -> Result<HashSet<String>, StoreError> {
        let mut known = HashSet::new();
        for chunk in ids.chunks(dialect::rows_per_statement(1)) {
            let some: Vec<String> = of_provider(provider_id)
                .select_only()
                .column(C::UserId)
                .filter(C::UserId.is_in(chunk))
                .into_tuple()
                .all(self.0)
                .await?;
            known.extend(some);
        }
        Ok(known)
    }

    /// The groups of each of these users, as id and name, by name.
    pub(crate) async fn list_groups_of(
        &self,
        user_ids: &[String],
    ) -> Result<HashMap<String, Vec<(String, String)>>, StoreError> {
        use scim_group_member::Column as M;
        let group: RelationDef = scim_group_member::Entity::belongs_to(scim_group::Entity)
            .from(M::GroupId)
            .to(scim_group::Column::Id)
            .into();
        let mut groups: HashMap<String, Vec<(String, String)>> = HashMap::new();
        for chunk in user_ids.chunks(dialect::rows_per_statement(1)) {
            let rows: Vec<(String, String, String)> = scim_group_member::Entity::find()
                .select_only()
                .column(M::UserId)
                .column(M::GroupId)
                .column(scim_group::Column::DisplayName)
                .join(JoinType::InnerJoin, group.clone())
                .filter(M::UserId.is_in(chunk))
                .order_by_asc(scim_group::Column::NameKey)
                .into_tuple()
                .all(self.0)
                .await?;
            for (user, id, name) in rows {
                groups.entry(user).or_default().push((id, name));
            }
        }
        Ok(groups)
    }

    /// These users.
    pub(crate) async fn list_users_by_id(&self, ids: &[String]) -> Result<Vec<user::Model>, StoreError> {
        let mut users = Vec::with_capacity(ids.len());
        for chunk in ids.chunks(dialect::rows_per_statement(1)) {
            let some = user::Entity::find().filter(user::Column::Id.is_in(chunk));
            users.extend(some.all(self.0).await?);
        }
        Ok(users)
    }

    /// The user of this name, whoever they belong to.
    pub(crate) async fn find_username(&self, name_key: &str) -> Result<Option<user::Model>, StoreError> {
        Ok(user::Entity::find()
            .filter(user::Column::UsernameKey.eq(name_key))
            .one(self.0)
            .await?)
    }
}

impl Tx {
    pub(crate) async fn insert_scim_user(&self, row: scim_user::Model) -> Result<(), StoreError> {
        scim_user::Entity::insert(row.into_active_model())
            .exec_without_returning(&self.tx)
            .await?;
        Ok(())
    }

    pub(crate) async fn update_scim_user(&self, row: scim_user::Model) -> Result<(), StoreError> {
        row.into_active_model().reset_all().update(&self.tx).await?;
        Ok(())
    }

    /// Forgets what a provider says of a user, and their groups there.
    pub(crate) async fn delete_scim_user(&self, user_id: &str) -> Result<(), StoreError> {
        self.leave_scim_groups(user_id).await?;
        scim_user::Entity::delete_by_id(user_id).exec(&self.tx).await?;
        Ok(())
    }

    /// Gives users, all of them the same, groups and what follows from them. They are in `like`, their ids are `ids`.
    pub(crate) async fn update_groups_of(
        &mut self,
        ids: &[String],
        like: &user::Model,
    ) -> Result<(), StoreError> {
        use user::Column as U;
        for id in ids {
            self.touch(ObjectKind::User, id);
        }
        for chunk in ids.chunks(dialect::rows_per_statement(1)) {
            user::Entity::update_many()
                .col_expr(U::Groups, Expr::val(like.groups.as_str()))
                .col_expr(U::Role, Expr::val(like.role.as_str()))
                .col_expr(U::TeamId, Expr::val(like.team_id.clone()))
                .filter(U::Id.is_in(chunk))
                .exec(&self.tx)
                .await?;
        }
        Ok(())
    }

    /// Takes a user out of all groups.
    pub(crate) async fn leave_scim_groups(&self, user_id: &str) -> Result<(), StoreError> {
        scim_group_member::Entity::delete_many()
            .filter(scim_group_member::Column::UserId.eq(user_id))
            .exec(&self.tx)
            .await?;
        Ok(())
    }

    /// Gives users their next version, since their groups are others.
    pub(crate) async fn advance_scim_users(&self, ids: &[String]) -> Result<(), StoreError> {
        for chunk in ids.chunks(dialect::rows_per_statement(1)) {
            scim_user::Entity::update_many()
                .col_expr(C::Version, Expr::col(C::Version).add(1))
                .filter(C::UserId.is_in(chunk))
                .exec(&self.tx)
                .await?;
        }
        Ok(())
    }
}
