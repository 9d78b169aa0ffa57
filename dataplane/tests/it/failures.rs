//! What a failure of Bedrock's becomes for the client, and what is tried before.

use crate::control::{KEY, endpoint, explanation, team, usual};
use crate::fake::{BLOCK, START, Script, chunk, exception, hello, whole_message};
use crate::world::{Options, ask, usual_world, world_of};
use ccag_dataplane::bedrock::CallError;
use ccag_domain::ConfigObject;
use ccag_proto::v1::Outcome;

fn refusal(status: u16, kind: &'static str, message: &str) -> Script {
    Script::Status(
        status,
        kind,
        serde_json::json!({ "message": message }).to_string(),
    )
}

#[tokio::test]
async fn every_error_of_bedrocks_has_its_status_type_and_one_record() {
    let cases: &[(u16, &str, &str, u16, &str)] = &[
        (
            429,
            "ThrottlingException",
            "Too many tokens, please wait before trying again.",
            429,
            "rate_limit_error",
        ),
        (
            429,
            "ThrottlingException",
            "Too many tokens per day, please wait before trying again.",
            429,
            "rate_limit_error",
        ),
        (
            503,
            "ServiceUnavailableException",
            "Bedrock is unable to process your request.",
            529,
            "overloaded_error",
        ),
        (500, "InternalServerException", "oops", 500, "api_error"),
        (408, "ModelTimeoutException", "too slow", 504, "timeout_error"),
        (424, "ModelErrorException", "the model failed", 502, "api_error"),
        (
            403,
            "AccessDeniedException",
            "You don't have access to the model with the specified model ID.",
            404,
            "not_found_error",
        ),
        (
            404,
            "ResourceNotFoundException",
            "no such profile",
            404,
            "not_found_error",
        ),
        (
            413,
            "RequestEntityTooLargeException",
            "too big",
            413,
            "request_too_large",
        ),
        (
            400,
            "ValidationException",
            "messages.1: all messages must have non-empty content",
            400,
            "invalid_request_error",
        ),
    ];
    let (control, rig) = usual_world().await;
    for (n, (status, kind, message, expected, error_type)) in cases.iter().enumerate() {
        rig.bedrock.push(refusal(*status, kind, message));
        let answer = rig.post(ask(n % 2 == 0)).await;
        assert_eq!(answer.status, *expected, "{kind}: {}", answer.text());
        assert_eq!(answer.error_type(), *error_type, "{kind}");
        if let Some(wait) = answer.header("retry-after") {
            assert!((1..=60).contains(&wait.parse::<u32>().unwrap()), "{kind}");
        }
        let records = control.plane.stored(n + 1).await;
        let record = records.last().unwrap();
        assert_eq!(record.outcome(), Outcome::Failed, "{kind}");
        assert_eq!(record.error.as_deref(), Some(*kind));
        assert_eq!(
            (record.status, record.attempts),
            (u32::from(*expected), 1),
            "{kind}"
        );
        assert_eq!(record.tokens, Some(ccag_proto::v1::Tokens::default()));
    }
}

#[tokio::test]
async fn no_arn_and_no_account_reaches_the_client() {
    let (_control, rig) = usual_world().await;
    let text =
        "User: arn:aws:sts::123456789012:assumed-role/gw/x is not authorized to perform: bedrock:InvokeModel";
    rig.bedrock.push(refusal(403, "AccessDeniedException", text));
    let answer = rig.post(ask(true)).await;
    assert!(
        !answer.text().contains("arn:") && !answer.text().contains("123456789012"),
        "{}",
        answer.text()
    );
}

#[tokio::test]
async fn an_exception_as_first_event_is_a_real_status() {
    let (control, rig) = usual_world().await;
    for first in [None, Some(START)] {
        let bedrock = rig.bedrock.stream();
        if let Some(event) = first {
            bedrock.send(Ok(chunk(event))).unwrap();
        }
        bedrock
            .send(Ok(exception(
                "throttlingException",
                "Too many requests, please wait.",
            )))
            .unwrap();
        drop(bedrock);
        let answer = rig.post(ask(true)).await;
        assert_eq!(
            (answer.status, answer.error_type().as_str()),
            (429, "rate_limit_error")
        );
    }
    let records = control.plane.stored(2).await;
    assert!(records.iter().all(|r| r.outcome() == Outcome::Failed));
}

#[tokio::test]
async fn another_endpoint_of_the_same_caller_takes_over_before_the_first_content() {
    let mut objects = usual();
    objects.push(ConfigObject::Endpoint(endpoint(2, true)));
    objects.push(ConfigObject::Endpoint(endpoint(3, false)));
    let (control, rig) = world_of(objects, Options::default()).await;
    rig.bedrock
        .push(refusal(503, "ServiceUnavailableException", "busy"));
    rig.bedrock.events(hello().iter().map(String::as_str));
    let answer = rig.post(ask(true)).await;
    assert_eq!(answer.status, 200);
    let asked = rig.bedrock.asked();
    assert_eq!(asked.len(), 2);
    assert_ne!(asked[0].endpoint, asked[1].endpoint);
    assert!(asked.iter().all(|a| a.endpoint != "endpoint-3"));
    let record = control.plane.stored(1).await.remove(0);
    assert_eq!((record.attempts, record.outcome()), (2, Outcome::Completed));
    assert_eq!(record.endpoint_id.replace("end_", "endpoint-"), asked[1].endpoint);
}

#[tokio::test]
async fn a_team_never_leaves_through_an_endpoint_that_is_not_its_own() {
    let mut objects = usual();
    let mut own = endpoint(2, false);
    own.enabled = false;
    objects.push(ConfigObject::Endpoint(own.clone()));
    objects.push(ConfigObject::Team(team("team_1", &[2])));
    let (control, rig) = world_of(objects, Options::default()).await;
    let answer = rig.post(ask(true)).await;
    assert_eq!(
        (answer.status, answer.error_type().as_str()),
        (529, "overloaded_error")
    );
    assert!(rig.bedrock.asked().is_empty());
    own.enabled = true;
    control
        .plane
        .applied(control.plane.put(ConfigObject::Endpoint(own)))
        .await;
    rig.bedrock
        .push(refusal(503, "ServiceUnavailableException", "busy"));
    assert_eq!(rig.post(ask(true)).await.status, 529);
    assert_eq!(rig.bedrock.asked().len(), 1, "the default endpoint is not asked");
}

#[tokio::test]
async fn a_connection_that_breaks_before_the_answer_is_tried_once_more() {
    let (control, rig) = usual_world().await;
    rig.bedrock.push(Script::Error(CallError::Broken("reset".into())));
    rig.bedrock.push(Script::Whole(whole_message()));
    assert_eq!(rig.post(ask(false)).await.status, 200);
    for _ in 0..3 {
        rig.bedrock.push(Script::Error(CallError::Broken("reset".into())));
    }
    assert_eq!(rig.post(ask(false)).await.status, 529);
    assert_eq!(rig.bedrock.asked().len(), 4, "one more try each");
    assert_eq!(control.plane.stored(2).await[1].attempts, 2);
}

#[tokio::test]
async fn refused_credentials_are_fetched_anew_once_and_never_blamed_on_the_user() {
    let (_control, rig) = usual_world().await;
    for _ in 0..2 {
        rig.bedrock.push(refusal(
            403,
            "ExpiredTokenException",
            "The security token included in the request is expired",
        ));
    }
    let answer = rig.post(ask(true)).await;
    assert_eq!(
        (answer.status, answer.error_type().as_str()),
        (529, "overloaded_error")
    );
    assert_eq!((rig.bedrock.asked().len(), rig.bedrock.forgotten()), (2, 1));
}

#[tokio::test]
async fn a_request_that_never_reached_bedrock_leaves_no_record() {
    let (control, rig) = usual_world().await;
    rig.bedrock
        .push(Script::Error(CallError::Connect("refused".into())));
    assert_eq!(rig.post(ask(true)).await.status, 529);
    rig.bedrock
        .push(Script::Error(CallError::Credentials("none".into())));
    assert_eq!(rig.post(ask(true)).await.status, 529);
    rig.bedrock.push(Script::Whole(whole_message()));
    rig.post(ask(false)).await;
    assert_eq!(control.plane.stored(1).await.len(), 1);
    rig.delivered().await;
    assert_eq!(control.plane.shared.arrived.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_beta_that_bedrock_does_not_know_is_left_out_and_the_request_sent_again() {
    let (_control, rig) = usual_world().await;
    rig.bedrock
        .push(refusal(400, "ValidationException", "invalid beta flag"));
    rig.bedrock.events(hello().iter().map(String::as_str));
    let body = ask(true);
    let request = rig
        .request("POST", "/v1/messages", KEY)
        .header(
            "anthropic-beta",
            "interleaved-thinking-2025-05-14,tool-search-tool-2025-10-19,context-1m-2025-08-07",
        )
        .body(http_body_util::Full::new(body.into()))
        .unwrap();
    let answer = rig.send(request).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let asked = rig.bedrock.asked();
    assert!(
        asked[1].body.len() < asked[0].body.len(),
        "the second body asks for less"
    );
}

#[tokio::test]
async fn nothing_is_tried_elsewhere_once_the_client_has_seen_content() {
    let mut objects = usual();
    objects.push(ConfigObject::Endpoint(endpoint(2, true)));
    let (_control, rig) = world_of(objects, Options::default()).await;
    let bedrock = rig.bedrock.stream();
    for event in [START, BLOCK] {
        bedrock.send(Ok(chunk(event))).unwrap();
    }
    bedrock
        .send(Ok(exception("internalServerException", "x")))
        .unwrap();
    let answer = rig.post(ask(true)).await;
    assert!(answer.text().contains("event: error"));
    assert_eq!(rig.bedrock.asked().len(), 1);
}

/// A turn of a conversation whose prompt is likely to be cached where it lives.
fn warm(session: u32) -> String {
    let past = "words ".repeat(10_000);
    serde_json::json!({
        "model": "claude-haiku-4-5", "max_tokens": 64,
        "messages": [
            {"role": "user", "content": format!("{session} {past}")},
            {"role": "assistant", "content": "yes"},
            {"role": "user", "content": "go on"},
        ],
    })
    .to_string()
}

#[tokio::test]
async fn a_warm_conversation_waits_a_moment_for_its_endpoint_and_then_moves_for_good() {
    let mut objects = usual();
    objects.push(ConfigObject::Endpoint(endpoint(2, true)));
    let (control, rig) = world_of(objects, Options::default()).await;
    let throttle = || {
        let message = "Too many tokens, please wait before trying again.";
        rig.bedrock.push(refusal(429, "ThrottlingException", message));
    };
    let ask_warm = async |session: u32| {
        rig.bedrock.push(Script::Whole(whole_message()));
        let before = rig.bedrock.asked().len();
        assert_eq!(rig.post(warm(session)).await.status, 200);
        let asked = rig.bedrock.asked().split_off(before);
        asked.into_iter().map(|one| one.endpoint).collect::<Vec<_>>()
    };
    // One throttle: the same endpoint is asked once more, and the conversation stays.
    throttle();
    let asked = ask_warm(1).await;
    assert_eq!((asked.len(), &asked[0]), (2, &asked[1]));
    let home = asked[0].clone();
    assert_eq!(ask_warm(1).await, std::slice::from_ref(&home));
    // Two: the other one, and from then on only that.
    throttle();
    throttle();
    let asked = ask_warm(1).await;
    assert_eq!((asked.len(), &asked[0], &asked[1]), (3, &home, &home));
    assert_ne!(asked[2], home);
    assert_eq!(ask_warm(1).await, asked[2..]);
    // What is said of it, and that it is one request with one record.
    let records = control.plane.stored(4).await;
    let moved = |n: usize| explanation(&records[n]).route.moved;
    let then = |n: usize| {
        let attempts = explanation(&records[n]).attempts.into_iter();
        attempts
            .map(|one| one.then.unwrap_or_default())
            .collect::<Vec<_>>()
    };
    assert_eq!(then(0), ["same_in_a_moment", ""]);
    assert_eq!(then(2), ["same_in_a_moment", "next_endpoint", ""]);
    assert_eq!((moved(1), moved(3)), (false, true));
}

#[tokio::test]
async fn an_endpoint_whose_streams_break_off_after_content_is_tried_last() {
    let mut objects = usual();
    objects.push(ConfigObject::Endpoint(endpoint(2, true)));
    let (_control, rig) = world_of(objects, Options::default()).await;
    // The same conversation goes to the same endpoint.
    let begun: Vec<String> = hello().into_iter().take(3).collect();
    for _ in 0..3 {
        rig.bedrock.events(begun.iter().map(String::as_str));
        let answer = rig.post(ask(true)).await;
        assert_eq!(answer.status, 200, "it has begun");
        assert!(answer.text().contains("event: error"), "{}", answer.text());
    }
    let asked = rig.bedrock.asked();
    assert!(
        asked.iter().all(|a| a.endpoint == asked[0].endpoint),
        "two may be bad luck"
    );
    rig.bedrock.events(hello().iter().map(String::as_str));
    assert_eq!(rig.post(ask(true)).await.status, 200);
    assert_ne!(
        rig.bedrock.asked()[3].endpoint,
        asked[0].endpoint,
        "three are not"
    );
    let metrics = rig.metrics();
    let counted = "ccag_dataplane_endpoint_trouble{";
    assert!(
        metrics
            .lines()
            .any(|line| line.starts_with(counted) && line.ends_with(" 1")),
        "{metrics}"
    );
}
