//! Web search: the tool, the stream, and the way back.

use crate::profile;
use ccag_domain::{Code, Problem, SealKey, SearchHit};
use ccag_translate::request::{
    Headers, Operation, Peeked, Prepared, Target, peek, prepare_for, prepare_with,
};
use ccag_translate::search::{
    Merged, Next, SearchError, SearchOutcome, Shortcut, Terms, asked, continued, shortcut,
};
use ccag_translate::stream::{Fed, StreamOptions, StreamTranslator};
use proptest::prelude::*;
use serde_json::{Value, json};

const MODEL: &str = "claude-opus-5-5";

fn key() -> SealKey {
    SealKey::new([7; 32])
}

fn terms() -> Terms {
    Terms {
        enabled: true,
        key: Some(key()),
    }
}

fn peeked(body: &[u8]) -> Peeked<'_> {
    peek(body, Operation::Messages).unwrap()
}

fn prepared<'t>(body: &'t [u8], terms: &Terms) -> Result<Prepared<'t>, Problem> {
    prepare_with(&peeked(body), Headers::default(), &profile(MODEL), terms)
}

fn sent(body: &Value) -> Value {
    let body = body.to_string();
    let prepared = prepared(body.as_bytes(), &terms()).unwrap();
    serde_json::from_slice(&prepared.body.to_vec()).unwrap()
}

fn search_tool() -> Value {
    json!({"type": "web_search_20250305", "name": "web_search", "max_uses": 8})
}

fn request(tools: &Value, messages: &Value) -> Value {
    json!({"model": MODEL, "max_tokens": 1000, "stream": true, "tools": tools, "messages": messages})
}

fn hit(n: usize) -> SearchHit {
    SearchHit {
        url: format!("https://example.com/{n}"),
        title: format!("Pagina {n} “ünïcode” \\ \"q\""),
        text: format!("text of {n}\nwith a line"),
        age: n.is_multiple_of(2).then(|| "2 days ago".to_owned()),
    }
}

/// One thing that a model says.
#[derive(Debug, Clone)]
enum Said {
    Thinking,
    Text(String),
    Cited(usize),
    Search(String),
    Bash,
}

/// The events of one call of the model's.
fn call(n: usize, said: &[Said], reason: &str) -> Vec<Value> {
    let mut events = vec![
        json!({"type": "message_start", "message": {"id": format!("msg_bdrk_{n}"), "type": "message",
        "role": "assistant", "model": "us.anthropic.claude-opus-5-5", "content": [], "stop_reason": null,
        "stop_sequence": null, "usage": {"input_tokens": 10, "cache_read_input_tokens": 3, "output_tokens": 1}}}),
    ];
    for (i, one) in said.iter().enumerate() {
        let (start, deltas) = match one {
            Said::Thinking => (
                json!({"type": "thinking", "thinking": "", "signature": ""}),
                vec![
                    json!({"type": "thinking_delta", "thinking": "hm\n"}),
                    json!({"type": "signature_delta", "signature": format!("sig{n}{i}")}),
                ],
            ),
            Said::Text(text) => (
                json!({"type": "text", "text": ""}),
                text.split_inclusive(' ')
                    .map(|t| json!({"type": "text_delta", "text": t}))
                    .collect(),
            ),
            Said::Cited(index) => (
                json!({"type": "text", "text": "", "citations": []}),
                vec![
                    json!({"type": "citations_delta", "citation": {"type": "search_result_location",
                        "cited_text": "long ".repeat(60), "source": format!("https://example.com/{index}"),
                        "title": "Page", "search_result_index": index, "start_block_index": 0, "end_block_index": 1}}),
                    json!({"type": "text_delta", "text": "cited"}),
                ],
            ),
            Said::Search(query) => {
                let input = json!({"query": query}).to_string();
                let at = input.floor_char_boundary(input.len() / 2);
                (
                    json!({"type": "tool_use", "id": format!("toolu_bdrk_{n}x{i}"), "name": "web_search", "input": {}}),
                    vec![
                        json!({"type": "input_json_delta", "partial_json": &input[..at]}),
                        json!({"type": "input_json_delta", "partial_json": &input[at..]}),
                    ],
                )
            }
            Said::Bash => (
                json!({"type": "tool_use", "id": format!("toolu_bdrk_{n}b{i}"), "name": "Bash", "input": {}}),
                vec![json!({"type": "input_json_delta", "partial_json": "{\"command\":\"ls\"}"})],
            ),
        };
        events.push(json!({"type": "content_block_start", "index": i, "content_block": start}));
        events.extend(
            deltas
                .into_iter()
                .map(|d| json!({"type": "content_block_delta", "index": i, "delta": d})),
        );
        events.push(json!({"type": "content_block_stop", "index": i}));
    }
    events.push(
        json!({"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": null},
        "usage": {"output_tokens": 5}}),
    );
    events.push(json!({"type": "message_stop"}));
    events
}

fn feed(merged: &mut Merged, events: &[Value], out: &mut Vec<u8>) {
    let options = StreamOptions {
        model: MODEL.to_owned(),
        ..StreamOptions::default()
    };
    let mut translator = StreamTranslator::new(options);
    for event in events {
        let mut written = Vec::new();
        assert_eq!(
            translator.feed(event.to_string().as_bytes(), &mut written),
            Ok(Fed::Passed)
        );
        merged.feed(&written, out);
    }
}

/// What came of a request.
struct Served {
    /// The bodies of all calls.
    upstream: Vec<Vec<u8>>,
    sse: String,
    whole: Value,
    searches: u32,
}

/// Carries out the loop with a model by script and a search that finds `hits` pages.
fn serve(body: &Value, calls: &[(Vec<Said>, &str)], outcome: impl Fn(&str) -> SearchOutcome) -> Served {
    let mut body = body.to_string().into_bytes();
    let first = body.clone();
    let tool = asked(&peeked(&first)).unwrap().unwrap();
    let mut merged = Merged::new(tool, key());
    let (mut upstream, mut out) = (Vec::new(), Vec::new());
    for n in 0.. {
        upstream.push(prepared(&body, &terms()).unwrap().body.to_vec());
        let (said, reason) = calls.get(n).or(calls.last()).unwrap();
        feed(&mut merged, &call(n, said, reason), &mut out);
        let Next::Search(wanted) = merged.call_ended(&mut out) else {
            break;
        };
        for search in wanted {
            let outcome = match &search.query {
                Ok(query) => outcome(query),
                Err(error) => SearchOutcome::Failed(*error),
            };
            merged.result(&search.id, &outcome, &mut out);
        }
        if !merged.goes_on() {
            break;
        }
        body = continued(&peeked(&first), merged.content());
    }
    merged.finish(&mut out);
    out.extend_from_slice(Merged::stop());
    Served {
        upstream,
        sse: String::from_utf8(out).unwrap(),
        whole: serde_json::from_slice(&merged.whole()).unwrap(),
        searches: merged.searches(),
    }
}

/// The events of a stream.
fn events(sse: &str) -> Vec<Value> {
    sse.split("\n\n")
        .filter(|e| !e.is_empty())
        .map(|event| {
            let (kind, data) = event.split_once("\ndata: ").unwrap();
            let data: Value = serde_json::from_str(data).unwrap();
            assert_eq!(kind.strip_prefix("event: ").unwrap(), data["type"]);
            data
        })
        .collect()
}

/// Reads a stream as the SDKs do.
fn accumulated(sse: &str) -> Value {
    let (mut message, mut inputs) = (Value::Null, std::collections::HashMap::<u64, String>::new());
    let mut stops = 0;
    for event in events(sse) {
        let at = event["index"].as_u64();
        match event["type"].as_str().unwrap() {
            "message_start" => {
                assert_eq!(message, Value::Null, "one message_start");
                message = event["message"].clone();
            }
            "content_block_start" => {
                let content = message["content"].as_array_mut().unwrap();
                assert_eq!(content.len() as u64, at.unwrap(), "indexes run on");
                content.push(event["content_block"].clone());
            }
            "content_block_delta" => {
                let block = &mut message["content"][usize::try_from(at.unwrap()).unwrap()];
                let delta = &event["delta"];
                let append = |block: &mut Value, name: &str| {
                    let text = format!(
                        "{}{}",
                        block[name].as_str().unwrap(),
                        delta[name].as_str().unwrap()
                    );
                    block[name] = json!(text);
                };
                match delta["type"].as_str().unwrap() {
                    "text_delta" => append(block, "text"),
                    "thinking_delta" => append(block, "thinking"),
                    "signature_delta" => block["signature"] = delta["signature"].clone(),
                    "citations_delta" => {
                        let list = block["citations"].as_array_mut().unwrap();
                        list.push(delta["citation"].clone());
                    }
                    "input_json_delta" => {
                        let input = inputs.entry(at.unwrap()).or_default();
                        input.push_str(delta["partial_json"].as_str().unwrap());
                        block["input"] = serde_json::from_str(input).unwrap_or_else(|_| json!({}));
                    }
                    other => panic!("{other}"),
                }
            }
            "message_delta" => {
                for (name, value) in event["delta"].as_object().unwrap() {
                    message[name] = value.clone();
                }
                for (name, value) in event["usage"].as_object().unwrap() {
                    message["usage"][name] = value.clone();
                }
            }
            "message_stop" => stops += 1,
            _ => {}
        }
    }
    assert_eq!(stops, 1);
    message
}

/// The `messages` of a body, as it is spelt.
fn messages(body: &[u8]) -> String {
    let text = std::str::from_utf8(body).unwrap();
    let parsed: std::collections::HashMap<String, Box<serde_json::value::RawValue>> =
        serde_json::from_str(text).unwrap();
    parsed["messages"].get().to_owned()
}

fn two_calls() -> Vec<(Vec<Said>, &'static str)> {
    vec![
        (
            vec![
                Said::Thinking,
                Said::Text("I will look. ".into()),
                Said::Search("rust axum".into()),
            ],
            "tool_use",
        ),
        (
            vec![Said::Thinking, Said::Text("Found: ".into()), Said::Cited(1)],
            "end_turn",
        ),
    ]
}

fn found(_: &str) -> SearchOutcome {
    SearchOutcome::Hits(vec![hit(0), hit(1)])
}

#[test]
fn the_server_tool_becomes_an_ordinary_one() {
    let mut tool = search_tool();
    tool["cache_control"] = json!({"type": "ephemeral", "scope": "global"});
    let bash = json!({"name": "Bash", "input_schema": {"type": "object"}});
    let ask = json!([{"role": "user", "content": "hi"}]);
    let sent = sent(&request(&json!([bash, tool]), &ask));
    assert_eq!(sent["tools"][0], bash);
    assert_eq!(sent["tools"][1]["name"], "web_search");
    assert_eq!(sent["tools"][1]["input_schema"]["required"], json!(["query"]));
    assert_eq!(sent["tools"][1]["cache_control"], json!({"type": "ephemeral"}));
    assert_eq!(sent["tools"][1].get("type"), None);
    assert_eq!(sent["tools"][1].get("max_uses"), None);
}

#[test]
fn a_clients_own_tool_keeps_its_name_and_is_never_taken_for_the_servers() {
    let own = |name: &str| json!({"name": name, "input_schema": {"type": "object"}});
    let ask = json!([{"role": "user", "content": "hi"}]);
    let body = request(&json!([own("web_search"), own("WebSearch"), search_tool()]), &ask);
    let out = sent(&body);
    let names: Vec<_> = out["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| &t["name"])
        .collect();
    assert_eq!(names, ["web_search", "WebSearch", "web_search_gw"]);
    let body = body.to_string();
    let tool = asked(&peeked(body.as_bytes())).unwrap().unwrap();
    assert_eq!(
        (tool.name.as_str(), tool.upstream_name.as_str(), tool.max_uses),
        ("web_search", "web_search_gw", Some(8))
    );
    let only_own = request(&json!([own("web_search"), own("WebSearch")]), &ask).to_string();
    assert_eq!(asked(&peeked(only_own.as_bytes())), Ok(None));
}

#[test]
fn what_cannot_be_done_is_refused_in_words_that_help() {
    let refused = |tool: Value, terms: &Terms| {
        let body = request(&json!([tool]), &json!([{"role": "user", "content": "hi"}])).to_string();
        let peeked = peeked(body.as_bytes());
        let problem = asked(&peeked)
            .and_then(|_| prepare_with(&peeked, Headers::default(), &profile(MODEL), terms))
            .unwrap_err();
        (problem.code, problem.message)
    };
    let (code, message) = refused(search_tool(), &Terms::default());
    assert_eq!(code, Code::PolicyBlocked);
    assert!(message.contains("web search is turned off"), "{message}");
    let (code, message) = refused(
        json!({"type": "web_fetch_20250910", "name": "web_fetch"}),
        &terms(),
    );
    assert_eq!(code, Code::PolicyBlocked);
    assert!(message.contains("WebFetch"), "{message}");
    let mut both = search_tool();
    both["allowed_domains"] = json!(["a.example"]);
    both["blocked_domains"] = json!(["b.example"]);
    let (code, message) = refused(both, &terms());
    assert_eq!(code, Code::InvalidRequest);
    assert!(message.contains("cannot be used together"), "{message}");
    let mut programmatic = search_tool();
    programmatic["allowed_callers"] = json!(["code_execution_20260120"]);
    assert_eq!(refused(programmatic, &terms()).0, Code::PolicyBlocked);
}

#[test]
fn a_search_and_what_follows_are_one_message() {
    let ask = json!([{"role": "user", "content": "What is new?"}]);
    let served = serve(&request(&json!([search_tool()]), &ask), &two_calls(), found);
    let message = accumulated(&served.sse);
    let kinds: Vec<_> = message["content"]
        .as_array()
        .unwrap()
        .iter()
        .map(|b| b["type"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds,
        [
            "thinking",
            "text",
            "server_tool_use",
            "web_search_tool_result",
            "thinking",
            "text",
            "text"
        ]
    );
    let content = &message["content"];
    assert_eq!(content[2]["id"], "srvtoolu_bdrk_0x2");
    assert_eq!(content[2]["input"], json!({"query": "rust axum"}));
    assert_eq!(content[3]["tool_use_id"], content[2]["id"]);
    assert_eq!(content[3]["content"][0]["page_age"], "2 days ago");
    assert_eq!(content[3]["content"][1]["page_age"], Value::Null);
    assert!(
        !content[3].to_string().contains("with a line"),
        "what is sealed is not readable"
    );
    let citation = &content[6]["citations"][0];
    assert_eq!(citation["type"], "web_search_result_location");
    assert_eq!(citation["url"], "https://example.com/1");
    assert!(citation["cited_text"].as_str().unwrap().chars().count() <= 150);
    assert_eq!(
        (&message["id"], &message["model"]),
        (&json!("msg_bdrk_0"), &json!(MODEL))
    );
    assert_eq!(message["stop_reason"], "end_turn");
    let usage = &message["usage"];
    assert_eq!(usage["input_tokens"], 20);
    assert_eq!(usage["cache_read_input_tokens"], 6);
    assert_eq!(usage["output_tokens"], 10);
    assert_eq!(usage["server_tool_use"], json!({"web_search_requests": 1}));
    assert_eq!(served.whole["content"], message["content"]);
    assert_eq!(served.whole["usage"]["input_tokens"], 20);
    assert_eq!(served.whole["stop_reason"], "end_turn");
    let second: Value = serde_json::from_slice(&served.upstream[1]).unwrap();
    assert_eq!(
        second["messages"][2]["content"][0]["content"][0]["type"],
        "search_result"
    );
    assert_eq!(
        second["messages"][2]["content"][0]["tool_use_id"],
        "toolu_bdrk_0x2"
    );
}

/// Sends a message back as a client does, and says what Bedrock would get.
fn next_turn(body: &Value, sse: &str, user: &Value) -> Vec<u8> {
    let mut body = body.clone();
    let list = body["messages"].as_array_mut().unwrap();
    list.push(json!({"role": "assistant", "content": accumulated(sse)["content"]}));
    list.push(json!({"role": "user", "content": user}));
    prepared(body.to_string().as_bytes(), &terms())
        .unwrap()
        .body
        .to_vec()
}

#[test]
fn the_next_turn_sends_the_same_prefix_byte_for_byte() {
    let ask = json!([{"role": "user", "content": "What is new?"}]);
    let body = request(&json!([search_tool()]), &ask);
    let served = serve(&body, &two_calls(), found);
    assert_eq!(served.upstream.len(), 2);
    let before = messages(&served.upstream[1]);
    let after = messages(&next_turn(&body, &served.sse, &json!("And now?")));
    let prefix = before.strip_suffix(']').unwrap();
    assert!(after.starts_with(prefix), "{after}\n{prefix}");
    assert!(after.contains("search_result_location") && !after.contains("encrypted"));
    let parsed: Value = serde_json::from_str(&after).unwrap();
    let roles: Vec<_> = parsed.as_array().unwrap().iter().map(|m| &m["role"]).collect();
    assert_eq!(roles, ["user", "assistant", "user", "assistant", "user"]);
}

#[test]
fn a_turn_with_a_clients_tool_ends_with_it_and_both_results_come_together() {
    let bash = json!({"name": "Bash", "input_schema": {"type": "object"}});
    let body = request(
        &json!([bash, search_tool()]),
        &json!([{"role": "user", "content": "go"}]),
    );
    for said in [
        vec![Said::Search("q".into()), Said::Bash],
        vec![Said::Bash, Said::Search("q".into())],
    ] {
        let served = serve(&body, &[(said, "tool_use")], found);
        assert_eq!(served.upstream.len(), 1);
        let message = accumulated(&served.sse);
        assert_eq!(message["stop_reason"], "tool_use");
        assert!(
            message["content"]
                .as_array()
                .unwrap()
                .iter()
                .any(|b| b["type"] == "web_search_tool_result")
        );
        let used = message["content"].as_array().unwrap();
        let id = &used.iter().find(|b| b["name"] == "Bash").unwrap()["id"];
        let result = json!([{"type": "tool_result", "tool_use_id": id, "content": "a.txt"}]);
        let after: Value = serde_json::from_slice(&next_turn(&body, &served.sse, &result)).unwrap();
        let list = after["messages"].as_array().unwrap();
        assert_eq!(list.len(), 3);
        let ids: Vec<_> = list[1]["content"]
            .as_array()
            .unwrap()
            .iter()
            .map(|b| &b["id"])
            .collect();
        let mut answered: Vec<_> = list[2]["content"]
            .as_array()
            .unwrap()
            .iter()
            .map(|b| b["tool_use_id"].as_str().unwrap())
            .collect();
        assert_eq!(answered.len(), 2);
        answered.sort_unstable();
        let mut used: Vec<_> = ids.iter().map(|id| id.as_str().unwrap()).collect();
        used.sort_unstable();
        assert_eq!(used, answered);
    }
}

#[test]
fn parallel_searches_are_all_carried_out() {
    let body = request(
        &json!([search_tool()]),
        &json!([{"role": "user", "content": "go"}]),
    );
    let calls = [
        (
            vec![Said::Search("a".into()), Said::Search("b".into())],
            "tool_use",
        ),
        (vec![Said::Text("done".into())], "end_turn"),
    ];
    let served = serve(&body, &calls, found);
    assert_eq!(served.searches, 2);
    let second: Value = serde_json::from_slice(&served.upstream[1]).unwrap();
    assert_eq!(second["messages"][1]["content"].as_array().unwrap().len(), 2);
    assert_eq!(second["messages"][2]["content"].as_array().unwrap().len(), 2);
}

#[test]
fn searches_beyond_the_limit_and_broken_ones_are_error_blocks() {
    let mut tool = search_tool();
    tool["max_uses"] = json!(1);
    let body = request(&json!([tool]), &json!([{"role": "user", "content": "go"}]));
    let calls = [
        (
            vec![Said::Search("a".into()), Said::Search("b".into())],
            "tool_use",
        ),
        (vec![Said::Text("done".into())], "end_turn"),
    ];
    let served = serve(&body, &calls, |_| {
        SearchOutcome::Failed(SearchError::TooManyRequests)
    });
    let message = accumulated(&served.sse);
    let codes: Vec<_> = message["content"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|b| b["content"]["error_code"].as_str())
        .collect();
    assert_eq!(codes, ["too_many_requests", "max_uses_exceeded"]);
    assert_eq!(message["usage"]["server_tool_use"]["web_search_requests"], 0);
    let before = messages(&served.upstream[1]);
    let after = messages(&next_turn(&body, &served.sse, &json!("so?")));
    assert!(after.starts_with(before.strip_suffix(']').unwrap()));
    assert!(after.contains("\"is_error\":true"));
    let empty = serve(
        &request(
            &json!([search_tool()]),
            &json!([{"role": "user", "content": "go"}]),
        ),
        &[
            (vec![Said::Search("  ".into())], "tool_use"),
            (vec![Said::Text("done".into())], "end_turn"),
        ],
        found,
    );
    assert!(empty.sse.contains("invalid_tool_input"));
}

#[test]
fn ten_calls_end_with_a_pause_that_can_be_gone_on_from() {
    let mut tool = search_tool();
    tool.as_object_mut().unwrap().remove("max_uses");
    let body = request(&json!([tool]), &json!([{"role": "user", "content": "go"}]));
    let served = serve(&body, &[(vec![Said::Search("again".into())], "tool_use")], found);
    assert_eq!((served.upstream.len(), served.searches), (10, 10));
    let message = accumulated(&served.sse);
    assert_eq!(message["stop_reason"], "pause_turn");
    let mut going_on = body;
    going_on["messages"]
        .as_array_mut()
        .unwrap()
        .push(json!({"role": "assistant", "content": message["content"]}));
    let after = messages(
        &prepared(going_on.to_string().as_bytes(), &terms())
            .unwrap()
            .body
            .to_vec(),
    );
    assert!(after.starts_with(messages(&served.upstream[9]).strip_suffix(']').unwrap()));
    let parsed: Value = serde_json::from_str(&after).unwrap();
    assert_eq!(parsed.as_array().unwrap().last().unwrap()["role"], "user");
}

#[test]
fn a_forced_choice_holds_for_the_first_call_alone() {
    let mut body = request(
        &json!([search_tool()]),
        &json!([{"role": "user", "content": "go"}]),
    );
    body["tool_choice"] = json!({"type": "tool", "name": "web_search", "disable_parallel_tool_use": true});
    let served = serve(&body, &two_calls(), found);
    let choice = |n: usize| {
        let body: Value = serde_json::from_slice(&served.upstream[n]).unwrap();
        body["tool_choice"].clone()
    };
    assert_eq!(choice(0), body["tool_choice"]);
    assert_eq!(
        choice(1),
        json!({"type": "auto", "disable_parallel_tool_use": true})
    );
}

#[test]
fn a_model_that_is_stopped_in_the_middle_leaves_no_call_without_a_result() {
    let body = request(
        &json!([search_tool()]),
        &json!([{"role": "user", "content": "go"}]),
    );
    let served = serve(&body, &[(vec![Said::Search("q".into())], "max_tokens")], found);
    assert_eq!(served.searches, 0);
    let message = accumulated(&served.sse);
    assert_eq!(message["stop_reason"], "max_tokens");
    assert_eq!(message["content"][1]["type"], "web_search_tool_result");
}

#[test]
fn searches_of_others_become_readable_and_are_never_refused() {
    let foreign = json!([{"type": "text", "text": "Looking."},
        {"type": "server_tool_use", "id": "srvtoolu_01", "name": "web_search", "input": {"query": "q"}},
        {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_01", "content": [
            {"type": "web_search_result", "url": "https://e.example", "title": "E", "encrypted_content": "AAAA"}]},
        {"type": "text", "text": "So.", "citations": [{"type": "web_search_result_location", "url": "https://e.example",
            "title": "E", "encrypted_index": "x", "cited_text": "c"}]}]);
    let history = json!([{"role": "user", "content": "go"}, {"role": "assistant", "content": foreign},
        {"role": "user", "content": "and?"}]);
    let out = sent(&request(&json!([search_tool()]), &history));
    let list = out["messages"].as_array().unwrap();
    assert_eq!(list.len(), 5);
    assert_eq!(list[1]["content"][1]["type"], "tool_use");
    let text = list[2]["content"][0]["content"].as_str().unwrap();
    assert!(text.contains("E\nhttps://e.example"), "{text}");
    assert_eq!(list[3]["content"], json!([{"type": "text", "text": "So."}]));
    assert_eq!(
        out,
        sent(&request(&json!([search_tool()]), &history)),
        "alike every time"
    );
}

#[test]
fn results_of_searches_and_what_follows_them_are_tagged_for_the_guardrail() {
    let ask = json!([{"role": "user", "content": "What is new?"}]);
    let body = request(&json!([search_tool()]), &ask);
    let searched = vec![Said::Search("q".into())];
    let served = serve(&body, &[(searched.clone(), "tool_use")], found);
    let failed = serve(&body, &[(searched, "tool_use")], |_| {
        SearchOutcome::Failed(SearchError::Unavailable)
    });
    let rules = profile(MODEL);
    let target = Target {
        guard_suffix: Some("s"),
        terms: Some(&terms()),
        ..Target::default()
    };
    for served in [served, failed] {
        // Ten calls: the message ends with results, which go to the message that follows, and replace its text.
        let mut body = body.clone();
        let list = body["messages"].as_array_mut().unwrap();
        list.push(json!({"role": "assistant", "content": accumulated(&served.sse)["content"]}));
        list.push(json!({"role": "user", "content": "go \"on\""}));
        let text = body.to_string();
        let prepared = prepare_for(&peeked(text.as_bytes()), Headers::default(), &rules, target).unwrap();
        let sent: Value = serde_json::from_slice(&prepared.body.to_vec()).unwrap();
        let mut texts = Vec::new();
        let users = sent["messages"].as_array().unwrap().iter();
        for message in users.filter(|m| m["role"] == "user") {
            texts_of(&message["content"], &mut texts);
        }
        assert!(texts.len() >= 12, "{texts:?}");
        for text in &texts {
            assert!(
                text.starts_with("<amazon-bedrock-guardrails-guardContent_s>")
                    && text.ends_with("</amazon-bedrock-guardrails-guardContent_s>"),
                "{text}"
            );
        }
        assert!(texts.last().unwrap().contains(">go \"on\"<"));
    }
}

/// All texts in a message's content, also those inside results.
fn texts_of(content: &Value, texts: &mut Vec<String>) {
    match content {
        Value::String(text) => texts.push(text.clone()),
        Value::Array(blocks) => {
            for block in blocks {
                texts_of(&block["text"], texts);
                texts_of(&block["content"], texts);
            }
        }
        _ => {}
    }
}

#[test]
fn a_call_without_a_result_and_a_result_without_a_call_are_mended() {
    let cut = json!([{"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}}]);
    let orphan = json!([{"type": "web_search_tool_result", "tool_use_id": "srvtoolu_9", "content": []},
        {"type": "text", "text": "x"}]);
    let history = json!([{"role": "user", "content": "a"}, {"role": "assistant", "content": cut},
        {"role": "user", "content": "b"}, {"role": "assistant", "content": orphan}, {"role": "user", "content": "c"}]);
    let out = sent(&request(&json!([search_tool()]), &history));
    let list = out["messages"].as_array().unwrap();
    assert_eq!(list[1]["content"][0]["type"], "tool_use");
    assert_eq!(list[2]["content"][0]["is_error"], true);
    assert_eq!(list[2]["content"][1], json!({"type": "text", "text": "b"}));
    assert_eq!(list[3]["content"][0]["type"], "text");
}

#[test]
fn another_servers_tools_are_not_touched() {
    let found = json!([{"type": "server_tool_use", "id": "srvtoolu_2", "name": "tool_search_tool_regex", "input": {}},
        {"type": "tool_search_tool_result", "tool_use_id": "srvtoolu_2", "content": {"type": "x"}}]);
    let history = json!([{"role": "user", "content": "a"}, {"role": "assistant", "content": found},
        {"role": "user", "content": "b"}]);
    let out = sent(&request(&json!([search_tool()]), &history));
    assert_eq!(out["messages"][1]["content"], found);
}

#[test]
fn claude_codes_side_request_is_recognised_and_nothing_else() {
    let recorded: Value = serde_json::from_slice(
        &std::fs::read(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/fixtures/2.1.330-web_search.json"
        ))
        .unwrap(),
    )
    .unwrap();
    let queries: Vec<String> = recorded
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|call| shortcut(&peeked(call["body"].to_string().as_bytes())))
        .collect();
    assert_eq!(queries.len(), 1, "{queries:?}");
    let words = json!([{"role": "user", "content": "Perform a web search for the query: a b"}]);
    let is = |body: Value| shortcut(&peeked(body.to_string().as_bytes()));
    assert_eq!(
        is(request(&json!([search_tool()]), &words)).as_deref(),
        Some("a b")
    );
    let other = json!({"name": "Bash", "input_schema": {}});
    assert_eq!(is(request(&json!([search_tool(), other]), &words)), None);
    let more = json!([words[0], {"role": "assistant", "content": "x"}, {"role": "user", "content": "y"}]);
    assert_eq!(is(request(&json!([search_tool()]), &more)), None);
    assert_eq!(
        is(request(
            &json!([search_tool()]),
            &json!([{"role": "user", "content": "hi"}])
        )),
        None
    );
}

#[test]
fn the_shortcut_gives_the_blocks_that_claude_code_reads() {
    let body = request(
        &json!([search_tool()]),
        &json!([{"role": "user", "content": "Perform a web search for the query: a b"}]),
    )
    .to_string();
    let tool = asked(&peeked(body.as_bytes())).unwrap().unwrap();
    let mut merged = Merged::new(tool, key());
    let shortcut = Shortcut {
        id: "toolu_ccag_1".into(),
        query: "a b".into(),
        message_id: "msg_1".into(),
        model: MODEL.into(),
    };
    let mut out = Vec::new();
    shortcut.begin(&mut merged, &mut out);
    let Next::Search(wanted) = merged.call_ended(&mut out) else {
        panic!("no search")
    };
    assert_eq!(wanted[0].query, Ok("a b".to_owned()));
    merged.result(&wanted[0].id, &found(""), &mut out);
    assert!(merged.goes_on());
    shortcut.conclude(&mut merged, &[hit(0), hit(1)], &mut out);
    assert_eq!(merged.call_ended(&mut out), Next::Finish);
    merged.finish(&mut out);
    out.extend_from_slice(Merged::stop());
    let message = accumulated(std::str::from_utf8(&out).unwrap());
    let kinds: Vec<_> = message["content"]
        .as_array()
        .unwrap()
        .iter()
        .map(|b| b["type"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["server_tool_use", "web_search_tool_result", "text"]);
    assert_eq!(message["content"][0]["input"]["query"], "a b");
    assert!(
        message["content"][2]["text"]
            .as_str()
            .unwrap()
            .contains("https://example.com/1")
    );
    assert_eq!(message["stop_reason"], "end_turn");
    assert_eq!(message["usage"]["server_tool_use"]["web_search_requests"], 1);
    assert_eq!(message["usage"]["output_tokens"], 0);
}

fn said() -> impl Strategy<Value = Said> {
    prop_oneof![
        Just(Said::Thinking),
        "[a-zé\"\\\\ ]{1,12}".prop_map(Said::Text),
        (0..3usize).prop_map(Said::Cited),
        "[a-z\"\\\\ ö]{0,8}".prop_map(Said::Search),
        "[a-z\"\\\\ ö]{0,8}".prop_map(Said::Search),
    ]
}

proptest! {
    /// Whatever the model says and however the searches end: each call of a loop, and the next turn, begin with what the
    /// call before has sent.
    #[test]
    fn every_call_and_the_next_turn_begin_with_what_was_sent_before(
        calls in proptest::collection::vec(proptest::collection::vec(said(), 1..5), 1..5),
        last in proptest::collection::vec(said().prop_filter("no search", |s| !matches!(s, Said::Search(_))), 1..3),
        hits in 0..3usize,
    ) {
        let body = request(&json!([search_tool()]), &json!([{"role": "user", "content": [{"type": "text", "text": "go"}]}]));
        let mut script: Vec<(Vec<Said>, &str)> = calls
            .into_iter()
            .map(|said| {
                let searches = said.iter().any(|s| matches!(s, Said::Search(_)));
                (said, if searches { "tool_use" } else { "end_turn" })
            })
            .collect();
        script.push((last, "end_turn"));
        let served = serve(&body, &script, |query| match query.len() % 3 {
            2 => SearchOutcome::Failed(SearchError::Unavailable),
            _ => SearchOutcome::Hits((0..hits).map(hit).collect()),
        });
        let after = next_turn(&body, &served.sse, &json!("next"));
        let all: Vec<String> = served.upstream.iter().chain([&after]).map(|b| messages(b)).collect();
        for pair in all.windows(2) {
            prop_assert!(pair[1].starts_with(pair[0].strip_suffix(']').unwrap()), "{}\n{}", pair[0], pair[1]);
        }
        prop_assert_eq!(&accumulated(&served.sse)["content"], &served.whole["content"]);
    }
}
