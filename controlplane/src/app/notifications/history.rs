//! What became of telling destinations.

use super::{entry, reach};
use crate::app::{App, Changed, authority, not_found};
use crate::store::StoreError;
use crate::store::outbox::{DeliveryFilter, ENVIRONMENT, Parcel};
use crate::store::rows::read;
use ccag_admin_api::{DeliveryView, Timestamp};
use ccag_domain::authority::refusal;
use ccag_domain::{Actor, Code, DeliveryId, DeliveryState, DestinationId, Problem, Target, time::DAY_MS};
use serde_json::json;
use std::collections::HashMap;

/// For how long it is kept, in milliseconds.
const KEPT_MS: i64 = 30 * DAY_MS;

/// One page, the newest first.
///
/// # Errors
/// [`Code::Forbidden`] for members.
pub(crate) async fn list(
    app: &App,
    actor: &Actor,
    filter: &DeliveryFilter,
    limit: u64,
) -> Result<Vec<DeliveryView>, Problem> {
    let filter = narrowed(actor, filter)?;
    let (parcels, rows) = tokio::try_join!(
        app.store.list_deliveries(&filter, limit),
        app.store.list_destinations()
    )?;
    let names: HashMap<String, String> = rows.into_iter().map(|row| (row.id, row.name)).collect();
    let view = |parcel| Ok(view(parcel, &names)?);
    parcels.into_iter().map(view).collect()
}

/// How many there are on all pages.
///
/// # Errors
/// [`Code::Forbidden`] for members.
pub(crate) async fn count(app: &App, actor: &Actor, filter: &DeliveryFilter) -> Result<u64, Problem> {
    let filter = narrowed(actor, filter)?;
    Ok(app.store.count_deliveries(&filter).await?)
}

/// Tries again what was given up, from the first attempt on.
///
/// # Errors
/// [`Code::NotFound`]; [`Code::Conflict`] if it was not given up.
pub(crate) async fn resend(app: &App, actor: &Actor, id: &DeliveryId) -> Result<(), Problem> {
    actor.require_some(reach::CHANGE)?;
    let now = app.now_ms();
    let tx = app.store.change().await?;
    let row = tx.find_delivery(id.as_str()).await?;
    if !actor.may_all(reach::CHANGE) {
        // Both must be the team's: the destination may have been another's when that happened.
        let (event_team, destination_team) = match &row {
            Some(row) => tx.find_teams_of_delivery(row).await?,
            None => (None, None),
        };
        let is_mine =
            |team: Option<String>| team.is_some_and(|team| actor.may(reach::CHANGE, Target::Team(&team)));
        if !(is_mine(event_team) && is_mine(destination_team)) {
            return Err(refusal(reach::CHANGE));
        }
    }
    let row = row.ok_or_else(|| not_found("delivery", id.as_str()))?;
    if !tx.revive_delivery(&row.id, now).await? {
        return Err(Problem::new(
            Code::Conflict,
            "This was not given up: it has been delivered, or is still being tried.",
        ));
    }
    let before = json!({ "state": row.state, "attempts": row.attempts, "answer": row.answer });
    let after = json!({ "state": DeliveryState::Pending, "attempts": 0, "answer": row.answer });
    let details = Changed::updated(&before, &after)
        .with("event_id", &row.event_id)
        .with("destination_id", &row.destination_id);
    tx.commit(now, entry(app, actor, "delivery.resend", &row.id, details))
        .await?;
    Ok(())
}

/// Managers see what their team's destinations were told about their team.
fn narrowed(actor: &Actor, filter: &DeliveryFilter) -> Result<DeliveryFilter, Problem> {
    let team_id = authority::narrowed(actor, reach::SEE, filter.team_id.clone())?;
    Ok(DeliveryFilter {
        team_id,
        ..filter.clone()
    })
}

/// Forgets what is more than a month old, except what is still to be told.
///
/// # Errors
/// [`StoreError`] if the database is not able to take it now.
pub async fn forget_old(app: &App) -> Result<(), StoreError> {
    app.store.delete_events_before(app.now_ms() - KEPT_MS).await
}

fn view((row, event): Parcel, names: &HashMap<String, String>) -> Result<DeliveryView, StoreError> {
    const T: &str = "notification_deliveries";
    let state = read(T, "state", DeliveryState::parse(&row.state))?;
    let destination = match (row.destination_id.as_str(), names.get(&row.destination_id)) {
        (ENVIRONMENT, _) => "BUDGET_NOTIFICATION_URL".to_owned(),
        (_, Some(name)) => name.clone(),
        (id, None) => id.to_owned(),
    };
    Ok(DeliveryView {
        id: read(T, "id", DeliveryId::parse(&row.id).ok())?,
        destination_id: DestinationId::parse(&row.destination_id).ok(),
        destination,
        state,
        attempts: u32::try_from(row.attempts).unwrap_or(0),
        answer: row.answer,
        next_attempt_at: (state == DeliveryState::Pending)
            .then(|| Timestamp::from_ms(row.due_at_ms.max(row.leased_until_ms))),
        changed_at: Timestamp::from_ms(row.changed_at_ms),
        event: read(
            "notification_events",
            "body",
            serde_json::from_str(&event.body).ok(),
        )?,
    })
}
