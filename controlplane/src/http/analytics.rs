//! `/admin/analytics`.

use super::auth::SignedIn;
use super::extract::Params;
use super::files::{streamed, streamed_json};
use super::{HttpState, Refusal};
use crate::app::App;
use crate::app::analytics::{self, Asked};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use ccag_admin_api::{
    Activity, AnalyticsCell, AnalyticsQuery, CSV, CacheMissReport, ExportFormat, Forecast, GroupBy,
    PerformanceReport, SessionReport, ToolCell, ToolsQuery, WhatIf, WhatIfQuery,
};
use ccag_domain::{Actor, Problem};

pub(super) async fn cells(
    who: SignedIn,
    State(state): State<HttpState>,
    Params(query): Params<AnalyticsQuery>,
) -> Result<Response, Refusal> {
    let (app, actor) = (&state.app, who.actor());
    let (asked, by) = analytics::asked(app, &query)?;
    Ok(match query.format {
        Some(ExportFormat::Csv) => csv(app, &actor, &asked, by).await?,
        Some(ExportFormat::Jsonl) | None => {
            let pages = analytics::stream(app, &actor, &asked, by);
            streamed_json(pages, &analytics::empty(&asked, by)).await?
        }
    })
}

/// Cells as a file.
pub(super) async fn csv(
    app: &App,
    actor: &Actor,
    asked: &Asked,
    by: Option<GroupBy>,
) -> Result<Response, Problem> {
    let pages = analytics::stream(app, actor, asked, by);
    let lines = |cells: &[AnalyticsCell]| cells.iter().map(AnalyticsCell::to_csv).collect();
    streamed(
        pages,
        AnalyticsCell::csv_header(),
        lines,
        CSV,
        "ccag-analytics.csv",
    )
    .await
}

pub(super) async fn tools(
    who: SignedIn,
    State(state): State<HttpState>,
    Params(query): Params<ToolsQuery>,
) -> Result<Response, Refusal> {
    let (app, actor) = (&state.app, who.actor());
    Ok(match query.format {
        Some(ExportFormat::Csv) => tools_csv(app, &actor, &query).await?,
        Some(ExportFormat::Jsonl) | None => {
            axum::Json(analytics::tools(app, &actor, &query).await?).into_response()
        }
    })
}

/// Calls of tools as a file.
pub(super) async fn tools_csv(app: &App, actor: &Actor, query: &ToolsQuery) -> Result<Response, Problem> {
    let pages = analytics::stream_tools(app, actor, query)?;
    let lines = |cells: &[ToolCell]| cells.iter().map(ToolCell::to_csv).collect();
    streamed(pages, ToolCell::csv_header(), lines, CSV, "ccag-tools.csv").await
}

pub(super) async fn sessions(
    who: SignedIn,
    State(state): State<HttpState>,
    Params(query): Params<AnalyticsQuery>,
) -> Result<axum::Json<SessionReport>, Refusal> {
    let asked = Asked::read(&query, state.app.now_ms())?;
    Ok(axum::Json(
        analytics::sessions(&state.app, &who.actor(), &asked).await?,
    ))
}

pub(super) async fn cache_misses(
    who: SignedIn,
    State(state): State<HttpState>,
    Params(query): Params<AnalyticsQuery>,
) -> Result<axum::Json<CacheMissReport>, Refusal> {
    let asked = Asked::read(&query, state.app.now_ms())?;
    Ok(axum::Json(
        analytics::cache_misses(&state.app, &who.actor(), &asked).await?,
    ))
}

pub(super) async fn activity(
    who: SignedIn,
    State(state): State<HttpState>,
    Params(query): Params<AnalyticsQuery>,
) -> Result<axum::Json<Activity>, Refusal> {
    let asked = Asked::read(&query, state.app.now_ms())?;
    Ok(axum::Json(
        analytics::activity(&state.app, &who.actor(), &asked).await?.0,
    ))
}

pub(super) async fn performance(
    who: SignedIn,
    State(state): State<HttpState>,
    Params(query): Params<AnalyticsQuery>,
) -> Result<axum::Json<PerformanceReport>, Refusal> {
    let asked = Asked::read(&query, state.app.now_ms())?;
    Ok(axum::Json(
        analytics::performance(&state.app, &who.actor(), &asked).await?,
    ))
}

pub(super) async fn forecast(
    who: SignedIn,
    State(state): State<HttpState>,
    Params(query): Params<AnalyticsQuery>,
) -> Result<axum::Json<Forecast>, Refusal> {
    let asked = Asked::read(&query, state.app.now_ms())?;
    Ok(axum::Json(
        analytics::forecast(&state.app, &who.actor(), &asked).await?,
    ))
}

pub(super) async fn what_if(
    who: SignedIn,
    State(state): State<HttpState>,
    Params(query): Params<WhatIfQuery>,
) -> Result<axum::Json<WhatIf>, Refusal> {
    Ok(axum::Json(
        analytics::what_if(&state.app, &who.actor(), &query).await?,
    ))
}
