//! What endpoints offer: what AWS lists, and the application inference profiles that admins have chosen.

use super::entity::{endpoint, endpoint_discovery, endpoint_profile};
use super::together::Read as _;
use super::{Store, StoreError, Tx, access, rows};
use crate::secrets::Secrets;
use ccag_domain::{
    Discovery, Endpoint, Geography, ModelName, ObjectKind, Offers, PinnedProfile, Quota, UnixMs,
};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder};
use std::collections::HashMap;
use std::sync::Arc;

/// What is known of an endpoint's offers.
pub(super) fn offers(
    discovery: Option<&endpoint_discovery::Model>,
    pinned: &[endpoint_profile::Model],
) -> Result<Offers, StoreError> {
    Ok(Offers {
        discovery: discovery.map(found).transpose()?.flatten(),
        pinned: pinned.iter().map(pin).collect::<Result<_, _>>()?,
        quotas: discovery.map(quotas).transpose()?.unwrap_or_default(),
    })
}

/// What of an answer of AWS's is about quotas; earlier versions kept none.
#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct Quotas {
    quotas: Vec<Quota>,
}

#[derive(serde::Deserialize)]
struct WithQuotas {
    #[serde(default)]
    quotas: Quotas,
}

/// The quotas that data planes go by: those of a minute.
pub(crate) fn quotas(row: &endpoint_discovery::Model) -> Result<Vec<Quota>, StoreError> {
    let read = |text: &String| rows::read("endpoint_discoveries", "found", serde_json::from_str(text).ok());
    let kept: Option<WithQuotas> = row.found.as_ref().map(read).transpose()?;
    let all = kept.map(|kept| kept.quotas.quotas).unwrap_or_default();
    Ok(all.into_iter().filter(Quota::is_of_a_minute).collect())
}

/// What AWS has listed; `None` if it never has.
pub(crate) fn found(row: &endpoint_discovery::Model) -> Result<Option<Discovery>, StoreError> {
    let read = |text: &String| rows::read("endpoint_discoveries", "found", serde_json::from_str(text).ok());
    row.found.as_ref().map(read).transpose()
}

pub(crate) fn pin(row: &endpoint_profile::Model) -> Result<PinnedProfile, StoreError> {
    Ok(PinnedProfile {
        model: ModelName::canonical(&row.model),
        arn: row.arn.clone(),
        geography: rows::read("endpoint_profiles", "geography", Geography::parse(&row.geography))?,
    })
}

/// An endpoint with what it offers.
pub(super) async fn with_offers<C: ConnectionTrait>(
    db: &C,
    secrets: &Secrets,
    row: &endpoint::Model,
) -> Result<Endpoint, StoreError> {
    let discovery = endpoint_discovery::Entity::find_by_id(&row.id).one(db).await?;
    let pinned = endpoint_profile::Entity::find()
        .filter(endpoint_profile::Column::EndpointId.eq(&row.id))
        .order_by_asc(endpoint_profile::Column::Model)
        .all(db)
        .await?;
    Ok(Endpoint {
        offers: Arc::new(offers(discovery.as_ref(), &pinned)?),
        access: access::with_secrets(secrets, row)?,
        ..rows::endpoint(row)?
    })
}

/// All endpoints with what they offer, or why one cannot be read, by its id.
pub(super) async fn all_with_offers<C: ConnectionTrait>(
    db: &C,
    secrets: &Secrets,
) -> Result<Vec<(String, Result<Endpoint, StoreError>)>, StoreError> {
    let discoveries: HashMap<String, endpoint_discovery::Model> = endpoint_discovery::Entity::find()
        .all(db)
        .await?
        .into_iter()
        .map(|row| (row.endpoint_id.clone(), row))
        .collect();
    let mut pinned: HashMap<String, Vec<endpoint_profile::Model>> = HashMap::new();
    let profiles = endpoint_profile::Entity::find()
        .order_by_asc(endpoint_profile::Column::Model)
        .all(db)
        .await?;
    for row in profiles {
        pinned.entry(row.endpoint_id.clone()).or_default().push(row);
    }
    let read = |row: &endpoint::Model| {
        let pinned = pinned.get(&row.id).map_or(&[][..], Vec::as_slice);
        Ok(Endpoint {
            offers: Arc::new(offers(discoveries.get(&row.id), pinned)?),
            access: access::with_secrets(secrets, row)?,
            ..rows::endpoint(row)?
        })
    };
    let endpoints = endpoint::Entity::find().all(db).await?;
    Ok(endpoints.iter().map(|row| (row.id.clone(), read(row))).collect())
}

impl Store {
    /// All endpoints that can be read, with what they offer.
    pub(crate) async fn load_endpoints(&self) -> Result<Vec<Endpoint>, StoreError> {
        let all = all_with_offers(&self.db, self.secrets()).await?;
        Ok(all
            .into_iter()
            .filter_map(|(_, endpoint)| endpoint.ok())
            .collect())
    }

    /// An endpoint with what it offers.
    pub(crate) async fn load_endpoint(&self, id: &str) -> Result<Option<Endpoint>, StoreError> {
        let (row, discovery, pinned) = tokio::try_join!(
            self.find_endpoint(id),
            self.find_discovery(id),
            self.list_pinned(id)
        )?;
        let read = |row: endpoint::Model| {
            Ok(Endpoint {
                offers: Arc::new(offers(discovery.as_ref(), &pinned)?),
                access: access::with_secrets(self.secrets(), &row)?,
                ..rows::endpoint(&row)?
            })
        };
        row.map(read).transpose()
    }

    pub(crate) async fn find_discovery(
        &self,
        endpoint_id: &str,
    ) -> Result<Option<endpoint_discovery::Model>, StoreError> {
        endpoint_discovery::Entity::find_by_id(endpoint_id)
            .one_in(self)
            .await
    }

    /// The application inference profiles that are chosen at an endpoint, by model.
    pub(crate) async fn list_pinned(
        &self,
        endpoint_id: &str,
    ) -> Result<Vec<endpoint_profile::Model>, StoreError> {
        endpoint_profile::Entity::find()
            .filter(endpoint_profile::Column::EndpointId.eq(endpoint_id))
            .order_by_asc(endpoint_profile::Column::Model)
            .all_in(self)
            .await
    }

    /// The endpoints that AWS was asked about with success before, the last time before a moment.
    pub(crate) async fn list_due_discoveries(&self, before_ms: UnixMs) -> Result<Vec<String>, StoreError> {
        let rows = endpoint_discovery::Entity::find()
            .filter(endpoint_discovery::Column::Found.is_not_null())
            .filter(endpoint_discovery::Column::AtMs.lt(before_ms))
            .order_by_asc(endpoint_discovery::Column::EndpointId)
            .all_in(self)
            .await?;
        Ok(rows.into_iter().map(|row| row.endpoint_id).collect())
    }

    /// Says that somebody asks AWS now; whether it was this caller who said it first.
    pub(crate) async fn claim_discovery(
        &self,
        endpoint_id: &str,
        before_ms: UnixMs,
        now_ms: UnixMs,
    ) -> Result<bool, StoreError> {
        let (tx, _writer) = self.write().await?;
        let claimed = endpoint_discovery::Entity::update_many()
            .col_expr(
                endpoint_discovery::Column::AtMs,
                sea_orm::sea_query::Expr::val(now_ms),
            )
            .filter(endpoint_discovery::Column::EndpointId.eq(endpoint_id))
            .filter(endpoint_discovery::Column::AtMs.lt(before_ms))
            .exec(&tx)
            .await?;
        tx.commit().await?;
        Ok(claimed.rows_affected == 1)
    }

    /// Notes that AWS could not be asked. What it said before stays, and no data plane hears of it.
    pub(crate) async fn insert_discovery_error(
        &self,
        endpoint_id: &str,
        at_ms: UnixMs,
        error: &str,
    ) -> Result<(), StoreError> {
        let row = endpoint_discovery::Model {
            endpoint_id: endpoint_id.to_owned(),
            at_ms,
            found: None,
            error: Some(error.to_owned()),
        };
        let (tx, _writer) = self.write().await?;
        endpoint_discovery::Entity::insert(row.into_active_model())
            .on_conflict(
                OnConflict::column(endpoint_discovery::Column::EndpointId)
                    .update_columns([
                        endpoint_discovery::Column::AtMs,
                        endpoint_discovery::Column::Error,
                    ])
                    .to_owned(),
            )
            .exec_without_returning(&tx)
            .await?;
        Ok(tx.commit().await?)
    }
}

impl Tx {
    pub(crate) async fn find_discovery(
        &self,
        endpoint_id: &str,
    ) -> Result<Option<endpoint_discovery::Model>, StoreError> {
        Ok(endpoint_discovery::Entity::find_by_id(endpoint_id)
            .one(&self.tx)
            .await?)
    }

    /// Keeps what AWS lists. `is_news` says whether data planes have to hear of it.
    pub(crate) async fn set_discovery(
        &mut self,
        row: endpoint_discovery::Model,
        is_news: bool,
    ) -> Result<(), StoreError> {
        if is_news {
            self.touch(ObjectKind::Endpoint, &row.endpoint_id);
        }
        endpoint_discovery::Entity::insert(row.into_active_model())
            .on_conflict(
                OnConflict::column(endpoint_discovery::Column::EndpointId)
                    .update_columns([
                        endpoint_discovery::Column::AtMs,
                        endpoint_discovery::Column::Found,
                        endpoint_discovery::Column::Error,
                    ])
                    .to_owned(),
            )
            .exec_without_returning(&self.tx)
            .await?;
        Ok(())
    }

    /// Chooses an application inference profile for a model.
    pub(crate) async fn insert_pinned(&mut self, row: endpoint_profile::Model) -> Result<(), StoreError> {
        self.touch(ObjectKind::Endpoint, &row.endpoint_id);
        endpoint_profile::Entity::insert(row.into_active_model())
            .exec_without_returning(&self.tx)
            .await?;
        Ok(())
    }

    /// A profile that was chosen for a model.
    pub(crate) async fn find_pinned(
        &self,
        endpoint_id: &str,
        model: &str,
    ) -> Result<Option<endpoint_profile::Model>, StoreError> {
        Ok(endpoint_profile::Entity::find()
            .filter(endpoint_profile::Column::EndpointId.eq(endpoint_id))
            .filter(endpoint_profile::Column::Model.eq(model))
            .one(&self.tx)
            .await?)
    }

    /// Takes a chosen profile away; says whether there was one.
    pub(crate) async fn delete_pinned(&mut self, endpoint_id: &str, model: &str) -> Result<bool, StoreError> {
        let gone = endpoint_profile::Entity::delete_many()
            .filter(endpoint_profile::Column::EndpointId.eq(endpoint_id))
            .filter(endpoint_profile::Column::Model.eq(model))
            .exec(&self.tx)
            .await?;
        if gone.rows_affected > 0 {
            self.touch(ObjectKind::Endpoint, endpoint_id);
        }
        Ok(gone.rows_affected > 0)
    }

    /// Forgets what an endpoint offers, with the endpoint itself.
    pub(super) async fn delete_offers(&self, endpoint_id: &str) -> Result<(), StoreError> {
        endpoint_discovery::Entity::delete_by_id(endpoint_id)
            .exec(&self.tx)
            .await?;
        endpoint_profile::Entity::delete_many()
            .filter(endpoint_profile::Column::EndpointId.eq(endpoint_id))
            .exec(&self.tx)
            .await?;
        Ok(())
    }
}
