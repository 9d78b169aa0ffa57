//! Rules one by one.

use crate::{profile, sent, translate};
use ccag_domain::Code;
use ccag_translate::count_tokens::{answer, prepare_count, read_answer};
use ccag_translate::noticed::DroppedKind;
use ccag_translate::profile::Reduction;
use ccag_translate::request::{Headers, Operation, peek, prepare};
use serde_json::{Value, json};

/// A small request with more members.
fn with(model: &str, more: &Value) -> Value {
    let mut body =
        json!({"model": model, "max_tokens": 32_000, "messages": [{"role": "user", "content": "hi"}]});
    for (key, value) in more.as_object().unwrap() {
        body[key] = value.clone();
    }
    body
}

fn out(model: &str, more: &Value) -> Value {
    serde_json::from_str(&sent(&with(model, more).to_string())).unwrap()
}

fn refusal(more: &Value) -> (Code, String) {
    let problem = translate(&with("claude-opus-5-5", more).to_string(), &[]).unwrap_err();
    (problem.code, problem.message)
}

#[test]
fn thinking_takes_the_form_that_the_model_takes() {
    let omitted = json!({"type": "adaptive", "display": "omitted"});
    let budget = |n: u64| json!({"type": "enabled", "budget_tokens": n, "display": "omitted"});
    let disabled = json!({"type": "disabled"});
    let none = Value::Null;
    let rows = [
        (
            "claude-haiku-4-5",
            omitted.clone(),
            json!({"type": "enabled", "budget_tokens": 31_999}),
        ),
        (
            "claude-opus-4-5",
            budget(31_999),
            json!({"type": "enabled", "budget_tokens": 31_999}),
        ),
        ("claude-sonnet-4-6", omitted.clone(), json!({"type": "adaptive"})),
        (
            "claude-sonnet-4-6",
            budget(5_000),
            json!({"type": "enabled", "budget_tokens": 5_000}),
        ),
        (
            "claude-opus-4-7",
            budget(31_999),
            json!({"type": "adaptive", "display": "omitted"}),
        ),
        ("claude-opus-4-8", disabled.clone(), disabled.clone()),
        ("claude-opus-5", disabled.clone(), disabled.clone()),
        ("claude-opus-5-5", disabled.clone(), none.clone()),
        ("claude-fable-5-2", disabled.clone(), none.clone()),
        ("claude-mythos-5", disabled.clone(), none),
        (
            "claude-sonnet-5-5",
            disabled.clone(),
            json!({"type": "between_tools"}),
        ),
        ("claude-haiku-5-5", disabled.clone(), disabled.clone()),
        ("claude-opus-4-6", json!({"type": "between_tools"}), disabled),
        ("claude-opus-5-5", omitted.clone(), omitted),
    ];
    for (model, asked, wanted) in rows {
        assert_eq!(
            out(model, &json!({"thinking": asked}))["thinking"],
            wanted,
            "{model} {asked}"
        );
    }
}

#[test]
fn a_budget_that_becomes_adaptive_becomes_an_effort() {
    let effort = |budget: u64, more: Value| {
        let mut body = json!({"thinking": {"type": "enabled", "budget_tokens": budget}});
        body["output_config"] = more;
        out("claude-opus-4-7", &body)["output_config"]["effort"].clone()
    };
    assert_eq!(effort(31_999, json!({})), "high");
    assert_eq!(effort(5_000, json!({})), "medium");
    assert_eq!(effort(1_024, json!({"task_budget": 1})), "low");
    assert_eq!(effort(31_999, json!({"effort": "xhigh"})), "xhigh");
    let alone = out(
        "claude-opus-4-8",
        &json!({"thinking": {"type": "enabled", "budget_tokens": 20_000}}),
    );
    assert_eq!(alone["output_config"], json!({"effort": "high"}));
}

#[test]
fn a_budget_fits_under_a_lowered_maximum() {
    let body = json!({"max_tokens": 128_000, "thinking": {"type": "enabled", "budget_tokens": 100_000}});
    let sent = out("claude-opus-4-5", &body);
    assert_eq!(
        (&sent["max_tokens"], &sent["thinking"]["budget_tokens"]),
        (&json!(64_000), &json!(63_999))
    );
    let tiny = out(
        "claude-haiku-4-5",
        &json!({"max_tokens": 1_000, "thinking": {"type": "adaptive"}}),
    );
    assert_eq!(tiny.get("thinking"), None);
}

#[test]
fn efforts_are_lowered_to_what_the_model_has() {
    let effort = |model, level: &str| {
        out(model, &json!({"output_config": {"effort": level}}))
            .get("output_config")
            .cloned()
    };
    assert_eq!(
        effort("claude-sonnet-4-6", "xhigh"),
        Some(json!({"effort": "high"}))
    );
    assert_eq!(effort("claude-opus-4-6", "max"), Some(json!({"effort": "max"})));
    assert_eq!(effort("claude-opus-4-5", "max"), Some(json!({"effort": "high"})));
    assert_eq!(effort("claude-haiku-4-5", "low"), None);
    assert_eq!(
        effort("claude-opus-5-5", "beyond"),
        Some(json!({"effort": "beyond"}))
    );
    let betas = translate(
        &with("claude-opus-4-5", &json!({"output_config": {"effort": "low"}})).to_string(),
        &[],
    );
    assert_eq!(betas.unwrap().betas, ["effort-2025-11-24"]);
}

#[test]
fn an_output_format_is_kept_or_told_in_words() {
    let format = json!({"type": "json_schema", "schema": {"type": "object", "properties": {"a\"b": {"type": "string"}}}});
    let kept = out("claude-haiku-4-5", &json!({"output_config": {"format": format}}));
    assert_eq!(kept["output_config"]["format"], format);
    let old = out("claude-haiku-4-5", &json!({"output_format": format}));
    assert_eq!(old["output_config"]["format"], format);
    for (field, value) in [
        ("output_config", json!({"format": format})),
        ("output_format", format.clone()),
    ] {
        let told = out("claude-opus-5-5", &json!({field: value, "system": "S"}));
        assert_eq!(told.get("output_config"), None, "{field}");
        assert_eq!(told["system"][0]["text"], "S");
        let text = told["system"][1]["text"].as_str().unwrap();
        assert!(text.ends_with(&format["schema"].to_string()), "{text}");
    }
}

#[test]
fn context_edits_that_bedrock_takes_bring_their_betas() {
    let edits = json!({"context_management": {"edits": [
        {"type": "clear_thinking_20251015", "keep": "all"},
        {"type": "clear_tool_uses_20250919"},
        {"type": "compact_20260112"}]}});
    let prepared = translate(&with("claude-opus-5-5", &edits).to_string(), &[]).unwrap();
    assert_eq!(
        prepared.betas,
        ["context-management-2025-06-27", "compact-2026-01-12"]
    );
    let body: Value = serde_json::from_slice(&prepared.body.to_vec()).unwrap();
    assert_eq!(body["context_management"]["edits"].as_array().unwrap().len(), 2);
}

#[test]
fn cache_markers_keep_type_and_ttl_only() {
    let marker = json!({"type": "ephemeral", "ttl": "1h", "scope": "global", "new": 1});
    let body = json!({
        "system": [{"type": "text", "text": "S", "cache_control": marker}],
        "tools": [{"name": "a", "input_schema": {"type": "object"}, "cache_control": marker}],
        "messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": [
            {"type": "text", "text": "x", "cache_control": marker}]}]}]});
    let prepared = translate(&with("claude-opus-5-5", &body).to_string(), &[]).unwrap();
    assert!(prepared.writes_1h);
    let sent: Value = serde_json::from_slice(&prepared.body.to_vec()).unwrap();
    for at in ["/system/0", "/tools/0", "/messages/0/content/0/content/0"] {
        let marker = sent.pointer(&format!("{at}/cache_control")).unwrap();
        assert_eq!(*marker, json!({"type": "ephemeral", "ttl": "1h"}), "{at}");
    }
    let names: Vec<_> = prepared
        .dropped
        .iter()
        .map(|d| (d.kind, d.name.as_str(), d.known))
        .collect();
    assert!(names.contains(&(DroppedKind::Field, "cache_control.scope", true)));
    assert!(names.contains(&(DroppedKind::Field, "cache_control.new", false)));
}

#[test]
fn automatic_caching_becomes_a_marker_where_it_is_not_known() {
    let auto = json!({"cache_control": {"type": "ephemeral", "ttl": "1h"}});
    let marked = out("claude-sonnet-4-6", &auto);
    let block = json!([{"type": "text", "text": "hi", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]);
    assert_eq!(marked["messages"][0]["content"], block);
    assert_eq!(marked.get("cache_control"), None);
    assert_eq!(out("claude-opus-4-7", &auto)["cache_control"]["ttl"], "1h");
}

#[test]
fn system_messages_at_the_beginning_join_the_system_prompt() {
    let body = json!({"system": "A", "messages": [
        {"role": "system", "content": "B"},
        {"role": "system", "content": [{"type": "text", "text": "C", "cache_control": {"type": "ephemeral", "scope": "x"}}]},
        {"role": "user", "content": "hi"}]});
    for model in ["claude-opus-5-5", "claude-haiku-4-5"] {
        let sent = out(model, &body);
        let system = json!([{"type": "text", "text": "A"}, {"type": "text", "text": "B"},
            {"type": "text", "text": "C", "cache_control": {"type": "ephemeral"}}]);
        assert_eq!(
            (&sent["system"], sent["messages"].as_array().unwrap().len()),
            (&system, 1),
            "{model}"
        );
    }
}

#[test]
fn system_messages_within_become_reminders_where_they_are_not_known() {
    let body = json!({"messages": [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "a", "input": {}}]},
        {"role": "system", "content": [{"type": "text", "text": "env", "cache_control": {"type": "ephemeral", "scope": "x"}}], "output_config": {"effort": "low"}},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "ok"}]},
        {"role": "system", "content": "later"}]});
    let sent = out("claude-sonnet-4-5", &body);
    let roles: Vec<&str> = sent["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["role"].as_str().unwrap())
        .collect();
    assert_eq!(roles, ["user", "assistant", "user", "user", "user"]);
    assert_eq!(sent["messages"][2]["content"][0]["type"], "tool_result");
    assert_eq!(
        sent["messages"][3],
        json!({"role": "user", "content": [{"type": "text", "text": "<system-reminder>\nenv\n</system-reminder>", "cache_control": {"type": "ephemeral"}}]})
    );
    assert_eq!(
        sent["messages"][4]["content"],
        "<system-reminder>\nlater\n</system-reminder>"
    );
    let kept = out("claude-opus-4-8", &body);
    assert_eq!(
        (
            &kept["messages"][2]["role"],
            kept["messages"][2].get("output_config")
        ),
        (&json!("system"), None)
    );
}

#[test]
fn sampling_defaults_go_where_they_are_refused() {
    let body = json!({"temperature": 1.0, "top_p": 0.5, "top_k": 3});
    let new = out("claude-opus-5-5", &body);
    assert_eq!(
        (new.get("temperature"), &new["top_p"], &new["top_k"]),
        (None, &json!(0.5), &json!(3))
    );
    assert_eq!(out("claude-haiku-4-5", &body)["temperature"], 1.0);
}

#[test]
fn tools_keep_what_bedrock_knows() {
    let tools = json!({"tools": [
        {"name": "a", "input_schema": {}, "defer_loading": true, "strict": true, "input_examples": [1], "allowed_callers": ["direct"], "novel": 1, "eager_input_streaming": true},
        {"type": "tool_search_tool_bm25_20251119", "name": "tool_search_tool_bm25"},
        {"type": "brand_new_20300101", "name": "n", "x": 1}]});
    let prepared = translate(&with("claude-opus-5-5", &tools).to_string(), &[]).unwrap();
    let sent: Value = serde_json::from_slice(&prepared.body.to_vec()).unwrap();
    assert_eq!(
        sent["tools"],
        json!([
            {"name": "a", "input_schema": {"type": "object"}, "defer_loading": true, "eager_input_streaming": true},
            {"type": "tool_search_tool_regex_20251119", "name": "tool_search_tool_regex"},
            {"type": "brand_new_20300101", "name": "n", "x": 1}])
    );
    assert_eq!(prepared.betas, ["tool-search-tool-2025-10-19"]);
    assert!(prepared.dropped.iter().any(|d| d.name == "novel" && !d.known));
    assert_eq!(out("claude-opus-5-5", &json!({"tools": []})).get("tools"), None);
}

#[test]
fn what_only_anthropic_can_do_is_refused_in_one_answer() {
    for tool in [
        "web_search_20250305",
        "web_fetch_20250910",
        "code_execution_20250825",
        "mcp_toolset",
        "advisor_20260301",
    ] {
        let (code, message) = refusal(&json!({"tools": [{"type": tool, "name": "x"}]}));
        assert_eq!(code, Code::PolicyBlocked, "{tool}");
        assert!(message.contains(tool), "{message}");
    }
    let callers =
        json!({"tools": [{"name": "a", "input_schema": {}, "allowed_callers": ["code_execution_20250825"]}]});
    assert_eq!(refusal(&callers).0, Code::PolicyBlocked);
    let image = json!({"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": "https://x"}}]}]});
    assert_eq!(refusal(&image).0, Code::PolicyBlocked);
    let searched = json!({"messages": [{"role": "assistant", "content": [{"type": "web_fetch_tool_result", "tool_use_id": "x", "content": []}]}]});
    assert_eq!(refusal(&searched).0, Code::PolicyBlocked);
    assert_eq!(
        refusal(&json!({"amazon-bedrock-trace": "ENABLED"})).0,
        Code::PolicyBlocked
    );
}

#[test]
fn changes_of_tools_within_the_conversation_are_told_in_words() {
    let body = json!({"messages": [{"role": "user", "content": "x"},
        {"role": "system", "content": [{"type": "tool_removal", "tool_name": "a\"b"}]}]});
    let sent = out("claude-opus-5-5", &body);
    let block = &sent["messages"][1]["content"][0];
    assert_eq!(block["type"], "text");
    assert!(block["text"].as_str().unwrap().starts_with("tool_removal: {"));
}

#[test]
fn the_strict_version_is_passed_on_or_kept_by_the_gateway() {
    let ask = |model: &str, more: &Value| {
        let body = with(model, more).to_string();
        let peeked = peek(body.as_bytes(), Operation::Messages).unwrap();
        prepare(
            &peeked,
            Headers {
                betas: &[],
                version: Some("2026-10-21"),
            },
            &profile(model),
        )
        .map(|p| serde_json::from_slice::<Value>(&p.body.to_vec()).unwrap()["anthropic_version"].clone())
    };
    assert_eq!(ask("claude-opus-5-5", &json!({})).unwrap(), "2026-10-21");
    assert_eq!(ask("claude-haiku-4-5", &json!({})).unwrap(), "bedrock-2023-05-31");
    for more in [
        json!({"top_k": 1}),
        json!({"messages": [{"role": "assistant", "content": [{"type": "document", "source": {"type": "text", "data": "x"}}]}]}),
        json!({"messages": [{"role": "user", "content": [{"type": "text", "text": "x", "citations": [{}]}]}]}),
    ] {
        assert_eq!(
            ask("claude-haiku-4-5", &more).unwrap_err().code,
            Code::InvalidRequest,
            "{more}"
        );
    }
}

#[test]
fn a_reduced_profile_sends_less() {
    let body = with(
        "claude-opus-5-5",
        &json!({"thinking": {"type": "adaptive", "display": "omitted"},
        "tools": [{"name": "a", "input_schema": {"type": "object"}, "eager_input_streaming": true}]}),
    )
    .to_string();
    let betas = ["interleaved-thinking-2025-05-14,advanced-tool-use-2025-11-20"];
    let sent = |reductions: &[Reduction]| {
        let peeked = peek(body.as_bytes(), Operation::Messages).unwrap();
        let profile = reductions
            .iter()
            .fold(profile("claude-opus-5-5"), |p, r| p.reduced(r).unwrap());
        let prepared = prepare(
            &peeked,
            Headers {
                betas: &betas,
                version: None,
            },
            &profile,
        )
        .unwrap();
        (
            prepared.betas,
            serde_json::from_slice::<Value>(&prepared.body.to_vec()).unwrap(),
        )
    };
    assert_eq!(
        sent(&[Reduction::MinimalBetas]).0,
        ["tool-search-tool-2025-10-19"]
    );
    assert!(sent(&[Reduction::NoBetas]).0.is_empty());
    assert_eq!(
        sent(&[Reduction::Beta("tool-search-tool-2025-10-19".into())]).0,
        ["interleaved-thinking-2025-05-14"]
    );
    assert_eq!(sent(&[Reduction::MaxTokens(100)]).1["max_tokens"], 100);
    let without = sent(&[
        Reduction::Path("tools.0.custom.eager_input_streaming".into()),
        Reduction::Path("thinking.display".into()),
    ])
    .1;
    assert_eq!(without["tools"][0].get("eager_input_streaming"), None);
    assert_eq!(without["thinking"], json!({"type": "adaptive"}));
    let plain = profile("claude-opus-5-5");
    assert!(plain.reduced(&Reduction::Path("messages".into())).is_none());
    assert!(plain.reduced(&Reduction::MaxTokens(999_999)).is_none());
}

#[test]
fn counting_asks_with_a_body_that_could_be_invoked() {
    let body = r#"{"model":"claude-sonnet-4-5","messages":[{"role":"user","content":"foo"}],"tools":[],"thinking":{"type":"enabled","budget_tokens":10000}}"#;
    let peeked = peek(body.as_bytes(), Operation::CountTokens).unwrap();
    let outer: Value = serde_json::from_slice(
        &prepare_count(&peeked, Headers::default(), &profile(peeked.model()))
            .unwrap()
            .body,
    )
    .unwrap();
    let inner = outer["input"]["invokeModel"]["body"].as_str().unwrap();
    let inner: Value = serde_json::from_slice(&base64_simd::STANDARD.decode_to_vec(inner).unwrap()).unwrap();
    assert_eq!(
        inner,
        json!({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 10_001,
            "messages": [{"role": "user", "content": "foo"}], "thinking": {"type": "enabled", "budget_tokens": 10_000}})
    );
    assert_eq!(read_answer(br#"{"inputTokens":12}"#), Some(12));
    assert_eq!(answer(12), br#"{"input_tokens":12}"#);
}
