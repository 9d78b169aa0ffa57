//! What it takes to be let in to each route. A route without a row here, or in [`ccag_console::access`], is closed to
//! everybody.

use super::auth::SignedIn;
use super::problem::{self, Concealed};
use super::{HttpState, client_address, console, idempotency};
use crate::app::refusals::{self, Refused};
use crate::store::tally;
use axum::extract::{ConnectInfo, FromRequestParts, MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use ccag_admin_api::paths;
use ccag_domain::gate::{Gate, Route};
use ccag_domain::{Actor, Area, Permission};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::LazyLock;

const fn get(path: &'static str, gate: Gate) -> Route {
    Route::new("GET", path, gate)
}

const fn post(path: &'static str, gate: Gate) -> Route {
    Route::new("POST", path, gate)
}

const fn put(path: &'static str, gate: Gate) -> Route {
    Route::new("PUT", path, gate)
}

const fn patch(path: &'static str, gate: Gate) -> Route {
    Route::new("PATCH", path, gate)
}

const fn delete(path: &'static str, gate: Gate) -> Route {
    Route::new("DELETE", path, gate)
}

const fn read(area: Area) -> Gate {
    Gate::May(Permission::Read(area))
}

const fn change(area: Area) -> Gate {
    Gate::May(Permission::Change(area))
}

/// Everything but the console.
const API: &[Route] = &[
    get("/health", Gate::Public),
    get(paths::OPENAPI, Gate::Public),
    // What a tool does asks again, as the route that it calls.
    post(paths::MCP, Gate::SignedIn),
    post(paths::LOGIN, Gate::Public),
    post(paths::LOGOUT, Gate::SignedIn),
    get(paths::ME, Gate::SignedIn),
    get(paths::SIGN_IN_OPTIONS, Gate::Public),
    get(paths::SIGN_ON, Gate::Public),
    get(paths::SIGN_ON_CALLBACK, Gate::Public),
    // Who asks for a token, or gives one back, shows in the body what they have it for.
    get("/.well-known/oauth-authorization-server", Gate::Public),
    post("/oauth/device_authorization", Gate::Public),
    post("/oauth/token", Gate::Public),
    post("/oauth/revoke", Gate::Public),
    get("/managed/settings", Gate::Other("a client's token")),
    get("/api/oauth/usage", Gate::Other("a client's token or a key")),
    get(paths::PROVIDERS, read(Area::SignOn)),
    post(paths::PROVIDERS, change(Area::SignOn)),
    get(paths::PROVIDER, read(Area::SignOn)),
    put(paths::PROVIDER, change(Area::SignOn)),
    delete(paths::PROVIDER, change(Area::SignOn)),
    post(paths::PROVIDER_TEST, change(Area::SignOn)),
    get(paths::IDP_SCIM, read(Area::SignOn)),
    put(paths::IDP_SCIM, change(Area::SignOn)),
    get(paths::IDP_SCIM_TOKENS, read(Area::SignOn)),
    post(paths::IDP_SCIM_TOKENS, change(Area::SignOn)),
    delete(paths::IDP_SCIM_TOKEN, change(Area::SignOn)),
    get(paths::IDP_SCIM_ADMIN_GROUPS, read(Area::SignOn)),
    put(paths::IDP_SCIM_ADMIN_GROUPS, change(Area::SignOn)),
    get(paths::SCIM, Gate::Other("a SCIM token")),
    get("/scim/v2/{*path}", Gate::Other("a SCIM token")),
    post("/scim/v2/{*path}", Gate::Other("a SCIM token")),
    put("/scim/v2/{*path}", Gate::Other("a SCIM token")),
    patch("/scim/v2/{*path}", Gate::Other("a SCIM token")),
    delete("/scim/v2/{*path}", Gate::Other("a SCIM token")),
    get(paths::SETUP, Gate::Public),
    get(paths::SETUP_WINDOWS, Gate::Public),
    get(paths::SETUP_HELPER, Gate::Public),
    get(paths::SETUP_MANAGED, Gate::Public),
    // Who asks shows a setup token.
    post(paths::SETUP_REDEEM, Gate::Public),
    get(paths::SETUP_SETTINGS, read(Area::SignOn)),
    put(paths::SETUP_SETTINGS, change(Area::SignOn)),
    get(paths::SIGN_IN, read(Area::SignOn)),
    put(paths::SIGN_IN, change(Area::SignOn)),
    post(paths::SIGNING_KEYS_ROTATE, change(Area::SignOn)),
    get(paths::POLICIES, read(Area::Policies)),
    post(paths::POLICIES, change(Area::Policies)),
    get(paths::POLICY, read(Area::Policies)),
    put(paths::POLICY, change(Area::Policies)),
    delete(paths::POLICY, change(Area::Policies)),
    get(paths::USER_POLICY, read(Area::Users)),
    get(paths::CLIENT_SESSIONS, read(Area::Keys)),
    delete(paths::CLIENT_SESSION, change(Area::Keys)),
    post(paths::USER_SIGN_OUT, Gate::SignedIn),
    get(paths::KEYS, read(Area::Keys)),
    post(paths::KEYS, change(Area::Keys)),
    get(paths::KEY, read(Area::Keys)),
    patch(paths::KEY, change(Area::Keys)),
    delete(paths::KEY, change(Area::Keys)),
    post(paths::KEY_REVOKE, change(Area::Keys)),
    post(paths::KEY_SETUP_TOKEN, change(Area::Keys)),
    get(paths::TEAMS, read(Area::Teams)),
    post(paths::TEAMS, change(Area::Teams)),
    get(paths::TEAM, read(Area::Teams)),
    patch(paths::TEAM, change(Area::Teams)),
    delete(paths::TEAM, change(Area::Teams)),
    get(paths::TEAM_MEMBERS, read(Area::Members)),
    post(paths::TEAM_MEMBERS, change(Area::Members)),
    delete(paths::TEAM_MEMBER, change(Area::Members)),
    get(paths::TEAM_ENDPOINTS, read(Area::Routing)),
    put(paths::TEAM_ENDPOINTS, change(Area::Routing)),
    get(paths::TEAM_ROUTING, read(Area::Routing)),
    put(paths::TEAM_ROUTING, change(Area::Routing)),
    get(paths::TEAM_ROUTE_PREVIEW, read(Area::Routing)),
    get(paths::ROUTING, read(Area::Routing)),
    put(paths::ROUTING, change(Area::Routing)),
    get(paths::ROUTE_PREVIEW, read(Area::Routing)),
    get(paths::TEAM_BUDGET, read(Area::WiderBudgets)),
    put(paths::TEAM_BUDGET, change(Area::WiderBudgets)),
    delete(paths::TEAM_BUDGET, change(Area::WiderBudgets)),
    get(paths::BUDGETS, read(Area::WiderBudgets)),
    post(paths::BUDGETS, change(Area::Budgets)),
    get(paths::BUDGET, read(Area::WiderBudgets)),
    put(paths::BUDGET, change(Area::Budgets)),
    delete(paths::BUDGET, change(Area::Budgets)),
    get(paths::BUDGET_ACCOUNTS, read(Area::WiderBudgets)),
    get(paths::BUDGET_EVENTS, read(Area::WiderBudgets)),
    post(paths::BUDGET_RAISES, change(Area::Budgets)),
    delete(paths::BUDGET_RAISE, change(Area::Budgets)),
    get(paths::BUDGET_STATUS, read(Area::Budgets)),
    get(paths::DEFAULT_BUDGET, read(Area::WiderBudgets)),
    put(paths::DEFAULT_BUDGET, change(Area::WiderBudgets)),
    get(paths::USER_SPEND_LIMIT, read(Area::WiderBudgets)),
    put(paths::USER_SPEND_LIMIT, change(Area::WiderBudgets)),
    get(paths::SESSION_BREAKER, read(Area::Breaker)),
    put(paths::SESSION_BREAKER, change(Area::Breaker)),
    get(paths::TEAM_SESSION_BREAKER, read(Area::Breaker)),
    put(paths::TEAM_SESSION_BREAKER, change(Area::Breaker)),
    delete(paths::TEAM_SESSION_BREAKER, change(Area::Breaker)),
    get(paths::PAUSED_SESSIONS, read(Area::Sessions)),
    post(paths::PAUSED_SESSION_RESUME, change(Area::Sessions)),
    get(paths::LIMITS, read(Area::Limits)),
    post(paths::LIMITS, change(Area::Limits)),
    get(paths::LIMIT, read(Area::Limits)),
    put(paths::LIMIT, change(Area::Limits)),
    delete(paths::LIMIT, change(Area::Limits)),
    get(paths::ENDPOINTS, read(Area::Endpoints)),
    post(paths::ENDPOINTS, change(Area::Endpoints)),
    get(paths::ENDPOINT, read(Area::Endpoints)),
    patch(paths::ENDPOINT, change(Area::Endpoints)),
    put(paths::ENDPOINT, change(Area::Endpoints)),
    delete(paths::ENDPOINT, change(Area::Endpoints)),
    put(paths::ENDPOINT_DEFAULT, change(Area::Endpoints)),
    get(paths::ENDPOINT_MODELS, read(Area::Endpoints)),
    get(paths::ENDPOINT_QUOTAS, read(Area::Endpoints)),
    post(paths::ENDPOINT_DISCOVER, change(Area::Endpoints)),
    post(paths::ENDPOINT_TEST, change(Area::Endpoints)),
    get(paths::ENDPOINT_PROFILES, read(Area::Endpoints)),
    post(paths::ENDPOINT_PROFILES, change(Area::Endpoints)),
    delete(paths::ENDPOINT_PROFILE, change(Area::Endpoints)),
    get(paths::USERS, read(Area::Members)),
    post(paths::USERS, change(Area::Users)),
    get(paths::USER, read(Area::Users)),
    patch(paths::USER, change(Area::Users)),
    put(paths::USER, change(Area::Users)),
    delete(paths::USER, change(Area::Users)),
    get(paths::USER_TOKENS, read(Area::Users)),
    post(paths::USER_TOKENS, change(Area::Users)),
    delete(paths::USER_TOKEN, change(Area::Users)),
    put(paths::USER_TEAM, change(Area::Members)),
    post(paths::USER_SUSPEND, change(Area::Users)),
    post(paths::USER_ACTIVATE, change(Area::Users)),
    get(paths::USAGE_SUMMARY, read(Area::Usage)),
    get(paths::USAGE_EXPORT, read(Area::Usage)),
    get(paths::USAGE_FOCUS, read(Area::Usage)),
    get(paths::ANALYTICS, read(Area::Usage)),
    get(paths::ANALYTICS_ACTIVITY, read(Area::Usage)),
    get(paths::ANALYTICS_PERFORMANCE, read(Area::Usage)),
    get(paths::ANALYTICS_TOOLS, read(Area::Usage)),
    get(paths::ANALYTICS_SESSIONS, read(Area::Usage)),
    get(paths::ANALYTICS_CACHE_MISSES, read(Area::Usage)),
    get(paths::ANALYTICS_FORECAST, read(Area::Usage)),
    get(paths::ANALYTICS_WHAT_IF, read(Area::Usage)),
    get(paths::REPRICE, read(Area::Ledger)),
    post(paths::REPRICE, change(Area::Ledger)),
    get(paths::AUDIT, read(Area::Audit)),
    get(paths::AUDIT_VERIFY, read(Area::Audit)),
    get(paths::QUARANTINE, read(Area::Ledger)),
    delete(paths::QUARANTINED, change(Area::Ledger)),
    post(paths::QUARANTINED_RETRY, change(Area::Ledger)),
    get(paths::EXPLANATION, read(Area::Usage)),
    get(paths::DESTINATIONS, read(Area::Notifications)),
    post(paths::DESTINATIONS, change(Area::Notifications)),
    get(paths::DESTINATION, read(Area::Notifications)),
    put(paths::DESTINATION, change(Area::Notifications)),
    delete(paths::DESTINATION, change(Area::Notifications)),
    put(paths::DESTINATION_DRAFT, change(Area::Notifications)),
    delete(paths::DESTINATION_DRAFT, change(Area::Notifications)),
    post(paths::DESTINATION_TEST, change(Area::Notifications)),
    post(paths::DESTINATION_ACTIVATE, change(Area::Notifications)),
    get(paths::DELIVERIES, read(Area::Notifications)),
    post(paths::DELIVERY_RESEND, change(Area::Notifications)),
    get(paths::WEB_SEARCH, read(Area::WebSearch)),
    put(paths::WEB_SEARCH, change(Area::WebSearch)),
    post(paths::WEB_SEARCH_TEST, change(Area::WebSearch)),
    get(paths::SEARCH_PROVIDERS, read(Area::OwnSearch)),
    put(paths::SEARCH_PROVIDERS, change(Area::OwnSearch)),
    post(paths::SEARCH_PROVIDER_ACTIVATE, change(Area::OwnSearch)),
    post(paths::SEARCH_PROVIDER_TEST, change(Area::OwnSearch)),
    delete(paths::SEARCH_PROVIDER, change(Area::OwnSearch)),
    get(paths::FLEET, read(Area::Fleet)),
    get(paths::STATUS, read(Area::Fleet)),
    get(paths::SECRETS, read(Area::Secrets)),
    post(paths::SECRETS_RESEAL, change(Area::Secrets)),
    get(paths::CAPABILITIES, read(Area::Capabilities)),
    get(paths::CAPABILITY_BOOK, read(Area::Capabilities)),
    post(paths::CAPABILITY_RULES, change(Area::Capabilities)),
    put(paths::CAPABILITY_RULE, change(Area::Capabilities)),
    delete(paths::CAPABILITY_RULE, change(Area::Capabilities)),
    delete(paths::LEARNT_FACT, change(Area::Capabilities)),
    get(paths::MODELS, read(Area::Models)),
    post(paths::MODELS, change(Area::Models)),
    get(paths::MODEL, read(Area::Models)),
    put(paths::MODEL, change(Area::Models)),
    delete(paths::MODEL, change(Area::Models)),
    get(paths::PRICING, read(Area::Models)),
    put(paths::PRICE, change(Area::Models)),
    delete(paths::PRICE, change(Area::Models)),
    post(paths::PRICING_IMPORT, change(Area::Models)),
];

/// Every route with what it takes to be let in.
pub fn routes() -> impl Iterator<Item = &'static Route> {
    API.iter().chain(ccag_console::access::ROUTES)
}

static GATES: LazyLock<HashMap<(&'static str, &'static str), Gate>> = LazyLock::new(|| {
    routes()
        .map(|route| ((route.path, route.method), route.gate))
        .collect()
});

/// Lets a request in, or refuses it before anything of it is read.
pub(super) async fn gate(State(state): State<HttpState>, request: Request, next: Next) -> Response {
    let Some(path) = request.extensions().get::<MatchedPath>().cloned() else {
        return next.run(request).await;
    };
    let method = match *request.method() {
        Method::HEAD => "GET",
        ref method => method.as_str(),
    };
    let gate = GATES.get(&(path.as_str(), method)).copied();
    let route = format!("{method} {}", path.as_str());
    let (method, uri) = (request.method().clone(), request.uri().clone());
    match gate {
        Some(Gate::Public | Gate::Other(_)) => next.run(request).await,
        Some(gate) if is_page(path.as_str()) => console::gate(&state, gate, &route, request, next).await,
        Some(gate) => api(&state, gate, &route, request, next).await,
        None if routes().any(|route| route.path == path.as_str()) => {
            no_such_method(path.as_str(), method, uri).await
        }
        None => {
            tracing::error!(
                path = path.as_str(),
                "a route has no row in the table of what it takes to be let in"
            );
            problem::no_such_path(uri).await.into_response()
        }
    }
}

fn is_page(path: &str) -> bool {
    let pages = ccag_console::access::ROUTES;
    pages.iter().any(|route| route.path == path)
}

/// The refusal of a method that has no row at a path that has others, whether there is a handler for it or not.
async fn no_such_method(path: &str, method: Method, uri: Uri) -> Response {
    let mut response = problem::no_such_method(method, uri).await.into_response();
    let mut allowed = Vec::new();
    for route in routes().filter(|route| route.path == path) {
        allowed.push(route.method);
        if route.method == "GET" {
            allowed.push("HEAD");
        }
    }
    if let Ok(allowed) = HeaderValue::from_str(&allowed.join(",")) {
        response.headers_mut().insert(header::ALLOW, allowed);
    }
    response
}

/// Remembers that somebody was refused who is signed in, also where the answer was that there is no such thing.
pub(super) fn refused(
    state: &HttpState,
    response: Response,
    who: Actor,
    route: &str,
    asked: (String, Option<IpAddr>),
) -> Response {
    let concealed = response.extensions().get::<Concealed>().is_some();
    if concealed || response.status() == StatusCode::FORBIDDEN {
        let (path, address) = asked;
        let refused = Refused {
            actor: who,
            route: route.to_owned(),
            path,
            address,
        };
        refusals::note(&state.app, refused);
    }
    response
}

/// What is remembered of a request that is refused: its path, and where it came from.
pub(super) fn asked(state: &HttpState, parts: &Parts) -> (String, Option<IpAddr>) {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    let peer = peer.map(|ConnectInfo(peer)| *peer);
    let address = client_address(&parts.headers, peer, &state.trusted_proxies);
    (parts.uri.path().to_owned(), address)
}

async fn api(state: &HttpState, gate: Gate, route: &str, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let who = match SignedIn::from_request_parts(&mut parts, state).await {
        Ok(who) => who,
        Err(refusal) => return refusal.into_response(),
    };
    if let Gate::May(permission) = gate
        && let Err(problem) = who.actor().require_some(permission)
    {
        let response = super::Refusal(problem).into_response();
        return refused(state, response, who.actor(), route, asked(state, &parts));
    }
    let (actor, asked) = (who.actor(), asked(state, &parts));
    parts.extensions.insert(who.clone());
    tally::admitted();
    let once = idempotency::asked(&parts.method, parts.uri.path(), &parts.headers);
    let request = Request::from_parts(parts, body);
    let response = if once {
        Box::pin(idempotency::once(state, &who, request, next)).await
    } else {
        next.run(request).await
    };
    refused(state, response, actor, route, asked)
}
