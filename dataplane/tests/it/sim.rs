//! The product's own client against bedrock-sim, which knows nothing of the gateway and verifies every signature.

use crate::connect_proxy::ConnectProxy;
use crate::control::{ControlPlane, KEY, endpoint, usual};
use crate::world::{Control, Options, Rig, ask};
use bedrock_sim::{Action, Ending, Pace, Rule, Sim};
use ccag_dataplane::bedrock::{AwsCredentials, AwsSettings};
use ccag_domain::{ConfigObject, Proxy};
use ccag_proto::v1;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

pub fn aws(sim: &Sim) -> AwsSettings {
    AwsSettings {
        region: Some("us-east-1".into()),
        runtime_url: Some(sim.base_url()),
        mantle_url: Some(sim.mantle_url()),
        control_url: Some(sim.base_url()),
        kms_url: None,
        sns_url: None,
        events_url: None,
        secrets_url: None,
        quotas_url: None,
        sts_url: Some(sim.base_url()),
        bearer_token: None,
        credentials: AwsCredentials::Static {
            access_key_id: "AKIDEXAMPLE".into(),
            secret_access_key: "a-secret".to_owned().into(),
        },
    }
}

pub async fn world(sim: &Sim, objects: Vec<ConfigObject>) -> (Control, Rig) {
    let control = Control::start(ControlPlane::new(objects)).await;
    let rig = Rig::start(control.addr, with(aws(sim))).await;
    (control, rig)
}

pub fn with(aws: AwsSettings) -> Options {
    Options {
        change: Box::new(move |config| config.aws = aws),
        real_client: true,
        ..Options::default()
    }
}

pub async fn signed_sim() -> Sim {
    Sim::builder()
        .credential("AKIDEXAMPLE", "a-secret")
        .start()
        .await
        .unwrap()
}

/// The text that a stream carries.
pub fn text_of(sse: &str) -> String {
    sse.lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|data| serde_json::from_str::<serde_json::Value>(data).unwrap())
        .filter(|event| event["type"] == "content_block_delta")
        .filter_map(|event| event["delta"]["text"].as_str().map(str::to_owned))
        .collect()
}

pub fn planned_text(entry: &bedrock_sim::Entry) -> String {
    let blocks = entry.content.as_array().unwrap().iter();
    blocks.filter_map(|b| b["text"].as_str()).collect()
}

#[tokio::test]
async fn signed_requests_are_accepted_and_the_text_arrives_byte_for_byte() {
    let sim = signed_sim().await;
    let (control, rig) = world(&sim, usual()).await;
    for stream in [true, false] {
        sim.clear();
        let answer = rig.post(ask(stream)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let entry = sim.account().remove(0);
        assert_eq!(entry.ending, Ending::Completed);
        let seen = if stream {
            text_of(answer.text())
        } else {
            let json = answer.json();
            json["content"]
                .as_array()
                .unwrap()
                .iter()
                .filter_map(|b| b["text"].as_str())
                .collect()
        };
        assert_eq!(seen, planned_text(&entry));
        assert_eq!(answer.header("x-amzn-requestid"), Some(entry.request_id.as_str()));
    }
    let paths: Vec<_> = sim.requests().into_iter().map(|r| r.path).collect();
    assert_eq!(
        paths,
        ["/model/us.anthropic.claude-haiku-4-5-20251001-v1%3A0/invoke"]
    );
    control.plane.stored(2).await;
}

#[tokio::test]
async fn a_wrong_secret_is_our_fault_and_not_the_users() {
    let sim = Sim::builder()
        .credential("AKIDEXAMPLE", "another-secret")
        .start()
        .await
        .unwrap();
    let (_control, rig) = world(&sim, usual()).await;
    let answer = rig.post(ask(true)).await;
    assert_eq!(
        (answer.status, answer.error_type().as_str()),
        (529, "overloaded_error")
    );
    assert_eq!(sim.requests().len(), 2, "once more with fresh credentials");
}

#[tokio::test]
async fn a_bedrock_api_key_is_sent_instead_of_a_signature() {
    let sim = Sim::builder().bearer_key("bedrock-key").start().await.unwrap();
    let control = Control::start(ControlPlane::new(usual())).await;
    let aws = AwsSettings {
        bearer_token: Some("bedrock-key".to_owned().into()),
        ..aws(&sim)
    };
    let rig = Rig::start(control.addr, with(aws)).await;
    assert_eq!(rig.post(ask(true)).await.status, 200);
}

#[tokio::test]
async fn a_role_is_assumed_once_for_many_requests() {
    let sim = signed_sim().await;
    let mut objects = usual();
    let mut with_role = endpoint(1, true);
    with_role.role_arn = Some("arn:aws:iam::111122223333:role/bedrock".into());
    with_role.external_id = Some("ext-1".into());
    objects.push(ConfigObject::Endpoint(with_role));
    let (_control, rig) = world(&sim, objects).await;
    for _ in 0..5 {
        let answer = rig.post(ask(true)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let assumed = sim.requests().iter().filter(|r| r.path == "/").count();
    assert_eq!(assumed, 1);
    let assume = sim.requests().into_iter().find(|r| r.path == "/").unwrap();
    assert!(assume.body.contains("ExternalId=ext-1"), "{}", assume.body);
}

#[tokio::test]
async fn a_role_that_cannot_be_assumed_does_not_cost_a_call_per_request() {
    let sim = signed_sim().await;
    let mut objects = usual();
    let mut with_role = endpoint(1, true);
    with_role.role_arn = Some("arn:aws:iam::111122223333:role/bedrock".into());
    objects.push(ConfigObject::Endpoint(with_role));
    let control = Control::start(ControlPlane::new(objects)).await;
    let nowhere = AwsSettings {
        sts_url: Some("http://127.0.0.1:9".into()),
        ..aws(&sim)
    };
    let rig = Rig::start(control.addr, with(nowhere)).await;
    let first = std::time::Instant::now();
    assert_eq!(rig.post(ask(true)).await.status, 529);
    let first = first.elapsed();
    let again = std::time::Instant::now();
    for _ in 0..20 {
        assert_eq!(rig.post(ask(true)).await.status, 529);
    }
    assert!(
        again.elapsed() < first.max(Duration::from_secs(1)) * 5,
        "{:?} after {first:?}",
        again.elapsed()
    );
    assert!(sim.requests().is_empty());
}

#[tokio::test]
async fn a_hang_up_is_seen_by_bedrock_within_a_second() {
    let sim = signed_sim().await;
    sim.script(Rule::always(Action::Pace(Pace {
        text: Some(4_000),
        events: Some(400),
        gap_ms: 50,
        ..Pace::default()
    })));
    let (control, rig) = world(&sim, usual()).await;
    let mut stream = rig.open(ask(true)).await;
    stream.until("content_block_delta").await;
    drop(stream);
    let mut ending = Ending::Open;
    for _ in 0..100 {
        ending = sim.account()[0].ending;
        if ending != Ending::Open {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(ending, Ending::Cancelled);
    let record = control.plane.stored(1).await.remove(0);
    assert_eq!(record.outcome(), v1::Outcome::Abandoned);
    assert_eq!(record.tokens.unwrap().input, sim.account()[0].usage.input);
    assert!(record.tokens.unwrap().output > 0);
}

#[tokio::test]
async fn the_faults_that_bedrock_can_have_become_what_clients_understand() {
    let sim = signed_sim().await;
    let (control, rig) = world(&sim, usual()).await;
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
        (
            Action::ErrorMessage {
                after: 5,
                code: "InternalFailure".into(),
                message: "x".into(),
            },
            200,
            true,
        ),
        (Action::BadChecksum { after: 5 }, 200, true),
        (Action::End { after: 5 }, 200, true),
        (Action::NoMessageStop, 200, false),
        (Action::UnknownEvent { after: 5 }, 200, false),
        (
            Action::Silence {
                after: Some(3),
                ms: 300,
            },
            200,
            false,
        ),
    ];
    for (n, (action, status, broken)) in cases.into_iter().enumerate() {
        let name = format!("{action:?}");
        sim.clear_script();
        sim.script(Rule::always(action));
        let answer = rig.post(ask(true)).await;
        assert_eq!(answer.status, status, "{name}: {}", answer.text());
        if status == 200 {
            assert_eq!(
                answer.text().contains("event: error\n"),
                broken,
                "{name}: {}",
                answer.text()
            );
            assert_eq!(
                answer.text().ends_with("data: {\"type\":\"message_stop\"}\n\n"),
                !broken,
                "{name}"
            );
        } else {
            answer.error_type();
        }
        assert_eq!(control.plane.stored(n + 1).await.len(), n + 1, "{name}");
    }
}

#[tokio::test]
async fn the_ledger_equals_bedrocks_own_account() {
    let sim = signed_sim().await;
    sim.script(Rule::always(Action::Pace(Pace {
        text: Some(300),
        events: Some(20),
        gap_ms: 2,
        ..Pace::default()
    })));
    let (control, rig) = world(&sim, usual()).await;
    let rig = Arc::new(rig);
    let mut requests = tokio::task::JoinSet::new();
    for n in 0..60 {
        let rig = Arc::clone(&rig);
        requests.spawn(async move {
            let body = ask(n % 3 != 0).replace("\"hi\"", &format!("\"{}\"", "word ".repeat(10 + n)));
            rig.post(body).await.status
        });
    }
    assert!(requests.join_all().await.iter().all(|status| *status == 200));
    let ledger: HashMap<String, v1::Tokens> = control
        .plane
        .stored(60)
        .await
        .into_iter()
        .map(|r| (r.aws_request_id.clone().unwrap(), r.tokens.unwrap()))
        .collect();
    let account = sim.account();
    assert_eq!((ledger.len(), account.len()), (60, 60));
    for entry in account {
        let (tokens, usage) = (&ledger[&entry.request_id], entry.usage);
        assert_eq!(
            (
                tokens.input,
                tokens.output,
                tokens.cache_read,
                tokens.cache_write_5m,
                tokens.cache_write_1h
            ),
            (
                usage.input,
                usage.output,
                usage.cache_read,
                usage.cache_write_5m,
                usage.cache_write_1h
            )
        );
    }
}

#[tokio::test]
async fn a_body_beyond_what_bedrock_takes_is_refused_in_bedrocks_words() {
    let sim = Sim::builder()
        .credential("AKIDEXAMPLE", "a-secret")
        .max_body(25_000_000)
        .start()
        .await
        .unwrap();
    let (_control, rig) = world(&sim, usual()).await;
    let body_of = |bytes: usize| ask(false).replace("\"hi\"", &format!("\"{}\"", "x".repeat(bytes)));
    for _ in 0..3 {
        let answer = rig.post(body_of(26_000_000)).await;
        assert_eq!(
            (answer.status, answer.error_type().as_str()),
            (413, "request_too_large"),
            "{}",
            answer.text()
        );
    }
}

#[tokio::test]
async fn connections_are_used_again() {
    let sim = signed_sim().await;
    let (_control, rig) = world(&sim, usual()).await;
    for _ in 0..10 {
        assert_eq!(rig.post(ask(true)).await.status, 200);
    }
    // Each connection of the gateway's to the simulator is one of this process's established sockets to its port.
    let port = format!(":{:04X} ", sim.address().port());
    let open = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let to_sim = open.lines().filter(|line| {
        line.split_whitespace()
            .nth(2)
            .is_some_and(|remote| format!("{remote} ").ends_with(&port))
    });
    assert!(to_sim.clone().count() <= 2, "{:?}", to_sim.collect::<Vec<_>>());
}

#[tokio::test]
async fn tokens_are_counted_by_bedrock() {
    let sim = signed_sim().await;
    let (_control, rig) = world(&sim, usual()).await;
    let body = r#"{"model":"claude-haiku-4-5","messages":[{"role":"user","content":"foo"}],"tools":[]}"#;
    let request = rig
        .request("POST", "/v1/messages/count_tokens?beta=true", KEY)
        .body(body.into())
        .unwrap();
    let answer = rig.send(request).await;
    assert_eq!(
        answer.header("x-ccag-token-count"),
        Some("bedrock"),
        "{}",
        answer.text()
    );
    assert!(answer.json()["input_tokens"].as_u64().unwrap() > 0);
}

/// Requests of real clients, recorded. Web search is off in this world, and one names a model that nobody has.
#[tokio::test]
async fn what_claude_code_sends_is_accepted() {
    let sim = signed_sim().await;
    let (_control, rig) = world(&sim, usual()).await;
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/translate/tests/fixtures");
    let mut accepted = 0;
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let recorded: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        for call in recorded.as_array().unwrap() {
            let mut request = rig.request("POST", call["path"].as_str().unwrap(), KEY);
            if let Some(betas) = call["betas"].as_str() {
                request = request.header("anthropic-beta", betas);
            }
            let answer = rig
                .send(
                    request
                        .body(call["body"].to_string().into_bytes().into())
                        .unwrap(),
                )
                .await;
            // Claude Code leaves its safeguards out as soon as it is told that nobody here knows them.
            if answer.status == 400 && answer.text().contains("safeguards") {
                continue;
            }
            let expected: &[u16] = if name.ends_with("web_search") {
                &[200, 400]
            } else if name.ends_with("custom_model_name") {
                &[200, 404]
            } else {
                &[200]
            };
            assert!(
                expected.contains(&answer.status),
                "{name} {}: {}",
                answer.status,
                answer.text()
            );
            accepted += usize::from(answer.status == 200);
        }
    }
    assert!(accepted > 20, "{accepted}");
}

#[tokio::test]
async fn requests_and_their_roles_go_through_the_endpoints_proxy_or_nowhere() {
    let sim = signed_sim().await;
    for (status, answered) in [(200, 200), (407, 529)] {
        let proxy = ConnectProxy::start(status).await;
        let mut objects = usual();
        let mut far = endpoint(1, true);
        far.role_arn = Some("arn:aws:iam::111122223333:role/bedrock".into());
        Arc::make_mut(&mut far.access).network.proxy = Some(Proxy {
            url: proxy.url.clone(),
            login: None,
        });
        objects.push(ConfigObject::Endpoint(far));
        sim.clear();
        let (_control, rig) = world(&sim, objects).await;
        let answer = rig.post(ask(true)).await;
        assert_eq!(answer.status, answered, "{}", answer.text());
        if status == 200 {
            assert!(proxy.connected() > 0, "{:?}", proxy.asked());
            let paths: Vec<_> = sim.requests().iter().map(|r| r.path == "/").collect();
            assert_eq!(paths, [true, false], "the role, then the model");
        } else {
            assert!(
                !answer.text().contains("proxy"),
                "no business of the client's: {}",
                answer.text()
            );
            assert_eq!(sim.requests().len(), 0, "nobody goes around it");
        }
    }
}
