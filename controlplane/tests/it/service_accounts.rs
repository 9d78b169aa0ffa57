//! Programs that have keys and tokens, and do not sign in.

use crate::support::{Caller, PASSWORD, Plane, TestDb, on_both};
use serde_json::json;
use std::sync::atomic::Ordering;

on_both!(
    a_service_account_has_keys_and_does_not_sign_in,
    a_token_has_the_role_of_its_account_until_it_is_revoked_or_over,
);

async fn service(admin: &Caller, name: &str, role: &str) -> String {
    let body = json!({"username": name, "kind": "service", "role": role});
    let made = admin.post("/admin/users", body).await;
    assert_eq!(
        (made.status.as_u16(), &made.json()["kind"]),
        (201, &json!("service")),
        "{}",
        made.text
    );
    made.id()
}

async fn a_service_account_has_keys_and_does_not_sign_in(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let (_, person) = admin.new_member("person").await;
    let build = service(&admin, "build", "member").await;
    let key = admin.post("/admin/keys", json!({"user_id": build})).await;
    assert_eq!(
        (key.status.as_u16(), &key.json()["user_id"]),
        (201, &json!(build))
    );
    for (path, body) in [
        (
            "/admin/users",
            json!({"username": "x", "kind": "service", "password": PASSWORD}),
        ),
        (
            "/admin/users",
            json!({"username": "x", "kind": "service", "role": "owner"}),
        ),
        ("/admin/users", json!({"username": "x", "kind": "robot"})),
    ] {
        let refused = admin.post(path, body).await;
        assert_eq!(refused.status, 400, "{}", refused.text);
    }
    let path = format!("/admin/users/{build}");
    for body in [json!({"password": PASSWORD}), json!({"role": "owner"})] {
        let refused = admin.send("PATCH", &path, &body.to_string()).await;
        assert_eq!(refused.status, 400, "{}", refused.text);
    }
    let credentials = json!({"username": "build", "password": PASSWORD});
    let login = plane.caller().post("/auth/login", credentials).await;
    assert_eq!(login.status, 401);
    let listed = |kind: &'static str| {
        let admin = admin.clone();
        async move { admin.get(&format!("/admin/users?kind={kind}")).await.text }
    };
    assert!(listed("service").await.contains(&build) && !listed("service").await.contains(&person));
    assert!(listed("person").await.contains(&person) && !listed("person").await.contains(&build));
    plane.stop().await;
}

async fn a_token_has_the_role_of_its_account_until_it_is_revoked_or_over(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let (member, person) = admin.new_member("person").await;
    let build = service(&admin, "build", "auditor").await;
    let tokens = format!("/admin/users/{build}/tokens");
    let issue = |name: &'static str| {
        let (admin, tokens) = (admin.clone(), tokens.clone());
        async move { admin.post(&tokens, json!({"name": name})).await }
    };
    let made = issue("nightly").await;
    assert_eq!(made.status, 201, "{}", made.text);
    let secret = made.json()["token"].as_str().unwrap().to_owned();
    let program = Caller {
        token: Some(secret.clone()),
        ..plane.caller()
    };
    assert_eq!(program.get("/auth/me").await.json()["user"]["id"], json!(build));
    assert_eq!(program.get("/admin/users").await.status, 200);
    assert_eq!(
        program.post("/admin/teams", json!({"name": "x"})).await.status,
        403
    );
    // It is shown once, and to nobody again.
    let list = admin.get(&tokens).await;
    assert_eq!(list.json()["tokens"][0]["name"], "nightly");
    assert!(!list.text.contains(&secret), "{}", list.text);
    assert_eq!(member.get(&tokens).await.status, 403);
    // People sign in instead.
    let of_person = admin
        .post(&format!("/admin/users/{person}/tokens"), json!({"name": "x"}))
        .await;
    assert_eq!(of_person.status, 409, "{}", of_person.text);
    let revoked = admin.send("DELETE", &format!("{tokens}/{}", made.id()), "").await;
    assert_eq!(revoked.status, 204, "{}", revoked.text);
    assert_eq!(program.get("/auth/me").await.status, 401);
    // A year later it is over by itself.
    let later = issue("later").await;
    let program = Caller {
        token: Some(later.json()["token"].as_str().unwrap().to_owned()),
        ..plane.caller()
    };
    plane.clock.0.fetch_add(364 * 86_400_000, Ordering::Relaxed);
    assert_eq!(program.get("/auth/me").await.status, 200);
    plane.clock.0.fetch_add(2 * 86_400_000, Ordering::Relaxed);
    assert_eq!(program.get("/auth/me").await.status, 401);
    plane.stop().await;
}
