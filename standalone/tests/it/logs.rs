//! What the logs hold, at their most talkative.

use crate::harness::{Client, MODEL, PASSWORD, message, standalone_logging};
use bedrock_sim::Action;

#[tokio::test(flavor = "multi_thread")]
async fn logs_hold_no_secret_and_no_word_of_a_prompt_or_an_answer() {
    let ours = "ccag_controlplane=trace,ccag_dataplane=trace,ccag_daemon=trace,ccag_translate=trace,info";
    let it = standalone_logging(ours).await;
    let stranger = Client::new(
        &it.gateway.url,
        "sk-ccag-heliotropeheliotropeheliotropeheliotrope123",
    );
    assert_eq!(stranger.send(&message(MODEL, "heliotrope")).await.status, 401);
    assert_eq!(it.client.send(&message(MODEL, "heliotrope")).await.status, 200);
    assert!(it.client.stream(MODEL, "heliotrope").await.is_complete());
    assert_eq!(
        it.client
            .send(&message("heliotrope-model", "heliotrope"))
            .await
            .status,
        404
    );
    assert_eq!(it.client.raw("{\"model\": heliotrope").await.status, 400);
    // A reason of Bedrock's that quotes the request.
    it.sim.once(Action::Error {
        status: 400,
        error_type: "ValidationException".into(),
        message: "messages.0.content: 'heliotrope' is not allowed".into(),
    });
    assert_eq!(it.client.send(&message(MODEL, "heliotrope")).await.status, 400);

    let log = it.gateway.process.output();
    assert!(log.lines().count() > 20, "too quiet to prove anything");
    for secret in [
        it.secret.as_str(),
        PASSWORD,
        "heliotropeheliotrope",
        "a-secret-that-opens-nothing",
    ] {
        assert!(!log.contains(secret), "{secret} is logged");
    }
    let words: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("heliotrope") && !line.contains("heliotrope-model"))
        .collect();
    assert!(words.is_empty(), "the conversation is logged: {words:?}");
}
