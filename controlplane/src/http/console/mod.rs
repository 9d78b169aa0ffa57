//! The console's handlers: each gathers a page model through the app's verbs, or does what a form asks and redirects.
//!
//! Pages are made by [`ccag_console`]. A visitor is known by the session cookie ([`visitor`]); what has to survive a redirect
//! (a message, a new key's secret) travels in encrypted cookies ([`cookies`]), so that any control plane can show the next
//! page.

mod account;
mod analytics;
mod answer;
mod audit;
mod budget_form;
mod budget_words;
mod budgets;
mod capabilities;
mod connect;
mod cookies;
mod device;
mod endpoint_access;
mod endpoint_network;
mod endpoint_quotas;
mod endpoints;
mod fleet;
mod form;
mod guardrail;
mod keys;
mod limits;
mod login;
mod logins;
mod models;
mod names;
mod new_key;
mod notifications;
mod overview;
mod policies;
mod price_import;
mod prices;
mod provider_scim;
mod providers;
mod quarantine;
mod requests;
mod routing;
mod sessions;
mod several;
mod sign_on;
mod team;
mod team_budget;
mod teams;
mod upload;
mod user;
mod users;
mod visitor;
mod web_search;
mod what_if;

pub(crate) use cookies::CookieKeys;

use super::{HttpState, access};
use crate::store::tally;
use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRequestParts, Request};
use axum::http::{StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use ccag_admin_api::paths;
use ccag_console::page::Trouble;
use ccag_console::{Asset, asset, path};
use ccag_domain::gate::Gate;
use visitor::{Guest, Visitor};

/// The largest form, in bytes.
const MAX_FORM: usize = 64 * 1024;

/// The largest form with a policy, in bytes.
const MAX_POLICY: usize = 1024 * 1024;

/// The routes of the console, and the redirects that lead to it.
pub(crate) fn router() -> Router<HttpState> {
    Router::new()
        .route("/", get(to_console))
        .route("/portal", get(to_console))
        .route(path::HOME, get(overview::show))
        .route("/console/", get(to_console))
        .route(path::LOGIN, get(login::show).post(login::submit))
        .route(paths::SIGN_IN_OPTIONS, get(sign_on::options))
        .route(paths::SIGN_ON, get(sign_on::begin))
        .route(paths::SIGN_ON_CALLBACK, get(sign_on::complete))
        .route(path::DEVICE, get(device::show).post(device::decide))
        .route(path::LOGOUT, post(account::logout))
        .route(path::THEME, post(account::theme))
        .route(path::KEYS, get(keys::list).post(new_key::create))
        .route(path::NEW_KEY, get(new_key::show))
        .route(path::KEY_CREATED, get(new_key::created))
        .route("/console/keys/{id}", get(keys::show))
        .route(
            "/console/keys/{id}/revoke",
            get(keys::ask_revoke).post(keys::revoke),
        )
        .route(path::TEAMS, get(teams::list).post(teams::create))
        .route("/console/teams/{id}", get(team::show).post(team::rename))
        .route("/console/teams/{id}/members", post(team::add_member))
        .route("/console/teams/{id}/members/remove", post(team::remove_member))
        .route(
            "/console/teams/{id}/delete",
            get(team::ask_delete).post(team::delete),
        )
        .route("/console/teams/{id}/state", post(teams::set_state))
        .route(
            "/console/teams/{id}/endpoints",
            get(endpoints::of_team).post(endpoints::assign),
        )
        .route(
            "/console/teams/{id}/guardrail",
            get(guardrail::of_team).post(guardrail::set_for_team),
        )
        .route(
            "/console/teams/{id}/routing",
            get(routing::of_team).post(routing::set_team),
        )
        .route(path::ROUTING, get(routing::show).post(routing::set))
        .merge(of_budgets())
        .merge(of_several())
        .merge(of_people())
        .route(path::SESSIONS, get(sessions::list).post(sessions::set))
        .route("/console/sessions/{id}/resume", post(sessions::resume))
        .route(
            "/console/teams/{id}/sessions",
            get(sessions::of_team).post(sessions::set_team),
        )
        .route(path::ENDPOINTS, get(endpoints::list).post(endpoints::create))
        .route(path::NEW_ENDPOINT, get(endpoints::blank))
        .route(
            "/console/endpoints/{id}",
            get(endpoints::show).post(endpoints::update),
        )
        .route("/console/endpoints/{id}/default", post(endpoints::set_default))
        .route("/console/endpoints/{id}/models", get(endpoints::models))
        .route("/console/endpoints/{id}/quotas", get(endpoint_quotas::show))
        .route("/console/endpoints/{id}/discover", post(endpoints::discover))
        .route(
            "/console/endpoints/{id}/test",
            get(endpoints::ask_test).post(endpoints::test),
        )
        .route(
            "/console/endpoints/{id}/delete",
            get(endpoints::ask_delete).post(endpoints::delete),
        )
        .route(path::USERS, get(users::list).post(users::create))
        .route("/console/users/{id}", get(user::show).post(user::update))
        .route("/console/users/{id}/sign-out", post(user::sign_out))
        .route("/console/users/{id}/tokens", post(user::create_token))
        .route("/console/users/{id}/tokens/revoke", post(user::revoke_token))
        .route(
            "/console/users/{id}/delete",
            get(user::ask_delete).post(user::delete),
        )
        .route("/console/users/{id}/state", post(users::set_state))
        .route(path::CAPABILITIES, get(capabilities::show))
        .route(
            path::NEW_RULE,
            get(capabilities::new_rule).post(capabilities::add),
        )
        .route(
            "/console/capabilities/rules/{id}/delete",
            get(capabilities::ask_delete).post(capabilities::delete),
        )
        .route(
            "/console/capabilities/learnt/{id}/forget",
            post(capabilities::forget),
        )
        .route(path::WEB_SEARCH, get(web_search::show).post(web_search::choose))
        .route(path::WEB_SEARCH_RULES, post(web_search::set_rules))
        .route(path::WEB_SEARCH_TEST, post(web_search::test_global))
        .route("/console/web-search/{kind}/{what}", post(web_search::change))
        .route(path::REQUESTS, get(requests::search))
        .route("/console/requests/{id}", get(requests::show))
        .route(path::AUDIT, get(audit::list))
        .route(path::VERIFY_AUDIT, post(audit::verify))
        .merge(of_notifications())
        .route(path::QUARANTINE, get(quarantine::list))
        .route("/console/usage/quarantine/{id}/retry", post(quarantine::retry))
        .route(
            "/console/usage/quarantine/{id}/dismiss",
            post(quarantine::dismiss),
        )
        .route(path::FLEET, get(fleet::show))
        .route("/console/assets/{name}", get(serve_asset))
        .route("/console/{*rest}", get(nothing_here))
        .route(path::MODELS, get(models::list).post(models::create))
        .route(path::NEW_MODEL, get(models::blank))
        .route("/console/models/{name}", get(models::show).post(models::update))
        .route(
            "/console/models/{name}/delete",
            get(models::ask_delete).post(models::delete),
        )
        .route(
            "/console/models/{name}/price",
            get(prices::show).post(prices::set),
        )
        .route("/console/models/{name}/price/reset", post(prices::reset))
        .layer(DefaultBodyLimit::max(MAX_FORM))
        // With a limit of its own: see `upload`.
        .route(
            path::IMPORT_PRICES,
            get(price_import::ask).post(price_import::import),
        )
}

fn of_people() -> Router<HttpState> {
    Router::new()
        .route(path::SIGN_IN, get(providers::list).post(providers::set))
        .route(path::SIGN_IN_PROVIDERS, post(providers::create))
        .route(path::NEW_PROVIDER, get(providers::blank))
        .route(
            "/console/sign-in/providers/{id}",
            get(providers::show).post(providers::update),
        )
        .route("/console/sign-in/providers/{id}/test", post(providers::test))
        .route(
            "/console/sign-in/providers/{id}/scim-tokens",
            post(provider_scim::create),
        )
        .route(
            "/console/sign-in/providers/{id}/scim-tokens/revoke",
            post(provider_scim::revoke),
        )
        .route(
            "/console/sign-in/providers/{id}/delete",
            get(providers::ask_delete).post(providers::delete),
        )
        // Settings may be long.
        .merge(
            Router::new()
                .route(path::POLICIES, get(policies::list).post(policies::create))
                .route(
                    "/console/policies/{id}",
                    get(policies::show).post(policies::update),
                )
                .layer(DefaultBodyLimit::max(MAX_POLICY)),
        )
        .route(path::NEW_POLICY, get(policies::blank))
        .route(
            "/console/policies/{id}/delete",
            get(policies::ask_delete).post(policies::delete),
        )
        .route(path::CONNECT, get(connect::show).post(connect::set))
        .route("/console/keys/{id}/setup-command", post(connect::command))
        .route(path::LOGINS, get(logins::list))
        .route("/console/devices/{id}/end", post(logins::end))
}

fn of_several() -> Router<HttpState> {
    Router::new()
        .route(
            path::REVOKE_KEYS,
            get(several::ask_keys).post(several::revoke_keys),
        )
        .route(
            path::SEVERAL_USERS,
            get(several::ask_users).post(several::do_users),
        )
        .route(
            path::END_LOGINS,
            get(several::ask_logins).post(several::end_logins),
        )
}

fn of_budgets() -> Router<HttpState> {
    Router::new()
        .route(path::BUDGETS, get(budgets::list).post(budget_form::create))
        .route(path::ANALYTICS, get(analytics::spend))
        .route(path::ANALYTICS_ACTIVITY, get(analytics::activity))
        .route(path::ANALYTICS_MODELS, get(analytics::models))
        .route(path::ANALYTICS_FOCUS, get(analytics::focus))
        .route(path::ANALYTICS_TOOLS, get(analytics::tools))
        .route(path::ANALYTICS_TOOLS_EXPORT, get(analytics::export_tools))
        .route(path::ANALYTICS_EXPORT, get(analytics::export))
        .route(path::NEW_BUDGET, get(budget_form::blank))
        .route(path::WHAT_IF, get(what_if::show))
        .route(path::LIMITS, get(limits::list).post(limits::create))
        .route(path::NEW_LIMIT, get(limits::blank))
        .route("/console/limits/{id}", get(limits::edit).post(limits::update))
        .route(
            "/console/limits/{id}/delete",
            get(limits::ask_delete).post(limits::delete),
        )
        .route("/console/budgets/{id}", get(budgets::show))
        .route(
            "/console/budgets/{id}/edit",
            get(budget_form::edit).post(budget_form::update),
        )
        .route(
            "/console/budgets/{id}/delete",
            get(budgets::ask_delete).post(budgets::delete),
        )
        .route("/console/budgets/{id}/raises", post(budgets::raise))
        .route(
            "/console/budgets/{id}/raises/{raise}/withdraw",
            post(budgets::withdraw),
        )
        .route(
            "/console/teams/{id}/budget",
            get(team_budget::show).post(team_budget::submit),
        )
}

/// Lets a visitor in to a page or form, or shows them where else to go.
pub(super) async fn gate(
    state: &HttpState,
    gate: Gate,
    route: &str,
    request: Request,
    next: Next,
) -> Response {
    let (mut parts, body) = request.into_parts();
    let visitor = match Visitor::from_request_parts(&mut parts, state).await {
        Ok(visitor) => visitor,
        Err(response) => return response,
    };
    if let Gate::May(permission) = gate
        && let Err(problem) = visitor.actor().require_some(permission)
    {
        let actor = visitor.actor();
        let response = visitor.refuse(problem);
        return access::refused(state, response, actor, route, access::asked(state, &parts));
    }
    let (actor, asked) = (visitor.actor(), access::asked(state, &parts));
    parts.extensions.insert(visitor.session.clone());
    tally::admitted();
    let response = next.run(Request::from_parts(parts, body)).await;
    access::refused(state, response, actor, route, asked)
}

async fn to_console() -> Redirect {
    Redirect::to(path::HOME)
}

async fn nothing_here(guest: Guest) -> Response {
    guest.trouble(Trouble::NotFound)
}

async fn serve_asset(uri: Uri) -> Response {
    match asset(uri.path()) {
        Some(asset) => (
            [
                (header::CONTENT_TYPE, asset.content_type),
                (header::CACHE_CONTROL, Asset::CACHE_CONTROL),
            ],
            asset.body,
        )
            .into_response(),
        // After an update an old page may ask for an old name.
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

fn of_notifications() -> Router<HttpState> {
    Router::new()
        .route(
            path::NOTIFICATIONS,
            get(notifications::list).post(notifications::create),
        )
        .route(path::NEW_DESTINATION, get(notifications::blank))
        .route(path::DELIVERIES, get(notifications::history))
        .route(
            "/console/notifications/history/{id}/resend",
            post(notifications::resend),
        )
        .route(
            "/console/notifications/{id}",
            get(notifications::show).post(notifications::update),
        )
        .route("/console/notifications/{id}/draft", post(notifications::draft))
        .route(
            "/console/notifications/{id}/discard",
            post(notifications::discard),
        )
        .route("/console/notifications/{id}/test", post(notifications::test))
        .route(
            "/console/notifications/{id}/activate",
            post(notifications::activate),
        )
        .route(
            "/console/notifications/{id}/delete",
            get(notifications::ask_delete).post(notifications::delete),
        )
}
