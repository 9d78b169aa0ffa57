//! What it takes to be let in to each page and form of the console.
//!
//! The control plane lets nobody past that this table does not; pages ask it which links and buttons to show.

use crate::path;
use ccag_domain::gate::{Gate, Route, row};
use ccag_domain::{Area, Permission};

const fn get(path: &'static str, gate: Gate) -> Route {
    Route::new("GET", path, gate)
}

const fn post(path: &'static str, gate: Gate) -> Route {
    Route::new("POST", path, gate)
}

const fn read(area: Area) -> Gate {
    Gate::May(Permission::Read(area))
}

const fn change(area: Area) -> Gate {
    Gate::May(Permission::Change(area))
}

/// The row of the page or form at an address, whatever its query.
pub(crate) fn gate(method: &str, address: &str) -> Option<Gate> {
    let path = address.split(['?', '#']).next().unwrap_or_default();
    row(ROUTES, method, path).map(|route| route.gate)
}

/// Every page and form.
pub const ROUTES: &[Route] = &[
    get("/", Gate::Public),
    get("/portal", Gate::Public),
    get("/console/", Gate::Public),
    get(path::DEVICE, Gate::SignedIn),
    post(path::DEVICE, Gate::SignedIn),
    get(path::LOGIN, Gate::Public),
    post(path::LOGIN, Gate::Public),
    post(path::LOGOUT, Gate::SignedIn),
    post(path::THEME, Gate::SignedIn),
    get("/console/assets/{name}", Gate::Public),
    get("/console/{*rest}", Gate::Public),
    get(path::HOME, Gate::SignedIn),
    get(path::REQUESTS, read(Area::Usage)),
    get("/console/requests/{id}", read(Area::Usage)),
    get(path::KEYS, read(Area::Keys)),
    post(path::KEYS, change(Area::Keys)),
    get(path::NEW_KEY, change(Area::Keys)),
    get(path::KEY_CREATED, change(Area::Keys)),
    get("/console/keys/{id}", read(Area::Keys)),
    get("/console/keys/{id}/revoke", change(Area::Keys)),
    post("/console/keys/{id}/revoke", change(Area::Keys)),
    post("/console/keys/{id}/setup-command", change(Area::Keys)),
    get(path::TEAMS, read(Area::Teams)),
    post(path::TEAMS, change(Area::Teams)),
    get("/console/teams/{id}", read(Area::Teams)),
    post("/console/teams/{id}", change(Area::Teams)),
    post("/console/teams/{id}/members", change(Area::Members)),
    post("/console/teams/{id}/members/remove", change(Area::Members)),
    get("/console/teams/{id}/delete", change(Area::Teams)),
    post("/console/teams/{id}/delete", change(Area::Teams)),
    post("/console/teams/{id}/state", change(Area::Teams)),
    get("/console/teams/{id}/endpoints", read(Area::Routing)),
    post("/console/teams/{id}/endpoints", change(Area::Routing)),
    get("/console/teams/{id}/guardrail", read(Area::Routing)),
    post("/console/teams/{id}/guardrail", change(Area::Teams)),
    get("/console/teams/{id}/routing", read(Area::Routing)),
    post("/console/teams/{id}/routing", change(Area::Routing)),
    get("/console/teams/{id}/budget", read(Area::WiderBudgets)),
    post("/console/teams/{id}/budget", change(Area::WiderBudgets)),
    get("/console/teams/{id}/sessions", read(Area::Breaker)),
    post("/console/teams/{id}/sessions", change(Area::Breaker)),
    get(path::ANALYTICS, read(Area::Usage)),
    get(path::ANALYTICS_ACTIVITY, read(Area::Usage)),
    get(path::ANALYTICS_MODELS, read(Area::Usage)),
    get(path::ANALYTICS_EXPORT, read(Area::Usage)),
    get(path::ROUTING, read(Area::Routing)),
    post(path::ROUTING, change(Area::Routing)),
    get(path::BUDGETS, read(Area::WiderBudgets)),
    post(path::BUDGETS, change(Area::Budgets)),
    get(path::NEW_BUDGET, change(Area::Budgets)),
    get("/console/budgets/{id}", read(Area::WiderBudgets)),
    get("/console/budgets/{id}/edit", change(Area::Budgets)),
    post("/console/budgets/{id}/edit", change(Area::Budgets)),
    get("/console/budgets/{id}/delete", change(Area::Budgets)),
    post("/console/budgets/{id}/delete", change(Area::Budgets)),
    post("/console/budgets/{id}/raises", change(Area::Budgets)),
    post(
        "/console/budgets/{id}/raises/{raise}/withdraw",
        change(Area::Budgets),
    ),
    get(path::LIMITS, read(Area::Limits)),
    post(path::LIMITS, change(Area::Limits)),
    get(path::NEW_LIMIT, change(Area::Limits)),
    get("/console/limits/{id}", change(Area::Limits)),
    post("/console/limits/{id}", change(Area::Limits)),
    get("/console/limits/{id}/delete", change(Area::Limits)),
    post("/console/limits/{id}/delete", change(Area::Limits)),
    get(path::SESSIONS, read(Area::Sessions)),
    post(path::SESSIONS, change(Area::Breaker)),
    post("/console/sessions/{id}/resume", change(Area::Sessions)),
    get(path::ENDPOINTS, read(Area::Endpoints)),
    post(path::ENDPOINTS, change(Area::Endpoints)),
    get(path::NEW_ENDPOINT, change(Area::Endpoints)),
    get("/console/endpoints/{id}", read(Area::Endpoints)),
    post("/console/endpoints/{id}", change(Area::Endpoints)),
    post("/console/endpoints/{id}/default", change(Area::Endpoints)),
    get("/console/endpoints/{id}/models", read(Area::Endpoints)),
    get("/console/endpoints/{id}/quotas", read(Area::Endpoints)),
    post("/console/endpoints/{id}/discover", change(Area::Endpoints)),
    get("/console/endpoints/{id}/test", change(Area::Endpoints)),
    post("/console/endpoints/{id}/test", change(Area::Endpoints)),
    get("/console/endpoints/{id}/delete", change(Area::Endpoints)),
    post("/console/endpoints/{id}/delete", change(Area::Endpoints)),
    get(path::USERS, read(Area::Members)),
    post(path::USERS, change(Area::Users)),
    get("/console/users/{id}", read(Area::Users)),
    post("/console/users/{id}", change(Area::Users)),
    post("/console/users/{id}/sign-out", Gate::SignedIn),
    post("/console/users/{id}/tokens", change(Area::Users)),
    post("/console/users/{id}/tokens/revoke", change(Area::Users)),
    get("/console/users/{id}/delete", change(Area::Users)),
    post("/console/users/{id}/delete", change(Area::Users)),
    post("/console/users/{id}/state", change(Area::Users)),
    get(path::CONNECT, Gate::SignedIn),
    post(path::CONNECT, change(Area::SignOn)),
    get(path::LOGINS, read(Area::Keys)),
    post("/console/devices/{id}/end", change(Area::Keys)),
    get(path::SIGN_IN, read(Area::SignOn)),
    post(path::SIGN_IN, change(Area::SignOn)),
    post(path::SIGN_IN_PROVIDERS, change(Area::SignOn)),
    get(path::NEW_PROVIDER, change(Area::SignOn)),
    get("/console/sign-in/providers/{id}", read(Area::SignOn)),
    post("/console/sign-in/providers/{id}", change(Area::SignOn)),
    post("/console/sign-in/providers/{id}/test", change(Area::SignOn)),
    post(
        "/console/sign-in/providers/{id}/scim-tokens",
        change(Area::SignOn),
    ),
    post(
        "/console/sign-in/providers/{id}/scim-tokens/revoke",
        change(Area::SignOn),
    ),
    get("/console/sign-in/providers/{id}/delete", change(Area::SignOn)),
    post("/console/sign-in/providers/{id}/delete", change(Area::SignOn)),
    get(path::NOTIFICATIONS, read(Area::Notifications)),
    post(path::NOTIFICATIONS, change(Area::Notifications)),
    get(path::NEW_DESTINATION, change(Area::Notifications)),
    get(path::DELIVERIES, read(Area::Notifications)),
    post(
        "/console/notifications/history/{id}/resend",
        change(Area::Notifications),
    ),
    get("/console/notifications/{id}", read(Area::Notifications)),
    post("/console/notifications/{id}", change(Area::Notifications)),
    post("/console/notifications/{id}/draft", change(Area::Notifications)),
    post("/console/notifications/{id}/discard", change(Area::Notifications)),
    post("/console/notifications/{id}/test", change(Area::Notifications)),
    post(
        "/console/notifications/{id}/activate",
        change(Area::Notifications),
    ),
    get("/console/notifications/{id}/delete", change(Area::Notifications)),
    post("/console/notifications/{id}/delete", change(Area::Notifications)),
    get(path::POLICIES, read(Area::Policies)),
    post(path::POLICIES, change(Area::Policies)),
    get(path::NEW_POLICY, change(Area::Policies)),
    get("/console/policies/{id}", read(Area::Policies)),
    post("/console/policies/{id}", change(Area::Policies)),
    get("/console/policies/{id}/delete", change(Area::Policies)),
    post("/console/policies/{id}/delete", change(Area::Policies)),
    get(path::CAPABILITIES, read(Area::Capabilities)),
    get(path::NEW_RULE, change(Area::Capabilities)),
    post(path::NEW_RULE, change(Area::Capabilities)),
    get(
        "/console/capabilities/rules/{id}/delete",
        change(Area::Capabilities),
    ),
    post(
        "/console/capabilities/rules/{id}/delete",
        change(Area::Capabilities),
    ),
    post(
        "/console/capabilities/learnt/{id}/forget",
        change(Area::Capabilities),
    ),
    get(path::WEB_SEARCH, read(Area::OwnSearch)),
    post(path::WEB_SEARCH, change(Area::OwnSearch)),
    post(path::WEB_SEARCH_RULES, change(Area::WebSearch)),
    post(path::WEB_SEARCH_TEST, change(Area::WebSearch)),
    post("/console/web-search/{kind}/{what}", change(Area::OwnSearch)),
    get(path::AUDIT, read(Area::Audit)),
    // To check the log changes nothing.
    post(path::VERIFY_AUDIT, read(Area::Audit)),
    get(path::QUARANTINE, read(Area::Ledger)),
    post("/console/usage/quarantine/{id}/retry", change(Area::Ledger)),
    post("/console/usage/quarantine/{id}/dismiss", change(Area::Ledger)),
    get(path::FLEET, read(Area::Fleet)),
    get(path::MODELS, read(Area::Models)),
    post(path::MODELS, change(Area::Models)),
    get(path::NEW_MODEL, change(Area::Models)),
    get("/console/models/{name}", read(Area::Models)),
    post("/console/models/{name}", change(Area::Models)),
    get("/console/models/{name}/delete", change(Area::Models)),
    post("/console/models/{name}/delete", change(Area::Models)),
    get("/console/models/{name}/price", read(Area::Models)),
    post("/console/models/{name}/price", change(Area::Models)),
    post("/console/models/{name}/price/reset", change(Area::Models)),
    get(path::IMPORT_PRICES, change(Area::Models)),
    post(path::IMPORT_PRICES, change(Area::Models)),
];
