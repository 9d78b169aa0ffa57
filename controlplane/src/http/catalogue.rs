//! `/admin/models` and `/admin/pricing`.

use super::auth::SignedIn;
use super::extract::{Json, Params};
use super::{HttpState, Refusal};
use crate::app::{models, pricing};
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use ccag_admin_api::{
    ImportQuery, ImportReport, ModelList, ModelSpec, ModelView, PriceList, PriceSpec, PriceView, PricingQuery,
};
use ccag_domain::{Code, Problem};

type Answer<T> = Result<axum::Json<T>, Refusal>;

/// The largest price list that is taken in, in bytes. AWS's file for all regions has some tens of megabytes.
pub(super) const MAX_PRICE_LIST: usize = 128 << 20;

pub(super) async fn list_models(who: SignedIn, State(state): State<HttpState>) -> Answer<ModelList> {
    Ok(axum::Json(models::list(&state.app, &who.actor()).await?))
}

pub(super) async fn show_model(
    who: SignedIn,
    State(state): State<HttpState>,
    Path(name): Path<String>,
) -> Answer<ModelView> {
    Ok(axum::Json(models::find(&state.app, &who.actor(), &name).await?))
}

pub(super) async fn create_model(
    who: SignedIn,
    State(state): State<HttpState>,
    Json(spec): Json<ModelSpec>,
) -> Result<(StatusCode, axum::Json<ModelView>), Refusal> {
    let model = models::create(&state.app, &who.actor(), spec).await?;
    Ok((StatusCode::CREATED, axum::Json(model)))
}

pub(super) async fn replace_model(
    who: SignedIn,
    State(state): State<HttpState>,
    Path(name): Path<String>,
    Json(spec): Json<ModelSpec>,
) -> Answer<ModelView> {
    let model = models::replace(&state.app, &who.actor(), &name, spec).await?;
    Ok(axum::Json(model))
}

pub(super) async fn remove_model(
    who: SignedIn,
    State(state): State<HttpState>,
    Path(name): Path<String>,
) -> Result<StatusCode, Refusal> {
    models::delete(&state.app, &who.actor(), &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn list_prices(
    who: SignedIn,
    State(state): State<HttpState>,
    Params(query): Params<PricingQuery>,
) -> Answer<PriceList> {
    Ok(axum::Json(pricing::list(&state.app, &who.actor(), query).await?))
}

pub(super) async fn set_price(
    who: SignedIn,
    State(state): State<HttpState>,
    Path(model): Path<String>,
    Json(spec): Json<PriceSpec>,
) -> Answer<PriceView> {
    let price = pricing::set(&state.app, &who.actor(), &model, spec).await?;
    Ok(axum::Json(price))
}

pub(super) async fn reset_price(
    who: SignedIn,
    State(state): State<HttpState>,
    Path(model): Path<String>,
) -> Result<StatusCode, Refusal> {
    pricing::reset(&state.app, &who.actor(), &model).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The body is the file as AWS serves it, CSV or JSON, whatever its content type says.
pub(super) async fn import_prices(
    who: SignedIn,
    State(state): State<HttpState>,
    Params(query): Params<ImportQuery>,
    body: Body,
) -> Answer<ImportReport> {
    let file = axum::body::to_bytes(body, MAX_PRICE_LIST).await.map_err(|_| {
        Problem::new(
            Code::TooLarge,
            "The price list has more than 128 MiB, or broke off. Take the file of one region.",
        )
    })?;
    let file = std::str::from_utf8(&file)
        .map_err(|_| Problem::new(Code::InvalidRequest, "The price list is not text in UTF-8."))?;
    let report = pricing::import(&state.app, &who.actor(), query, file).await?;
    Ok(axum::Json(report))
}
