//! The control operations against bedrock-sim, which checks signatures as AWS does.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod availability;
#[expect(unreachable_pub, reason = "shared with other tests")]
mod connect_proxy;
mod credentials;
mod front;
mod kms;
mod network;
mod quotas;

use bedrock_sim::Sim;
use ccag_aws::discovery::discover;
use ccag_aws::{AwsCredentials, AwsSettings, ControlClient, ControlConfig, ControlError};
use ccag_domain::{Clock, Endpoint, EndpointId, Geography, UnixMs};
use std::sync::Arc;

struct RealClock;

impl Clock for RealClock {
    fn now_ms(&self) -> UnixMs {
        let since = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
        i64::try_from(since.as_millis()).unwrap()
    }
}

fn endpoint(role_arn: Option<&str>) -> Endpoint {
    Endpoint {
        region: Some("us-east-1".into()),
        role_arn: role_arn.map(str::to_owned),
        ..Endpoint::new(EndpointId::parse("end_1").unwrap(), "e")
    }
}

fn settings(sim: &Sim, secret: &str) -> AwsSettings {
    AwsSettings {
        region: Some("us-east-1".into()),
        control_url: Some(sim.base_url()),
        kms_url: Some(sim.base_url()),
        quotas_url: Some(sim.base_url()),
        sts_url: Some(sim.base_url()),
        credentials: AwsCredentials::Static {
            access_key_id: "AKIDEXAMPLE".into(),
            secret_access_key: secret.to_owned().into(),
        },
        ..AwsSettings::default()
    }
}

async fn client(sim: &Sim, secret: &str) -> ControlClient {
    ControlClient::new(
        settings(sim, secret),
        ControlConfig::default(),
        Arc::new(RealClock),
    )
    .await
    .unwrap()
}

async fn sim() -> Sim {
    Sim::builder()
        .credential("AKIDEXAMPLE", "a-secret")
        .page(7)
        .start()
        .await
        .unwrap()
}

#[tokio::test]
async fn all_pages_are_read_with_the_processs_own_credentials_and_with_a_role() {
    let sim = sim().await;
    let arn = sim.application_profile("Team blue", "global.anthropic.claude-opus-5-5");
    let client = client(&sim, "a-secret").await;
    for role in [None, Some("arn:aws:iam::444455556666:role/ccag")] {
        let found = discover(&client, &endpoint(role), 7).await.unwrap();
        assert_eq!(found.discovery.at_ms, 7);
        assert!(
            found.discovery.profiles.len() > 40,
            "{}",
            found.discovery.profiles.len()
        );
        let own = found.discovery.profiles.iter().find(|p| p.application).unwrap();
        assert_eq!(
            (own.id.as_str(), own.geography),
            (arn.as_str(), Geography::Global)
        );
        assert!(found.models.iter().any(|m| m.legacy));
        assert_eq!(found.left_out, []);
    }
    let profile = client.get_profile(&endpoint(None), &arn).await.unwrap();
    assert_eq!(
        (profile.kind.as_str(), profile.inference_profile_arn.as_str()),
        ("APPLICATION", arn.as_str())
    );
    sim.shutdown().await;
}

#[tokio::test]
async fn a_bearer_token_is_used_without_a_role() {
    let sim = Sim::builder().bearer_key("the-key").start().await.unwrap();
    let settings = AwsSettings {
        region: Some("us-east-1".into()),
        control_url: Some(sim.base_url()),
        quotas_url: Some(sim.base_url()),
        bearer_token: Some("the-key".to_owned().into()),
        ..AwsSettings::default()
    };
    let client = ControlClient::new(settings, ControlConfig::default(), Arc::new(RealClock))
        .await
        .unwrap();
    assert!(!client.list_models(&endpoint(None)).await.unwrap().is_empty());
    sim.shutdown().await;
}

#[tokio::test]
async fn refusals_keep_awss_words() {
    let sim = sim().await;
    let error = client(&sim, "another-secret")
        .await
        .list_models(&endpoint(None))
        .await
        .unwrap_err();
    let ControlError::Refused {
        status: 403,
        kind,
        message,
        ..
    } = &error
    else {
        panic!("{error}")
    };
    assert!(!kind.is_empty() && !message.is_empty(), "{error}");
    let known = client(&sim, "a-secret").await;
    let error = known
        .get_profile(&endpoint(None), "us.anthropic.nonesuch")
        .await
        .unwrap_err();
    assert!(
        matches!(error, ControlError::Refused { status: 404, .. }),
        "{error}"
    );
    sim.shutdown().await;
    let error = known.list_models(&endpoint(None)).await.unwrap_err();
    assert!(matches!(error, ControlError::Unreachable { .. }), "{error}");
}
