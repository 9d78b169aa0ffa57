//! Tokens with which identity providers manage their users.

use super::form::Posted;
use super::providers::{filled_page, id_of};
use super::visitor::Visitor;
use crate::app::scim;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use ccag_admin_api::{CreateScimToken, ScimTokenView};
use ccag_console::page::{ProviderScim, ScimTokenRow};
use ccag_console::{Tone, path};
use ccag_domain::{Problem, ProviderId};

/// What the page of a provider shows of it; nothing where it does not manage its users so.
pub(super) async fn gather(visitor: &Visitor, id: &ProviderId) -> Result<Option<ProviderScim>, Problem> {
    let (app, actor) = (&visitor.state().app, visitor.actor());
    let status = scim::status(app, &actor, id, &visitor.base_url()).await?;
    if !status.enabled {
        return Ok(None);
    }
    let row = |token: ScimTokenView| ScimTokenRow {
        id: token.id,
        name: token.name,
        prefix: token.token_prefix,
        last_used_at_ms: token.last_used_at.map(|at| at.ms()),
    };
    let tokens = scim::list_tokens(app, &actor, id).await?.tokens;
    Ok(Some(ProviderScim {
        base_url: status.base_url,
        users: status.users,
        groups: status.groups,
        tokens: tokens.into_iter().map(row).collect(),
        new_token: None,
    }))
}

/// Makes a token. The answer is the page itself: the token stands in it, and nowhere else.
pub(super) async fn create(Path(id): Path<String>, Posted { visitor, form }: Posted) -> Response {
    let app = visitor.state().app.clone();
    let made = async {
        let request = CreateScimToken {
            name: form.optional("token_name"),
            expires_at: None,
        };
        let made = scim::create_token(&app, &visitor.actor(), &id_of(&id)?, request).await?;
        let mut page = filled_page(&visitor, &id).await?;
        if let Some(scim) = &mut page.scim {
            scim.new_token = Some(made.token.reveal().to_owned());
        }
        Ok(page)
    };
    match made.await {
        Ok(page) => visitor.show(StatusCode::CREATED, &page),
        Err(problem) => visitor.refuse(problem),
    }
}

/// Revokes one.
pub(super) async fn revoke(Path(id): Path<String>, Posted { visitor, form }: Posted) -> Response {
    let app = visitor.state().app.clone();
    let revoked = async {
        let token = form.text("token_id");
        scim::revoke_token(&app, &visitor.actor(), &id_of(&id)?, &token).await
    };
    match revoked.await {
        Ok(()) => visitor.go_saying(
            &path::provider(&id),
            Tone::Good,
            "The token is revoked: the next request with it is refused.",
        ),
        Err(problem) => visitor.refuse(problem),
    }
}
