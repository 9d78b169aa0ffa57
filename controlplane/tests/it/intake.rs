//! Usage: counted once, priced always, never blocked by one bad record.

use crate::support::{NOON, Plane, SYSTEM, TestDb, on_both, record};
use ccag_admin_api::{ExportQuery, GroupBy, UsageQuery};
use ccag_controlplane::app::intake::{Incoming, Receipt, take_in};
use ccag_controlplane::app::usage;
use ccag_domain::{ModelName, NanoUsd, Outcome, Tokens, UsageRecord};
use futures_util::TryStreamExt;
use sea_orm::ConnectionTrait;

on_both!(
    a_record_counts_once_however_often_it_arrives,
    two_intakes_of_the_same_records_at_once_count_them_once,
    a_batch_beyond_the_bind_limits_goes_in,
    one_bad_record_does_not_hold_up_the_rest,
    what_the_database_refuses_is_put_aside_alone,
    text_from_clients_never_keeps_a_record_out,
    nothing_is_free,
    the_lane_is_part_of_the_cost,
    sums_equal_the_ledger,
);

fn incoming(records: impl IntoIterator<Item = UsageRecord>) -> Vec<Incoming> {
    records
        .into_iter()
        .map(|r| Incoming::Record(Box::new(r)))
        .collect()
}

async fn take(plane: &Plane, records: impl IntoIterator<Item = UsageRecord>) -> Receipt {
    take_in(plane.app(), "rep_test", incoming(records)).await.unwrap()
}

async fn ledger(plane: &Plane) -> Vec<ccag_admin_api::LedgerRow> {
    let query = ExportQuery {
        days: Some(3_650),
        ..ExportQuery::default()
    };
    let pages = usage::export(plane.app(), &SYSTEM, &query).await.unwrap();
    let pages: Vec<_> = pages.try_collect().await.unwrap();
    pages.into_iter().flatten().collect()
}

async fn total(plane: &Plane) -> ccag_admin_api::UsageTotals {
    usage::summary(plane.app(), &SYSTEM, UsageQuery::default())
        .await
        .unwrap()
        .total
}

async fn a_record_counts_once_however_often_it_arrives(db: TestDb) {
    let plane = Plane::start(&db).await;
    let first = take(&plane, [record(1), record(2), record(1)]).await;
    assert_eq!((first.stored, first.duplicates), (2, 1));
    let again = take(&plane, [record(2), record(3)]).await;
    assert_eq!((again.stored, again.duplicates), (1, 1));
    assert_eq!(ledger(&plane).await.len(), 3);
    let total = total(&plane).await;
    assert_eq!((total.requests, total.output_tokens), (3, 60));
    // Opus 5.5 through a us profile: 1.1 × (10×4 + 20×20 + 30×0.2 + 40×5 + 50×8) dollars per million tokens.
    assert_eq!(total.cost_nano_usd, NanoUsd(3 * 1_150_600));
    plane.stop().await;
}

async fn two_intakes_of_the_same_records_at_once_count_them_once(db: TestDb) {
    let (a, b) = (Plane::start(&db).await, Plane::start(&db).await);
    for round in 0..5u64 {
        let forward = (0..200).map(|i| record(round * 1_000 + i));
        let backward = (0..200).rev().map(|i| record(round * 1_000 + i));
        let (x, y) = tokio::join!(take(&a, forward), take(&b, backward));
        assert_eq!((x.stored + y.stored, x.duplicates + y.duplicates), (200, 200));
    }
    assert_eq!(total(&a).await.requests, 1_000);
    assert_eq!(ledger(&b).await.len(), 1_000);
    a.stop().await;
    b.stop().await;
}

async fn a_batch_beyond_the_bind_limits_goes_in(db: TestDb) {
    let plane = Plane::start(&db).await;
    let receipt = take(
        &plane,
        (0..5_000).map(|i| {
            let mut record = record(i);
            // Many sums as well: one for each key.
            record.key_id = ccag_domain::KeyId::parse(&format!("key_{}", i % 2_500)).unwrap();
            record
        }),
    )
    .await;
    assert_eq!(receipt.stored, 5_000);
    assert_eq!(total(&plane).await.requests, 5_000);
    assert_eq!(ledger(&plane).await.len(), 5_000);
    plane.stop().await;
}

async fn one_bad_record_does_not_hold_up_the_rest(db: TestDb) {
    let plane = Plane::start(&db).await;
    let mut bad: Vec<_> = (1..=4).map(record).collect();
    bad[0].tokens.input = u64::MAX;
    bad[1].started_at_ms = i64::MAX;
    bad[2].model = ModelName::canonical("a\0b");
    bad[3].model = ModelName::canonical(&"x".repeat(300));
    let ids: Vec<_> = bad.iter().map(|r| r.id.to_string()).collect();
    let receipt = take(&plane, bad.clone().into_iter().chain((10..20).map(record))).await;
    assert_eq!((receipt.stored, receipt.quarantined), (10, ids));
    assert_eq!(db.count("SELECT COUNT(*) FROM usage_quarantine").await, 4);
    // Sent again, since the acknowledgement got lost: put aside again, once.
    take(&plane, bad).await;
    assert_eq!(db.count("SELECT COUNT(*) FROM usage_quarantine").await, 4);
    plane.stop().await;
}

async fn what_the_database_refuses_is_put_aside_alone(db: TestDb) {
    let plane = Plane::start(&db).await;
    let own = db.connect().await;
    let rule = if db.is_postgres() {
        "ALTER TABLE usage_records ADD CONSTRAINT no_poison CHECK (error IS NULL OR error <> 'poison')"
    } else {
        "CREATE TRIGGER no_poison BEFORE INSERT ON usage_records WHEN NEW.error = 'poison' \
         BEGIN SELECT RAISE(ABORT, 'poison'); END"
    };
    own.execute_unprepared(rule).await.unwrap();
    own.close().await.unwrap();
    let records = (0..100).map(|i| {
        let mut record = record(i);
        if i % 40 == 7 {
            record.error = Some("poison".into());
        }
        record
    });
    let receipt = take(&plane, records).await;
    assert_eq!(
        (receipt.stored, receipt.duplicates, receipt.quarantined.len()),
        (97, 0, 3)
    );
    assert_eq!(total(&plane).await.requests, 97);
    plane.stop().await;
}

async fn text_from_clients_never_keeps_a_record_out(db: TestDb) {
    let plane = Plane::start(&db).await;
    let mut odd = record(1);
    odd.session_id = Some(format!("\0{}", "ü".repeat(5_000)));
    odd.error = Some("=cmd|' /C calc'!A0".into());
    odd.aws_request_id = Some("\u{1f600}".into());
    assert_eq!(take(&plane, [odd]).await.stored, 1);
    let row = ledger(&plane).await.remove(0);
    assert_eq!(row.session_id.as_ref().unwrap().chars().count(), 256);
    assert!(row.to_csv().contains("'=cmd"), "{}", row.to_csv());
    plane.stop().await;
}

async fn nothing_is_free(db: TestDb) {
    let plane = Plane::start(&db).await;
    let mut unknown = record(1);
    unknown.model = ModelName::canonical("claude-opus-9-9");
    let mut alias = record(2);
    alias.model = ModelName::canonical("claude-sonnet-4-0");
    let mut tiny = record(3);
    tiny.tokens = Tokens {
        cache_read: 1,
        ..Tokens::default()
    };
    take(&plane, [unknown, alias, tiny]).await;
    let rows = ledger(&plane).await;
    assert!(rows.iter().all(|row| row.cost_nano_usd > NanoUsd::ZERO));
    let assumed: Vec<_> = rows
        .iter()
        .filter(|row| row.price_assumed)
        .map(|row| row.model.as_str())
        .collect();
    assert_eq!(assumed, ["claude-opus-9-9"]);
    assert!(
        rows.iter().any(|row| row.model == "claude-sonnet-4"),
        "an alias is the model"
    );
    plane.stop().await;
}

async fn the_lane_is_part_of_the_cost(db: TestDb) {
    let plane = Plane::start(&db).await;
    let records = [
        (ccag_domain::Lane::Mantle, ccag_domain::Geography::Global),
        (ccag_domain::Lane::Messages, ccag_domain::Geography::Global),
        (ccag_domain::Lane::Mantle, ccag_domain::Geography::UsGov),
    ];
    let records = (1..).zip(records).map(|(seed, (lane, geography))| {
        let mut record = record(seed);
        (record.surface, record.geography) = (lane, geography);
        record
    });
    take(&plane, records).await;
    let mut costs: Vec<_> = ledger(&plane)
        .await
        .iter()
        .map(|row| row.cost_nano_usd.0)
        .collect();
    costs.sort_unstable();
    // Opus 5.5: 10×4,000 + 20×20,000 + 30×200 + 40×5,000 + 50×8,000 nano-dollars; a tenth more, and a fifth more.
    assert_eq!(costs, [1_046_000, 1_150_600, 1_255_200]);
    plane.stop().await;
}

async fn sums_equal_the_ledger(db: TestDb) {
    let plane = Plane::start(&db).await;
    let team = ccag_domain::TeamId::parse("team_red").unwrap();
    for batch in 0..10u64 {
        take(
            &plane,
            (0..50).map(|i| {
                let seed = batch * 50 + i;
                let mut record = record(seed);
                record.started_at_ms = NOON - 1 - i64::try_from(seed).unwrap() * 977_000;
                record.team_id = (seed % 2 == 0).then(|| team.clone());
                record.tokens.output = seed;
                record.outcome = if seed % 10 == 0 {
                    Outcome::Cut
                } else {
                    Outcome::Completed
                };
                record.duration_ms = u32::try_from(seed).unwrap() + 1;
                record
            }),
        )
        .await;
    }
    let rows = ledger(&plane).await;
    let query = |group_by| UsageQuery {
        group_by,
        ..UsageQuery::default()
    };
    let by_day = usage::summary(plane.app(), &SYSTEM, query(Some(GroupBy::Day)))
        .await
        .unwrap();
    assert_eq!(by_day.total.requests, 500);
    assert_eq!(by_day.total.errors, 50);
    assert_eq!(
        by_day.total.output_tokens,
        rows.iter().map(|r| r.output_tokens).sum::<u64>()
    );
    assert_eq!(
        by_day.total.cost_nano_usd,
        rows.iter().map(|r| r.cost_nano_usd).sum::<NanoUsd>()
    );
    assert_eq!(by_day.groups.iter().map(|g| g.totals.requests).sum::<u64>(), 500);
    assert!(by_day.groups.len() >= 5 && by_day.groups.is_sorted_by_key(|g| g.id.clone()));
    let p99 = by_day.total.duration.unwrap().p99_ms;
    assert!((495..=600).contains(&p99), "{p99}");
    let by_team = usage::summary(plane.app(), &SYSTEM, query(Some(GroupBy::Team)))
        .await
        .unwrap();
    let found: Vec<_> = by_team
        .groups
        .iter()
        .map(|g| (g.id.as_deref(), g.totals.requests))
        .collect();
    assert!(
        found.contains(&(None, 250)) && found.contains(&(Some("team_red"), 250)),
        "{found:?}"
    );
    // Half a day only: whole hours from the one in which the range begins.
    let half = UsageQuery {
        from: Some((NOON - 43_200_000).into()),
        ..UsageQuery::default()
    };
    let half = usage::summary(plane.app(), &SYSTEM, half).await.unwrap();
    let expected = rows
        .iter()
        .filter(|row| row.started_at.ms() >= NOON - 43_200_000)
        .count();
    assert_eq!(half.total.requests, expected as u64);
    plane.stop().await;
}
