//! What is in a database before something is brought into it.

use super::entity::{
    budget, endpoint, endpoint_profile, identity_provider, notification_destination, scim_group, scim_token,
    search_provider, team, team_endpoint, user, virtual_key,
};
use super::{Store, StoreError, dialect};
use sea_orm::{EntityTrait, QuerySelect};

/// What is there, as far as what is brought in could collide with it.
#[derive(Debug)]
pub(crate) struct Present {
    pub(crate) teams: Vec<team::Model>,
    pub(crate) users: Vec<user::Model>,
    /// Ids and digests.
    pub(crate) keys: Vec<(String, String)>,
    pub(crate) endpoints: Vec<endpoint::Model>,
    /// Teams that have endpoints.
    pub(crate) routed: Vec<String>,
    /// Endpoints and models.
    pub(crate) profiles: Vec<(String, String)>,
    /// Scopes and periods.
    pub(crate) budgets: Vec<(String, String)>,
    pub(crate) providers: Vec<identity_provider::Model>,
    /// Digests.
    pub(crate) scim_tokens: Vec<String>,
    /// Ids, providers and names.
    pub(crate) scim_groups: Vec<(String, String, String)>,
    /// Owners and kinds.
    pub(crate) search_services: Vec<(String, String)>,
    /// Names of destinations of notifications.
    pub(crate) destinations: Vec<String>,
}

impl Store {
    /// Everything that what is brought in could collide with, in one state.
    pub(crate) async fn find_present(&self) -> Result<Present, StoreError> {
        let tx = dialect::begin_read(&self.db, self.backend).await?;
        let teams = team::Entity::find().all(&tx).await?;
        let users = user::Entity::find().all(&tx).await?;
        let keys = virtual_key::Entity::find()
            .select_only()
            .columns([virtual_key::Column::Id, virtual_key::Column::Digest])
            .into_tuple()
            .all(&tx)
            .await?;
        let endpoints = endpoint::Entity::find().all(&tx).await?;
        let routed = team_endpoint::Entity::find()
            .select_only()
            .column(team_endpoint::Column::TeamId)
            .distinct()
            .into_tuple()
            .all(&tx)
            .await?;
        let profiles = endpoint_profile::Entity::find()
            .select_only()
            .columns([
                endpoint_profile::Column::EndpointId,
                endpoint_profile::Column::Model,
            ])
            .into_tuple()
            .all(&tx)
            .await?;
        let budgets = budget::Entity::find()
            .select_only()
            .columns([budget::Column::ScopeKey, budget::Column::Period])
            .into_tuple()
            .all(&tx)
            .await?;
        let providers = identity_provider::Entity::find().all(&tx).await?;
        let scim_tokens = scim_token::Entity::find()
            .select_only()
            .column(scim_token::Column::Digest)
            .into_tuple()
            .all(&tx)
            .await?;
        let scim_groups = scim_group::Entity::find()
            .select_only()
            .columns([
                scim_group::Column::Id,
                scim_group::Column::ProviderId,
                scim_group::Column::NameKey,
            ])
            .into_tuple()
            .all(&tx)
            .await?;
        let search_services = search_provider::Entity::find()
            .select_only()
            .columns([search_provider::Column::Owner, search_provider::Column::Kind])
            .into_tuple()
            .all(&tx)
            .await?;
        let destinations = notification_destination::Entity::find()
            .select_only()
            .column(notification_destination::Column::NameKey)
            .into_tuple()
            .all(&tx)
            .await?;
        tx.commit().await?;
        Ok(Present {
            teams,
            users,
            keys,
            endpoints,
            routed,
            profiles,
            budgets,
            providers,
            scim_tokens,
            scim_groups,
            search_services,
            destinations,
        })
    }
}
