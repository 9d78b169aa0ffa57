//! The real thing, or what stands in for it everywhere: SNS and EventBridge in moto's server, and a mail server.

use super::{active, all_are, budget, open_accounts, spend, until};
use crate::support::{Plane, TestDb, config};
use ccag_aws::AwsSettings;
use ccag_aws::settings::AwsCredentials;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A process that ends with the test.
pub(crate) struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(super) fn python() -> Command {
    let python = std::env::var("CCAG_TEST_PYTHON")
        .unwrap_or_else(|_| panic!("CCAG_TEST_PYTHON is not set: run through `cargo xtask test`"));
    let mut command = Command::new(python);
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
}

pub(super) fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/it/notifications/servers")
        .join(name)
}

pub(super) fn free_port() -> u16 {
    ccag_free_port::reserve().unwrap()
}

pub(super) async fn start(command: Command, port: u16) -> Server {
    start_at(command, "127.0.0.1", port).await
}

pub(super) async fn start_at(mut command: Command, address: &str, port: u16) -> Server {
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut server = Server(child.unwrap());
    for _ in 0..600 {
        if tokio::net::TcpStream::connect((address, port)).await.is_ok() {
            return server;
        }
        assert!(server.0.try_wait().unwrap().is_none(), "the server has ended");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the server does not listen");
}

/// AWS as moto has it, and its address.
pub(crate) async fn moto() -> (Server, String) {
    let port = free_port();
    let mut moto = python();
    moto.args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &port.to_string()]);
    (start(moto, port).await, format!("http://127.0.0.1:{port}"))
}

/// Does something there with AWS's own SDK.
pub(crate) async fn aws(arguments: &[&str]) -> Value {
    let mut command = python();
    command.arg(script("aws.py")).args(arguments);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Everything that arrives in a queue until there are so many.
async fn arrived(url: &str, queue: &str, count: usize) -> Vec<Value> {
    let mut all = Vec::new();
    for _ in 0..20 {
        let more = aws(&["read", url, queue]).await;
        all.extend(more.as_array().unwrap().iter().cloned());
        if all.len() >= count {
            break;
        }
    }
    assert_eq!(all.len(), count, "{all:?}");
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn sns_and_eventbridge_take_events_from_us_and_hand_them_on() {
    let (_moto, url) = moto().await;
    let made = aws(&["make", &url]).await;
    let db = TestDb::sqlite().await;
    let mut settings = config(&db);
    settings.aws = AwsSettings {
        region: Some("us-east-1".into()),
        sns_url: Some(url.clone()),
        events_url: Some(url.clone()),
        credentials: AwsCredentials::Static {
            access_key_id: "AKIAPROCESSEXAMPLE01".into(),
            secret_access_key: "secret".to_owned().into(),
        },
        ..AwsSettings::default()
    };
    let plane = Plane::start_with(settings).await;
    let admin = plane.admin().await;
    let keys = json!({"access_key_id": "AKIADESTINATION00001", "secret_access_key": "secret"});
    for (name, kind, arn) in [
        ("topic", "sns", &made["topic"]),
        ("fifo", "sns", &made["topic.fifo"]),
        ("bus", "eventbridge", &made["bus"]),
    ] {
        let mut way = json!({"kind": kind, "arn": arn});
        if name == "topic" {
            way.as_object_mut()
                .unwrap()
                .extend(keys.as_object().unwrap().clone());
        }
        active(&admin, json!({"name": name, "settings": way})).await;
    }
    // The tests of the destinations.
    for queue in ["topic", "topic.fifo", "bus"] {
        arrived(&url, queue, 1).await;
    }
    budget(&admin, json!({})).await;
    open_accounts(&db).await;
    spend(plane.app(), 1, None).await;
    let all = until(&admin, "", |all| all.len() == 3 && all_are("delivered")(all)).await;
    assert!(
        all.iter()
            .all(|one| one["answer"].as_str().unwrap().starts_with("AWS took it as "))
    );
    let id = &all[0]["event"]["id"];
    for queue in ["topic", "topic.fifo"] {
        let message = arrived(&url, queue, 1).await.remove(0);
        let event: Value = serde_json::from_str(message["Message"].as_str().unwrap()).unwrap();
        assert_eq!(
            (&event["id"], &event["type"]),
            (id, &json!("budget.threshold_reached"))
        );
        let attributes = &message["MessageAttributes"];
        assert_eq!(&attributes["event_id"]["Value"], id);
        assert_eq!(attributes["category"]["Value"], "budget");
    }
    let event = arrived(&url, "bus", 1).await.remove(0);
    assert_eq!(
        (&event["source"], &event["detail-type"]),
        (&json!("ccag"), &json!("budget.threshold_reached"))
    );
    assert_eq!(&event["detail"]["id"], id);
    // What AWS refuses is told in its words.
    let way = json!({"kind": "sns", "arn": "arn:aws:sns:eu-central-1:123456789012:nobody"});
    let made = admin
        .post(
            "/admin/notifications/destinations",
            json!({"name": "nobody", "settings": way}),
        )
        .await
        .json();
    let path = format!(
        "/admin/notifications/destinations/{}/test",
        made["destination"]["id"].as_str().unwrap()
    );
    let tested = admin.post(&path, json!({})).await.json();
    assert_eq!(tested["success"], false);
    assert!(
        tested["message"].as_str().unwrap().contains("NotFound"),
        "{tested}"
    );
    plane.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_server_takes_mails_that_name_their_event() {
    let (port, dir) = (free_port(), tempfile::tempdir().unwrap());
    let mails = dir.path().join("mails");
    let mut server = python();
    server.arg(script("mail.py")).arg(port.to_string()).arg(&mails);
    let _server = start(server, port).await;
    let db = TestDb::sqlite().await;
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let way = |security: &str, allow: bool| {
        json!({
            "kind": "smtp", "host": "localhost", "port": port, "security": security, "allow_private_address": allow,
            "from": "CCAG <ccag@example.com>", "to": ["ops@example.com", "Ada <ada@example.com>"],
        })
    };
    // Without leave there is no way to this machine, and without STARTTLS none to a server that must have it.
    for (name, way, said) in [
        ("private", way("none", false), "private network"),
        ("plain", way("starttls", true), "does not take it"),
    ] {
        let made = admin
            .post(
                "/admin/notifications/destinations",
                json!({"name": name, "settings": way}),
            )
            .await
            .json();
        let id = made["destination"]["id"].as_str().unwrap().to_owned();
        let tested = admin
            .post(&format!("/admin/notifications/destinations/{id}/test"), json!({}))
            .await
            .json();
        assert_eq!(tested["success"], false, "{name}");
        assert!(tested["message"].as_str().unwrap().contains(said), "{tested}");
    }
    assert!(!mails.exists());
    let body = json!({"name": "Ops", "settings": way("none", true)});
    active(&admin, body).await;
    budget(&admin, json!({})).await;
    open_accounts(&db).await;
    spend(plane.app(), 1, None).await;
    let all = until(&admin, "", all_are("delivered")).await;
    assert_eq!(all[0]["answer"], "The mail server answered with 250 queued as 42");
    let mails = std::fs::read_to_string(&mails).unwrap();
    let mails: Vec<Value> = mails
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(mails.len(), 2, "the test, and the event");
    let mail = &mails[1];
    let id = all[0]["event"]["id"].as_str().unwrap();
    assert_eq!(mail["id"], format!("<{id}@example.com>"));
    assert_eq!(mail["to"], json!(["ops@example.com", "ada@example.com"]));
    let subject = mail["subject"].as_str().unwrap();
    assert!(
        subject.starts_with("CCAG warning: Everybody together reached 50 %"),
        "{subject}"
    );
    assert!(mail["body"].as_str().unwrap().contains(id), "{mail}");
    plane.stop().await;
}
