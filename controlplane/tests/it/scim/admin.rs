//! What admins say about SCIM.

use super::{assert_error, provider, start};
use crate::support::{NOON, Plane, TestDb, on_both};
use serde_json::json;
use std::sync::atomic::Ordering;

on_both!(
    a_token_is_shown_once_and_can_be_revoked,
    a_token_expires,
    scim_is_switched_on_and_off,
    only_admins_manage_scim,
);

async fn a_token_is_shown_once_and_can_be_revoked(db: TestDb) {
    let (plane, idp) = start(&db).await;
    let admin = plane.admin().await;
    let path = format!("/admin/idps/{}/scim-tokens", idp.id);
    let made = admin.post(&path, json!({})).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let made = made.json();
    let token = made["token"].as_str().unwrap();
    assert_eq!(token.len(), "scim-ccag-".len() + 64);
    assert!(token.starts_with(made["token_prefix"].as_str().unwrap()));
    assert_eq!(made["idp_id"], json!(idp.id));
    let digest = ccag_domain::KeyDigest::of(token).to_hex();
    let sql = format!("SELECT COUNT(*) FROM scim_tokens WHERE digest = '{digest}'");
    assert_eq!(db.count(&sql).await, 1);
    let mut client = plane.caller();
    client.token = Some(token.to_owned());
    assert_eq!(client.get("/scim/v2/Users").await.status, 200);
    let list = admin.get(&path).await;
    assert!(!list.text.contains(token));
    let list = list.json();
    assert_eq!(list["tokens"].as_array().unwrap().len(), 2);
    let used = list["tokens"]
        .as_array()
        .unwrap()
        .iter()
        .find(|t| t["id"] == made["id"]);
    assert_eq!(
        used.unwrap()["last_used_at"],
        "2026-11-24T12:00:00.000Z",
        "{list}"
    );
    let one = format!("{path}/{}", made["id"].as_str().unwrap());
    assert_eq!(admin.send("DELETE", &one, "").await.status, 204);
    assert_eq!(admin.send("DELETE", &one, "").await.status, 404);
    assert_error(&client.get("/scim/v2/Users").await, 401, None);
    assert_eq!(idp.get("/Users").await.status, 200);
    plane.stop().await;
}

async fn a_token_expires(db: TestDb) {
    let (plane, idp) = start(&db).await;
    let admin = plane.admin().await;
    let path = format!("/admin/idps/{}/scim-tokens", idp.id);
    let made = admin
        .post(
            &path,
            json!({"name": "short", "expires_at": "2026-11-24T13:00:00Z"}),
        )
        .await;
    assert_eq!(made.status, 201, "{}", made.text);
    let mut client = plane.caller();
    client.token = Some(made.json()["token"].as_str().unwrap().to_owned());
    assert_eq!(client.get("/scim/v2/Users").await.status, 200);
    plane.clock.0.store(NOON + 3_600_000, Ordering::Relaxed);
    assert_error(&client.get("/scim/v2/Users").await, 401, None);
    let past = json!({"expires_at": "2020-01-01T00:00:00Z"});
    assert_eq!(admin.post(&path, past).await.status, 400);
    plane.stop().await;
}

async fn scim_is_switched_on_and_off(db: TestDb) {
    let (plane, idp) = start(&db).await;
    idp.user("a").await;
    let admin = plane.admin().await;
    let path = format!("/admin/idps/{}/scim", idp.id);
    let status = admin.get(&path).await.json();
    let expected = json!({
        "enabled": true, "base_url": "http://localhost/scim/v2", "users": 1, "groups": 0, "tokens": 1,
        "last_request_at": "2026-11-24T12:00:00.000Z",
    });
    assert_eq!(status, expected);
    let off = admin.send("PUT", &path, r#"{"enabled":false}"#).await;
    assert_eq!(
        (off.status.as_u16(), &off.json()["enabled"]),
        (200, &json!(false))
    );
    assert_error(&idp.get("/Users").await, 403, None);
    assert_eq!(
        admin.send("PUT", &path, r#"{"enabled":true}"#).await.json()["enabled"],
        true
    );
    assert_eq!(idp.get("/Users").await.json()["totalResults"], 1);
    plane.stop().await;
}

async fn only_admins_manage_scim(db: TestDb) {
    let plane = Plane::start(&db).await;
    let id = provider(&db, "Okta", json!({})).await;
    let admin = plane.admin().await;
    let (member, _) = admin.new_member("sam").await;
    for (method, path, body) in [
        ("GET", "scim", ""),
        ("PUT", "scim", r#"{"enabled":true}"#),
        ("GET", "scim-tokens", ""),
        ("POST", "scim-tokens", "{}"),
        ("DELETE", "scim-tokens/sct_1", ""),
        ("GET", "scim-admin-groups", ""),
        ("PUT", "scim-admin-groups", r#"{"groups":[]}"#),
    ] {
        let of = |id: &str| format!("/admin/idps/{id}/{path}");
        assert_eq!(
            plane.caller().send(method, &of(&id), body).await.status,
            401,
            "{method} {path}"
        );
        assert_eq!(
            member.send(method, &of(&id), body).await.status,
            403,
            "{method} {path}"
        );
        assert_eq!(
            admin.send(method, &of("idp_none"), body).await.status,
            404,
            "{method} {path}"
        );
    }
    plane.stop().await;
}
