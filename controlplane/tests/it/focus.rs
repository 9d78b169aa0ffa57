//! The ledger in the form of FOCUS.

use crate::support::{NOON, Plane, SYSTEM, TestDb, on_both, record};
use ccag_admin_api::{ExportQuery, FocusRow};
use ccag_controlplane::app::intake::{Incoming, take_in};
use ccag_controlplane::app::{focus, usage};
use ccag_domain::time::HOUR_MS;
use ccag_domain::{Actor, ModelName, NanoUsd, TeamId, UsageRecord, UserId};
use futures_util::TryStreamExt;
use serde_json::json;

on_both!(
    charges_add_up_to_the_ledger_hour_by_hour,
    members_see_their_own_charges_and_no_endpoints,
);

fn everything() -> ExportQuery {
    ExportQuery {
        days: Some(3_650),
        ..ExportQuery::default()
    }
}

async fn charges(plane: &Plane, actor: &Actor) -> Vec<FocusRow> {
    let pages = focus::export(plane.app(), actor, &everything()).await.unwrap();
    let pages: Vec<_> = pages.try_collect().await.unwrap();
    pages.into_iter().flatten().collect()
}

fn nano(usd: &str) -> i64 {
    NanoUsd::parse_usd(usd).unwrap().0
}

async fn take(plane: &Plane, records: Vec<UsageRecord>) {
    let records = records
        .into_iter()
        .map(|record| Incoming::Record(Box::new(record)));
    take_in(plane.app(), "rep_test", records.collect()).await.unwrap();
}

async fn charges_add_up_to_the_ledger_hour_by_hour(db: TestDb) {
    let plane = Plane::start(&db).await;
    // More than one page of the ledger, in five hours; some with searches, some of a model that has no price of its own.
    let records = (0..2_500u64).map(|seed| {
        let mut record = record(seed);
        record.started_at_ms = NOON - 5 * HOUR_MS + i64::try_from(seed).unwrap() * 7_000;
        record.tokens.input = seed * 13 % 977;
        record.web_searches = u32::from(seed % 50 == 0);
        if seed % 3 == 0 {
            record.model = ModelName::canonical("claude-haiku-4-5");
        }
        if seed % 7 == 0 {
            record.model = ModelName::canonical("claude-opus-99");
        }
        record
    });
    take(&plane, records.collect()).await;
    let pages = usage::export(plane.app(), &SYSTEM, &everything()).await.unwrap();
    let ledger: Vec<_> = pages
        .try_collect::<Vec<_>>()
        .await
        .unwrap()
        .into_iter()
        .flatten()
        .collect();
    assert_eq!(ledger.len(), 2_500);
    let rows = charges(&plane, &SYSTEM).await;
    let booked: i64 = ledger.iter().map(|row| row.cost_nano_usd.0).sum();
    assert_eq!(rows.iter().map(|row| nano(&row.cost)).sum::<i64>(), booked);
    let hours: std::collections::BTreeSet<_> = rows.iter().map(|row| row.charge_period.0.as_str()).collect();
    assert_eq!(hours.len(), 5, "{hours:?}");
    assert!(rows.is_sorted_by_key(|row| &row.charge_period.0));
    let output: i64 = rows
        .iter()
        .filter(|row| row.meter == "Output tokens")
        .map(|row| row.consumed.0.parse::<i64>().unwrap())
        .sum();
    let used: u64 = ledger.iter().map(|row| row.output_tokens).sum();
    assert_eq!(u64::try_from(output).unwrap(), used);
    // A charge is its quantity times its price, but for the rounding of each of its requests.
    for row in &rows {
        let quantity: i128 = row.consumed.0.parse().unwrap();
        let each = i128::from(nano(&row.unit_price));
        let product = if row.pricing.1 == "Searches" {
            quantity * each
        } else {
            quantity * each / 1_000_000
        };
        let off = (i128::from(nano(&row.cost)) - product).abs();
        assert!(off <= 6 * 2_500, "{row:?}: {off}");
    }
    assert!(
        rows.iter()
            .any(|row| row.meter == "Web searches" || row.tags.contains("\"price_assumed\":true"))
    );
    // The same over HTTP, as a file.
    let admin = plane.admin().await;
    let file = admin.get("/admin/usage/focus?days=3650").await;
    assert_eq!(file.status, 200);
    assert_eq!(file.text.lines().count(), rows.len() + 1);
    assert!(file.text.starts_with("BilledCost,BillingAccountId,"));
    let refused = admin.get("/admin/usage/focus?format=jsonl").await;
    assert_eq!(
        (refused.status.as_u16(), &refused.json()["field"]),
        (400, &json!("format"))
    );
    plane.stop().await;
}

async fn members_see_their_own_charges_and_no_endpoints(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let team = admin.post("/admin/teams", json!({"name": "=Red"})).await.id();
    let team = TeamId::parse(&team).unwrap();
    let (ada, id) = admin.new_member("ada").await;
    let id = UserId::parse(&id).unwrap();
    let mut hers = record(1);
    (hers.user_id, hers.team_id, hers.started_at_ms) = (Some(id), Some(team), NOON - HOUR_MS);
    take(&plane, vec![hers, record(2)]).await;
    let file = ada.get("/admin/usage/focus?days=3650").await;
    assert_eq!(file.status, 200);
    let lines: Vec<&str> = file.text.lines().skip(1).collect();
    assert!(!lines.is_empty());
    for line in &lines {
        assert!(
            line.contains("\"'=Red\"") && line.contains("ada") && line.contains(",Endpoint,"),
            "{line}"
        );
    }
    let all = admin.get("/admin/usage/focus?days=3650").await;
    assert!(all.text.lines().count() > lines.len() + 1);
    plane.stop().await;
}
