//! With what endpoints are called, from the command line.

use crate::Person;
use crate::server::Server;
use serde_json::{Value, json};

fn europe() -> Value {
    json!({
        "id": "end_1", "name": "europe", "region": "eu-west-1",
        "role_arn": "arn:aws:iam::111122223333:role/ccag", "external_id": null, "geography": null,
        "runtime_url": null, "lanes": ["invoke-model"], "mantle_url": null, "guardrail": null, "weight": 1,
        "credentials": {"kind": "keys", "access_key_id_ends": "MPLE", "profile": null, "set_at": "2026-11-24T09:30:00Z"},
        "session_tags": "user", "service_tier": "flex", "request_metadata": true,
        "state": "draining", "enabled": true, "is_default": false, "teams": [], "created_at": "2026-11-24T09:30:00Z",
    })
}

#[test]
fn secrets_are_read_from_the_environment_and_sent_with_the_rest() {
    let server = Server::start();
    let person = Person::signed_in(&server);
    server.answer("POST", "/admin/endpoints", &europe());
    let args = [
        "endpoints",
        "create",
        "europe",
        "--access-key-id",
        "AKIAIOSFODNN7EXAMPLE",
        "--session-tags",
        "user",
    ];
    let refused = person.run(&args);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(
        refused.stderr.contains("CCAG_ENDPOINT_SECRET_ACCESS_KEY"),
        "{}",
        refused.stderr
    );
    server.sent();
    let mut command = person.command(&args);
    command.env("CCAG_ENDPOINT_SECRET_ACCESS_KEY", "hush-hush");
    let output = command.output().unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{shown}");
    let (_, _, body) = server.sent().pop().unwrap();
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        body["credentials"],
        json!({"kind": "keys", "access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": "hush-hush"})
    );
    assert_eq!(body["session_tags"], "user");
    for text in [
        "an access key that ends in MPLE",
        "split by: user",
        "flex",
        "draining",
    ] {
        assert!(shown.contains(text), "{text}: {shown}");
    }
}

#[test]
fn an_endpoint_is_drained_and_enabled_again() {
    let server = Server::start();
    let person = Person::signed_in(&server);
    server.answer("PATCH", "/admin/endpoints/end_1", &europe());
    for (args, body) in [
        (&["--state", "draining"][..], json!({"state": "draining"})),
        (&["--enable"], json!({"state": "enabled"})),
        (&["--disable"], json!({"enabled": false})),
        (&["--clear", "credentials"], json!({"credentials": null})),
    ] {
        server.sent();
        person.ok(&[&["endpoints", "update", "end_1"], args].concat());
        let sent: Value = serde_json::from_str(&server.sent().pop().unwrap().2).unwrap();
        assert_eq!(sent, body, "{args:?}");
    }
}
