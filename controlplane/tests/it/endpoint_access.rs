//! With what endpoints are called: what is stored, what is shown, and what data planes are told.

use crate::console::Browser;
use crate::support::{Answer, Plane, TestDb, on_both};
use crate::watch::Follower;
use ccag_proto::v1;
use serde_json::{Value, json};

on_both!(
    credentials_reach_data_planes_and_stand_nowhere_else,
    a_drained_endpoint_is_pushed_as_such_and_older_callers_still_disable_it,
    an_endpoint_of_before_has_the_data_planes_own_credentials,
    a_proxys_password_reaches_data_planes_and_stands_nowhere_else,
    a_way_that_cannot_be_is_refused_by_field,
);

const ID: &str = "AKIAIOSFODNN7EXAMPLE";

fn pushed(change: &v1::Change) -> v1::Endpoint {
    match change.step.clone().unwrap() {
        v1::change::Step::Put(object) => match object.object.unwrap() {
            v1::object::Object::Endpoint(endpoint) => endpoint,
            other => panic!("{other:?}"),
        },
        v1::change::Step::Remove(gone) => panic!("{gone:?}"),
    }
}

fn credentials(change: &v1::Change) -> v1::Credentials {
    pushed(change).access.unwrap().credentials.unwrap()
}

async fn credentials_reach_data_planes_and_stand_nowhere_else(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let mut follower = Follower::start(&plane, "", 0).await;
    follower.snapshot().await;
    let made = admin
        .post(
            "/admin/endpoints",
            json!({"name": "own", "credentials": {
                "kind": "keys", "access_key_id": ID, "secret_access_key": "hush-hush"}}),
        )
        .await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert!(
        !made.text.contains("hush") && !made.text.contains(ID),
        "{}",
        made.text
    );
    let shown = made.json()["credentials"].clone();
    assert_eq!(
        (&shown["kind"], &shown["access_key_id_ends"]),
        (&json!("keys"), &json!("MPLE"))
    );
    assert!(shown["set_at"].is_string());
    let told = credentials(&follower.changes(1).await[0]);
    assert_eq!(
        (told.access_key_id.as_deref(), told.secret_access_key.as_deref()),
        (Some(ID), Some("hush-hush"))
    );
    for (table, column) in [
        ("endpoints", "access"),
        ("endpoints", "access_secrets"),
        ("audit", "details"),
    ] {
        for secret in ["hush", ID] {
            let sql = format!("SELECT COUNT(*) FROM {table} WHERE {column} LIKE '%{secret}%'");
            assert_eq!(db.count(&sql).await, 0, "{table}.{column}");
        }
    }
    // Neither a change of something else, nor a replacement that names the kind alone, needs them again.
    let path = format!("/admin/endpoints/{}", made.id());
    let patched = admin.send("PATCH", &path, r#"{"weight":2}"#).await.json();
    assert_eq!(patched["credentials"], shown);
    assert_eq!(
        credentials(&follower.changes(1).await[0])
            .secret_access_key
            .as_deref(),
        Some("hush-hush")
    );
    let kept = r#"{"name":"own","credentials":{"kind":"keys"}}"#;
    let replaced = admin.send("PUT", &path, kept).await;
    assert_eq!(replaced.json()["credentials"], shown, "{}", replaced.text);
    follower.changes(1).await;
    // One that names none has none.
    let bare = admin.send("PUT", &path, r#"{"name":"own"}"#).await.json();
    assert_eq!(bare["credentials"]["kind"], "process");
    assert_eq!(credentials(&follower.changes(1).await[0]).kind, "process");
    assert_eq!(
        db.count("SELECT COUNT(*) FROM endpoints WHERE access_secrets IS NOT NULL")
            .await,
        0
    );
    plane.stop().await;
}

const PROXY: &str = "http://proxy.example:3128";

async fn a_proxys_password_reaches_data_planes_and_stands_nowhere_else(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let mut follower = Follower::start(&plane, "", 0).await;
    follower.snapshot().await;
    let pem = include_str!("../../../crates/aws/tests/it/pki/ca.pem");
    let made = admin
        .post(
            "/admin/endpoints",
            json!({"name": "far", "region": "us-gov-west-1", "use_fips": true, "ca_certificates": format!("a CA\n{pem}"),
                "proxy": {"url": PROXY, "user": "ccag", "password": "hush hush"}}),
        )
        .await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert!(!made.text.contains("hush"), "{}", made.text);
    let shown = made.json();
    assert_eq!(shown["proxy"], json!({"url": PROXY, "user": "ccag"}));
    assert_eq!(
        (&shown["use_fips"], &shown["ca_certificates"]),
        (&json!(true), &json!(pem))
    );
    let told = pushed(&follower.changes(1).await[0]).network.unwrap();
    assert_eq!(told.proxy.unwrap().password.as_deref(), Some("hush hush"));
    assert_eq!(
        (told.ca_certificates.as_deref(), told.use_fips),
        (Some(pem), true)
    );
    for (table, column) in [
        ("endpoints", "network"),
        ("endpoints", "network_secrets"),
        ("audit", "details"),
    ] {
        let sql = format!("SELECT COUNT(*) FROM {table} WHERE {column} LIKE '%hush%'");
        assert_eq!(db.count(&sql).await, 0, "{table}.{column}");
    }
    // A change of something else keeps the password, and so does the same proxy with the same user.
    let path = format!("/admin/endpoints/{}", made.id());
    let same = json!({"proxy": {"url": PROXY, "user": "ccag"}}).to_string();
    for body in [r#"{"weight":2}"#, &same] {
        let kept = admin.send("PATCH", &path, body).await;
        assert_eq!(kept.json()["proxy"], shown["proxy"], "{}", kept.text);
        let told = pushed(&follower.changes(1).await[0]).network.unwrap();
        assert_eq!(told.proxy.unwrap().password.as_deref(), Some("hush hush"));
    }
    // Another proxy does not get it.
    let other = r#"{"proxy":{"url":"http://other.example:3128","user":"ccag"}}"#;
    let refused = admin.send("PATCH", &path, other).await;
    assert_eq!(
        (refused.status.as_u16(), &refused.json()["field"]),
        (400, &json!("proxy.password"))
    );
    let bare = admin
        .send("PATCH", &path, r#"{"proxy":null,"ca_certificates":null}"#)
        .await
        .json();
    assert_eq!(
        (&bare["proxy"], &bare["ca_certificates"]),
        (&Value::Null, &Value::Null)
    );
    let left = "SELECT COUNT(*) FROM endpoints WHERE network_secrets IS NOT NULL";
    assert_eq!(db.count(left).await, 0);
    plane.stop().await;
}

async fn a_way_that_cannot_be_is_refused_by_field(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let role = "arn:aws:iam::111122223333:role/ccag";
    for (field, mut body) in [
        (
            "proxy.url",
            json!({"proxy": {"url": "http://ccag:hush@proxy.example"}}),
        ),
        ("proxy.password", json!({"proxy": {"url": PROXY, "user": "ccag"}})),
        ("ca_certificates", json!({"ca_certificates": "hello"})),
        ("use_fips", json!({"use_fips": true, "region": "eu-west-1"})),
        (
            "use_fips",
            json!({"use_fips": true, "region": "ca-central-1", "role_arn": role}),
        ),
    ] {
        body["name"] = json!("x");
        let refused = admin.post("/admin/endpoints", body).await;
        assert_eq!(
            (refused.status.as_u16(), &refused.json()["field"]),
            (400, &json!(field)),
            "{}",
            refused.text
        );
        assert!(!refused.text.contains("hush"), "{}", refused.text);
    }
    let url = "https://vpce-1.bedrock-runtime.eu-west-1.vpce.amazonaws.com";
    let by_url = json!({"name": "x", "use_fips": true, "region": "eu-west-1", "runtime_url": url});
    assert_eq!(admin.post("/admin/endpoints", by_url).await.status, 201);
    // A Bedrock API key is not sent another way than it was meant for.
    let keyed = json!({"name": "k", "credentials": {"kind": "api_key", "api_key": "bedrock-key"}});
    let path = format!(
        "/admin/endpoints/{}",
        admin.post("/admin/endpoints", keyed).await.id()
    );
    let through = json!({"proxy": {"url": PROXY}}).to_string();
    let refused = admin.send("PATCH", &path, &through).await;
    assert_eq!(
        (refused.status.as_u16(), &refused.json()["field"]),
        (400, &json!("credentials.api_key"))
    );
    plane.stop().await;
}

async fn a_drained_endpoint_is_pushed_as_such_and_older_callers_still_disable_it(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let made = admin.post("/admin/endpoints", json!({"name": "a"})).await;
    assert_eq!(made.json()["state"], "enabled");
    let path = format!("/admin/endpoints/{}", made.id());
    let mut follower = Follower::start(&plane, "", 0).await;
    follower.snapshot().await;
    let patch = async |body: &str| -> (Value, Value) {
        let shown = admin.send("PATCH", &path, body).await.json();
        (shown["state"].clone(), shown["enabled"].clone())
    };
    assert_eq!(
        patch(r#"{"state":"draining"}"#).await,
        (json!("draining"), json!(true))
    );
    let told = pushed(&follower.changes(1).await[0]);
    assert_eq!((told.enabled, told.draining), (true, true));
    assert_eq!(
        patch(r#"{"enabled":false}"#).await,
        (json!("disabled"), json!(false))
    );
    // Whoever only enables it again leaves it drained.
    assert_eq!(
        patch(r#"{"enabled":true}"#).await,
        (json!("draining"), json!(true))
    );
    assert_eq!(
        patch(r#"{"state":"enabled"}"#).await,
        (json!("enabled"), json!(true))
    );
    plane.stop().await;
}

async fn an_endpoint_of_before_has_the_data_planes_own_credentials(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let listed = admin.get("/admin/endpoints").await.json();
    let first = &listed["endpoints"][0];
    assert_eq!(first["credentials"]["kind"], "process");
    assert_eq!(
        (&first["session_tags"], &first["service_tier"], &first["state"]),
        (&json!("off"), &Value::Null, &json!("enabled"))
    );
    assert_eq!(
        db.count("SELECT COUNT(*) FROM endpoints WHERE access IS NULL")
            .await,
        1
    );
    plane.stop().await;
}

fn refused(answer: &Answer, field: &str) {
    assert_eq!(
        (answer.status.as_u16(), &answer.json()["field"]),
        (400, &json!(field)),
        "{}",
        answer.text
    );
}

#[tokio::test]
async fn what_cannot_work_is_refused_by_the_field_that_is_wrong() {
    let db = TestDb::sqlite().await;
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let role = "arn:aws:iam::111122223333:role/ccag";
    for (mut body, field) in [
        (json!({"session_tags": "team"}), "session_tags"),
        (json!({"session_tags": "planet"}), "session_tags"),
        (json!({"service_tier": "slow"}), "service_tier"),
        (json!({"state": "asleep"}), "state"),
        (
            json!({"role_arn": role, "credentials": {"kind": "api_key", "api_key": "k"}}),
            "role_arn",
        ),
        (json!({"credentials": {"kind": "api_key"}}), "credentials.api_key"),
        (json!({"credentials": {"kind": "pigeon"}}), "credentials.kind"),
    ] {
        body["name"] = json!("x");
        refused(&admin.post("/admin/endpoints", body).await, field);
    }
    // A Bedrock API key is not sent to an address that was entered after it.
    let made = admin
        .post(
            "/admin/endpoints",
            json!({"name": "key", "credentials": {"kind": "api_key", "api_key": "bedrock-key"}}),
        )
        .await;
    let path = format!("/admin/endpoints/{}", made.id());
    let elsewhere = r#"{"runtime_url":"https://elsewhere.example"}"#;
    refused(
        &admin.send("PATCH", &path, elsewhere).await,
        "credentials.api_key",
    );
    let both =
        r#"{"runtime_url":"https://elsewhere.example","credentials":{"kind":"api_key","api_key":"again"}}"#;
    assert_eq!(admin.send("PATCH", &path, both).await.status, 200);
    plane.stop().await;
}

#[tokio::test]
async fn the_form_keeps_a_secret_that_is_not_entered_again_and_never_shows_it() {
    let db = TestDb::sqlite().await;
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let made = admin
        .post(
            "/admin/endpoints",
            json!({"name": "own", "credentials": {
                "kind": "keys", "access_key_id": ID, "secret_access_key": "hush-hush"}}),
        )
        .await;
    let browser = Browser::of(&admin);
    let path = format!("/console/endpoints/{}", made.id());
    let page = browser.get(&path).await;
    assert!(page.text.contains("ends in MPLE"), "{}", page.text);
    assert!(!page.text.contains("hush") && !page.text.contains(ID));
    let form = [
        ("name", "renamed"),
        ("weight", "1"),
        ("state", "draining"),
        ("credentials_kind", "keys"),
        ("session_tags", "off"),
        ("service_tier", "flex"),
        ("request_metadata", "yes"),
    ];
    let saved = browser.submit(&path, &path, &form).await;
    assert_eq!(saved.status, 303, "{}", saved.text);
    let shown = admin.get(&format!("/admin/endpoints/{}", made.id())).await.json();
    assert_eq!(shown["credentials"], made.json()["credentials"]);
    assert_eq!(
        (
            &shown["state"],
            &shown["service_tier"],
            &shown["request_metadata"]
        ),
        (&json!("draining"), &json!("flex"), &json!(true))
    );
    plane.stop().await;
}
