//! Sessions that run away: when they are paused, for whom, and how they go on.

use crate::support::{Answer, Caller, NOON, Plane, TestDb, on_both, record};
use crate::watch::Follower;
use ccag_controlplane::app::breaker;
use ccag_controlplane::app::intake::{Incoming, take_in};
use ccag_domain::time::DAY_MS;
use ccag_domain::{KeyId, TeamId, UsageRecord, UserId};
use ccag_proto::v1;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

on_both!(
    a_session_that_spends_too_fast_is_paused_once_and_everybody_is_told,
    others_go_on_whatever_their_sessions_are_called,
    agents_are_counted_with_the_main_one,
    a_minute_is_a_minute_and_a_backlog_pauses_nobody,
    two_control_planes_pause_a_session_once,
    the_one_whose_session_it_is_resumes_it_and_the_minute_begins_anew,
    members_see_and_resume_their_own_alone,
    a_teams_word_replaces_the_organisations,
    a_pause_ends_after_a_week,
    limits_that_make_no_sense_are_named,
    pauses_are_paged_and_filtered,
);

const SETTING: &str = "/admin/settings/session-breaker";
const PAUSED: &str = "/admin/paused-sessions";

/// What a record of the tests costs: $0.0011506. Two are allowed within a minute, and a third is one too many.
const TWO: &str = "0.003";

async fn put(who: &Caller, path: &str, body: Value) -> Answer {
    who.send("PUT", path, &body.to_string()).await
}

async fn allow(admin: &Caller, body: Value) {
    let answer = put(admin, SETTING, body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}

/// A record of this user's session that ends now.
fn of(plane: &Plane, seed: u64, user: Option<&str>, session: &str) -> UsageRecord {
    let now = plane.clock.0.load(Ordering::Relaxed);
    UsageRecord {
        user_id: user.map(|id| UserId::parse(id).unwrap()),
        session_id: Some(session.into()),
        started_at_ms: now - 1_200,
        ..record(seed)
    }
}

async fn take(plane: &Plane, records: impl IntoIterator<Item = UsageRecord>) {
    let records = records.into_iter().map(|r| Incoming::Record(Box::new(r)));
    take_in(plane.app(), "rep_test", records.collect()).await.unwrap();
}

/// Delivers so many records of a session, one after the other.
async fn work(plane: &Plane, seeds: std::ops::Range<u64>, user: Option<&str>, session: &str) {
    for seed in seeds {
        take(plane, [of(plane, seed, user, session)]).await;
    }
}

async fn paused(who: &Caller) -> Vec<Value> {
    let answer = who.get(PAUSED).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["paused_sessions"].as_array().unwrap().clone()
}

async fn resume(who: &Caller, id: &Value) -> Answer {
    let path = format!("{PAUSED}/{}/resume", id.as_str().unwrap());
    who.post(&path, json!({})).await
}

fn pushed(object: &v1::Object) -> Option<&v1::PausedSession> {
    match object.object.as_ref()? {
        v1::object::Object::PausedSession(paused) => Some(paused),
        _ => None,
    }
}

async fn a_session_that_spends_too_fast_is_paused_once_and_everybody_is_told(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let (_, user) = admin.new_member("dev").await;
    assert_eq!(admin.get(SETTING).await.json()["source"], "none");
    work(&plane, 1..10, Some(&user), "before").await;
    allow(&admin, json!({"usd_per_minute": TWO})).await;
    let mut follower = Follower::start(&plane, "", 0).await;
    assert!(
        follower
            .snapshot()
            .await
            .objects
            .iter()
            .all(|o| pushed(o).is_none())
    );

    work(&plane, 11..13, Some(&user), "s").await;
    assert!(paused(&admin).await.is_empty());
    // What runs already ends, and is in the ledger like everything else.
    work(&plane, 13..16, Some(&user), "s").await;
    let list = paused(&admin).await;
    assert_eq!(list.len(), 1, "{list:?}");
    let one = &list[0];
    assert_eq!(
        (&one["session_id"], &one["user_id"], &one["owner"], &one["reason"]),
        (&json!("s"), &json!(user), &json!("dev"), &json!("spend"))
    );
    assert_eq!(
        (&one["measured_usd"], &one["limit_usd"]),
        (&json!("0.0034518"), &json!("0.003"))
    );
    assert_eq!(
        one["message"],
        "it spent $0.0035 within a minute, and $0.003 are allowed"
    );
    let changes = follower.changes(1).await;
    let Some(v1::change::Step::Put(object)) = &changes[0].step else {
        panic!("{changes:?}");
    };
    let told = pushed(object).unwrap();
    assert_eq!(
        (told.id.as_str(), told.owner.as_str(), told.session_id.as_str()),
        (one["id"].as_str().unwrap(), user.as_str(), "s")
    );
    assert_eq!(told.resume_url, None);
    // Newcomers are told as well.
    let mut newcomer = Follower::start(&plane, "", 0).await;
    let snapshot = newcomer.snapshot().await;
    assert_eq!(snapshot.objects.iter().filter_map(pushed).count(), 1);
    let entries = "SELECT COUNT(*) FROM audit WHERE action = 'session.pause' AND actor = 'system'";
    assert_eq!(db.count(entries).await, 1);

    assert_eq!(resume(&admin, &one["id"]).await.status, 200);
    let changes = follower.changes(1).await;
    assert!(matches!(&changes[0].step, Some(v1::change::Step::Remove(o)) if o.kind == "paused_session"));
    plane.stop().await;
}

async fn others_go_on_whatever_their_sessions_are_called(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let (_, dev) = admin.new_member("dev").await;
    let (_, other) = admin.new_member("other").await;
    allow(&admin, json!({"usd_per_minute": TWO})).await;
    let mut records: Vec<_> = (1..3).map(|seed| of(&plane, seed, Some(&other), "s")).collect();
    records.extend((3..5).map(|seed| of(&plane, seed, Some(&dev), "t")));
    records.extend((5..7).map(|seed| of(&plane, seed, None, "s")));
    records.extend((7..9).map(|seed| UsageRecord {
        key_id: KeyId::parse("key_other").unwrap(),
        ..of(&plane, seed, None, "s")
    }));
    // Without a session, and the gateway's own.
    records.extend((20..30).map(|seed| UsageRecord {
        session_id: None,
        ..of(&plane, seed, Some(&dev), "")
    }));
    records.extend((30..40).map(|seed| of(&plane, seed, Some(&dev), UsageRecord::LANE_PROBE)));
    take(&plane, records).await;
    assert!(paused(&admin).await.is_empty());
    // Two keys of one user are one owner.
    let with_another_key = |seed| UsageRecord {
        key_id: KeyId::parse("key_other").unwrap(),
        ..of(&plane, seed, Some(&dev), "t")
    };
    take(&plane, [with_another_key(50)]).await;
    take(&plane, [of(&plane, 51, None, "s")]).await;
    let list = paused(&admin).await;
    let mut owners: Vec<_> = list
        .iter()
        .map(|p| (&p["session_id"], &p["user_id"], &p["key_id"]))
        .collect();
    owners.sort_by_key(|(session, ..)| session.to_string());
    assert_eq!(
        owners,
        [
            (&json!("s"), &Value::Null, &json!("key_test")),
            (&json!("t"), &json!(dev), &json!("key_other"))
        ]
    );
    plane.stop().await;
}

async fn agents_are_counted_with_the_main_one(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    allow(&admin, json!({"agents_per_minute": 3})).await;
    let by = |seed: u64, agent: Option<&str>| UsageRecord {
        agent_id: agent.map(str::to_owned),
        ..of(&plane, seed, None, "s")
    };
    for (seed, agent) in [
        (1, None),
        (2, Some("a")),
        (3, Some("b")),
        (4, Some("a")),
        (5, None),
    ] {
        take(&plane, [by(seed, agent)]).await;
    }
    assert!(paused(&admin).await.is_empty());
    take(&plane, [by(6, Some("c"))]).await;
    let list = paused(&admin).await;
    assert_eq!(
        (
            &list[0]["reason"],
            &list[0]["measured_agents"],
            &list[0]["limit_agents"]
        ),
        (&json!("agents"), &json!(4), &json!(3))
    );
    assert_eq!(
        list[0]["message"],
        "4 agents worked in it within a minute, and 3 are allowed"
    );
    assert_eq!(list[0].get("measured_usd"), None);
    plane.stop().await;
}

async fn a_minute_is_a_minute_and_a_backlog_pauses_nobody(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    allow(&admin, json!({"usd_per_minute": TWO})).await;
    // One every half minute is never more than two within a minute.
    for seed in 1..8 {
        take(&plane, [of(&plane, seed, None, "slow")]).await;
        plane.clock.0.fetch_add(30_000, Ordering::Relaxed);
    }
    assert!(paused(&admin).await.is_empty());
    // An hour's worth of a fast session, delivered after an outage.
    let mut late: Vec<_> = (10..40).map(|seed| of(&plane, seed, None, "late")).collect();
    late.iter_mut().for_each(|record| record.started_at_ms -= 120_000);
    take(&plane, late).await;
    // Its end is recent, and by itself not too much.
    take(&plane, [of(&plane, 50, None, "late")]).await;
    assert!(paused(&admin).await.is_empty());
    // A long request counts when it has ended.
    let mut long = of(&plane, 60, None, "late");
    long.started_at_ms -= 900_000;
    long.duration_ms += 900_000;
    take(&plane, [long, of(&plane, 61, None, "late")]).await;
    assert_eq!(paused(&admin).await.len(), 1);
    plane.stop().await;
}

async fn two_control_planes_pause_a_session_once(db: TestDb) {
    let (a, b) = (Plane::start(&db).await, Plane::start(&db).await);
    let admin = a.admin().await;
    allow(&admin, json!({"usd_per_minute": TWO})).await;
    for round in 0..5u64 {
        let session = format!("s{round}");
        let part = |plane: &Plane, from: u64| -> Vec<UsageRecord> {
            (from..from + 2)
                .map(|i| of(plane, round * 1_000 + i, None, &session))
                .collect()
        };
        // Neither has enough by itself; together they have.
        tokio::join!(take(&a, part(&a, 0)), take(&b, part(&b, 10)));
    }
    let list = paused(&admin).await;
    assert_eq!(list.len(), 5, "{list:?}");
    assert_eq!(db.count("SELECT COUNT(*) FROM paused_sessions").await, 5);
    a.stop().await;
    b.stop().await;
}

async fn the_one_whose_session_it_is_resumes_it_and_the_minute_begins_anew(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let (dev, user) = admin.new_member("dev").await;
    allow(&admin, json!({"usd_per_minute": TWO})).await;
    work(&plane, 1..4, Some(&user), "s").await;
    plane.clock.0.fetch_add(2_000, Ordering::Relaxed);
    // The policy goes, and what is paused stays so.
    allow(&admin, json!({})).await;
    let first = paused(&dev).await;
    assert_eq!(first.len(), 1);
    allow(&admin, json!({"usd_per_minute": TWO})).await;
    let resumed = resume(&dev, &first[0]["id"]).await;
    assert_eq!(resumed.status, 200, "{}", resumed.text);
    assert_eq!(
        (&resumed.json()["resumed_by"], &resumed.json()["session_id"]),
        (&json!(user), &json!("s"))
    );
    let again = resume(&dev, &first[0]["id"]).await;
    assert_eq!(
        (again.status.as_u16(), &again.json()["code"]),
        (409, &json!("conflict"))
    );
    assert!(paused(&dev).await.is_empty());
    // What was before counts no more, also where it arrives later.
    let mut before = of(&plane, 4, Some(&user), "s");
    before.started_at_ms -= 1_000;
    take(&plane, [before]).await;
    plane.clock.0.fetch_add(2_000, Ordering::Relaxed);
    work(&plane, 5..7, Some(&user), "s").await;
    assert!(paused(&dev).await.is_empty());
    work(&plane, 7..8, Some(&user), "s").await;
    let second = paused(&dev).await;
    assert_eq!(second.len(), 1);
    assert_ne!(second[0]["id"], first[0]["id"]);
    plane.stop().await;
}

async fn members_see_and_resume_their_own_alone(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let (dev, user) = admin.new_member("dev").await;
    let (other, _) = admin.new_member("other").await;
    allow(&admin, json!({"usd_per_minute": TWO})).await;
    work(&plane, 1..4, Some(&user), "s").await;
    work(&plane, 5..8, None, "of a key").await;
    assert_eq!(paused(&dev).await.len(), 1);
    assert!(paused(&other).await.is_empty());
    let all = paused(&admin).await;
    assert_eq!(all.len(), 2);
    for pause in &all {
        assert_eq!(resume(&other, &pause["id"]).await.status, 404);
    }
    let asked = other.get(&format!("{PAUSED}?user_id={user}")).await;
    assert_eq!(asked.status, 403, "{}", asked.text);
    for (who, path) in [(&dev, SETTING), (&other, SETTING)] {
        assert_eq!(who.get(path).await.status, 403);
        assert_eq!(put(who, path, json!({})).await.status, 403);
    }
    for pause in &all {
        assert_eq!(resume(&admin, &pause["id"]).await.status, 200);
    }
    let missing = resume(&admin, &json!("pau_none")).await;
    assert_eq!(missing.status, 404, "{}", missing.text);
    plane.stop().await;
}

async fn a_teams_word_replaces_the_organisations(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let mut teams = Vec::new();
    for name in ["plain", "strict", "free"] {
        let team = admin.post("/admin/teams", json!({"name": name})).await;
        teams.push(team.id());
    }
    let of_team = |id: &str| format!("/admin/teams/{id}/session-breaker");
    allow(&admin, json!({"usd_per_minute": 100, "agents_per_minute": 2})).await;
    let strict = put(&admin, &of_team(&teams[1]), json!({"usd_per_minute": TWO})).await;
    assert_eq!(
        strict.json(),
        json!({"usd_per_minute": TWO, "agents_per_minute": null, "source": "team"})
    );
    put(&admin, &of_team(&teams[2]), json!({})).await;
    let plain = admin.get(&of_team(&teams[0])).await.json();
    assert_eq!(
        plain,
        json!({"usd_per_minute": "100.00", "agents_per_minute": 2, "source": "organisation"})
    );
    for (n, team) in teams.iter().enumerate() {
        for (i, agent) in [None, Some("a"), Some("b")].into_iter().enumerate() {
            let seed = n as u64 * 100 + i as u64;
            let record = UsageRecord {
                team_id: Some(TeamId::parse(team).unwrap()),
                agent_id: agent.map(str::to_owned),
                ..of(&plane, seed, None, &format!("of {n}"))
            };
            take(&plane, [record]).await;
        }
    }
    let mut reasons: Vec<_> = paused(&admin)
        .await
        .iter()
        .map(|p| (p["session_id"].to_string(), p["reason"].to_string()))
        .collect();
    reasons.sort();
    let expected = [("\"of 0\"", "\"agents\""), ("\"of 1\"", "\"spend\"")];
    assert_eq!(reasons, expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
    assert_eq!(admin.send("DELETE", &of_team(&teams[1]), "").await.status, 204);
    assert_eq!(
        admin.get(&of_team(&teams[1])).await.json()["source"],
        "organisation"
    );
    // A team that goes takes its word along.
    admin
        .send("DELETE", &format!("/admin/teams/{}", teams[2]), "")
        .await;
    assert_eq!(admin.get(&of_team(&teams[2])).await.status, 404);
    let left = "SELECT COUNT(*) FROM session_breakers WHERE scope <> 'organisation'";
    assert_eq!(db.count(left).await, 0);
    plane.stop().await;
}

async fn a_pause_ends_after_a_week(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    allow(&admin, json!({"usd_per_minute": TWO})).await;
    work(&plane, 1..4, None, "old").await;
    work(&plane, 5..8, None, "resumed").await;
    let resumed = paused(&admin).await;
    let resumed = resumed.iter().find(|p| p["session_id"] == "resumed").unwrap();
    resume(&admin, &resumed["id"]).await;
    plane.clock.0.fetch_add(DAY_MS, Ordering::Relaxed);
    work(&plane, 10..13, None, "newer").await;
    let mut follower = Follower::start(&plane, "", 0).await;
    assert_eq!(
        follower
            .snapshot()
            .await
            .objects
            .iter()
            .filter_map(pushed)
            .count(),
        2
    );
    breaker::forget_old(plane.app()).await.unwrap();
    assert_eq!(db.count("SELECT COUNT(*) FROM paused_sessions").await, 3);
    plane.clock.0.store(NOON + 7 * DAY_MS + 1, Ordering::Relaxed);
    breaker::forget_old(plane.app()).await.unwrap();
    let changes = follower.changes(1).await;
    assert!(matches!(&changes[0].step, Some(v1::change::Step::Remove(o)) if o.kind == "paused_session"));
    let list = "SELECT COUNT(*) FROM paused_sessions WHERE session_id = 'newer'";
    assert_eq!(db.count(list).await, 1);
    assert_eq!(db.count("SELECT COUNT(*) FROM paused_sessions").await, 1);
    plane.stop().await;
}

async fn limits_that_make_no_sense_are_named(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    for (body, field) in [
        (json!({"usd_per_minute": 0}), "usd_per_minute"),
        (json!({"usd_per_minute": "-1"}), "usd_per_minute"),
        (json!({"usd_per_minute": 1_000_001}), "usd_per_minute"),
        (json!({"usd_per_minute": "much"}), "usd_per_minute"),
        (json!({"agents_per_minute": 0}), "agents_per_minute"),
        (json!({"agents_per_minute": 100_001}), "agents_per_minute"),
        (json!({"dollars": 1}), "dollars"),
    ] {
        let answer = put(&admin, SETTING, body.clone()).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["field"]),
            (400, &json!(field)),
            "{body}"
        );
    }
    let nobody = put(&admin, "/admin/teams/team_none/session-breaker", json!({})).await;
    assert_eq!(nobody.status, 404);
    plane.stop().await;
}

async fn pauses_are_paged_and_filtered(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let (_, user) = admin.new_member("dev").await;
    allow(&admin, json!({"usd_per_minute": "0.001"})).await;
    for seed in 0..5 {
        let owner = (seed % 2 == 0).then_some(user.as_str());
        take(&plane, [of(&plane, seed, owner, &format!("s{seed}"))]).await;
        plane.clock.0.fetch_add(10, Ordering::Relaxed);
    }
    let all = paused(&admin).await;
    resume(&admin, &all[0]["id"]).await;
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = admin
            .get(&format!("{PAUSED}?state=all&limit=2{cursor}"))
            .await
            .json();
        assert_eq!(page["total"], 5);
        let page_of = page["paused_sessions"].as_array().unwrap();
        seen.extend(
            page_of
                .iter()
                .map(|p| p["session_id"].as_str().unwrap().to_owned()),
        );
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, ["s4", "s3", "s2", "s1", "s0"]);
    for (query, count) in [
        ("", 4),
        ("?state=resumed", 1),
        ("?state=all", 5),
        (&format!("?state=all&user_id={user}"), 3),
        ("?team_id=team_x", 0),
    ] {
        let page = admin.get(&format!("{PAUSED}{query}")).await.json();
        assert_eq!(page["total"], count, "{query}");
    }
    plane.stop().await;
}
