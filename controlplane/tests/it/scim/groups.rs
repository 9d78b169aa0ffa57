//! Groups, and what follows from them.

use super::{assert_error, quoted, start, start_with};
use crate::support::{TestDb, on_both};
use serde_json::{Value, json};
use std::collections::BTreeSet;

on_both!(
    a_group_is_made_changed_and_deleted,
    members_come_and_go_in_all_forms,
    roles_and_teams_follow_from_groups,
    the_last_owner_cannot_be_lost_through_a_group,
    members_who_join_at_the_same_time_are_all_in,
    what_cannot_be_a_member_is_refused_and_nobody_joins,
);

async fn a_group_is_made_changed_and_deleted(db: TestDb) {
    let (plane, idp) = start(&db).await;
    let (a, b) = (idp.user("a").await, idp.user("b").await);
    let body = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "Tour Guides", "externalId": "x",
        "members": [{"value": a, "display": "ignored", "$ref": "../Users/x"}],
    });
    let made = idp.send("POST", "/Groups", body.clone()).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let (id, group) = (made.id(), made.json());
    assert_eq!(
        made.headers["location"],
        format!("http://localhost/scim/v2/Groups/{id}")
    );
    let member = json!({"value": a, "$ref": format!("http://localhost/scim/v2/Users/{a}"), "display": "a", "type": "User"});
    assert_eq!(group["members"], json!([member]));
    assert_eq!(group["meta"]["resourceType"], "Group");
    assert_error(
        &idp.send("POST", "/Groups", json!({"displayName": "tour guides"}))
            .await,
        409,
        Some("uniqueness"),
    );
    let user = idp.get(&format!("/Users/{a}")).await.json();
    let expected = json!([{"value": id, "$ref": format!("http://localhost/scim/v2/Groups/{id}"), "display": "Tour Guides", "type": "direct"}]);
    assert_eq!(user["groups"], expected);

    let path = format!("/Groups/{id}");
    let put = idp
        .send(
            "PUT",
            &path,
            json!({"displayName": "Guides", "members": [{"value": b}]}),
        )
        .await;
    assert_eq!(put.status, 200, "{}", put.text);
    assert_eq!(put.json()["members"][0]["value"], json!(b));
    assert_eq!(put.json()["externalId"], Value::Null);
    assert_eq!(
        idp.get(&format!("/Users/{a}")).await.json()["groups"],
        Value::Null
    );
    assert_eq!(
        idp.get(&format!("/Users/{b}")).await.json()["groups"][0]["display"],
        "Guides"
    );
    let without = idp
        .get(&format!("{path}?excludedAttributes=members"))
        .await
        .json();
    assert_eq!(
        (&without["members"], &without["displayName"]),
        (&Value::Null, &json!("Guides"))
    );

    let version = without["meta"]["version"].as_str().unwrap().to_owned();
    assert_eq!(idp.with("if-none-match", &version).get(&path).await.status, 304);
    let renamed = idp
        .patch(
            &path,
            json!([{"op": "replace", "value": {"id": id, "displayName": "G"}}]),
        )
        .await;
    assert_eq!((renamed.status.as_u16(), renamed.text.as_str()), (204, ""));
    assert_error(
        &idp.with("if-match", &version)
            .send("DELETE", &path, Value::Null)
            .await,
        412,
        None,
    );
    assert_eq!(idp.send("DELETE", &path, Value::Null).await.status, 204);
    assert_error(&idp.get(&path).await, 404, None);
    assert_eq!(
        idp.get(&format!("/Users/{b}")).await.json()["groups"],
        Value::Null
    );
    plane.stop().await;
}

async fn members_come_and_go_in_all_forms(db: TestDb) {
    let (plane, idp) = start(&db).await;
    let (a, b, c) = (idp.user("a").await, idp.user("b").await, idp.user("c").await);
    let id = idp.group("G", &[]).await;
    let path = format!("/Groups/{id}");
    for (operations, expected) in [
        (
            json!([{"op": "Add", "path": "members", "value": [{"value": a}, {"value": b}]}]),
            vec![&a, &b],
        ),
        (
            json!([{"op": "Add", "path": "members", "value": [{"value": a}]}]),
            vec![&a, &b],
        ),
        (
            json!([{"op": "Remove", "path": "members", "value": [{"value": b}]}]),
            vec![&a],
        ),
        (
            json!([{"op": "add", "value": {"members": [{"value": c}]}}]),
            vec![&a, &c],
        ),
        (
            json!([{"op": "remove", "path": format!("members[value eq \"{a}\"]")}]),
            vec![&c],
        ),
        (
            json!([{"op": "remove", "path": "members[value eq \"user_nobody\"]"}]),
            vec![&c],
        ),
        (
            json!([{"op": "replace", "path": "members", "value": [{"value": a}, {"value": b}]}]),
            vec![&a, &b],
        ),
        (
            json!([{"op": "remove", "path": "members[display eq \"b\"]"}]),
            vec![&a],
        ),
        (
            json!([{"op": "remove", "path": "members", "value": []}]),
            vec![&a],
        ),
        (
            json!([{"op": "remove", "path": "members"},
                {"op": "add", "path": "members", "value": {"value": c}},
                {"op": "add", "path": "members", "value": [{"value": b}]},
                {"op": "remove", "path": format!("members[value eq \"{c}\"]")}]),
            vec![&b],
        ),
        (json!([{"op": "remove", "path": "members"}]), vec![]),
    ] {
        let answer = idp.patch(&path, operations.clone()).await;
        assert_eq!(answer.status, 204, "{operations} {}", answer.text);
        let group = idp.get(&path).await.json();
        let members = group["members"].as_array().into_iter().flatten();
        let members: BTreeSet<_> = members.map(|m| m["value"].as_str().unwrap()).collect();
        let expected: BTreeSet<_> = expected.into_iter().map(String::as_str).collect();
        assert_eq!(members, expected, "{operations}");
    }
    let asked = idp
        .patch(
            &format!("{path}?attributes=members,displayName"),
            json!([{"op": "add", "path": "members", "value": a}]),
        )
        .await;
    assert_eq!(
        (asked.status.as_u16(), &asked.json()["members"][0]["value"]),
        (200, &json!(a))
    );
    plane.stop().await;
}

async fn roles_and_teams_follow_from_groups(db: TestDb) {
    let plane = crate::support::Plane::start(&db).await;
    let admin = plane.admin().await;
    let team = admin.post("/admin/teams", json!({"name": "Builders"})).await.id();
    let rules = json!({"group_mappings": [
        {"group": "Admins", "role": "admin"}, {"group": "builders", "team_id": team},
    ]});
    let idp = super::idp(&plane, &db, "Okta", rules).await;
    let a = idp.user("a").await;
    let ours = async || {
        let user = admin.get(&format!("/admin/users/{a}")).await.json();
        (
            user["role"].as_str().unwrap().to_owned(),
            user["team_id"].as_str().map(str::to_owned),
        )
    };
    assert_eq!(ours().await, ("member".to_owned(), None));
    let admins = idp.group("ADMINS", &[&a]).await;
    assert_eq!(ours().await.0, "admin");
    let builders = idp.group("Builders", &[&a]).await;
    assert_eq!(ours().await, ("admin".to_owned(), Some(team.clone())));
    // A group with another name is another group.
    idp.patch(
        &format!("/Groups/{admins}"),
        json!([{"op": "replace", "path": "displayName", "value": "Others"}]),
    )
    .await;
    assert_eq!(ours().await, ("member".to_owned(), Some(team.clone())));
    // Other admin groups change those who are in them at once.
    let path = format!("/admin/idps/{}/scim-admin-groups", idp.id);
    let put = admin
        .send("PUT", &path, &json!({"groups": ["others"]}).to_string())
        .await;
    assert_eq!(put.json(), json!({"groups": ["others"]}), "{}", put.text);
    assert_eq!(ours().await, ("admin".to_owned(), Some(team)));
    idp.send("DELETE", &format!("/Groups/{builders}"), Value::Null)
        .await;
    assert_eq!(
        ours().await,
        ("admin".to_owned(), None),
        "the team goes with the group that gave it"
    );
    // Nobody stays an admin for want of a group that says otherwise.
    let put = admin.send("PUT", &path, r#"{"groups":[]}"#).await;
    assert_eq!(put.json(), json!({"groups": []}), "{}", put.text);
    assert_eq!(ours().await.0, "member");
    idp.send("DELETE", &format!("/Groups/{admins}"), Value::Null)
        .await;
    assert_eq!(ours().await.0, "member");
    plane.stop().await;
}

async fn the_last_owner_cannot_be_lost_through_a_group(db: TestDb) {
    let rules = json!({"group_mappings": [{"group": "Owners", "role": "owner"}]});
    let (plane, idp) = start_with(&db, rules).await;
    let a = idp.user("a").await;
    let group = idp.group("Owners", &[&a]).await;
    let admin = plane.admin().await;
    let me = admin.get("/auth/me").await.json();
    let me = me["user"]["id"]
        .as_str()
        .or(me["id"].as_str())
        .unwrap()
        .to_owned();
    assert_eq!(
        admin
            .post(&format!("/admin/users/{me}/suspend"), json!({}))
            .await
            .status,
        200
    );
    let operations = json!([{"op": "remove", "path": "members"}]);
    assert_error(
        &idp.patch(&format!("/Groups/{group}"), operations).await,
        409,
        None,
    );
    let off = json!([{"op": "replace", "path": "active", "value": false}]);
    assert_error(&idp.patch(&format!("/Users/{a}"), off).await, 409, None);
    for path in [format!("/Groups/{group}"), format!("/Users/{a}")] {
        assert_error(&idp.send("DELETE", &path, Value::Null).await, 409, None);
        assert_eq!(idp.get(&path).await.status, 200);
    }
    plane.stop().await;
}

async fn members_who_join_at_the_same_time_are_all_in(db: TestDb) {
    let (plane, idp) = start(&db).await;
    let group = idp.group("G", &[]).await;
    let mut ids = Vec::new();
    for n in 0..20 {
        ids.push(idp.user(&format!("user{n}")).await);
    }
    let path = format!("/Groups/{group}");
    let joins = ids.iter().map(|id| {
        let operations = json!([{"op": "add", "path": "members", "value": [{"value": id}]}]);
        idp.patch(&path, operations)
    });
    for answer in futures_util::future::join_all(joins).await {
        assert_eq!(answer.status, 204, "{}", answer.text);
    }
    let filter = quoted("displayName eq \"g\"");
    let list = idp.get(&format!("/Groups?filter={filter}")).await.json();
    assert_eq!(list["Resources"][0]["members"].as_array().unwrap().len(), 20);
    assert_eq!(list["Resources"][0]["meta"]["version"], "W/\"21\"");
    plane.stop().await;
}

async fn what_cannot_be_a_member_is_refused_and_nobody_joins(db: TestDb) {
    let (plane, idp) = start(&db).await;
    let a = idp.user("a").await;
    let group = idp.group("G", &[]).await;
    let path = format!("/Groups/{group}");
    for stranger in ["user_nobody", group.as_str(), "\u{0}", "é"] {
        let operations = json!([{"op": "replace", "path": "displayName", "value": "New"},
            {"op": "add", "path": "members", "value": [{"value": a}, {"value": stranger}]}]);
        assert_error(&idp.patch(&path, operations).await, 400, Some("invalidValue"));
        let body = json!({"displayName": "Other", "members": [{"value": stranger}]});
        assert_error(
            &idp.send("POST", "/Groups", body).await,
            400,
            Some("invalidValue"),
        );
    }
    let group = idp.get(&path).await.json();
    assert_eq!(
        (&group["members"], &group["displayName"]),
        (&Value::Null, &json!("G"))
    );
    assert_eq!(idp.get("/Groups").await.json()["totalResults"], 1);
    plane.stop().await;
}
