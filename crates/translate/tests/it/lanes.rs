//! The lanes that speak Anthropic's own format, and the tags of guardrails.

use crate::recorded::{folder, summary};
use ccag_domain::{Code, Lane, ModelName, Problem, catalogue};
use ccag_translate::count_tokens::{prepare_lane_count, read_lane_answer};
use ccag_translate::profile::{Profile, Reduction, RuleBook};
use ccag_translate::request::{Headers, Operation, Prepared, Target, peek, prepare_for};
use ccag_translate::search::Terms;
use serde_json::{Value, json};
use std::fmt::Write as _;

fn profile(lane: Lane, model: &str) -> Profile {
    let name = ModelName::canonical(model);
    let known = catalogue::models().into_iter().find(|m| m.name == name);
    RuleBook::of(lane).profile(&name, known.map_or(128_000, |m| m.max_output_tokens))
}

fn prepared(
    lane: Lane,
    body: &Value,
    betas: &[&str],
    version: Option<&str>,
) -> Result<Prepared<'static>, Problem> {
    let body = body.to_string().leak();
    let peeked = peek(body.as_bytes(), Operation::Messages)?;
    let target = Target {
        model: "us.anthropic.x",
        guard_suffix: None,
        streamed: false,
        terms: None,
        most_output: None,
        service_tier: None,
    };
    prepare_for(
        &peeked,
        Headers { betas, version },
        &profile(lane, peeked.model()),
        target,
    )
}

fn body_of(prepared: &Prepared<'_>) -> Value {
    serde_json::from_slice(&prepared.body.to_vec()).unwrap()
}

fn header<'p>(prepared: &'p Prepared<'_>, name: &str) -> Option<&'p str> {
    let found = prepared.headers.iter().find(|(n, _)| *n == name);
    found.map(|(_, value)| value.as_str())
}

fn ask(more: &Value) -> Value {
    let mut body = json!({"model": "claude-opus-5-5[1m]", "max_tokens": 9, "stream": true,
        "messages": [{"role": "user", "content": "hi"}]});
    for (key, value) in more.as_object().unwrap() {
        body[key] = value.clone();
    }
    body
}

const LANES: [Lane; 2] = [Lane::Messages, Lane::Mantle];

#[test]
fn model_and_stream_stay_in_the_body_and_betas_and_version_become_headers() {
    for lane in LANES {
        let more = json!({"anthropic_version": "x", "anthropic_beta": ["compact-2026-01-12"], "betas": []});
        let sent = prepared(
            lane,
            &ask(&more),
            &["claude-code-20250219, effort-2025-11-24"],
            None,
        )
        .unwrap();
        assert_eq!(
            body_of(&sent),
            json!({"model": "us.anthropic.x", "max_tokens": 9, "stream": true,
                "messages": [{"role": "user", "content": "hi"}]})
        );
        assert_eq!(header(&sent, "anthropic-version"), Some("2023-06-01"));
        assert_eq!(
            header(&sent, "anthropic-beta"),
            Some("claude-code-20250219,effort-2025-11-24,compact-2026-01-12,context-1m-2025-08-07"),
            "{lane}"
        );
        let strict = prepared(lane, &ask(&json!({})), &[], Some("2026-10-21")).unwrap();
        assert_eq!(header(&strict, "anthropic-version"), Some("2026-10-21"));
    }
    let im = prepared(
        Lane::InvokeModel,
        &ask(&json!({})),
        &["claude-code-20250219"],
        None,
    )
    .unwrap();
    assert!(im.headers.is_empty());
}

#[test]
fn the_users_id_becomes_letters_and_digits_where_nothing_else_is_taken() {
    let more = json!({"metadata": {"user_id": "{\"device_id\":\"d\",\"session_id\":\"s\"}"}});
    let id = |lane| {
        let sent = prepared(lane, &ask(&more), &[], None).unwrap();
        body_of(&sent)["metadata"]["user_id"].as_str().unwrap().to_owned()
    };
    let rewritten = id(Lane::Messages);
    assert!(rewritten.len() == 32 && rewritten.bytes().all(|b| b.is_ascii_hexdigit()));
    assert_eq!(rewritten, id(Lane::Messages), "the same on every turn");
    assert_eq!(id(Lane::Mantle), more["metadata"]["user_id"]);
    assert_eq!(id(Lane::InvokeModel), more["metadata"]["user_id"]);
}

#[test]
fn what_nobody_has_heard_of_is_sent_once_and_left_out_when_it_is_named() {
    for lane in LANES {
        let body = ask(&json!({"novelty": 1, "output_config": {"effort": "low", "shape": 1}})).to_string();
        let peeked = peek(body.as_bytes(), Operation::Messages).unwrap();
        let headers = Headers {
            betas: &["novel-2030-01-01,claude-code-20250219"],
            version: None,
        };
        let mut rules = profile(lane, "claude-opus-5-5");
        let send = |rules: &Profile| prepare_for(&peeked, headers, rules, Target::default()).unwrap();
        let first = send(&rules);
        assert!(
            header(&first, "anthropic-beta")
                .unwrap()
                .contains("novel-2030-01-01")
        );
        assert_eq!(body_of(&first)["novelty"], 1);
        for refused in [
            Reduction::Beta("novel-2030-01-01".into()),
            Reduction::Path("novelty".into()),
            Reduction::Path("output_config.shape".into()),
        ] {
            rules = rules.reduced(&refused).unwrap();
        }
        let second = send(&rules);
        let betas = header(&second, "anthropic-beta").unwrap();
        assert!(
            !betas.contains("novel") && betas.contains("claude-code-20250219"),
            "{betas}"
        );
        assert_eq!(body_of(&second)["novelty"], Value::Null);
        assert_eq!(body_of(&second)["output_config"], json!({"effort": "low"}));
    }
}

#[test]
fn a_client_cannot_steer_guardrails_or_leave_by_server_tools() {
    for lane in Lane::ALL {
        for more in [
            json!({"amazon-bedrock-guardrailConfig": {"tagSuffix": "x"}}),
            json!({"amazon-bedrock-guardrailAction": "NONE"}),
            json!({"mcp_servers": []}),
            json!({"tools": [{"type": "web_fetch_20250910", "name": "web_fetch"}]}),
        ] {
            let problem = prepared(lane, &ask(&more), &[], None).unwrap_err();
            assert_eq!(problem.code, Code::PolicyBlocked, "{lane} {more}");
        }
    }
}

#[test]
fn context_management_stays_with_its_beta() {
    let more = json!({"context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]}});
    for lane in LANES {
        let sent = prepared(lane, &ask(&more), &[], None).unwrap();
        assert_eq!(body_of(&sent)["context_management"], more["context_management"]);
        assert!(
            header(&sent, "anthropic-beta")
                .unwrap()
                .contains("context-management-2025-06-27")
        );
    }
}

#[test]
fn counting_takes_the_base_model_and_no_limit() {
    let body = json!({"model": "claude-opus-5-5", "tools": [], "metadata": {"user_id": "u"}, "stream": false,
        "messages": [{"role": "user", "content": "hi"}]});
    let body = body.to_string();
    let peeked = peek(body.as_bytes(), Operation::CountTokens).unwrap();
    let rules = profile(Lane::Mantle, "claude-opus-5-5");
    let headers = Headers {
        betas: &["token-counting-2024-11-01,claude-code-20250219"],
        version: None,
    };
    let count = prepare_lane_count(
        &peeked,
        headers,
        &rules,
        ("anthropic.claude-opus-5-5", &Terms::default()),
    )
    .unwrap();
    assert_eq!(
        serde_json::from_slice::<Value>(&count.body).unwrap(),
        json!({"model": "anthropic.claude-opus-5-5", "messages": [{"role": "user", "content": "hi"}]})
    );
    assert!(
        count
            .headers
            .contains(&("anthropic-beta", "claude-code-20250219".to_owned()))
    );
    assert_eq!(read_lane_answer(br#"{"input_tokens":7}"#), Some(7));
    assert_eq!(read_lane_answer(br#"{"inputTokens":7}"#), None);
}

#[test]
fn what_users_and_tools_say_is_tagged_for_the_guardrail_and_nothing_else() {
    let body = json!({"model": "claude-opus-5-5", "max_tokens": 9, "system": "be kind", "messages": [
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": [{"type": "text", "text": "two"}, {"type": "tool_use", "id": "t", "name": "n", "input": {}}]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "t", "content": "three"},
            {"type": "tool_result", "tool_use_id": "u", "content": [{"type": "text", "text": "fo\"ur"}]},
            {"type": "text", "text": ""},
            {"type": "text", "text": "five"}]},
        {"role": "system", "content": "six"}]});
    let text = body.to_string();
    let peeked = peek(text.as_bytes(), Operation::Messages).unwrap();
    let tagged = |lane| {
        let target = Target {
            model: "m",
            guard_suffix: Some("abc123"),
            streamed: false,
            terms: None,
            most_output: None,
            service_tier: None,
        };
        let rules = profile(lane, "claude-opus-5-5");
        body_of(&prepare_for(&peeked, Headers::default(), &rules, target).unwrap())
    };
    let sent = tagged(Lane::InvokeModel);
    let tag = |text: &str| {
        let name = "amazon-bedrock-guardrails-guardContent_abc123";
        Value::String(format!("<{name}>{text}</{name}>"))
    };
    assert_eq!(
        sent["amazon-bedrock-guardrailConfig"],
        json!({"tagSuffix": "abc123"})
    );
    for (at, wanted) in [
        ("/messages/0/content", tag("one")),
        ("/messages/1/content/0/text", json!("two")),
        ("/messages/2/content/0/content", tag("three")),
        ("/messages/2/content/1/content/0/text", tag("fo\"ur")),
        ("/messages/2/content/2/text", json!("")),
        ("/messages/2/content/3/text", tag("five")),
        ("/messages/3/content", json!("six")),
        ("/system", json!("be kind")),
    ] {
        assert_eq!(sent.pointer(at), Some(&wanted), "{at}");
    }
    assert_eq!(
        tagged(Lane::Messages)["messages"],
        body["messages"],
        "only InvokeModel knows tags"
    );
}

#[test]
fn a_lane_is_asked_for_a_stream_where_the_gateway_wants_one() {
    for said in [json!(null), json!(false), json!(true)] {
        let mut body = json!({"model": "claude-opus-5-5", "max_tokens": 9, "stream": said,
            "messages": [{"role": "user", "content": "one"}]});
        for present in [true, false] {
            if !present {
                body.as_object_mut().unwrap().remove("stream");
            }
            let text = body.to_string();
            let peeked = peek(text.as_bytes(), Operation::Messages).unwrap();
            let streamed = |lane, streamed| {
                let target = Target {
                    model: "m",
                    streamed,
                    ..Target::default()
                };
                let rules = profile(lane, "claude-opus-5-5");
                body_of(&prepare_for(&peeked, Headers::default(), &rules, target).unwrap())["stream"].clone()
            };
            for lane in [Lane::Messages, Lane::Mantle] {
                assert_eq!(streamed(lane, true), json!(true));
                assert_eq!(
                    streamed(lane, false),
                    body["stream"],
                    "else it is the client's wish"
                );
            }
            assert_eq!(streamed(Lane::InvokeModel, true), Value::Null);
        }
    }
}

#[test]
fn a_text_that_gets_a_marker_of_its_own_is_tagged_all_the_same() {
    let body = json!({"model": "claude-opus-4-5", "max_tokens": 9, "cache_control": {"type": "ephemeral"},
        "messages": [{"role": "user", "content": "one"}]});
    let text = body.to_string();
    let peeked = peek(text.as_bytes(), Operation::Messages).unwrap();
    let target = Target {
        model: "m",
        guard_suffix: Some("s"),
        streamed: false,
        terms: None,
        most_output: None,
        service_tier: None,
    };
    let rules = profile(Lane::InvokeModel, "claude-opus-4-5");
    let sent = body_of(&prepare_for(&peeked, Headers::default(), &rules, target).unwrap());
    let tagged = sent
        .pointer("/messages/0/content/0/text")
        .unwrap()
        .as_str()
        .unwrap();
    assert!(
        tagged.starts_with("<amazon-bedrock-guardrails-guardContent_s>one</"),
        "{sent}"
    );
}

/// `UPDATE_GOLDEN=1` writes the files anew.
#[test]
fn recorded_requests_become_what_each_lanes_golden_files_say() {
    for lane in LANES {
        let mut seen = 0;
        for entry in std::fs::read_dir(folder("fixtures")).unwrap() {
            let file = entry.unwrap().path();
            let stem = file.file_stem().unwrap().to_str().unwrap();
            let golden = folder("golden").join(lane.as_str()).join(format!("{stem}.txt"));
            let now = translated(lane, &std::fs::read_to_string(&file).unwrap());
            if std::env::var_os("UPDATE_GOLDEN").is_some() {
                std::fs::create_dir_all(golden.parent().unwrap()).unwrap();
                std::fs::write(&golden, &now).unwrap();
            }
            let then = std::fs::read_to_string(&golden).unwrap_or_default();
            assert!(now == then, "{} differs; now:\n{now}", golden.display());
            seen += 1;
        }
        assert!(seen >= 15, "{seen} recordings");
    }
}

fn translated(lane: Lane, recorded: &str) -> String {
    let requests: Vec<Value> = serde_json::from_str(recorded).unwrap();
    let mut out = String::new();
    for (i, request) in requests.iter().enumerate() {
        if request["path"].as_str().unwrap().contains("count_tokens") {
            continue;
        }
        let model = request["body"]["model"].as_str().unwrap();
        let betas: Vec<&str> = request["betas"].as_str().into_iter().collect();
        let _ = writeln!(out, "== {i} {model}");
        match prepared(lane, &request["body"], &betas, request["version"].as_str()) {
            Err(problem) => {
                let _ = writeln!(
                    out,
                    "refused: {} {}",
                    problem.code.anthropic_type(),
                    problem.message
                );
            }
            Ok(prepared) => {
                for (name, value) in &prepared.headers {
                    let _ = writeln!(out, "{name}: {value}");
                }
                out.push_str(&summary(&body_of(&prepared)));
                for dropped in &prepared.dropped {
                    let kind = dropped.kind.as_str();
                    let _ = writeln!(out, "dropped {kind} {} known={}", dropped.name, dropped.known);
                }
            }
        }
    }
    out
}

#[test]
fn no_more_output_is_asked_for_than_there_is_and_a_budget_for_thinking_fits_under_it() {
    let bounded = |body: Value, most: u64| {
        let body = body.to_string();
        let peeked = peek(body.as_bytes(), Operation::Messages).unwrap();
        let target = Target {
            most_output: Some(most),
            ..Target::default()
        };
        let headers = Headers {
            betas: &[],
            version: None,
        };
        let profile = profile(Lane::InvokeModel, peeked.model());
        body_of(&prepare_for(&peeked, headers, &profile, target).unwrap())
    };
    let ask = |tokens: u64| {
        json!({"model": "claude-haiku-4-5", "max_tokens": tokens,
               "messages": [{"role": "user", "content": "hi"}]})
    };
    assert_eq!(bounded(ask(32_000), 5_000)["max_tokens"], 5_000);
    assert_eq!(bounded(ask(1_000), 5_000)["max_tokens"], 1_000);
    // What the model can give bounds it as well.
    assert_eq!(bounded(ask(1_000_000), 900_000)["max_tokens"], 64_000);
    let mut thinking = ask(32_000);
    thinking["thinking"] = json!({"type": "enabled", "budget_tokens": 16_000});
    let sent = bounded(thinking, 5_000);
    assert_eq!(sent["max_tokens"], 5_000);
    assert_eq!(sent["thinking"]["budget_tokens"], 4_999);
}
