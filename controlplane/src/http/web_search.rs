//! `/admin/websearch-mode` and `/admin/search-providers`.

use super::auth::SignedIn;
use super::extract::Json;
use super::{HttpState, Refusal};
use crate::app::search;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use ccag_admin_api::{
    NameSearchProvider, PutSearchProvider, SearchProviderList, SearchTest, SetWebSearch, WebSearchView,
};
use ccag_domain::{Code, Problem, SearchKind};

type Answer<T> = Result<axum::Json<T>, Refusal>;

pub(super) async fn rules(who: SignedIn, State(state): State<HttpState>) -> Answer<WebSearchView> {
    Ok(axum::Json(search::rules(&state.app, &who.actor()).await?))
}

pub(super) async fn set_rules(
    who: SignedIn,
    State(state): State<HttpState>,
    Json(request): Json<SetWebSearch>,
) -> Answer<WebSearchView> {
    let rules = search::set_rules(&state.app, &who.actor(), request).await?;
    Ok(axum::Json(rules))
}

pub(super) async fn test_global(who: SignedIn, State(state): State<HttpState>) -> Answer<SearchTest> {
    Ok(axum::Json(search::test_global(&state.app, &who.actor()).await?))
}

pub(super) async fn own(who: SignedIn, State(state): State<HttpState>) -> Answer<SearchProviderList> {
    Ok(axum::Json(search::own(&state.app, &who.actor()).await?))
}

pub(super) async fn put(
    who: SignedIn,
    State(state): State<HttpState>,
    Json(request): Json<PutSearchProvider>,
) -> Answer<SearchProviderList> {
    Ok(axum::Json(search::put(&state.app, &who.actor(), request).await?))
}

pub(super) async fn activate(
    who: SignedIn,
    State(state): State<HttpState>,
    Json(request): Json<NameSearchProvider>,
) -> Answer<SearchProviderList> {
    let list = search::activate(&state.app, &who.actor(), request.provider_type).await?;
    Ok(axum::Json(list))
}

pub(super) async fn test(
    who: SignedIn,
    State(state): State<HttpState>,
    Json(request): Json<NameSearchProvider>,
) -> Answer<SearchTest> {
    let result = search::test(&state.app, &who.actor(), request.provider_type).await?;
    Ok(axum::Json(result))
}

pub(super) async fn remove(
    who: SignedIn,
    State(state): State<HttpState>,
    Path(kind): Path<String>,
) -> Result<StatusCode, Refusal> {
    let Some(kind) = SearchKind::parse(&kind) else {
        return Err(Problem::new(Code::NotFound, "There is no such kind of search service.").into());
    };
    search::delete(&state.app, &who.actor(), kind).await?;
    Ok(StatusCode::NO_CONTENT)
}
