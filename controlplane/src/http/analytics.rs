//! `/admin/analytics`.

use super::auth::SignedIn;
use super::extract::Params;
use super::{HttpState, Refusal};
use crate::app::analytics::{self, Asked};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use ccag_admin_api::{
    Activity, AnalyticsCell, AnalyticsQuery, CSV, CacheMissReport, ExportFormat, Forecast, PerformanceReport,
    SessionReport, ToolCell, ToolsQuery, WhatIf, WhatIfQuery,
};

pub(super) async fn cells(
    who: SignedIn,
    State(state): State<HttpState>,
    Params(query): Params<AnalyticsQuery>,
) -> Result<Response, Refusal> {
    let table = analytics::table(&state.app, &who.actor(), &query).await?;
    Ok(match query.format {
        Some(ExportFormat::Csv) => csv(&table.cells),
        Some(ExportFormat::Jsonl) | None => axum::Json(table).into_response(),
    })
}

/// Cells as a file.
pub(super) fn csv(cells: &[AnalyticsCell]) -> Response {
    let mut text = AnalyticsCell::csv_header();
    for cell in cells {
        text.push_str(&cell.to_csv());
    }
    let headers = [
        (header::CONTENT_TYPE, CSV),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"ccag-analytics.csv\"",
        ),
    ];
    (headers, text).into_response()
}

pub(super) async fn tools(
    who: SignedIn,
    State(state): State<HttpState>,
    Params(query): Params<ToolsQuery>,
) -> Result<Response, Refusal> {
    let report = analytics::tools(&state.app, &who.actor(), &query).await?;
    Ok(match query.format {
        Some(ExportFormat::Csv) => tools_csv(&report.cells),
        Some(ExportFormat::Jsonl) | None => axum::Json(report).into_response(),
    })
}

/// Calls of tools as a file.
pub(super) fn tools_csv(cells: &[ToolCell]) -> Response {
    let mut text = ToolCell::csv_header();
    for cell in cells {
        text.push_str(&cell.to_csv());
    }
    let headers = [
        (header::CONTENT_TYPE, CSV),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"ccag-tools.csv\"",
        ),
    ];
    (headers, text).into_response()
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
