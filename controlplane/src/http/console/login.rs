//! Signing in.

use super::form::{FormData, pairs};
use super::visitor::Guest;
use crate::app::identity::providers;
use crate::app::{sessions, sign_on};
use crate::http::{HttpState, client_address};
use axum::extract::{ConnectInfo, FromRequest, RawForm, RawQuery, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use ccag_console::page::{LoginPage, LoginTrouble, Trouble};
use ccag_console::path;
use ccag_domain::key::random_token;
use ccag_domain::{Code, Problem};
use std::net::SocketAddr;

pub(super) async fn show(guest: Guest, RawQuery(query): RawQuery) -> Response {
    let pairs = pairs(query.as_deref());
    let next = pairs
        .iter()
        .find_map(|(name, value)| (name == "next").then_some(value.as_ref()));
    let asked = next.map_or(path::HOME, path::safe_return).to_owned();
    if guest.is_signed_in() {
        return guest.go(&asked);
    }
    // Somebody who had a session was thrown out; somebody who opens the console is welcome.
    let trouble = guest.cookies.session().map(|_| LoginTrouble::SignedOut);
    page(guest, StatusCode::OK, String::new(), asked, trouble).await
}

pub(super) async fn page(
    mut guest: Guest,
    status: StatusCode,
    username: String,
    next: String,
    trouble: Option<LoginTrouble>,
) -> Response {
    let app = guest.state.app.clone();
    let ways = async { Ok::<_, Problem>((providers::offered(&app).await?, sign_on::passwords(&app).await?)) };
    let (providers, passwords) = match ways.await {
        Ok(ways) => ways,
        Err(problem) => return guest.refuse(problem),
    };
    let rng = app.rng.clone();
    let token;
    (guest.cookies, token) = guest.cookies.login_token(|| random_token(&*rng).to_string());
    let model = LoginPage {
        username,
        next,
        trouble,
        providers,
        no_passwords: !passwords,
    };
    guest.show(status, &model, token)
}

pub(super) async fn submit(
    guest: Guest,
    State(state): State<HttpState>,
    peer: Option<axum::Extension<ConnectInfo<SocketAddr>>>,
    headers: HeaderMap,
    request: Request,
) -> Response {
    let Ok(RawForm(body)) = RawForm::from_request(request, &state).await else {
        return guest.trouble(Trouble::BadRequest {
            detail: "The form is too large, or was not sent as a form.".to_owned(),
        });
    };
    let form = FormData::parse(&body);
    let username = form.text("username");
    let next = path::safe_return(form.raw("next")).to_owned();
    let expected = guest.cookies.expected_login_token();
    if !expected.is_some_and(|token| form.carries(&token)) {
        return page(
            guest,
            StatusCode::FORBIDDEN,
            username,
            next,
            Some(LoginTrouble::Stale),
        )
        .await;
    }
    let peer = peer.map(|axum::Extension(ConnectInfo(peer))| peer);
    let address = client_address(&headers, peer, &state.trusted_proxies);
    match sessions::login(&state.app, &username, form.raw("password"), address).await {
        Ok(login) => {
            let life_ms = login.session.expires_at_ms - state.app.now_ms();
            guest
                .map_cookies(|c| c.end_login().set_session(login.token.reveal(), life_ms))
                .go(&next)
        }
        Err(problem) => refused(guest, problem, username, next).await,
    }
}

async fn refused(guest: Guest, problem: Problem, username: String, next: String) -> Response {
    let (status, trouble) = match problem.code {
        Code::Unauthenticated => (StatusCode::UNAUTHORIZED, LoginTrouble::Refused),
        Code::Forbidden if problem.field.is_some() => (StatusCode::FORBIDDEN, LoginTrouble::NoPasswords),
        Code::Forbidden => (StatusCode::FORBIDDEN, LoginTrouble::Suspended),
        Code::RateLimited => {
            let retry_after_ms = i64::from(problem.retry_after_s.unwrap_or(60)) * 1_000;
            (
                StatusCode::TOO_MANY_REQUESTS,
                LoginTrouble::TooMany { retry_after_ms },
            )
        }
        _ => return guest.refuse(problem),
    };
    page(guest, status, username, next, Some(trouble)).await
}
