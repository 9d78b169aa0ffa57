//! Setting up Claude Code on people's machines: scripts, for everybody, and what they do.

use super::auth::SignedIn;
use super::extract::{Id, Json};
use super::oauth::Origin;
use super::{HttpState, Refusal};
use crate::app::setup;
use axum::Router;
use axum::extract::{Form, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use ccag_admin_api::{ConnectMode, CreateSetupToken, CreatedSetupToken, SetupSettings, paths};
use ccag_console::path;
use ccag_domain::{Code, KeyId, Problem};
use serde_json::json;

const SHELL: &str = include_str!("setup.sh");
const POWERSHELL: &str = include_str!("setup.ps1");
const HELPER: &str = include_str!("helper.sh");

pub(super) fn router() -> Router<HttpState> {
    Router::new()
        .route(paths::SETUP, get(shell))
        .route(paths::SETUP_WINDOWS, get(powershell))
        .route(paths::SETUP_HELPER, get(helper))
        .route(paths::SETUP_MANAGED, get(managed))
        .route(paths::SETUP_REDEEM, post(redeem))
        .route(paths::SETUP_SETTINGS, get(show).put(set))
        .route(paths::KEY_SETUP_TOKEN, post(issue))
}

/// What Claude Code is told besides how to connect.
fn extras(settings: &SetupSettings) -> Vec<&'static str> {
    let one_hour = settings.one_hour_cache.then_some("ENABLE_PROMPT_CACHING_1H");
    let models = settings
        .model_discovery
        .then_some("CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY");
    // Which session and which agent a request belongs to shows in headers of Claude Code's own then.
    let hints = Some("CLAUDE_CODE_GATEWAY_HINT_HEADERS");
    [hints, one_hour, models].into_iter().flatten().collect()
}

/// A script for a gateway at this address. Whatever could end a quotation in a script is refused: it is no address.
fn script(template: &str, base_url: &str, mode: ConnectMode, extras: &str) -> Result<String, Problem> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~:/[]%".contains(&b);
    if !base_url.bytes().all(plain) {
        return Err(Problem::new(
            Code::Internal,
            "The gateway's address has characters that do not belong into a script; the operator should look at CCAG_PUBLIC_URL.",
        ));
    }
    Ok(template
        .replace("@@GATEWAY@@", base_url)
        .replace("@@MODE@@", mode.as_str())
        .replace("@@EXTRAS@@", extras))
}

fn text(content_type: &'static str, text: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, text).into_response()
}

/// A script that says what is wrong, for a shell that runs whatever comes.
fn in_words(problem: &Problem) -> Response {
    let status = StatusCode::from_u16(problem.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = text("text/plain; charset=utf-8", format!("{}\n", problem.message));
    *response.status_mut() = status;
    response
}

async fn shell(origin: Origin, State(state): State<HttpState>, headers: HeaderMap) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    if accept.is_some_and(|accept| accept.contains("text/html")) {
        // A browser, and somebody who reads.
        return Redirect::to(path::CONNECT).into_response();
    }
    let made = setup::in_force(&state.app).await.and_then(|(mode, settings)| {
        let lines: Vec<_> = extras(&settings)
            .iter()
            .map(|name| format!("env.{name} \"1\""))
            .collect();
        script(SHELL, &origin.base_url, mode, &lines.join("\n"))
    });
    made.map_or_else(
        |problem| in_words(&problem),
        |script| text("text/x-shellscript; charset=utf-8", script),
    )
}

async fn powershell(origin: Origin, State(state): State<HttpState>) -> Response {
    let made = setup::in_force(&state.app).await.and_then(|(mode, settings)| {
        let lines: Vec<_> = extras(&settings)
            .iter()
            .map(|name| format!("    $wanted['{name}'] = '1'"))
            .collect();
        script(POWERSHELL, &origin.base_url, mode, &lines.join("\n"))
    });
    made.map_or_else(
        |problem| in_words(&problem),
        |script| text("text/plain; charset=utf-8", script),
    )
}

async fn helper(origin: Origin) -> Response {
    match script(HELPER, &origin.base_url, ConnectMode::Sso, "") {
        Ok(script) => text("text/x-shellscript; charset=utf-8", script),
        Err(problem) => in_words(&problem),
    }
}

/// What a machine needs to know so that `/login` offers the gateway.
async fn managed(origin: Origin) -> Response {
    let settings = json!({"forceLoginMethod": "gateway", "forceLoginGatewayUrl": origin.base_url});
    let file = format!("{settings:#}\n");
    let mut response = text("application/json", file);
    let name = header::HeaderValue::from_static("attachment; filename=\"managed-settings.json\"");
    response.headers_mut().insert(header::CONTENT_DISPOSITION, name);
    response
}

#[derive(serde::Deserialize)]
struct Redeem {
    token: String,
}

/// The key of a token, as text: it is for a shell.
async fn redeem(
    State(state): State<HttpState>,
    form: Result<Form<Redeem>, axum::extract::rejection::FormRejection>,
) -> Response {
    let Ok(Form(form)) = form else {
        return in_words(&Problem::new(
            Code::InvalidRequest,
            "Send a form with the field `token`.",
        ));
    };
    match setup::redeem(&state.app, form.token.trim()).await {
        Ok(created) => text("text/plain; charset=utf-8", created.key.reveal().to_owned()),
        Err(problem) => in_words(&problem),
    }
}

async fn show(who: SignedIn, State(state): State<HttpState>) -> Result<axum::Json<SetupSettings>, Refusal> {
    Ok(axum::Json(setup::settings(&state.app, &who.actor()).await?))
}

async fn set(
    who: SignedIn,
    State(state): State<HttpState>,
    Json(request): Json<SetupSettings>,
) -> Result<axum::Json<SetupSettings>, Refusal> {
    Ok(axum::Json(setup::set(&state.app, &who.actor(), request).await?))
}

async fn issue(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<KeyId>,
    Json(request): Json<CreateSetupToken>,
) -> Result<(StatusCode, axum::Json<CreatedSetupToken>), Refusal> {
    let created = setup::issue(&state.app, &who.actor(), &id, request).await?;
    Ok((StatusCode::CREATED, axum::Json(created)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_could_end_a_quotation_makes_no_script() {
        let made = script(SHELL, "https://gw.example", ConnectMode::Key, "env.A \"1\"").unwrap();
        assert!(made.contains("GATEWAY='https://gw.example'\nMODE='key'\n"));
        assert!(made.contains("\nenv.A \"1\"\n") && !made.contains("@@"));
        for address in ["https://gw.example/'", "https://gw.example/$(id)", "https://a b"] {
            assert!(script(SHELL, address, ConnectMode::Key, "").is_err());
        }
    }
}
