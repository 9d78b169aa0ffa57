//! The HTTP surface: sign-in, the admin API, and what the console is built on.

mod access;
mod analytics;
mod audit;
mod auth;
mod base;
mod breaker;
mod budgets;
mod capabilities;
mod catalogue;
mod client;
mod client_sessions;
mod console;
mod endpoints;
mod explanations;
mod extract;
mod files;
mod idempotency;
mod idps;
mod keys;
mod limits;
mod mcp;
mod middleware;
mod notifications;
mod oauth;
mod openapi;
mod page;
mod policies;
mod problem;
mod quarantine;
mod routing;
mod scim;
mod secrets;
mod session;
mod setup;
mod sign_in;
mod status;
mod teams;
mod tokens;
mod usage;
mod users;
mod web_search;

pub use access::routes;
pub(crate) use auth::SESSION_COOKIE;
pub use client::Network;
pub(crate) use client::client_address;
pub(crate) use console::CookieKeys;
pub(crate) use problem::Refusal;

use crate::app::App;
use crate::traces::Traces;
use axum::Router;
use axum::routing::{delete, get, post, put};
use ccag_admin_api::paths;
use ccag_daemon::Lifecycle;
use std::sync::Arc;
use url::Url;

/// What the handlers need.
#[derive(Clone)]
pub struct HttpState(Arc<Inner>);

/// See [`HttpState`], which dereferences to this.
pub struct Inner {
    /// The business.
    pub app: App,
    /// Where people reach the gateway, as far as the operator has said.
    pub public_url: Option<Url>,
    /// What cookies are encrypted with.
    pub(crate) cookie_keys: CookieKeys,
    /// What outlives a client that goes away.
    pub(crate) life: Lifecycle,
    /// Where requests are told of by OpenTelemetry, if they are.
    pub(crate) traces: Option<Traces>,
    /// Whose word on the client's address counts.
    pub trusted_proxies: Vec<Network>,
}

impl std::ops::Deref for HttpState {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl std::fmt::Debug for HttpState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpState").finish_non_exhaustive()
    }
}

impl HttpState {
    pub(crate) fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }
}

/// All routes. What matches none of them gets a problem document. `alone` says that no data plane is beside us, which would serve
/// some of them.
pub(crate) fn router(state: HttpState, alone: bool) -> Router {
    let shared = if alone { oauth::shared() } else { Router::new() };
    let gate = || axum::middleware::from_fn_with_state(state.clone(), access::gate);
    let around = || axum::middleware::from_fn_with_state(state.clone(), middleware::around);
    let served = Router::new()
        .merge(shared)
        .merge(api())
        .merge(oauth::router())
        .merge(setup::router())
        .merge(console::router())
        .merge(scim::admin::router())
        .route_layer(gate())
        // Asks for its own tokens, and refuses in its own words.
        .merge(scim::router())
        .fallback(problem::no_such_path)
        .method_not_allowed_fallback(problem::no_such_method)
        .layer(around())
        .with_state(state.clone());
    // Models call the same routes as everybody.
    let for_models = mcp::router(&state, served.clone())
        .route_layer(gate())
        .method_not_allowed_fallback(problem::no_such_method)
        .layer(around())
        .with_state(state.clone());
    served.merge(for_models)
}

fn api() -> Router<HttpState> {
    Router::new()
        .route("/health", get(status::health))
        .route(paths::OPENAPI, get(openapi::show))
        .route(paths::LOGIN, post(session::login))
        .route(paths::LOGOUT, post(session::logout))
        .route(paths::ME, get(session::me))
        .merge(of_people())
        .route(paths::KEYS, get(keys::list).post(keys::create))
        .route(
            paths::KEY,
            get(keys::show).patch(keys::update).delete(keys::remove),
        )
        .route(paths::KEY_REVOKE, post(keys::revoke))
        .route(paths::TEAMS, get(teams::list).post(teams::create))
        .route(
            paths::TEAM,
            get(teams::show).patch(teams::update).delete(teams::remove),
        )
        .route(paths::TEAM_MEMBERS, get(teams::members).post(teams::add_member))
        .route(paths::TEAM_MEMBER, delete(teams::remove_member))
        .route(
            paths::TEAM_ENDPOINTS,
            get(endpoints::of_team).put(endpoints::assign),
        )
        .route(paths::TEAM_ROUTING, get(routing::of_team).put(routing::set_team))
        .route(paths::TEAM_ROUTE_PREVIEW, get(routing::preview_team))
        .route(paths::ROUTING, get(routing::show).put(routing::set))
        .route(paths::ROUTE_PREVIEW, get(routing::preview))
        .merge(of_budgets())
        .merge(of_notifications())
        .route(paths::ENDPOINTS, get(endpoints::list).post(endpoints::create))
        .route(
            paths::ENDPOINT,
            get(endpoints::show)
                .patch(endpoints::update)
                .put(endpoints::replace)
                .delete(endpoints::remove),
        )
        .route(paths::ENDPOINT_DEFAULT, put(endpoints::set_default))
        .route(paths::ENDPOINT_MODELS, get(endpoints::models))
        .route(paths::ENDPOINT_QUOTAS, get(endpoints::quotas))
        .route(paths::ENDPOINT_DISCOVER, post(endpoints::discover))
        .route(paths::ENDPOINT_TEST, post(endpoints::test))
        .route(
            paths::ENDPOINT_PROFILES,
            get(endpoints::pinned).post(endpoints::pin),
        )
        .route(paths::ENDPOINT_PROFILE, delete(endpoints::unpin))
        .route(paths::USERS, get(users::list).post(users::create))
        .route(
            paths::USER,
            get(users::show)
                .patch(users::update)
                .put(users::update)
                .delete(users::remove),
        )
        .route(paths::USER_TEAM, put(users::set_team))
        .route(paths::USER_SUSPEND, post(users::suspend))
        .route(paths::USER_ACTIVATE, post(users::activate))
        .route(paths::USAGE_SUMMARY, get(usage::summary))
        .route(paths::USAGE_EXPORT, get(usage::export))
        .route(paths::USAGE_FOCUS, get(usage::focus))
        .route(paths::ANALYTICS, get(analytics::cells))
        .route(paths::ANALYTICS_ACTIVITY, get(analytics::activity))
        .route(paths::ANALYTICS_PERFORMANCE, get(analytics::performance))
        .route(paths::ANALYTICS_TOOLS, get(analytics::tools))
        .route(paths::ANALYTICS_SESSIONS, get(analytics::sessions))
        .route(paths::ANALYTICS_CACHE_MISSES, get(analytics::cache_misses))
        .route(paths::ANALYTICS_FORECAST, get(analytics::forecast))
        .route(paths::ANALYTICS_WHAT_IF, get(analytics::what_if))
        .route(paths::REPRICE, get(usage::show_reprice).post(usage::reprice))
        .route(paths::AUDIT, get(audit::list))
        .route(paths::AUDIT_VERIFY, get(audit::verify))
        .route(paths::QUARANTINE, get(quarantine::list))
        .route(paths::QUARANTINED, delete(quarantine::dismiss))
        .route(paths::QUARANTINED_RETRY, post(quarantine::retry))
        .route(paths::EXPLANATION, get(explanations::show))
        .route(
            paths::WEB_SEARCH,
            get(web_search::rules).put(web_search::set_rules),
        )
        .route(paths::WEB_SEARCH_TEST, post(web_search::test_global))
        .route(paths::SEARCH_PROVIDERS, get(web_search::own).put(web_search::put))
        .route(paths::SEARCH_PROVIDER_ACTIVATE, post(web_search::activate))
        .route(paths::SEARCH_PROVIDER_TEST, post(web_search::test))
        .route(paths::SEARCH_PROVIDER, delete(web_search::remove))
        .route(paths::FLEET, get(status::fleet))
        .route(paths::STATUS, get(status::status))
        .route(paths::SECRETS, get(secrets::show))
        .route(paths::SECRETS_RESEAL, post(secrets::reseal))
        .route(paths::CAPABILITIES, get(capabilities::show))
        .route(paths::CAPABILITY_BOOK, get(capabilities::book))
        .route(paths::CAPABILITY_RULES, post(capabilities::add_rule))
        .route(
            paths::CAPABILITY_RULE,
            put(capabilities::replace_rule).delete(capabilities::delete_rule),
        )
        .route(paths::LEARNT_FACT, delete(capabilities::forget))
        .route(
            paths::MODELS,
            get(catalogue::list_models).post(catalogue::create_model),
        )
        .route(
            paths::MODEL,
            get(catalogue::show_model)
                .put(catalogue::replace_model)
                .delete(catalogue::remove_model),
        )
        .route(paths::PRICING, get(catalogue::list_prices))
        .route(paths::PRICING_IMPORT, post(catalogue::import_prices))
        .route(
            paths::PRICE,
            put(catalogue::set_price).delete(catalogue::reset_price),
        )
}

fn of_people() -> Router<HttpState> {
    Router::new()
        .route(paths::PROVIDERS, get(idps::list).post(idps::create))
        .route(
            paths::PROVIDER,
            get(idps::show).put(idps::update).delete(idps::remove),
        )
        .route(paths::PROVIDER_TEST, post(idps::test))
        .route(paths::SIGN_IN, get(sign_in::show).put(sign_in::set))
        .route(paths::SIGNING_KEYS_ROTATE, post(sign_in::rotate))
        .route(paths::POLICIES, get(policies::list).post(policies::create))
        .route(
            paths::POLICY,
            get(policies::show).put(policies::update).delete(policies::remove),
        )
        .route(paths::USER_POLICY, get(policies::preview))
        .route(paths::CLIENT_SESSIONS, get(client_sessions::list))
        .route(paths::CLIENT_SESSION, delete(client_sessions::end))
        .route(paths::USER_TOKENS, get(tokens::list).post(tokens::create))
        .route(paths::USER_TOKEN, delete(tokens::revoke))
        .route(paths::USER_SIGN_OUT, post(client_sessions::sign_out))
}

fn of_notifications() -> Router<HttpState> {
    Router::new()
        .route(
            paths::DESTINATIONS,
            get(notifications::list).post(notifications::create),
        )
        .route(
            paths::DESTINATION,
            get(notifications::show)
                .put(notifications::update)
                .delete(notifications::remove),
        )
        .route(
            paths::DESTINATION_DRAFT,
            put(notifications::draft).delete(notifications::discard),
        )
        .route(paths::DESTINATION_TEST, post(notifications::test))
        .route(paths::DESTINATION_ACTIVATE, post(notifications::activate))
        .route(paths::DELIVERIES, get(notifications::deliveries))
        .route(paths::DELIVERY_RESEND, post(notifications::resend))
}

fn of_budgets() -> Router<HttpState> {
    Router::new()
        .route(paths::SESSION_BREAKER, get(breaker::show).put(breaker::set))
        .route(
            paths::TEAM_SESSION_BREAKER,
            get(breaker::of_team)
                .put(breaker::set_team)
                .delete(breaker::clear_team),
        )
        .route(paths::PAUSED_SESSIONS, get(breaker::list))
        .route(paths::PAUSED_SESSION_RESUME, post(breaker::resume))
        .route(paths::BUDGETS, get(budgets::list).post(budgets::create))
        .route(
            paths::BUDGET,
            get(budgets::show).put(budgets::update).delete(budgets::remove),
        )
        .route(paths::BUDGET_ACCOUNTS, get(budgets::accounts))
        .route(paths::BUDGET_EVENTS, get(budgets::events))
        .route(paths::BUDGET_RAISES, post(budgets::raise))
        .route(paths::BUDGET_RAISE, delete(budgets::withdraw))
        .route(paths::BUDGET_STATUS, get(budgets::status))
        .route(paths::LIMITS, get(limits::list).post(limits::create))
        .route(
            paths::LIMIT,
            get(limits::show).put(limits::update).delete(limits::remove),
        )
        .route(
            paths::TEAM_BUDGET,
            get(budgets::of_team)
                .put(budgets::set_team)
                .delete(budgets::clear_team),
        )
        .route(
            paths::DEFAULT_BUDGET,
            get(budgets::default).put(budgets::set_default),
        )
        .route(
            paths::USER_SPEND_LIMIT,
            get(budgets::of_user).put(budgets::set_user),
        )
}
