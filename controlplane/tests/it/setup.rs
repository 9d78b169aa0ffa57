//! Setting up Claude Code: the scripts, what they do, and tokens for them.

use crate::support::{Answer, Caller, Plane, TestDb, on_both};
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

on_both!(
    a_setup_token_gives_its_key_a_new_secret_once,
    the_script_does_what_admins_have_said,
);

async fn key(owner: &Caller) -> (String, String) {
    let made = owner.post("/admin/keys", json!({"name": "laptop"})).await;
    assert_eq!(made.status, 201, "{}", made.text);
    (made.id(), made.json()["key"].as_str().unwrap().to_owned())
}

async fn redeem(plane: &Plane, token: &str) -> Answer {
    let form = plane
        .caller()
        .with("content-type", "application/x-www-form-urlencoded");
    form.send("POST", "/setup/redeem", &format!("token={token}"))
        .await
}

async fn a_setup_token_gives_its_key_a_new_secret_once(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let (member, _) = admin.new_member("mira").await;
    let (other, _) = admin.new_member("eve").await;
    let (id, old) = key(&member).await;
    let path = format!("/admin/keys/{id}/setup-token");
    let issue = |minutes: Value| {
        let (member, path) = (member.clone(), path.clone());
        async move { member.post(&path, json!({"minutes": minutes})).await }
    };
    // Nobody makes one for somebody else's key, nor one that is good for ever.
    assert_eq!(other.post(&path, json!({})).await.status, 404);
    for minutes in [0, 10_081] {
        assert_eq!(issue(json!(minutes)).await.status, 400);
    }
    let first = issue(Value::Null).await;
    assert_eq!(
        (first.status.as_u16(), &first.json()["expires_in_s"]),
        (201, &json!(900))
    );
    let first = first.json()["token"].as_str().unwrap().to_owned();
    let second = issue(json!(30)).await.json()["token"]
        .as_str()
        .unwrap()
        .to_owned();
    // The later one counts; and of several who show it at once, one has it.
    assert_eq!(redeem(&plane, &first).await.status, 401);
    let all = futures_util::future::join_all([(); 5].map(|()| redeem(&plane, &second))).await;
    let (good, bad): (Vec<_>, Vec<_>) = all.into_iter().partition(|answer| answer.status == 200);
    assert_eq!((good.len(), bad.len()), (1, 4));
    assert!(
        bad.iter()
            .all(|answer| answer.status == 401 && answer.text.contains("Ask for another"))
    );
    let new = &good[0].text;
    assert!(new.starts_with("sk-ccag-") && *new != old);
    assert_eq!(good[0].headers["cache-control"], "no-store");
    let usage = |secret: String| {
        let caller = Caller {
            token: Some(secret),
            ..plane.caller()
        };
        async move { caller.get("/api/oauth/usage").await.status.as_u16() }
    };
    assert_eq!((usage(old).await, usage(new.clone()).await), (401, 200));
    // It is the same key, and the log has no secret.
    let shown = member.get(&format!("/admin/keys/{id}")).await.json();
    assert!(new.starts_with(shown["prefix"].as_str().unwrap().trim_end_matches('…')));
    let log = admin.get("/admin/audit").await.text;
    assert!(log.contains("key.setup_token") && log.contains("key.redeem"));
    assert!(!log.contains(&second) && !log.contains(new.as_str()));
    // Over, or of a key that is.
    let late = issue(json!(1)).await.json()["token"].as_str().unwrap().to_owned();
    plane.clock.0.fetch_add(61_000, Ordering::Relaxed);
    assert_eq!(redeem(&plane, &late).await.status, 401);
    let last = issue(Value::Null).await.json()["token"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        member
            .post(&format!("/admin/keys/{id}/revoke"), json!({}))
            .await
            .status,
        200
    );
    assert_eq!(redeem(&plane, &last).await.status, 401);
    assert_eq!(issue(Value::Null).await.status, 409);
    for body in ["", "token", "code=st-ccag-x", "token=st-ccag-x"] {
        let form = plane
            .caller()
            .with("content-type", "application/x-www-form-urlencoded");
        let answer = form.send("POST", "/setup/redeem", body).await;
        assert!(
            [400, 401].contains(&answer.status.as_u16()),
            "{body}: {}",
            answer.status
        );
    }
    plane.stop().await;
}

async fn the_script_does_what_admins_have_said(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let (member, _) = admin.new_member("mira").await;
    let nobody = plane.caller();
    let script = nobody.get("/setup").await;
    assert_eq!(
        script.headers["content-type"],
        "text/x-shellscript; charset=utf-8"
    );
    assert!(script.text.contains("MODE='key'\n") && !script.text.contains("@@"));
    assert!(!script.text.contains("ENABLE_PROMPT_CACHING_1H"));
    let set = json!({"mode": "login", "one_hour_cache": true, "model_discovery": true});
    assert_eq!(
        member.send("PUT", "/admin/setup", &set.to_string()).await.status,
        403
    );
    assert_eq!(member.get("/admin/setup").await.status, 403);
    let done = admin.send("PUT", "/admin/setup", &set.to_string()).await;
    assert_eq!((done.status.as_u16(), done.json()), (200, set.clone()));
    assert_eq!(admin.get("/admin/setup").await.json(), set);
    let script = nobody.get("/setup").await.text;
    assert!(script.contains("MODE='login'\n"));
    assert!(script.contains(
        "env.ENABLE_PROMPT_CACHING_1H \"1\"\nenv.CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY \"1\"\n"
    ));
    let windows = nobody.get("/setup/windows").await.text;
    assert!(windows.contains("$wanted['ENABLE_PROMPT_CACHING_1H'] = '1'") && !windows.contains("@@"));
    let refused = admin.send("PUT", "/admin/setup", r#"{"mode": "pigeon"}"#).await;
    assert_eq!(refused.status, 400, "{}", refused.text);
    // Somebody with a browser is shown what to do.
    let page = nobody.clone().with("accept", "text/html").get("/setup").await;
    assert_eq!(
        (page.status.as_u16(), &page.headers["location"]),
        (303, &"/console/connect".parse().unwrap())
    );
    // A strange host is not repeated.
    let script = nobody.clone().with("host", "a';id;'").get("/setup").await.text;
    assert!(
        script.contains("GATEWAY='http://localhost'\n"),
        "{}",
        &script[..400]
    );
    plane.stop().await;
}
