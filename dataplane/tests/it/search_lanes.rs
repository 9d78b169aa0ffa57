//! Web search on the lanes that speak Anthropic's own format, and web search under a guardrail.

use crate::control::{KEY, endpoint};
use crate::guardrails::rule;
use crate::lanes::{LANES, on, path, post_in, with_lanes};
use crate::search::{SEARCH, Service, body, kinds, message, rules, tokens, tool};
use crate::sim::{signed_sim, world};
use crate::world::{Answer, Control, Rig};
use bedrock_sim::{Action, Match, Rule, Sim};
use ccag_domain::config::Settings;
use ccag_domain::{ConfigObject, Guardrail, Lane, Lanes};
use ccag_proto::v1::{self, Outcome};
use serde_json::{Value, json};

/// A gateway between a simulator and a search service, with an endpoint whose other lane is known to serve.
struct Searching {
    sim: Sim,
    service: Service,
    control: Control,
    rig: Rig,
    /// Records so far.
    recorded: usize,
}

impl Searching {
    async fn on(lane: Lane) -> Self {
        let (sim, service) = (signed_sim().await, Service::start().await);
        let mut objects = with_lanes(&[lane]);
        objects.push(ConfigObject::Settings(Settings {
            web_search: rules(Some(service.provider())),
            ..Settings::default()
        }));
        let (control, rig) = world(&sim, objects).await;
        let hello = body(false, &json!([]), "Hello").to_string();
        assert_eq!(post_in(&rig, "probing", hello).await.status, 200);
        control.plane.stored(2).await;
        sim.clear();
        Self {
            sim,
            service,
            control,
            rig,
            recorded: 2,
        }
    }

    async fn search(&self, session: &str, stream: bool, prompt: &str) -> Answer {
        let asking = body(stream, &json!([tool()]), prompt);
        post_in(&self.rig, session, asking.to_string()).await
    }

    /// Puts the endpoint under a guardrail that looks for a word.
    async fn guard(&self, lane: Lane, input: &str, output: &str, guardrail: Guardrail) {
        self.sim.guardrail(bedrock_sim::Guardrail {
            id: guardrail.id.clone(),
            version: guardrail.version.clone(),
            input_words: vec![input.into()],
            output_words: vec![output.into()],
            masked_words: Vec::new(),
            blocked_input: "This is not taken.".into(),
            blocked_output: "This is not said.".into(),
        });
        let mut changed = endpoint(1, true);
        changed.lanes = Lanes::new([lane]);
        changed.guardrail = Some(guardrail);
        let revision = self.control.plane.put(ConfigObject::Endpoint(changed));
        self.control.plane.applied(revision).await;
    }

    async fn record(&mut self) -> v1::UsageRecord {
        self.recorded += 1;
        let mut records = self.control.plane.stored(self.recorded).await;
        records.pop().unwrap()
    }

    fn paths(&self) -> Vec<String> {
        self.sim.requests().into_iter().map(|r| r.path).collect()
    }
}

/// The message, whichever way it came.
fn said(answer: &Answer, stream: bool) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(!answer.text().contains("amazon-bedrock"), "{}", answer.text());
    if stream {
        message(answer.text())
    } else {
        answer.json()
    }
}

#[tokio::test]
async fn a_search_on_a_lane_is_one_message_and_one_record() {
    for lane in LANES {
        let mut all = Searching::on(lane).await;
        for stream in [true, false] {
            all.sim.clear();
            let answer = all.search(&format!("searching {stream}"), stream, SEARCH).await;
            let said = said(&answer, stream);
            let expected = [
                "thinking",
                "text",
                "server_tool_use",
                "web_search_tool_result",
                "thinking",
                "text",
                "text",
            ];
            assert_eq!(kinds(&said), expected, "{lane:?}: {}", answer.text());
            assert_eq!(said["model"], "claude-opus-5-5");
            assert_eq!(said["content"][3]["content"][0]["url"], "https://docs.rs/axum");
            assert_eq!(
                said["content"][6]["citations"][0]["type"],
                "web_search_result_location"
            );
            assert_eq!(said["stop_reason"], "end_turn");
            assert_eq!(said["usage"]["server_tool_use"]["web_search_requests"], 1);
            assert_eq!(all.paths(), [path(lane), path(lane)]);
            let record = all.record().await;
            let account = all.sim.account();
            let sum = |f: fn(&bedrock_sim::Entry) -> u64| account.iter().map(f).sum::<u64>();
            assert_eq!(tokens(&record), (sum(|e| e.usage.input), sum(|e| e.usage.output)));
            assert_eq!(record.surface, lane.as_str());
            assert_eq!((record.attempts, record.web_searches), (2, 1));
            assert_eq!((record.outcome(), record.streaming), (Outcome::Completed, stream));
        }
        assert_eq!(all.service.asked(), ["axum version", "axum version"]);
    }
}

#[tokio::test]
async fn two_turns_send_a_lane_the_same_prefix() {
    for lane in LANES {
        let all = Searching::on(lane).await;
        let mut asking = body(true, &json!([tool()]), SEARCH);
        let first = post_in(&all.rig, "s", asking.to_string()).await;
        let list = asking["messages"].as_array_mut().unwrap();
        list.push(json!({"role": "assistant", "content": said(&first, true)["content"]}));
        list.push(json!({"role": "user", "content": "Thank you"}));
        said(&post_in(&all.rig, "s", asking.to_string()).await, true);
        let requests = all.sim.requests();
        assert_eq!(requests.len(), 3);
        let messages: Vec<String> = requests
            .iter()
            .map(|request| {
                assert_eq!((request.path.as_str(), request.status), (path(lane), 200));
                let parts: std::collections::HashMap<String, Box<serde_json::value::RawValue>> =
                    serde_json::from_str(&request.body).unwrap();
                parts["messages"].get().to_owned()
            })
            .collect();
        for pair in messages.windows(2) {
            assert!(
                pair[1].starts_with(pair[0].strip_suffix(']').unwrap()),
                "{}\n{}",
                pair[0],
                pair[1]
            );
        }
    }
}

#[tokio::test]
async fn a_beta_that_is_refused_in_the_first_call_is_not_in_the_second() {
    let all = Searching::on(Lane::Messages).await;
    let asking = body(true, &json!([tool()]), SEARCH);
    let request = all
        .rig
        .request("POST", "/v1/messages", KEY)
        .header("x-claude-code-session-id", "s")
        .header("anthropic-beta", "novel-2030-01-01");
    let answer = all
        .rig
        .send(request.body(asking.to_string().into_bytes().into()).unwrap())
        .await;
    assert_eq!(said(&answer, true)["stop_reason"], "end_turn");
    let statuses: Vec<_> = all.sim.requests().iter().map(|r| r.status).collect();
    assert_eq!(statuses, [400, 200, 200]);
}

#[tokio::test]
async fn a_search_whose_lane_goes_away_in_between_goes_on_through_invoke_model() {
    for lane in LANES {
        for stream in [true, false] {
            let mut all = Searching::on(lane).await;
            let gone = on(lane.as_str(), Action::UnknownOperation { in_success: true });
            all.sim.script(Rule {
                matches: Match {
                    text: Some("tool_result".into()),
                    ..gone.matches.clone()
                },
                ..gone
            });
            let answer = all.search("s", stream, SEARCH).await;
            let said = said(&answer, stream);
            assert_eq!(said["stop_reason"], "end_turn", "{}", answer.text());
            assert!(
                said["content"][5]["text"]
                    .as_str()
                    .unwrap()
                    .contains("axum 0.8 says docs.rs")
            );
            let paths = all.paths();
            assert_eq!(paths.len(), 3, "{paths:?}");
            assert!(paths[1] == path(lane) && paths[2].starts_with("/model/"));
            let record = all.record().await;
            assert_eq!((record.attempts, record.web_searches), (3, 1));
            assert_eq!(record.surface, "invoke-model");
            assert_eq!(all.service.asked().len(), 1, "nothing is searched for twice");
        }
    }
}

#[tokio::test]
async fn a_search_under_a_guardrail_goes_through_invoke_model_streamed_or_not() {
    for lane in LANES {
        let mut all = Searching::on(lane).await;
        all.guard(lane, "forbidden", "unspeakable", rule("gr1")).await;
        for stream in [true, false] {
            all.sim.clear();
            let passed = said(&all.search("s", stream, SEARCH).await, stream);
            assert_eq!(passed["stop_reason"], "end_turn");
            assert_eq!(passed["usage"]["server_tool_use"]["web_search_requests"], 1);
            let requests = all.sim.requests();
            assert_eq!(requests.len(), 2);
            for request in &requests {
                assert!(request.path.starts_with("/model/"), "{}", request.path);
                let named = ("x-amzn-bedrock-guardrailidentifier".into(), "gr1".into());
                assert!(request.headers.contains(&named), "every call is guarded");
            }
            assert_eq!(all.record().await.surface, "invoke-model");

            all.sim.clear();
            let blocked = all
                .search("s", stream, "Use the web_search tool: forbidden")
                .await;
            assert_eq!(
                (blocked.status, blocked.error_type().as_str()),
                (400, "policy_blocked")
            );
            assert_eq!(blocked.json()["error"]["message"], "This is not taken.");
            assert_eq!(all.record().await.web_searches, 0);

            let unsaid = all.search("s", stream, "say unspeakable").await;
            assert_eq!(
                said(&unsaid, stream)["content"][0]["text"],
                "This is not said.",
                "{}",
                unsaid.text()
            );
            all.record().await;
        }
        assert_eq!(
            all.service.asked().len(),
            2,
            "what is blocked is not searched for"
        );
    }
}

#[tokio::test]
async fn what_a_search_finds_is_looked_at_before_the_model_reads_it() {
    for (n, tag_input) in [false, true].into_iter().enumerate() {
        let mut all = Searching::on(Lane::Messages).await;
        let guardrail = Guardrail {
            tag_input,
            ..rule(&format!("gr{n}"))
        };
        // Each of the pages that the service finds says where it is from.
        all.guard(Lane::Messages, "says docs.rs", "unspeakable", guardrail)
            .await;
        let streamed = all.search("s", true, SEARCH).await;
        assert_eq!(streamed.status, 200);
        assert!(
            streamed.text().contains("event: error\n"),
            "tagged {tag_input}: {}",
            streamed.text()
        );
        assert!(
            streamed.text().contains("This is not taken."),
            "tagged {tag_input}: {}",
            streamed.text()
        );
        assert!(!streamed.text().contains("message_stop"));
        let record = all.record().await;
        assert_eq!((record.outcome(), record.web_searches), (Outcome::Cut, 1));
        let whole = all.search("s", false, SEARCH).await;
        assert_eq!(
            (whole.status, whole.error_type().as_str()),
            (400, "policy_blocked"),
            "tagged {tag_input}"
        );
        let record = all.record().await;
        assert_eq!((record.outcome(), record.web_searches), (Outcome::Failed, 1));
        assert!(tokens(&record).0 > 0, "the first call is paid for");
    }
}

#[tokio::test]
async fn tags_and_a_search_leave_the_prefix_as_it_was() {
    let all = Searching::on(Lane::Messages).await;
    let guardrail = Guardrail {
        tag_input: true,
        ..rule("gr1")
    };
    all.guard(Lane::Messages, "forbidden", "unspeakable", guardrail)
        .await;
    let mut asking = body(true, &json!([tool()]), SEARCH);
    let first = post_in(&all.rig, "s", asking.to_string()).await;
    let list = asking["messages"].as_array_mut().unwrap();
    list.push(json!({"role": "assistant", "content": said(&first, true)["content"]}));
    list.push(json!({"role": "user", "content": "Thank you"}));
    said(&post_in(&all.rig, "s", asking.to_string()).await, true);
    let messages: Vec<String> = all
        .sim
        .requests()
        .iter()
        .map(|request| {
            let parts: std::collections::HashMap<String, Box<serde_json::value::RawValue>> =
                serde_json::from_str(&request.body).unwrap();
            parts["messages"].get().to_owned()
        })
        .collect();
    assert_eq!(messages.len(), 3);
    for pair in messages.windows(2) {
        assert!(pair[1].starts_with(pair[0].strip_suffix(']').unwrap()));
    }
    assert!(messages[2].contains(">axum 0.8 says docs.rs</amazon-bedrock-guardrails"));
}

#[tokio::test]
async fn a_search_in_the_history_is_looked_at_as_the_model_reads_it() {
    for lane in LANES {
        let all = Searching::on(lane).await;
        let mut asking = body(false, &json!([tool()]), SEARCH);
        let first = said(&all.search("s", false, SEARCH).await, false);
        // The client goes on without the tool, and the results are sealed in what it sends.
        let list = asking["messages"].as_array_mut().unwrap();
        list.push(json!({"role": "assistant", "content": first["content"]}));
        list.push(json!({"role": "user", "content": "Thank you"}));
        asking["tools"] = json!([{"name": "Read", "input_schema": {"type": "object"}}]);
        let results = &first["content"][3];
        assert_eq!(results["type"], "web_search_tool_result");
        assert!(!results.to_string().contains("says docs.rs"));
        let guardrail = Guardrail {
            tag_input: true,
            ..rule("gr1")
        };
        all.guard(lane, "says docs.rs", "unspeakable", guardrail).await;
        all.sim.clear();
        let blocked = post_in(&all.rig, "s", asking.to_string()).await;
        assert_eq!(
            (blocked.status, blocked.error_type().as_str()),
            (400, "policy_blocked"),
            "{lane:?}"
        );
        assert_eq!(all.paths(), ["/guardrail/gr1/version/1/apply"]);
    }
}

#[tokio::test]
async fn under_a_guardrail_no_search_is_answered_without_the_model() {
    let all = Searching::on(Lane::Messages).await;
    let prompt = "Perform a web search for the query: forbidden things";
    let before = said(&all.search("s", true, prompt).await, true);
    assert_eq!(before["content"][0]["type"], "server_tool_use");
    assert!(all.sim.requests().is_empty() && all.service.asked().len() == 1);
    all.guard(Lane::Messages, "forbidden", "unspeakable", rule("gr1"))
        .await;
    for stream in [true, false] {
        let blocked = all.search("s", stream, prompt).await;
        assert_eq!(
            (blocked.status, blocked.error_type().as_str()),
            (400, "policy_blocked")
        );
    }
    assert_eq!(all.service.asked().len(), 1, "the service never hears of it");
}

#[tokio::test]
async fn a_request_too_deep_to_be_looked_at_goes_where_bedrock_looks_itself() {
    let all = Searching::on(Lane::Messages).await;
    all.guard(Lane::Messages, "forbidden", "unspeakable", rule("gr1"))
        .await;
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let asking = format!(
        r#"{{"model":"claude-opus-5-5","max_tokens":64,"tools":[{{"name":"t","input_schema":{{"type":"object"}}}}],
        "messages":[{{"role":"user","content":"forbidden"}},
        {{"role":"assistant","content":[{{"type":"tool_use","id":"toolu_1","name":"t","input":{{"a":{deep}}}}}]}},
        {{"role":"user","content":[{{"type":"tool_result","tool_use_id":"toolu_1","content":"ok"}}]}}]}}"#
    );
    post_in(&all.rig, "s", asking).await;
    let paths = all.paths();
    assert!(
        paths.len() == 1 && paths[0].starts_with("/model/"),
        "no lane without a guardrail is asked: {paths:?}"
    );
}
