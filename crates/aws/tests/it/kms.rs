//! Data keys of KMS, against bedrock-sim, which checks signatures, regions and contexts as AWS does.

use super::{client, sim};
use bedrock_sim::Sim;
use ccag_aws::kms::EncryptionContext;
use ccag_aws::{AwsSettings, ControlClient, ControlConfig, ControlError};
use std::sync::Arc;

fn context() -> EncryptionContext {
    [("application", "ccag"), ("purpose", "test")].into()
}

fn kind(error: &ControlError) -> &str {
    match error {
        ControlError::Refused { kind, .. } => kind,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_data_key_opens_in_its_region_and_under_its_context_alone() {
    let sim = sim().await;
    let client = client(&sim, "a-secret").await;
    let made = client
        .make_data_key("eu-central-1", "alias/ccag", &context())
        .await
        .unwrap();
    let opened = client
        .open_data_key("eu-central-1", &made, &context())
        .await
        .unwrap();
    assert_eq!(opened.plaintext.len(), 32);
    assert!(
        opened
            .under
            .starts_with("arn:aws:kms:eu-central-1:111122223333:key/"),
        "{}",
        opened.under
    );
    let again = client
        .open_data_key("eu-central-1", &made, &context())
        .await
        .unwrap();
    assert_eq!(opened, again);
    let another = client
        .make_data_key("eu-central-1", "alias/ccag", &context())
        .await
        .unwrap();
    let another = client
        .open_data_key("eu-central-1", &another, &context())
        .await
        .unwrap();
    assert_ne!(another.plaintext, opened.plaintext);
    for (region, context) in [
        ("eu-west-1", context()),
        ("eu-central-1", EncryptionContext::new()),
        (
            "eu-central-1",
            [("application", "ccag"), ("purpose", "other")].into(),
        ),
    ] {
        let refused = client.open_data_key(region, &made, &context).await.unwrap_err();
        assert_eq!(
            kind(&refused),
            "InvalidCiphertextException",
            "{region} {context:?}"
        );
    }
    sim.shutdown().await;
}

#[tokio::test]
async fn a_refusal_names_the_action_that_is_missing() {
    let sim = sim().await;
    let client = client(&sim, "a-secret").await;
    let made = client
        .make_data_key("us-east-1", "alias/ccag", &context())
        .await
        .unwrap();
    for action in ["kms:Decrypt", "kms:GenerateDataKeyWithoutPlaintext"] {
        sim.deny(action);
    }
    let error = client
        .open_data_key("us-east-1", &made, &context())
        .await
        .unwrap_err();
    assert_eq!(kind(&error), "AccessDeniedException");
    let missing = ccag_aws::permissions::denied(&error.to_string()).unwrap();
    assert_eq!(missing.0, "kms:Decrypt");
    assert!(missing.1.unwrap().contains(":key/"));
    let error = client
        .make_data_key("us-east-1", "alias/ccag", &context())
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("kms:GenerateDataKeyWithoutPlaintext"),
        "{error}"
    );
    let error = client
        .make_data_key("us-east-1", "alias/nonesuch", &context())
        .await
        .unwrap_err();
    assert_eq!(kind(&error), "NotFoundException");
    sim.shutdown().await;
}

#[tokio::test]
async fn kms_is_asked_with_a_signature_also_where_there_is_a_bedrock_api_key() {
    let sim = Sim::builder()
        .credential("AKIDEXAMPLE", "a-secret")
        .bearer_key("the-key")
        .start()
        .await
        .unwrap();
    let settings = AwsSettings {
        bearer_token: Some("the-key".to_owned().into()),
        ..super::settings(&sim, "a-secret")
    };
    let client = ControlClient::new(settings, ControlConfig::default(), Arc::new(super::RealClock))
        .await
        .unwrap();
    let made = client
        .make_data_key("us-east-1", "alias/ccag", &context())
        .await
        .unwrap();
    assert!(client.open_data_key("us-east-1", &made, &context()).await.is_ok());
    assert!(
        sim.requests()
            .iter()
            .all(|r| r.signed_by.as_deref() == Some("AKIDEXAMPLE"))
    );
    sim.shutdown().await;
}
