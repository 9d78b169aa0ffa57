//! Requests that are sent again, and are carried out once.

use crate::openapi::listen;
use crate::support::{Answer, Caller, Plane, TestDb, on_both};
use serde_json::{Value, json};
use std::sync::atomic::Ordering;
use tokio::io::AsyncWriteExt;

on_both!(
    who_sends_it_again_gets_the_first_answer_and_nothing_is_made_twice,
    of_many_at_once_one_is_carried_out,
    what_a_client_asked_for_and_did_not_wait_for_is_done_and_can_be_fetched,
);

fn named(caller: &Caller, key: &str) -> Caller {
    caller.clone().with("idempotency-key", key)
}

async fn make_key(caller: &Caller, name: &str) -> Answer {
    caller.post("/admin/keys", json!({"name": name})).await
}

async fn keys(admin: &Caller) -> usize {
    let list = admin.get("/admin/keys").await.json();
    list["keys"].as_array().unwrap().len()
}

async fn who_sends_it_again_gets_the_first_answer_and_nothing_is_made_twice(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let once = named(&admin, "a");
    let first = make_key(&once, "laptop").await;
    assert_eq!(first.status, 201, "{}", first.text);
    assert!(!first.headers.contains_key("idempotency-replayed"));
    let secret = first.json()["key"].as_str().unwrap().to_owned();
    // It is the person who counts, not the session.
    let later = named(&plane.admin().await, "a");
    let second = make_key(&later, "laptop").await;
    assert_eq!((second.status, &second.text), (first.status, &first.text));
    assert_eq!(second.headers["idempotency-replayed"], "true");
    assert_eq!(second.headers["content-type"], "application/json");
    assert_eq!(keys(&admin).await, 1);
    let clear = format!(
        "SELECT COUNT(*) FROM idempotent_requests WHERE answer LIKE '%{secret}%' OR answer LIKE '%laptop%'"
    );
    assert_eq!(db.count(&clear).await, 0, "the answer is kept in clear");
    assert_eq!(
        db.count("SELECT COUNT(*) FROM idempotent_requests WHERE status = 201")
            .await,
        1
    );

    let other = make_key(&once, "desk").await;
    assert_eq!(
        (other.status.as_u16(), other.json()["code"].as_str()),
        (422, Some("key-reused"))
    );
    assert!(other.text.contains("Take a new key"), "{}", other.text);
    // Another place, another person and another key are other requests.
    let team = once.post("/admin/teams", json!({"name": "laptop"})).await;
    assert_eq!(team.status, 201, "{}", team.text);
    let (member, _) = admin.new_member("ada").await;
    let theirs = make_key(&named(&member, "a"), "laptop").await;
    assert_eq!(theirs.status, 201, "{}", theirs.text);
    assert_ne!(theirs.id(), first.id());
    assert_eq!(make_key(&named(&admin, "b"), "laptop").await.status, 201);
    assert_eq!(keys(&admin).await, 3);

    // An answer without a body, and what was refused and then is not.
    let member_id = admin.get("/admin/users?username=ada").await.json()["users"][0]["id"].clone();
    let add = |team: String| {
        let (caller, id) = (named(&admin, "c"), member_id.clone());
        async move {
            caller
                .post(&format!("/admin/teams/{team}/members"), json!({"user_id": id}))
                .await
        }
    };
    for _ in 0..2 {
        let added = add(team.id()).await;
        assert_eq!((added.status.as_u16(), added.text.as_str()), (204, ""));
    }
    let taken = named(&admin, "d");
    let refused = taken.post("/admin/teams", json!({"name": "laptop"})).await;
    assert_eq!(refused.status, 409, "{}", refused.text);
    let gone = admin
        .send(
            "DELETE",
            &format!(
                "/admin/teams/{}/members/{}",
                team.id(),
                member_id.as_str().unwrap()
            ),
            "",
        )
        .await;
    assert_eq!(gone.status, 204, "{}", gone.text);
    let renamed = admin
        .send(
            "PATCH",
            &format!("/admin/teams/{}", team.id()),
            r#"{"name": "renamed"}"#,
        )
        .await;
    assert_eq!(renamed.status, 200, "{}", renamed.text);
    assert_eq!(
        taken.post("/admin/teams", json!({"name": "laptop"})).await.status,
        201
    );

    for bad in ["", &"x".repeat(256)] {
        assert_eq!(make_key(&named(&admin, bad), "laptop").await.status, 400);
    }
    // Reading and replacing take no key.
    assert_eq!(named(&admin, "a").get("/admin/keys").await.status, 200);

    // Secrets of answers are brought under a new master key as all others, and after a day all is forgotten.
    let kept = admin.get("/admin/secrets").await.json();
    let answers = kept["kinds"]
        .as_array()
        .unwrap()
        .iter()
        .find(|kind| kind["kind"] == "answers");
    let under = answers.unwrap()["under"].as_object().unwrap();
    assert_eq!(
        under.values().map(|n| n.as_u64().unwrap()).sum::<u64>(),
        6,
        "{kept}"
    );
    plane.clock.0.fetch_add(24 * 3_600_000 - 1_000, Ordering::Relaxed);
    let admin = plane.admin().await;
    let replayed = make_key(&named(&admin, "a"), "laptop").await;
    assert_eq!(replayed.text, first.text);
    plane.clock.0.fetch_add(2_000, Ordering::Relaxed);
    let anew = make_key(&named(&admin, "a"), "laptop").await;
    assert_eq!(anew.status, 201, "{}", anew.text);
    assert_ne!(anew.id(), first.id());
    plane.stop().await;
}

async fn of_many_at_once_one_is_carried_out(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let caller = named(&admin, "at once");
        asking.spawn(async move { make_key(&caller, "laptop").await });
    }
    let answers = asking.join_all().await;
    let made: Vec<_> = answers.iter().filter(|answer| answer.status == 201).collect();
    assert!(!made.is_empty());
    for answer in &answers {
        match answer.status.as_u16() {
            201 => assert_eq!(answer.text, made[0].text),
            _ => {
                assert_eq!(answer.status, 409, "{}", answer.text);
                assert_eq!(answer.headers["retry-after"], "1");
            }
        }
    }
    assert_eq!(keys(&admin).await, 1);
    plane.stop().await;
}

async fn what_a_client_asked_for_and_did_not_wait_for_is_done_and_can_be_fetched(db: TestDb) {
    let plane = Plane::start(&db).await;
    let (base, admin) = (listen(&plane).await, plane.admin().await);
    let address = base.strip_prefix("http://").unwrap();
    let body = json!({"name": "laptop"}).to_string();
    let token = admin.token.as_deref().unwrap();
    let request = format!(
        "POST /admin/keys HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nIdempotency-Key: lost\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut client = tokio::net::TcpStream::connect(address).await.unwrap();
    client.write_all(request.as_bytes()).await.unwrap();
    drop(client);
    // Whether the request was begun before its client was gone or not: whoever sends it again gets one key.
    let mut answer = Value::Null;
    for _ in 0..200 {
        let sent = make_key(&named(&admin, "lost"), "laptop").await;
        if sent.status == 201 {
            answer = sent.json();
            break;
        }
        assert_eq!(sent.status, 409, "{}", sent.text);
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(
        answer["key"].as_str().unwrap().starts_with("sk-ccag-"),
        "{answer}"
    );
    assert_eq!(keys(&admin).await, 1);

    // Of a request whose control plane ended nobody knows whether it was carried out: it is not carried out again.
    let connection = db.connect().await;
    sea_orm::ConnectionTrait::execute_unprepared(
        &connection,
        "UPDATE idempotent_requests SET status = NULL, answer = NULL",
    )
    .await
    .unwrap();
    connection.close().await.unwrap();
    plane.clock.0.fetch_add(60_000, Ordering::Relaxed);
    let unknown = make_key(&named(&admin, "lost"), "laptop").await;
    assert_eq!(unknown.status, 409, "{}", unknown.text);
    assert!(unknown.text.contains("its answer was lost") && !unknown.headers.contains_key("retry-after"));
    assert_eq!(keys(&admin).await, 1);
    plane.stop().await;
}
