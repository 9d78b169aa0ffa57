//! Where Claude Code is signed in.

use super::form::{Posted, pairs};
use super::visitor::Visitor;
use crate::app::clients::sessions;
use crate::app::names;
use crate::store::clients::ClientSessionQuery;
use axum::extract::{Path, RawQuery};
use axum::response::Response;
use ccag_admin_api::ClientSessionView;
use ccag_console::page::{LoginRow, LoginsPage, PAGE_SIZE};
use ccag_console::{Tone, path};
use ccag_domain::{Code, KeyId, Problem, UserId};
use serde_json::json;

pub(super) async fn list(visitor: Visitor, RawQuery(query): RawQuery) -> Response {
    let page = gather(&visitor, query.as_deref()).await;
    visitor.answer(page)
}

async fn gather(visitor: &Visitor, query: Option<&str>) -> Result<LoginsPage, Problem> {
    let (mut page, mut search) = (1_u64, String::new());
    for (name, value) in pairs(query) {
        match name.as_ref() {
            "q" => search = value.trim().chars().take(100).collect(),
            "page" => page = value.parse().unwrap_or(1).clamp(1, 1_000_000),
            _ => {}
        }
    }
    let (app, actor) = (&visitor.state().app, visitor.actor());
    let query = ClientSessionQuery {
        search: Some(search.clone()).filter(|text| !text.is_empty()),
        offset: LoginsPage::offset(page),
        limit: PAGE_SIZE,
        ..ClientSessionQuery::default()
    };
    let (found, total) = sessions::list(app, &actor, query).await?;
    let ids: Vec<UserId> = found.iter().map(|session| session.user_id.clone()).collect();
    let names = names::users(app, &ids).await?;
    let row = |session: ClientSessionView| LoginRow {
        user: names
            .get(session.user_id.as_str())
            .cloned()
            .unwrap_or_else(|| session.user_id.to_string()),
        id: session.id.to_string(),
        client: session.client,
        address: session.address,
        created_at_ms: session.created_at.ms(),
        refreshed_at_ms: session.refreshed_at.ms(),
        expires_at_ms: session.expires_at.ms(),
    };
    let managed = json!({"forceLoginMethod": "gateway", "forceLoginGatewayUrl": visitor.base_url()});
    Ok(LoginsPage {
        search,
        page,
        rows: found.into_iter().map(row).collect(),
        total,
        managed: serde_json::to_string_pretty(&managed).unwrap_or_default(),
    })
}

pub(super) async fn end(Path(id): Path<String>, Posted { visitor, .. }: Posted) -> Response {
    let app = visitor.state().app.clone();
    let ended = async {
        let id = KeyId::parse(&id).map_err(|_| Problem::new(Code::NotFound, "There is no such session."))?;
        sessions::revoke(&app, &visitor.actor(), &id).await
    };
    match ended.await {
        Ok(()) => visitor.go_saying(path::LOGINS, Tone::Good, "The device is signed out."),
        // Somebody else has been faster.
        Err(problem) if problem.code == Code::NotFound => {
            visitor.go_saying(path::LOGINS, Tone::Note, "The device was not signed in any more.")
        }
        Err(problem) => visitor.refuse(problem),
    }
}
