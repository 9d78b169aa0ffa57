//! Ten thousand users.

use super::{idp, quoted};
use crate::support::{Plane, TestDb, on_both};
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

on_both!(ten_thousand_users_are_found_listed_and_grouped_quickly);

const COUNT: usize = 10_000;

/// Writes users as SCIM would have.
async fn fill(db: &TestDb, provider: &str) {
    let connection = db.connect().await;
    for chunk in (0..COUNT).collect::<Vec<_>>().chunks(500) {
        let users: Vec<_> = chunk
            .iter()
            .map(|n| {
                format!(
                    "('user_{n:05}', 'u{n}@example.com', 'u{n}@example.com', 'member', 'active', 'u{n}', 1, '{provider}', '[]')"
                )
            })
            .collect();
        let said: Vec<_> = chunk
            .iter()
            .map(|n| {
                let attributes = json!({
                    "userName": format!("u{n}@example.com"), "externalId": format!("x{n}"), "title": format!("Title {}", n % 10),
                    "name": {"givenName": "Given", "familyName": format!("Family {n}")},
                    "emails": [{"value": format!("u{n}@example.com"), "type": "work", "primary": true}],
                });
                format!("('user_{n:05}', '{provider}', 'u{n}@example.com', 'x{n}', '{attributes}', 1, FALSE, 1, 1)")
            })
            .collect();
        let sql = format!(
            "INSERT INTO users (id, username, username_key, role, state, search_key, created_at_ms, provider_id, groups) \
             VALUES {}",
            users.join(", ")
        );
        connection.execute_unprepared(&sql).await.unwrap();
        let sql = format!(
            "INSERT INTO scim_users (user_id, provider_id, user_name_key, external_id, attributes, version, deleted, \
             created_at_ms, updated_at_ms) VALUES {}",
            said.join(", ")
        );
        connection.execute_unprepared(&sql).await.unwrap();
    }
    connection.close().await.unwrap();
}

async fn ten_thousand_users_are_found_listed_and_grouped_quickly(db: TestDb) {
    let plane = Plane::start(&db).await;
    let idp = idp(
        &plane,
        &db,
        "Okta",
        json!({"group_mappings": [{"group": "All", "role": "admin"}]}),
    )
    .await;
    fill(&db, &idp.id).await;
    // Debug builds on a busy machine: these bounds catch what grows with the square, not what is slow.
    let timed = async |path: &str, bound: Duration| {
        let began = Instant::now();
        let answer = idp.get(path).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert!(began.elapsed() < bound, "{path} took {:?}", began.elapsed());
        answer.json()
    };
    let fast = Duration::from_millis(500);
    let filter = |text: &str| format!("/Users?filter={}", quoted(text));
    let found = timed(&filter("userName eq \"U9999@example.com\""), fast).await;
    assert_eq!(found["Resources"][0]["id"], "user_09999");
    assert_eq!(
        timed(&filter("externalId eq \"x5000\""), fast).await["totalResults"],
        1
    );
    assert_eq!(
        timed("/Users?startIndex=9991&count=100", fast).await["itemsPerPage"],
        10
    );
    let slow = Duration::from_secs(8);
    let scanned = timed(
        &format!(
            "{}&sortBy=name.familyName&count=5",
            filter("title eq \"Title 7\"")
        ),
        slow,
    )
    .await;
    assert_eq!(
        (&scanned["totalResults"], &scanned["itemsPerPage"]),
        (&json!(1_000), &json!(5))
    );

    let members: Vec<Value> = (0..COUNT)
        .map(|n| json!({"value": format!("user_{n:05}")}))
        .collect();
    let began = Instant::now();
    let made = idp
        .send(
            "POST",
            "/Groups?excludedAttributes=members",
            json!({"displayName": "All", "members": members}),
        )
        .await;
    assert_eq!(made.status, 201, "{}", made.text);
    let path = format!("/Groups/{}", made.id());
    let one = json!([{"op": "remove", "path": "members[value eq \"user_00007\"]"}]);
    assert_eq!(idp.patch(&path, one).await.status, 204);
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    let admins = db.count("SELECT COUNT(*) FROM users WHERE role = 'admin'").await;
    assert_eq!(admins, COUNT as i64 - 1, "one fewer of the group");
    timed(&format!("{path}?excludedAttributes=members"), fast).await;
    let whole = timed(&path, slow).await;
    assert_eq!(whole["members"].as_array().unwrap().len(), COUNT - 1);
    plane.stop().await;
}
