//! Lists: filters, order, pages.

use super::{ENTERPRISE, assert_error, quoted, start};
use crate::support::{TestDb, on_both};
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

on_both!(
    pages_have_no_gaps_and_count_what_there_is,
    filters_select,
    what_is_sorted_is_in_order,
    searches_with_a_body_find_the_same,
    groups_are_found_by_their_members,
);

async fn pages_have_no_gaps_and_count_what_there_is(db: TestDb) {
    let (plane, idp) = start(&db).await;
    let mut ids = Vec::new();
    for n in 0..7 {
        plane.clock.0.fetch_add(1, Ordering::Relaxed);
        ids.push(idp.user(&format!("user{n}")).await);
    }
    let mut seen = Vec::new();
    for start in [1, 4, 7] {
        let page = idp
            .get(&format!("/Users?startIndex={start}&count=3"))
            .await
            .json();
        assert_eq!(
            page["schemas"],
            json!(["urn:ietf:params:scim:api:messages:2.0:ListResponse"])
        );
        assert_eq!(
            (&page["totalResults"], &page["startIndex"]),
            (&json!(7), &json!(start))
        );
        let resources = page["Resources"].as_array().unwrap();
        assert_eq!(page["itemsPerPage"], json!(resources.len()));
        seen.extend(resources.iter().map(|r| r["id"].as_str().unwrap().to_owned()));
    }
    assert_eq!(seen, ids);
    for (query, items, start) in [
        ("count=0", 0, 1),
        ("count=-1", 0, 1),
        ("startIndex=0&count=2", 2, 1),
        ("startIndex=-3", 7, 1),
        ("startIndex=100", 0, 100),
        ("count=1000000", 7, 1),
        ("startIndex=99999999999999999", 0, 99_999_999_999_999_999_u64),
    ] {
        let page = idp.get(&format!("/Users?{query}")).await.json();
        assert_eq!(
            (&page["totalResults"], &page["itemsPerPage"], &page["startIndex"]),
            (&json!(7), &json!(items), &json!(start)),
            "{query}"
        );
    }
    for bad in ["count=x", "startIndex=1.5", "sortBy=userName&sortOrder=sideways"] {
        assert_error(
            &idp.get(&format!("/Users?{bad}")).await,
            400,
            Some("invalidValue"),
        );
    }
    plane.stop().await;
}

async fn filters_select(db: TestDb) {
    let (plane, idp) = start(&db).await;
    for body in [
        json!({"userName": "Ada@example.com", "externalId": "A1", "displayName": "Ada Lovelace", "title": "Countess",
               "emails": [{"value": "ada@example.com", "type": "work", "primary": true}],
               ENTERPRISE: {"department": "Sales"}}),
        json!({"userName": "bob", "externalId": "a1", "active": false,
               "emails": [{"value": "bob@home.org", "type": "home"}, {"value": "bob@example.com", "type": "work"}]}),
        json!({"userName": "žofie", "name": {"familyName": "Nováková"}}),
    ] {
        assert_eq!(idp.send("POST", "/Users", body).await.status, 201);
    }
    let ada = "Ada@example.com";
    for (filter, expected) in [
        (r#"userName eq "ADA@EXAMPLE.COM""#, vec![ada]),
        (r#"USERNAME Eq "ada@example.com" and title pr"#, vec![ada]),
        (r#"userName eq "ada@example.com" and title eq "x""#, vec![]),
        (r#"userName eq "nobody""#, vec![]),
        (r#"externalId eq "A1""#, vec![ada]),
        (r#"externalId eq "a1""#, vec!["bob"]),
        (r#"displayName co "love""#, vec![ada]),
        (r#"name.familyName sw "nová""#, vec!["žofie"]),
        (r#"userName eq "ŽOFIE""#, vec!["žofie"]),
        ("active eq false", vec!["bob"]),
        (r#"active eq "False""#, vec!["bob"]),
        ("not (active eq false)", vec![ada, "žofie"]),
        ("title pr or name pr", vec![ada, "žofie"]),
        ("emails pr", vec![ada, "bob"]),
        (
            r#"emails[type eq "work" and value ew "example.com"]"#,
            vec![ada, "bob"],
        ),
        (r#"emails[type eq "home" and value ew "example.com"]"#, vec![]),
        (r#"emails.type eq "home""#, vec!["bob"]),
        (r#"emails eq "bob@example.com""#, vec!["bob"]),
        (
            r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "sales""#,
            vec![ada],
        ),
        (
            r#"urn:ietf:params:scim:schemas:core:2.0:User:userName sw "B""#,
            vec!["bob"],
        ),
        (
            r#"meta.created ge "2026-11-24T12:00:00Z" and meta.created lt "2027-01-01T00:00:00Z""#,
            vec![ada, "bob", "žofie"],
        ),
        (r#"meta.resourceType eq "User""#, vec![ada, "bob", "žofie"]),
        (r#"userName ne "bob""#, vec![ada, "žofie"]),
        (r#"nothing eq "x""#, vec![]),
        ("nothing pr", vec![]),
        (r#"userName gt "b" and userName le "bob""#, vec!["bob"]),
        ("userName eq \"\\u0000\"", vec![]),
    ] {
        let path = format!("/Users?filter={}", quoted(filter));
        assert_eq!(idp.found_any(&path, "userName").await, expected, "{filter}");
    }
    for bad in [
        "userName",
        "userName eq",
        "userName eq bob",
        "(userName pr",
        "userName xx \"a\"",
        "é eq \"x\"",
        "active gt true",
    ] {
        let answer = idp.get(&format!("/Users?filter={}", quoted(bad))).await;
        assert_error(&answer, 400, Some("invalidFilter"));
    }
    plane.stop().await;
}

async fn what_is_sorted_is_in_order(db: TestDb) {
    let (plane, idp) = start(&db).await;
    for (name, title) in [
        ("b", json!("x")),
        ("C", json!("Y")),
        ("a", Value::Null),
        ("d", json!("a")),
    ] {
        let body = json!({"userName": name, "title": title});
        assert_eq!(idp.send("POST", "/Users", body).await.status, 201);
    }
    for (query, expected) in [
        ("sortBy=userName", ["a", "b", "C", "d"]),
        ("sortBy=USERNAME&sortOrder=descending", ["d", "C", "b", "a"]),
        ("sortBy=title", ["d", "b", "C", "a"]),
        ("sortBy=title&sortOrder=descending", ["a", "C", "b", "d"]),
    ] {
        assert_eq!(
            idp.found(&format!("/Users?{query}"), "userName").await,
            expected,
            "{query}"
        );
    }
    let page = idp
        .found("/Users?sortBy=userName&startIndex=2&count=2", "userName")
        .await;
    assert_eq!(page, ["b", "C"]);
    plane.stop().await;
}

async fn searches_with_a_body_find_the_same(db: TestDb) {
    let (plane, idp) = start(&db).await;
    let a = idp.user("a").await;
    idp.user("b").await;
    idp.group("G", &[&a]).await;
    let search = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],
        "attributes": ["userName"], "filter": "userName sw \"A\"", "startIndex": 1, "count": 10,
    });
    let found = idp.send("POST", "/Users/.search", search).await;
    assert_eq!(found.status, 200, "{}", found.text);
    let found = found.json();
    let expected =
        json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "id": a, "userName": "a"});
    assert_eq!(found["Resources"], json!([expected]));
    let groups = idp
        .send("POST", "/Groups/.search", json!({"filter": "displayName pr"}))
        .await;
    assert_eq!(groups.json()["totalResults"], 1);
    // Both at once (RFC 7644, §3.4.2.1).
    let all = json!({"filter": "(meta.resourceType eq User) or (meta.resourceType eq Group)", "sortBy": "meta.created"});
    assert_eq!(idp.send("POST", "/.search", all).await.json()["totalResults"], 3);
    assert_eq!(idp.get("?count=1").await.json()["totalResults"], 3);
    let filter = quoted(r#"displayName eq "g" or userName eq "b""#);
    assert_eq!(
        idp.get(&format!("/?filter={filter}")).await.json()["totalResults"],
        2
    );
    plane.stop().await;
}

async fn groups_are_found_by_their_members(db: TestDb) {
    let (plane, idp) = start(&db).await;
    let (a, b) = (idp.user("a").await, idp.user("b").await);
    let one = idp.group("One", &[&a]).await;
    idp.group("Two", &[&a, &b]).await;
    for (filter, expected) in [
        (format!("members eq \"{a}\""), vec!["One", "Two"]),
        (format!("members.value eq \"{b}\""), vec!["Two"]),
        (format!("members[value eq \"{b}\"]"), vec!["Two"]),
        (format!("id eq \"{one}\" and members eq \"{a}\""), vec!["One"]),
        (format!("id eq \"{one}\" and members eq \"{b}\""), vec![]),
        ("members.display eq \"B\"".to_owned(), vec!["Two"]),
        ("displayName eq \"ONE\"".to_owned(), vec!["One"]),
        ("displayName sw \"t\"".to_owned(), vec!["Two"]),
    ] {
        let path = format!("/Groups?filter={}&excludedAttributes=members", quoted(&filter));
        assert_eq!(idp.found_any(&path, "displayName").await, expected, "{filter}");
    }
    let filter = quoted("groups.display eq \"two\"");
    assert_eq!(
        idp.found_any(&format!("/Users?filter={filter}"), "userName")
            .await,
        ["a", "b"]
    );
    let list = idp.get("/Groups?excludedAttributes=members").await.json();
    assert!(!list.to_string().contains("members"), "{list}");
    plane.stop().await;
}
