//! A mail server that speaks TLS, from the beginning or by STARTTLS, with a certificate of an authority of its own.

use super::servers::{free_port, python, script, start};
use crate::support::{Caller, Plane, TestDb};
use serde_json::{Value, json};
use std::path::Path;

const PKI: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/aws/tests/it/pki");

async fn tested(admin: &Caller, name: &str, way: &Value) -> Value {
    let body = json!({"name": name, "settings": way});
    let made = admin.post("/admin/notifications/destinations", body).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let id = made.json()["destination"]["id"].as_str().unwrap().to_owned();
    let path = format!("/admin/notifications/destinations/{id}/test");
    admin.post(&path, json!({})).await.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn mails_go_by_tls_to_whom_the_certificate_is_for_and_to_nobody_else() {
    let dir = tempfile::tempdir().unwrap();
    let db = TestDb::sqlite().await;
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let ca = std::fs::read_to_string(Path::new(PKI).join("ca.pem")).unwrap();
    for security in ["starttls", "tls"] {
        let (port, elsewhere) = (free_port(), free_port());
        let mails = dir.path().join(security);
        let server = |address: &str, port: u16| {
            let mut server = python();
            server
                .arg(script("mail.py"))
                .arg(port.to_string())
                .arg(&mails)
                .args([security, address])
                .arg(Path::new(PKI).join("server.pem"))
                .arg(Path::new(PKI).join("server.key"));
            server
        };
        let _server = start(server("127.0.0.1", port), port).await;
        // Its certificate is for `localhost` and 127.0.0.1.
        let _other = super::servers::start_at(server("127.0.0.2", elsewhere), "127.0.0.2", elsewhere).await;
        let way = |host: &str, port: u16, ca: Option<&str>, password: &str| {
            json!({
                "kind": "smtp", "host": host, "port": port, "security": security, "allow_private_address": true,
                "from": "ccag@example.com", "to": ["ops@example.com"], "username": "ccag", "password": password,
                "ca_certificates": ca,
            })
        };
        let unknown = tested(
            &admin,
            &format!("{security} unknown"),
            &way("localhost", port, None, "hush"),
        )
        .await;
        assert_eq!(
            unknown["message"],
            "The mail server's certificate is not accepted: nobody whom this machine trusts has issued it. If it is of an \
             authority of your own, enter that authority's certificate."
        );
        let other = way("127.0.0.2", elsewhere, Some(&ca), "hush");
        let other = tested(&admin, &format!("{security} other"), &other).await;
        let said = other["message"].as_str().unwrap();
        assert!(
            said.starts_with("The mail server's certificate is not accepted: certificate not valid for name"),
            "{said}"
        );
        let wrong = way("localhost", port, Some(&ca), "guessed");
        let wrong = tested(&admin, &format!("{security} wrong"), &wrong).await;
        let said = wrong["message"].as_str().unwrap();
        assert!(said.contains("535"), "{said}");
        assert!(!mails.exists(), "nothing has arrived so far");
        let right = way("localhost", port, Some(&ca), "hush");
        let right = tested(&admin, &format!("{security} right"), &right).await;
        assert_eq!(right["message"], "The mail server answered with 250 queued as 42");
        let mails = std::fs::read_to_string(&mails).unwrap();
        let mail: Value = serde_json::from_str(mails.lines().next().unwrap()).unwrap();
        assert_eq!((&mail["tls"], &mail["user"]), (&json!(true), &json!("ccag")));
    }
    // What is no certificate is refused when it is entered, and a key that stands beside one is not kept.
    let key = std::fs::read_to_string(Path::new(PKI).join("server.key")).unwrap();
    let way = |ca: String| {
        json!({"kind": "smtp", "host": "mail.example.com", "from": "a@example.com", "to": ["b@example.com"],
               "ca_certificates": ca})
    };
    let bad = json!({"name": "bad", "settings": way(key.clone())});
    let bad = admin.post("/admin/notifications/destinations", bad).await;
    assert_eq!(
        (bad.status, &bad.json()["field"]),
        (axum::http::StatusCode::BAD_REQUEST, &json!("ca_certificates"))
    );
    let both = json!({"name": "both", "settings": way(format!("{key}{ca}"))});
    let both = admin.post("/admin/notifications/destinations", both).await.json();
    let kept = both["destination"]["draft"]["ca_certificates"].as_str().unwrap();
    assert!(
        kept.contains("BEGIN CERTIFICATE") && !kept.contains("KEY"),
        "{kept}"
    );
    plane.stop().await;
}
