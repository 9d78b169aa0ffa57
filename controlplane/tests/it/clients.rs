//! Claude Code signs in: devices are let in, tokens are renewed and taken back, and policies tell it what to do.

use crate::console::Browser;
use crate::support::{Answer, Caller, Plane, TestDb, on_both};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::sync::atomic::Ordering;

on_both!(
    a_device_is_let_in_by_whoever_confirms_its_code,
    a_device_that_is_turned_down_or_waits_too_long_stays_out,
    a_link_alone_lets_nobody_in,
    codes_cannot_be_tried_out,
    refresh_tokens_are_good_once,
    sessions_end_when_they_are_ended,
    managers_see_and_end_the_sessions_of_their_team_and_no_others,
    policies_say_what_claude_code_is_told,
    policies_are_looked_at_before_they_are_stored,
    tokens_outlive_the_key_that_signed_them,
    requests_with_more_than_is_known_are_taken,
);

const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

async fn form(caller: &Caller, path: &str, fields: &[(&str, &str)]) -> Answer {
    let body = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish();
    let caller = caller
        .clone()
        .with("content-type", "application/x-www-form-urlencoded")
        .with("user-agent", "claude-code/2.1.332");
    caller.send("POST", path, &body).await
}

async fn start(plane: &Plane) -> Value {
    let started = form(
        &plane.caller(),
        "/oauth/device_authorization",
        &[("surface", "claude_code")],
    )
    .await;
    assert_eq!(started.status, 200, "{}", started.text);
    started.json()
}

async fn ask(plane: &Plane, device: &Value) -> Answer {
    let code = device["device_code"].as_str().unwrap();
    let fields = [("grant_type", DEVICE_GRANT), ("device_code", code)];
    form(&plane.caller(), "/oauth/token", &fields).await
}

async fn decide(person: &Caller, device: &Value, decision: &str) -> Answer {
    let code = device["user_code"].as_str().unwrap();
    let page = format!("/device?user_code={code}");
    let fields = [("user_code", code), ("decision", decision)];
    Browser::of(person).submit(&page, "/device", &fields).await
}

/// Lets a Claude Code of somebody's in.
pub(crate) async fn let_in(plane: &Plane, person: &Caller) -> Value {
    let device = start(plane).await;
    let decided = decide(person, &device, "approve").await;
    assert_eq!(decided.status, 200, "{}", decided.text);
    let tokens = ask(plane, &device).await;
    assert_eq!(tokens.status, 200, "{}", tokens.text);
    tokens.json()
}

async fn refresh(plane: &Plane, token: &Value) -> Answer {
    let token = token["refresh_token"].as_str().unwrap();
    let fields = [("grant_type", "refresh_token"), ("refresh_token", token)];
    form(&plane.caller(), "/oauth/token", &fields).await
}

fn client(plane: &Plane, tokens: &Value) -> Caller {
    Caller {
        token: Some(tokens["access_token"].as_str().unwrap().to_owned()),
        ..plane.caller()
    }
}

async fn a_device_is_let_in_by_whoever_confirms_its_code(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let (ada, id) = admin.new_member("ada").await;
    let found = plane
        .caller()
        .with("host", "gw.example")
        .get("/.well-known/oauth-authorization-server")
        .await;
    let found = found.json();
    assert_eq!(
        found["device_authorization_endpoint"],
        "http://gw.example/oauth/device_authorization"
    );
    assert_eq!(found["gateway_protocol_version"], 1);
    let device = start(&plane).await;
    assert_eq!(device["interval"], 5);
    let waiting = ask(&plane, &device).await;
    assert_eq!(
        (waiting.status.as_u16(), &waiting.json()["error"]),
        (400, &json!("authorization_pending"))
    );
    let hasty = ask(&plane, &device).await.json();
    assert_eq!(hasty["error"], "slow_down");
    let page = Browser::of(&ada)
        .get(&format!(
            "/device?user_code={}",
            device["user_code"].as_str().unwrap()
        ))
        .await;
    assert!(
        page.text.contains("claude-code/2.1.332") && page.text.contains("ada"),
        "{}",
        page.text
    );
    assert_eq!(decide(&ada, &device, "approve").await.status, 200);
    let tokens = ask(&plane, &device).await.json();
    assert_eq!(
        (&tokens["token_type"], &tokens["expires_in"], &tokens["email"]),
        (&json!("Bearer"), &json!(3_600), &json!("ada"))
    );
    assert_eq!(
        ask(&plane, &device).await.json()["error"],
        "expired_token",
        "a device code is good once"
    );
    let sessions = ada.get("/admin/client-sessions").await.json();
    assert_eq!(sessions["sessions"][0]["user_id"], json!(id));
    assert_eq!(sessions["sessions"][0]["client"], "claude-code/2.1.332");
    // The token asks models. It administrates nothing.
    assert_eq!(client(&plane, &tokens).get("/auth/me").await.status, 401);
    assert_eq!(client(&plane, &tokens).get("/admin/keys").await.status, 401);
    assert_eq!(
        ada.get("/admin/keys").await.json()["keys"],
        json!([]),
        "a session is no key that one sees"
    );
    plane.stop().await;
}

async fn a_device_that_is_turned_down_or_waits_too_long_stays_out(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let device = start(&plane).await;
    assert_eq!(decide(&admin, &device, "deny").await.status, 200);
    assert_eq!(ask(&plane, &device).await.json()["error"], "access_denied");
    let late = start(&plane).await;
    let open = format!("/device?user_code={}", late["user_code"].as_str().unwrap());
    assert_eq!(Browser::of(&admin).get(&open).await.status, 200);
    plane.clock.0.fetch_add(600_000, Ordering::Relaxed);
    assert_eq!(Browser::of(&admin).get(&open).await.status, 404);
    assert_eq!(ask(&plane, &late).await.json()["error"], "expired_token");
    let unknown = json!({"device_code": "made up"});
    assert_eq!(ask(&plane, &unknown).await.json()["error"], "expired_token");
    // Who was suspended between the two gets nothing.
    let (ada, id) = admin.new_member("ada").await;
    let device = start(&plane).await;
    decide(&ada, &device, "approve").await;
    admin.post(&format!("/admin/users/{id}/suspend"), json!({})).await;
    assert_eq!(ask(&plane, &device).await.json()["error"], "access_denied");
    plane.stop().await;
}

async fn a_link_alone_lets_nobody_in(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let device = start(&plane).await;
    let code = device["user_code"].as_str().unwrap();
    // Nobody who is not signed in sees anything of it.
    let stranger = plane.caller().get(&format!("/device?user_code={code}")).await;
    assert_eq!(stranger.status, 303);
    assert!(
        stranger.headers["location"]
            .to_str()
            .unwrap()
            .starts_with("/console/login?next=")
    );
    // Opening it confirms nothing, nor does a form from elsewhere.
    Browser::of(&admin)
        .get(&format!("/device?user_code={code}"))
        .await;
    let forged = format!("user_code={code}&decision=approve&csrf=guessed");
    let token = admin.token.clone().unwrap();
    let planted = plane
        .caller()
        .with("cookie", &format!("ccag_session={token}"))
        .with("content-type", "application/x-www-form-urlencoded");
    assert_eq!(planted.send("POST", "/device", &forged).await.status, 403);
    assert_eq!(
        ask(&plane, &device).await.json()["error"],
        "authorization_pending"
    );
    // From another address the page warns.
    let elsewhere = Caller {
        address: "198.51.100.7:9".parse().unwrap(),
        ..admin.clone()
    };
    let page = Browser::of(&elsewhere)
        .get(&format!("/device?user_code={code}"))
        .await;
    assert!(page.text.contains("not where this browser is"), "{}", page.text);
    plane.stop().await;
}

async fn codes_cannot_be_tried_out(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let browser = Browser::of(&admin);
    for _ in 0..10 {
        assert_eq!(browser.get("/device?user_code=BBBB-CCCC").await.status, 404);
    }
    assert_eq!(browser.get("/device?user_code=BBBB-CCCC").await.status, 429);
    let other = Plane::start(&db).await;
    let token = admin.token.clone().unwrap();
    let there = other.caller().with("cookie", &format!("ccag_session={token}"));
    assert_eq!(
        there.get("/device?user_code=BBBB-CCCC").await.status,
        429,
        "replicas count together"
    );
    for _ in 0..60 {
        start(&plane).await;
    }
    let many = form(&plane.caller(), "/oauth/device_authorization", &[]).await;
    assert_eq!(
        (many.status.as_u16(), &many.json()["error"]),
        (429, &json!("slow_down"))
    );
    assert!(many.headers.contains_key("retry-after"));
    other.stop().await;
    plane.stop().await;
}

async fn refresh_tokens_are_good_once(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let (ada, id) = admin.new_member("ada").await;
    let first = let_in(&plane, &ada).await;
    let second = refresh(&plane, &first).await;
    assert_eq!(second.status, 200, "{}", second.text);
    let second = second.json();
    assert_ne!(second["refresh_token"], first["refresh_token"]);
    // A moment later it may be the client's other half; it gets nothing, and the session lives.
    let replayed = refresh(&plane, &first).await;
    assert_eq!(
        (replayed.status.as_u16(), &replayed.json()["error"]),
        (401, &json!("invalid_grant"))
    );
    let third = refresh(&plane, &second).await.json();
    // Much later somebody has stolen one of the two: nobody goes on.
    plane.clock.0.fetch_add(60_000, Ordering::Relaxed);
    assert_eq!(refresh(&plane, &second).await.json()["error"], "invalid_grant");
    assert_eq!(refresh(&plane, &third).await.json()["error"], "invalid_grant");
    assert!(
        admin
            .get("/admin/audit")
            .await
            .text
            .contains("client_session.replayed")
    );
    let tokens = let_in(&plane, &ada).await;
    admin.post(&format!("/admin/users/{id}/suspend"), json!({})).await;
    assert_eq!(refresh(&plane, &tokens).await.json()["error"], "invalid_grant");
    let made_up = json!({"refresh_token": "ccagr_none"});
    assert_eq!(refresh(&plane, &made_up).await.json()["error"], "invalid_grant");
    plane.stop().await;
}

async fn sessions_end_when_they_are_ended(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let (ada, ada_id) = admin.new_member("ada").await;
    let (bob, _) = admin.new_member("bob").await;
    let tokens = let_in(&plane, &ada).await;
    let open = async |tokens: &Value| {
        let answer = client(&plane, tokens).get("/managed/settings").await;
        answer.status == 404
    };
    assert!(open(&tokens).await);
    let id = ada.get("/admin/client-sessions").await.json()["sessions"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("/admin/client-sessions/{id}");
    assert_eq!(
        bob.get("/admin/client-sessions").await.json()["sessions"],
        json!([])
    );
    assert_eq!(bob.send("DELETE", &path, "").await.status, 404);
    assert_eq!(ada.send("DELETE", &path, "").await.status, 204);
    assert!(!open(&tokens).await);
    assert_eq!(refresh(&plane, &tokens).await.json()["error"], "invalid_grant");
    // Given back by the client, by either token, and again.
    for kind in ["access_token", "refresh_token"] {
        let tokens = let_in(&plane, &ada).await;
        for _ in 0..2 {
            let token = tokens[kind].as_str().unwrap();
            assert_eq!(
                form(&plane.caller(), "/oauth/revoke", &[("token", token)])
                    .await
                    .status,
                200
            );
        }
        assert!(!open(&tokens).await, "{kind}");
    }
    // Signed out everywhere.
    let (one, two) = (let_in(&plane, &ada).await, let_in(&plane, &ada).await);
    assert_eq!(
        bob.post(&format!("/admin/users/{ada_id}/sign-out"), json!({}))
            .await
            .status,
        403
    );
    let out = ada
        .post(&format!("/admin/users/{ada_id}/sign-out"), json!({}))
        .await
        .json();
    assert_eq!(out["client_sessions"], 2);
    assert!(!open(&one).await && !open(&two).await);
    assert_eq!(ada.get("/auth/me").await.status, 401);
    // After thirty days, when nothing is pushed of them any more.
    let bobs = let_in(&plane, &bob).await;
    plane.clock.0.fetch_add(30 * 86_400_000, Ordering::Relaxed);
    assert_eq!(refresh(&plane, &bobs).await.json()["error"], "invalid_grant");
    let open = "SELECT COUNT(*) FROM virtual_keys WHERE kind = 'session' AND state = 'active'";
    assert_eq!(db.count(open).await, 1);
    for _ in 0..2 {
        ccag_controlplane::app::clients::sessions::forget_over(plane.app())
            .await
            .unwrap();
        assert_eq!(db.count(open).await, 0);
    }
    plane.stop().await;
}

async fn policies_say_what_claude_code_is_told(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let team = admin.post("/admin/teams", json!({"name": "Platform"})).await.id();
    let (ada, id) = admin.new_member("ada").await;
    let tokens = let_in(&plane, &ada).await;
    let claude = client(&plane, &tokens);
    assert_eq!(claude.get("/managed/settings").await.status, 404);
    let everybody =
        json!({"name": "Everybody", "settings": {"env": {"A": "1"}, "permissions": {"deny": ["WebFetch"]}}});
    let made = admin.post("/admin/policies", everybody).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let platform = json!({
        "name": "Platform", "priority": 5, "match": {"team_ids": [team]}, "models": ["claude-haiku-4-5[1m]"],
        "settings": {"env": {"A": "2", "B": "ü"}},
    });
    assert_eq!(
        admin.post("/admin/policies", platform).await.json()["models"],
        json!(["claude-haiku-4-5"])
    );
    let first = claude.get("/managed/settings").await;
    assert_eq!(
        first.json()["settings"],
        json!({"env": {"A": "1"}, "permissions": {"deny": ["WebFetch"]}})
    );
    admin
        .send(
            "PUT",
            &format!("/admin/users/{id}/team"),
            &json!({"team_id": team}).to_string(),
        )
        .await;
    let second = claude.get("/managed/settings").await;
    let settings = second.json()["settings"].clone();
    assert_eq!(
        settings,
        json!({
            "availableModels": ["claude-haiku-4-5"], "availableModelsMatch": "exact", "enforceAvailableModels": true,
            "env": {"A": "2", "B": "ü"}, "permissions": {"deny": ["WebFetch"]},
        })
    );
    let canonical = r#"{"availableModels":["claude-haiku-4-5"],"availableModelsMatch":"exact","enforceAvailableModels":true,"env":{"A":"2","B":"ü"},"permissions":{"deny":["WebFetch"]}}"#;
    let checksum = format!("sha256:{}", hex::encode(Sha256::digest(canonical)));
    assert_eq!(second.json()["checksum"], json!(checksum));
    let tag = second.headers["etag"].to_str().unwrap().to_owned();
    assert_eq!(tag, format!("\"{checksum}\""));
    assert_eq!(
        claude
            .clone()
            .with("if-none-match", &tag)
            .get("/managed/settings")
            .await
            .status,
        304
    );
    assert_eq!(
        claude
            .clone()
            .with("if-none-match", "*")
            .get("/managed/settings")
            .await
            .status,
        304
    );
    let stale = first.headers["etag"].to_str().unwrap().to_owned();
    assert_eq!(
        claude
            .clone()
            .with("if-none-match", &stale)
            .get("/managed/settings")
            .await
            .status,
        200
    );
    let preview = admin.get(&format!("/admin/users/{id}/policy")).await.json();
    assert_eq!(preview["policies"], json!(["Everybody", "Platform"]));
    assert_eq!(
        (&preview["models"], &preview["models_by"]),
        (&json!(["claude-haiku-4-5"]), &json!("Platform"))
    );
    assert_eq!(preview["settings"]["checksum"], json!(checksum));
    // An admin's token is none of a client's, and nobody's is none at all.
    assert_eq!(ada.get("/managed/settings").await.status, 401);
    let nobody = plane.caller().get("/managed/settings").await;
    assert_eq!(
        (nobody.status.as_u16(), &nobody.json()["error"]["type"]),
        (401, &json!("authentication_error"))
    );
    assert_eq!(nobody.headers["x-should-retry"], "false");
    plane.stop().await;
}

#[tokio::test]
async fn models_are_told_alone_and_never_over_what_the_settings_say_of_them() {
    let db = TestDb::sqlite().await;
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let (ada, _) = admin.new_member("ada").await;
    let claude = client(&plane, &let_in(&plane, &ada).await);
    let told = async || claude.get("/managed/settings").await;
    let policy = json!({"name": "Models", "models": ["claude-haiku-4-5"]});
    let id = admin.post("/admin/policies", policy).await.id();
    assert_eq!(
        told().await.json()["settings"]["availableModels"],
        json!(["claude-haiku-4-5"])
    );
    let own = json!({"name": "Own", "settings": {"availableModels": ["haiku", "sonnet"]}});
    admin.post("/admin/policies", own).await;
    assert_eq!(
        told().await.json()["settings"],
        json!({"availableModels": ["haiku", "sonnet"]})
    );
    // A policy that allows no model is the server's to hold.
    let path = format!("/admin/policies/{id}");
    let none = json!({"name": "Models", "models": []}).to_string();
    assert_eq!(admin.send("PUT", &path, &none).await.status, 200);
    let list = admin.get("/admin/policies").await.json();
    let own = list["policies"]
        .as_array()
        .unwrap()
        .iter()
        .find(|p| p["name"] == "Own")
        .unwrap();
    let gone = format!("/admin/policies/{}", own["id"].as_str().unwrap());
    assert_eq!(admin.send("DELETE", &gone, "").await.status, 204);
    assert_eq!(told().await.status, 404);
    plane.stop().await;
}

async fn managers_see_and_end_the_sessions_of_their_team_and_no_others(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let mut people = Vec::new();
    for (team, names) in [("Red", ["boss", "ada"]), ("Blue", ["chief", "bob"])] {
        let team = admin.post("/admin/teams", json!({"name": team})).await.id();
        for name in names {
            let (person, id) = admin.new_member(name).await;
            let moved = json!({"team_id": team}).to_string();
            assert!(
                admin
                    .send("PUT", &format!("/admin/users/{id}/team"), &moved)
                    .await
                    .status
                    .is_success()
            );
            people.push((person, id));
        }
    }
    let [(boss, boss_id), (ada, ada_id), (chief, chief_id), (bob, _)] = people.try_into().ok().unwrap();
    for id in [&boss_id, &chief_id] {
        let role = json!({"role": "team_manager"}).to_string();
        assert!(
            admin
                .send("PATCH", &format!("/admin/users/{id}"), &role)
                .await
                .status
                .is_success()
        );
    }
    let claude = client(&plane, &let_in(&plane, &ada).await);
    let_in(&plane, &bob).await;
    let whose = async |person: &Caller| -> Vec<String> {
        let list = person.get("/admin/client-sessions").await.json();
        let sessions = list["sessions"].as_array().unwrap();
        sessions
            .iter()
            .map(|s| s["user_id"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(whose(&boss).await, std::slice::from_ref(&ada_id));
    assert_eq!(whose(&admin).await.len(), 2);
    assert_eq!(whose(&ada).await, std::slice::from_ref(&ada_id));
    let page = Browser::of(&boss).get("/console/devices?q=ADA").await;
    assert!(
        page.text.contains("your team") && page.text.contains("ada"),
        "{}",
        page.text
    );
    assert!(!page.text.contains("bob"), "{}", page.text);
    let none = Browser::of(&boss).get("/console/devices?q=bob").await;
    assert!(
        none.text.contains("Nobody with this in their name"),
        "{}",
        none.text
    );
    let list = admin.get("/admin/client-sessions").await.json();
    let sessions = list["sessions"].as_array().unwrap();
    let adas = sessions
        .iter()
        .find(|session| session["user_id"] == json!(ada_id))
        .unwrap();
    let path = format!("/admin/client-sessions/{}", adas["id"].as_str().unwrap());
    // The other manager is told that there is no such session, and the log knows better.
    assert_eq!(chief.send("DELETE", &path, "").await.status, 404);
    let nothing = path.replace(adas["id"].as_str().unwrap(), "key_01K00000000000000000000000");
    assert_eq!(chief.send("DELETE", &nothing, "").await.status, 404);
    let refused = loop {
        let list = admin.get("/admin/audit?q=request.refused").await.json();
        if let Some(entry) = list["entries"].as_array().unwrap().first() {
            break entry.clone();
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    assert_eq!(refused["actor"], json!(chief_id));
    assert_eq!(
        (&refused["details"]["path"], &refused["details"]["count"]),
        (&json!(path), &json!(1))
    );
    assert_eq!(boss.send("DELETE", &path, "").await.status, 204);
    assert_eq!(claude.get("/managed/settings").await.status, 401);
    plane.stop().await;
}

async fn policies_are_looked_at_before_they_are_stored(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let good = json!({"name": "One", "match": {"email_domains": ["@Corp.example"]}, "settings": {}});
    let made = admin.post("/admin/policies", good.clone()).await.json();
    assert_eq!(made["match"]["email_domains"], json!(["corp.example"]));
    assert_eq!(admin.post("/admin/policies", good).await.status, 409);
    for wrong in [
        json!({"name": ""}),
        json!({"name": "Two", "match": {"team_ids": ["team_gone"]}}),
        json!({"name": "Two", "match": {"roles": ["emperor"]}}),
        json!({"name": "Two", "settings": "text"}),
        json!({"name": "Two", "settings": {"a": "x".repeat(300_000)}}),
        json!({"name": "Two", "models": [""]}),
        json!({"name": "Two", "models": ["claude-unheard-of"]}),
        json!({"name": "Two", "unheard": 1}),
    ] {
        let answer = admin.post("/admin/policies", wrong).await;
        assert_eq!(answer.status, 400, "{}", answer.text);
    }
    let path = format!("/admin/policies/{}", made["id"].as_str().unwrap());
    let changed = json!({"name": "One", "models": []});
    let changed = admin.send("PUT", &path, &changed.to_string()).await.json();
    assert_eq!(
        (&changed["version"], &changed["models"], &changed["settings"]),
        (&json!(2), &json!([]), &Value::Null)
    );
    let (ada, id) = admin.new_member("ada").await;
    assert_eq!(ada.get("/admin/policies").await.status, 403);
    assert_eq!(ada.get(&format!("/admin/users/{id}/policy")).await.status, 200);
    assert_eq!(admin.send("DELETE", &path, "").await.status, 204);
    assert_eq!(admin.get(&path).await.status, 404);
    plane.stop().await;
}

async fn tokens_outlive_the_key_that_signed_them(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let tokens = let_in(&plane, &admin).await;
    let signed_by =
        |tokens: &Value| ccag_session_token::key_id(tokens["access_token"].as_str().unwrap()).unwrap();
    let old = signed_by(&tokens);
    assert_eq!(
        admin.post("/admin/signing-keys/rotate", json!({})).await.status,
        204
    );
    let at_once = refresh(&plane, &tokens).await.json();
    assert_eq!(
        signed_by(&at_once),
        old,
        "data planes may not know the new one yet"
    );
    plane.clock.0.fetch_add(61_000, Ordering::Relaxed);
    let later = refresh(&plane, &at_once).await.json();
    assert_ne!(signed_by(&later), old);
    assert_eq!(
        client(&plane, &at_once).get("/managed/settings").await.status,
        404,
        "the old token is good"
    );
    plane.clock.0.fetch_add(3_700_000, Ordering::Relaxed);
    assert_eq!(
        client(&plane, &at_once).get("/managed/settings").await.status,
        401
    );
    assert_eq!(
        client(&plane, &later).get("/managed/settings").await.status,
        401,
        "an hour is over"
    );
    let renewed = refresh(&plane, &later).await.json();
    assert_eq!(
        client(&plane, &renewed).get("/managed/settings").await.status,
        404
    );
    plane.stop().await;
}

async fn requests_with_more_than_is_known_are_taken(db: TestDb) {
    let plane = Plane::start(&db).await;
    let fields = [("surface", "something new"), ("scope", "x"), ("client_id", "y")];
    let started = form(&plane.caller(), "/oauth/device_authorization?a=b", &fields).await;
    assert_eq!(started.status, 200);
    let error = async |fields: &[(&str, &str)]| {
        let answer = form(&plane.caller(), "/oauth/token", fields).await;
        assert_eq!(answer.status, 400);
        answer.json()["error"].as_str().unwrap().to_owned()
    };
    assert_eq!(error(&[]).await, "invalid_request");
    assert_eq!(
        error(&[("grant_type", "password")]).await,
        "unsupported_grant_type"
    );
    assert_eq!(error(&[("grant_type", "refresh_token")]).await, "invalid_request");
    assert_eq!(
        form(&plane.caller(), "/oauth/revoke", &[("token", "unknown")])
            .await
            .status,
        200
    );
    assert_eq!(form(&plane.caller(), "/oauth/revoke", &[]).await.status, 400);
    assert_eq!(plane.caller().get("/oauth/token").await.status, 405);
    plane.stop().await;
}
