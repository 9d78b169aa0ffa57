//! Endpoints, which teams may use them, and models.

use super::entity::{endpoint, model, setting, team, team_endpoint};
use super::together::Read as _;
use super::{Store, StoreError, Tx};
use ccag_domain::{ObjectKind, RoutingPolicy};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel,
    PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Select,
};

/// The `source` of a built-in model that an admin has taken out of the catalogue: its row stays, so that the next start
/// does not bring it back.
pub(crate) const REMOVED: &str = "removed";

/// The name of the setting that holds what the organisation says about routes.
const ROUTING: &str = "routing";

/// The models of the catalogue, by name.
pub(super) async fn models<C: ConnectionTrait>(db: &C) -> Result<Vec<model::Model>, StoreError> {
    Ok(model::Entity::find()
        .filter(model::Column::Source.ne(REMOVED))
        .order_by_asc(model::Column::Name)
        .all(db)
        .await?)
}

/// Which team may use which endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Assignment {
    /// The endpoint.
    pub(crate) endpoint_id: String,
    /// The team.
    pub(crate) team_id: String,
    /// The team's name.
    pub(crate) team_name: String,
}

/// The assignments of one endpoint, or of all.
fn assigned(endpoint_id: Option<&str>) -> Select<team_endpoint::Entity> {
    let select = team_endpoint::Entity::find();
    match endpoint_id {
        Some(id) => select.filter(team_endpoint::Column::EndpointId.eq(id)),
        None => select,
    }
}

/// Assignments by the names of their teams.
fn named(rows: Vec<team_endpoint::Model>, teams: &[team::Model]) -> Vec<Assignment> {
    let name = |id: &str| {
        teams
            .iter()
            .find(|team| team.id == id)
            .map(|team| team.name.clone())
    };
    let mut found: Vec<_> = rows
        .into_iter()
        .map(|row| Assignment {
            team_name: name(&row.team_id).unwrap_or_default(),
            endpoint_id: row.endpoint_id,
            team_id: row.team_id,
        })
        .collect();
    found.sort_by(|a, b| (&a.team_name, &a.team_id).cmp(&(&b.team_name, &b.team_id)));
    found
}

/// What the organisation says about routes. One that cannot be read allows nothing, rather than everything.
pub(super) async fn organisation<C: ConnectionTrait>(db: &C) -> Result<RoutingPolicy, StoreError> {
    Ok(policy_of(setting::Entity::find_by_id(ROUTING).one(db).await?))
}

fn policy_of(row: Option<setting::Model>) -> RoutingPolicy {
    let Some(row) = row else {
        return RoutingPolicy::default();
    };
    serde_json::from_str(&row.value).unwrap_or_else(|error| {
        tracing::error!(%error, "the organisation's rules for routes cannot be read: no request is let through by them");
        RoutingPolicy::sealed()
    })
}

impl Store {
    /// What the organisation says about routes.
    pub(crate) async fn find_routing(&self) -> Result<RoutingPolicy, StoreError> {
        Ok(policy_of(
            setting::Entity::find_by_id(ROUTING).one_in(self).await?,
        ))
    }

    pub(crate) async fn find_endpoint(&self, id: &str) -> Result<Option<endpoint::Model>, StoreError> {
        endpoint::Entity::find_by_id(id).one_in(self).await
    }

    /// Which teams may use which endpoints: those of one endpoint, or all.
    pub(crate) async fn list_assignments(
        &self,
        endpoint_id: Option<&str>,
    ) -> Result<Vec<Assignment>, StoreError> {
        let (rows, teams) = tokio::try_join!(assigned(endpoint_id).all_in(self), self.teams())?;
        Ok(named(rows, &teams))
    }

    /// The endpoints that are assigned to a team, in their order, with their positions.
    pub(crate) async fn list_team_endpoints(
        &self,
        team_id: &str,
    ) -> Result<Vec<(i64, endpoint::Model)>, StoreError> {
        let assigned = team_endpoint::Entity::find()
            .filter(team_endpoint::Column::TeamId.eq(team_id))
            .order_by_asc(team_endpoint::Column::Position)
            .order_by_asc(team_endpoint::Column::EndpointId);
        let (assigned, endpoints) = tokio::try_join!(assigned.all_in(self), self.list_endpoints())?;
        Ok(assigned
            .iter()
            .filter_map(|row| {
                let found = endpoints.iter().find(|e| e.id == row.endpoint_id)?;
                Some((row.position, found.clone()))
            })
            .collect())
    }
}

impl Tx {
    /// Says for the organisation what holds for routes.
    pub(crate) async fn find_routing(&self) -> Result<RoutingPolicy, StoreError> {
        organisation(&self.tx).await
    }

    /// The ids of the endpoints that a team may use, in their order.
    pub(crate) async fn list_team_endpoints(&self, team_id: &str) -> Result<Vec<String>, StoreError> {
        let rows = team_endpoint::Entity::find()
            .filter(team_endpoint::Column::TeamId.eq(team_id))
            .order_by_asc(team_endpoint::Column::Position)
            .order_by_asc(team_endpoint::Column::EndpointId)
            .all(&self.tx)
            .await?;
        Ok(rows.into_iter().map(|row| row.endpoint_id).collect())
    }

    pub(crate) async fn put_routing(&mut self, policy: &RoutingPolicy) -> Result<(), StoreError> {
        let json = serde_json::to_string(policy).map_err(|error| StoreError::Other(error.to_string()))?;
        self.put_setting(ROUTING, json).await
    }

    pub(crate) async fn count_endpoints(&self) -> Result<u64, StoreError> {
        Ok(endpoint::Entity::find().count(&self.tx).await?)
    }

    pub(crate) async fn insert_endpoint(&mut self, row: endpoint::Model) -> Result<(), StoreError> {
        self.touch(ObjectKind::Endpoint, &row.id);
        endpoint::Entity::insert(row.into_active_model())
            .exec_without_returning(&self.tx)
            .await?;
        Ok(())
    }

    pub(crate) async fn find_endpoint(&self, id: &str) -> Result<Option<endpoint::Model>, StoreError> {
        Ok(endpoint::Entity::find_by_id(id)
            .lock_exclusive()
            .one(&self.tx)
            .await?)
    }

    pub(crate) async fn list_endpoints(&self) -> Result<Vec<endpoint::Model>, StoreError> {
        Ok(endpoint::Entity::find().all(&self.tx).await?)
    }

    pub(crate) async fn update_endpoint(&mut self, row: endpoint::Model) -> Result<(), StoreError> {
        self.touch(ObjectKind::Endpoint, &row.id);
        row.into_active_model().reset_all().update(&self.tx).await?;
        Ok(())
    }

    /// Deletes an endpoint. Nothing may be assigned to it any more.
    pub(crate) async fn delete_endpoint(&mut self, id: &str) -> Result<(), StoreError> {
        self.touch(ObjectKind::Endpoint, id);
        self.delete_offers(id).await?;
        endpoint::Entity::delete_by_id(id).exec(&self.tx).await?;
        Ok(())
    }

    /// The teams that an endpoint is assigned to.
    pub(crate) async fn list_assignments(&self, endpoint_id: &str) -> Result<Vec<Assignment>, StoreError> {
        let rows = assigned(Some(endpoint_id)).all(&self.tx).await?;
        let ids: Vec<_> = rows.iter().map(|row| row.team_id.as_str()).collect();
        let teams = team::Entity::find()
            .filter(team::Column::Id.is_in(ids))
            .all(&self.tx)
            .await?;
        Ok(named(rows, &teams))
    }

    /// Replaces the endpoints that a team may use; the position comes with each.
    pub(crate) async fn set_team_endpoints(
        &mut self,
        team_id: &str,
        endpoints: &[(i64, String)],
    ) -> Result<(), StoreError> {
        self.touch(ObjectKind::Team, team_id);
        team_endpoint::Entity::delete_many()
            .filter(team_endpoint::Column::TeamId.eq(team_id))
            .exec(&self.tx)
            .await?;
        if endpoints.is_empty() {
            return Ok(());
        }
        let rows = endpoints.iter().map(|(position, id)| team_endpoint::ActiveModel {
            team_id: Set(team_id.to_owned()),
            endpoint_id: Set(id.clone()),
            position: Set(*position),
        });
        team_endpoint::Entity::insert_many(rows)
            .exec_without_returning(&self.tx)
            .await?;
        Ok(())
    }

    /// The models of the catalogue.
    pub(crate) async fn list_models(&self) -> Result<Vec<model::Model>, StoreError> {
        models(&self.tx).await
    }

    /// A model's row, also that of one that was taken out of the catalogue.
    pub(crate) async fn find_model(&self, name: &str) -> Result<Option<model::Model>, StoreError> {
        Ok(model::Entity::find_by_id(name)
            .lock_exclusive()
            .one(&self.tx)
            .await?)
    }

    pub(crate) async fn update_model(&mut self, row: model::Model) -> Result<(), StoreError> {
        self.touch(ObjectKind::Model, &row.name);
        row.into_active_model().reset_all().update(&self.tx).await?;
        Ok(())
    }

    pub(crate) async fn delete_model(&mut self, name: &str) -> Result<(), StoreError> {
        self.touch(ObjectKind::Model, name);
        model::Entity::delete_by_id(name).exec(&self.tx).await?;
        Ok(())
    }

    /// The names of all models that there are or were.
    pub(crate) async fn list_model_names(&self) -> Result<Vec<String>, StoreError> {
        let rows = model::Entity::find().all(&self.tx).await?;
        Ok(rows.into_iter().map(|row| row.name).collect())
    }

    pub(crate) async fn insert_model(&mut self, row: model::Model) -> Result<(), StoreError> {
        self.touch(ObjectKind::Model, &row.name);
        model::Entity::insert(row.into_active_model())
            .exec_without_returning(&self.tx)
            .await?;
        Ok(())
    }
}
