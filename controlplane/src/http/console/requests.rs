//! Why a request went as it went.

use super::form::pairs;
use super::visitor::Visitor;
use crate::app::explanations;
use axum::extract::{Path, RawQuery};
use axum::http::StatusCode;
use axum::response::Response;
use ccag_admin_api::{ExplanationView, Timestamp};
use ccag_console::form::Field;
use ccag_console::page::{RequestPage, RequestSearchPage};
use ccag_console::path;
use ccag_domain::Code;
use ccag_domain::explanation::{Names, told};

/// The form; with an id it leads to the page of that request.
pub(super) async fn search(visitor: Visitor, RawQuery(query): RawQuery) -> Response {
    let asked = pairs(query.as_deref()).into_iter().find(|(name, _)| name == "id");
    match asked.as_ref().map(|(_, id)| id.trim()) {
        None | Some("") => visitor.show(StatusCode::OK, &RequestSearchPage::default()),
        Some(id) => visitor.go(&path::request(id)),
    }
}

pub(super) async fn show(Path(id): Path<String>, visitor: Visitor) -> Response {
    match explanations::explain(&visitor.state().app, &visitor.actor(), &id).await {
        Ok(view) => visitor.show(StatusCode::OK, &page(view)),
        Err(problem) if problem.code == Code::NotFound => {
            let id = Field::new(id.trim()).with_error(problem.message);
            visitor.show(StatusCode::NOT_FOUND, &RequestSearchPage { id })
        }
        Err(problem) => visitor.refuse(problem),
    }
}

fn page(view: ExplanationView) -> RequestPage {
    let names = Names {
        key: view.key_name,
        user: view.user_name,
        team: view.team_name,
    };
    RequestPage {
        id: view.request_id.to_string(),
        status: view.explanation.status,
        // A key that was deleted has a page no more.
        key_id: names.key.as_ref().map(|_| view.explanation.key.id.clone()),
        note: view.note,
        kept_until_ms: view.kept_until.map(Timestamp::ms),
        parts: told(&view.explanation, &names, view.cost.as_ref()),
    }
}
