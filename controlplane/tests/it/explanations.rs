//! How requests were decided: kept with their records, shown to those who may see it, and forgotten in time.

use crate::breaking::Breaking;
use crate::console::{Browser, element};
use crate::support::{Caller, NOON, Plane, TestDb, config, on_both, record};
use ccag_controlplane::app::explanations::forget_old;
use ccag_controlplane::app::intake::{Incoming, Receipt, take_in, understand};
use ccag_domain::explanation::{BudgetChecked, KeyShown, RefusedFor};
use ccag_domain::time::DAY_MS;
use ccag_domain::{Explanation, NanoUsd, UsageRecord, UserId};
use ccag_proto::v1;
use ccag_proto::v1::usage_client::UsageClient;
use prost::Message;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

on_both!(
    a_record_and_what_explains_it_are_stored_together_and_once,
    the_lines_of_a_cost_follow_the_ledger_when_it_is_repriced,
    whatever_an_explanation_is_its_record_is_in_the_ledger,
    refusals_arrive_without_records_and_once,
    members_see_their_own_and_nothing_else_exists_for_them,
    what_is_old_is_forgotten_and_the_ledger_answers_in_its_place,
);

const ROWS: &str = "SELECT COUNT(*) FROM request_explanations";

fn path(id: impl std::fmt::Display) -> String {
    format!("/admin/requests/{id}/explanation")
}

fn of(record: &UsageRecord) -> Explanation {
    Explanation {
        version: 1,
        request_id: record.request_id.to_string(),
        at_ms: record.started_at_ms,
        status: record.status,
        outcome: "completed".into(),
        key: KeyShown {
            id: record.key_id.to_string(),
            user_id: record.user_id.as_ref().map(ToString::to_string),
            header: "x-api-key".into(),
            verdict: "valid".into(),
            ..KeyShown::default()
        },
        budgets: vec![BudgetChecked {
            id: "bud_1".into(),
            spent_nano_usd: NanoUsd(5),
            verdict: "passed".into(),
            ..BudgetChecked::default()
        }],
        ..Explanation::default()
    }
}

fn explained(seed: u64) -> UsageRecord {
    let record = record(seed);
    let explanation = Some(Box::new(of(&record)));
    UsageRecord {
        explanation,
        ..record
    }
}

async fn take(plane: &Plane, records: impl IntoIterator<Item = UsageRecord>) -> Receipt {
    let batch = records.into_iter().map(|record| {
        // As it comes over the wire.
        understand(v1::UsageRecord::from(record).encode_to_vec())
    });
    take_in(plane.app(), "rep_test", batch.collect()).await.unwrap()
}

async fn ask(caller: &Caller, id: impl std::fmt::Display) -> Value {
    let answer = caller.get(&path(id)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

fn nano(value: &Value) -> i64 {
    value.as_i64().unwrap()
}

/// What the lines add up to.
fn sum(cost: &Value) -> i64 {
    let lines = cost["lines"].as_array().unwrap().iter();
    let lines: i64 = lines.map(|line| nano(&line["amount_nano_usd"])).sum();
    let searches = cost["searches"]["amount_nano_usd"].as_i64().unwrap_or(0);
    lines + searches + nano(&cost["rounding_nano_usd"]) + nano(&cost["unexplained_nano_usd"])
}

async fn a_record_and_what_explains_it_are_stored_together_and_once(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let one = explained(1);
    let receipt = take(&plane, [one.clone(), record(2)]).await;
    assert_eq!((receipt.stored, receipt.duplicates), (2, 0));
    assert_eq!(db.count(ROWS).await, 1);
    let again = take(&plane, [one.clone()]).await;
    assert_eq!((again.stored, again.duplicates), (0, 1));
    assert_eq!(db.count(ROWS).await, 1);

    // Pasted with what surrounds it.
    for id in [one.request_id.to_string(), format!("%20%09{}%0A", one.request_id)] {
        let told = ask(&admin, id).await;
        assert_eq!(told["source"], "data_plane");
        assert_eq!(told["request_id"], one.request_id.as_str());
        assert_eq!(told["explanation"]["budgets"][0]["id"], "bud_1");
        assert_eq!(told["ledger"]["id"], one.id.as_str());
        assert_eq!(told["kept_until"], "2026-12-24T11:59:59.000Z");
        let cost = &told["cost"];
        assert_eq!(cost["lines"].as_array().unwrap().len(), 5);
        assert_eq!(cost["unexplained_nano_usd"], 0);
        assert_eq!(sum(cost), nano(&told["ledger"]["cost_nano_usd"]));
        assert_eq!(cost["total_nano_usd"], told["ledger"]["cost_nano_usd"]);
        assert_eq!(
            (&cost["premium"], &cost["permille"]),
            (&json!("regional"), &json!(1_100))
        );
        assert_eq!(cost["price_id"], told["ledger"]["price_id"]);
    }
    plane.stop().await;
}

async fn the_lines_of_a_cost_follow_the_ledger_when_it_is_repriced(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let rules = json!({"mode": "enabled", "price_nano_usd": 10_000_000});
    let set = admin
        .send("PUT", "/admin/websearch-mode", &rules.to_string())
        .await;
    assert_eq!(set.status, 200, "{}", set.text);
    let one = UsageRecord {
        web_searches: 3,
        ..explained(1)
    };
    take(&plane, [one.clone()]).await;
    let before = ask(&admin, &one.request_id).await;
    assert_eq!(
        before["cost"]["searches"],
        json!({"count": 3, "amount_nano_usd": 30_000_000})
    );
    assert_eq!(sum(&before["cost"]), nano(&before["ledger"]["cost_nano_usd"]));

    // The price was wrong all along: the first one that is stored counts for what came before it.
    let own = db.connect().await;
    let dearer = "UPDATE prices SET output = output * 3 WHERE model = 'claude-opus-5-5'";
    own.execute_unprepared(dearer).await.unwrap();
    own.close().await.unwrap();
    let wrong = ask(&admin, &one.request_id).await;
    assert_eq!(
        sum(&wrong["cost"]),
        nano(&wrong["ledger"]["cost_nano_usd"]),
        "never more than the ledger has"
    );
    let body = json!({"from": "2026-11-01", "to": "2026-12-01", "reason": "it was wrong"});
    let done = admin.post("/admin/usage/reprice", body).await;
    assert_eq!(done.status, 200, "{}", done.text);
    let after = ask(&admin, &one.request_id).await;
    let cost = nano(&after["ledger"]["cost_nano_usd"]);
    assert!(cost > nano(&before["ledger"]["cost_nano_usd"]));
    assert_eq!(
        (sum(&after["cost"]), &after["cost"]["unexplained_nano_usd"]),
        (cost, &json!(0))
    );
    plane.stop().await;
}

async fn whatever_an_explanation_is_its_record_is_in_the_ledger(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    // As data planes of earlier releases say it, and as those of this one do.
    let json = |seed, text: &[u8]| v1::UsageRecord {
        explanation: Some(text.to_vec().into()),
        ..v1::UsageRecord::from(record(seed))
    };
    let decided = |seed, bytes: &[u8]| v1::UsageRecord {
        decided: Some(bytes.to_vec().into()),
        ..v1::UsageRecord::from(record(seed))
    };
    let (earlier, long) = (record(8), "x".repeat(20_000));
    let messages = [
        json(1, b"not json"),
        json(2, br#"{"budgets":"none"}"#),
        json(3, b""),
        json(4, &[0xff, 0x00]),
        decided(5, b"{}"),
        decided(6, &[0xff; 30_000]),
        v1::UsageRecord::from(explained(7)),
        json(8, of(&earlier).to_json().as_bytes()),
        json(9, format!("{{\"replica_id\":\"{long}\"}}").as_bytes()),
    ];
    let batch: Vec<Incoming> = messages
        .iter()
        .map(|message| understand(message.encode_to_vec()))
        .collect();
    let receipt = take_in(plane.app(), "rep_test", batch).await.unwrap();
    assert_eq!((receipt.stored, receipt.quarantined.len()), (9, 0));
    assert_eq!(db.count(ROWS).await, 3);
    let told = ask(&admin, &earlier.request_id).await;
    assert_eq!(
        (&told["source"], &told["explanation"]["key"]["verdict"]),
        (&json!("data_plane"), &json!("valid"))
    );
    let longest = "SELECT CAST(MAX(LENGTH(explanation)) AS BIGINT) FROM request_explanations";
    assert!(db.count(longest).await < 8_193);

    // Not even a database that refuses it.
    let sql = if db.is_postgres() {
        "ALTER TABLE request_explanations ADD CONSTRAINT no_more CHECK (status < 0) NOT VALID"
    } else {
        "CREATE TRIGGER no_more BEFORE INSERT ON request_explanations BEGIN SELECT RAISE(ABORT, 'no'); END"
    };
    let own = db.connect().await;
    own.execute_unprepared(sql).await.unwrap();
    own.close().await.unwrap();
    let receipt = take(&plane, [explained(10), explained(11)]).await;
    assert_eq!((receipt.stored, receipt.quarantined.len()), (2, 0));
    assert_eq!(db.count("SELECT COUNT(*) FROM usage_records").await, 11);
    let summed = "SELECT CAST(SUM(requests) AS BIGINT) FROM usage_rollups_hourly";
    assert_eq!(db.count(summed).await, 11);
    assert_eq!(db.count(ROWS).await, 3);
    let told = ask(&admin, &record(10).request_id).await;
    assert_eq!(told["source"], "ledger");
    plane.stop().await;
}

#[tokio::test]
async fn nothing_is_acknowledged_that_a_broken_connection_took_with_it() {
    let db = TestDb::postgres().await;
    let way = Breaking::start(&db, b"SAVEPOINT").await;
    let mut config = config(&db);
    config.database.url.clone_from(&way.url);
    let plane = Plane::start_with(config).await;
    let batch = || {
        let message = v1::UsageRecord::from(explained(1)).encode_to_vec();
        vec![understand(message)]
    };
    way.arm(true);
    take_in(plane.app(), "rep_test", batch()).await.unwrap_err();
    assert_eq!(db.count("SELECT COUNT(*) FROM usage_records").await, 0);
    way.arm(false);
    let receipt = take_in(plane.app(), "rep_test", batch()).await.unwrap();
    assert_eq!((receipt.stored, receipt.duplicates), (1, 0));
    assert_eq!(db.count(ROWS).await, 1);
    plane.stop().await;
}

fn refusal(n: u32, user: Option<&UserId>) -> Explanation {
    Explanation {
        request_id: format!("req_refused{n}"),
        status: 429,
        outcome: "refused".into(),
        refusal: Some(RefusedFor {
            stage: "budget".into(),
            code: "budget-exceeded".into(),
            message: "The team's budget is used up.".into(),
            field: None,
        }),
        key: KeyShown {
            id: "key_test".into(),
            user_id: user.map(ToString::to_string),
            ..KeyShown::default()
        },
        at_ms: NOON,
        ..Explanation::default()
    }
}

async fn report(plane: &Plane, explanations: Vec<Vec<u8>>) {
    let batch = v1::UsageBatch {
        sequence: 1,
        records: Vec::new(),
        replica_id: "rep_test".into(),
        explanations: explanations.into_iter().map(Into::into).collect(),
    };
    let mut client = UsageClient::new(plane.channel().await);
    let acks = client.report(tokio_stream::once(batch)).await.unwrap();
    let ack = acks.into_inner().message().await.unwrap().unwrap();
    assert_eq!((ack.sequence, ack.quarantined.len()), (1, 0));
}

async fn refusals_arrive_without_records_and_once(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let json = |told: Explanation| told.to_json().into_bytes();
    let mut nameless = refusal(3, None);
    nameless.request_id = "3".into();
    let mut timeless = refusal(4, None);
    timeless.at_ms = 0;
    let batch = vec![
        json(refusal(1, None)),
        b"\xff".to_vec(),
        json(nameless),
        json(timeless),
        json(refusal(2, None)),
    ];
    report(&plane, batch.clone()).await;
    report(&plane, batch).await;
    assert_eq!(db.count(ROWS).await, 2);
    let told = ask(&admin, "req_refused2").await;
    assert_eq!((&told["cost"], &told["ledger"]), (&Value::Null, &Value::Null));
    assert_eq!(told["explanation"]["refusal"]["code"], "budget-exceeded");
    plane.stop().await;
}

async fn members_see_their_own_and_nothing_else_exists_for_them(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let (mira, id) = admin.new_member("mira").await;
    let (noor, _) = admin.new_member("noor").await;
    let id = UserId::parse(&id).unwrap();
    let mut own = UsageRecord {
        user_id: Some(id.clone()),
        ..record(1)
    };
    let mut told = of(&own);
    told.attempts = vec![ccag_domain::explanation::Attempted {
        bedrock_model: "arn:aws:bedrock:eu-central-1:111122223333:application-inference-profile/x".into(),
        ..Default::default()
    }];
    own.explanation = Some(Box::new(told));
    let bare = UsageRecord {
        user_id: Some(id.clone()),
        ..record(2)
    };
    take(&plane, [own.clone(), bare.clone(), explained(3)]).await;
    report(&plane, vec![refusal(1, Some(&id)).to_json().into_bytes()]).await;

    for (id, arn) in [
        (own.request_id.to_string(), true),
        (bare.request_id.to_string(), false),
    ] {
        let shown = ask(&mira, &id).await;
        assert_eq!(shown["user_name"], "mira");
        assert!(!shown.to_string().contains("111122223333"));
        assert_eq!(shown["ledger"]["bedrock_model"], Value::Null);
        assert_eq!(ask(&admin, &id).await.to_string().contains("111122223333"), arn);
    }
    assert_eq!(ask(&mira, "req_refused1").await["explanation"]["status"], 429);
    let unknown = noor.get(&path("req_nothing")).await;
    assert_eq!(unknown.status, 404);
    let words = |text: &str, id: &str| text.replace(id, "…");
    for id in [own.request_id.as_str(), bare.request_id.as_str(), "req_refused1"] {
        let refused = noor.get(&path(id)).await;
        assert_eq!(refused.status, 404, "{}", refused.text);
        let (a, b) = (refused.json(), unknown.json());
        let detail = |json: &Value, id: &str| words(json["detail"].as_str().unwrap(), id);
        assert_eq!(detail(&a, id), detail(&b, "req_nothing"));
    }
    // A key without a user is nobody's.
    assert_eq!(mira.get(&path(&record(3).request_id)).await.status, 404);
    assert_eq!(plane.caller().get(&path("req_refused1")).await.status, 401);
    plane.stop().await;
}

async fn what_is_old_is_forgotten_and_the_ledger_answers_in_its_place(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let one = explained(1);
    take(&plane, [one.clone()]).await;
    report(&plane, vec![refusal(1, None).to_json().into_bytes()]).await;
    plane.clock.0.store(NOON + 29 * DAY_MS, Ordering::Relaxed);
    assert_eq!(forget_old(plane.app()).await.unwrap(), 0);
    plane.clock.0.store(NOON + 30 * DAY_MS, Ordering::Relaxed);
    assert_eq!(
        forget_old(plane.app()).await.unwrap(),
        1,
        "the one that arrived a second earlier"
    );
    plane.clock.0.store(NOON + 31 * DAY_MS, Ordering::Relaxed);
    assert_eq!(forget_old(plane.app()).await.unwrap(), 1);
    // The session has ended meanwhile.
    let admin = Caller { token: None, ..admin }
        .login("admin", crate::support::PASSWORD)
        .await;
    let told = ask(&admin, &one.request_id).await;
    assert_eq!(
        (&told["source"], &told["kept_until"]),
        (&json!("ledger"), &Value::Null)
    );
    assert!(
        told["note"].as_str().unwrap().contains("kept for 30 days"),
        "{told}"
    );
    assert_eq!(told["explanation"]["key"]["id"], "key_test");
    assert_eq!(told["explanation"]["attempts"][0]["aws_request_id"], "7d6b3a");
    assert_eq!(sum(&told["cost"]), nano(&told["ledger"]["cost_nano_usd"]));
    let gone = admin.get(&path("req_refused1")).await;
    assert_eq!(gone.status, 404);
    assert!(
        gone.text.contains("kept for 30 days") && gone.text.contains("within seconds"),
        "{}",
        gone.text
    );
    let no_id = admin.get(&path("use_1")).await;
    assert_eq!(no_id.status, 404);
    assert!(no_id.text.contains("begins with `req_`"), "{}", no_id.text);
    plane.stop().await;
}

#[tokio::test]
async fn the_console_explains_a_request_by_its_id_and_says_what_is_wrong_with_another() {
    let db = TestDb::sqlite().await;
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let (mira, _) = admin.new_member("mira").await;
    let one = explained(1);
    take(&plane, [one.clone()]).await;
    let browser = Browser::of(&admin);
    let form = browser.get("/console/requests").await;
    assert_eq!(form.status, 200);
    assert!(element(&form, "request-id").contains("name=\"id\""));
    assert!(
        browser
            .get("/console")
            .await
            .text
            .contains("href=\"/console/requests\"")
    );

    // A form without JavaScript: what was pasted leads to the page.
    let found = browser
        .get(&format!("/console/requests?id=+{}%0A", one.request_id))
        .await;
    assert_eq!(found.status, 303);
    let page = found.headers["location"].to_str().unwrap().to_owned();
    assert_eq!(page, format!("/console/requests/{}", one.request_id));
    let shown = browser.get(&page).await;
    assert_eq!(shown.status, 200, "{}", shown.text);
    for part in ["bud_1", "in the ledger", "profile of a geography", "Kept until"] {
        assert!(shown.text.contains(part), "{part}: {}", shown.text);
    }

    for (browser, path, says) in [
        (
            &browser,
            "/console/requests/req_nothing".to_owned(),
            "kept for 30 days",
        ),
        (
            &browser,
            "/console/requests/hello%20there".to_owned(),
            "is not the id of a request",
        ),
        (&Browser::of(&mira), page.clone(), "Nothing is known"),
    ] {
        let missing = browser.get(&path).await;
        assert_eq!(missing.status, 404, "{path}");
        assert!(missing.text.contains(says), "{path}: {}", missing.text);
        assert!(element(&missing, "request-id").contains("aria-invalid"), "{path}");
    }
    let blank = browser.get("/console/requests?id=++").await;
    assert_eq!(blank.status, 200);
    assert!(!element(&blank, "request-id").contains("aria-invalid"));
    plane.stop().await;
}

#[tokio::test]
async fn a_gateway_that_keeps_none_says_so_and_answers_from_the_ledger() {
    let db = TestDb::sqlite().await;
    let mut config = config(&db);
    config.explanation_days = 0;
    let plane = Plane::start_with(config).await;
    let admin = plane.admin().await;
    take(&plane, [explained(1)]).await;
    report(&plane, vec![refusal(1, None).to_json().into_bytes()]).await;
    assert_eq!(db.count(ROWS).await, 0);
    let told = ask(&admin, &record(1).request_id).await;
    assert_eq!(told["source"], "ledger");
    assert!(told["note"].as_str().unwrap().contains("CCAG_EXPLANATION_DAYS"));
    plane.stop().await;
}
