//! The audit log shows what was changed, and that it is as it was written.

use crate::support::{Caller, Plane, TestDb, on_both};
use futures_util::future::join_all;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};
use std::time::Duration;

on_both!(
    changes_are_listed_with_who_made_them_and_in_pages,
    what_was_changed_removed_or_cut_off_in_the_database_shows,
    an_entry_that_was_kept_elsewhere_shows_a_chain_that_was_made_anew,
    changes_at_the_same_time_make_one_chain,
    members_may_not_see_it,
    who_signs_in_and_who_is_not_let_in_stands_in_it,
);

async fn execute(db: &TestDb, sql: &str) {
    let own = db.connect().await;
    own.execute_unprepared(sql).await.unwrap();
    own.close().await.unwrap();
}

async fn new_team(admin: &Caller, name: &str) -> String {
    let made = admin.post("/admin/teams", json!({"name": name})).await;
    assert_eq!(made.status, 201, "{}", made.text);
    made.id()
}

async fn verify(admin: &Caller) -> Value {
    admin.get("/admin/audit/verify").await.json()
}

async fn changes_are_listed_with_who_made_them_and_in_pages(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let team = new_team(&admin, "Payments").await;
    new_team(&admin, "Search").await;
    let first = admin.get("/admin/audit?limit=1").await.json();
    assert_eq!(first["entries"][0]["action"], "team.create");
    assert_eq!(first["entries"][0]["actor_name"], "admin");
    assert_ne!(
        first["entries"][0]["actor"], "admin",
        "an id, which stays when the name changes"
    );
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = admin
        .get(&format!("/admin/audit?limit=1&cursor={cursor}"))
        .await
        .json();
    assert_eq!(second["entries"][0]["object_id"], json!(team));
    let seq = |list: &Value| list["entries"][0]["seq"].as_i64().unwrap();
    assert_eq!(seq(&first), seq(&second) + 1);
    // Entries from before there was a chain come last, and the list ends.
    execute(&db, "UPDATE audit SET seq = NULL WHERE seq <= 2").await;
    let mut numbers = Vec::new();
    let mut path = "/admin/audit?limit=1".to_owned();
    while numbers.len() < 100 {
        let page = admin.get(&path).await.json();
        numbers.push(page["entries"][0]["seq"].as_i64());
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/admin/audit?limit=1&cursor={cursor}"),
            None => break,
        }
    }
    let last = seq(&first);
    let expected: Vec<_> = (3..=last).rev().map(Some).chain([None, None]).collect();
    assert_eq!(numbers, expected);
    let found = admin.get(&format!("/admin/audit?q={team}")).await.json();
    assert_eq!(found["entries"].as_array().unwrap().len(), 1);
    assert_eq!(found["next_cursor"], Value::Null);
    let none = admin.get("/admin/audit?q=%25").await.json();
    assert_eq!(none["entries"], json!([]), "a character like any other");
    let past = admin.get("/admin/audit?to=2020-01-01").await.json();
    assert_eq!(past["entries"], json!([]));
    plane.stop().await;
}

async fn what_was_changed_removed_or_cut_off_in_the_database_shows(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    for name in ["One", "Two", "Three"] {
        new_team(&admin, name).await;
    }
    let sound = verify(&admin).await;
    let last = sound["seq"].as_i64().unwrap();
    assert_eq!((&sound["intact"], &sound["sound"]), (&json!(true), &json!(last)));
    let broken = async |sql: &str, back: &str, at: i64| {
        execute(&db, sql).await;
        let found = verify(&admin).await;
        assert_eq!(
            (&found["intact"], &found["broken_at"]),
            (&json!(false), &json!(at)),
            "{sql}"
        );
        assert!(
            found["problem"]
                .as_str()
                .unwrap()
                .contains(&format!("Entry {at} ")),
            "{found}"
        );
        execute(&db, back).await;
        assert_eq!(verify(&admin).await["intact"], true, "{back}");
    };
    let at = last - 1;
    broken(
        &format!("UPDATE audit SET actor = actor || '!' WHERE seq = {at}"),
        &format!("UPDATE audit SET actor = substr(actor, 1, length(actor) - 1) WHERE seq = {at}"),
        at,
    )
    .await;
    // One in the middle is gone, and then the last.
    for gone in [at, last] {
        broken(
            &format!("UPDATE audit SET seq = NULL WHERE seq = {gone}"),
            &format!("UPDATE audit SET seq = {gone} WHERE seq IS NULL"),
            gone,
        )
        .await;
    }
    // One was slipped in behind the last.
    let slipped = last + 1;
    broken(
        &format!(
            "INSERT INTO audit (id, at_ms, actor, action, object_kind, object_id, details, seq, hash) \
             VALUES ('aud_x', 1, 'x', 'x', 'x', 'x', '{{}}', {slipped}, 'x')"
        ),
        "DELETE FROM audit WHERE id = 'aud_x'",
        slipped,
    )
    .await;
    plane.stop().await;
}

async fn an_entry_that_was_kept_elsewhere_shows_a_chain_that_was_made_anew(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    new_team(&admin, "One").await;
    let kept = verify(&admin).await;
    let (seq, hash) = (kept["seq"].as_i64().unwrap(), kept["hash"].as_str().unwrap());
    new_team(&admin, "Two").await;
    let asked = |seq: i64, hash: &str| format!("/admin/audit/verify?seq={seq}&hash={hash}");
    assert_eq!(admin.get(&asked(seq, hash)).await.json()["intact"], true);
    assert_eq!(
        admin.get(&asked(seq, &hash.to_uppercase())).await.json()["intact"],
        true
    );
    for (seq, hash) in [(seq + 1, hash), (seq, &hash[1..]), (seq + 100, hash), (0, "")] {
        let found = admin.get(&asked(seq, hash)).await.json();
        let intact = seq == 0;
        assert_eq!(found["intact"], intact, "{seq}:{hash} {found}");
    }
    let half = admin.get(&format!("/admin/audit/verify?seq={seq}")).await;
    assert_eq!(half.status, 400, "{}", half.text);
    plane.stop().await;
}

async fn changes_at_the_same_time_make_one_chain(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let before = verify(&admin).await["sound"].as_i64().unwrap();
    let names: Vec<String> = (0..24).map(|n| format!("Team {n}")).collect();
    join_all(names.iter().map(|name| new_team(&admin, name))).await;
    let after = verify(&admin).await;
    assert_eq!(
        (&after["intact"], &after["sound"]),
        (&json!(true), &json!(before + 24))
    );
    plane.stop().await;
}

async fn members_may_not_see_it(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let (member, _) = admin.new_member("sam").await;
    for path in ["/admin/audit", "/admin/audit/verify"] {
        assert_eq!(member.get(path).await.status, 403, "{path}");
    }
    plane.stop().await;
}

async fn who_signs_in_and_who_is_not_let_in_stands_in_it(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let (member, id) = admin.new_member("sam").await;
    let body = |name: &str, password: &str| json!({"username": name, "password": password});
    let stranger = plane.caller();
    assert_eq!(
        stranger.post("/auth/login", body("sam", "no idea")).await.status,
        401
    );
    assert_eq!(
        stranger
            .post("/auth/login", body("what-is-typed", "in the wrong field"))
            .await
            .status,
        401
    );
    // The answer does not wait for its entry.
    let path = format!("/admin/audit?q={id}");
    while !admin.get(&path).await.text.contains("session.wrong_password") {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(member.post("/auth/logout", json!({})).await.status, 204);
    let entries = admin.get(&path).await.json();
    let actions: Vec<_> = entries["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["action"].as_str().unwrap())
        .collect();
    assert_eq!(
        actions,
        [
            "session.end",
            "session.wrong_password",
            "session.begin",
            "user.create"
        ]
    );
    let address = &entries["entries"][1]["details"]["address"];
    assert_eq!(address, &json!(stranger.address.ip()), "{entries}");
    let typed = db
        .count("SELECT COUNT(*) FROM audit WHERE actor LIKE '%typed%' OR details LIKE '%typed%'")
        .await;
    assert_eq!(typed, 0);
    assert_eq!(verify(&admin).await["intact"], true);
    plane.stop().await;
}
