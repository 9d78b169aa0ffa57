//! Models and prices that admins change without a release, prices over time, and AWS's own price list.

use crate::support::{Answer, Caller, NOON, Plane, SYSTEM, TestDb, on_both, record};
use crate::watch::Follower;
use ccag_admin_api::{ImportQuery, PricingQuery};
use ccag_controlplane::app::intake::{Incoming, take_in};
use ccag_controlplane::app::{models, pricing};
use ccag_domain::{ModelName, NanoUsd, UsageRecord};
use ccag_proto::v1;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

const LIST_CSV: &str = include_str!("../fixtures/price-list.csv");
const LIST_JSON: &str = include_str!("../fixtures/price-list.json");

on_both!(
    a_request_costs_what_was_in_force_when_it_began,
    a_model_is_added_priced_and_pushed_without_a_release,
    a_removed_built_in_model_stays_removed_over_a_restart,
    the_price_list_is_taken_in_and_leaves_admins_prices_alone,
);

fn price(input: &str) -> Value {
    json!({"input_rate": input, "output_rate": "50", "cache_read_rate": "1", "cache_write_rate": "12.5"})
}

async fn set(plane: &Plane, model: &str, body: Value) {
    let spec = serde_json::from_value(body).unwrap();
    pricing::set(plane.app(), &SYSTEM, model, spec).await.unwrap();
}

fn used(seed: u64, model: &str, started_at_ms: i64) -> Incoming {
    let mut record: UsageRecord = record(seed);
    record.model = ModelName::canonical(model);
    record.started_at_ms = started_at_ms;
    record.geography = ccag_domain::Geography::Global;
    record.tokens = ccag_domain::Tokens {
        input: 1_000,
        ..ccag_domain::Tokens::default()
    };
    Incoming::Record(Box::new(record))
}

async fn a_request_costs_what_was_in_force_when_it_began(db: TestDb) {
    let plane = Plane::start(&db).await;
    plane.clock.0.store(NOON + 1, Ordering::Relaxed);
    set(&plane, "claude-opus-5-5", price("10")).await;
    plane.clock.0.store(NOON + 60_000, Ordering::Relaxed);
    set(&plane, "claude-opus-5-5[1m]", price("20")).await;
    // Three requests, delivered together and after the second price came: one from before any price, one of each time.
    let batch = vec![
        used(1, "claude-opus-5-5", NOON - 5_000),
        used(2, "claude-opus-5-5", NOON + 59_999),
        used(3, "claude-opus-5-5", NOON + 60_000),
    ];
    let receipt = take_in(plane.app(), "rep_test", batch).await.unwrap();
    assert_eq!(receipt.stored, 3);
    for (started, cost) in [
        // The built-in price was the first that there was.
        (NOON - 5_000, 1_000 * 4_000),
        (NOON + 59_999, 1_000 * 10_000),
        (NOON + 60_000, 1_000 * 20_000),
    ] {
        let sql = format!("SELECT cost_nano_usd FROM usage_records WHERE started_at_ms = {started}");
        assert_eq!(db.count(&sql).await, cost, "{started}");
    }
    // Every cost can be traced to its price, and the price to its time.
    let query = PricingQuery {
        history: Some(true),
        model: Some("claude-opus-5-5".into()),
    };
    let history = pricing::list(plane.app(), &SYSTEM, query).await.unwrap().prices;
    let shown: Vec<_> = history
        .iter()
        .map(|p| {
            (
                p.rates.input_nano_usd,
                p.valid_from.unwrap().ms(),
                p.valid_until.map(|t| t.ms()),
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            (NanoUsd::from_usd(20), NOON + 60_000, None),
            (NanoUsd::from_usd(10), NOON + 1, Some(NOON + 60_000)),
            (NanoUsd::from_usd(4), NOON, Some(NOON + 1)),
        ]
    );
    for price in &history[..2] {
        let sql = format!(
            "SELECT COUNT(*) FROM usage_records WHERE price_id = '{}'",
            price.id
        );
        assert_eq!(db.count(&sql).await, 1);
    }
    plane.stop().await;
}

async fn a_model_is_added_priced_and_pushed_without_a_release(db: TestDb) {
    let plane = Plane::start(&db).await;
    let mut follower = Follower::start(&plane, "", 0).await;
    follower.snapshot().await;
    let spec = serde_json::from_value(json!({
        "name": "claude-opus-9", "aliases": ["claude-opus-9-20270101"],
        "bedrock_id": "anthropic.claude-opus-9", "geographies": ["global", "us"], "display_name": "Claude Opus 9",
    }))
    .unwrap();
    let made = models::create(plane.app(), &SYSTEM, spec).await.unwrap();
    assert!(!made.priced, "a model without a price is never free");
    set(&plane, "claude-opus-9-20270101", price("7.5")).await;
    let changes = follower.changes(2).await;
    let pushed = |change: &v1::Change| match change.step.clone().unwrap() {
        v1::change::Step::Put(object) => object.object.unwrap(),
        v1::change::Step::Remove(gone) => panic!("{gone:?}"),
    };
    let v1::object::Object::Model(model) = pushed(&changes[0]) else {
        panic!("not the model")
    };
    assert_eq!(
        (model.name.as_str(), model.family.as_str()),
        ("claude-opus-9", "opus")
    );
    let v1::object::Object::Price(price) = pushed(&changes[1]) else {
        panic!("not the price")
    };
    assert_eq!(price.model, "claude-opus-9");
    assert_eq!(price.rates.unwrap().cache_write_1h, 15_000_000_000);
    assert!(
        models::find(plane.app(), &SYSTEM, "us.anthropic.claude-opus-9")
            .await
            .unwrap()
            .priced
    );
    models::delete(plane.app(), &SYSTEM, "claude-opus-9")
        .await
        .unwrap();
    let gone = follower.changes(1).await;
    assert!(matches!(&gone[0].step, Some(v1::change::Step::Remove(r)) if r.id == "claude-opus-9"));
    plane.stop().await;
}

async fn a_removed_built_in_model_stays_removed_over_a_restart(db: TestDb) {
    let plane = Plane::start(&db).await;
    models::delete(plane.app(), &SYSTEM, "claude-opus-4-1")
        .await
        .unwrap();
    plane.stop().await;
    let plane = Plane::start(&db).await;
    let has = |list: ccag_admin_api::ModelList| list.models.iter().any(|m| m.name == "claude-opus-4-1");
    assert!(!has(models::list(plane.app(), &SYSTEM).await.unwrap()));
    let snapshot = Follower::start(&plane, "", 0).await.snapshot().await;
    let pushed = snapshot
        .objects
        .iter()
        .any(|o| matches!(&o.object, Some(v1::object::Object::Model(m)) if m.name == "claude-opus-4-1"));
    assert!(!pushed);
    let again = json!({"name": "claude-opus-4-1", "bedrock_id": "anthropic.claude-opus-4-1-20250805-v1:0", "on_demand": true});
    models::create(plane.app(), &SYSTEM, serde_json::from_value(again).unwrap())
        .await
        .unwrap();
    assert!(has(models::list(plane.app(), &SYSTEM).await.unwrap()));
    plane.stop().await;
}

async fn the_price_list_is_taken_in_and_leaves_admins_prices_alone(db: TestDb) {
    let plane = Plane::start(&db).await;
    let app = plane.app();
    set(&plane, "claude-sonnet-4-5", price("3")).await;
    let revision = db.count("SELECT revision FROM config_revision").await;
    let dry = ImportQuery {
        dry_run: Some(true),
        overwrite: None,
    };
    let dry = pricing::import(app, &SYSTEM, dry, LIST_CSV).await.unwrap();
    assert!(dry.dry_run);
    assert_eq!(db.count("SELECT revision FROM config_revision").await, revision);

    plane.clock.0.store(NOON + 1_000, Ordering::Relaxed);
    let report = pricing::import(app, &SYSTEM, ImportQuery::default(), LIST_CSV)
        .await
        .unwrap();
    assert_eq!(report.published.as_deref(), Some("2026-11-20T18:22:10Z"));
    assert_eq!((report.rows_read, report.rows_used), (51, 25));
    let changed: Vec<_> = report.changed.iter().map(|c| c.model.as_str()).collect();
    assert_eq!(changed, ["claude-opus-5-5"]);
    assert_eq!(dry.changed[0].after.rates, report.changed[0].after.rates);
    assert_eq!(report.unchanged, ["claude-haiku-4-5"]);
    let after = &report.changed[0].after;
    assert_eq!(after.rates.input_nano_usd, NanoUsd(3_500_000_000));
    assert_eq!(after.rates.cache_read_nano_usd, NanoUsd(175_000_000));
    assert_eq!(after.rates.cache_write_1h_nano_usd, NanoUsd::from_usd(7));
    assert_eq!((after.regional_permille, after.gov_permille), (1_100, 1_200));
    assert_eq!(after.source, "aws-price-list");
    assert!(after.aws_sku.as_ref().unwrap().starts_with("SKU"));
    let why = |wanted: &str| {
        let found = report.skipped.iter().find(|s| s.model.as_deref() == Some(wanted));
        found
            .unwrap_or_else(|| panic!("{wanted}: {:?}", report.skipped))
            .reason
            .clone()
    };
    assert!(why("claude-sonnet-4-5").contains("admin"));
    assert!(why("Claude Opus 9").contains("not in the catalogue"));
    assert!(why("Claude Sonnet 4").contains("cache read"));
    let other = report
        .skipped
        .iter()
        .find(|s| s.reason.contains("not a Claude model"))
        .unwrap();
    assert_eq!(other.rows, 1);

    // A second time there is nothing to change, in either form of the file.
    for list in [LIST_CSV, LIST_JSON] {
        let again = pricing::import(app, &SYSTEM, ImportQuery::default(), list)
            .await
            .unwrap();
        assert_eq!(again.changed, []);
        assert_eq!(again.unchanged.len(), 2);
    }
    let overwrite = ImportQuery {
        dry_run: None,
        overwrite: Some(true),
    };
    let report = pricing::import(app, &SYSTEM, overwrite, LIST_JSON).await.unwrap();
    let sonnet = &report.changed[0];
    assert_eq!(sonnet.model, "claude-sonnet-4-5");
    let long = sonnet.after.long_context.unwrap();
    assert_eq!(long.above_prompt_tokens, 200_000);
    assert_eq!(long.rates.output_nano_usd, NanoUsd(22_500_000_000));
    plane.stop().await;
}

async fn admin() -> (TestDb, Plane, Caller) {
    let db = TestDb::sqlite().await;
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    (db, plane, admin)
}

fn refused(answer: &Answer, status: u16, field: &str) {
    assert_eq!(answer.status, status, "{}", answer.text);
    assert_eq!(answer.json()["field"], field, "{}", answer.text);
}

#[tokio::test]
async fn prices_are_read_to_the_last_digit_and_shown_exactly() {
    let (_db, plane, admin) = admin().await;
    let body = r#"{"input_rate": 0.1, "output_rate": "33.333333333", "cache_read_rate": 0.000000001,
        "cache_write_rate": 12.50, "regional_permille": 1150, "aws_sku": "ABC",
        "long_context": {"above_prompt_tokens": 100000, "input_rate": 1, "output_rate": 2, "cache_read_rate": "0.3",
            "cache_write_rate": 4, "cache_write_1h_rate": 5}}"#;
    let path = "/admin/pricing/anthropic.claude-opus-5-5";
    let set = admin.send("PUT", path, body).await;
    assert_eq!(set.status, 200, "{}", set.text);
    let price = set.json();
    assert_eq!(price["model"], "claude-opus-5-5");
    assert_eq!(
        price["rates"],
        json!({"input_nano_usd": 100_000_000, "output_nano_usd": 33_333_333_333_i64, "cache_read_nano_usd": 1,
            "cache_write_5m_nano_usd": 12_500_000_000_i64, "cache_write_1h_nano_usd": 200_000_000})
    );
    assert_eq!(price["long_context"]["rates"]["cache_read_nano_usd"], 300_000_000);
    assert_eq!(
        (&price["source"], &price["aws_sku"], &price["valid_until"]),
        (&json!("admin"), &json!("ABC"), &json!(null))
    );
    let listed = admin.get("/admin/pricing?model=claude-opus-5-5").await.json();
    assert_eq!(listed["prices"], json!([price]));
    assert_eq!(admin.send("DELETE", path, "").await.status, 204);
    let reset = admin.get("/admin/pricing?model=claude-opus-5-5").await.json();
    assert_eq!(reset["prices"][0]["rates"]["input_nano_usd"], 4_000_000_000_i64);
    assert_eq!(reset["prices"][0]["source"], "built-in");
    let history = admin
        .get("/admin/pricing?model=claude-opus-5-5&history=true")
        .await
        .json();
    assert_eq!(history["prices"].as_array().unwrap().len(), 3);
    plane.stop().await;
}

#[tokio::test]
async fn wrong_prices_and_models_are_refused_by_the_field_that_is_wrong() {
    let (_db, plane, admin) = admin().await;
    let path = "/admin/pricing/claude-opus-5-5";
    for (wrong, field) in [
        (json!({"input_rate": "0"}), "input_rate"),
        (json!({"cache_read_rate": "-1"}), "cache_read_rate"),
        (json!({"output_rate": "1e3"}), "output_rate"),
        (json!({"output_rate": "0.0000000001"}), "output_rate"),
        (json!({"output_rate": "100001"}), "output_rate"),
        (json!({"gov_permille": 0}), "gov_permille"),
        (json!({"mantle_permille": 100_001}), "mantle_permille"),
        (json!({"colour": 1}), "colour"),
    ] {
        let mut body = price("1");
        for (name, value) in wrong.as_object().unwrap() {
            body[name] = value.clone();
        }
        refused(&admin.send("PUT", path, &body.to_string()).await, 400, field);
    }
    let unknown = admin
        .send("PUT", "/admin/pricing/claude-nonesuch", &price("1").to_string())
        .await;
    assert_eq!(unknown.status, 404, "{}", unknown.text);
    for (wrong, status, field) in [
        (json!({"name": "a b"}), 400, "name"),
        (json!({"name": "claude-haiku-4-5"}), 409, "name"),
        (json!({"name": "claude-haiku-4-5-20251001"}), 409, "name"),
        (json!({"aliases": ["claude-opus-5-5"]}), 409, "aliases"),
        (
            json!({"aliases": ["us.anthropic.claude-opus-5-5[1m]"]}),
            409,
            "aliases",
        ),
        (
            json!({"bedrock_id": "anthropic.claude-opus-5-5"}),
            409,
            "bedrock_id",
        ),
        (
            json!({"bedrock_id": "us.anthropic.claude-new"}),
            400,
            "bedrock_id",
        ),
        (json!({"geographies": []}), 400, "geographies"),
        (json!({"geographies": ["mars"]}), 400, "geographies[0]"),
        (json!({"context_tokens": 0}), 400, "context_tokens"),
    ] {
        let mut body =
            json!({"name": "claude-new", "bedrock_id": "anthropic.claude-new", "geographies": ["global"]});
        for (name, value) in wrong.as_object().unwrap() {
            body[name] = value.clone();
        }
        refused(&admin.post("/admin/models", body).await, status, field);
    }
    let renamed = json!({"name": "other", "bedrock_id": "anthropic.claude-opus-5-5", "on_demand": true});
    refused(
        &admin
            .send("PUT", "/admin/models/claude-opus-5-5", &renamed.to_string())
            .await,
        400,
        "name",
    );
    plane.stop().await;
}

#[tokio::test]
async fn an_import_that_reads_nothing_is_an_error() {
    let (_db, plane, admin) = admin().await;
    let header = LIST_CSV.lines().nth(5).unwrap();
    let only_cohere: String = LIST_CSV
        .lines()
        .filter(|line| !line.contains("Claude"))
        .map(|line| format!("{line}\n"))
        .collect();
    let only_unknown: String = LIST_CSV
        .lines()
        .filter(|line| !line.contains("Claude") || line.contains("Claude Opus 9 "))
        .map(|line| format!("{line}\n"))
        .collect();
    for (file, says) in [
        (String::new(), "not a price list"),
        (format!("{header}\n"), "0 prices"),
        (only_cohere, "none of them"),
        (only_unknown, "none that is in the catalogue"),
        ("{\"products\":{}}".to_owned(), "not a price list"),
        ("{\"products\":{},\"terms\":{}}".to_owned(), "0 prices"),
        ("<html>Not found</html>".to_owned(), "not a price list"),
    ] {
        let answer = admin.send("POST", "/admin/pricing/import", &file).await;
        assert_eq!(answer.status, 400, "{file:.60}: {}", answer.text);
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(says), "{detail}");
    }
    // The file without its five lines is read as well, and a dry run says what it would do.
    let bare = &LIST_CSV[LIST_CSV.find("\"SKU\"").unwrap()..];
    let answer = admin
        .send("POST", "/admin/pricing/import?dry_run=true", bare)
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(
        answer.json()["changed"][0]["before"]["rates"]["input_nano_usd"],
        4_000_000_000_i64
    );
    plane.stop().await;
}

#[tokio::test]
async fn members_see_models_and_prices_and_change_neither() {
    let (_db, plane, admin) = admin().await;
    let (member, _) = admin.new_member("member").await;
    for path in [
        "/admin/models",
        "/admin/models/claude-opus-5-5",
        "/admin/pricing?history=true",
    ] {
        assert_eq!(member.get(path).await.status, 200, "{path}");
    }
    let model = json!({"bedrock_id": "anthropic.claude-new", "on_demand": true}).to_string();
    for (method, path, body) in [
        ("POST", "/admin/models", model.as_str()),
        ("PUT", "/admin/models/claude-opus-5-5", model.as_str()),
        ("DELETE", "/admin/models/claude-opus-5-5", ""),
        ("PUT", "/admin/pricing/claude-opus-5-5", &price("1").to_string()),
        ("DELETE", "/admin/pricing/claude-opus-5-5", ""),
        ("POST", "/admin/pricing/import", LIST_CSV),
    ] {
        let answer = member.send(method, path, body).await;
        assert_eq!(answer.status, 403, "{method} {path}: {}", answer.text);
    }
    plane.stop().await;
}
