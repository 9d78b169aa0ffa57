//! The groups of providers, and who is in them.

use super::super::entity::{scim_group, scim_group_member, user};
use super::super::{StoreError, Tx, dialect};
use super::{Narrow, ScimReads};
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict, Query};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, JoinType,
    PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, RelationDef,
};
use std::collections::{HashMap, HashSet};

use scim_group::Column as C;
use scim_group_member::Column as M;

/// Somebody who is in a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) id: String,
    /// How they are shown.
    pub(crate) name: String,
}

impl<T: ConnectionTrait> ScimReads<'_, T> {
    /// A provider's groups in the order of their ids, after one of them and after so many.
    pub(crate) async fn list_groups(
        &self,
        provider_id: &str,
        narrow: &Narrow,
        after: Option<&str>,
        offset: u64,
        limit: u64,
    ) -> Result<Vec<scim_group::Model>, StoreError> {
        if !narrow.is_sound() {
            return Ok(Vec::new());
        }
        let mut select = scim_group::Entity::find().filter(C::ProviderId.eq(provider_id));
        for (column, wanted) in [
            (C::Id, &narrow.id),
            (C::NameKey, &narrow.name_key),
            (C::ExternalId, &narrow.external_id),
        ] {
            if let Some(wanted) = wanted {
                select = select.filter(column.eq(wanted));
            }
        }
        if let Some(member) = &narrow.member {
            let theirs = Query::select()
                .column(M::GroupId)
                .from(scim_group_member::Entity)
                .and_where(Expr::col(M::UserId).eq(member.as_str()))
                .to_owned();
            select = select.filter(C::Id.in_subquery(theirs));
        }
        if let Some(after) = after {
            select = select.filter(C::Id.gt(after));
        }
        Ok(select
            .order_by_asc(C::Id)
            .offset(offset)
            .limit(limit)
            .all(self.0)
            .await?)
    }

    /// One of a provider's groups.
    pub(crate) async fn find_group(
        &self,
        provider_id: &str,
        id: &str,
    ) -> Result<Option<scim_group::Model>, StoreError> {
        let narrow = Narrow {
            id: Some(id.to_owned()),
            ..Narrow::default()
        };
        let found = self.list_groups(provider_id, &narrow, None, 0, 1).await?;
        Ok(found.into_iter().next())
    }

    /// How many groups a provider has.
    pub(crate) async fn count_groups(&self, provider_id: &str) -> Result<u64, StoreError> {
        let select = scim_group::Entity::find().filter(C::ProviderId.eq(provider_id));
        Ok(select.count(self.0).await?)
    }

    /// Who is in each of these groups, in the order of their ids.
    pub(crate) async fn list_members(
        &self,
        group_ids: &[String],
    ) -> Result<HashMap<String, Vec<Member>>, StoreError> {
        let of_user: RelationDef = scim_group_member::Entity::belongs_to(user::Entity)
            .from(M::UserId)
            .to(user::Column::Id)
            .into();
        let mut members: HashMap<String, Vec<Member>> = HashMap::new();
        for chunk in group_ids.chunks(dialect::rows_per_statement(1)) {
            let rows: Vec<(String, String, Option<String>, String)> = scim_group_member::Entity::find()
                .select_only()
                .column(M::GroupId)
                .column(M::UserId)
                .column(user::Column::DisplayName)
                .column(user::Column::Username)
                .join(JoinType::InnerJoin, of_user.clone())
                .filter(M::GroupId.is_in(chunk))
                .order_by_asc(M::UserId)
                .into_tuple()
                .all(self.0)
                .await?;
            for (group, id, display_name, username) in rows {
                let name = display_name.unwrap_or(username);
                members.entry(group).or_default().push(Member { id, name });
            }
        }
        Ok(members)
    }

    /// Those of these users who are in a group.
    pub(crate) async fn list_members_among(
        &self,
        group_id: &str,
        ids: &[String],
    ) -> Result<HashSet<String>, StoreError> {
        let mut members = HashSet::new();
        for chunk in ids.chunks(dialect::rows_per_statement(1)) {
            let some: Vec<String> = scim_group_member::Entity::find()
                .select_only()
                .column(M::UserId)
                .filter(M::GroupId.eq(group_id))
                .filter(M::UserId.is_in(chunk))
                .into_tuple()
                .all(self.0)
                .await?;
            members.extend(some);
        }
        Ok(members)
    }

    /// How many are in a group.
    pub(crate) async fn count_members(&self, group_id: &str) -> Result<u64, StoreError> {
        let select = scim_group_member::Entity::find().filter(M::GroupId.eq(group_id));
        Ok(select.count(self.0).await?)
    }

    /// The ids of all who are in a group.
    pub(crate) async fn list_member_ids(&self, group_id: &str) -> Result<Vec<String>, StoreError> {
        Ok(scim_group_member::Entity::find()
            .select_only()
            .column(M::UserId)
            .filter(M::GroupId.eq(group_id))
            .order_by_asc(M::UserId)
            .into_tuple()
            .all(self.0)
            .await?)
    }
}

impl Tx {
    pub(crate) async fn insert_scim_group(&self, row: scim_group::Model) -> Result<(), StoreError> {
        scim_group::Entity::insert(row.into_active_model())
            .exec_without_returning(&self.tx)
            .await?;
        Ok(())
    }

    pub(crate) async fn update_scim_group(&self, row: scim_group::Model) -> Result<(), StoreError> {
        row.into_active_model().reset_all().update(&self.tx).await?;
        Ok(())
    }

    pub(crate) async fn delete_scim_group(&self, id: &str) -> Result<(), StoreError> {
        scim_group_member::Entity::delete_many()
            .filter(M::GroupId.eq(id))
            .exec(&self.tx)
            .await?;
        scim_group::Entity::delete_by_id(id).exec(&self.tx).await?;
        Ok(())
    }

    /// Gives the groups that a user is in their next version.
    pub(crate) async fn advance_scim_groups_of(&self, user_id: &str) -> Result<(), StoreError> {
        let theirs = Query::select()
            .column(M::GroupId)
            .from(scim_group_member::Entity)
            .and_where(Expr::col(M::UserId).eq(user_id))
            .to_owned();
        scim_group::Entity::update_many()
            .col_expr(C::Version, Expr::col(C::Version).add(1))
            .filter(C::Id.in_subquery(theirs))
            .exec(&self.tx)
            .await?;
        Ok(())
    }

    pub(crate) async fn insert_scim_members(&self, group_id: &str, ids: &[String]) -> Result<(), StoreError> {
        for chunk in ids.chunks(dialect::rows_per_statement(2)) {
            let rows = chunk.iter().map(|id| scim_group_member::ActiveModel {
                group_id: Set(group_id.to_owned()),
                user_id: Set(id.clone()),
            });
            scim_group_member::Entity::insert_many(rows)
                .on_conflict(
                    OnConflict::columns([M::GroupId, M::UserId])
                        .do_nothing()
                        .to_owned(),
                )
                .exec_without_returning(&self.tx)
                .await?;
        }
        Ok(())
    }

    pub(crate) async fn delete_scim_members(&self, group_id: &str, ids: &[String]) -> Result<(), StoreError> {
        for chunk in ids.chunks(dialect::rows_per_statement(1)) {
            scim_group_member::Entity::delete_many()
                .filter(M::GroupId.eq(group_id))
                .filter(M::UserId.is_in(chunk))
                .exec(&self.tx)
                .await?;
        }
        Ok(())
    }
}
