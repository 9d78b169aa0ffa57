//! Signing in with an identity provider: the way there, and the way back.

use super::form::pairs;
use super::login;
use super::visitor::Guest;
use crate::app::identity::providers::redirect_uri;
use crate::app::identity::sign_in::{self, Returned};
use crate::app::{identity::providers, sign_on};
use crate::http::oauth::Origin;
use crate::http::{HttpState, Refusal};
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use ccag_console::page::LoginTrouble;
use ccag_console::path;
use ccag_domain::key::random_token;
use ccag_domain::{Code, Problem, ProviderId};
use serde_json::{Value, json};

/// `GET /auth/providers`: the ways in, for everybody.
pub(super) async fn options(
    State(state): State<HttpState>,
    origin: Origin,
) -> Result<axum::Json<Value>, Refusal> {
    let ways = providers::offered(&state.app).await?;
    let base = &origin.base_url;
    let one = |(id, name): &(String, String)| json!({"id": id, "name": name, "flow_type": "code", "login_url": format!("{base}{}", path::sign_on(id, path::HOME))});
    Ok(axum::Json(json!({
        "providers": ways.iter().map(one).collect::<Vec<_>>(),
        "admin_login_enabled": sign_on::passwords(&state.app).await?,
    })))
}

/// Sends the browser to a provider.
pub(super) async fn begin(mut guest: Guest, Path(id): Path<String>, RawQuery(query): RawQuery) -> Response {
    let pairs = pairs(query.as_deref());
    let next = pairs.iter().find(|(name, _)| name == "next");
    let next = next
        .map_or(path::HOME, |(_, value)| path::safe_return(value))
        .to_owned();
    let rng = guest.state.app.rng.clone();
    let browser;
    (guest.cookies, browser) = guest.cookies.browser(|| random_token(&*rng).to_string());
    let Ok(id) = ProviderId::parse(&id) else {
        let gone = Problem::new(Code::NotFound, "There is no such identity provider any more.");
        return turned_away(guest, &gone, next).await;
    };
    let back = redirect_uri(&guest.base_url);
    let app = guest.state.app.clone();
    match Box::pin(sign_in::begin(&app, &id, &back, &browser, &next)).await {
        Ok(url) => guest.go(&url),
        Err(problem) => turned_away(guest, &problem, next).await,
    }
}

/// Takes the browser back from a provider.
pub(super) async fn complete(guest: Guest, origin: Origin, RawQuery(query): RawQuery) -> Response {
    let pairs = pairs(query.as_deref());
    let get = |name: &str| {
        let found = pairs.iter().find(|(found, _)| found == name);
        found
            .map(|(_, value)| value.to_string())
            .filter(|value| !value.is_empty())
    };
    let returned = Returned {
        state: get("state").unwrap_or_default(),
        code: get("code"),
        error: get("error"),
        error_description: get("error_description"),
        issuer: get("iss"),
    };
    let back = redirect_uri(&guest.base_url);
    let browser = guest.cookies.known_browser();
    let app = guest.state.app.clone();
    let done = Box::pin(sign_in::complete(
        &app,
        &returned,
        &back,
        browser.as_deref(),
        origin.address,
    ));
    match done.await {
        Ok(done) => {
            let life_ms = done.login.session.expires_at_ms - app.now_ms();
            guest
                .map_cookies(|c| c.end_login().set_session(done.login.token.reveal(), life_ms))
                .go(path::safe_return(&done.next))
        }
        Err(problem) => turned_away(guest, &problem, path::HOME.to_owned()).await,
    }
}

/// The page for signing in, with what went wrong: the way out is on it.
async fn turned_away(guest: Guest, problem: &Problem, next: String) -> Response {
    let status = match problem.code {
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::Forbidden => StatusCode::FORBIDDEN,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::BadUpstream => StatusCode::BAD_GATEWAY,
        _ => return guest.refuse(problem.clone()),
    };
    let trouble = LoginTrouble::Provider(problem.message.clone());
    login::page(guest, status, String::new(), next, Some(trouble)).await
}
