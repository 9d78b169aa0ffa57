//! Whether models are available, one question for each.

use crate::{RealClock, client, endpoint, sim};
use bedrock_sim::{Action, Match, Rule, Sim};
use ccag_aws::discovery::discover;
use ccag_aws::{AwsCredentials, AwsSettings, ControlClient, ControlConfig};
use ccag_domain::{Availability, Obstacle};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const OPUS: &str = "anthropic.claude-opus-5-5";
const HAIKU: &str = "anthropic.claude-haiku-4-5-20251001-v1:0";

fn rule(model: &str, action: Action) -> Rule {
    Rule {
        matches: Match {
            model: Some(model.into()),
            operation: Some("availability".into()),
            ..Match::default()
        },
        ..Rule::always(action)
    }
}

fn questions(sim: &Sim) -> usize {
    let requests = sim.requests();
    let about = requests
        .iter()
        .filter(|r| r.path.starts_with("/foundation-model-availability/"));
    about.count()
}

#[tokio::test]
async fn what_aws_says_of_each_model_is_found_with_the_lists() {
    let sim = sim().await;
    sim.script(rule(
        OPUS,
        Action::Availability(bedrock_sim::Availability {
            agreement: "PENDING".into(),
            ..Default::default()
        }),
    ));
    let client = client(&sim, "a-secret").await;
    let found = discover(&client, &endpoint(None), 7).await.unwrap();
    assert_eq!(
        found.availability[OPUS],
        Availability::Hindered {
            by: vec![Obstacle::AgreementPending],
            agreement_error: None
        }
    );
    // Its id holds a colon, which is signed as it is sent.
    assert_eq!(found.availability[HAIKU], Availability::Available);
    let listed: BTreeSet<_> = found.models.iter().map(|m| m.id.clone()).collect();
    let asked: BTreeSet<_> = found.availability.keys().cloned().collect();
    assert_eq!(asked, listed);
    assert_eq!(questions(&sim), listed.len(), "each is asked about once");
    sim.shutdown().await;
}

#[tokio::test]
async fn without_the_permission_all_else_is_found_and_the_action_is_named() {
    let sim = sim().await;
    let refusal = |status, error_type: &str| Action::Error {
        status,
        error_type: error_type.into(),
        message: "User: arn:aws:sts::111122223333:assumed-role/ccag is not authorized".into(),
    };
    sim.script(rule(OPUS, refusal(429, "ThrottlingException")));
    sim.script(rule("", refusal(403, "AccessDeniedException")));
    let client = client(&sim, "a-secret").await;
    let found = discover(&client, &endpoint(None), 7).await.unwrap();
    assert!(!found.discovery.profiles.is_empty());
    let throttled = found.availability[OPUS].to_string();
    assert!(
        throttled.starts_with("unknown: ") && throttled.contains("429"),
        "{throttled}"
    );
    assert_eq!(
        found.availability[HAIKU].to_string(),
        "unknown: the role lacks bedrock:GetFoundationModelAvailability"
    );
    assert_eq!(
        questions(&sim),
        found.availability.len(),
        "a refusal of one is none of the others"
    );
    sim.shutdown().await;
}

/// A server that answers every question after a while with `body`, and knows how many were open at once. Without a body
/// it hangs up.
async fn server(body: Option<&'static str>) -> (String, Arc<AtomicUsize>, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (most, asked) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let open = Arc::new(AtomicUsize::new(0));
    let counters = (Arc::clone(&most), Arc::clone(&asked));
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let (open, most, asked) = (
                Arc::clone(&open),
                Arc::clone(&counters.0),
                Arc::clone(&counters.1),
            );
            tokio::spawn(async move {
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    if socket.read_buf(&mut request).await.unwrap_or(0) == 0 {
                        return;
                    }
                }
                asked.fetch_add(1, Ordering::SeqCst);
                most.fetch_max(open.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(50)).await;
                open.fetch_sub(1, Ordering::SeqCst);
                if let Some(body) = body {
                    let head = format!(
                        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                        body.len()
                    );
                    let _ = socket.write_all(format!("{head}{body}").as_bytes()).await;
                }
            });
        }
    });
    (url, most, asked)
}

async fn client_of(url: String) -> ControlClient {
    let settings = AwsSettings {
        region: Some("us-east-1".into()),
        quotas_url: Some(url.clone()),
        control_url: Some(url),
        credentials: AwsCredentials::Static {
            access_key_id: "AKIDEXAMPLE".into(),
            secret_access_key: "a-secret".to_owned().into(),
        },
        ..AwsSettings::default()
    };
    ControlClient::new(settings, ControlConfig::default(), Arc::new(RealClock))
        .await
        .unwrap()
}

fn ids(n: usize) -> BTreeSet<String> {
    (0..n).map(|i| format!("anthropic.claude-{i}")).collect()
}

#[tokio::test]
async fn few_questions_are_open_at_once_and_nonsense_is_no_answer() {
    let (url, most, asked) = server(Some(r#"{"modelId": "x", "regionAvailability": "PERHAPS"}"#)).await;
    let known = client_of(url).await.availability(&endpoint(None), ids(20)).await;
    assert_eq!((known.len(), asked.load(Ordering::SeqCst)), (20, 20));
    assert!((2..=4).contains(&most.load(Ordering::SeqCst)), "{most:?}");
    for availability in known.values() {
        let text = availability.to_string();
        assert!(text.contains("is no answer to it"), "{text}");
    }
}

#[tokio::test]
async fn when_nobody_answers_the_rest_is_not_asked_about() {
    let (url, _, asked) = server(None).await;
    let known = client_of(url).await.availability(&endpoint(None), ids(20)).await;
    assert_eq!(known.len(), 20);
    assert!(
        known
            .values()
            .all(|a| a.to_string().contains("cannot be reached"))
    );
    let asked = asked.load(Ordering::SeqCst);
    assert!(asked <= 4, "{asked}");
}
