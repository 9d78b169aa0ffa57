//! `/admin/usage`.

use super::auth::SignedIn;
use super::extract::{Json, Params};
use super::files::streamed;
use super::{HttpState, Refusal};
use crate::app::{App, focus, reprice, usage};
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::Response;
use ccag_admin_api::{
    CSV, ExportFormat, ExportQuery, FocusRow, LedgerRow, NDJSON, Reprice, RepriceQuery, RepriceReport,
    UsageQuery, UsageSummary,
};
use ccag_domain::{Actor, Code, Problem};

pub(super) async fn summary(
    who: SignedIn,
    State(state): State<HttpState>,
    Params(query): Params<UsageQuery>,
) -> Result<axum::Json<UsageSummary>, Refusal> {
    Ok(axum::Json(usage::summary(&state.app, &who.actor(), query).await?))
}

pub(super) async fn show_reprice(
    who: SignedIn,
    State(state): State<HttpState>,
    Params(query): Params<RepriceQuery>,
) -> Result<axum::Json<RepriceReport>, Refusal> {
    Ok(axum::Json(
        reprice::preview(&state.app, &who.actor(), query).await?,
    ))
}

pub(super) async fn reprice(
    who: SignedIn,
    State(state): State<HttpState>,
    Json(request): Json<Reprice>,
) -> Result<axum::Json<RepriceReport>, Refusal> {
    Ok(axum::Json(
        reprice::apply(&state.app, &who.actor(), request).await?,
    ))
}

/// The ledger, streamed.
pub(super) async fn export(
    who: SignedIn,
    State(state): State<HttpState>,
    headers: HeaderMap,
    Params(query): Params<ExportQuery>,
) -> Result<Response, Refusal> {
    let format = query.format.unwrap_or_else(|| preferred(&headers));
    let pages = usage::export(&state.app, &who.actor(), &query).await?;
    let (head, kind, name) = match format {
        ExportFormat::Csv => (LedgerRow::csv_header(), CSV, "ccag-usage.csv"),
        ExportFormat::Jsonl => (String::new(), NDJSON, "ccag-usage.jsonl"),
    };
    Ok(streamed(pages, head, move |rows| write(rows, format), kind, name).await?)
}

/// The ledger as charges in the form of FOCUS, streamed.
pub(super) async fn focus(
    who: SignedIn,
    State(state): State<HttpState>,
    Params(query): Params<ExportQuery>,
) -> Result<Response, Refusal> {
    if query.format == Some(ExportFormat::Jsonl) {
        let message = "Charges in the form of FOCUS are CSV; leave `format` out.";
        return Err(Problem::new(Code::InvalidRequest, message).field("format").into());
    }
    Ok(charges(&state.app, &who.actor(), &query).await?)
}

/// The charges that somebody may see, streamed.
pub(super) async fn charges(app: &App, actor: &Actor, query: &ExportQuery) -> Result<Response, Problem> {
    let pages = focus::export(app, actor, query).await?;
    let lines = |rows: &[FocusRow]| rows.iter().map(FocusRow::to_csv).collect();
    streamed(pages, FocusRow::csv_header(), lines, CSV, "ccag-focus.csv").await
}

fn write(rows: &[LedgerRow], format: ExportFormat) -> String {
    let mut text = String::with_capacity(rows.len() * 600);
    for row in rows {
        match format {
            ExportFormat::Csv => text.push_str(&row.to_csv()),
            ExportFormat::Jsonl => {
                // A row is made of text and numbers: it can always be written.
                text.push_str(&serde_json::to_string(row).unwrap_or_default());
                text.push('\n');
            }
        }
    }
    text
}

/// CSV if the client asks for it by `Accept`.
fn preferred(headers: &HeaderMap) -> ExportFormat {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let csv = accept.is_some_and(|accept| {
        accept.split(',').any(|part| {
            part.split(';')
                .next()
                .is_some_and(|t| t.trim().eq_ignore_ascii_case("text/csv"))
        })
    });
    if csv {
        ExportFormat::Csv
    } else {
        ExportFormat::Jsonl
    }
}
