//! Whatever is wrong with a request, it is said in SCIM's words; and what can be found out without a token.

use super::{assert_error, start};
use crate::support::{TestDb, on_both};
use serde_json::{Value, json};

on_both!(every_refusal_is_scims);

async fn every_refusal_is_scims(db: TestDb) {
    let (plane, idp) = start(&db).await;
    let id = idp.user("a").await;
    let user = format!("/Users/{id}");
    let raw = async |method: &str, path: &str, body: &str| {
        idp.client.send(method, &format!("/scim/v2{path}"), body).await
    };
    for (method, path) in [
        ("POST", "/Users"),
        ("PUT", user.as_str()),
        ("PATCH", user.as_str()),
        ("POST", "/Bulk"),
        ("POST", "/.search"),
    ] {
        for body in ["{", "", "\"x\"", "[]", "nul\u{0}l"] {
            assert_error(&raw(method, path, body).await, 400, Some("invalidSyntax"));
        }
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_error(&raw(method, path, &deep).await, 400, Some("invalidSyntax"));
    }
    for (method, path, allow) in [
        ("DELETE", "/Users", "GET, POST"),
        ("POST", user.as_str(), "GET, PUT, PATCH, DELETE"),
        ("GET", "/Bulk", "POST"),
        ("PUT", "/.search", "POST"),
        ("TRACE", "/Groups", "GET, POST"),
        ("POST", "/Schemas", "GET"),
    ] {
        let answer = raw(method, path, "").await;
        assert_error(&answer, 405, None);
        assert_eq!(answer.headers["allow"], allow);
    }
    for path in [
        "/Nothing",
        "/Users/user_none",
        "/Users/a/b",
        "/Groups/grp_none",
        "/Schemas/urn:x",
        "/ResourceTypes/Device",
        "/Users/%ff",
        "/Users/%00",
    ] {
        assert_error(&raw("GET", path, "").await, 404, None);
    }
    let mut client = idp.client.clone();
    client.headers = vec![("content-type", "text/plain".to_owned())];
    assert_error(&client.send("POST", "/scim/v2/Users", "{}").await, 415, None);
    client.headers = vec![("content-type", "application/json; charset=utf-8".to_owned())];
    assert_eq!(
        client
            .send("POST", "/scim/v2/Users", r#"{"userName":"b"}"#)
            .await
            .status,
        201
    );
    let big = format!("{{\"userName\": \"{}\"}}", "x".repeat(9 << 20));
    assert_error(&raw("POST", "/Users", &big).await, 413, None);
    let big = json!({"userName": "x", "title": "x".repeat(300_000)}).to_string();
    assert_error(&raw("POST", "/Users", &big).await, 413, None);
    for name in ["x".repeat(600), "a\nb".to_owned(), "a\u{0}b".to_owned()] {
        let answer = idp.send("POST", "/Users", json!({"userName": name})).await;
        assert_error(&answer, 400, Some("invalidValue"));
    }
    assert_error(&raw("GET", "/Me", "").await, 501, None);
    assert_error(&raw("PATCH", "/me", "{}").await, 501, None);
    let wrong = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "userName": "x"});
    assert_error(
        &idp.send("POST", "/Users", wrong).await,
        400,
        Some("invalidValue"),
    );
    let wrong = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "Operations": [{"op": "remove", "path": "title"}]});
    assert_error(&idp.send("PATCH", &user, wrong).await, 400, Some("invalidValue"));
    assert_eq!(
        idp.get(&format!("{user}/")).await.status,
        200,
        "a slash at the end says nothing"
    );

    // Without a token, and with one that is none.
    let mut stranger = plane.caller();
    for token in [None, Some("scim-ccag-0000"), Some("sk-ccag-x"), Some("")] {
        stranger.token = token.map(str::to_owned);
        for path in ["", "/Users", "/Groups", "/Me", "/Bulk", "/Nothing"] {
            let answer = stranger.get(&format!("/scim/v2{path}")).await;
            assert_error(&answer, 401, None);
            assert!(
                answer.headers["www-authenticate"]
                    .to_str()
                    .unwrap()
                    .starts_with("Bearer")
            );
        }
    }
    // A session of the console is no token of a provider, and the other way round.
    let admin = plane.admin().await;
    assert_error(&admin.get("/scim/v2/Users").await, 401, None);
    assert_eq!(idp.client.get("/admin/users").await.status, 401);
    stranger.token = None;
    for (path, total) in [("/Schemas", 3), ("/ResourceTypes", 2)] {
        let list = stranger.get(&format!("/scim/v2{path}")).await.json();
        assert_eq!(list["totalResults"], total);
    }
    let config = stranger.get("/scim/v2/ServiceProviderConfig").await.json();
    for able in ["patch", "bulk", "filter", "sort", "etag"] {
        assert_eq!(config[able]["supported"], true, "{able}");
    }
    assert_eq!(config["changePassword"]["supported"], false);
    let schema = stranger
        .get("/scim/v2/Schemas/urn:ietf:params:scim:schemas:core:2.0:User")
        .await
        .json();
    assert_eq!(schema["name"], "User");
    assert_error(&stranger.get("/scim/v2/Schemas?filter=id%20pr").await, 403, None);
    assert_eq!(
        stranger.get("/scim/v2/ResourceTypes/User").await.json()["endpoint"],
        "/Users"
    );
    assert_eq!(idp.get(&user).await.json()["userName"], Value::from("a"));
    plane.stop().await;
}
