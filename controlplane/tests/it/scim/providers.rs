//! A provider sees and touches its own users and nobody else's; and whom it shuts out is out everywhere.

use super::{assert_error, idp, quoted, start};
use crate::support::{Plane, TestDb, on_both};
use crate::watch::Follower;
use ccag_proto::v1;
use serde_json::{Value, json};

on_both!(
    providers_do_not_see_each_other_nor_local_users,
    who_is_shut_out_is_pushed_and_signed_out,
    who_came_before_scim_is_the_same_user,
    everything_stands_in_the_audit_log,
);

async fn providers_do_not_see_each_other_nor_local_users(db: TestDb) {
    let plane = Plane::start(&db).await;
    let (one, two) = (
        idp(&plane, &db, "Okta", json!({})).await,
        idp(&plane, &db, "Entra", json!({})).await,
    );
    let admin = plane.admin().await;
    let (_, local) = admin.new_member("local").await;
    let theirs = one.user("same@example.com").await;
    let group = one.group("Staff", &[&theirs]).await;
    let own = two.user("same@example.com").await;
    assert_ne!(own, theirs);
    let names = admin.get("/admin/users").await.text;
    assert!(names.contains("same@example.com (Entra)"), "{names}");
    for path in [
        format!("/Users/{theirs}"),
        format!("/Users/{local}"),
        format!("/Groups/{group}"),
    ] {
        assert_error(&two.get(&path).await, 404, None);
        assert_error(&two.send("DELETE", &path, Value::Null).await, 404, None);
        let off = json!([{"op": "replace", "path": "displayName", "value": "x"}]);
        assert_error(&two.patch(&path, off).await, 404, None);
        let put = json!({"userName": "x", "displayName": "x"});
        assert_error(&two.send("PUT", &path, put).await, 404, None);
    }
    for stranger in [&theirs, &local] {
        let body = json!({"displayName": "G", "members": [{"value": stranger}]});
        assert_error(
            &two.send("POST", "/Groups", body).await,
            400,
            Some("invalidValue"),
        );
    }
    assert_eq!(two.found("/Users", "id").await, std::slice::from_ref(&own));
    assert_eq!(two.get("/Groups").await.json()["totalResults"], 0);
    let filter = quoted(&format!("members eq \"{theirs}\" or id eq \"{group}\""));
    assert_eq!(
        two.get(&format!("/Groups?filter={filter}")).await.json()["totalResults"],
        0
    );
    // A group of the same name is another group.
    assert_eq!(
        two.send("POST", "/Groups", json!({"displayName": "Staff"}))
            .await
            .status,
        201
    );
    assert_eq!(
        one.get(&format!("/Users/{theirs}")).await.json()["groups"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    // Whom an admin deletes is gone here, too, and their name is free.
    assert_eq!(
        admin
            .send("DELETE", &format!("/admin/users/{theirs}"), "")
            .await
            .status,
        204
    );
    assert_error(&one.get(&format!("/Users/{theirs}")).await, 404, None);
    assert_eq!(
        one.get(&format!("/Groups/{group}")).await.json()["members"],
        Value::Null
    );
    assert_ne!(one.user("same@example.com").await, theirs);
    plane.stop().await;
}

/// The user's state, as it is pushed.
fn state_of(change: &v1::Change, id: &str) -> Option<v1::User> {
    match change.step.as_ref()? {
        v1::change::Step::Put(object) => match object.object.as_ref()? {
            v1::object::Object::User(user) if user.id == id => Some(user.clone()),
            _ => None,
        },
        v1::change::Step::Remove(_) => None,
    }
}

fn removed(change: &v1::Change) -> Option<(&str, &str)> {
    match change.step.as_ref()? {
        v1::change::Step::Remove(removed) => Some((removed.kind.as_str(), removed.id.as_str())),
        v1::change::Step::Put(_) => None,
    }
}

async fn who_is_shut_out_is_pushed_and_signed_out(db: TestDb) {
    let (plane, idp) = start(&db).await;
    let admin = plane.admin().await;
    // Somebody who is signed in already, whom the provider takes over.
    let (session, id) = admin.new_member("leaver").await;
    let connection = db.connect().await;
    let sql = format!("UPDATE users SET provider_id = '{}' WHERE id = '{id}'", idp.id);
    sea_orm::ConnectionTrait::execute_unprepared(&connection, &sql)
        .await
        .unwrap();
    assert_eq!(idp.user("leaver").await, id);
    let key = session.post("/admin/keys", json!({"name": "own"})).await.id();
    let client = session
        .post("/admin/keys", json!({"name": "session of a client"}))
        .await
        .id();
    let sql = format!("UPDATE virtual_keys SET kind = 'session' WHERE id = '{client}'");
    sea_orm::ConnectionTrait::execute_unprepared(&connection, &sql)
        .await
        .unwrap();
    connection.close().await.unwrap();

    let mut follower = Follower::start(&plane, "", 0).await;
    follower.snapshot().await;
    let path = format!("/Users/{id}");
    let began = std::time::Instant::now();
    let off = json!([{"op": "Replace", "path": "active", "value": "False"}]);
    assert_eq!(idp.patch(&path, off).await.json()["active"], false);
    let changes = follower.changes(2).await;
    assert!(began.elapsed().as_secs_f64() < 1.0, "{:?}", began.elapsed());
    let user = changes.iter().find_map(|change| state_of(change, &id)).unwrap();
    assert_eq!(user.state(), v1::AccountState::Suspended, "{user:?}");
    let gone: Vec<_> = changes.iter().filter_map(removed).collect();
    assert_eq!(
        gone,
        [("key", client.as_str())],
        "the key that they carry about waits for them"
    );
    assert_eq!(session.get("/admin/keys").await.status, 401);
    assert_eq!(
        admin.get(&format!("/admin/keys/{key}")).await.json()["state"],
        "active"
    );

    // Deleting them revokes that, too; it stays revoked when they come back.
    assert_eq!(idp.send("DELETE", &path, Value::Null).await.status, 204);
    assert!(
        follower
            .changes(1)
            .await
            .iter()
            .filter_map(removed)
            .any(|gone| gone == ("key", key.as_str()))
    );
    assert_eq!(idp.user("leaver").await, id);
    assert_eq!(
        admin.get(&format!("/admin/keys/{key}")).await.json()["state"],
        "revoked"
    );
    assert_eq!(
        admin.get(&format!("/admin/users/{id}")).await.json()["state"],
        "active"
    );
    plane.stop().await;
}

async fn who_came_before_scim_is_the_same_user(db: TestDb) {
    let (plane, idp) = start(&db).await;
    let admin = plane.admin().await;
    let (_, id) = admin.new_member("early@example.com").await;
    let connection = db.connect().await;
    let sql = format!("UPDATE users SET provider_id = '{}' WHERE id = '{id}'", idp.id);
    sea_orm::ConnectionTrait::execute_unprepared(&connection, &sql)
        .await
        .unwrap();
    connection.close().await.unwrap();
    assert_eq!(idp.get("/Users").await.json()["totalResults"], 0);
    assert_eq!(idp.user("Early@example.com").await, id);
    assert_eq!(idp.get("/Users").await.json()["totalResults"], 1);
    plane.stop().await;
}

async fn everything_stands_in_the_audit_log(db: TestDb) {
    let (plane, idp) = start(&db).await;
    let id = idp.user("a").await;
    let group = idp.group("G", &[&id]).await;
    idp.patch(
        &format!("/Users/{id}"),
        json!([{"op": "replace", "path": "active", "value": false}]),
    )
    .await;
    idp.patch(
        &format!("/Users/{id}"),
        json!([{"op": "replace", "path": "active", "value": true}]),
    )
    .await;
    idp.send("DELETE", &format!("/Groups/{group}"), Value::Null).await;
    idp.send("DELETE", &format!("/Users/{id}"), Value::Null).await;
    let admin = plane.admin().await;
    let log = admin.get("/admin/audit").await.json();
    let entries: Vec<_> = log["entries"].as_array().unwrap().iter().rev().collect();
    let theirs: Vec<_> = entries
        .iter()
        .filter(|e| e["actor"].as_str().unwrap().starts_with("scim:sct_"))
        .map(|e| e["action"].as_str().unwrap())
        .collect();
    assert_eq!(
        theirs,
        [
            "user.create",
            "group.create",
            "user.suspend",
            "user.activate",
            "group.delete",
            "user.delete"
        ]
    );
    assert!(entries.iter().any(|e| e["action"] == "scim.create_token"));
    assert!(
        !log.to_string().contains("scim-ccag-"),
        "no token is written down"
    );
    assert_eq!(admin.get("/admin/audit/verify").await.json()["intact"], true);
    plane.stop().await;
}
