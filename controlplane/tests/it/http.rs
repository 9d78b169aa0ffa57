//! The HTTP surface: who may do what, and what is wrong with a request.

use crate::support::{Answer, Caller, PASSWORD, Plane, TestDb};
use serde_json::json;
use std::sync::atomic::Ordering;

async fn plane() -> (TestDb, Plane) {
    let db = TestDb::sqlite().await;
    let plane = Plane::start(&db).await;
    (db, plane)
}

/// What every refusal of the admin API looks like.
fn assert_problem(answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.status, status, "{}", answer.text);
    assert_eq!(answer.headers["content-type"], "application/problem+json");
    let problem = answer.json();
    assert_eq!(
        (&problem["status"], &problem["code"]),
        (&json!(status), &json!(code)),
        "{problem}"
    );
    assert!(
        problem["request_id"].as_str().unwrap().starts_with("req_"),
        "{problem}"
    );
    assert!(!problem["detail"].as_str().unwrap().is_empty(), "{problem}");
}

#[tokio::test]
async fn every_route_of_the_admin_api_wants_a_session() {
    let (_db, plane) = plane().await;
    let stranger = plane.caller();
    for path in [
        "keys",
        "teams",
        "users",
        "usage/summary",
        "usage/export",
        "fleet",
        "status",
        "models",
        "pricing",
    ] {
        assert_problem(
            &stranger.get(&format!("/admin/{path}")).await,
            401,
            "unauthenticated",
        );
    }
    let mut forged = plane.caller();
    forged.token = Some("ccags_not-a-session".into());
    assert_problem(&forged.get("/admin/keys").await, 401, "unauthenticated");
    assert_problem(&stranger.get("/admin/nothing").await, 404, "not-found");
    plane.stop().await;
}

#[tokio::test]
async fn a_member_may_touch_their_own_keys_and_nothing_else() {
    let (_db, plane) = plane().await;
    let admin = plane.admin().await;
    let (member, member_id) = admin.new_member("member").await;
    let of_admin = admin.post("/admin/keys", json!({"name": "admins"})).await;
    let own = member.post("/admin/keys", json!({"name": "own"})).await;
    assert_eq!(own.status, 201, "{}", own.text);
    assert_eq!(own.json()["user_id"], json!(member_id));

    let listed = member.get("/admin/keys").await.json();
    let names: Vec<_> = listed["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|k| k["name"].clone())
        .collect();
    assert_eq!(names, [json!("own")]);
    let foreign = format!("/admin/keys/{}", of_admin.id());
    assert!([403, 404].contains(&member.get(&foreign).await.status.as_u16()));
    assert!(
        [403, 404].contains(
            &member
                .post(&format!("{foreign}/revoke"), json!({}))
                .await
                .status
                .as_u16()
        )
    );
    assert_eq!(admin.get(&foreign).await.json()["state"], "active");
    for (method, path, body) in [
        ("POST", "/admin/teams", r#"{"name":"x"}"#),
        ("POST", "/admin/users", r#"{"username":"x"}"#),
        ("GET", "/admin/users", ""),
        ("GET", "/admin/fleet", ""),
    ] {
        assert_problem(&member.send(method, path, body).await, 403, "forbidden");
    }
    // Nobody gives themselves more rights.
    let promote = format!("/admin/users/{member_id}");
    assert_problem(
        &member.send("PATCH", &promote, r#"{"role":"admin"}"#).await,
        403,
        "forbidden",
    );
    let (_, another) = admin.new_member("another").await;
    let for_another = member
        .post("/admin/keys", json!({"name": "x", "user_id": another}))
        .await;
    assert_problem(&for_another, 403, "forbidden");
    plane.stop().await;
}

#[tokio::test]
async fn bad_requests_are_told_what_is_wrong() {
    let (_db, plane) = plane().await;
    let admin = plane.admin().await;
    let detail = |answer: &Answer| answer.json()["detail"].as_str().unwrap().to_owned();
    let broken = admin.send("POST", "/admin/keys", "{\"name\": ").await;
    assert_problem(&broken, 400, "invalid-request");
    let unknown = admin.post("/admin/keys", json!({"nmae": "x"})).await;
    assert_problem(&unknown, 400, "invalid-request");
    assert!(detail(&unknown).contains("nmae"), "{}", unknown.text);
    let wrong_type = admin.post("/admin/keys", json!({"name": 5})).await;
    assert_problem(&wrong_type, 400, "invalid-request");
    assert!(wrong_type.text.contains("name"), "{}", wrong_type.text);
    let nobodys = admin
        .post("/admin/keys", json!({"name": "x", "user_id": "user_gone"}))
        .await;
    assert!([400, 404].contains(&nobodys.status.as_u16()), "{}", nobodys.text);
    assert_problem(&admin.get("/admin/keys/key_gone").await, 404, "not-found");
    assert_problem(
        &admin.send("PUT", "/admin/keys", "{}").await,
        405,
        "method-not-allowed",
    );
    let nul = admin.post("/admin/teams", json!({"name": "a\u{0}b"})).await;
    assert_problem(&nul, 400, "invalid-request");
    admin.post("/admin/teams", json!({"name": "twice"})).await;
    assert_problem(
        &admin.post("/admin/teams", json!({"name": "twice"})).await,
        409,
        "conflict",
    );
    for rpm in [json!(0), json!(-1), json!(1.5)] {
        let answer = admin
            .post("/admin/keys", json!({"name": "x", "rate_limit_rpm": rpm}))
            .await;
        assert_problem(&answer, 400, "invalid-request");
    }
    plane.stop().await;
}

#[tokio::test]
async fn guessing_locks_out_the_guesser_and_not_the_admin() {
    let (_db, plane) = plane().await;
    let guess = |address: &str| Caller {
        address: address.parse().unwrap(),
        ..plane.caller()
    };
    let login = |caller: Caller, password: &'static str| async move {
        caller
            .post("/auth/login", json!({"username": "admin", "password": password}))
            .await
    };
    let mut statuses = Vec::new();
    for _ in 0..40 {
        statuses.push(login(guess("203.0.113.9:1"), "wrong").await.status.as_u16());
    }
    assert_eq!(statuses[0], 401);
    assert_eq!(statuses.last(), Some(&429), "{statuses:?}");
    assert_eq!(login(guess("198.51.100.7:1"), PASSWORD).await.status, 200);
    // Guessing is possible again after a while.
    plane.clock.0.fetch_add(3_600_000, Ordering::Relaxed);
    assert_eq!(login(guess("203.0.113.9:1"), PASSWORD).await.status, 200);
    plane.stop().await;
}

#[tokio::test]
async fn a_cookie_alone_changes_nothing() {
    let (_db, plane) = plane().await;
    let token = plane.admin().await.token.unwrap();
    let browser = plane.caller().with("cookie", &format!("ccag_session={token}"));
    assert_eq!(browser.get("/admin/keys").await.status, 200);
    let forged = browser.clone().with("origin", "https://evil.example");
    assert_problem(
        &forged.post("/admin/keys", json!({"name": "x"})).await,
        403,
        "forbidden",
    );
    assert_eq!(browser.get("/admin/keys").await.json()["keys"], json!([]));
    plane.stop().await;
}

#[tokio::test]
async fn after_signing_out_the_token_is_worth_nothing() {
    let (_db, plane) = plane().await;
    let admin = plane.admin().await;
    assert!(admin.post("/auth/logout", json!({})).await.status.is_success());
    assert_problem(&admin.get("/auth/me").await, 401, "unauthenticated");
    plane.stop().await;
}

#[tokio::test]
async fn the_console_sends_strangers_to_its_sign_in_page() {
    let (_db, plane) = plane().await;
    let stranger = plane.caller();
    for path in ["/", "/portal"] {
        let answer = stranger.get(path).await;
        assert!(answer.status.is_redirection(), "{path}: {}", answer.status);
        assert!(
            answer.headers["location"]
                .to_str()
                .unwrap()
                .starts_with("/console")
        );
    }
    let answer = stranger.get("/console/keys").await;
    assert!(
        answer.status.is_redirection() || answer.text.contains("password"),
        "{}",
        answer.status
    );
    let page = stranger.get("/console/login").await;
    assert_eq!(page.status, 200);
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(
        policy.contains("default-src 'none'") && !policy.contains("unsafe-inline"),
        "{policy}"
    );
    plane.stop().await;
}

#[tokio::test]
async fn the_members_of_a_team_come_in_pages_as_every_list_does() {
    let (_db, plane) = plane().await;
    let admin = plane.admin().await;
    let team = admin.post("/admin/teams", json!({"name": "Red"})).await.id();
    for name in ["ada", "Grace", "linus"] {
        let user = json!({"username": name, "team_id": team});
        assert_eq!(admin.post("/admin/users", user).await.status, 201);
    }
    let list = format!("/admin/teams/{team}/members");
    let names = |answer: &Answer| {
        let users = answer.json()["users"].as_array().unwrap().clone();
        let names = users
            .iter()
            .map(|user| user["username"].as_str().unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    let first = admin.get(&format!("{list}?limit=2")).await;
    assert_eq!(names(&first), ["ada", "Grace"], "{}", first.text);
    let cursor = first.json()["next_cursor"].as_str().unwrap().to_owned();
    let second = admin.get(&format!("{list}?limit=2&cursor={cursor}")).await;
    assert_eq!(names(&second), ["linus"], "{}", second.text);
    assert!(second.json()["next_cursor"].is_null());
    for bad in ["limit=0", "cursor=zz", "page=2"] {
        assert_problem(&admin.get(&format!("{list}?{bad}")).await, 400, "invalid-request");
    }
}

#[tokio::test]
async fn lists_are_searched_page_by_page() {
    let (_db, plane) = plane().await;
    let admin = plane.admin().await;
    for n in 1..=3 {
        let made = [
            admin
                .post("/admin/teams", json!({"name": format!("Blue {n}")}))
                .await,
            admin
                .post("/admin/teams", json!({"name": format!("Red {n}")}))
                .await,
            admin
                .post(
                    "/admin/users",
                    json!({"username": format!("blue{n}@example.com")}),
                )
                .await,
            admin
                .post("/admin/users", json!({"username": format!("red{n}@example.com")}))
                .await,
            admin
                .post("/admin/keys", json!({"name": format!("Blue laptop {n}")}))
                .await,
            admin
                .post("/admin/keys", json!({"name": format!("red laptop {n}")}))
                .await,
        ];
        assert!(made.iter().all(|answer| answer.status == 201), "{}", made[0].text);
    }
    for (list, name) in [("teams", "name"), ("users", "username"), ("keys", "name")] {
        let mut names: Vec<String> = Vec::new();
        let mut next = String::new();
        loop {
            let page = admin
                .get(&format!("/admin/{list}?search=bLUE&limit=2{next}"))
                .await
                .json();
            let rows = page[list].as_array().unwrap();
            names.extend(rows.iter().map(|row| row[name].as_str().unwrap().to_lowercase()));
            match page["next_cursor"].as_str() {
                Some(cursor) => next = format!("&cursor={cursor}"),
                None => break,
            }
        }
        assert_eq!(names.len(), 3, "{list}: {names:?}");
        assert!(names.iter().all(|name| name.starts_with("blue")), "{names:?}");
        let none = admin.get(&format!("/admin/{list}?search=%25")).await.json();
        assert_eq!(none[list], json!([]), "{list}: {none}");
    }
    let key = admin.get("/admin/keys?search=red+laptop+2").await.json();
    let prefix = key["keys"][0]["prefix"].as_str().unwrap();
    let found = admin.get(&format!("/admin/keys?search={prefix}")).await.json();
    assert_eq!(found["keys"], key["keys"]);
    plane.stop().await;
}
