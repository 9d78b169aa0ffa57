//! Web search, against bedrock-sim and a search service of our own.

use crate::control::{ControlPlane, KEY, user, usual};
use crate::sim::{signed_sim, world};
use crate::world::{Control, Rig};
use axum::Router;
use axum::extract::Request;
use axum::response::IntoResponse;
use bedrock_sim::{Action, Ending, Match, Pace, Rule, Sim};
use bytes::Bytes;
use ccag_daemon::Lifecycle;
use ccag_domain::config::Settings;
use ccag_domain::{ConfigObject, NanoUsd, SealKey, SearchKind, SearchProvider, WebSearch, WebSearchMode};
use ccag_proto::v1;
use http_body_util::Full;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A custom search service: answers every query with three pages.
pub struct Service {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
    status: Arc<AtomicU16>,
    delay_ms: Arc<AtomicU64>,
    life: Lifecycle,
}

impl Drop for Service {
    fn drop(&mut self) {
        self.life.force_shutdown();
    }
}

impl Service {
    pub async fn start() -> Self {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (status, delay_ms) = (Arc::new(AtomicU16::new(200)), Arc::new(AtomicU64::new(0)));
        let shared = (Arc::clone(&asked), Arc::clone(&status), Arc::clone(&delay_ms));
        let answer = move |request: Request| {
            let (asked, status, delay_ms) = shared.clone();
            async move {
                let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
                let query: Value = serde_json::from_slice(&body).unwrap();
                asked
                    .lock()
                    .unwrap()
                    .push(query["query"].as_str().unwrap().to_owned());
                tokio::time::sleep(Duration::from_millis(delay_ms.load(Ordering::Relaxed))).await;
                let status = axum::http::StatusCode::from_u16(status.load(Ordering::Relaxed)).unwrap();
                let pages: Vec<Value> = ["docs.rs", "blog.example", "ads.example"]
                    .iter()
                    .map(|host| {
                        json!({"title": format!("On {host}"), "url": format!("https://{host}/axum"),
                            "snippet": format!("axum 0.8 says {host}")})
                    })
                    .collect();
                (status, Value::from(pages).to_string()).into_response()
            }
        };
        let listener = ccag_daemon::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let life = Lifecycle::new();
        let (server, router) = (life.clone(), Router::new().fallback(answer));
        life.spawn("search service", async move {
            let _ = ccag_daemon::serve(&server, listener, router, Duration::from_secs(1)).await;
        });
        Self {
            url,
            asked,
            status,
            delay_ms,
            life,
        }
    }

    pub fn provider(&self) -> SearchProvider {
        SearchProvider {
            kind: SearchKind::Custom,
            url: Some(self.url.clone()),
            api_key: None,
            max_results: 5,
            allow_private_address: true,
        }
    }

    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

pub fn rules(provider: Option<SearchProvider>) -> WebSearch {
    WebSearch {
        mode: WebSearchMode::Global,
        provider,
        price: NanoUsd(10_000_000),
        shortcut: true,
        sealing_key: Some(SealKey::new([9; 32])),
    }
}

fn with_rules(web_search: WebSearch) -> Vec<ConfigObject> {
    let mut objects = usual();
    objects.push(ConfigObject::Settings(Settings {
        web_search,
        ..Settings::default()
    }));
    objects
}

/// A simulator, a search service, and a gateway between them.
struct Everything {
    sim: Sim,
    service: Service,
    control: Control,
    rig: Rig,
}

async fn everything() -> Everything {
    let service = Service::start().await;
    let rules = rules(Some(service.provider()));
    everything_with(service, rules).await
}

async fn everything_with(service: Service, rules: WebSearch) -> Everything {
    let sim = signed_sim().await;
    let (control, rig) = world(&sim, with_rules(rules)).await;
    Everything {
        sim,
        service,
        control,
        rig,
    }
}

pub fn tool() -> Value {
    json!({"type": "web_search_20250305", "name": "web_search"})
}

pub const SEARCH: &str = "Use the web_search tool to find `axum version`";

pub fn body(stream: bool, tools: &Value, prompt: &str) -> Value {
    json!({"model": "claude-opus-5-5", "max_tokens": 2_000, "stream": stream, "tools": tools,
        "messages": [{"role": "user", "content": prompt}]})
}

fn events(sse: &str) -> Vec<Value> {
    sse.lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|data| serde_json::from_str(data).unwrap())
        .collect()
}

/// The message that a stream carries, as the SDKs read it.
pub fn message(sse: &str) -> Value {
    let mut message = Value::Null;
    let mut inputs = std::collections::HashMap::<usize, String>::new();
    for event in events(sse) {
        let at = usize::try_from(event["index"].as_u64().unwrap_or(0)).unwrap();
        match event["type"].as_str().unwrap() {
            "message_start" => {
                assert!(message.is_null(), "one message_start: {sse}");
                message = event["message"].clone();
            }
            "content_block_start" => {
                let content = message["content"].as_array_mut().unwrap();
                assert_eq!(content.len(), at, "{sse}");
                content.push(event["content_block"].clone());
            }
            "content_block_delta" => {
                let block = &mut message["content"][at];
                for (name, value) in event["delta"].as_object().unwrap() {
                    match name.as_str() {
                        "text" | "thinking" => {
                            let text =
                                format!("{}{}", block[name].as_str().unwrap(), value.as_str().unwrap());
                            block[name] = json!(text);
                        }
                        "signature" => block[name] = value.clone(),
                        "citation" => block["citations"].as_array_mut().unwrap().push(value.clone()),
                        "partial_json" => {
                            let input = inputs.entry(at).or_default();
                            input.push_str(value.as_str().unwrap());
                            block["input"] = serde_json::from_str(input).unwrap_or(json!({}));
                        }
                        _ => {}
                    }
                }
            }
            "message_delta" => {
                message["stop_reason"] = event["delta"]["stop_reason"].clone();
                for (name, value) in event["usage"].as_object().unwrap() {
                    message["usage"][name] = value.clone();
                }
            }
            _ => {}
        }
    }
    message
}

pub fn kinds(message: &Value) -> Vec<&str> {
    message["content"]
        .as_array()
        .unwrap()
        .iter()
        .map(|b| b["type"].as_str().unwrap())
        .collect()
}

/// The bodies that Bedrock got.
fn asked(sim: &Sim) -> Vec<String> {
    sim.requests()
        .into_iter()
        .filter(|r| r.path.contains("/model/"))
        .map(|r| r.body)
        .collect()
}

fn messages_of(body: &str) -> String {
    let parsed: std::collections::HashMap<String, Box<serde_json::value::RawValue>> =
        serde_json::from_str(body).unwrap();
    parsed["messages"].get().to_owned()
}

pub fn tokens(record: &v1::UsageRecord) -> (u64, u64) {
    let tokens = record.tokens.unwrap();
    (tokens.input, tokens.output)
}

#[tokio::test]
async fn a_stream_with_a_search_is_one_message_and_one_record() {
    let all = everything().await;
    let answer = all
        .rig
        .post(body(true, &json!([tool()]), SEARCH).to_string())
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let message = message(answer.text());
    let kinds = kinds(&message);
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
    assert_eq!(message["content"][2]["input"]["query"], "axum version");
    assert_eq!(message["content"][3]["content"][0]["url"], "https://docs.rs/axum");
    assert!(
        message["content"][5]["text"]
            .as_str()
            .unwrap()
            .contains("axum 0.8 says docs.rs")
    );
    assert_eq!(
        message["content"][6]["citations"][0]["type"],
        "web_search_result_location"
    );
    assert_eq!(message["stop_reason"], "end_turn");
    assert_eq!(message["usage"]["server_tool_use"]["web_search_requests"], 1);
    assert!(answer.text().ends_with("data: {\"type\":\"message_stop\"}\n\n"));
    assert_eq!(all.service.asked(), ["axum version"]);
    let records = all.control.plane.stored(1).await;
    assert_eq!(records.len(), 1);
    let account = all.sim.account();
    assert_eq!(account.len(), 2);
    let sum = |f: fn(&bedrock_sim::Entry) -> u64| account.iter().map(f).sum::<u64>();
    assert_eq!(
        tokens(&records[0]),
        (sum(|e| e.usage.input), sum(|e| e.usage.output))
    );
    assert_eq!((records[0].attempts, records[0].web_searches), (2, 1));
    assert_eq!(records[0].outcome(), v1::Outcome::Completed);
    assert_eq!(message["usage"]["output_tokens"], sum(|e| e.usage.output));
}

#[tokio::test]
async fn a_client_that_does_not_stream_gets_the_same_message() {
    let all = everything().await;
    let answer = all
        .rig
        .post(body(false, &json!([tool()]), SEARCH).to_string())
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let whole = answer.json();
    let streamed = all
        .rig
        .post(body(true, &json!([tool()]), SEARCH).to_string())
        .await;
    assert_eq!(whole["content"], message(streamed.text())["content"]);
    assert_eq!(whole["usage"]["server_tool_use"]["web_search_requests"], 1);
    assert_eq!(whole["stop_reason"], "end_turn");
    let records = all.control.plane.stored(2).await;
    assert_eq!(records.iter().filter(|r| r.streaming).count(), 1);
}

#[tokio::test]
async fn what_the_model_says_goes_out_before_the_search_is_over() {
    let all = everything().await;
    all.service.delay_ms.store(1_500, Ordering::Relaxed);
    let mut stream = all
        .rig
        .open(body(true, &json!([tool()]), SEARCH).to_string())
        .await;
    let started = tokio::time::Instant::now();
    stream.until("I will use").await;
    stream.until("server_tool_use").await;
    assert!(started.elapsed() < Duration::from_millis(1_200));
    assert!(!stream.read.contains("web_search_tool_result"));
    let text = stream.rest().await;
    assert!(text.contains("web_search_tool_result") && text.contains("message_stop"));
}

#[tokio::test]
async fn two_turns_send_bedrock_the_same_prefix() {
    let all = everything().await;
    let mut asking = body(true, &json!([tool()]), SEARCH);
    let first = all.rig.post(asking.to_string()).await;
    let list = asking["messages"].as_array_mut().unwrap();
    list.push(json!({"role": "assistant", "content": message(first.text())["content"]}));
    list.push(json!({"role": "user", "content": "Thank you"}));
    let second = all.rig.post(asking.to_string()).await;
    assert_eq!(second.status, 200, "{}", second.text());
    let bodies = asked(&all.sim);
    assert_eq!(bodies.len(), 3);
    for pair in bodies.windows(2) {
        let (before, after) = (messages_of(&pair[0]), messages_of(&pair[1]));
        assert!(
            after.starts_with(before.strip_suffix(']').unwrap()),
            "{before}\n{after}"
        );
    }
}

/// The one thing that must not happen: thinking that is signed over a history, a search in it, and a lesson that is learnt
/// elsewhere in between, and still the history is sent as it was.
#[tokio::test]
async fn a_lesson_between_two_turns_with_signed_thinking_and_a_search_leaves_the_prefix_as_it_was() {
    let all = everything().await;
    let read = json!({"name": "Read", "eager_input_streaming": true,
        "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}}});
    let tools = json!([tool(), read]);
    let post = async |session: &str, body: &Value| {
        let request = all
            .rig
            .request("POST", "/v1/messages", KEY)
            .header("x-claude-code-session-id", session)
            .body(Full::new(Bytes::from(body.to_string())))
            .unwrap();
        let answer = all.rig.send(request).await;
        assert_eq!(answer.status, 200, "{session}: {}", answer.text());
        answer
    };
    let mut asking = body(true, &tools, SEARCH);
    asking["thinking"] = json!({"type": "adaptive"});
    let said = message(post("first", &asking).await.text());
    assert_eq!(said["content"][0]["type"], "thinking", "{said}");
    assert!(!said["content"][0]["signature"].as_str().unwrap().is_empty());
    let of_first = asked(&all.sim);

    // Another conversation meets a refusal, and the one after it has learnt.
    all.sim.script(Rule::once(Action::Error {
        status: 400,
        error_type: "ValidationException".into(),
        message: "tools.1.custom.eager_input_streaming: Extra inputs are not permitted".into(),
    }));
    let plain = body(true, &json!([read]), "Hello");
    post("second", &plain).await;
    post("third", &plain).await;
    let bodies = asked(&all.sim);
    let eager: Vec<bool> = bodies[of_first.len()..]
        .iter()
        .map(|body| body.contains("eager_input_streaming"))
        .collect();
    assert_eq!(eager, [true, false, false], "refused, sent without, and learnt");

    let list = asking["messages"].as_array_mut().unwrap();
    list.push(json!({"role": "assistant", "content": said["content"]}));
    list.push(json!({"role": "user", "content": "Thank you"}));
    all.sim.clear();
    post("first", &asking).await;
    let second_turn = asked(&all.sim);
    assert_eq!(
        second_turn.len(),
        1,
        "Bedrock, which checks the signature, has refused nothing"
    );
    let parts = |body: &str| -> std::collections::HashMap<String, Box<serde_json::value::RawValue>> {
        serde_json::from_str(body).unwrap()
    };
    for before in &of_first {
        let (before, after) = (parts(before), parts(&second_turn[0]));
        assert_eq!(before["tools"].get(), after["tools"].get());
        let history = before["messages"].get().strip_suffix(']').unwrap();
        assert!(after["messages"].get().starts_with(history));
    }
}

#[tokio::test]
async fn a_clients_tool_beside_the_search_ends_the_turn_and_the_next_one_is_taken() {
    let all = everything().await;
    let bash = json!({"name": "Bash", "input_schema": {"type": "object", "required": ["command"],
        "properties": {"command": {"type": "string"}}}});
    let prompt = "Use the web_search tool and the Bash tool in parallel for `axum`";
    for tools in [json!([bash, tool()]), json!([tool(), bash])] {
        let mut asking = body(true, &tools, prompt);
        let first = all.rig.post(asking.to_string()).await;
        let said = message(first.text());
        assert_eq!(said["stop_reason"], "tool_use", "{}", first.text());
        let content = said["content"].as_array().unwrap();
        let kinds = kinds(&said);
        assert!(
            kinds.contains(&"tool_use") && kinds.contains(&"web_search_tool_result"),
            "{kinds:?}"
        );
        let used = content.iter().find(|b| b["type"] == "tool_use").unwrap();
        let list = asking["messages"].as_array_mut().unwrap();
        list.push(json!({"role": "assistant", "content": content}));
        list.push(json!({"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": used["id"], "content": "ok"}]}));
        let second = all.rig.post(asking.to_string()).await;
        assert_eq!(second.status, 200, "{}", second.text());
        assert_eq!(message(second.text())["stop_reason"], "end_turn");
    }
    assert_eq!(all.service.asked().len(), 2);
}

#[tokio::test]
async fn a_forced_choice_forces_the_first_call_alone() {
    let all = everything().await;
    let mut asking = body(true, &json!([tool()]), "`axum`");
    asking["model"] = json!("claude-haiku-4-5");
    asking["tool_choice"] = json!({"type": "tool", "name": "web_search"});
    let answer = all.rig.post(asking.to_string()).await;
    assert_eq!(
        message(answer.text())["stop_reason"],
        "end_turn",
        "{}",
        answer.text()
    );
    let bodies = asked(&all.sim);
    let choice = |n: usize| serde_json::from_str::<Value>(&bodies[n]).unwrap()["tool_choice"].clone();
    assert_eq!(
        (choice(0)["type"].clone(), choice(1)),
        (json!("tool"), json!({"type": "auto"}))
    );
}

#[tokio::test]
async fn a_failing_service_is_an_error_block_and_nobody_else_is_asked() {
    let all = everything().await;
    for (status, code) in [
        (429, "too_many_requests"),
        (500, "unavailable"),
        (400, "invalid_tool_input"),
        (302, "unavailable"),
    ] {
        all.service.status.store(status, Ordering::Relaxed);
        let answer = all
            .rig
            .post(body(true, &json!([tool()]), SEARCH).to_string())
            .await;
        let said = message(answer.text());
        assert_eq!(answer.status, 200);
        assert_eq!(
            said["content"][3]["content"]["error_code"],
            code,
            "{status}: {}",
            answer.text()
        );
        assert_eq!(said["stop_reason"], "end_turn");
        assert_eq!(said["usage"]["server_tool_use"]["web_search_requests"], 0);
    }
    assert_eq!(all.service.asked().len(), 4);
    let records = all.control.plane.stored(4).await;
    assert!(records.iter().all(|r| r.web_searches == 0 && r.attempts == 2));
}

#[tokio::test]
async fn without_a_configured_service_nobody_is_asked() {
    let service = Service::start().await;
    let all = everything_with(service, rules(None)).await;
    let answer = all
        .rig
        .post(body(false, &json!([tool()]), SEARCH).to_string())
        .await;
    assert_eq!(
        answer.json()["content"][3]["content"]["error_code"],
        "unavailable",
        "{}",
        answer.text()
    );
}

#[tokio::test]
async fn domains_and_max_uses_hold() {
    let all = everything().await;
    let mut limited = tool();
    limited["blocked_domains"] = json!(["ads.example"]);
    limited["max_uses"] = json!(2);
    let prompt = "Use the web_search tool again and again for `axum`";
    let answer = all
        .rig
        .post(body(true, &json!([limited]), prompt).to_string())
        .await;
    let said = message(answer.text());
    let results: Vec<&Value> = said["content"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|b| b["type"] == "web_search_tool_result")
        .map(|b| &b["content"])
        .collect();
    assert_eq!(results.len(), 10, "{}", answer.text());
    assert_eq!(results[0].as_array().unwrap().len(), 2);
    assert!(!results[0].to_string().contains("ads.example"));
    assert_eq!(results[2]["error_code"], "max_uses_exceeded");
    assert_eq!(said["stop_reason"], "pause_turn");
    assert_eq!(said["usage"]["server_tool_use"]["web_search_requests"], 2);
    assert_eq!(all.service.asked().len(), 2);
    let mut both = tool();
    both["blocked_domains"] = json!(["a.example"]);
    both["allowed_domains"] = json!(["b.example"]);
    let answer = all.rig.post(body(true, &json!([both]), SEARCH).to_string()).await;
    assert_eq!(
        (answer.status, answer.error_type().as_str()),
        (400, "invalid_request_error")
    );
}

#[tokio::test]
async fn claude_codes_own_search_is_answered_without_the_model() {
    let all = everything().await;
    let prompt = "Perform a web search for the query: rust axum latest version";
    let answer = all
        .rig
        .post(body(true, &json!([tool()]), prompt).to_string())
        .await;
    let said = message(answer.text());
    assert_eq!(
        kinds(&said),
        ["server_tool_use", "web_search_tool_result", "text"],
        "{}",
        answer.text()
    );
    assert_eq!(said["content"][0]["input"]["query"], "rust axum latest version");
    assert!(
        said["content"][2]["text"]
            .as_str()
            .unwrap()
            .contains("https://docs.rs/axum")
    );
    assert!(asked(&all.sim).is_empty(), "no model was asked");
    let record = all.control.plane.stored(1).await.remove(0);
    assert_eq!((record.attempts, record.web_searches), (0, 1));
    assert_eq!(tokens(&record), (0, 0));
    all.service.status.store(503, Ordering::Relaxed);
    let failed = all
        .rig
        .post(body(false, &json!([tool()]), prompt).to_string())
        .await;
    assert_eq!(
        failed.json()["content"][1]["content"]["error_code"],
        "unavailable"
    );
    let without = WebSearch {
        shortcut: false,
        ..rules(Some(all.service.provider()))
    };
    let revision = all.control.plane.put(ConfigObject::Settings(Settings {
        web_search: without,
        ..Settings::default()
    }));
    all.control.plane.applied(revision).await;
    all.rig
        .post(body(true, &json!([tool()]), prompt).to_string())
        .await;
    assert_eq!(asked(&all.sim).len(), 1, "with the option off the model is asked");
}

#[tokio::test]
async fn where_search_is_off_the_request_is_refused_in_one_answer() {
    let sim = signed_sim().await;
    let (_control, rig) = world(&sim, usual()).await;
    let answer = rig.post(body(true, &json!([tool()]), SEARCH).to_string()).await;
    assert_eq!(
        (answer.status, answer.error_type().as_str()),
        (400, "policy_blocked")
    );
    assert!(answer.text().contains("turned off"), "{}", answer.text());
    assert!(asked(&sim).is_empty());
}

#[tokio::test]
async fn a_members_own_service_is_never_a_private_one() {
    let service = Service::start().await;
    let port = service
        .url
        .rsplit(':')
        .next()
        .unwrap()
        .trim_end_matches('/')
        .to_owned();
    let sim = signed_sim().await;
    let per_user = WebSearch {
        mode: WebSearchMode::PerUser,
        ..rules(None)
    };
    let (control, rig) = world(&sim, with_rules(per_user)).await;
    for host in [
        "127.0.0.1",
        "localhost",
        "[::ffff:127.0.0.1]",
        "0x7f.1",
        "169.254.169.254",
    ] {
        let mut member = user("user_1");
        member.search = Some(SearchProvider {
            url: Some(format!("http://{host}:{port}/")),
            allow_private_address: false,
            ..service.provider()
        });
        let revision = control.plane.put(ConfigObject::User(member));
        control.plane.applied(revision).await;
        let answer = rig.post(body(false, &json!([tool()]), SEARCH).to_string()).await;
        assert_eq!(
            answer.json()["content"][3]["content"]["error_code"],
            "unavailable",
            "{host}: {}",
            answer.text()
        );
    }
    assert!(service.asked().is_empty());
}

#[tokio::test]
async fn a_client_that_goes_away_is_billed_for_what_there_was_and_everything_stops() {
    let all = everything().await;
    // While the service is being asked: the first call is paid for, and no second one is made.
    all.service.delay_ms.store(3_000, Ordering::Relaxed);
    let mut stream = all
        .rig
        .open(body(true, &json!([tool()]), SEARCH).to_string())
        .await;
    stream.until("server_tool_use").await;
    while all.service.asked().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    drop(stream);
    let record = all.control.plane.stored(1).await.remove(0);
    assert_eq!(record.outcome(), v1::Outcome::Abandoned);
    let first = all.sim.account()[0].clone();
    assert_eq!(tokens(&record), (first.usage.input, first.usage.output));
    assert!(!record.estimated);
    // In the middle of the second call.
    all.service.delay_ms.store(0, Ordering::Relaxed);
    all.sim.script(Rule::always(Action::Pace(Pace {
        gap_ms: 100,
        ..Pace::default()
    })));
    let mut stream = all
        .rig
        .open(body(true, &json!([tool()]), SEARCH).to_string())
        .await;
    stream.until("The tool answered").await;
    drop(stream);
    let records = all.control.plane.stored(2).await;
    let record = records.iter().find(|r| r.web_searches == 1).unwrap();
    let account = all.sim.account();
    assert_eq!(account.len(), 3);
    assert_eq!(record.outcome(), v1::Outcome::Abandoned);
    assert_eq!(
        tokens(record).0,
        account[1].usage.input + account[2].usage.input,
        "both calls are in it"
    );
    assert!(tokens(record).1 > account[1].usage.output);
    for _ in 0..200 {
        if all.sim.account()[2].ending == Ending::Cancelled {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("Bedrock was not told");
}

#[tokio::test]
async fn a_second_call_that_fails_is_an_error_event_and_the_first_is_paid() {
    let all = everything().await;
    let refuse = Action::Error {
        status: 400,
        error_type: "ValidationException".into(),
        message: "messages: no".into(),
    };
    all.sim.script(Rule {
        matches: Match {
            text: Some("tool_result".into()),
            ..Match::default()
        },
        ..Rule::always(refuse)
    });
    let answer = all
        .rig
        .post(body(true, &json!([tool()]), SEARCH).to_string())
        .await;
    assert_eq!(answer.status, 200);
    assert!(answer.text().contains("event: error\n"), "{}", answer.text());
    assert!(!answer.text().contains("message_stop"));
    let whole = all
        .rig
        .post(body(false, &json!([tool()]), SEARCH).to_string())
        .await;
    assert_eq!(whole.status, 400, "{}", whole.text());
    let records = all.control.plane.stored(2).await;
    let paid = all.sim.account()[0].usage;
    for record in records {
        assert_eq!(tokens(&record), (paid.input, paid.output));
        assert_eq!(record.web_searches, 1);
        let wanted = if record.streaming {
            v1::Outcome::Cut
        } else {
            v1::Outcome::Failed
        };
        assert_eq!(record.outcome(), wanted);
    }
}

#[tokio::test]
async fn silence_is_filled_with_pings() {
    let service = Service::start().await;
    service.delay_ms.store(900, Ordering::Relaxed);
    let sim = signed_sim().await;
    let control = Control::start(ControlPlane::new(with_rules(rules(Some(service.provider()))))).await;
    let aws = crate::sim::aws(&sim);
    let rig = Rig::start(
        control.addr,
        crate::world::Options {
            change: Box::new(move |config| {
                config.aws = aws;
                config.ping = Duration::from_millis(200);
            }),
            real_client: true,
            ..crate::world::Options::default()
        },
    )
    .await;
    let answer = rig.post(body(true, &json!([tool()]), SEARCH).to_string()).await;
    let pings = answer.text().matches("event: ping\n").count();
    assert!((2..=8).contains(&pings), "{pings}");
    let prompt = "Perform a web search for the query: x";
    let answer = rig.post(body(true, &json!([tool()]), prompt).to_string()).await;
    assert!(answer.text().matches("event: ping\n").count() >= 2);
}
