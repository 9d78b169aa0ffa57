//! Web search: who may say what, where secrets stand, and what searches cost.

use crate::support::{Plane, SYSTEM, TestDb, on_both, record};
use crate::watch::Follower;
use axum::Router;
use axum::routing::post;
use ccag_admin_api::ExportQuery;
use ccag_controlplane::app::intake::{Incoming, take_in};
use ccag_controlplane::app::usage;
use ccag_daemon::Lifecycle;
use ccag_domain::UsageRecord;
use ccag_proto::v1;
use futures_util::TryStreamExt;
use serde_json::{Value, json};

on_both!(
    the_rules_and_their_secrets_reach_data_planes_and_stand_nowhere_else,
    a_users_own_service_is_pushed_with_the_user_and_goes_with_them,
    a_search_has_its_price,
    results_are_sealed_with_one_key_for_ever,
);

fn settings(objects: &[v1::Object]) -> v1::WebSearch {
    let found = objects.iter().find_map(|o| match &o.object {
        Some(v1::object::Object::Settings(settings)) => settings.web_search.clone(),
        _ => None,
    });
    found.unwrap()
}

fn put(change: &v1::Change) -> v1::Object {
    match &change.step {
        Some(v1::change::Step::Put(object)) => object.clone(),
        other => panic!("not a put: {other:?}"),
    }
}

const RULES: &str = "/admin/websearch-mode";
const OWN: &str = "/admin/search-providers";

async fn the_rules_and_their_secrets_reach_data_planes_and_stand_nowhere_else(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let first = admin.get(RULES).await.json();
    assert_eq!(
        (&first["mode"], &first["provider"], &first["shortcut"]),
        (&json!("enabled"), &Value::Null, &json!(true))
    );
    let mut follower = Follower::start(&plane, "", 0).await;
    let pushed = settings(&follower.snapshot().await.objects);
    assert_eq!(pushed.mode(), v1::WebSearchMode::PerUser);
    assert_eq!(pushed.sealing_key.len(), 32);
    let wish = json!({"mode": "global", "price_nano_usd": 8_000_000, "shortcut": false,
        "provider": {"provider_type": "tavily", "api_key": "tvly-hush-hush", "max_results": 7}});
    let answer = admin.send("PUT", RULES, &wish.to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(!answer.text.contains("hush"));
    assert_eq!(answer.json()["provider"]["has_api_key"], true);
    let pushed = settings(&[put(&follower.changes(1).await[0])]);
    assert_eq!(pushed.mode(), v1::WebSearchMode::Global);
    assert_eq!((pushed.price_nano_usd, pushed.shortcut), (8_000_000, false));
    assert_eq!(
        pushed.provider.unwrap().api_key.as_deref(),
        Some("tvly-hush-hush")
    );
    for column in ["api_key", "url"] {
        let sql = format!("SELECT COUNT(*) FROM search_providers WHERE {column} LIKE '%hush%'");
        assert_eq!(db.count(&sql).await, 0);
    }
    assert_eq!(
        db.count("SELECT COUNT(*) FROM audit WHERE details LIKE '%hush%'")
            .await,
        0
    );
    // The key stays when it is not named, and goes with the service.
    let keep = json!({"mode": "global", "provider": {"provider_type": "tavily", "max_results": 3}});
    assert_eq!(
        admin.send("PUT", RULES, &keep.to_string()).await.json()["provider"]["has_api_key"],
        true
    );
    let other = json!({"mode": "global", "provider": {"provider_type": "serper"}});
    let refused = admin.send("PUT", RULES, &other.to_string()).await;
    assert_eq!(
        (refused.status.as_u16(), &refused.json()["field"]),
        (400, &json!("api_key"))
    );
    plane.stop().await;
}

async fn a_users_own_service_is_pushed_with_the_user_and_goes_with_them(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let (member, id) = admin.new_member("mira").await;
    let mut follower = Follower::start(&plane, "", 0).await;
    follower.snapshot().await;
    let own = json!({"provider_type": "brave", "api_key": "brave-hush"});
    let answer = member.send("PUT", OWN, &own.to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let search = |change: &v1::Change| match put(change).object {
        Some(v1::object::Object::User(user)) => {
            assert_eq!(user.id, id);
            user.search
        }
        other => panic!("not a user: {other:?}"),
    };
    let pushed = search(&follower.changes(1).await[0]).unwrap();
    assert_eq!(
        (pushed.kind.as_str(), pushed.api_key.as_deref()),
        ("brave", Some("brave-hush"))
    );
    let duck = json!({"provider_type": "duckduckgo"});
    member.send("PUT", OWN, &duck.to_string()).await;
    assert_eq!(search(&follower.changes(1).await[0]).unwrap().kind, "duckduckgo");
    let back = member
        .post(
            "/admin/search-providers/activate",
            json!({"provider_type": "brave"}),
        )
        .await;
    let active: Vec<_> = back.json()["providers"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|p| p["active"] == true)
        .map(|p| p["provider_type"].clone())
        .collect();
    assert_eq!(active, [json!("brave")]);
    assert_eq!(
        search(&follower.changes(1).await[0]).unwrap().api_key.as_deref(),
        Some("brave-hush")
    );
    assert_eq!(
        member.send("DELETE", &format!("{OWN}/brave"), "").await.status,
        204
    );
    assert_eq!(search(&follower.changes(1).await[0]), None);
    assert_eq!(
        member.send("DELETE", &format!("{OWN}/brave"), "").await.status,
        404
    );
    admin.send("DELETE", &format!("/admin/users/{id}"), "").await;
    assert_eq!(db.count("SELECT COUNT(*) FROM search_providers").await, 0);
    plane.stop().await;
}

async fn a_search_has_its_price(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let wish = json!({"mode": "enabled", "price_nano_usd": 8_000_000});
    assert_eq!(admin.send("PUT", RULES, &wish.to_string()).await.status, 200);
    let with = UsageRecord {
        web_searches: 3,
        ..record(1)
    };
    let records = [with, record(2)].map(|r| Incoming::Record(Box::new(r)));
    let receipt = take_in(plane.app(), "rep_test", records.into()).await.unwrap();
    assert_eq!(receipt.stored, 2);
    let query = ExportQuery {
        days: Some(3_650),
        ..ExportQuery::default()
    };
    let pages = usage::export(plane.app(), &SYSTEM, &query).await.unwrap();
    let rows: Vec<Vec<_>> = pages.try_collect().await.unwrap();
    let costs: Vec<_> = rows
        .concat()
        .iter()
        .map(|row| (row.web_searches, row.cost_nano_usd.0))
        .collect();
    assert_eq!(costs.len(), 2);
    let (with, without) = (
        costs.iter().find(|c| c.0 == 3).unwrap(),
        costs.iter().find(|c| c.0 == 0).unwrap(),
    );
    assert_eq!(with.1, without.1 + 3 * 8_000_000);
    plane.stop().await;
}

async fn results_are_sealed_with_one_key_for_ever(db: TestDb) {
    let key = |plane: Plane| async move {
        let mut follower = Follower::start(&plane, "", 0).await;
        let key = settings(&follower.snapshot().await.objects).sealing_key;
        drop(follower);
        plane.stop().await;
        key
    };
    let first = key(Plane::start(&db).await).await;
    assert_eq!(first, key(Plane::start(&db).await).await);
    let hex: String = first.iter().map(|b| format!("{b:02x}")).collect();
    let sql = format!("SELECT COUNT(*) FROM settings WHERE value LIKE '%{hex}%'");
    assert_eq!(db.count(&sql).await, 0, "it is stored sealed");
}

#[tokio::test]
async fn members_choose_public_services_of_their_own_and_nothing_for_others() {
    let db = TestDb::sqlite().await;
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let (member, _) = admin.new_member("mira").await;
    let rules = member.send("PUT", RULES, r#"{"mode":"disabled"}"#).await;
    assert_eq!(rules.status, 403);
    assert_eq!(
        member.post("/admin/websearch-mode/test", json!({})).await.status,
        403
    );
    for url in [
        "http://127.0.0.1:1/",
        "http://[::ffff:10.0.0.1]/",
        "http://2130706433/",
        "file:///x",
    ] {
        let wish = json!({"provider_type": "custom", "api_url": url});
        let answer = member.send("PUT", OWN, &wish.to_string()).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["field"]),
            (400, &json!("api_url")),
            "{url}"
        );
    }
    let private =
        json!({"provider_type": "custom", "api_url": "http://10.0.0.1/", "allow_private_address": true});
    assert_eq!(member.send("PUT", OWN, &private.to_string()).await.status, 400);
    // A name is seen through when it is asked.
    let named = json!({"provider_type": "custom", "api_url": "http://localhost:1/"});
    assert_eq!(member.send("PUT", OWN, &named.to_string()).await.status, 200);
    let test = member
        .post("/admin/search-providers/test", json!({"provider_type": "custom"}))
        .await
        .json();
    assert_eq!(test["success"], false);
    assert!(
        test["message"].as_str().unwrap().contains("public internet"),
        "{test}"
    );
    plane.stop().await;
}

#[tokio::test]
async fn an_admin_tries_the_service_for_everybody() {
    let db = TestDb::sqlite().await;
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let listener = ccag_daemon::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let life = Lifecycle::new();
    let page = json!([{"title": "T", "url": "https://e.example/", "snippet": "s"}]).to_string();
    let router = Router::new().fallback(post(move || async move { page }));
    let server = life.clone();
    life.spawn("search service", async move {
        let _ = ccag_daemon::serve(&server, listener, router, std::time::Duration::from_secs(1)).await;
    });
    let wish = |allow: bool| {
        json!({"mode": "global", "provider": {"provider_type": "custom", "api_url": url,
            "allow_private_address": allow}})
        .to_string()
    };
    let refused = admin.send("PUT", RULES, &wish(false)).await;
    assert_eq!(
        (refused.status.as_u16(), &refused.json()["field"]),
        (400, &json!("api_url"))
    );
    let allowed = admin.send("PUT", RULES, &wish(true)).await;
    assert_eq!(allowed.status, 200, "{}", allowed.text);
    let test = admin.post("/admin/websearch-mode/test", json!({})).await.json();
    assert_eq!(
        (&test["success"], &test["result_count"]),
        (&json!(true), &json!(1)),
        "{test}"
    );
    life.force_shutdown();
    plane.stop().await;
}
