//! Whose credentials requests are signed with, against bedrock-sim's STS.

use crate::{RealClock, client, endpoint};
use bedrock_sim::Sim;
use ccag_aws::settings::resolve;
use ccag_aws::{AwsCredentials, AwsSettings, ConnectionConfig, Connections, ControlError, CredentialStore};
use ccag_domain::{
    Access, AccessKeys, CredentialSource, Endpoint, KeyId, ServiceSecret, SessionTags, Subject, TeamId,
    UserId,
};
use std::sync::Arc;
use std::time::Duration;

const ROLE: &str = "arn:aws:iam::444455556666:role/ccag";
const OWN_ID: &str = "AKIAIOSFODNN7EXAMPLE";

async fn sim() -> Sim {
    Sim::builder()
        .credential("AKIDEXAMPLE", "a-secret")
        .credential(OWN_ID, "own-secret")
        .bearer_key("own-bedrock-key")
        .start()
        .await
        .unwrap()
}

async fn store(sim: &Sim) -> CredentialStore {
    let settings = AwsSettings {
        region: Some("us-east-1".into()),
        sts_url: Some(sim.base_url()),
        credentials: AwsCredentials::Static {
            access_key_id: "AKIDEXAMPLE".into(),
            secret_access_key: "a-secret".to_owned().into(),
        },
        ..AwsSettings::default()
    };
    let connections = Connections::new(ConnectionConfig {
        connect_timeout: Duration::from_secs(5),
        pool_idle_timeout: None,
        http2: false,
        ca_bundle: None,
    });
    let connections = Arc::new(connections.unwrap());
    CredentialStore::new(
        &resolve(settings).await,
        "ccag-test",
        connections,
        Arc::new(RealClock),
    )
}

fn with(role_arn: Option<&str>, credentials: CredentialSource, session_tags: SessionTags) -> Endpoint {
    let mut made = endpoint(role_arn);
    made.access = Arc::new(Access {
        credentials,
        session_tags,
        ..Access::default()
    });
    made
}

fn keys(secret: &str) -> CredentialSource {
    CredentialSource::Keys(Some(AccessKeys {
        id: ServiceSecret::new(OWN_ID),
        secret: ServiceSecret::new(secret),
        session_token: None,
    }))
}

fn subject(n: u32, team: Option<&str>) -> Subject {
    Subject {
        key_id: KeyId::parse(&format!("key_{n}")).unwrap(),
        user_id: Some(UserId::parse(&format!("user_{n}")).unwrap()),
        team_id: team.map(|_| TeamId::parse("team_1").unwrap()),
        team_name: team.map(str::to_owned),
    }
}

#[tokio::test]
async fn an_endpoint_is_called_with_credentials_of_its_own() {
    let sim = sim().await;
    let client = client(&sim, "a-secret").await;
    let signer = || sim.requests().pop().unwrap().signed_by;
    let own = |credentials| with(None, credentials, SessionTags::Off);
    client.list_models(&own(CredentialSource::Process)).await.unwrap();
    assert_eq!(signer().as_deref(), Some("AKIDEXAMPLE"));
    client.list_models(&own(keys("own-secret"))).await.unwrap();
    assert_eq!(signer().as_deref(), Some(OWN_ID));
    // A change takes effect at once, and is not mixed up with what was before.
    let wrong = client.list_models(&own(keys("wrong"))).await.unwrap_err();
    assert!(
        matches!(wrong, ControlError::Refused { status: 403, .. }),
        "{wrong}"
    );
    let key = CredentialSource::ApiKey(Some(ServiceSecret::new("own-bedrock-key")));
    client.list_models(&own(key)).await.unwrap();
    assert_eq!(signer(), None, "an API key signs nothing");
    sim.shutdown().await;
}

#[tokio::test]
async fn credentials_that_are_not_at_hand_are_never_replaced_by_the_processs_own() {
    let sim = sim().await;
    let client = client(&sim, "a-secret").await;
    for (role, missing) in [
        (None, CredentialSource::Keys(None)),
        (None, CredentialSource::ApiKey(None)),
        (Some(ROLE), CredentialSource::Keys(None)),
        (
            Some(ROLE),
            CredentialSource::ApiKey(Some(ServiceSecret::new("own-bedrock-key"))),
        ),
        (None, CredentialSource::Profile("no such profile".into())),
    ] {
        let error = client.list_models(&with(role, missing, SessionTags::Off)).await;
        assert!(matches!(error, Err(ControlError::Credentials(_))), "{error:?}");
    }
    assert!(sim.requests().is_empty());
    sim.shutdown().await;
}

#[tokio::test]
async fn a_role_is_assumed_with_the_endpoints_own_credentials() {
    let sim = sim().await;
    let store = store(&sim).await;
    for (credentials, by) in [
        (keys("own-secret"), OWN_ID),
        (CredentialSource::Process, "AKIDEXAMPLE"),
    ] {
        store
            .of(&with(Some(ROLE), credentials, SessionTags::Off), None)
            .await
            .unwrap();
        let session = sim.sessions().pop().unwrap();
        assert_eq!(
            (session.assumed_by.as_str(), session.name.as_str()),
            (by, "ccag-test")
        );
        assert_eq!(session.tags, []);
    }
    sim.shutdown().await;
}

#[tokio::test]
async fn a_role_is_assumed_once_for_each_subject_with_tags_that_name_it() {
    let sim = sim().await;
    let store = store(&sim).await;
    let tagged = with(Some(ROLE), CredentialSource::Process, SessionTags::User);
    // Requests of the same subject that come together share one session.
    let one = subject(1, Some("R&D"));
    let together = (0..20).map(|_| store.of(&tagged, Some(&one)));
    let all = futures_util::future::join_all(together).await;
    let first = all[0].as_ref().unwrap();
    assert!(
        all.iter()
            .all(|c| c.as_ref().unwrap().access_key_id() == first.access_key_id())
    );
    let sessions = sim.sessions();
    assert_eq!(sessions.len(), 1, "{sessions:?}");
    assert_eq!(sessions[0].name, "user_1");
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        sessions[0].tags,
        [
            pair("ccag:team", "team_1"),
            pair("ccag:team-name", "R_D"),
            pair("ccag:user", "user_1")
        ]
    );
    let two = store.of(&tagged, Some(&subject(2, Some("R&D")))).await.unwrap();
    assert_ne!(two.access_key_id(), first.access_key_id());
    // Another name of the team is another session; the one before is not used for it.
    store
        .of(&tagged, Some(&subject(1, Some("Research"))))
        .await
        .unwrap();
    assert_eq!(sim.sessions().len(), 3);
    assert_eq!(sim.sessions()[2].tags[1].1, "Research");
    sim.shutdown().await;
}

#[tokio::test]
async fn whoever_has_no_team_goes_through_the_session_that_all_share() {
    let sim = sim().await;
    let store = store(&sim).await;
    let by_team = with(Some(ROLE), CredentialSource::Process, SessionTags::Team);
    let shared = store.of(&by_team, None).await.unwrap();
    for n in 1..4 {
        let got = store.of(&by_team, Some(&subject(n, None))).await.unwrap();
        assert_eq!(got.access_key_id(), shared.access_key_id());
    }
    assert_eq!(sim.sessions().len(), 1);
    store.of(&by_team, Some(&subject(1, Some("Blue")))).await.unwrap();
    store.of(&by_team, Some(&subject(2, Some("Blue")))).await.unwrap();
    assert_eq!(sim.sessions().len(), 2, "one for the team");
    sim.shutdown().await;
}

#[tokio::test]
async fn a_trust_policy_without_tag_session_leaves_tagged_requests_without_credentials() {
    let sim = sim().await;
    sim.deny("sts:TagSession");
    let store = store(&sim).await;
    let tagged = with(Some(ROLE), CredentialSource::Process, SessionTags::Key);
    let error = store.of(&tagged, Some(&subject(1, None))).await.unwrap_err();
    assert!(error.contains("sts:TagSession"), "{error}");
    assert!(store.of(&tagged, None).await.is_ok());
    sim.allow_all();
    store.forget(&tagged, Some(&subject(1, None)));
    assert!(store.of(&tagged, Some(&subject(1, None))).await.is_ok());
    sim.shutdown().await;
}
