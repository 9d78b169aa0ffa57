//! Where things are. The constants are route templates, the functions fill them in.

pub use crate::analytics::{
    ANALYTICS, ANALYTICS_ACTIVITY, ANALYTICS_FORECAST, ANALYTICS_PERFORMANCE, ANALYTICS_WHAT_IF,
};
pub use crate::machine_paths::{MCP, OPENAPI};
pub use crate::notification_paths::{
    DELIVERIES, DELIVERY_RESEND, DESTINATION, DESTINATION_ACTIVATE, DESTINATION_DRAFT, DESTINATION_TEST,
    DESTINATIONS, delivery_resend, destination, destination_activate, destination_draft, destination_test,
};
pub use crate::scim_paths::{
    IDP_SCIM, IDP_SCIM_ADMIN_GROUPS, IDP_SCIM_TOKEN, IDP_SCIM_TOKENS, SCIM, idp_scim, idp_scim_admin_groups,
    idp_scim_token, idp_scim_tokens,
};
pub use crate::seen::{ANALYTICS_CACHE_MISSES, ANALYTICS_SESSIONS, ANALYTICS_TOOLS};
pub use crate::setup_paths::{
    KEY_SETUP_TOKEN, SETUP, SETUP_HELPER, SETUP_MANAGED, SETUP_REDEEM, SETUP_SETTINGS, SETUP_WINDOWS,
    key_setup_token,
};
pub use crate::usage_paths::{REPRICE, USAGE_EXPORT, USAGE_FOCUS, USAGE_SUMMARY};
use ccag_domain::{
    BudgetId, EndpointId, KeyId, LimitId, PauseId, RuleId, SearchKind, SessionId, TeamId, UserId,
};

/// `POST`: sign in.
pub const LOGIN: &str = "/auth/login";
/// `POST`: end the session; 204.
pub const LOGOUT: &str = "/auth/logout";
/// `GET`: who is asking.
pub const ME: &str = "/auth/me";

/// `GET`: the identity providers that one can sign in with. For everybody.
pub const SIGN_IN_OPTIONS: &str = "/auth/providers";
/// `GET`: sends the browser to an identity provider.
pub const SIGN_ON: &str = "/auth/oidc/{id}/login";
/// `GET`: where identity providers send it back to.
pub const SIGN_ON_CALLBACK: &str = "/auth/oidc/callback";

/// `GET`: list, `POST`: create.
pub const PROVIDERS: &str = "/admin/idps";
/// `GET`, `PUT`, `DELETE` (204).
pub const PROVIDER: &str = "/admin/idps/{id}";
/// `POST`: ask the provider what can be asked without anybody's signing in.
pub const PROVIDER_TEST: &str = "/admin/idps/{id}/test";
/// `GET`, `PUT`: how people sign in.
pub const SIGN_IN: &str = "/admin/sign-in";
/// `POST`: let another key take over that tokens of clients are signed with; 204.
pub const SIGNING_KEYS_ROTATE: &str = "/admin/signing-keys/rotate";

/// `GET`: list, `POST`: create.
pub const POLICIES: &str = "/admin/policies";
/// `GET`, `PUT`, `DELETE` (204).
pub const POLICY: &str = "/admin/policies/{id}";
/// `GET`: what the policies say to and of a user.
pub const USER_POLICY: &str = "/admin/users/{id}/policy";

/// `GET`: the open sessions of clients.
pub const CLIENT_SESSIONS: &str = "/admin/client-sessions";
/// `DELETE`: end one; 204.
pub const CLIENT_SESSION: &str = "/admin/client-sessions/{id}";
/// `POST`: sign a user out everywhere.
pub const USER_SIGN_OUT: &str = "/admin/users/{id}/sign-out";

/// `GET`: list, `POST`: create.
pub const KEYS: &str = "/admin/keys";
/// `GET`, `PATCH`, `DELETE` (204).
pub const KEY: &str = "/admin/keys/{id}";
/// `POST`: revoke; answers with the key. Revoking a revoked key changes nothing.
pub const KEY_REVOKE: &str = "/admin/keys/{id}/revoke";

/// `GET`: list, `POST`: create.
pub const TEAMS: &str = "/admin/teams";
/// `GET`, `PATCH`, `DELETE` (204; 409 while users or keys belong to it).
pub const TEAM: &str = "/admin/teams/{id}";
/// `GET`: all members, on one page; `POST`: add one (204).
pub const TEAM_MEMBERS: &str = "/admin/teams/{id}/members";
/// `DELETE`: take a user out of the team; 204.
pub const TEAM_MEMBER: &str = "/admin/teams/{id}/members/{user_id}";

/// `GET`: the endpoints that a team may use; `PUT`: say which.
pub const TEAM_ENDPOINTS: &str = "/admin/teams/{id}/endpoints";

/// `GET`, `PUT`: where the requests of a team may go, and in which order endpoints are tried.
pub const TEAM_ROUTING: &str = "/admin/teams/{id}/routing";
/// `GET`: where a request for `?model=` would go now.
pub const TEAM_ROUTE_PREVIEW: &str = "/admin/teams/{id}/routing/preview";
/// `GET`, `PUT`: the same for teams as far as they say nothing themselves, and for callers without a team.
pub const ROUTING: &str = "/admin/settings/routing";
/// `GET`: where a request for `?model=` of a caller without a team would go now.
pub const ROUTE_PREVIEW: &str = "/admin/settings/routing/preview";

/// `GET`, `PUT`: the team's budget and that of each of its members; `DELETE`: neither (204).
pub const TEAM_BUDGET: &str = "/admin/teams/{id}/budget";

/// `GET`: list, `POST`: create.
pub const BUDGETS: &str = "/admin/budgets";
/// `GET`, `PUT` (an absent field keeps its value), `DELETE` (204).
pub const BUDGET: &str = "/admin/budgets/{id}";
/// `GET`: what it holds in the current period, the one that has spent most first.
pub const BUDGET_ACCOUNTS: &str = "/admin/budgets/{id}/accounts";
/// `GET`: the steps that were reached lately.
pub const BUDGET_EVENTS: &str = "/admin/budgets/{id}/events";
/// `POST`: raise it for a while; answers with the budget.
pub const BUDGET_RAISES: &str = "/admin/budgets/{id}/raises";
/// `DELETE`: withdraw a raise; answers with the budget.
pub const BUDGET_RAISE: &str = "/admin/budgets/{id}/raises/{raise}";
/// `GET`: the budgets that bound one's own spending.
pub const BUDGET_STATUS: &str = "/admin/budget/status";
/// `GET`, `PUT`: what each user may spend.
pub const DEFAULT_BUDGET: &str = "/admin/settings/default-budget";
/// `GET`, `PUT`: what a user may spend.
pub const USER_SPEND_LIMIT: &str = "/admin/users/{id}/spend-limit";

/// `GET`, `PUT`: what sessions may do within a minute.
pub const SESSION_BREAKER: &str = "/admin/settings/session-breaker";
/// `GET`, `PUT`: the same for a team's; `DELETE`: the organisation's word counts again (204).
pub const TEAM_SESSION_BREAKER: &str = "/admin/teams/{id}/session-breaker";
/// `GET`: the sessions that are paused.
pub const PAUSED_SESSIONS: &str = "/admin/paused-sessions";
/// `POST`: let one go on; answers with it.
pub const PAUSED_SESSION_RESUME: &str = "/admin/paused-sessions/{id}/resume";

/// `GET`: list, `POST`: create.
pub const LIMITS: &str = "/admin/limits";
/// `GET`, `PUT` (an absent field keeps its value), `DELETE` (204).
pub const LIMIT: &str = "/admin/limits/{id}";

/// `GET`: list, `POST`: create.
pub const ENDPOINTS: &str = "/admin/endpoints";
/// `GET`, `PATCH`, `PUT` (replaces it), `DELETE` (204; 409 while a team uses it, and for the last default).
pub const ENDPOINT: &str = "/admin/endpoints/{id}";
/// `PUT`: make it the only default; answers with the endpoint.
pub const ENDPOINT_DEFAULT: &str = "/admin/endpoints/{id}/default";

/// `GET`: what is known of the models that it offers.
pub const ENDPOINT_MODELS: &str = "/admin/endpoints/{id}/models";
/// `POST`: ask AWS what it offers; answers as [`ENDPOINT_MODELS`].
pub const ENDPOINT_DISCOVER: &str = "/admin/endpoints/{id}/discover";
/// `GET`: what AWS lets the endpoint's account use, and what of it is used.
pub const ENDPOINT_QUOTAS: &str = "/admin/endpoints/{id}/quotas";
/// `POST`: ask AWS what the endpoint's credentials may do; nothing is changed, and nothing is billed.
pub const ENDPOINT_TEST: &str = "/admin/endpoints/{id}/test";
/// `GET`: the application inference profiles that are invoked instead of AWS's own; `POST`: choose one.
pub const ENDPOINT_PROFILES: &str = "/admin/endpoints/{id}/aip-overrides";
/// `DELETE`: go back to AWS's own profile; 204.
pub const ENDPOINT_PROFILE: &str = "/admin/endpoints/{id}/aip-overrides/{model}";

/// `GET`: list, `POST`: create.
pub const USERS: &str = "/admin/users";
/// `GET`, `PATCH`, `PUT` (the same), `DELETE` (204).
pub const USER: &str = "/admin/users/{id}";
/// `PUT`: give a user a team, or none; answers with the user.
pub const USER_TEAM: &str = "/admin/users/{id}/team";
/// `POST`: refuse a user everywhere; answers with the user.
pub const USER_SUSPEND: &str = "/admin/users/{id}/suspend";
/// `POST`: let a suspended user in again; answers with the user.
pub const USER_ACTIVATE: &str = "/admin/users/{id}/activate";

/// `GET`: the tokens of a service account; `POST`: make one.
pub const USER_TOKENS: &str = "/admin/users/{id}/tokens";
/// `DELETE`: revoke one; 204.
pub const USER_TOKEN: &str = "/admin/users/{id}/tokens/{token}";

/// `GET`: who changed what.
pub const AUDIT: &str = "/admin/audit";
/// `GET`: whether the audit log is as it was written.
pub const AUDIT_VERIFY: &str = "/admin/audit/verify";
/// `GET`: the records that could not be stored.
pub const QUARANTINE: &str = "/admin/usage/quarantine";
/// `DELETE`: forget one (204).
pub const QUARANTINED: &str = "/admin/usage/quarantine/{id}";
/// `POST`: take one in after all (409 with the reason if it still cannot be stored).
pub const QUARANTINED_RETRY: &str = "/admin/usage/quarantine/{id}/retry";

/// `GET`: how a request was decided.
pub const EXPLANATION: &str = "/admin/requests/{id}/explanation";

/// `GET`, `PUT`: the rules of web search.
pub const WEB_SEARCH: &str = "/admin/websearch-mode";
/// `POST`: try the service for everybody.
pub const WEB_SEARCH_TEST: &str = "/admin/websearch-mode/test";
/// `GET`: one's own search services, `PUT`: add or change one, and use it.
pub const SEARCH_PROVIDERS: &str = "/admin/search-providers";
/// `POST`: use another of one's own; answers with the list.
pub const SEARCH_PROVIDER_ACTIVATE: &str = "/admin/search-providers/activate";
/// `POST`: try one of one's own.
pub const SEARCH_PROVIDER_TEST: &str = "/admin/search-providers/test";
/// `DELETE`: forget one of one's own; 204.
pub const SEARCH_PROVIDER: &str = "/admin/search-providers/{kind}";

/// `GET`: the data planes.
pub const FLEET: &str = "/admin/fleet";
/// `GET`: the gateway as a whole.
pub const STATUS: &str = "/admin/status";
/// `GET`: under which master keys secrets are kept.
pub const SECRETS: &str = "/admin/secrets";
/// `POST`: keep all secrets under the current master key.
pub const SECRETS_RESEAL: &str = "/admin/secrets/reseal";
/// `GET`: the models; `POST`: add one.
pub const MODELS: &str = "/admin/models";
/// `GET`, `PUT` (replaces it), `DELETE` (204).
pub const MODEL: &str = "/admin/models/{name}";
/// `GET`: the prices.
pub const PRICING: &str = "/admin/pricing";
/// `PUT`: what the model costs from now on; `DELETE`: back to the built-in price, or to none (204).
pub const PRICE: &str = "/admin/pricing/{model}";
/// `POST`: take in AWS's price list.
pub const PRICING_IMPORT: &str = "/admin/pricing/import";

/// `GET`: what Bedrock takes, what was learnt, and what was left out or is unknown.
pub const CAPABILITIES: &str = "/admin/capabilities";
/// `GET`: the rules of a surface that are in force, whole; `?version=` gives another version.
pub const CAPABILITY_BOOK: &str = "/admin/capabilities/books/{surface}";
/// `POST`: add a rule.
pub const CAPABILITY_RULES: &str = "/admin/capabilities/rules";
/// `PUT`: replace a rule, `DELETE`: take it away (204).
pub const CAPABILITY_RULE: &str = "/admin/capabilities/rules/{id}";
/// `DELETE`: forget something that was learnt (204); it is tried again.
pub const LEARNT_FACT: &str = "/admin/capabilities/learnt/{id}";

/// One key.
#[must_use]
pub fn key(id: &KeyId) -> String {
    fill(KEY, "{id}", id.as_str())
}

/// Revokes a key.
#[must_use]
pub fn key_revoke(id: &KeyId) -> String {
    fill(KEY_REVOKE, "{id}", id.as_str())
}

/// One team.
#[must_use]
pub fn team(id: &TeamId) -> String {
    fill(TEAM, "{id}", id.as_str())
}

/// A team's budget.
#[must_use]
pub fn team_budget(id: &TeamId) -> String {
    fill(TEAM_BUDGET, "{id}", id.as_str())
}

/// One budget.
#[must_use]
pub fn budget(id: &BudgetId) -> String {
    fill(BUDGET, "{id}", id.as_str())
}

/// One limit.
#[must_use]
pub fn limit(id: &LimitId) -> String {
    fill(LIMIT, "{id}", id.as_str())
}

/// The accounts of a budget.
#[must_use]
pub fn budget_accounts(id: &BudgetId) -> String {
    fill(BUDGET_ACCOUNTS, "{id}", id.as_str())
}

/// The steps of a budget that were reached.
#[must_use]
pub fn budget_events(id: &BudgetId) -> String {
    fill(BUDGET_EVENTS, "{id}", id.as_str())
}

/// The raises of a budget.
#[must_use]
pub fn budget_raises(id: &BudgetId) -> String {
    fill(BUDGET_RAISES, "{id}", id.as_str())
}

/// A raise of a budget.
#[must_use]
pub fn budget_raise(id: &BudgetId, raise: &str) -> String {
    fill(
        &fill(BUDGET_RAISE, "{id}", id.as_str()),
        "{raise}",
        &segment(raise),
    )
}

/// What sessions of a team may do within a minute.
#[must_use]
pub fn team_session_breaker(id: &TeamId) -> String {
    fill(TEAM_SESSION_BREAKER, "{id}", id.as_str())
}

/// Lets a paused session go on.
#[must_use]
pub fn paused_session_resume(id: &PauseId) -> String {
    fill(PAUSED_SESSION_RESUME, "{id}", id.as_str())
}

/// A user's limit.
#[must_use]
pub fn user_spend_limit(id: &UserId) -> String {
    fill(USER_SPEND_LIMIT, "{id}", id.as_str())
}

/// A team's members.
#[must_use]
pub fn team_members(id: &TeamId) -> String {
    fill(TEAM_MEMBERS, "{id}", id.as_str())
}

/// One member of a team.
#[must_use]
pub fn team_member(id: &TeamId, user: &UserId) -> String {
    fill(
        &fill(TEAM_MEMBER, "{id}", id.as_str()),
        "{user_id}",
        user.as_str(),
    )
}

/// The endpoints of a team.
#[must_use]
pub fn team_endpoints(id: &TeamId) -> String {
    fill(TEAM_ENDPOINTS, "{id}", id.as_str())
}

/// What holds for the routes of a team.
#[must_use]
pub fn team_routing(id: &TeamId) -> String {
    fill(TEAM_ROUTING, "{id}", id.as_str())
}

/// Where a team's request would go.
#[must_use]
pub fn team_route_preview(id: &TeamId) -> String {
    fill(TEAM_ROUTE_PREVIEW, "{id}", id.as_str())
}

/// One endpoint.
#[must_use]
pub fn endpoint(id: &EndpointId) -> String {
    fill(ENDPOINT, "{id}", id.as_str())
}

/// Makes an endpoint the only default.
#[must_use]
pub fn endpoint_default(id: &EndpointId) -> String {
    fill(ENDPOINT_DEFAULT, "{id}", id.as_str())
}

/// What is known of the models that an endpoint offers.
#[must_use]
pub fn endpoint_models(id: &EndpointId) -> String {
    fill(ENDPOINT_MODELS, "{id}", id.as_str())
}

/// Asks AWS what an endpoint offers.
#[must_use]
pub fn endpoint_discover(id: &EndpointId) -> String {
    fill(ENDPOINT_DISCOVER, "{id}", id.as_str())
}

/// What AWS lets an endpoint's account use.
#[must_use]
pub fn endpoint_quotas(id: &EndpointId) -> String {
    fill(ENDPOINT_QUOTAS, "{id}", id.as_str())
}

/// Asks AWS what an endpoint offers.
#[must_use]
pub fn endpoint_test(id: &EndpointId) -> String {
    fill(ENDPOINT_TEST, "{id}", id.as_str())
}

/// The application inference profiles that are chosen at an endpoint.
#[must_use]
pub fn endpoint_profiles(id: &EndpointId) -> String {
    fill(ENDPOINT_PROFILES, "{id}", id.as_str())
}

/// The application inference profile that is chosen for a model at an endpoint.
#[must_use]
pub fn endpoint_profile(id: &EndpointId, model: &str) -> String {
    fill(
        &fill(ENDPOINT_PROFILE, "{id}", id.as_str()),
        "{model}",
        &segment(model),
    )
}

/// One user.
#[must_use]
pub fn user(id: &UserId) -> String {
    fill(USER, "{id}", id.as_str())
}

/// A user's team.
#[must_use]
pub fn user_team(id: &UserId) -> String {
    fill(USER_TEAM, "{id}", id.as_str())
}

/// The tokens of a service account.
#[must_use]
pub fn user_tokens(id: &UserId) -> String {
    fill(USER_TOKENS, "{id}", id.as_str())
}

/// A token of a service account.
#[must_use]
pub fn user_token(id: &UserId, token: &SessionId) -> String {
    fill(&fill(USER_TOKEN, "{id}", id.as_str()), "{token}", token.as_str())
}

/// Suspends a user.
#[must_use]
pub fn user_suspend(id: &UserId) -> String {
    fill(USER_SUSPEND, "{id}", id.as_str())
}

/// Activates a user.
#[must_use]
pub fn user_activate(id: &UserId) -> String {
    fill(USER_ACTIVATE, "{id}", id.as_str())
}

/// A record that could not be stored.
#[must_use]
pub fn quarantined(id: &str) -> String {
    fill(QUARANTINED, "{id}", &segment(id))
}

/// Takes in a record that could not be stored.
#[must_use]
pub fn quarantined_retry(id: &str) -> String {
    fill(QUARANTINED_RETRY, "{id}", &segment(id))
}

/// How a request was decided.
#[must_use]
pub fn explanation(request_id: &str) -> String {
    fill(EXPLANATION, "{id}", &segment(request_id))
}

/// The rules of a surface.
#[must_use]
pub fn capability_book(surface: &str) -> String {
    fill(CAPABILITY_BOOK, "{surface}", surface)
}

/// One rule.
#[must_use]
pub fn capability_rule(id: &RuleId) -> String {
    fill(CAPABILITY_RULE, "{id}", id.as_str())
}

/// Something that was learnt.
#[must_use]
pub fn learnt_fact(id: &str) -> String {
    fill(LEARNT_FACT, "{id}", id)
}

/// One of one's own search services.
#[must_use]
pub fn search_provider(kind: SearchKind) -> String {
    fill(SEARCH_PROVIDER, "{kind}", kind.as_str())
}

/// One model, by its name.
#[must_use]
pub fn model(name: &str) -> String {
    fill(MODEL, "{name}", &segment(name))
}

/// The price of a model, by its name.
#[must_use]
pub fn price(model: &str) -> String {
    fill(PRICE, "{model}", &segment(model))
}

/// Text as one segment of a path (RFC 3986, section 2.3): names of models may hold anything.
pub(crate) fn segment(text: &str) -> String {
    use std::fmt::Write;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// Ids hold only letters, digits, `_` and `-`: nothing in them needs escaping.
pub(crate) fn fill(template: &str, name: &str, id: &str) -> String {
    template.replacen(name, id, 1)
}
