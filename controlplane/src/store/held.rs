//! Lists of the configuration that are the same until it changes, held in memory under the revision at which they were read.
//!
//! Whoever wants one asks where the configuration stands, once in a request, and reads the list only if it has moved since.
//! So all control planes show at once what one of them has changed. Lists that grow with people, users and keys, are not held.

use super::config::Position;
use super::entity::{endpoint, model, price, team};
use super::together::Read as _;
use super::{Store, StoreError, prices, routing, tally};
use sea_orm::{EntityTrait, QueryOrder};
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

/// A list, and where the configuration stood before it was read.
struct Held<T>(Mutex<Option<(Position, Arc<Vec<T>>)>>);

impl<T> Default for Held<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

/// What a process holds.
#[derive(Default)]
pub(super) struct Lists {
    models: Held<model::Model>,
    prices: Held<price::Model>,
    endpoints: Held<endpoint::Model>,
    teams: Held<team::Model>,
}

impl Store {
    async fn held<T>(
        &self,
        held: &Held<T>,
        read: impl Future<Output = Result<Vec<T>, StoreError>>,
    ) -> Result<Arc<Vec<T>>, StoreError> {
        let position = match tally::position() {
            Some(known) => known,
            None => {
                let found = self.find_position().await?;
                tally::set_position(Some(&found));
                found
            }
        };
        let lock = || held.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = lock().clone();
        if let Some((at, list)) = known
            && at == position
        {
            return Ok(list);
        }
        let list = Arc::new(read.await?);
        // If the configuration has moved meanwhile, the list is newer than it says, and read anew by the next one.
        *lock() = Some((position, Arc::clone(&list)));
        Ok(list)
    }

    /// The models of the catalogue, by name.
    pub(crate) async fn list_models(&self) -> Result<Vec<model::Model>, StoreError> {
        let list = self.held(&self.lists.models, routing::models(&self.db)).await?;
        Ok(list.to_vec())
    }

    /// The prices that are in force, by model.
    pub(crate) async fn held_prices(&self) -> Result<Arc<Vec<price::Model>>, StoreError> {
        self.held(&self.lists.prices, prices::list_current(&self.db))
            .await
    }

    /// The endpoints, by name.
    pub(crate) async fn list_endpoints(&self) -> Result<Vec<endpoint::Model>, StoreError> {
        let read = async {
            let select = endpoint::Entity::find().order_by_asc(endpoint::Column::NameKey);
            select.all_in(self).await
        };
        Ok(self.held(&self.lists.endpoints, read).await?.to_vec())
    }

    /// All teams, by name.
    pub(super) async fn teams(&self) -> Result<Arc<Vec<team::Model>>, StoreError> {
        let read = async {
            let select = team::Entity::find().order_by_asc(team::Column::NameKey);
            select.all_in(self).await
        };
        self.held(&self.lists.teams, read).await
    }
}
