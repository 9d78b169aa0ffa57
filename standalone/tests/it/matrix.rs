//! Whatever Claude Code can do, with every model: the simulator, which is as strict as Bedrock, refuses nothing, and every
//! request of the client's is one request to Bedrock.

use crate::harness::{MODEL, Machine, Started, standalone, wait_until};
use crate::web_search;
use bedrock_sim::{Action, Match, Rule};
use serde_json::{Value, json};
use std::time::Duration;

/// Bedrock has refused nothing, and nothing was sent twice.
async fn assert_smooth(it: &Started, what: &str) {
    for request in it.sim.requests() {
        assert!(
            request.status < 400,
            "{what}: Bedrock refused {} {}",
            request.path,
            request.body
        );
    }
    let account = it.sim.settled().await;
    let rows = wait_until("the ledger has it all", Duration::from_secs(10), || async {
        let ledger = it.admin.ledger().await;
        let of_these = |row: &Value| {
            account
                .iter()
                .any(|a| row["aws_request_id"] == a.request_id.as_str())
        };
        let rows: Vec<Value> = ledger.into_iter().filter(of_these).collect();
        (rows.len() == account.len()).then_some(rows)
    })
    .await;
    for row in rows {
        assert_eq!(
            (&row["attempts"], &row["outcome"]),
            (&json!(1), &json!("completed")),
            "{what}: {row}"
        );
    }
}

/// What a session is to show: its name, the prompt, and more arguments and variables.
type Feature = (
    &'static str,
    &'static str,
    &'static [&'static str],
    &'static [(&'static str, &'static str)],
);

const SCHEMA: &str = r#"{"type":"object","properties":{"name":{"type":"string"}},"required":["name"]}"#;
const FAST: &str = r#"{"fastMode":true}"#;

/// Gives a model a name of the organisation's own.
async fn add_alias(it: &Started) {
    let models = it.admin.get("/admin/models").await;
    let mut model = models["models"]
        .as_array()
        .unwrap()
        .iter()
        .find(|model| model["name"] == "claude-opus-5-5")
        .unwrap()
        .clone();
    model["aliases"].as_array_mut().unwrap().push(json!(ALIAS));
    let fields = model.as_object_mut().unwrap();
    let known = [
        "name",
        "aliases",
        "display_name",
        "bedrock_id",
        "geographies",
        "on_demand",
        "context_tokens",
        "max_output_tokens",
        "counts_tokens",
        "released_at",
    ];
    fields.retain(|name, _| known.contains(&name.as_str()));
    it.admin.put("/admin/models/claude-opus-5-5", &model).await;
}

/// A name that the client has never heard of.
const ALIAS: &str = "our-team-model";

/// Everything that one model is asked for.
async fn everything(model: &str) {
    let it = standalone().await;
    let rules = web_search::rules(&web_search::search_service(), true);
    it.admin.put("/admin/websearch-mode", &rules).await;
    add_alias(&it).await;
    it.admin.fleet_of(1).await;
    let machine = Machine::new();
    let with = |more: &[&'static str]| -> Vec<String> {
        ["--model", model]
            .iter()
            .chain(more)
            .map(|s| (*s).to_owned())
            .collect()
    };
    let features: &[Feature] = &[
        ("plain", "Say hello", &[], &[]),
        (
            "tools",
            "Use the Bash tool to run `echo from-the-shell`",
            &["--allowedTools", "Bash"],
            &[],
        ),
        (
            "subagents",
            "Use the Agent tool to find `the answer`",
            &["--allowedTools", "Agent,Task"],
            &[],
        ),
        (
            "web search",
            "Use the WebSearch tool to find `axum version`",
            &["--allowedTools", "WebSearch"],
            web_search::EVERY_TOOL_AT_ONCE,
        ),
        (
            "tool search",
            "Use the ToolSearch tool to find `select:WebFetch`",
            &[],
            &[],
        ),
        ("/context", "/context", &[], &[]),
        (
            "structured output",
            "Extract the name",
            &["--json-schema", SCHEMA],
            &[],
        ),
        (
            "1-hour cache",
            "Say hello for an hour",
            &[],
            &[("ENABLE_PROMPT_CACHING_1H", "1")],
        ),
        (
            "auto mode",
            "Use the Bash tool to run `echo auto`",
            &["--permission-mode", "auto"],
            &[],
        ),
        (
            "fast mode",
            "Say hello quickly",
            &["--settings", FAST],
            &[("CLAUDE_CODE_SKIP_FAST_MODE_ORG_CHECK", "1")],
        ),
    ];
    for (feature, prompt, more, variables) in features {
        let arguments = with(more);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let session = machine.run_with(&it, prompt, &arguments, variables).await;
        match *feature {
            "tools" => assert!(session.tool_results().contains("from-the-shell")),
            "web search" => assert!(session.tool_results().contains("https://axum.example/book")),
            "structured output" => assert!(session.result()["structured_output"]["name"].is_string()),
            _ => {}
        }
        assert_smooth(&it, &format!("{model}, {feature}")).await;
        it.sim.clear();
    }
    let first = machine
        .run(&it, "Remember the word heliotrope", &["--model", model])
        .await;
    for (feature, prompt) in [("--resume", "Which word was it?"), ("/compact", "/compact")] {
        it.sim.clear();
        machine
            .run(&it, prompt, &["--model", model, "--resume", first.id()])
            .await;
        let history = it.sim.requests().pop().unwrap().body;
        assert!(
            history.contains("heliotrope"),
            "{model}, {feature}: the history is gone"
        );
        assert_smooth(&it, &format!("{model}, {feature}")).await;
    }
}

macro_rules! models {
    ($($name:ident: $model:expr),+ $(,)?) => {
        $(#[tokio::test(flavor = "multi_thread")]
        async fn $name() { everything($model).await })+
    };
}

models!(
    everything_works_with_opus_5_5: "claude-opus-5-5",
    everything_works_with_sonnet_5_5: "claude-sonnet-5-5",
    everything_works_with_haiku_5_5: "claude-haiku-5-5",
    everything_works_with_opus_4_8: "claude-opus-4-8",
    everything_works_with_opus_4_7: "claude-opus-4-7",
    everything_works_with_sonnet_4_6_and_a_million_tokens: "claude-sonnet-4-6[1m]",
    everything_works_with_sonnet_4_6: "claude-sonnet-4-6",
    everything_works_with_sonnet_4_5: "claude-sonnet-4-5",
    everything_works_with_haiku_4_5: "claude-haiku-4-5",
    everything_works_with_a_name_that_the_client_does_not_know: ALIAS,
);

#[tokio::test(flavor = "multi_thread")]
async fn the_fallback_model_takes_over_when_bedrock_is_overloaded() {
    let it = standalone().await;
    it.sim.script(Rule {
        matches: Match {
            model: Some("claude-opus-5-5".into()),
            ..Match::default()
        },
        ..Rule::always(Action::Error {
            status: 503,
            error_type: "ServiceUnavailableException".into(),
            message: "Bedrock is unable to process your request.".into(),
        })
    });
    let arguments = ["--model", "claude-opus-5-5", "--fallback-model", MODEL];
    let session = Machine::new().run(&it, "Say hello", &arguments).await;
    assert!(session.result()["result"].as_str().unwrap().contains("Say hello"));
    let answered = it.sim.settled().await.pop().unwrap();
    assert!(
        answered.entry.model.contains("sonnet-4-6"),
        "{}",
        answered.entry.model
    );
}
