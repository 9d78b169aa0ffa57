//! What nobody does and is worth telling all the same: what is about to expire, endpoints and data planes in trouble, what drifts.
//!
//! Every control plane looks, now and then, and finds the same. What lasts is a condition in the database ([`lasting`]), which one of
//! them takes further; what else an event is told once for says which of them tells it.

mod drift;
mod endpoints;
mod expiring;
mod lasting;
mod planes;

pub(in crate::app) use drift::{listed_differently, misfit};

use crate::app::App;
use crate::store::StoreError;

/// Looks, and writes what is new into the outbox.
///
/// # Errors
/// [`StoreError`] if the database is not able to answer or to take it now.
pub async fn look(app: &App) -> Result<(), StoreError> {
    let expiring = expiring::expiring(app).await?;
    app.store.raise(&expiring).await?;
    let known = app.store.list_conditions().await?;
    let replicas = app.store.list_replicas().await?;
    let mut seen = planes::seen(app, &replicas, &known).await?;
    seen.extend(endpoints::seen(app, &replicas, &known).await?);
    lasting::settle(app, &known, seen).await?;
    drift::prices(app).await?;
    drift::rules(app).await
}
