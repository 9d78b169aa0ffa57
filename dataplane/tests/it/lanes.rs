//! The lanes that speak Anthropic's own format, against bedrock-sim: choosing, keeping and leaving them.

use crate::control::{KEY, endpoint, key, usual};
use crate::sim::{planned_text, signed_sim, text_of, world};
use crate::world::{Answer, Control, Rig, ask};
use bedrock_sim::{Action, Match, Received, Rule, Sim};
use ccag_domain::{ConfigObject, Lane, Lanes, UsageRecord};
use ccag_proto::v1;
use serde_json::{Value, json};
use std::sync::Arc;

/// The usual objects, with an endpoint that has these lanes.
pub fn with_lanes(lanes: &[Lane]) -> Vec<ConfigObject> {
    let mut objects = usual();
    let mut changed = endpoint(1, true);
    changed.lanes = Lanes::new(lanes.iter().copied());
    objects.push(ConfigObject::Endpoint(changed));
    objects
}

/// Posts as one conversation.
pub async fn post_in(rig: &Rig, session: &str, body: String) -> Answer {
    let request = rig
        .request("POST", "/v1/messages?beta=true", KEY)
        .header("x-claude-code-session-id", session);
    rig.send(request.body(body.into_bytes().into()).unwrap()).await
}

/// A world in which the lane has been probed and serves.
pub async fn probed(sim: &Sim, objects: Vec<ConfigObject>) -> (Control, Rig) {
    let (control, rig) = world(sim, objects).await;
    assert_eq!(post_in(&rig, "first", ask(false)).await.status, 200);
    let records = control.plane.stored(2).await;
    assert!(
        records.iter().any(|r| is_probe(r) && r.status == 200),
        "{records:?}"
    );
    sim.clear();
    (control, rig)
}

pub fn is_probe(record: &v1::UsageRecord) -> bool {
    record.session_id.as_deref() == Some(UsageRecord::LANE_PROBE)
}

pub fn path(lane: Lane) -> &'static str {
    if lane == Lane::Mantle {
        "/mantle/anthropic/v1/messages"
    } else {
        "/anthropic/v1/messages"
    }
}

pub fn on(operation: &str, action: Action) -> Rule {
    Rule {
        matches: Match {
            operation: Some(operation.into()),
            ..Match::default()
        },
        ..Rule::always(action)
    }
}

pub fn throttled() -> Action {
    Action::Error {
        status: 429,
        error_type: "ThrottlingException".into(),
        message: "Too many requests, please wait before trying again.".into(),
    }
}

fn sent(received: &Received) -> Value {
    serde_json::from_str(&received.body).unwrap()
}

fn header<'r>(received: &'r Received, name: &str) -> Option<&'r str> {
    let found = received.headers.iter().find(|(n, _)| n == name);
    found.map(|(_, value)| value.as_str())
}

pub const LANES: [Lane; 2] = [Lane::Messages, Lane::Mantle];

#[tokio::test]
async fn a_lane_is_probed_once_used_by_new_conversations_and_kept_by_each() {
    for lane in LANES {
        let sim = signed_sim().await;
        let (control, rig) = world(&sim, with_lanes(&[lane])).await;
        assert_eq!(post_in(&rig, "one", ask(true)).await.status, 200);
        let records = control.plane.stored(2).await;
        let (probes, asked): (Vec<_>, Vec<_>) = records.into_iter().partition(is_probe);
        assert_eq!((probes.len(), asked.len()), (1, 1));
        assert_eq!(probes[0].surface, lane.as_str());
        assert_eq!((probes[0].key_id.as_str(), probes[0].status), ("key_1", 200));
        assert!(probes[0].tokens.unwrap().input > 0);
        assert_eq!(asked[0].surface, "invoke-model", "nobody waits for a probe");

        for stream in [true, false] {
            sim.clear();
            let session = format!("two {stream}");
            let answer = post_in(&rig, &session, ask(stream)).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            let received = sim.requests();
            assert_eq!(received.len(), 1);
            assert_eq!(received[0].path, path(lane));
            assert_eq!(header(&received[0], "anthropic-version"), Some("2023-06-01"));
            let entry = sim.account().remove(0);
            let seen = if stream {
                assert!(
                    answer
                        .text()
                        .ends_with("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n")
                );
                text_of(answer.text())
            } else {
                let blocks = answer.json()["content"].clone();
                assert_eq!(answer.json()["model"], "claude-haiku-4-5");
                blocks[0]["text"].as_str().unwrap().to_owned()
            };
            assert_eq!(seen, planned_text(&entry));
            assert_eq!(answer.header("x-amzn-requestid"), Some(entry.request_id.as_str()));
        }
        let model = sent(&sim.requests()[0])["model"].clone();
        let base = "anthropic.claude-haiku-4-5-20251001-v1:0";
        let expected = if lane == Lane::Mantle {
            base.to_owned()
        } else {
            format!("us.{base}")
        };
        assert_eq!(model, expected);

        sim.clear();
        for (session, expected) in [
            ("one", "/model/"),
            ("two true", path(lane)),
            ("three", path(lane)),
        ] {
            post_in(&rig, session, ask(false)).await;
            let last = sim.requests().pop().unwrap();
            assert!(last.path.starts_with(expected), "{session}: {}", last.path);
        }
        let records = control.plane.stored(7).await;
        assert_eq!(records.iter().filter(|r| is_probe(r)).count(), 1);
        assert_eq!(records.iter().filter(|r| r.surface == lane.as_str()).count(), 5);
    }
}

#[tokio::test]
async fn the_ledger_of_a_lane_equals_bedrocks_own_account() {
    let sim = signed_sim().await;
    let (control, rig) = probed(&sim, with_lanes(&[Lane::Messages])).await;
    for n in 0..6 {
        assert_eq!(post_in(&rig, &format!("s{n}"), ask(n % 2 == 0)).await.status, 200);
    }
    let records = control.plane.stored(8).await;
    for entry in sim.account() {
        let record = records
            .iter()
            .find(|r| r.aws_request_id.as_deref() == Some(entry.request_id.as_str()));
        let tokens = record.unwrap().tokens.unwrap();
        assert_eq!(
            (tokens.input, tokens.output),
            (entry.usage.input, entry.usage.output)
        );
        assert!(!record.unwrap().estimated);
    }
}

#[tokio::test]
async fn a_lane_that_does_not_serve_is_recorded_and_not_asked_again_for_ten_minutes() {
    // Without signatures: the data plane's clock is put forward, and AWS takes none that are five minutes off.
    let sim = Sim::builder().start().await.unwrap();
    sim.script(on("messages", Action::UnknownOperation { in_success: true }));
    let (control, rig) = world(&sim, with_lanes(&[Lane::Messages])).await;
    let asked = |sim: &Sim| {
        sim.requests()
            .iter()
            .filter(|r| r.path == path(Lane::Messages))
            .count()
    };
    for n in 0..3 {
        assert_eq!(post_in(&rig, &format!("s{n}"), ask(true)).await.status, 200);
        control.plane.stored(n + 2).await;
        assert_eq!(asked(&sim), 1);
    }
    let records = control.plane.stored(4).await;
    let probe = records.iter().find(|r| is_probe(r)).unwrap();
    assert_eq!(probe.error.as_deref(), Some("UnknownOperationException"));
    sim.clear_script();
    rig.clock.forward(601_000);
    post_in(&rig, "later", ask(true)).await;
    control.plane.stored(6).await;
    assert_eq!(asked(&sim), 2);
    sim.clear();
    post_in(&rig, "after that", ask(true)).await;
    assert_eq!(sim.requests()[0].path, path(Lane::Messages));
}

#[tokio::test]
async fn a_conversation_whose_lane_is_gone_goes_on_through_invoke_model() {
    for in_success in [true, false] {
        for stream in [true, false] {
            let sim = signed_sim().await;
            let (control, rig) = probed(&sim, with_lanes(&[Lane::Messages])).await;
            assert_eq!(post_in(&rig, "on it", ask(stream)).await.status, 200);
            sim.clear();
            sim.script(on("messages", Action::UnknownOperation { in_success }));
            let answer = post_in(&rig, "on it", ask(stream)).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            let paths: Vec<_> = sim.requests().into_iter().map(|r| r.path).collect();
            assert_eq!(paths.len(), 2, "{paths:?}");
            assert!(paths[0] == path(Lane::Messages) && paths[1].starts_with("/model/"));
            let record = control.plane.stored(4).await.pop().unwrap();
            assert_eq!((record.surface.as_str(), record.attempts), ("invoke-model", 2));
            sim.clear();
            post_in(&rig, "on it", ask(stream)).await;
            assert_eq!(sim.requests().len(), 1, "the lane is not tried again");
        }
    }
}

#[tokio::test]
async fn another_endpoint_gets_the_body_of_its_own_lane() {
    let sim = signed_sim().await;
    let mut objects = with_lanes(&[Lane::Messages]);
    let mut second = endpoint(2, true);
    second.weight = 0;
    objects.push(ConfigObject::Endpoint(second));
    let (control, rig) = probed(&sim, objects).await;
    sim.script(on("messages", throttled()));
    let body = ask(true).replace(
        "\"stream\"",
        "\"metadata\":{\"user_id\":\"{\\\"a\\\":1}\"},\"stream\"",
    );
    let answer = post_in(&rig, "two", body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let received = sim.requests();
    assert_eq!(received.len(), 2);
    let (first, second) = (sent(&received[0]), sent(&received[1]));
    assert_eq!(first["metadata"]["user_id"].as_str().unwrap().len(), 32);
    assert_eq!(second["metadata"]["user_id"], "{\"a\":1}");
    assert_eq!(
        (first["stream"].as_bool(), second["stream"].as_bool()),
        (Some(true), None)
    );
    assert_eq!(second["anthropic_version"], "bedrock-2023-05-31");
    assert!(header(&received[1], "anthropic-version").is_none());
    let record = control.plane.stored(3).await.pop().unwrap();
    assert_eq!(record.endpoint_id, "end_2");
}

#[tokio::test]
async fn a_beta_that_the_lane_refuses_by_name_is_sent_once_and_never_again() {
    let sim = signed_sim().await;
    let (_control, rig) = probed(&sim, with_lanes(&[Lane::Messages])).await;
    let post = async |session: &str| {
        let request = rig
            .request("POST", "/v1/messages", KEY)
            .header("x-claude-code-session-id", session)
            .header(
                "anthropic-beta",
                "claude-code-20250219,novel-2030-01-01,novel-2030-02-02",
            );
        rig.send(request.body(ask(true).into_bytes().into()).unwrap())
            .await
    };
    assert_eq!(post("a").await.status, 200);
    let statuses: Vec<_> = sim.requests().iter().map(|r| r.status).collect();
    assert_eq!(statuses, [400, 400, 200]);
    for session in ["a", "b"] {
        sim.clear();
        assert_eq!(post(session).await.status, 200);
        let received = sim.requests();
        assert_eq!(received.len(), 1);
        assert_eq!(
            header(&received[0], "anthropic-beta"),
            Some("claude-code-20250219")
        );
    }
}

#[tokio::test]
async fn faults_of_a_lane_become_what_clients_understand() {
    let sim = signed_sim().await;
    let (control, rig) = probed(&sim, with_lanes(&[Lane::Mantle])).await;
    let exception = |after, name: &str| Action::Exception {
        after,
        error_type: name.into(),
        message: "Too many requests, please wait before trying again.".into(),
        original_status: None,
    };
    let cases: Vec<(Action, u16, bool)> = vec![
        (exception(0, "throttlingException"), 429, false),
        (exception(1, "serviceUnavailableException"), 529, false),
        (exception(5, "internalServerException"), 200, true),
        (Action::BadChecksum { after: 5 }, 200, true),
        (Action::End { after: 5 }, 200, true),
        (
            Action::Cut {
                after: 5,
                half_frame: true,
            },
            200,
            true,
        ),
        (Action::NoMessageStop, 200, false),
        (Action::UnknownEvent { after: 5 }, 200, false),
        (throttled(), 429, false),
    ];
    for (n, (action, status, broken)) in cases.into_iter().enumerate() {
        let name = format!("{action:?}");
        sim.clear_script();
        sim.script(on("mantle", action));
        let answer = post_in(&rig, "steady", ask(true)).await;
        assert_eq!(answer.status, status, "{name}: {}", answer.text());
        if status == 200 {
            assert_eq!(
                answer.text().contains("event: error\n"),
                broken,
                "{name}: {}",
                answer.text()
            );
        } else {
            answer.error_type();
        }
        let record = control.plane.stored(n + 3).await.pop().unwrap();
        assert_eq!(record.surface, "mantle", "{name}");
    }
}

#[tokio::test]
async fn what_clients_say_in_headers_of_awss_never_reaches_aws() {
    let sim = signed_sim().await;
    let (_control, rig) = probed(&sim, with_lanes(&[Lane::Messages])).await;
    for session in ["first", "on the lane"] {
        let request = rig
            .request("POST", "/v1/messages", KEY)
            .header("x-claude-code-session-id", session)
            .header("X-Amzn-Bedrock-GuardrailIdentifier", "mine")
            .header("X-Amzn-Bedrock-GuardrailVersion", "1")
            .header("X-Amzn-Bedrock-Trace", "ENABLED_FULL")
            .header("X-Amzn-Bedrock-Service-Tier", "priority");
        let answer = rig
            .send(request.body(ask(false).into_bytes().into()).unwrap())
            .await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let body = ask(false).replace("\"stream\"", "\"amazon-bedrock-guardrailConfig\":{},\"stream\"");
        let refused = post_in(&rig, session, body).await;
        assert_eq!(
            (refused.status, refused.error_type().as_str()),
            (400, "policy_blocked")
        );
    }
    let received = sim.requests();
    assert_eq!(received.len(), 2);
    for request in received {
        let own = request
            .headers
            .iter()
            .find(|(name, _)| name.starts_with("x-amzn-bedrock"));
        assert!(own.is_none(), "{own:?}");
    }
}

async fn count(rig: &Rig, model: &str) -> Answer {
    let body = json!({"model": model, "tools": [], "messages": [{"role": "user", "content": "how many?"}]});
    let request = rig
        .request("POST", "/v1/messages/count_tokens?beta=true", KEY)
        .header("anthropic-beta", "claude-code-20250219,token-counting-2024-11-01");
    rig.send(request.body(body.to_string().into_bytes().into()).unwrap())
        .await
}

#[tokio::test]
async fn tokens_are_counted_by_the_runtime_then_by_mantle_then_estimated() {
    // Without signatures: the data plane's clock is put forward, and AWS takes none that are five minutes off.
    let sim = Sim::builder().start().await.unwrap();
    let (control, rig) = world(&sim, with_lanes(&[Lane::InvokeModel, Lane::Mantle])).await;
    let by = async |model: &str| {
        let answer = count(&rig, model).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(answer.json()["input_tokens"].as_u64().unwrap() > 0);
        answer.header("x-ccag-token-count").unwrap().to_owned()
    };
    assert_eq!(by("claude-haiku-4-5").await, "bedrock");
    assert_eq!(by("claude-opus-5-5").await, "mantle");
    let refused = Action::Error {
        status: 403,
        error_type: "AccessDeniedException".into(),
        message: "no".into(),
    };
    sim.script(on("count", refused.clone()));
    assert_eq!(by("claude-haiku-4-5").await, "mantle");
    sim.script(on("mantle-count", refused));
    assert_eq!(by("claude-haiku-4-5").await, "estimate");
    sim.clear();
    assert_eq!(by("claude-haiku-4-5").await, "estimate");
    assert!(sim.requests().is_empty(), "both are left alone for ten minutes");
    sim.clear_script();
    rig.clock.forward(601_000);
    assert_eq!(by("claude-haiku-4-5").await, "bedrock");
    rig.delivered().await;
    assert!(
        control.plane.stored(0).await.is_empty(),
        "counting is never billed"
    );
}

#[tokio::test]
async fn without_the_mantle_lane_nobody_asks_mantle() {
    let sim = signed_sim().await;
    let (_control, rig) = world(&sim, usual()).await;
    let answer = count(&rig, "claude-opus-5-5").await;
    assert_eq!(answer.header("x-ccag-token-count"), Some("estimate"));
    assert!(sim.requests().is_empty());
}

#[tokio::test]
async fn a_burst_of_counts_is_answered_and_has_a_limit_of_its_own() {
    let sim = signed_sim().await;
    let mut objects = usual();
    let mut limited = key(KEY, "key_1");
    limited.rate_limit_rpm = Some(2);
    objects.push(ConfigObject::Key(limited));
    let (_control, rig) = world(&sim, objects).await;
    let rig = Arc::new(rig);
    let mut burst = tokio::task::JoinSet::new();
    for _ in 0..40 {
        let rig = Arc::clone(&rig);
        burst.spawn(async move { count(&rig, "claude-haiku-4-5").await.status });
    }
    assert!(burst.join_all().await.iter().all(|status| *status == 200));
    let mut statuses = Vec::new();
    for _ in 0..5 {
        statuses.push(count(&rig, "claude-haiku-4-5").await.status);
    }
    assert!(statuses.contains(&429), "{statuses:?}");
    assert_eq!(
        rig.post(ask(false)).await.status,
        200,
        "messages have their own limit"
    );
}
