//! Which operations are tools, what they are called there, and what they take.

use crate::http::openapi::{Content, OPERATIONS, Operation, tidy, without_null};
use ccag_domain::Actor;
use ccag_domain::gate::Gate;
use rmcp::model::{JsonObject, ToolAnnotations};
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};
use std::sync::{Arc, LazyLock};

/// What a tool does to what there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Does {
    /// Looks.
    Reads,
    /// Makes something new with every call.
    Adds,
    /// Changes something, in the same way however often it is called.
    Sets,
    /// Takes something away that somebody may be using.
    Takes,
}

/// A tool.
pub(super) struct Tool {
    /// As clients see it.
    pub(super) listed: rmcp::model::Tool,
    /// What it stands for.
    pub(super) operation: &'static Operation,
}

impl Tool {
    /// Whether there is anything for which this actor may use it.
    pub(super) fn is_for(&self, actor: &Actor) -> bool {
        let gate = self.operation.gate().unwrap_or(Gate::SignedIn);
        gate.lets(|permission| actor.reach(permission))
    }
}

use Does::{Adds, Reads, Sets, Takes};

/// Name, operation, what it does, and what there is to say beside the operation's summary.
const TOOLS: &[(&str, &str, Does, &str)] = &[
    (
        "who_am_i",
        "showMe",
        Reads,
        "With whose rights these tools work, and in which role and team.",
    ),
    (
        "summarise_usage",
        "summariseUsage",
        Reads,
        "Who spends what: group by team, user, key, model, endpoint or day. Without `from` and `days` it covers the last 30 days.",
    ),
    (
        "usage_over_time",
        "analyseUsage",
        Reads,
        "A series by hour, day, week or month, for trends and peaks. Leave `format` out.",
    ),
    ("active_users", "analyseActivity", Reads, ""),
    (
        "model_performance",
        "analysePerformance",
        Reads,
        "Latency and errors.",
    ),
    (
        "forecast_spending",
        "forecastSpending",
        Reads,
        "With a low and a high estimate.",
    ),
    (
        "explain_request",
        "explainRequest",
        Reads,
        "Use it when somebody asks why a request was refused, slow, dear, or went to another endpoint. The id starts with `req_`.",
    ),
    ("list_keys", "listKeys", Reads, "Never shows secrets."),
    (
        "create_key",
        "createKey",
        Adds,
        "Beware: the secret will stand in this conversation. Prefer that people make their keys themselves in the console.",
    ),
    (
        "update_key",
        "updateKey",
        Sets,
        "Name, owner, rate limit and expiry; what is left out stays, and null clears.",
    ),
    (
        "revoke_key",
        "revokeKey",
        Takes,
        "This cannot be undone, and whoever uses the key stops working.",
    ),
    ("list_users", "listUsers", Reads, "Find a user's id by name here."),
    ("show_user", "showUser", Reads, ""),
    ("create_user", "createUser", Adds, ""),
    (
        "set_user_team",
        "setUserTeam",
        Sets,
        "`team_id` null takes them out of their team.",
    ),
    (
        "suspend_user",
        "suspendUser",
        Takes,
        "Undo it with activate_user.",
    ),
    ("activate_user", "activateUser", Sets, ""),
    ("list_teams", "listTeams", Reads, "Find a team's id by name here."),
    ("create_team", "createTeam", Adds, ""),
    ("list_team_members", "listMembers", Reads, ""),
    (
        "budget_status",
        "showBudgetStatus",
        Reads,
        "Without arguments it is about the person whose token is used; with `user_id` or `key_id` about that one.",
    ),
    (
        "list_budgets",
        "listBudgets",
        Reads,
        "Each with how much of it is spent, held and left.",
    ),
    ("show_budget", "showBudget", Reads, "With its rules and raises."),
    (
        "list_budget_accounts",
        "listBudgetAccounts",
        Reads,
        "Only for budgets that count for each user or member alone.",
    ),
    (
        "list_budget_events",
        "listBudgetEvents",
        Reads,
        "Warnings, throttling and blocks.",
    ),
    (
        "create_budget",
        "createBudget",
        Adds,
        "`scope` says which of team_id, user_id and key_id are needed.",
    ),
    (
        "update_budget",
        "updateBudget",
        Sets,
        "For good; to give more for a while use raise_budget.",
    ),
    (
        "raise_budget",
        "raiseBudget",
        Adds,
        "`amount_usd` is what is added. The budget falls back to its amount by itself when `until` has come.",
    ),
    (
        "withdraw_raise",
        "withdrawRaise",
        Takes,
        "`raise` is the id of a raise, as show_budget lists them.",
    ),
    (
        "set_user_budget",
        "setSpendLimit",
        Sets,
        "`limit_usd` null removes it.",
    ),
    ("set_team_budget", "setTeamBudget", Sets, ""),
    (
        "list_limits",
        "listLimits",
        Reads,
        "With how much of each is in use.",
    ),
    ("create_limit", "createLimit", Adds, ""),
    ("update_limit", "updateLimit", Sets, ""),
    ("delete_limit", "deleteLimit", Takes, ""),
    (
        "list_paused_sessions",
        "listPausedSessions",
        Reads,
        "With what they did within a minute, and what is allowed.",
    ),
    (
        "resume_session",
        "resumeSession",
        Sets,
        "Find out first why it was paused.",
    ),
    ("list_signed_in_machines", "listClientSessions", Reads, ""),
    (
        "sign_user_out",
        "signUserOut",
        Takes,
        "Of the console and of Claude Code; keys stay.",
    ),
    (
        "show_fleet",
        "showFleet",
        Reads,
        "With versions, what they have not applied yet, and endpoints in trouble.",
    ),
    ("show_status", "showStatus", Reads, ""),
    (
        "list_endpoints",
        "listEndpoints",
        Reads,
        "With regions, states and teams. For health see show_fleet, for quotas endpoint_quotas.",
    ),
    ("endpoint_models", "listEndpointModels", Reads, ""),
    ("endpoint_quotas", "listEndpointQuotas", Reads, ""),
    (
        "test_endpoint",
        "testEndpoint",
        Sets,
        "Calls AWS, and names the permissions that are missing.",
    ),
    (
        "discover_endpoint",
        "discoverEndpoint",
        Sets,
        "Calls AWS; afterwards endpoint_models is fresh.",
    ),
    (
        "preview_route",
        "previewRoute",
        Reads,
        "With the reasons why endpoints are left out.",
    ),
    (
        "preview_team_route",
        "previewTeamRoute",
        Reads,
        "With the reasons why endpoints are left out.",
    ),
    ("list_models", "listModels", Reads, ""),
    (
        "list_prices",
        "listPrices",
        Reads,
        "In nano-dollars per million tokens.",
    ),
    (
        "list_policies",
        "listPolicies",
        Reads,
        "Which models people may use, and what their Claude Code is told.",
    ),
    ("user_policy", "showUserPolicy", Reads, ""),
    (
        "list_audit",
        "listAudit",
        Reads,
        "`q` searches actors, actions and objects; `details` say what was before and after.",
    ),
    ("verify_audit", "verifyAudit", Reads, ""),
    (
        "list_deliveries",
        "listDeliveries",
        Reads,
        "Use `state` to see those that failed.",
    ),
];

/// All tools, in the order in which they are listed.
pub(super) static ALL: LazyLock<Vec<Tool>> = LazyLock::new(|| {
    TOOLS
        .iter()
        .filter_map(|(name, id, does, more)| {
            let operation = OPERATIONS.iter().find(|operation| operation.id == *id)?;
            Some(tool(name, operation, *does, more))
        })
        .collect()
});

/// The tool of this name.
pub(super) fn find(name: &str) -> Option<&'static Tool> {
    ALL.iter().find(|tool| tool.listed.name == name)
}

fn tool(name: &'static str, operation: &'static Operation, does: Does, more: &str) -> Tool {
    let about = match more {
        "" => operation.summary.to_owned(),
        more => format!("{} {more}", operation.summary),
    };
    let annotations = ToolAnnotations::new()
        .read_only(does == Reads)
        .destructive(does == Takes)
        .idempotent(does != Adds)
        .open_world(false);
    let listed =
        rmcp::model::Tool::new(name, about, Arc::new(input(operation))).with_annotations(annotations);
    Tool { listed, operation }
}

/// The names of what goes into the query.
pub(super) fn query_names(operation: &Operation) -> Vec<String> {
    let mut generator = generator();
    let query = operation.query.map(|query| query(&mut generator).to_value());
    let properties = query.as_ref().and_then(|query| query["properties"].as_object());
    properties
        .map(|properties| properties.keys().cloned().collect())
        .unwrap_or_default()
}

fn generator() -> schemars::SchemaGenerator {
    SchemaSettings::draft2020_12()
        .for_deserialize()
        .with(|settings| settings.meta_schema = None)
        .into_generator()
}

/// What a tool takes: what the operation has in its path, its query and its body, side by side.
fn input(operation: &Operation) -> JsonObject {
    let mut generator = generator();
    let mut properties = Map::new();
    let mut required: Vec<Value> = Vec::new();
    let mut ids = operation.ids.iter();
    for name in operation.path_parameters() {
        let schema = match ids.next() {
            Some(shape) => shape(&mut generator).to_value(),
            None => json!({"type": "string"}),
        };
        properties.insert(name.to_owned(), schema);
        required.push(json!(name));
    }
    if let Some(query) = operation.query {
        let query = query(&mut generator).to_value();
        for (name, schema) in query["properties"].as_object().into_iter().flatten() {
            properties.insert(name.clone(), without_null(schema.clone()));
        }
        required.extend(query["required"].as_array().into_iter().flatten().cloned());
    }
    if let Some(Content::Json(body)) = operation.body {
        let body = body(&mut generator).to_value();
        let name = body["$ref"].as_str().and_then(|to| to.strip_prefix("#/$defs/"));
        let body = match name.and_then(|name| generator.definitions_mut().shift_remove(name)) {
            Some(defined) => defined,
            None => body,
        };
        for (name, schema) in body["properties"].as_object().into_iter().flatten() {
            properties.insert(name.clone(), schema.clone());
        }
        required.extend(body["required"].as_array().into_iter().flatten().cloned());
    }
    let mut schema = json!({"type": "object", "properties": properties, "additionalProperties": false});
    if !required.is_empty() {
        schema["required"] = Value::Array(required);
    }
    let definitions = generator.take_definitions(true);
    if !definitions.is_empty() {
        schema["$defs"] = Value::Object(definitions);
    }
    tidy(&mut schema);
    match schema {
        Value::Object(schema) => schema,
        _ => JsonObject::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_tool_is_an_operation_that_does_what_the_tool_says() {
        assert_eq!(ALL.len(), TOOLS.len());
        let names: BTreeSet<_> = ALL.iter().map(|tool| &tool.listed.name).collect();
        assert_eq!(names.len(), ALL.len(), "a name stands twice");
        for (tool, (name, _, does, _)) in ALL.iter().zip(TOOLS) {
            assert_eq!(tool.operation.method == "GET", *does == Reads, "{name}");
            assert!(tool.operation.method != "DELETE" || *does == Takes, "{name}");
            assert!(!matches!(tool.operation.body, Some(Content::Media(..))), "{name}");
        }
    }

    #[test]
    fn what_a_tool_takes_stands_side_by_side_and_refers_to_nothing_that_is_not_there() {
        for tool in ALL.iter() {
            let schema = Value::Object(tool.listed.input_schema.as_ref().clone());
            let text = schema.to_string();
            let named: BTreeSet<_> = text
                .split("\"#/$defs/")
                .skip(1)
                .filter_map(|rest| rest.split('"').next())
                .collect();
            for name in named {
                assert!(schema["$defs"][name].is_object(), "{}: {name}", tool.listed.name);
            }
            let properties = schema["properties"].as_object().unwrap();
            for required in schema["required"].as_array().into_iter().flatten() {
                assert!(properties.contains_key(required.as_str().unwrap()));
            }
            let parts = tool.operation.path_parameters().count() + query_names(tool.operation).len();
            assert!(properties.len() >= parts, "{}: names collide", tool.listed.name);
        }
        let raise = &find("raise_budget").unwrap().listed.input_schema;
        assert_eq!(raise["required"], json!(["id", "amount_usd", "until", "reason"]));
    }
}
