//! What lasts and has an end, and what drifts: told once, by one of several control planes.

use super::receiver::Receiver;
use super::{active, webhook};
use crate::support::{Caller, NOON, Plane, TestDb, on_both};
use ccag_admin_api::{ImportQuery, SkippedRows, Timestamp};
use ccag_controlplane::app::notifications::look;
use ccag_controlplane::app::{capabilities, pricing};
use ccag_domain::{Actor, EndpointId, LearntFact};
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

on_both!(
    what_lasts_is_told_when_it_begins_and_when_it_is_over_by_one_of_several,
    a_throttled_endpoint_is_told_after_five_minutes_and_what_goes_away_with_its_data_plane_is_not_over,
    a_spool_that_fills_is_told_at_half_and_when_it_is_nearly_full,
    prices_that_are_listed_differently_are_told_once,
    what_bedrock_refuses_is_told_once_and_no_more_often_than_every_six_hours,
);

const MINUTE: i64 = 60_000;

const LIST: &str = include_str!("../../fixtures/price-list.csv");

/// Two control planes on one database, and whoever is told.
struct Fixture {
    db: TestDb,
    planes: [Plane; 2],
    admin: Caller,
    receiver: Receiver,
    /// How much has been read of what was received.
    read: usize,
    now: i64,
}

impl Fixture {
    async fn new(db: TestDb) -> Self {
        let one = Plane::start(&db).await;
        let two = Plane::start(&db).await;
        let (admin, receiver) = (one.admin().await, Receiver::start().await);
        active(&admin, json!({"name": "Ops", "settings": webhook(&receiver)})).await;
        Self {
            db,
            planes: [one, two],
            admin,
            receiver,
            read: 1,
            now: NOON,
        }
    }

    async fn sql(&self, sql: &str) {
        let connection = self.db.connect().await;
        connection.execute_unprepared(sql).await.unwrap();
        connection.close().await.unwrap();
    }

    /// A data plane as it says it is. It is heard of at every look.
    async fn data_plane(&self, id: &str, more: &str) {
        self.sql(&format!(
            "INSERT INTO replicas (id, name, version, started_at_ms, connected, connected_to, applied_revision, rejected, \
             in_flight, spooled_records, draining, troubles, quota_use, spool_bytes, spool_max_bytes, last_seen_ms) VALUES \
             ('{id}', '{id}', '1', 0, true, 'ctl', 1000, '[]', 0, 7, false, '[]', '', 0, 1000, {})",
            self.now
        ))
        .await;
        self.say(id, more).await;
    }

    async fn say(&self, id: &str, what: &str) {
        self.sql(&format!("UPDATE replicas SET {what} WHERE id = '{id}'"))
            .await;
    }

    async fn endpoint(&self) -> String {
        let list = self.admin.get("/admin/endpoints").await.json();
        list["endpoints"][0]["id"].as_str().unwrap().to_owned()
    }

    async fn trouble(&self, cause: &str, since_ms: i64) -> String {
        let trouble = json!([{
            "endpoint_id": self.endpoint().await, "endpoint": "", "model": null, "cause": cause, "text": "",
            "since": Timestamp::from_ms(since_ms), "until": Timestamp::from_ms(since_ms + MINUTE),
        }]);
        format!("troubles = '{trouble}'")
    }

    /// Looks once a minute, from both control planes at once, and returns what was told.
    async fn minutes(&mut self, count: i64) -> Vec<Value> {
        for _ in 0..count {
            self.now += MINUTE;
            for plane in &self.planes {
                plane.clock.0.store(self.now, Ordering::Relaxed);
            }
            self.sql(&format!(
                "UPDATE replicas SET last_seen_ms = {} WHERE connected = true",
                self.now
            ))
            .await;
            let [one, two] = &self.planes;
            let (a, b, c) = tokio::join!(
                Box::pin(look(one.app())),
                Box::pin(look(two.app())),
                Box::pin(look(one.app()))
            );
            a.and(b).and(c).unwrap();
        }
        self.told().await
    }

    async fn told(&mut self) -> Vec<Value> {
        let written = self.db.count("SELECT COUNT(*) FROM notification_events").await;
        let received = self
            .receiver
            .wait_for(usize::try_from(written).unwrap() + 1)
            .await;
        let news = received[self.read..].iter().map(super::receiver::Received::json);
        let news = news.collect();
        self.read = received.len();
        news
    }

    async fn stop(self) {
        for plane in self.planes {
            plane.stop().await;
        }
    }
}

fn kinds(events: &[Value]) -> Vec<&str> {
    let mut kinds: Vec<&str> = events
        .iter()
        .map(|event| event["type"].as_str().unwrap())
        .collect();
    kinds.sort_unstable();
    kinds
}

async fn what_lasts_is_told_when_it_begins_and_when_it_is_over_by_one_of_several(db: TestDb) {
    let mut f = Fixture::new(db).await;
    let trouble = f.trouble("unreachable", NOON).await;
    f.data_plane("rep_here", &trouble).await;
    f.data_plane("rep_lost", "connected = false").await;
    f.data_plane("rep_late", "applied_revision = 1").await;
    // The configuration is older than a minute for the data plane that lacks it, and that for another minute.
    let events = f.minutes(7).await;
    assert_eq!(
        kinds(&events),
        ["data_plane.behind", "data_plane.gone", "endpoint.trouble"],
        "{events:#?}"
    );
    let trouble = events.iter().find(|e| e["type"] == "endpoint.trouble").unwrap();
    assert_eq!(
        (&trouble["severity"], &trouble["data"]["of_data_planes"]),
        (&json!("warning"), &json!(2))
    );
    assert!(f.minutes(30).await.is_empty(), "nothing is told twice");
    // All of it ends.
    f.say("rep_here", "troubles = '[]'").await;
    f.say("rep_lost", "connected = true").await;
    f.say("rep_late", "applied_revision = 1000").await;
    let events = f.minutes(4).await;
    assert_eq!(
        kinds(&events),
        ["data_plane.back", "data_plane.caught_up"],
        "{events:#?}"
    );
    let back = events.iter().find(|e| e["type"] == "data_plane.back").unwrap();
    assert_eq!(
        back["text"],
        "The data plane rep_lost is back. Nothing was heard of it for 38 minutes."
    );
    assert_eq!(back["data"]["lasted_s"], 38 * 60);
    // An endpoint must be quiet for five minutes.
    let events = f.minutes(4).await;
    assert_eq!(kinds(&events), ["endpoint.recovered"], "{events:#?}");
    let text = events[0]["text"].as_str().unwrap();
    assert!(
        text.ends_with("is healthy again. For 38 minutes it was not: no connection could be made."),
        "{text}"
    );
    assert_eq!(events[0]["severity"], "info");
    assert!(f.minutes(10).await.is_empty());
    f.stop().await;
}

async fn a_throttled_endpoint_is_told_after_five_minutes_and_what_goes_away_with_its_data_plane_is_not_over(
    db: TestDb,
) {
    let mut f = Fixture::new(db).await;
    let throttled = f.trouble("throttled", NOON + MINUTE).await;
    f.data_plane("rep_one", &throttled).await;
    assert!(f.minutes(5).await.is_empty(), "for moments it is usual");
    let events = f.minutes(1).await;
    assert_eq!(kinds(&events), ["endpoint.throttled"]);
    let text = events[0]["text"].as_str().unwrap();
    assert!(
        text.contains("is throttled, as 1 of 1 data planes see it. More is asked"),
        "{text}"
    );
    // The only one that could say so is away: nobody knows.
    f.say("rep_one", "connected = false, draining = true").await;
    assert!(f.minutes(20).await.is_empty());
    f.say("rep_one", "connected = true, draining = false, troubles = '[]'")
        .await;
    let events = f.minutes(6).await;
    assert_eq!(kinds(&events), ["endpoint.throttling_ended"], "{events:#?}");
    // It is back at once, and this time it must be away for ten minutes.
    let throttled = f.trouble("throttled", f.now).await;
    f.say("rep_one", &throttled).await;
    assert_eq!(kinds(&f.minutes(6).await), ["endpoint.throttled"]);
    f.say("rep_one", "troubles = '[]'").await;
    assert!(f.minutes(9).await.is_empty());
    assert_eq!(kinds(&f.minutes(2).await), ["endpoint.throttling_ended"]);
    // Of an endpoint that is switched off nothing is told.
    let trouble = f.trouble("credentials", f.now).await;
    f.say("rep_one", &trouble).await;
    assert_eq!(kinds(&f.minutes(1).await), ["endpoint.trouble"]);
    let path = format!("/admin/endpoints/{}", f.endpoint().await);
    let off = f.admin.send("PATCH", &path, r#"{"enabled": false}"#).await;
    assert_eq!(off.status, 200, "{}", off.text);
    f.say("rep_one", "troubles = '[]'").await;
    let events = f.minutes(20).await;
    assert!(events.is_empty(), "{events:#?}");
    f.stop().await;
}

async fn a_spool_that_fills_is_told_at_half_and_when_it_is_nearly_full(db: TestDb) {
    let mut f = Fixture::new(db).await;
    f.data_plane("rep_one", "spool_bytes = 490").await;
    // One of a version that does not say how large its spool may be.
    f.data_plane("rep_old", "spool_bytes = 0, spool_max_bytes = 0")
        .await;
    assert!(f.minutes(3).await.is_empty());
    f.say("rep_one", "spool_bytes = 510").await;
    let events = f.minutes(3).await;
    assert_eq!(kinds(&events), ["data_plane.spool_filling"]);
    assert_eq!(events[0]["severity"], "warning");
    f.say("rep_one", "spool_bytes = 960").await;
    let events = f.minutes(3).await;
    assert_eq!(kinds(&events), ["data_plane.spool_full"]);
    assert_eq!(
        events[0]["text"],
        "The usage spool of the data plane rep_one is 96 % full: 7 records wait to be taken by a control plane. When it is \
         full, the data plane refuses requests."
    );
    for bytes in [700, 400, 950] {
        f.say("rep_one", &format!("spool_bytes = {bytes}")).await;
        assert!(f.minutes(7).await.is_empty(), "{bytes}");
    }
    f.say("rep_one", "spool_bytes = 290").await;
    let events = f.minutes(7).await;
    assert_eq!(kinds(&events), ["data_plane.spool_drained"]);
    assert_eq!(events[0]["data"]["spool_max_bytes"], 1000);
    f.stop().await;
}

async fn prices_that_are_listed_differently_are_told_once(db: TestDb) {
    let mut f = Fixture::new(db).await;
    assert!(f.minutes(2).await.is_empty());
    // What an admin sets, the admin knows.
    let spec = json!({"input_rate": 6, "output_rate": 20, "cache_read_rate": "0.4", "cache_write_rate": 5});
    let path = "/admin/pricing/claude-opus-5-5";
    let set = f.admin.send("PUT", path, &spec.to_string()).await;
    assert_eq!(set.status, 200, "{}", set.text);
    assert!(f.minutes(2).await.is_empty());
    // A release before has listed something else when it was set: that is how a newer release looks from here.
    f.sql("UPDATE notification_marks SET value = REPLACE(value, '\"listed\":[\"', '\"listed\":[\"0') WHERE id = 'price/claude-opus-5-5'")
        .await;
    let events = f.minutes(3).await;
    assert_eq!(kinds(&events), ["price.drift"], "{events:#?}");
    let drift = &events[0];
    assert_eq!(drift["data"]["in_force"]["usd_per_million"]["input"], "6.00");
    let text = drift["text"].as_str().unwrap();
    assert!(
        text.contains("which an admin has set: input $4.00 instead of $6.00, "),
        "{text}"
    );
    // AWS's price list contradicts it as well; a dry run says so to whoever asks for it alone.
    let query = |dry_run| ImportQuery {
        dry_run: Some(dry_run),
        overwrite: None,
    };
    for dry_run in [true, false, false] {
        let report = pricing::import(f.planes[0].app(), &Actor::System, query(dry_run), LIST)
            .await
            .unwrap();
        let is_kept = |skipped: &SkippedRows| skipped.model.as_deref() == Some("claude-opus-5-5");
        assert!(report.skipped.iter().any(is_kept), "{report:?}");
        let count = f.db.count("SELECT COUNT(*) FROM notification_events").await;
        assert_eq!(count, if dry_run { 1 } else { 2 });
    }
    let events = f.told().await;
    assert_eq!(kinds(&events), ["price.drift"], "{events:#?}");
    assert_eq!(events[0]["data"]["listed"]["usd_per_million"]["input"], "3.50");
    assert_eq!(events[0]["data"]["published"], "2026-11-20T18:22:10Z");
    assert!(f.minutes(3).await.is_empty());
    f.stop().await;
}

async fn what_bedrock_refuses_is_told_once_and_no_more_often_than_every_six_hours(db: TestDb) {
    let mut f = Fixture::new(db).await;
    let endpoint = EndpointId::parse(&f.endpoint().await).unwrap();
    let fact = |value: &str, at_ms: i64| LearntFact {
        endpoint_id: endpoint.clone(),
        bedrock_model: "anthropic.claude-opus-5-5".into(),
        surface: "invoke-model".into(),
        version: "2026-11-24".into(),
        kind: "beta".into(),
        value: value.into(),
        learnt_at_ms: at_ms,
    };
    let app = f.planes[0].app().clone();
    capabilities::learn(&app, vec![fact("a-2026", f.now), fact("b-2026", f.now)])
        .await
        .unwrap();
    let events = f.minutes(3).await;
    assert_eq!(kinds(&events), ["capability.drift"], "{events:#?}");
    assert_eq!(events[0]["data"]["refused_count"], 2);
    let text = events[0]["text"].as_str().unwrap();
    assert!(text.contains("the beta `a-2026`, the beta `b-2026`"), "{text}");
    // The same at another version of the rules is no news, and a third thing waits.
    let mut again = fact("a-2026", f.now);
    again.version = "2026-11-25".into();
    capabilities::learn(&app, vec![again, fact("c-2026", f.now)])
        .await
        .unwrap();
    assert!(f.minutes(10).await.is_empty());
    f.now += 6 * 60 * MINUTE;
    let events = f.minutes(2).await;
    assert_eq!(kinds(&events), ["capability.drift"], "{events:#?}");
    assert_eq!(
        events[0]["data"]["refused"],
        json!([{"kind": "beta", "value": "c-2026"}])
    );
    // What was learnt long ago, before anybody looked, is none either.
    let mut old = fact("d-2026", f.now - 2 * 24 * 60 * MINUTE);
    old.bedrock_model = "anthropic.claude-haiku-4-5".into();
    capabilities::learn(&app, vec![old]).await.unwrap();
    assert!(f.minutes(2).await.is_empty());
    f.stop().await;
}
