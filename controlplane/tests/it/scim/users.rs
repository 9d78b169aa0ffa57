//! Users.

use super::{ENTERPRISE, assert_error, start};
use crate::support::{TestDb, on_both};
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

on_both!(
    a_user_is_made_as_the_rfc_shows_it,
    a_user_who_is_made_inactive_cannot_come_in,
    a_name_or_an_external_id_is_taken_once,
    what_a_put_does_not_say_is_gone_and_who_may_come_in_stays,
    a_patch_is_done_whole_or_not_at_all,
    what_changes_nothing_makes_no_version,
    a_deleted_user_is_gone_and_comes_back_as_the_same,
    somebody_elses_name_after_a_deletion_is_free,
    versions_keep_writers_apart,
    clients_see_what_they_ask_for,
);

async fn a_user_is_made_as_the_rfc_shows_it(db: TestDb) {
    let (plane, idp) = start(&db).await;
    // RFC 7644, §3.3.
    let body = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "bjensen", "externalId": "bjensen",
        "name": {"formatted": "Ms. Barbara J Jensen III", "familyName": "Jensen", "givenName": "Barbara"},
    });
    let made = idp.send("POST", "/Users", body).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let user = made.json();
    let id = user["id"].as_str().unwrap();
    assert_eq!(
        made.headers["location"],
        format!("http://localhost/scim/v2/Users/{id}")
    );
    assert_eq!(
        made.headers["location"],
        user["meta"]["location"].as_str().unwrap()
    );
    assert_eq!(made.headers["etag"], user["meta"]["version"].as_str().unwrap());
    assert_eq!(made.headers["content-type"], "application/scim+json");
    assert_eq!(user["meta"]["resourceType"], "User");
    assert_eq!(user["meta"]["created"], "2026-11-24T12:00:00.000Z");
    assert_eq!(
        (&user["active"], &user["userName"]),
        (&json!(true), &json!("bjensen"))
    );
    assert_eq!(
        user["schemas"],
        json!(["urn:ietf:params:scim:schemas:core:2.0:User"])
    );
    assert_eq!(idp.get(&format!("/Users/{id}")).await.json(), user);

    // The gateway has the same user.
    let admin = plane.admin().await;
    let ours = admin.get(&format!("/admin/users/{id}")).await.json();
    assert_eq!(
        (&ours["username"], &ours["role"]),
        (&json!("bjensen"), &json!("member"))
    );
    assert_eq!(ours["display_name"], "Ms. Barbara J Jensen III");

    plane.clock.0.fetch_add(5_000, Ordering::Relaxed);
    let changed = idp
        .patch(
            &format!("/Users/{id}"),
            json!([{"op": "Add", "path": format!("{ENTERPRISE}:department"), "value": "Sales"},
                   {"op": "Add", "path": "emails[type eq \"work\"].value", "value": "b@example.com"}]),
        )
        .await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    let changed = changed.json();
    assert_eq!(changed["meta"]["created"], "2026-11-24T12:00:00.000Z");
    assert_eq!(changed["meta"]["lastModified"], "2026-11-24T12:00:05.000Z");
    assert_eq!(changed["schemas"][1], ENTERPRISE);
    let ours = admin.get(&format!("/admin/users/{id}")).await.json();
    assert_eq!(ours["email"], "b@example.com");
    plane.stop().await;
}

async fn a_user_who_is_made_inactive_cannot_come_in(db: TestDb) {
    let (plane, idp) = start(&db).await;
    let body = json!({"userName": "late", "active": "False"});
    let made = idp.send("POST", "/Users", body).await;
    assert_eq!(
        (made.status.as_u16(), &made.json()["active"]),
        (201, &json!(false))
    );
    let path = format!("/admin/users/{}", made.id());
    let admin = plane.admin().await;
    assert_eq!(admin.get(&path).await.json()["state"], "suspended");
    let active = json!([{"op": "Replace", "path": "active", "value": "True"}]);
    let changed = idp.patch(&format!("/Users/{}", made.id()), active).await;
    assert_eq!(changed.json()["active"], true);
    assert_eq!(admin.get(&path).await.json()["state"], "active");
    // To take the attribute away shuts nobody out and lets nobody in.
    let off = json!([{"op": "remove", "path": "active"}]);
    let user = format!("/Users/{}", made.id());
    assert_eq!(idp.patch(&user, off).await.json()["active"], Value::Null);
    assert_eq!(admin.get(&path).await.json()["state"], "active");
    // Who is suspended by hand stays so, whatever else the provider says.
    admin.post(&format!("{path}/suspend"), json!({})).await;
    let title = json!([{"op": "replace", "path": "title", "value": "Boss"}]);
    let changed = idp.patch(&format!("/Users/{}", made.id()), title).await;
    assert_eq!(changed.json()["active"], false);
    plane.stop().await;
}

async fn a_name_or_an_external_id_is_taken_once(db: TestDb) {
    let (plane, idp) = start(&db).await;
    let one = json!({"userName": "One", "externalId": "x1"});
    assert_eq!(idp.send("POST", "/Users", one).await.status, 201);
    let two = idp.user("two").await;
    for taken in [
        json!({"userName": "ONE"}),
        json!({"userName": "three", "externalId": "x1"}),
    ] {
        let answer = idp.send("POST", "/Users", taken).await;
        assert_error(&answer, 409, Some("uniqueness"));
    }
    let path = format!("/Users/{two}");
    let put = idp.send("PUT", &path, json!({"userName": "one"})).await;
    assert_error(&put, 409, Some("uniqueness"));
    let patched = idp
        .patch(
            &path,
            json!([{"op": "replace", "path": "externalId", "value": "x1"}]),
        )
        .await;
    assert_error(&patched, 409, Some("uniqueness"));
    assert_eq!(
        idp.send("PUT", &path, json!({"userName": "TWO"})).await.json()["userName"],
        "TWO"
    );
    // Local names are not the provider's business: the user gets another one with us.
    let local = idp.user("admin").await;
    let ours = plane
        .admin()
        .await
        .get(&format!("/admin/users/{local}"))
        .await
        .json();
    assert_eq!(ours["username"], "admin (Okta)");
    assert_eq!(
        idp.get(&format!("/Users/{local}")).await.json()["userName"],
        "admin"
    );
    plane.stop().await;
}

async fn what_a_put_does_not_say_is_gone_and_who_may_come_in_stays(db: TestDb) {
    let (plane, idp) = start(&db).await;
    let body =
        json!({"userName": "a", "title": "Boss", "active": false, ENTERPRISE: {"department": "Sales"}});
    let id = idp.send("POST", "/Users", body).await.id();
    let path = format!("/Users/{id}");
    let body = json!({"id": id, "userName": "b", "displayName": "B", "meta": {"resourceType": "User"}});
    let put = idp.send("PUT", &path, body).await;
    assert_eq!(put.status, 200, "{}", put.text);
    let user = put.json();
    assert_eq!((&user["title"], &user[ENTERPRISE]), (&Value::Null, &Value::Null));
    assert_eq!(
        (&user["active"], &user["userName"], &user["id"]),
        (&json!(false), &json!("b"), &json!(id))
    );
    let put = idp
        .send("PUT", &path, json!({"userName": "b", "active": true}))
        .await;
    assert_eq!(put.json()["active"], true);
    assert_error(
        &idp.send("PUT", &path, json!({"displayName": "x"})).await,
        400,
        Some("invalidValue"),
    );
    assert_error(
        &idp.send("PUT", "/Users/user_none", json!({"userName": "x"}))
            .await,
        404,
        None,
    );
    plane.stop().await;
}

async fn a_patch_is_done_whole_or_not_at_all(db: TestDb) {
    let (plane, idp) = start(&db).await;
    let id = idp.user("a").await;
    let path = format!("/Users/{id}");
    let before = idp.get(&path).await.json();
    let refused = idp
        .patch(
            &path,
            json!([{"op": "replace", "path": "displayName", "value": "New"},
                   {"op": "replace", "path": "active", "value": false},
                   {"op": "replace", "path": "emails[type eq \"none\"].value", "value": "x"}]),
        )
        .await;
    assert_error(&refused, 400, Some("noTarget"));
    assert_eq!(idp.get(&path).await.json(), before);
    // A name that is taken undoes the rest, too.
    idp.user("b").await;
    let refused = idp
        .patch(
            &path,
            json!([{"op": "replace", "value": {"displayName": "New", "userName": "B", "active": false}}]),
        )
        .await;
    assert_error(&refused, 409, Some("uniqueness"));
    assert_eq!(idp.get(&path).await.json(), before);
    plane.stop().await;
}

async fn what_changes_nothing_makes_no_version(db: TestDb) {
    let (plane, idp) = start(&db).await;
    let emails = json!([{"value": "a@example.com", "type": "work"}]);
    let body = json!({"emails": emails, "userName": " a ", "title": "Boss"});
    let id = idp.send("POST", "/Users", body).await.id();
    let path = format!("/Users/{id}");
    let before = idp.get(&path).await.json();
    for same in [
        json!([{"op": "replace", "path": "userName", "value": "a"}]),
        json!([{"op": "replace", "path": "favouriteColour", "value": "blue"}]),
        json!([{"op": "remove", "path": "nickName"}]),
        json!([{"op": "add", "path": "emails", "value": [{"type": "work", "value": "a@example.com"}]}]),
    ] {
        let answer = idp.patch(&path, same).await;
        assert_eq!((answer.status.as_u16(), answer.json()), (200, before.clone()));
    }
    plane.stop().await;
}

async fn a_deleted_user_is_gone_and_comes_back_as_the_same(db: TestDb) {
    let (plane, idp) = start(&db).await;
    let body = json!({"userName": "back@example.com", "externalId": "x", "title": "Boss"});
    let id = idp.send("POST", "/Users", body.clone()).await.id();
    let group = idp.group("Staff", &[&id]).await;
    let path = format!("/Users/{id}");
    let gone = idp.send("DELETE", &path, Value::Null).await;
    assert_eq!((gone.status.as_u16(), gone.text.as_str()), (204, ""));
    assert_error(&idp.get(&path).await, 404, None);
    assert_error(&idp.send("DELETE", &path, Value::Null).await, 404, None);
    assert_error(&idp.send("PUT", &path, body.clone()).await, 404, None);
    assert_eq!(idp.get("/Users").await.json()["totalResults"], 0);
    assert_eq!(
        idp.get(&format!("/Groups/{group}")).await.json()["members"],
        Value::Null
    );
    let again = idp
        .send("POST", "/Users", json!({"userName": "Back@example.com"}))
        .await;
    assert_eq!(again.status, 201, "{}", again.text);
    assert_eq!(again.id(), id, "it is the same user, with what they have used");
    assert_eq!(
        (&again.json()["active"], &again.json()["title"]),
        (&json!(true), &Value::Null)
    );
    assert_eq!(idp.get("/Users").await.json()["totalResults"], 1);
    // So does who comes back under another name but with the same id of the provider's.
    assert_eq!(idp.send("PUT", &path, body).await.status, 200);
    idp.send("DELETE", &path, Value::Null).await;
    let renamed = json!({"userName": "new@example.com", "externalId": "x"});
    assert_eq!(idp.send("POST", "/Users", renamed).await.id(), id);
    plane.stop().await;
}

async fn somebody_elses_name_after_a_deletion_is_free(db: TestDb) {
    let (plane, idp) = start(&db).await;
    let one = idp
        .send("POST", "/Users", json!({"userName": "one", "externalId": "1"}))
        .await
        .id();
    let two = idp.user("two").await;
    idp.send("DELETE", &format!("/Users/{one}"), Value::Null).await;
    let renamed = idp
        .patch(
            &format!("/Users/{two}"),
            json!([{"op": "replace", "value": {"userName": "one", "externalId": "1"}}]),
        )
        .await;
    assert_eq!(renamed.status, 200, "{}", renamed.text);
    // Whoever comes back now is somebody else.
    let body = json!({"userName": "three"});
    assert_ne!(idp.send("POST", "/Users", body).await.id(), one);
    plane.stop().await;
}

async fn versions_keep_writers_apart(db: TestDb) {
    let (plane, idp) = start(&db).await;
    let id = idp.user("a").await;
    let path = format!("/Users/{id}");
    let version = idp.get(&path).await.json()["meta"]["version"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(version.starts_with("W/\""));
    let unchanged = idp.with("if-none-match", &version).get(&path).await;
    assert_eq!((unchanged.status.as_u16(), unchanged.text.as_str()), (304, ""));
    let title = |title: &str| json!([{"op": "replace", "path": "title", "value": title}]);
    let first = idp.with("if-match", &version).patch(&path, title("One")).await;
    assert_eq!(first.status, 200, "{}", first.text);
    assert_ne!(first.headers["etag"], version.as_str());
    for method in ["PATCH", "PUT", "DELETE"] {
        let body = match method {
            "PATCH" => json!({"Operations": title("Two")}),
            "PUT" => json!({"userName": "a"}),
            _ => Value::Null,
        };
        let late = idp.with("if-match", &version).send(method, &path, body).await;
        assert_error(&late, 412, None);
    }
    assert_eq!(idp.with("if-none-match", &version).get(&path).await.status, 200);
    assert_eq!(
        idp.with("if-match", "*")
            .patch(&path, title("Three"))
            .await
            .status,
        200
    );
    plane.stop().await;
}

async fn clients_see_what_they_ask_for(db: TestDb) {
    let (plane, idp) = start(&db).await;
    let body = json!({"userName": "a", "displayName": "A", "name": {"givenName": "A", "familyName": "B"}});
    let path = format!("/Users/{}", idp.send("POST", "/Users", body).await.id());
    let names = |value: Value| {
        let mut names: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
        names.sort();
        names
    };
    let some = idp
        .get(&format!("{path}?attributes=userName,name.givenName"))
        .await
        .json();
    assert_eq!(some["name"], json!({"givenName": "A"}));
    assert_eq!(names(some), ["id", "name", "schemas", "userName"]);
    let some = idp
        .get(&format!("{path}?excludedAttributes=name,meta,id"))
        .await
        .json();
    assert_eq!(
        names(some),
        ["active", "displayName", "id", "schemas", "userName"]
    );
    let made = idp
        .send("POST", "/Users?attributes=userName", json!({"userName": "b"}))
        .await;
    assert_eq!(names(made.json()), ["id", "schemas", "userName"]);
    let list = idp
        .get("/Users?attributes=displayName&filter=userName%20eq%20%22a%22")
        .await
        .json();
    assert_eq!(
        names(list["Resources"][0].clone()),
        ["displayName", "id", "schemas"]
    );
    plane.stop().await;
}
