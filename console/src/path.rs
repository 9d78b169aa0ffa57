//! Every address of the console, in one place for links, forms and handlers.

mod notifications;
mod people;
mod several;

pub use notifications::{
    activate_destination, delete_destination, deliveries, destination, destination_draft, discard_draft,
    new_destination, resend_delivery, test_destination,
};
pub use people::{
    delete_team, delete_user, remove_team_member, revoke_user_token, sign_out_user, team, team_members, user,
    user_tokens,
};
pub use several::{END_LOGINS, REVOKE_KEYS, SEVERAL_USERS};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// The overview.
pub const HOME: &str = "/console";
/// What was spent over time.
pub const ANALYTICS: &str = "/console/analytics";
/// Who is active, and when.
pub const ANALYTICS_ACTIVITY: &str = "/console/analytics/activity";
/// How models and endpoints do.
pub const ANALYTICS_MODELS: &str = "/console/analytics/models";
/// The ledger as charges in the form of FOCUS, as a file.
pub const ANALYTICS_FOCUS: &str = "/console/analytics/focus";
/// Which tools are called.
pub const ANALYTICS_TOOLS: &str = "/console/analytics/tools";
/// The same as a file.
pub const ANALYTICS_TOOLS_EXPORT: &str = "/console/analytics/tools/export";
/// The numbers of analytics as a file.
pub const ANALYTICS_EXPORT: &str = "/console/analytics/export";
/// Destinations of notifications, and the form target that makes one.
pub const NOTIFICATIONS: &str = "/console/notifications";
/// Page with the form for a new destination.
pub const NEW_DESTINATION: &str = "/console/notifications/new";
/// What became of telling destinations.
pub const DELIVERIES: &str = "/console/notifications/history";
/// Page and form for signing in.
pub const LOGIN: &str = "/console/login";
/// Where people let devices in: page and form target.
pub const DEVICE: &str = "/device";
/// Form for signing out.
pub const LOGOUT: &str = "/console/logout";
/// Form for choosing a theme.
pub const THEME: &str = "/console/theme";
/// List of keys, and the form target that makes one.
pub const KEYS: &str = "/console/keys";
/// Page with the form for a new key.
pub const NEW_KEY: &str = "/console/keys/new";
/// Page that shows a new key's secret once.
pub const KEY_CREATED: &str = "/console/keys/created";
/// The page and form for the routes of requests whose team says nothing of its own.
pub const ROUTING: &str = "/console/endpoints/routing";
/// List of teams, and the form target that makes one.
pub const TEAMS: &str = "/console/teams";
/// List of budgets, and the form target that makes one.
pub const BUDGETS: &str = "/console/budgets";
/// List of limits, and the form target that makes one.
pub const LIMITS: &str = "/console/limits";
/// Page with the form for a new limit.
pub const NEW_LIMIT: &str = "/console/limits/new";
/// Page with the form for a new budget.
pub const NEW_BUDGET: &str = "/console/budgets/new";
/// The page that tries a budget out on the last days.
pub const WHAT_IF: &str = "/console/budgets/try";
/// Sessions that ran away, and the form target for what they may do.
pub const SESSIONS: &str = "/console/sessions";
/// List of endpoints, and the form target that makes one.
pub const ENDPOINTS: &str = "/console/endpoints";
/// Page with the form for a new endpoint.
pub const NEW_ENDPOINT: &str = "/console/endpoints/new";
/// List of models and what they cost, and the form target that adds one.
pub const MODELS: &str = "/console/models";
/// Page with the form for a new model.
pub const NEW_MODEL: &str = "/console/models/new";
/// Page with the form that takes in AWS's price list, which is also the form's target.
pub const IMPORT_PRICES: &str = "/console/models/import";
/// List of users, and the form target that makes one.
pub const USERS: &str = "/console/users";
/// Identity providers, and the page and form for how people sign in.
pub const SIGN_IN: &str = "/console/sign-in";
/// Form target that adds an identity provider.
pub const SIGN_IN_PROVIDERS: &str = "/console/sign-in/providers";
/// Page with the form for a new identity provider.
pub const NEW_PROVIDER: &str = "/console/sign-in/providers/new";
/// List of policies, and the form target that makes one.
pub const POLICIES: &str = "/console/policies";
/// Page with the form for a new policy.
pub const NEW_POLICY: &str = "/console/policies/new";
/// How to connect Claude Code, and the form target for what the setup script does.
pub const CONNECT: &str = "/console/connect";
/// Where Claude Code is signed in.
pub const LOGINS: &str = "/console/devices";
/// Web search, and the form target for one's own service.
pub const WEB_SEARCH: &str = "/console/web-search";
/// Form target for the rules of web search.
pub const WEB_SEARCH_RULES: &str = "/console/web-search/rules";
/// Form target that tries the service for everybody.
pub const WEB_SEARCH_TEST: &str = "/console/web-search/test";

/// Page with the form that asks for a request, which is also the form's target.
pub const REQUESTS: &str = "/console/requests";
/// Usage records that could not be stored.
pub const QUARANTINE: &str = "/console/usage/quarantine";
/// The audit log.
pub const AUDIT: &str = "/console/audit";
/// Form target that checks it.
pub const VERIFY_AUDIT: &str = "/console/audit/verify";
/// The data planes.
pub const FLEET: &str = "/console/fleet";
/// What Bedrock takes.
pub const CAPABILITIES: &str = "/console/capabilities";
/// Page with the form for a new rule, and the form target that makes one.
pub const NEW_RULE: &str = "/console/capabilities/rules";
/// Where assets live; their names follow.
pub const ASSETS: &str = "/console/assets/";

const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// Text as part of a path or a query.
#[must_use]
pub fn encode(text: &str) -> String {
    utf8_percent_encode(text, COMPONENT).to_string()
}

/// A key's own page.
#[must_use]
pub fn key(id: &str) -> String {
    format!("{KEYS}/{}", encode(id))
}

/// The page that asks before revoking a key, and the form target that does it.
#[must_use]
pub fn revoke_key(id: &str) -> String {
    format!("{}/revoke", key(id))
}

/// The form target that makes a setup command of a key.
#[must_use]
pub fn setup_command(id: &str) -> String {
    format!("{}/setup-command", key(id))
}

/// The keys list, searched.
#[must_use]
pub fn keys_search(text: &str) -> String {
    with_query(KEYS, &[("q", text)])
}

/// The form target that changes a team's state.
#[must_use]
pub fn team_state(id: &str) -> String {
    format!("{TEAMS}/{}/state", encode(id))
}

/// The page and form that say which endpoints a team may use.
#[must_use]
pub fn team_endpoints(id: &str) -> String {
    format!("{TEAMS}/{}/endpoints", encode(id))
}

/// The page and form for the routes of a team's requests.
#[must_use]
pub fn team_routing(id: &str) -> String {
    format!("{TEAMS}/{}/routing", encode(id))
}

/// The page and form for a team's guardrail.
#[must_use]
pub fn team_guardrail(id: &str) -> String {
    format!("{TEAMS}/{}/guardrail", encode(id))
}

/// The page and form for what the sessions of a team may do.
#[must_use]
pub fn team_sessions(id: &str) -> String {
    format!("{TEAMS}/{}/sessions", encode(id))
}

/// A page of the sessions that are paused, `all` with those that were resumed.
#[must_use]
pub fn sessions(all: bool, page: u64) -> String {
    let page = if page == 1 {
        String::new()
    } else {
        page.to_string()
    };
    with_query(
        SESSIONS,
        &[("state", if all { "all" } else { "" }), ("page", &page)],
    )
}

/// The form target that lets a session go on.
#[must_use]
pub fn resume_session(id: &str) -> String {
    format!("{SESSIONS}/{}/resume", encode(id))
}

/// The page with a team's budget and the form that changes it, which is also the form's target.
#[must_use]
pub fn team_budget(id: &str) -> String {
    format!("{TEAMS}/{}/budget", encode(id))
}

/// A budget's own page.
#[must_use]
pub fn budget(id: &str) -> String {
    format!("{BUDGETS}/{}", encode(id))
}

/// The page with the form that changes a limit, which is also the form's target.
#[must_use]
pub fn edit_limit(id: &str) -> String {
    format!("{LIMITS}/{}", encode(id))
}

/// The page that asks before a limit is deleted, and the form target that does it.
#[must_use]
pub fn delete_limit(id: &str) -> String {
    format!("{}/delete", edit_limit(id))
}

/// The page with the form that changes a budget, which is also the form's target.
#[must_use]
pub fn edit_budget(id: &str) -> String {
    format!("{}/edit", budget(id))
}

/// The page that asks before a budget is deleted, and the form target that does it.
#[must_use]
pub fn delete_budget(id: &str) -> String {
    format!("{}/delete", budget(id))
}

/// The form target that raises a budget.
#[must_use]
pub fn budget_raises(id: &str) -> String {
    format!("{}/raises", budget(id))
}

/// The form target that withdraws a raise.
#[must_use]
pub fn withdraw_raise(id: &str, raise: &str) -> String {
    format!("{}/{}/withdraw", budget_raises(id), encode(raise))
}

/// An endpoint's page with the form that changes it, which is also the form's target.
#[must_use]
pub fn endpoint(id: &str) -> String {
    format!("{ENDPOINTS}/{}", encode(id))
}

/// The form target that makes an endpoint the only default.
#[must_use]
pub fn endpoint_default(id: &str) -> String {
    format!("{}/default", endpoint(id))
}

/// The page with the models that an endpoint offers.
#[must_use]
pub fn endpoint_models(id: &str) -> String {
    format!("{}/models", endpoint(id))
}

/// The page with the quotas of an endpoint's account.
#[must_use]
pub fn endpoint_quotas(id: &str) -> String {
    format!("{}/quotas", endpoint(id))
}

/// The form target that asks AWS what an endpoint offers.
#[must_use]
pub fn discover_endpoint(id: &str) -> String {
    format!("{}/discover", endpoint(id))
}

/// The page that tries what an endpoint's credentials may do, and the form target that does it.
#[must_use]
pub fn test_endpoint(id: &str) -> String {
    format!("{}/test", endpoint(id))
}

/// The page that asks before an endpoint is deleted, and the form target that does it.
#[must_use]
pub fn delete_endpoint(id: &str) -> String {
    format!("{}/delete", endpoint(id))
}

/// A model's page with the form that changes it, which is also the form's target.
#[must_use]
pub fn model(name: &str) -> String {
    format!("{MODELS}/{}", encode(name))
}

/// The page with a model's prices and the form that sets a new one, which is also the form's target.
#[must_use]
pub fn model_price(name: &str) -> String {
    format!("{}/price", model(name))
}

/// The form target that goes back to the built-in price.
#[must_use]
pub fn reset_price(name: &str) -> String {
    format!("{}/price/reset", model(name))
}

/// The page that asks before a model is taken out of the catalogue, and the form target that does it.
#[must_use]
pub fn delete_model(name: &str) -> String {
    format!("{}/delete", model(name))
}

/// The form target that changes a user's state.
#[must_use]
pub fn user_state(id: &str) -> String {
    format!("{USERS}/{}/state", encode(id))
}

/// The page that asks before a rule is taken away, and the form target that does it.
#[must_use]
pub fn delete_rule(id: &str) -> String {
    format!("{NEW_RULE}/{}/delete", encode(id))
}

/// The form target that forgets a lesson.
#[must_use]
pub fn forget_lesson(id: &str) -> String {
    format!("{CAPABILITIES}/learnt/{}/forget", encode(id))
}

/// The form target that does `what` (`use`, `test` or `delete`) with one of one's own search services.
#[must_use]
pub fn web_search_service(kind: &str, what: &str) -> String {
    format!("{WEB_SEARCH}/{}/{what}", encode(kind))
}

/// The log-in page that leads on to `next`.
#[must_use]
pub fn login_then(next: &str) -> String {
    with_query(LOGIN, &[("next", next)])
}

/// The page and form of an identity provider.
#[must_use]
pub fn provider(id: &str) -> String {
    format!("{SIGN_IN_PROVIDERS}/{}", encode(id))
}

/// The form target that asks an identity provider.
#[must_use]
pub fn test_provider(id: &str) -> String {
    format!("{}/test", provider(id))
}

/// The form target that makes a SCIM token of an identity provider.
#[must_use]
pub fn scim_tokens(id: &str) -> String {
    format!("{}/scim-tokens", provider(id))
}

/// The form target that revokes one.
#[must_use]
pub fn revoke_scim_token(id: &str) -> String {
    format!("{}/revoke", scim_tokens(id))
}

/// The page that asks before an identity provider is deleted, and the form target that does it.
#[must_use]
pub fn delete_provider(id: &str) -> String {
    format!("{}/delete", provider(id))
}

/// The page and form of a policy.
#[must_use]
pub fn policy(id: &str) -> String {
    format!("{POLICIES}/{}", encode(id))
}

/// The page that asks before a policy is deleted, and the form target that does it.
#[must_use]
pub fn delete_policy(id: &str) -> String {
    format!("{}/delete", policy(id))
}

/// The form target that ends the session of a Claude Code.
#[must_use]
pub fn end_login(id: &str) -> String {
    format!("{LOGINS}/{}/end", encode(id))
}

/// Where the browser is sent to sign in with a provider, and where it comes back to.
#[must_use]
pub fn sign_on(provider: &str, next: &str) -> String {
    with_query(
        &format!("/auth/oidc/{}/login", encode(provider)),
        &[("next", next)],
    )
}

/// The page that says why a request went as it went.
#[must_use]
pub fn request(id: &str) -> String {
    format!("{REQUESTS}/{}", encode(id))
}

/// The form target that takes in a usage record that could not be stored.
#[must_use]
pub fn retry_record(id: &str) -> String {
    format!("{QUARANTINE}/{}/retry", encode(id))
}

/// The form target that forgets a usage record that could not be stored.
#[must_use]
pub fn dismiss_record(id: &str) -> String {
    format!("{QUARANTINE}/{}/dismiss", encode(id))
}

/// A path with a query; empty values are left out.
#[must_use]
pub fn with_query(path: &str, pairs: &[(&str, &str)]) -> String {
    let query: Vec<String> = pairs
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name}={}", encode(value)))
        .collect();
    if query.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{}", query.join("&"))
    }
}

/// A place to return to that was given by the browser: our own path, or the overview. Never another site.
#[must_use]
pub fn safe_return(next: &str) -> &str {
    let inside = next == HOME
        || next.starts_with("/console/")
        || next.starts_with("/console?")
        || next == DEVICE
        || next.starts_with("/device?");
    let plain = next.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    if inside && plain && !next.contains("//") && !next.contains("..") {
        next
    } else {
        HOME
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_pages_are_returned_to() {
        for good in [
            HOME,
            "/console/keys?q=a%20b",
            "/console?x=1",
            "/device?user_code=A",
        ] {
            assert_eq!(safe_return(good), good);
        }
        for bad in [
            "",
            "//evil.example",
            "https://evil.example",
            "/consolex",
            "/console//evil.example",
            "/console/../admin",
            "/console/\\evil",
            "/console/a\r\nSet-Cookie: x",
            "/admin/keys",
        ] {
            assert_eq!(safe_return(bad), HOME, "{bad}");
        }
    }

    #[test]
    fn queries_leave_out_what_is_empty() {
        assert_eq!(with_query(KEYS, &[("q", ""), ("page", "")]), KEYS);
        assert_eq!(
            with_query(KEYS, &[("q", "a&b=c"), ("page", "2")]),
            "/console/keys?q=a%26b%3Dc&page=2"
        );
    }
}
