//! The database's user and password are replaced in Secrets Manager while the control plane runs.

use crate::notifications::servers::moto;
use crate::support::{Plane, TestDb, config};
use ccag_aws::{AwsCredentials, AwsSettings};
use ccag_controlplane::{ControlPlane, ControlPlaneConfig, DatabaseSecret};
use ccag_daemon::Lifecycle;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};
use std::time::Duration;

/// What moto is asked; it does not look at signatures.
async fn secrets_manager(url: &str, operation: &str, body: Value) -> Value {
    let answer = reqwest::Client::new()
        .post(url)
        .header("x-amz-target", format!("secretsmanager.{operation}"))
        .header("content-type", "application/x-amz-json-1.1")
        .header(
            "authorization",
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/eu-central-1/secretsmanager/aws4_request, SignedHeaders=host, \
             Signature=0",
        )
        .body(body.to_string())
        .send()
        .await
        .unwrap();
    assert!(answer.status().is_success(), "{operation}: {}", answer.status());
    serde_json::from_str(&answer.text().await.unwrap()).unwrap()
}

fn login(user: &str) -> String {
    json!({ "username": user, "password": "p@ss:w/rd%41", "engine": "postgres" }).to_string()
}

fn with_secret(db: &TestDb, url: &str, arn: &str) -> ControlPlaneConfig {
    let mut config = config(db);
    let mut database = url::Url::parse(&db.url).unwrap();
    database.set_username("").unwrap();
    config.database.url = database.into();
    config.database_secret = Some(DatabaseSecret {
        arn: arn.to_owned(),
        every: Duration::from_millis(100),
    });
    config.aws = AwsSettings {
        region: Some("us-east-1".into()),
        secrets_url: Some(url.to_owned()),
        credentials: AwsCredentials::Static {
            access_key_id: "AKIDEXAMPLE".into(),
            secret_access_key: "a-secret".to_owned().into(),
        },
        ..AwsSettings::default()
    };
    config
}

#[tokio::test(flavor = "multi_thread")]
async fn a_control_plane_goes_on_when_the_user_and_password_of_its_database_are_replaced() {
    let (_moto, url) = moto().await;
    let db = TestDb::postgres().await;
    let connection = db.connect().await;
    let name = url::Url::parse(&db.url).unwrap().path()[1..].to_owned();
    let (first, second) = (format!("{name}_a"), format!("{name}_b"));
    for statement in [
        format!("CREATE ROLE {first} LOGIN"),
        format!("CREATE ROLE {second} LOGIN IN ROLE {first}"),
        format!("ALTER DATABASE {name} OWNER TO {first}"),
    ] {
        connection.execute_unprepared(&statement).await.unwrap();
    }
    let body = json!({ "Name": name, "SecretString": login(&first), "ClientRequestToken": "0".repeat(32) });
    let made = secrets_manager(&url, "CreateSecret", body).await;
    let arn = made["ARN"].as_str().unwrap();
    let sessions = |user: &str| {
        let sql = format!("SELECT count(*) FROM pg_stat_activity WHERE usename = '{user}'");
        let db = &db;
        async move { db.count(&sql).await }
    };

    let plane = Plane::start_with(with_secret(&db, &url, arn)).await;
    let admin = plane.admin().await;
    assert!(sessions(&first).await > 0);

    let body =
        json!({ "SecretId": arn, "SecretString": login(&second), "ClientRequestToken": "1".repeat(32) });
    secrets_manager(&url, "PutSecretValue", body).await;
    // Longer than it takes to be read: from then on the first user is of no use.
    tokio::time::sleep(Duration::from_secs(1)).await;
    for statement in [
        format!("ALTER ROLE {first} NOLOGIN"),
        format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{first}'"),
    ] {
        connection.execute_unprepared(&statement).await.unwrap();
    }
    let mut answers = 0;
    for _ in 0..50 {
        // The first answers may meet connections that have just been closed.
        if admin.get("/admin/teams").await.status == 200 {
            answers += 1;
        }
        if answers == 10 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(answers, 10);
    assert!(sessions(&second).await > 0);
    assert_eq!(sessions(&first).await, 0);
    plane.stop().await;
    connection.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_cannot_be_read_or_used_ends_the_start_with_its_name() {
    let (_moto, url) = moto().await;
    let db = TestDb::postgres().await;
    let start = |arn: String| {
        let config = with_secret(&db, &url, &arn);
        async move {
            let life = Lifecycle::new();
            let error = Box::pin(ControlPlane::start(config, &life)).await.unwrap_err();
            error.to_string()
        }
    };
    let missing = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:missing-AbCdEf";
    let said = start(missing.to_owned()).await;
    assert!(said.contains("DATABASE_SECRET_ARN"), "{said}");

    let body = json!({ "Name": "odd", "SecretString": "hunter2", "ClientRequestToken": "0".repeat(32) });
    let odd = secrets_manager(&url, "CreateSecret", body).await;
    let said = start(odd["ARN"].as_str().unwrap().to_owned()).await;
    assert!(said.contains("`username` and `password`"), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
}
