//! Teams and users.

use super::entity::{session, team, team_endpoint, user, virtual_key};
use super::together::{CountOf, Read as _};
use super::turn::{COUNTED, Sorted, Turn};
use super::{Store, StoreError, Tx, contains};
use ccag_domain::{AccountState, ObjectKind, Role, UserKind};
use sea_orm::sea_query::SelectStatement;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter,
    QueryOrder, QuerySelect, QueryTrait,
};
use std::collections::HashMap;

/// Which users to list.
#[derive(Debug, Clone, Default)]
pub struct UserQuery {
    /// Part of the user name, the e-mail address or the display name, whatever the case.
    pub search: Option<String>,
    /// The whole user name, whatever the case.
    pub username: Option<String>,
    /// Only this team's.
    pub team_id: Option<String>,
    /// With those of `team_id` also members who have no team.
    pub or_free: bool,
    /// Only those with this role.
    pub role: Option<Role>,
    /// Only people, or only service accounts.
    pub kind: Option<UserKind>,
    /// Only those in this state.
    pub state: Option<AccountState>,
    /// Only those whose user name in lower case comes after this.
    pub after_name: Option<String>,
    /// By what they are put in order,
    pub order: UserOrder,
    /// with the greatest first.
    pub descending: bool,
    /// Where the page lies, in its order.
    pub turn: Option<Turn>,
    /// How many to skip.
    pub offset: u64,
    /// How many at most.
    pub limit: u64,
}

/// By what users are put in order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum UserOrder {
    /// Their user name.
    #[default]
    Name,
    /// When they were made.
    Created,
}

/// Which teams to list.
#[derive(Debug, Clone, Default)]
pub struct TeamQuery {
    /// Only this one.
    pub id: Option<String>,
    /// The whole name, whatever the case.
    pub name: Option<String>,
    /// Part of the name, whatever the case.
    pub search: Option<String>,
    /// Only those whose name in lower case comes after this.
    pub after_name: Option<String>,
    /// How many to skip.
    pub offset: u64,
    /// How many at most.
    pub limit: u64,
}

impl TeamQuery {
    /// The page, from all teams in their order, and how many there are in all; for a query without `after_name`.
    fn of(&self, teams: &[team::Model]) -> (Vec<team::Model>, u64) {
        let name = self.name.as_ref().map(|name| name.to_lowercase());
        let search = self.search.as_deref().unwrap_or_default().to_lowercase();
        let asked = |team: &&team::Model| {
            team.name_key.contains(&search)
                && self.id.as_ref().is_none_or(|id| team.id == *id)
                && name.as_ref().is_none_or(|name| team.name_key == *name)
        };
        let size = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        let found: Vec<&team::Model> = teams.iter().filter(asked).collect();
        let page = found.iter().skip(size(self.offset)).take(size(self.limit));
        (page.map(|team| (*team).clone()).collect(), found.len() as u64)
    }
}

/// The ids of users with this text in their name or address, whatever the case.
pub(super) fn users_like(text: &str) -> SelectStatement {
    user::Entity::find()
        .select_only()
        .column(user::Column::Id)
        .filter(user::Column::SearchKey.like(contains(&text.to_lowercase())))
        .into_query()
}

impl UserQuery {
    fn condition(&self) -> Condition {
        use user::Column as C;
        let search = self.search.as_deref().filter(|text| !text.is_empty());
        let username = self.username.as_ref().map(|name| name.to_lowercase());
        Condition::all()
            .add_option(search.map(|text| C::SearchKey.like(contains(&text.to_lowercase()))))
            .add_option(username.map(|name| C::UsernameKey.eq(name)))
            .add_option(self.after_name.as_ref().map(|name| C::UsernameKey.gt(name)))
            .add_option(self.team_id.as_ref().map(|id| self.within(id)))
            .add_option(self.role.map(|role| C::Role.eq(role.as_str())))
            .add_option(self.kind.map(|kind| C::Kind.eq(kind.as_str())))
            .add_option(self.state.map(|state| C::State.eq(state.as_str())))
    }
}

impl UserQuery {
    fn within(&self, team_id: &str) -> Condition {
        use user::Column as C;
        let of_team = Condition::any().add(C::TeamId.eq(team_id));
        if !self.or_free {
            return of_team;
        }
        let is_member = C::Role.eq(Role::Member.as_str());
        of_team.add(Condition::all().add(C::TeamId.is_null()).add(is_member))
    }
}

impl Store {
    /// One page of teams by name, and how many there are in all.
    pub(crate) async fn list_teams(&self, query: &TeamQuery) -> Result<(Vec<team::Model>, u64), StoreError> {
        use team::Column as C;
        if query.after_name.is_none() {
            return Ok(query.of(&self.teams().await?));
        }
        let name = query.name.as_ref().map(|name| C::NameKey.eq(name.to_lowercase()));
        let after = query.after_name.as_ref().map(|name| C::NameKey.gt(name));
        let id = query.id.as_ref().map(|id| C::Id.eq(id));
        let search = query.search.as_deref().filter(|text| !text.is_empty());
        let search = search.map(|text| C::NameKey.like(contains(&text.to_lowercase())));
        let all = Condition::all().add_option(id).add_option(name).add_option(after);
        let select = team::Entity::find().filter(all.add_option(search));
        let total = select.clone().count_in(self).await?;
        let rows = select
            .order_by_asc(C::NameKey)
            .offset(query.offset)
            .limit(query.limit)
            .all_in(self)
            .await?;
        Ok((rows, total))
    }

    pub(crate) async fn find_team(&self, id: &str) -> Result<Option<team::Model>, StoreError> {
        let teams = self.teams().await?;
        Ok(teams.iter().find(|team| team.id == id).cloned())
    }

    /// How many users belong to each of these teams; those with none are left out.
    pub(crate) async fn count_members(
        &self,
        team_ids: &[String],
    ) -> Result<HashMap<String, u64>, StoreError> {
        let select = user::Entity::find()
            .select_only()
            .column_as(user::Column::TeamId, "id")
            .column_as(user::Column::Id.count(), "found")
            .filter(user::Column::TeamId.is_in(team_ids))
            .group_by(user::Column::TeamId);
        let found: Vec<CountOf> = self.read_some(select, &["id", "found"]).await?;
        Ok(found
            .into_iter()
            .map(|of| (of.id, u64::try_from(of.found).unwrap_or(0)))
            .collect())
    }

    /// One page of users, and how many there are in all, up to [`COUNTED`]. Of a page that ends before a row the last one
    /// comes first.
    pub(crate) async fn list_users(&self, query: &UserQuery) -> Result<(Vec<user::Model>, u64), StoreError> {
        let select = user::Entity::find().filter(query.condition());
        let (by, number) = match query.order {
            UserOrder::Name => (user::Column::UsernameKey, false),
            UserOrder::Created => (user::Column::CreatedAtMs, true),
        };
        let sorted = Sorted {
            by,
            number,
            optional: false,
            id: user::Column::Id,
            ascending: !query.descending,
        };
        let rows = sorted
            .select(select.clone(), query.turn.as_ref())
            .offset(query.offset)
            .limit(query.limit);
        tokio::try_join!(rows.all_in(self), select.count_up_to(self, COUNTED))
    }

    pub(crate) async fn find_user(&self, id: &str) -> Result<Option<user::Model>, StoreError> {
        user::Entity::find_by_id(id).one_in(self).await
    }

    pub(crate) async fn find_user_by_name(&self, name: &str) -> Result<Option<user::Model>, StoreError> {
        user::Entity::find()
            .filter(user::Column::UsernameKey.eq(name.to_lowercase()))
            .one_in(self)
            .await
    }

    /// The names of these users, for people.
    pub(crate) async fn list_user_names(&self, ids: &[String]) -> Result<Vec<(String, String)>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let rows = user::Entity::find()
            .filter(user::Column::Id.is_in(ids))
            .all_in(self)
            .await?;
        Ok(rows
            .into_iter()
            .map(|row| (row.id, row.display_name.unwrap_or(row.username)))
            .collect())
    }

    /// The names of these teams.
    pub(crate) async fn list_team_names(&self, ids: &[String]) -> Result<Vec<(String, String)>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let teams = self.teams().await?;
        let named = teams.iter().filter(|team| ids.contains(&team.id));
        Ok(named.map(|team| (team.id.clone(), team.name.clone())).collect())
    }
}

impl Tx {
    pub(crate) async fn find_team(&self, id: &str) -> Result<Option<team::Model>, StoreError> {
        Ok(team::Entity::find_by_id(id)
            .lock_exclusive()
            .one(&self.tx)
            .await?)
    }

    pub(crate) async fn insert_team(&mut self, row: team::Model) -> Result<(), StoreError> {
        self.touch(ObjectKind::Team, &row.id);
        team::Entity::insert(row.into_active_model())
            .exec_without_returning(&self.tx)
            .await?;
        Ok(())
    }

    pub(crate) async fn update_team(&mut self, row: team::Model) -> Result<(), StoreError> {
        self.touch(ObjectKind::Team, &row.id);
        row.into_active_model().reset_all().update(&self.tx).await?;
        Ok(())
    }

    /// Deletes a team and its assignments of endpoints.
    pub(crate) async fn delete_team(&mut self, id: &str) -> Result<(), StoreError> {
        self.touch(ObjectKind::Team, id);
        team_endpoint::Entity::delete_many()
            .filter(team_endpoint::Column::TeamId.eq(id))
            .exec(&self.tx)
            .await?;
        team::Entity::delete_by_id(id).exec(&self.tx).await?;
        Ok(())
    }

    /// How many users and unrevoked keys name the team.
    pub(crate) async fn count_team_members(&self, id: &str) -> Result<(u64, u64), StoreError> {
        let users = user::Entity::find()
            .filter(user::Column::TeamId.eq(id))
            .count(&self.tx)
            .await?;
        let keys = virtual_key::Entity::find()
            .filter(virtual_key::Column::TeamId.eq(id))
            .filter(virtual_key::Column::State.eq("active"))
            .count(&self.tx)
            .await?;
        Ok((users, keys))
    }

    pub(crate) async fn find_user(&self, id: &str) -> Result<Option<user::Model>, StoreError> {
        Ok(user::Entity::find_by_id(id)
            .lock_exclusive()
            .one(&self.tx)
            .await?)
    }

    pub(crate) async fn insert_user(&mut self, row: user::Model) -> Result<(), StoreError> {
        self.touch(ObjectKind::User, &row.id);
        user::Entity::insert(row.into_active_model())
            .exec_without_returning(&self.tx)
            .await?;
        Ok(())
    }

    pub(crate) async fn update_user(&mut self, row: user::Model) -> Result<(), StoreError> {
        self.touch(ObjectKind::User, &row.id);
        row.into_active_model().reset_all().update(&self.tx).await?;
        Ok(())
    }

    /// Deletes a user and signs them out everywhere.
    pub(crate) async fn delete_user(&mut self, id: &str) -> Result<(), StoreError> {
        self.touch(ObjectKind::User, id);
        self.delete_sessions_of(id).await?;
        self.delete_search_providers(id).await?;
        self.delete_scim_user(id).await?;
        user::Entity::delete_by_id(id).exec(&self.tx).await?;
        Ok(())
    }

    /// Signs a user out everywhere.
    pub(crate) async fn delete_sessions_of(&self, user_id: &str) -> Result<u64, StoreError> {
        let gone = session::Entity::delete_many()
            .filter(session::Column::UserId.eq(user_id))
            .exec(&self.tx)
            .await?;
        Ok(gone.rows_affected)
    }

    /// How many active users with this role there are besides this one.
    pub(crate) async fn count_others(&self, role: Role, id: &str) -> Result<u64, StoreError> {
        Ok(user::Entity::find()
            .filter(user::Column::Role.eq(role.as_str()))
            .filter(user::Column::State.eq(AccountState::Active.as_str()))
            .filter(user::Column::Id.ne(id))
            .count(&self.tx)
            .await?)
    }

    /// The active admin who has been there for longest, if nobody active is an owner.
    pub(crate) async fn find_heir(&self) -> Result<Option<user::Model>, StoreError> {
        if self.count_others(Role::Owner, "").await? > 0 {
            return Ok(None);
        }
        Ok(user::Entity::find()
            .filter(user::Column::Role.eq(Role::Admin.as_str()))
            .filter(user::Column::State.eq(AccountState::Active.as_str()))
            .order_by_asc(user::Column::CreatedAtMs)
            .order_by_asc(user::Column::Id)
            .one(&self.tx)
            .await?)
    }
}
