//! Secrets at rest: what is kept under which master key, and how a key is replaced by another.

use crate::console::Browser;
use crate::idp::Idp;
use crate::notifications::servers::{aws as at_moto, moto};
use crate::sign_on::add;
use crate::support::{Caller, Plane, TestDb, config, on_both};
use crate::watch::Follower;
use bedrock_sim::Sim;
use ccag_aws::{AwsCredentials, AwsSettings, ControlConfig};
use ccag_controlplane::master_key::{KeySource, MasterKeys, new_in_kms};
use ccag_controlplane::{ControlPlane, ControlPlaneConfig, World};
use ccag_daemon::{Lifecycle, SystemClock};
use ccag_proto::v1;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};
use std::sync::Arc;

on_both!(
    a_master_key_is_replaced_while_everything_goes_on,
    without_its_key_a_secret_is_named_and_nothing_else_stops,
    two_who_reseal_at_once_do_it_once,
    a_key_of_kms_is_opened_at_the_start,
);

const SECRETS: &str = "/admin/secrets";
const RESEAL: &str = "/admin/secrets/reseal";

fn key(digits: &str) -> KeySource {
    KeySource::parse(&digits.repeat(32)).unwrap()
}

async fn start(db: &TestDb, current: &str, others: &[&str]) -> Plane {
    let config = ControlPlaneConfig {
        master_keys: MasterKeys {
            current: key(current),
            others: others.iter().map(|digits| key(digits)).collect(),
        },
        ..config(db)
    };
    Plane::start_with(config).await
}

/// One secret of each kind that lasts.
async fn fill(admin: &Caller, idp: &Idp) {
    let endpoint = json!({"name": "own", "credentials": {
        "kind": "keys", "access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": "hush-endpoint"}});
    assert_eq!(admin.post("/admin/endpoints", endpoint).await.status, 201);
    let rules = json!({"mode": "global", "provider": {"provider_type": "tavily", "api_key": "hush-global"}});
    let rules = admin
        .send("PUT", "/admin/websearch-mode", &rules.to_string())
        .await;
    assert_eq!(rules.status, 200, "{}", rules.text);
    for kind in ["tavily", "brave"] {
        let own = json!({"provider_type": kind, "api_key": format!("hush-{kind}")});
        let own = admin
            .send("PUT", "/admin/search-providers", &own.to_string())
            .await;
        assert!(own.status.is_success(), "{}", own.text);
    }
    add(admin, idp, "Acme", json!({})).await;
}

/// What data planes are told that is secret.
async fn told(plane: &Plane) -> Vec<String> {
    let objects = Follower::start(plane, "", 0).await.snapshot().await.objects;
    let mut all = Vec::new();
    for object in objects {
        match object.object {
            Some(v1::object::Object::Settings(settings)) => {
                let search = settings.web_search.unwrap();
                all.push(hex::encode(&search.sealing_key));
                all.extend(search.provider.and_then(|provider| provider.api_key));
            }
            Some(v1::object::Object::Endpoint(endpoint)) => {
                all.extend(endpoint.access.unwrap().credentials.unwrap().secret_access_key);
            }
            Some(v1::object::Object::User(user)) => {
                all.extend(user.search.and_then(|provider| provider.api_key));
            }
            _ => {}
        }
    }
    all.sort();
    all
}

/// How many secrets are under each key, the current one first.
fn counts(view: &Value) -> Vec<u64> {
    let keys = view["keys"].as_array().unwrap();
    assert!(
        keys[0]["current"] == true && keys[1..].iter().all(|key| key["current"] == false),
        "{view}"
    );
    keys.iter().map(|key| key["secrets"].as_u64().unwrap()).collect()
}

/// Makes what is sealed look as versions left it that knew no ids.
async fn forget_ids(db: &TestDb) {
    let own = db.connect().await;
    for (table, column) in [
        ("endpoints", "access_secrets"),
        ("identity_providers", "client_secret"),
    ] {
        // Eight digits and a dot.
        let sql = format!("UPDATE {table} SET {column} = substr({column}, 10) WHERE {column} LIKE '%.%'");
        own.execute_unprepared(&sql).await.unwrap();
    }
    own.close().await.unwrap();
}

async fn a_master_key_is_replaced_while_everything_goes_on(db: TestDb) {
    let idp = Idp::start().await;
    let plane = start(&db, "ab", &[]).await;
    let admin = plane.admin().await;
    fill(&admin, &idp).await;
    let rotated = admin.post("/admin/signing-keys/rotate", json!({})).await;
    assert!(rotated.status.is_success(), "{}", rotated.text);
    let (secrets, token) = (told(&plane).await, admin.token.clone());
    assert_eq!(secrets.len(), 4, "{secrets:?}");
    // A page that was about to say something, from before.
    let browser = Browser::of(&admin);
    let said = browser
        .submit("/console/teams", "/console/teams", &[("name", "Payments")])
        .await;
    assert!(
        browser.follow(&said).await.text.contains("class=\"flash"),
        "it says something"
    );
    let all = counts(&admin.get(SECRETS).await.json())[0];
    plane.stop().await;
    forget_ids(&db).await;

    // The new key is known, and the old one still in use.
    let plane = start(&db, "ab", &["cd"]).await;
    let again = Caller {
        token: token.clone(),
        ..plane.caller()
    };
    assert_eq!(counts(&again.get(SECRETS).await.json()), [all, 0]);
    assert_eq!(told(&plane).await, secrets);
    plane.stop().await;

    // The new one is in use, and the old one known: nobody has to sign in again, and nothing is lost.
    let plane = start(&db, "cd", &["ab"]).await;
    let admin = Caller {
        token: token.clone(),
        ..plane.caller()
    };
    let page = Browser::of(&admin).follow(&said).await;
    assert!(
        page.status == 200 && page.text.contains("class=\"flash"),
        "the cookie of before is read"
    );
    assert_eq!(told(&plane).await, secrets);
    let view = admin.get(SECRETS).await.json();
    assert_eq!((counts(&view), &view["to_reseal"]), (vec![0, all], &json!(all)));
    let done = admin.post(RESEAL, json!({})).await;
    assert_eq!(done.status, 200, "{}", done.text);
    let sum = |report: &Value| -> u64 {
        let kinds = report["resealed"].as_object().unwrap();
        kinds.values().map(|n| n.as_u64().unwrap()).sum()
    };
    assert_eq!(sum(&done.json()), all, "{}", done.text);
    assert_eq!(done.json()["resealed"]["search_service_keys"], 3);
    let view = admin.get(SECRETS).await.json();
    assert_eq!((counts(&view), &view["unreadable"]), (vec![all, 0], &json!(0)));
    let (new, old) = (view["keys"][0]["id"].clone(), view["keys"][1]["id"].clone());
    let entries = admin.get("/admin/audit?q=secrets.reseal").await.json();
    let entries = entries["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 5, "one for each kind: {entries:?}");
    let services = entries
        .iter()
        .find(|e| e["object_id"] == "search_service_keys")
        .unwrap();
    let under = |id: &Value| json!({ "under": { id.as_str().unwrap(): 3 } });
    assert_eq!(
        services["details"],
        json!({ "before": under(&old), "after": under(&new) })
    );
    // Once more finds nothing to do.
    let repeated = admin.post(RESEAL, json!({})).await.json();
    assert_eq!((sum(&repeated), repeated["key"].clone()), (0, new));
    let written = "SELECT COUNT(*) FROM audit WHERE action = 'secrets.reseal'";
    assert_eq!(db.count(written).await, 5);
    plane.stop().await;

    // The old key is gone.
    let plane = start(&db, "cd", &[]).await;
    let admin = Caller {
        token,
        ..plane.caller()
    };
    let view = admin.get(SECRETS).await.json();
    assert_eq!((counts(&view), &view["unreadable"]), (vec![all], &json!(0)));
    assert_eq!(told(&plane).await, secrets);
    let tested = admin.get("/admin/idps").await;
    assert!(
        tested.status == 200 && tested.text.contains("Acme"),
        "{}",
        tested.text
    );
    plane.stop().await;
}

async fn without_its_key_a_secret_is_named_and_nothing_else_stops(db: TestDb) {
    let idp = Idp::start().await;
    let plane = start(&db, "ab", &[]).await;
    fill(&plane.admin().await, &idp).await;
    let old = plane.admin().await.get(SECRETS).await.json()["keys"][0]["id"].clone();
    plane.stop().await;
    let plane = start(&db, "cd", &[]).await;
    let admin = plane.admin().await;
    let view = admin.get(SECRETS).await.json();
    let lost = view["unreadable"].as_u64().unwrap();
    assert!(lost >= 6 && view["to_reseal"] == 0, "{view}");
    let named = view["unreadable_secrets"].as_array().unwrap();
    assert_eq!(named.len() as u64, lost);
    let endpoint = named
        .iter()
        .find(|s| s["kind"] == "endpoint_credentials")
        .unwrap();
    assert_eq!(endpoint["key"], old, "it says which key would open it");
    assert!(endpoint["id"].as_str().unwrap().starts_with("end_"));
    let done = admin.post(RESEAL, json!({})).await.json();
    assert_eq!(done["unreadable"], json!(lost), "{done}");
    assert_eq!(
        db.count("SELECT COUNT(*) FROM audit WHERE action = 'secrets.reseal'")
            .await,
        0
    );
    plane.stop().await;
    // Nothing was made worse.
    let plane = start(&db, "cd", &["ab"]).await;
    assert_eq!(plane.admin().await.get(SECRETS).await.json()["unreadable"], 0);
    plane.stop().await;
}

async fn two_who_reseal_at_once_do_it_once(db: TestDb) {
    let idp = Idp::start().await;
    let plane = start(&db, "ab", &[]).await;
    fill(&plane.admin().await, &idp).await;
    plane.stop().await;
    let plane = start(&db, "cd", &["ab"]).await;
    let admin = plane.admin().await;
    let all = admin.get(SECRETS).await.json()["to_reseal"].as_u64().unwrap();
    let (one, two) = tokio::join!(admin.post(RESEAL, json!({})), admin.post(RESEAL, json!({})));
    let done: u64 = [one, two]
        .iter()
        .flat_map(|answer| {
            let report = answer.json();
            let counts: Vec<u64> = report["resealed"]
                .as_object()
                .unwrap()
                .values()
                .map(|n| n.as_u64().unwrap())
                .collect();
            counts
        })
        .sum();
    assert_eq!(done, all);
    assert_eq!(admin.get(SECRETS).await.json()["to_reseal"], 0);
    plane.stop().await;
}

fn aws(sim: &Sim) -> AwsSettings {
    aws_of(&sim.base_url())
}

fn aws_of(kms: &str) -> AwsSettings {
    AwsSettings {
        region: Some("us-east-1".into()),
        kms_url: Some(kms.to_owned()),
        credentials: AwsCredentials::Static {
            access_key_id: "AKIDEXAMPLE".into(),
            secret_access_key: "a-secret".to_owned().into(),
        },
        ..AwsSettings::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_kms_is_one_to_another_implementation_as_well() {
    let (_moto, url) = moto().await;
    at_moto(&["key", &url]).await;
    let settings = aws_of(&url);
    let clock = Arc::new(SystemClock);
    let making = new_in_kms(
        settings.clone(),
        ControlConfig::default(),
        clock,
        "alias/ccag",
        Some("eu-central-1"),
    );
    let made = Box::pin(making).await.unwrap();
    let db = TestDb::sqlite().await;
    let config = || ControlPlaneConfig {
        master_keys: MasterKeys {
            current: KeySource::parse(&made).unwrap(),
            others: Vec::new(),
        },
        aws: settings.clone(),
        ..config(&db)
    };
    let idp = Idp::start().await;
    let plane = Plane::start_with(config()).await;
    fill(&plane.admin().await, &idp).await;
    let secrets = told(&plane).await;
    plane.stop().await;
    let plane = Plane::start_with(config()).await;
    assert_eq!(told(&plane).await, secrets);
    plane.stop().await;
}

async fn a_key_of_kms_is_opened_at_the_start(db: TestDb) {
    let sim = Sim::builder().start().await.unwrap();
    let clock = Arc::new(SystemClock);
    let making = new_in_kms(
        aws(&sim),
        ControlConfig::default(),
        clock,
        "alias/ccag",
        Some("eu-central-1"),
    );
    let made = Box::pin(making).await.unwrap();
    assert!(made.starts_with("kms:eu-central-1:"), "{made}");
    let config = |others: Vec<KeySource>| ControlPlaneConfig {
        master_keys: MasterKeys {
            current: KeySource::parse(&made).unwrap(),
            others,
        },
        aws: aws(&sim),
        ..config(&db)
    };
    // From a key of one's own to one in KMS.
    let plane = start(&db, "ab", &[]).await;
    let idp = Idp::start().await;
    fill(&plane.admin().await, &idp).await;
    let secrets = told(&plane).await;
    plane.stop().await;
    let plane = Plane::start_with(config(vec![key("ab")])).await;
    let done = plane.admin().await.post(RESEAL, json!({})).await;
    assert_eq!(done.json()["unreadable"], 0, "{}", done.text);
    plane.stop().await;
    let plane = Plane::start_with(config(Vec::new())).await;
    assert_eq!(told(&plane).await, secrets);
    plane.stop().await;
    // Without the right to open it nothing starts, and what is missing is said.
    sim.deny("kms:Decrypt");
    let refused = ControlPlane::start_in(config(Vec::new()), &Lifecycle::new(), World::default())
        .await
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains("allow `kms:Decrypt` on arn:aws:kms:eu-central-1:111122223333:key/"),
        "{refused}"
    );
    sim.shutdown().await;
}
