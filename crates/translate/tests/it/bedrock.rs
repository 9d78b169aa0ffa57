//! What we make of recorded requests, held against Bedrock's own strictness (the simulator's) and against what Claude Code's
//! own Bedrock client sends.

use crate::max_output_tokens;
use ccag_domain::{Code, Problem, catalogue};
use ccag_translate::count_tokens::prepare_count;
use ccag_translate::profile::{Profile, RuleBook};
use ccag_translate::request::{Headers, Operation, peek, prepare};
use serde_json::{Value, json};
use std::path::Path;

/// One recorded request.
struct Recorded {
    name: String,
    counting: bool,
    betas: String,
    body: Value,
}

/// All requests of a model that were recorded from Claude Code.
fn recordings() -> Vec<Recorded> {
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../standalone/tests/fixtures/client-requests");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let mut recorded = Vec::new();
    for file in files {
        let whole: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        for request in whole["requests"].as_array().unwrap() {
            let path = request["path"].as_str().unwrap();
            if !path.starts_with("/v1/messages") {
                continue;
            }
            let headers = request["headers"].as_array().unwrap();
            let named = |header: &&Value| header[0].as_str().unwrap().eq_ignore_ascii_case("anthropic-beta");
            let betas = headers
                .iter()
                .find(named)
                .map(|header| header[1].as_str().unwrap());
            recorded.push(Recorded {
                name: file.file_stem().unwrap().to_string_lossy().into_owned(),
                counting: path.contains("count_tokens"),
                betas: betas.unwrap_or_default().to_owned(),
                body: request["body"].clone(),
            });
        }
    }
    recorded
}

fn recording(name: &str) -> Vec<Recorded> {
    let found: Vec<Recorded> = recordings().into_iter().filter(|r| r.name == name).collect();
    assert!(!found.is_empty(), "{name} is not there");
    found
}

fn profile(model: &str) -> Profile {
    let name = ccag_translate::model::asked(model).name;
    RuleBook::invoke_model().profile(&name, max_output_tokens(&name))
}

/// What Bedrock calls a model.
fn bedrock_id(model: &str) -> String {
    let name = ccag_translate::model::asked(model).name;
    let known = catalogue::models()
        .into_iter()
        .find(|m| m.name == name || m.aliases.contains(&name));
    format!("global.{}", known.unwrap().bedrock_id)
}

/// The body for Bedrock.
fn translated(body: &Value, betas: &str, profile: &Profile, counting: bool) -> Result<Value, Problem> {
    let text = body.to_string();
    let headers = Headers {
        betas: &[betas],
        version: Some("2023-06-01"),
    };
    if counting {
        let peeked = peek(text.as_bytes(), Operation::CountTokens)?;
        let outer: Value = serde_json::from_slice(&prepare_count(&peeked, headers, profile)?.body).unwrap();
        let inner = outer
            .pointer("/input/invokeModel/body")
            .and_then(Value::as_str)
            .unwrap();
        let inner = base64_simd::STANDARD.decode_to_vec(inner).unwrap();
        return Ok(serde_json::from_slice(&inner).unwrap());
    }
    let peeked = peek(text.as_bytes(), Operation::Messages)?;
    Ok(serde_json::from_slice(&prepare(&peeked, headers, profile)?.body.to_vec()).unwrap())
}

/// As [`translated`], with what the client does by itself after a refusal that names `safeguards`.
fn as_the_client_would(recorded: &Recorded, betas: &str, profile: &Profile) -> Result<Value, Problem> {
    match translated(&recorded.body, betas, profile, recorded.counting) {
        Err(problem) if problem.code == Code::InvalidRequest && problem.message.contains("safeguards") => {
            let mut body = recorded.body.clone();
            body.as_object_mut().unwrap().shift_remove("safeguards");
            translated(&body, betas, profile, recorded.counting)
        }
        other => other,
    }
}

const MODELS: [&str; 12] = [
    "claude-opus-5-5",
    "claude-sonnet-5-5",
    "claude-haiku-5-5",
    "claude-opus-5",
    "claude-sonnet-5",
    "claude-opus-4-8",
    "claude-opus-4-7",
    "claude-opus-4-6",
    "claude-sonnet-4-6",
    "claude-opus-4-5",
    "claude-sonnet-4-5",
    "claude-haiku-4-5",
];

/// The two that are asked for an output format first, and told in words after a refusal.
const TRIED: [&str; 2] = ["claude-opus-5", "claude-sonnet-5"];

#[test]
fn bedrock_takes_every_recorded_request_on_every_model() {
    let mut wrong = Vec::new();
    let mut taken = 0;
    for recorded in recordings() {
        for model in MODELS {
            let mut profile = profile(model);
            if TRIED.contains(&model) {
                let refused = ccag_translate::profile::Reduction::Path("output_config.format".to_owned());
                profile = profile.reduced(&refused).unwrap();
            }
            for more in ["", ",context-1m-2025-08-07"] {
                let betas = format!("{}{more}", recorded.betas);
                let tools = recorded.body["tools"].as_array().into_iter().flatten();
                let searches = tools
                    .filter_map(|tool| tool["type"].as_str())
                    .any(|kind| kind.starts_with("web_search_"));
                match as_the_client_would(&recorded, &betas, &profile) {
                    Ok(body) => match bedrock_sim::check(&bedrock_id(model), &body) {
                        Ok(()) => taken += 1,
                        Err(message) => wrong.push(format!("{} on {model}: {message}", recorded.name)),
                    },
                    // Who searches the web is not Bedrock: the search tool never gets this far.
                    Err(problem) if searches && problem.code == Code::PolicyBlocked => {}
                    Err(problem) => wrong.push(format!("{} on {model} is refused: {problem}", recorded.name)),
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(taken > 900, "{taken} requests");
}

/// What Claude Code sends to a gateway for a model, and what its own Bedrock client sends for the same.
struct Native {
    model: &'static str,
    /// Beside `claude-code-20250219`.
    betas: &'static str,
    thinking: Value,
    effort: Option<&'static str>,
    system_messages: bool,
    max_tokens: u64,
    native_betas: &'static str,
    native_thinking: Value,
}

fn natives() -> Vec<Native> {
    let omitted = || json!({"type": "adaptive", "display": "omitted"});
    let budget = || json!({"type": "enabled", "budget_tokens": 31_999, "display": "omitted"});
    let native_budget = || json!({"type": "enabled", "budget_tokens": 31_999});
    let adaptive = || json!({"type": "adaptive"});
    let row =
        |model, betas, thinking, effort, system_messages, max_tokens, native_betas, native_thinking| Native {
            model,
            betas,
            thinking,
            effort,
            system_messages,
            max_tokens,
            native_betas,
            native_thinking,
        };
    let mut rows = Vec::new();
    for model in [
        "claude-opus-5-5",
        "claude-sonnet-5-5",
        "claude-haiku-5-5",
        "claude-fable-5-2",
    ] {
        rows.push(row(
            model,
            "IT CM PTC MTC TTC ATU EF",
            omitted(),
            Some("medium"),
            true,
            128_000,
            "IT TST TTC",
            omitted(),
        ));
    }
    rows.push(row(
        "claude-opus-4-8",
        "IT CM MTC TTC ATU EF",
        omitted(),
        Some("high"),
        true,
        64_000,
        "IT TST TTC",
        omitted(),
    ));
    rows.push(row(
        "claude-opus-4-7",
        "IT CM TTC ATU EF",
        omitted(),
        Some("xhigh"),
        false,
        64_000,
        "IT TST TTC",
        omitted(),
    ));
    rows.push(row(
        "claude-sonnet-4-6",
        "IT CM TTC ATU EF",
        omitted(),
        Some("high"),
        false,
        32_000,
        "IT TST",
        adaptive(),
    ));
    rows.push(row(
        "claude-sonnet-4-6",
        "IT CM TTC ATU EF 1M",
        omitted(),
        Some("high"),
        false,
        32_000,
        "IT TST 1M",
        adaptive(),
    ));
    rows.push(row(
        "claude-opus-4-6",
        "IT CM TTC ATU EF",
        omitted(),
        Some("high"),
        false,
        64_000,
        "IT TST",
        adaptive(),
    ));
    rows.push(row(
        "claude-sonnet-4-5",
        "IT CM TTC ATU",
        budget(),
        None,
        false,
        32_000,
        "IT TST",
        native_budget(),
    ));
    rows.push(row(
        "claude-haiku-4-5",
        "IT CM TTC ATU",
        budget(),
        None,
        false,
        32_000,
        "TST",
        native_budget(),
    ));
    rows
}

/// The full names of betas.
fn spelt(short: &str) -> Vec<&'static str> {
    let full = |short: &str| match short {
        "IT" => "interleaved-thinking-2025-05-14",
        "CM" => "context-management-2025-06-27",
        "PTC" => "per-turn-control-2026-07-01",
        "MTC" => "mid-conversation-tool-changes-2026-07-01",
        "TTC" => "thinking-token-count-2026-05-13",
        "ATU" => "advanced-tool-use-2025-11-20",
        "TST" => "tool-search-tool-2025-10-19",
        "EF" => "effort-2025-11-24",
        "1M" => "context-1m-2025-08-07",
        other => panic!("{other}"),
    };
    let mut names: Vec<&str> = short.split(' ').map(full).collect();
    names.sort_unstable();
    names
}

#[test]
fn bedrock_gets_what_claude_codes_own_bedrock_client_would_send() {
    let with_system = recording("2.1.330-plain").remove(0).body;
    let without_system = recording("2.1.330-model_sonnet_4_6").remove(0).body;
    for native in natives() {
        let mut body = if native.system_messages {
            with_system.clone()
        } else {
            without_system.clone()
        };
        body["model"] = native.model.into();
        body["max_tokens"] = native.max_tokens.into();
        body["thinking"] = native.thinking.clone();
        match native.effort {
            Some(effort) => body["output_config"] = json!({"effort": effort}),
            None => drop(body.as_object_mut().unwrap().shift_remove("output_config")),
        }
        let betas = format!("claude-code-20250219,{}", spelt(native.betas).join(","));
        let sent = translated(&body, &betas, &profile(native.model), false).unwrap();

        let mut sent_betas: Vec<&str> = sent["anthropic_beta"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(Value::as_str)
            .collect();
        sent_betas.sort_unstable();
        let what = native.model;
        assert_eq!(sent_betas, spelt(native.native_betas), "{what}");
        assert_eq!(sent["thinking"], native.native_thinking, "{what}");
        assert_eq!(
            sent.get("output_config"),
            native.effort.map(|e| json!({"effort": e})).as_ref(),
            "{what}"
        );
        assert_eq!(sent["max_tokens"], native.max_tokens, "{what}");
        assert_eq!(sent["metadata"], body["metadata"], "{what}");
        for gone in ["context_management", "model", "stream"] {
            assert!(
                body.get(gone).is_some() && sent.get(gone).is_none(),
                "{what}: {gone}"
            );
        }
        // The client says the effort again on its system message; its own Bedrock client does not.
        let roles = |body: &Value| -> Vec<Value> {
            let messages = body["messages"].as_array().unwrap();
            messages.iter().map(|m| m["role"].clone()).collect()
        };
        assert_eq!(roles(&sent), roles(&body), "{what}");
        let system = body["messages"]
            .as_array()
            .unwrap()
            .iter()
            .position(|m| m["role"] == "system");
        assert_eq!(system.is_some(), native.system_messages);
        if let Some(at) = system {
            assert!(body["messages"][at].get("output_config").is_some());
            assert_eq!(
                sent["messages"][at]["content"], body["messages"][at]["content"],
                "{what}"
            );
            assert!(sent["messages"][at].get("output_config").is_none(), "{what}");
        }
        assert_eq!(
            bedrock_sim::check(&bedrock_id(native.model), &sent),
            Ok(()),
            "{what}"
        );
    }
}

/// The second turn of a recorded conversation with the thinking that the first was answered with.
fn with_thinking(turn: &Value, signature: &str) -> Value {
    let mut turn = turn.clone();
    let messages = turn["messages"].as_array_mut().unwrap();
    let answer = messages.iter_mut().find(|m| m["role"] == "assistant").unwrap();
    let thinking = json!({"type": "thinking", "thinking": "", "signature": signature});
    answer["content"].as_array_mut().unwrap().insert(0, thinking);
    turn
}

/// Models that sign their thinking together with the whole history before it.
const SIGNING: [&str; 4] = [
    "claude-opus-5-5",
    "claude-sonnet-5-5",
    "claude-haiku-5-5",
    "claude-fable-5-1",
];

#[test]
fn signed_thinking_fits_what_the_next_turn_sends() {
    let conversations = [
        "2.1.330-tool_use",
        "2.1.330-tool_search",
        "2.1.330-structured_output",
        "2.1.197-tool_use",
    ];
    for name in conversations {
        let turns = recording(name);
        let [first, second] = [&turns[0], &turns[1]];
        for model in SIGNING {
            let (profile, id) = (profile(model), bedrock_id(model));
            let asked = translated(&first.body, &first.betas, &profile, false).unwrap();
            let signature = bedrock_sim::sign_thinking(&id, "", &asked).unwrap();
            let next = with_thinking(&second.body, &signature);
            let sent = translated(&next, &second.betas, &profile, false).unwrap();
            assert_eq!(bedrock_sim::check(&id, &sent), Ok(()), "{name} on {model}");

            // Another rule for the system prompt between the two turns is noticed.
            let mut rules: Value =
                serde_json::from_str(include_str!("../../profiles/invoke-model.json")).unwrap();
            rules["system_texts"][0]["do"] = "keep".into();
            let changed = RuleBook::from_json(rules.to_string().as_bytes()).unwrap();
            let changed = changed.profile(&profile.model, 128_000);
            let sent = translated(&next, &second.betas, &changed, false).unwrap();
            let refusal = bedrock_sim::check(&id, &sent).unwrap_err();
            assert!(
                refusal.contains("bound to a different conversation"),
                "{name} on {model}: {refusal}"
            );
        }
    }
}
