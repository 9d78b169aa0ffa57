use super::check;
use crate::models::{Named, find};
use serde_json::{Value, json};

const OPUS_5_5: &str = "us.anthropic.claude-opus-5-5";
const SONNET_5_5: &str = "us.anthropic.claude-sonnet-5-5";
const OPUS_5: &str = "us.anthropic.claude-opus-5";
const SONNET_5: &str = "us.anthropic.claude-sonnet-5";
const OPUS_4_8: &str = "us.anthropic.claude-opus-4-8";
const SONNET_4_6: &str = "us.anthropic.claude-sonnet-4-6";
const OPUS_4_5: &str = "us.anthropic.claude-opus-4-5-20251101-v1:0";
const OPUS_4_1: &str = "us.anthropic.claude-opus-4-1-20250805-v1:0";
const HAIKU_4_5: &str = "us.anthropic.claude-haiku-4-5-20251001-v1:0";

/// What is said to a small request with these members changed; empty if nothing.
fn refusal(id: &str, change: &Value) -> String {
    let Named::Model(model) = find(id) else {
        panic!("missing")
    };
    let mut body = json!({
        "anthropic_version": "bedrock-2023-05-31", "max_tokens": 10_000,
        "messages": [{"role": "user", "content": "hi"}]
    });
    for (key, value) in change.as_object().unwrap() {
        body[key] = value.clone();
    }
    check(&body, model).err().unwrap_or_default()
}

/// Each change is refused in these words, or passes where they are empty.
fn table(rows: &[(&str, Value, &str)]) {
    for (id, change, words) in rows {
        let message = refusal(id, change);
        if words.is_empty() {
            assert_eq!(message, "", "{id} {change}");
        } else {
            assert!(message.contains(words), "{id} {change}: {message:?}");
        }
    }
}

#[test]
fn each_fault_is_refused_in_bedrocks_words() {
    table(&[
        (OPUS_5_5, json!({}), ""),
        (OPUS_5_5, json!({"stream": true}), "extraneous key [stream]"),
        (OPUS_5_5, json!({"speed": "fast"}), "speed: Extra inputs"),
        (
            OPUS_5_5,
            json!({"anthropic_version": null}),
            "anthropic_version: Field required",
        ),
        (
            OPUS_5_5,
            json!({"max_tokens": 128_001}),
            "exceeds the model limit of 128000",
        ),
        (
            OPUS_5_5,
            json!({"max_tokens": null}),
            "max_tokens: Field required",
        ),
        (OPUS_5_5, json!({"messages": []}), "at least one message"),
        (
            OPUS_5_5,
            json!({"context_management": {"edits": []}}),
            "context_management: Extra inputs",
        ),
        (
            OPUS_5_5,
            json!({"output_config": {"task_budget": 1}}),
            "output_config.task_budget: Extra inputs",
        ),
        (
            OPUS_5_5,
            json!({"system": [{"type": "text", "text": ""}]}),
            "must be non-empty",
        ),
    ]);
}

#[test]
fn a_beta_is_known_by_model_and_by_what_it_is_for() {
    let betas = |names: &[&str]| json!({"anthropic_beta": names});
    let invalid = "invalid beta flag";
    let effort = json!({"anthropic_beta": ["effort-2025-11-24"], "output_config": {"effort": "low"}});
    let computer = json!({"anthropic_beta": ["computer-use-2025-01-24"]});
    let memory = json!({"anthropic_beta": ["context-management-2025-06-27"],
        "tools": [{"type": "memory_20250818", "name": "memory"}]});
    table(&[
        (OPUS_5_5, betas(&["claude-code-20250219"]), invalid),
        (OPUS_5_5, betas(&["extended-cache-ttl-2025-04-11"]), invalid),
        (
            OPUS_5_5,
            betas(&["interleaved-thinking-2025-05-14", "never-heard-of-2030-01-01"]),
            invalid,
        ),
        (
            OPUS_5_5,
            betas(&[
                "interleaved-thinking-2025-05-14",
                "tool-search-tool-2025-10-19",
                "context-1m-2025-08-07",
            ]),
            "",
        ),
        (HAIKU_4_5, betas(&["interleaved-thinking-2025-05-14"]), invalid),
        (SONNET_4_6, betas(&["thinking-token-count-2026-05-13"]), invalid),
        (OPUS_4_8, betas(&["thinking-token-count-2026-05-13"]), ""),
        (OPUS_5_5, effort.clone(), invalid),
        (OPUS_4_5, effort, ""),
        (OPUS_4_5, betas(&["effort-2025-11-24"]), invalid),
        (OPUS_4_5, computer.clone(), ""),
        (OPUS_5_5, computer, invalid),
        (OPUS_5_5, betas(&["context-management-2025-06-27"]), invalid),
        (OPUS_5_5, memory, ""),
        (OPUS_5_5, betas(&["compact-2026-01-12"]), invalid),
        (OPUS_5_5, betas(&["dangerous-tool-use-2026-09-03"]), invalid),
        (OPUS_5_5, betas(&["thinking-display-updates-2026-08-18"]), invalid),
        (
            OPUS_5_5,
            betas(&["mid-conversation-output-config-2026-07-01"]),
            invalid,
        ),
        (
            OPUS_5_5,
            betas(&["mid-conversation-system-clear-at-2026-08-21"]),
            invalid,
        ),
    ]);
}

#[test]
fn thinking_has_the_forms_that_the_model_takes() {
    let kind = |kind: &str| json!({"thinking": {"type": kind}});
    let enabled = |more: Value| {
        let mut thinking = json!({"type": "enabled"});
        for (key, value) in more.as_object().unwrap() {
            thinking[key] = value.clone();
        }
        json!({"thinking": thinking})
    };
    let display = |display: &str| json!({"thinking": {"type": "adaptive", "display": display}});
    table(&[
        (HAIKU_4_5, kind("adaptive"), "adaptive thinking is not supported"),
        (HAIKU_4_5, enabled(json!({"budget_tokens": 2_000})), ""),
        (HAIKU_4_5, enabled(json!({})), "budget_tokens: Field required"),
        (
            HAIKU_4_5,
            enabled(json!({"budget_tokens": 1_023})),
            "greater than or equal to 1024",
        ),
        (
            HAIKU_4_5,
            enabled(json!({"budget_tokens": 10_000})),
            "must be greater than",
        ),
        (
            HAIKU_4_5,
            enabled(json!({"budget_tokens": 2_000, "display": "omitted"})),
            "thinking.enabled.display: Extra inputs",
        ),
        (SONNET_4_6, enabled(json!({"budget_tokens": 2_000})), ""),
        (SONNET_4_6, kind("adaptive"), ""),
        (
            SONNET_4_6,
            display("omitted"),
            "thinking.adaptive.display: Extra inputs",
        ),
        (
            OPUS_4_8,
            enabled(json!({"budget_tokens": 2_000})),
            "\"enabled\" is not supported",
        ),
        (OPUS_4_8, display("omitted"), ""),
        (OPUS_4_8, kind("disabled"), ""),
        (
            OPUS_5_5,
            display("updates"),
            "Input should be 'omitted' or 'summarized'",
        ),
        (
            OPUS_5_5,
            json!({"thinking": {"type": "adaptive", "display": "updates"},
            "anthropic_beta": ["thinking-display-updates-2026-08-18"]}),
            "",
        ),
        (
            OPUS_5_5,
            json!({"thinking": {"type": "adaptive", "budget_tokens": 1}}),
            "budget_tokens: Extra inputs",
        ),
        (
            OPUS_5_5,
            json!({"thinking": {"type": "adaptive", "block_binding": {}}}),
            "block_binding: Extra inputs",
        ),
        (OPUS_5_5, kind("disabled"), "\"disabled\" is not supported"),
        (OPUS_5_5, kind("between_tools"), "Input should be"),
        (
            SONNET_5_5,
            kind("disabled"),
            "\"thinking\": {\"type\": \"between_tools\"}",
        ),
        (SONNET_5_5, kind("between_tools"), ""),
        (
            OPUS_5,
            json!({"thinking": {"type": "disabled"}, "output_config": {"effort": "high"}}),
            "",
        ),
        (
            OPUS_5,
            json!({"thinking": {"type": "disabled"}, "output_config": {"effort": "xhigh"}}),
            "with this effort",
        ),
    ]);
}

#[test]
fn options_differ_by_model() {
    let effort = |effort: &str| json!({"output_config": {"effort": effort}});
    let format = json!({"output_config": {"format": {"type": "json_schema", "schema": {}}}});
    let strict_version = |more: Value| {
        let mut change = json!({"anthropic_version": "2026-10-21"});
        for (key, value) in more.as_object().unwrap() {
            change[key] = value.clone();
        }
        change
    };
    let document = json!({"messages": [{"role": "user", "content": "x"},
        {"role": "assistant", "content": [{"type": "document", "source": {"type": "text", "data": "x"}}]},
        {"role": "user", "content": "y"}]});
    table(&[
        (OPUS_5_5, effort("max"), ""),
        (
            OPUS_5_5,
            effort("beyond"),
            "output_config.effort: Input should be",
        ),
        (
            SONNET_4_6,
            effort("xhigh"),
            "output_config.effort: Input should be",
        ),
        (OPUS_4_5, effort("max"), "output_config.effort: Input should be"),
        (HAIKU_4_5, effort("low"), "output_config.effort: Extra inputs"),
        (HAIKU_4_5, format.clone(), ""),
        (OPUS_5_5, format, "output_config.format: Extra inputs"),
        (
            OPUS_5_5,
            json!({"temperature": 0.5}),
            "`temperature` is not supported",
        ),
        (HAIKU_4_5, json!({"temperature": 0.5}), ""),
        (
            HAIKU_4_5,
            json!({"temperature": 0.5, "thinking": {"type": "enabled", "budget_tokens": 1_024}}),
            "may only be set to 1",
        ),
        (OPUS_5_5, json!({"cache_control": {"type": "ephemeral"}}), ""),
        (
            SONNET_4_6,
            json!({"cache_control": {"type": "ephemeral"}}),
            "cache_control: Extra inputs",
        ),
        (OPUS_5_5, strict_version(json!({})), ""),
        (HAIKU_4_5, strict_version(json!({})), "anthropic_version"),
        (
            OPUS_5_5,
            strict_version(document),
            "document blocks are not permitted",
        ),
    ]);
}

#[test]
fn tools_have_the_fields_and_types_that_the_model_knows() {
    let tool = |more: Value| {
        let mut tool = json!({"name": "x", "input_schema": {"type": "object"}});
        for (key, value) in more.as_object().unwrap() {
            tool[key] = value.clone();
        }
        json!({"tools": [tool]})
    };
    let own = |kind: &str, beta: Option<&str>| {
        let mut change = json!({"tools": [{"type": kind, "name": "x"}]});
        if let Some(beta) = beta {
            change["anthropic_beta"] = json!([beta]);
        }
        change
    };
    table(&[
        (OPUS_5_5, json!({"tools": []}), "at least 1 item"),
        (
            OPUS_5_5,
            own("web_search_20250305", None),
            "The provided request is not valid",
        ),
        (
            OPUS_5_5,
            own("browser_toolset_20260801", None),
            "The provided request is not valid",
        ),
        (OPUS_5_5, own("bash_20250124", None), ""),
        (OPUS_5_5, own("heard_of_by_nobody_20300101", None), ""),
        (
            OPUS_5_5,
            own("memory_20250818", None),
            "Input tag 'memory_20250818'",
        ),
        (
            OPUS_5_5,
            own("computer_20251124", Some("computer-use-2025-11-24")),
            "",
        ),
        (
            OPUS_5_5,
            own("computer_20251124", None),
            "Input tag 'computer_20251124'",
        ),
        (
            OPUS_5_5,
            own("computer_20250124", None),
            "Input tag 'computer_20250124'",
        ),
        (
            OPUS_5_5,
            own("tool_search_tool_regex_20251119", None),
            "Input tag 'tool_search",
        ),
        (
            OPUS_5_5,
            tool(json!({"defer_loading": true})),
            "tools.0.custom.defer_loading: Extra inputs",
        ),
        (OPUS_5_5, tool(json!({"eager_input_streaming": true})), ""),
        (
            SONNET_4_6,
            tool(json!({"eager_input_streaming": true})),
            "tools.0.custom.eager_input_streaming: Extra inputs",
        ),
        (SONNET_4_6, tool(json!({"strict": true})), ""),
        (
            OPUS_5_5,
            tool(json!({"strict": true})),
            "tools.0.custom.strict: Extra inputs",
        ),
        (
            OPUS_5_5,
            tool(json!({"input_examples": []})),
            "tools.0.custom.input_examples: Extra inputs",
        ),
        (
            OPUS_5_5,
            tool(json!({"allowed_callers": ["direct"]})),
            "tools.0.custom.allowed_callers: Extra inputs",
        ),
        (
            OPUS_5_5,
            tool(json!({"novelty": 1})),
            "tools.0.custom.novelty: Extra inputs",
        ),
        (
            OPUS_5_5,
            tool(json!({"input_schema": {"type": "custom"}})),
            "Input should be 'object'",
        ),
        (
            OPUS_5_5,
            tool(json!({"name": null})),
            "tools.0.custom.name: Field required",
        ),
    ]);
}

#[test]
fn a_forced_tool_and_thinking_do_not_go_together() {
    let forced = |thinking: Value| {
        json!({"tools": [{"name": "x", "input_schema": {"type": "object"}}], "thinking": thinking,
            "tool_choice": {"type": "tool", "name": "x"}})
    };
    let never = "forced tool use is not supported on this model";
    table(&[
        (OPUS_4_8, forced(Value::Null), ""),
        (
            OPUS_4_8,
            forced(json!({"type": "adaptive"})),
            "Thinking may not be enabled",
        ),
        (OPUS_5_5, forced(Value::Null), never),
        (SONNET_5_5, forced(json!({"type": "between_tools"})), never),
        (SONNET_5, forced(Value::Null), never),
        (SONNET_5, forced(json!({"type": "disabled"})), ""),
        (
            OPUS_5_5,
            json!({"tools": [{"name": "x", "input_schema": {"type": "object"}}], "tool_choice": {"type": "auto"}}),
            "",
        ),
    ]);
}

#[test]
fn messages_have_the_roles_fields_and_blocks_that_the_model_knows() {
    let messages = |messages: Value| json!({"messages": messages});
    let user = |block: Value| json!({"messages": [{"role": "user", "content": [block]}]});
    let within = messages(json!([{"role": "user", "content": "a"}, {"role": "system", "content": "b"}]));
    let mut clear_at = messages(json!([{"role": "user", "content": "a"},
        {"role": "system", "content": "b", "clear_at": "next_turn"}]));
    let refused_clear_at = clear_at.clone();
    clear_at["anthropic_beta"] = json!(["mid-conversation-system-clear-at-2026-08-21"]);
    let mut effort = messages(json!([{"role": "user", "content": "a"},
        {"role": "system", "content": "b", "output_config": {"effort": "low"}}]));
    let refused_effort = effort.clone();
    effort["anthropic_beta"] = json!(["mid-conversation-output-config-2026-07-01"]);
    let image = |source: Value| user(json!({"type": "image", "source": source}));
    let large = "A".repeat(7_000_000);
    table(&[
        (OPUS_5_5, within.clone(), ""),
        (HAIKU_4_5, within.clone(), "role 'system' is not supported"),
        (SONNET_5, within, "role 'system' is not supported"),
        (
            OPUS_5_5,
            messages(json!([{"role": "system", "content": "x"}])),
            "top-level 'system'",
        ),
        (
            OPUS_5_5,
            messages(json!([{"role": "tool", "content": "x"}])),
            "Input should be 'user' or 'assistant'",
        ),
        (OPUS_5_5, refused_effort, "messages.1.output_config: Extra inputs"),
        (OPUS_5_5, effort.clone(), ""),
        (SONNET_5_5, effort, "invalid beta flag"),
        (OPUS_5_5, refused_clear_at, "messages.1.clear_at: Extra inputs"),
        (OPUS_5_5, clear_at, ""),
        (
            OPUS_5_5,
            user(json!({"type": "text", "text": ""})),
            "text content blocks must be non-empty",
        ),
        (
            OPUS_5_5,
            user(json!({"type": "text", "text": "", "cache_control": {"type": "ephemeral"}})),
            "cache_control cannot be set",
        ),
        (
            OPUS_5_5,
            user(json!({"type": "redacted_thinking", "data": "", "cache_control": {"type": "ephemeral"}})),
            "cache_control: Extra inputs",
        ),
        (
            OPUS_5_5,
            user(json!({"type": "mcp_tool_result"})),
            "Input tag 'mcp_tool_result'",
        ),
        (
            OPUS_5_5,
            user(json!({"type": "server_tool_use", "name": "web_search"})),
            "Input tag 'server_tool_use'",
        ),
        (
            OPUS_5_5,
            user(json!({"type": "server_tool_use", "name": "tool_search_tool_regex"})),
            "",
        ),
        (
            OPUS_5_5,
            user(json!({"type": "tool_addition"})),
            "Input tag 'tool_addition'",
        ),
        (OPUS_5_5, user(json!({"type": "heard_of_by_nobody"})), ""),
        (
            OPUS_5_5,
            image(json!({"type": "url", "url": "https://x"})),
            "URL sources are not supported",
        ),
        (
            OPUS_5_5,
            image(json!({"type": "file", "file_id": "f"})),
            "file sources are not supported",
        ),
        (
            OPUS_5_5,
            image(json!({"type": "base64", "media_type": "image/png", "data": "AAAA"})),
            "",
        ),
        (
            OPUS_5_5,
            image(json!({"type": "base64", "media_type": "image/png", "data": large})),
            "image exceeds 5 MB maximum",
        ),
    ]);
}

#[test]
fn cache_marks_are_few_and_in_order() {
    let user = |marks: &[Value]| {
        let blocks: Vec<Value> = marks
            .iter()
            .map(|m| json!({"type": "text", "text": "x", "cache_control": m}))
            .collect();
        json!({"messages": [{"role": "user", "content": blocks}]})
    };
    let short = json!({"type": "ephemeral"});
    let hour = json!({"type": "ephemeral", "ttl": "1h"});
    let nested = json!({"messages": [{"role": "user", "content": "a"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "x", "input": {"cache_control": {"scope": 1}}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": [
            {"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "scope": "global"}}]}]}]});
    table(&[
        (OPUS_5_5, user(&[hour.clone(), short.clone()]), ""),
        (
            OPUS_5_5,
            user(&[short.clone(), hour.clone()]),
            "must not come after",
        ),
        (
            OPUS_5_5,
            user(&[json!({"type": "ephemeral", "scope": "global"})]),
            "ephemeral.scope: Extra inputs",
        ),
        (
            OPUS_5_5,
            user(&[json!({"type": "ephemeral", "ttl": "2h"})]),
            "Input should be '5m' or '1h'",
        ),
        (OPUS_4_1, user(&[hour]), "ephemeral.ttl: Extra inputs"),
        (
            OPUS_5_5,
            user(&[short.clone(), short.clone(), short.clone(), short.clone()]),
            "",
        ),
        (
            OPUS_5_5,
            user(&[short.clone(), short.clone(), short.clone(), short.clone(), short]),
            "Found 5",
        ),
        (
            OPUS_5_5,
            nested,
            "messages.2.content.0.tool_result.content.0.cache_control.ephemeral.scope",
        ),
    ]);
}

#[test]
fn tool_uses_and_results_have_to_pair() {
    let r#use = |id: &str| json!({"type": "tool_use", "id": id, "name": "x", "input": {}});
    let result = |id: &str| json!({"type": "tool_result", "tool_use_id": id, "content": "ok"});
    let asked = json!({"role": "user", "content": "a"});
    let turn = |role: &str, blocks: Value| json!({"role": role, "content": blocks});
    let say = |rest: &[Value]| {
        let messages: Vec<Value> = [asked.clone()].into_iter().chain(rest.iter().cloned()).collect();
        json!({"messages": messages})
    };
    let system = json!({"role": "system", "content": "env"});
    let used = turn("assistant", json!([r#use("t1"), r#use("t2")]));
    let both = turn("user", json!([result("t1"), result("t2")]));
    table(&[
        (OPUS_5_5, say(&[used.clone(), both.clone()]), ""),
        (OPUS_5_5, say(&[used.clone(), both.clone(), system.clone()]), ""),
        (OPUS_5_5, say(&[used.clone(), system.clone(), both.clone()]), ""),
        (
            OPUS_5_5,
            say(&[
                used.clone(),
                turn("user", json!([result("t1")])),
                turn("user", json!([result("t2")])),
            ]),
            "",
        ),
        (
            OPUS_5_5,
            say(&[used.clone(), turn("user", json!("b"))]),
            "without `tool_result` blocks immediately after: t1",
        ),
        (
            OPUS_5_5,
            say(&[used.clone(), turn("user", json!([result("t1")]))]),
            "immediately after: t2",
        ),
        (
            OPUS_5_5,
            say(&[
                used.clone(),
                turn("user", json!([result("t1")])),
                turn("assistant", json!("b")),
                both.clone(),
            ]),
            "immediately after: t2",
        ),
        (
            OPUS_5_5,
            say(&[turn("user", json!([result("t9")]))]),
            "unexpected `tool_use_id`",
        ),
        (
            OPUS_5_5,
            say(&[
                used,
                turn("user", json!([result("t1"), result("t1"), result("t2")])),
            ]),
            "a single result",
        ),
    ]);
}

#[test]
fn only_older_models_go_on_where_the_assistant_left_off() {
    let ends_with = |text: &str| json!({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": text}]});
    table(&[
        (
            OPUS_5_5,
            ends_with("b"),
            "does not support assistant message prefill",
        ),
        (
            SONNET_4_6,
            ends_with("b"),
            "does not support assistant message prefill",
        ),
        (HAIKU_4_5, ends_with("b"), ""),
        (HAIKU_4_5, ends_with("b "), "trailing whitespace"),
    ]);
}
