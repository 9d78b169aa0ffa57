//! `/admin/notifications`.

use super::auth::SignedIn;
use super::extract::{Id, Json, Params};
use super::{HttpState, Refusal, page};
use crate::app::notifications;
use crate::store::outbox::DeliveryFilter;
use axum::extract::State;
use axum::http::StatusCode;
use ccag_admin_api::{
    CreateDestination, CreatedDestination, DeliveryList, DestinationList, DestinationSpec, DestinationTest,
    DestinationView, ListDeliveries, UpdateDestination,
};
use ccag_domain::{DeliveryId, DestinationId};

type Answer<T> = Result<axum::Json<T>, Refusal>;

pub(super) async fn list(who: SignedIn, State(state): State<HttpState>) -> Answer<DestinationList> {
    Ok(axum::Json(notifications::list(&state.app, &who.actor()).await?))
}

pub(super) async fn create(
    who: SignedIn,
    State(state): State<HttpState>,
    Json(request): Json<CreateDestination>,
) -> Result<(StatusCode, axum::Json<CreatedDestination>), Refusal> {
    let made = notifications::create(&state.app, &who.actor(), request).await?;
    Ok((StatusCode::CREATED, axum::Json(made)))
}

pub(super) async fn show(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<DestinationId>,
) -> Answer<DestinationView> {
    let found = notifications::find(&state.app, &who.actor(), &id).await?;
    Ok(axum::Json(found))
}

pub(super) async fn update(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<DestinationId>,
    Json(request): Json<UpdateDestination>,
) -> Answer<DestinationView> {
    let changed = notifications::update(&state.app, &who.actor(), &id, request).await?;
    Ok(axum::Json(changed))
}

pub(super) async fn remove(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<DestinationId>,
) -> Result<StatusCode, Refusal> {
    notifications::delete(&state.app, &who.actor(), &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn draft(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<DestinationId>,
    Json(spec): Json<DestinationSpec>,
) -> Answer<CreatedDestination> {
    let drafted = notifications::put_draft(&state.app, &who.actor(), &id, spec).await?;
    Ok(axum::Json(drafted))
}

pub(super) async fn discard(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<DestinationId>,
) -> Answer<DestinationView> {
    let left = notifications::discard_draft(&state.app, &who.actor(), &id).await?;
    Ok(axum::Json(left))
}

pub(super) async fn test(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<DestinationId>,
) -> Answer<DestinationTest> {
    let tested = notifications::test(&state.app, &who.actor(), &id).await?;
    Ok(axum::Json(tested))
}

pub(super) async fn activate(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<DestinationId>,
) -> Answer<DestinationView> {
    let activated = notifications::activate(&state.app, &who.actor(), &id).await?;
    Ok(axum::Json(activated))
}

pub(super) async fn deliveries(
    who: SignedIn,
    State(state): State<HttpState>,
    Params(query): Params<ListDeliveries>,
) -> Answer<DeliveryList> {
    let limit = page::limit(query.limit)?;
    let filter = DeliveryFilter {
        state: query.state,
        destination_id: query.destination_id.map(Into::into),
        category: query.category,
        team_id: None,
        after: query.cursor.as_deref().map(page::before).transpose()?,
        offset: 0,
    };
    let actor = who.actor();
    let mut deliveries = notifications::deliveries(&state.app, &actor, &filter, limit as u64 + 1).await?;
    let next_cursor = page::cut(&mut deliveries, limit, |delivery| {
        format!("{}.{}", delivery.event.timestamp.ms(), delivery.id)
    });
    Ok(axum::Json(DeliveryList {
        deliveries,
        total: notifications::count(&state.app, &actor, &filter).await?,
        next_cursor,
    }))
}

pub(super) async fn resend(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<DeliveryId>,
) -> Result<StatusCode, Refusal> {
    notifications::resend(&state.app, &who.actor(), &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
