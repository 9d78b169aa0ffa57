//! Odd bodies, odd paths, and everything else that is not a plain model request.

use crate::control::{KEY, endpoint, team, usual};
use crate::fake::{Script, whole_message};
use crate::world::{Options, ask, usual_world, world_of};
use ccag_domain::{ConfigObject, ObjectKind};
use http_body_util::Full;
use std::fmt::Write;

#[tokio::test]
async fn what_cannot_be_a_request_gets_a_400_that_says_why() {
    let (_control, rig) = usual_world().await;
    let cases: &[(&[u8], &str)] = &[
        (b"", "JSON"),
        (b"{\"model\":", "JSON"),
        (b"[]", "dictionary"),
        (b"{}", "model"),
        (b"{\"model\":\"claude-haiku-4-5\",\"max_tokens\":1}", "messages"),
        (
            b"{\"model\":\"claude-haiku-4-5\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}",
            "max_tokens",
        ),
        (
            b"{\"model\":\"m\x00\",\"max_tokens\":1,\"messages\":[]}",
            "control character",
        ),
        (b"{\"model\":\"\xff\",\"max_tokens\":1,\"messages\":[]}", "UTF-8"),
    ];
    for (body, word) in cases {
        let answer = rig.post(body.to_vec()).await;
        assert_eq!(
            (answer.status, answer.error_type().as_str()),
            (400, "invalid_request_error"),
            "{}",
            answer.text()
        );
        assert!(answer.text().contains(word), "{word}: {}", answer.text());
    }
    assert!(rig.bedrock.asked().is_empty());
}

#[tokio::test]
async fn escaped_oddities_pass_as_they_were_written() {
    let (_control, rig) = usual_world().await;
    for odd in [
        r"a\u0000b",
        r"\ud83d\ude00",
        r"\ud83d",
        "😀 é ✓",
        r#"{\"nested\": 1.0e5}"#,
    ] {
        rig.bedrock.push(Script::Whole(whole_message()));
        let body = ask(false).replace("\"hi\"", &format!("\"{odd}\""));
        let answer = rig.post(body).await;
        if answer.status != 200 {
            assert_eq!(
                answer.error_type(),
                "invalid_request_error",
                "{odd}: {}",
                answer.text()
            );
            continue;
        }
        let sent = rig.bedrock.asked().pop().unwrap().body;
        assert!(std::str::from_utf8(&sent).unwrap().contains(odd), "{odd}");
    }
}

#[tokio::test]
async fn a_30_mb_body_passes_and_a_33_mb_body_is_refused_in_words() {
    let (_control, rig) = usual_world().await;
    let body_of = |bytes: usize| ask(false).replace("\"hi\"", &format!("\"{}\"", "x".repeat(bytes)));
    rig.bedrock.push(Script::Whole(whole_message()));
    let answer = rig.post(body_of(30 << 20)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(rig.bedrock.asked()[0].body.len() > 30 << 20);
    let answer = rig.post(body_of(33 << 20)).await;
    assert_eq!(
        (answer.status, answer.error_type().as_str()),
        (413, "request_too_large")
    );
    assert_eq!(rig.bedrock.asked().len(), 1);
}

#[tokio::test]
async fn a_body_without_a_length_is_limited_while_it_is_read() {
    use http_body_util::{BodyExt, StreamBody};
    let (_control, rig) = usual_world().await;
    let piece = bytes::Bytes::from(vec![b' '; 1 << 20]);
    let pieces = (0..34).map(move |_| Ok::<_, std::io::Error>(http_body::Frame::data(piece.clone())));
    let body = StreamBody::new(futures_util::stream::iter(pieces));
    let client =
        hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new()).build_http();
    let response = client
        .request(rig.request("POST", "/v1/messages", KEY).body(body).unwrap())
        .await
        .unwrap();
    assert_eq!(response.status(), 413);
    let text = response.into_body().collect().await.unwrap().to_bytes();
    let told: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let message = told["error"]["message"].as_str().unwrap();
    assert!(message.starts_with("Request exceeds the maximum size"), "{told}");
}

#[tokio::test]
async fn a_single_line_of_3_mb_and_a_deep_nest_do_no_harm() {
    let (_control, rig) = usual_world().await;
    rig.bedrock.push(Script::Whole(whole_message()));
    let long = ask(false).replace("\"hi\"", &format!("\"{}\"", "é".repeat(3 << 19)));
    assert_eq!(rig.post(long).await.status, 200);
    let deep = ask(false).replace(
        "\"hi\"",
        &format!("{}{}", "[".repeat(200_000), "]".repeat(200_000)),
    );
    let answer = rig.post(deep).await;
    assert!(matches!(answer.status, 400 | 529), "{}", answer.status);
    assert_eq!(rig.get("/v1/models").await.status, 200);
}

#[tokio::test]
async fn paths_and_methods_that_are_not_served_are_refused_in_anthropics_envelope() {
    let (_control, rig) = usual_world().await;
    for (method, path, status, kind) in [
        ("GET", "/v1/messages", 405, "invalid_request_error"),
        ("PUT", "/v1/messages/count_tokens", 405, "invalid_request_error"),
        ("POST", "/v1/models", 405, "invalid_request_error"),
        ("POST", "/v1/messages/batches", 404, "not_found_error"),
        ("GET", "/v1/files", 404, "not_found_error"),
        ("GET", "/anything", 404, "not_found_error"),
    ] {
        let answer = rig
            .send(rig.request(method, path, KEY).body(Full::default()).unwrap())
            .await;
        assert_eq!(
            (answer.status, answer.error_type().as_str()),
            (status, kind),
            "{method} {path}"
        );
    }
    for (method, path) in [
        ("HEAD", "/"),
        ("HEAD", "/api/hello"),
        ("GET", "/api/hello"),
        ("GET", "/api/hello?x=1"),
    ] {
        let answer = rig
            .send(rig.request(method, path, "").body(Full::default()).unwrap())
            .await;
        assert_eq!(answer.status, 200, "{method} {path}");
    }
}

#[tokio::test]
async fn models_are_listed_for_callers_and_only_those_that_work() {
    let (control, rig) = usual_world().await;
    let all = rig.get("/v1/models?limit=1000").await.json();
    let ids: Vec<_> = all["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["id"].as_str().unwrap().to_owned())
        .collect();
    assert!(ids.contains(&"claude-haiku-4-5".to_owned()), "{ids:?}");
    assert_eq!(all["data"][0]["type"], "model");
    let one = rig.get("/v1/models/claude-haiku-4-5-20251001").await.json();
    assert_eq!(one["id"], "claude-haiku-4-5");
    assert!(one["created_at"].as_str().unwrap().ends_with('Z'));
    assert_eq!(rig.get("/v1/models/gpt").await.error_type(), "not_found_error");
    let anonymous = rig
        .send(
            rig.request("GET", "/v1/models", "")
                .body(Full::default())
                .unwrap(),
        )
        .await;
    assert_eq!(anonymous.status, 401);
    control
        .plane
        .applied(control.plane.remove(ObjectKind::Price, "claude-haiku-4-5"))
        .await;
    assert_eq!(rig.get("/v1/models/claude-haiku-4-5").await.status, 404);
}

#[tokio::test]
async fn tokens_are_counted_by_bedrock_or_estimated_and_never_recorded() {
    let mut objects = usual();
    objects.push(ConfigObject::Endpoint(endpoint(2, false)));
    objects.push(ConfigObject::Team(team("team_1", &[2])));
    let (control, rig) = world_of(objects, Options::default()).await;
    let count = |model: &str| {
        let body =
            format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"foo"}}],"tools":[]}}"#);
        rig.request("POST", "/v1/messages/count_tokens?beta=true", KEY)
            .body(Full::from(body))
            .unwrap()
    };
    rig.bedrock.push(Script::Whole(r#"{"inputTokens":42}"#.into()));
    let answer = rig.send(count("claude-haiku-4-5")).await;
    assert_eq!(
        (answer.text(), answer.header("x-ccag-token-count")),
        (r#"{"input_tokens":42}"#, Some("bedrock"))
    );
    let asked = rig.bedrock.asked().pop().unwrap();
    assert_eq!(asked.model, "anthropic.claude-haiku-4-5-20251001-v1:0");
    assert_eq!(asked.endpoint, "endpoint-2");
    // A model that Bedrock does not count for, and a Bedrock that refuses.
    rig.bedrock.push(Script::Status(
        400,
        "ValidationException",
        r#"{"message":"no"}"#.into(),
    ));
    for model in ["claude-opus-5-5", "claude-haiku-4-5"] {
        let answer = rig.send(count(model)).await;
        assert_eq!(
            (answer.status, answer.header("x-ccag-token-count")),
            (200, Some("estimate"))
        );
        assert!(answer.json()["input_tokens"].as_u64().unwrap() > 0);
    }
    assert_eq!(rig.bedrock.asked().len(), 2);
    let broken = rig
        .request("POST", "/v1/messages/count_tokens", KEY)
        .body(Full::from("{}"))
        .unwrap();
    assert_eq!(rig.send(broken).await.error_type(), "invalid_request_error");
    assert_eq!(
        (
            rig.plane.undelivered(),
            control.plane.shared.arrived.lock().unwrap().len()
        ),
        (0, 0)
    );
}

#[tokio::test]
async fn everything_else_is_passed_on_to_the_control_plane_where_one_is_named() {
    let control_http = axum::Router::new().fallback(|request: axum::extract::Request| async move {
        let mut seen = format!("{} {}", request.method(), request.uri());
        for (name, value) in request.headers() {
            let _ = write!(seen, "\n{name}: {}", value.to_str().unwrap());
        }
        let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
        let _ = write!(seen, "\n\n{}", String::from_utf8_lossy(&body));
        ([("x-from", "control"), ("connection", "close")], seen)
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, control_http).await.unwrap() });
    let options = Options {
        change: Box::new(move |config| config.forward_control = Some(target.parse().unwrap())),
        ..Options::default()
    };
    let (_control, rig) = world_of(usual(), options).await;
    let request = rig
        .request("POST", "/admin/keys?x=1", KEY)
        .header("te", "trailers")
        .body(Full::from("body"))
        .unwrap();
    let answer = rig.send(request).await;
    assert_eq!((answer.status, answer.header("x-from")), (200, Some("control")));
    assert!(
        answer.text().starts_with("POST /admin/keys?x=1"),
        "{}",
        answer.text()
    );
    assert!(answer.text().contains("x-forwarded-for: 127.0.0.1") && answer.text().ends_with("\n\nbody"));
    assert!(
        answer.text().contains(&format!("x-forwarded-host: {}", rig.addr)) && !answer.text().contains("te: ")
    );
    let telemetry = rig
        .send(
            rig.request("POST", "/v1/metrics", KEY)
                .body(Full::from("otlp"))
                .unwrap(),
        )
        .await;
    // What clients measure of themselves is taken in here.
    assert_eq!((telemetry.status, telemetry.header("x-from")), (200, None));
    assert_eq!(rig.get("/v1/models").await.header("x-from"), None);
}

/// A data plane whose memory for bodies is taken by a request that Bedrock lets wait.
#[tokio::test]
async fn bodies_beyond_the_memory_for_them_are_refused_politely_and_lose_nothing() {
    let options = Options {
        change: Box::new(|config| config.body_memory_bytes = 3 << 20),
        ..Options::default()
    };
    let (_control, rig) = world_of(usual(), options).await;
    let body = |n: usize| ask(false).replace("\"hi\"", &format!("\"{}\"", "x".repeat(n)));
    rig.bedrock.push(Script::Hang);
    {
        let mut waiting = std::pin::pin!(rig.post(body(1 << 20)));
        while rig.bedrock.asked().is_empty() {
            let moment = std::time::Duration::from_millis(20);
            assert!(tokio::time::timeout(moment, &mut waiting).await.is_err());
        }
        let refused = rig.post(body(1 << 20)).await;
        assert_eq!(
            (
                refused.status,
                refused.error_type().as_str(),
                refused.header("retry-after")
            ),
            (503, "overloaded_error", Some("2")),
            "{}",
            refused.text()
        );
        assert!(rig.metrics().contains("ccag_dataplane_bodies_refused_total 1"));
        // What is small finds room.
        rig.bedrock.push(Script::Whole(whole_message()));
        assert_eq!(rig.post(body(1_000)).await.status, 200);
    }
    // The client has gone away: what its request held is free again.
    rig.bedrock.push(Script::Whole(whole_message()));
    assert_eq!(rig.post(body(1 << 20)).await.status, 200);
    rig.delivered().await;
    assert!(rig.metrics().contains("ccag_dataplane_body_memory_bytes 0"));
}
