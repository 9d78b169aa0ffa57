//! Notifications: the outbox, destinations, and what they are told.

mod lasting;
mod mail;
mod managers;
mod pages;
mod receiver;
mod schema;
pub(crate) mod servers;
mod slack;

use crate::support::{Answer, Caller, NOON, Plane, TestDb, config, on_both, record};
use ccag_admin_api::Timestamp;
use ccag_controlplane::app::App;
use ccag_controlplane::app::intake::{Incoming, take_in};
use ccag_controlplane::app::notifications::look;
use ccag_domain::time::DAY_MS;
use ccag_domain::{KeyId, TeamId};
use receiver::Receiver;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;
use std::time::Duration;

on_both!(
    a_step_of_a_budget_is_told_once_and_signed,
    an_event_is_written_with_the_spending_or_not_at_all,
    what_is_leased_is_sent_by_nobody_else_until_the_lease_is_over,
    what_fails_is_tried_later_and_later_and_then_given_up_until_somebody_wants_it,
    a_dead_destination_holds_up_nobody,
    a_draft_is_in_force_when_it_has_passed_a_test,
    private_addresses_are_refused_unless_allowed_and_redirects_not_followed,
    teams_hear_of_themselves_and_of_what_they_chose,
    what_is_secret_is_sealed_and_never_shown,
    the_variable_of_the_existing_gateway_is_told_where_there_is_no_destination,
    what_is_wrong_with_a_destination_is_named,
    history_is_paged_and_forgotten_after_a_month,
    a_paused_session_is_told_with_its_pause,
    what_nobody_does_is_told_once_too,
);

pub(crate) async fn put(who: &Caller, path: &str, body: Value) -> Answer {
    who.send("PUT", path, &body.to_string()).await
}

fn webhook(receiver: &Receiver) -> Value {
    json!({"kind": "webhook", "url": receiver.url, "allow_private_address": true})
}

/// Makes a destination, tests and activates it; its path, and the secret of a webhook.
pub(crate) async fn active(admin: &Caller, body: Value) -> (String, String) {
    let made = admin.post("/admin/notifications/destinations", body).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let made = made.json();
    let path = format!(
        "/admin/notifications/destinations/{}",
        made["destination"]["id"].as_str().unwrap()
    );
    let tested = admin.post(&format!("{path}/test"), json!({})).await;
    assert_eq!(tested.json()["success"], true, "{}", tested.text);
    let activated = admin.post(&format!("{path}/activate"), json!({})).await;
    assert_eq!(activated.status, 200, "{}", activated.text);
    let secret = made["signing_secret"].as_str().unwrap_or_default().to_owned();
    (path, secret)
}

/// A budget of 40 dollars for everybody, with steps at 50 % and 100 %.
async fn budget(admin: &Caller, more: Value) {
    let mut body = json!({
        "scope": "organisation", "amount_usd": 40,
        "policy": [{"at_percent": 50, "action": "notify"}, {"at_percent": 100, "action": "block"}],
    });
    body.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    let made = admin.post("/admin/budgets", body).await;
    assert_eq!(made.status, 201, "{}", made.text);
}

/// Twenty dollars.
async fn spend(app: &App, seed: u64, team: Option<&str>) {
    let mut record = record(seed);
    record.key_id = KeyId::parse("key_a").unwrap();
    record.team_id = team.map(|id| TeamId::parse(id).unwrap());
    record.started_at_ms = app.now_ms() - 1_000;
    record.geography = ccag_domain::Geography::Global;
    record.tokens = ccag_domain::Tokens {
        output: 1_000_000,
        ..ccag_domain::Tokens::default()
    };
    let receipt = take_in(app, "rep_test", vec![Incoming::Record(Box::new(record))]).await;
    assert_eq!(receipt.unwrap().stored, 1);
}

/// Data planes ask for the account of a budget before anything is spent of it; here it is made by hand.
async fn open_accounts(db: &TestDb) {
    let connection = db.connect().await;
    let sql = "INSERT INTO budget_accounts (id, budget_id, start_ms, end_ms, team_id, user_id, key_id, settled_nano_usd, \
               held_nano_usd, is_limit) SELECT id || '/1793491200000', id, 1793491200000, 1796083200000, \
               COALESCE(team_id, ''), '', '', 0, 0, FALSE FROM budgets WHERE true \
               ON CONFLICT DO NOTHING";
    connection.execute_unprepared(sql).await.unwrap();
    connection.close().await.unwrap();
}

async fn history(admin: &Caller, query: &str) -> Vec<Value> {
    let list = admin
        .get(&format!("/admin/notifications/deliveries{query}"))
        .await;
    assert_eq!(list.status, 200, "{}", list.text);
    list.json()["deliveries"].as_array().unwrap().clone()
}

/// Waits until the history is so.
async fn until(admin: &Caller, query: &str, so: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    for _ in 0..300 {
        let all = history(admin, query).await;
        if so(&all) {
            return all;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{:?}", history(admin, query).await);
}

fn all_are(state: &str) -> impl Fn(&[Value]) -> bool {
    move |all| !all.is_empty() && all.iter().all(|one| one["state"] == state)
}

async fn a_step_of_a_budget_is_told_once_and_signed(db: TestDb) {
    let mut settings = config(&db);
    settings.public_url = Some("https://claude.example.com/".parse().unwrap());
    let plane = Plane::start_with(settings).await;
    let (admin, receiver) = (plane.admin().await, Receiver::start().await);
    let (_, secret) = active(&admin, json!({"name": "Ops", "settings": webhook(&receiver)})).await;
    budget(&admin, json!({})).await;
    open_accounts(&db).await;
    spend(plane.app(), 1, None).await;
    let received = receiver.wait_for(2).await;
    // The first was the test.
    assert_eq!(received[0].json()["type"], "test");
    let told = received[1].json();
    assert!(received.iter().all(|one| one.is_signed_with(&secret)));
    assert!(!received[1].is_signed_with("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"));
    assert_eq!(told["type"], "budget.threshold_reached");
    assert_eq!(told["id"], received[1].id());
    assert_eq!(
        told["text"],
        "Everybody together reached 50 % of the budget for the month: $20.00 of $40.00 are spent."
    );
    let link = told["link"].as_str().unwrap();
    assert!(
        link.starts_with("https://claude.example.com/console/budgets/bud_"),
        "{link}"
    );
    assert_eq!(told["data"]["spent_usd"], "20.00");
    assert_eq!(told["data"]["at_percent"], 50);
    // More spending below the next step says nothing new, and the next step is told by itself.
    spend(plane.app(), 2, None).await;
    let received = receiver.wait_for(3).await;
    assert_eq!(received[2].json()["type"], "budget.blocked");
    assert_eq!(received[2].json()["severity"], "critical");
    spend(plane.app(), 3, None).await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(receiver.received().len(), 3);
    let all = until(&admin, "", all_are("delivered")).await;
    assert_eq!(all.len(), 2, "{all:?}");
    assert_eq!(all[0]["answer"], "It answered with status 204.");
    plane.stop().await;
}

async fn an_event_is_written_with_the_spending_or_not_at_all(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    budget(&admin, json!({})).await;
    open_accounts(&db).await;
    // The outbox takes nothing: then the spending that reaches the step is not stored either.
    let connection = db.connect().await;
    connection
        .execute_unprepared("ALTER TABLE notification_events RENAME TO away")
        .await
        .unwrap();
    let mut one = record(1);
    one.geography = ccag_domain::Geography::Global;
    one.tokens = ccag_domain::Tokens {
        output: 1_000_000,
        ..ccag_domain::Tokens::default()
    };
    let batch = || vec![Incoming::Record(Box::new(one.clone()))];
    assert!(take_in(plane.app(), "rep_test", batch()).await.is_err());
    for table in ["usage_records", "budget_events"] {
        let count = db.count(&format!("SELECT COUNT(*) FROM {table}")).await;
        assert_eq!(count, 0, "{table}");
    }
    connection
        .execute_unprepared("ALTER TABLE away RENAME TO notification_events")
        .await
        .unwrap();
    connection.close().await.unwrap();
    assert_eq!(take_in(plane.app(), "rep_test", batch()).await.unwrap().stored, 1);
    for table in ["usage_records", "budget_events", "notification_events"] {
        let count = db.count(&format!("SELECT COUNT(*) FROM {table}")).await;
        assert_eq!(count, 1, "{table}");
    }
    plane.stop().await;
}

async fn what_is_leased_is_sent_by_nobody_else_until_the_lease_is_over(db: TestDb) {
    let plane = Plane::start(&db).await;
    let (admin, receiver) = (plane.admin().await, Receiver::start().await);
    active(&admin, json!({"name": "Ops", "settings": webhook(&receiver)})).await;
    budget(&admin, json!({})).await;
    open_accounts(&db).await;
    // Another control plane has leased whatever is written, and is killed before it can say what became of it.
    let connection = db.connect().await;
    let trigger = if db.is_postgres() {
        "CREATE FUNCTION leased() RETURNS trigger AS $$ BEGIN NEW.leased_by := 'cp_killed'; NEW.attempts := 1; \
         NEW.leased_until_ms := NEW.created_at_ms + 30000; RETURN NEW; END $$ LANGUAGE plpgsql; \
         CREATE TRIGGER leased BEFORE INSERT ON notification_deliveries FOR EACH ROW EXECUTE FUNCTION leased()"
    } else {
        "CREATE TRIGGER leased AFTER INSERT ON notification_deliveries BEGIN UPDATE notification_deliveries SET \
         leased_by = 'cp_killed', attempts = 1, leased_until_ms = NEW.created_at_ms + 30000 WHERE id = NEW.id; END"
    };
    connection.execute_unprepared(trigger).await.unwrap();
    connection.close().await.unwrap();
    spend(plane.app(), 1, None).await;
    plane.clock.0.fetch_add(29_000, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(receiver.received().len(), 1, "nothing but the test");
    plane.clock.0.fetch_add(1_000, Ordering::Relaxed);
    receiver.wait_for(2).await;
    let all = until(&admin, "", all_are("delivered")).await;
    assert_eq!(all[0]["attempts"], 2);
    plane.stop().await;
}

async fn what_fails_is_tried_later_and_later_and_then_given_up_until_somebody_wants_it(db: TestDb) {
    let plane = Plane::start(&db).await;
    let (admin, receiver) = (plane.admin().await, Receiver::start().await);
    active(&admin, json!({"name": "Ops", "settings": webhook(&receiver)})).await;
    budget(&admin, json!({})).await;
    open_accounts(&db).await;
    receiver.answer(500);
    spend(plane.app(), 1, None).await;
    let mut waits = Vec::new();
    for attempt in 1..=10 {
        let all = until(&admin, "", |all| {
            all.len() == 1 && all[0]["attempts"] == attempt && all[0]["answer"].is_string() && {
                // Not while it is under way.
                receiver.received().len() == usize::try_from(attempt).unwrap() + 1
                    && (all[0]["state"] == "dead" || all[0]["next_attempt_at"] != all[0]["changed_at"])
            }
        })
        .await;
        tokio::time::sleep(Duration::from_millis(60)).await;
        let one = history(&admin, "").await.remove(0);
        if attempt == 10 {
            assert_eq!(one["state"], "dead", "{all:?}");
            break;
        }
        let now = plane.clock.0.load(Ordering::Relaxed);
        let due = db.count("SELECT due_at_ms FROM notification_deliveries").await;
        assert!(due > now, "{one}");
        waits.push(due - now);
        plane.clock.0.store(due, Ordering::Relaxed);
    }
    assert!(
        waits
            .windows(2)
            .all(|two| two[0] < two[1] || two[1] > 4 * 3_600_000),
        "{waits:?}"
    );
    let dead = history(&admin, "?state=dead").await.remove(0);
    assert_eq!(dead["answer"], "It answered with status 500");
    let ids: Vec<String> = receiver.received()[1..].iter().map(|one| one.id()).collect();
    assert_eq!(ids.len(), 10);
    assert!(ids.iter().all(|id| *id == ids[0]), "the id stays: {ids:?}");
    // An admin sends it again, and it arrives with the same id.
    receiver.answer(200);
    let resend = format!(
        "/admin/notifications/deliveries/{}/resend",
        dead["id"].as_str().unwrap()
    );
    let (member, _) = admin.new_member("sam").await;
    assert_eq!(member.post(&resend, json!({})).await.status, 403);
    assert_eq!(admin.post(&resend, json!({})).await.status, 204);
    until(&admin, "", all_are("delivered")).await;
    assert_eq!(receiver.received().last().unwrap().id(), ids[0]);
    assert_eq!(admin.post(&resend, json!({})).await.status, 409);
    let audit = admin.get("/admin/audit?q=delivery.resend").await.json();
    assert_eq!(
        audit["entries"][0]["details"]["before"]["state"], "dead",
        "{audit}"
    );
    plane.stop().await;
}

async fn a_dead_destination_holds_up_nobody(db: TestDb) {
    let plane = Plane::start(&db).await;
    let (admin, fine, dead) = (
        plane.admin().await,
        Receiver::start().await,
        Receiver::start().await,
    );
    active(&admin, json!({"name": "Dead", "settings": webhook(&dead)})).await;
    active(&admin, json!({"name": "Fine", "settings": webhook(&fine)})).await;
    dead.answer(503);
    budget(&admin, json!({})).await;
    open_accounts(&db).await;
    spend(plane.app(), 1, None).await;
    spend(plane.app(), 2, None).await;
    let received = fine.wait_for(3).await;
    let kinds: Vec<Value> = received.iter().map(|one| one.json()["type"].clone()).collect();
    assert!(kinds.contains(&json!("budget.blocked")), "{kinds:?}");
    // A second event does not wait for the first to be delivered.
    dead.wait_for(3).await;
    plane.stop().await;
}

async fn a_draft_is_in_force_when_it_has_passed_a_test(db: TestDb) {
    let plane = Plane::start(&db).await;
    let (admin, old, new) = (
        plane.admin().await,
        Receiver::start().await,
        Receiver::start().await,
    );
    let (path, _) = active(&admin, json!({"name": "Ops", "settings": webhook(&old)})).await;
    let drafted = put(&admin, &format!("{path}/draft"), webhook(&new)).await;
    assert_eq!(drafted.status, 200, "{}", drafted.text);
    assert_eq!(drafted.json()["destination"]["active"]["url"], old.url);
    let activate = format!("{path}/activate");
    // Neither untested, nor after a test that failed, nor if it was changed since.
    assert_eq!(admin.post(&activate, json!({})).await.status, 409);
    new.answer(401);
    let tested = admin.post(&format!("{path}/test"), json!({})).await.json();
    assert_eq!(
        (&tested["success"], &tested["of_draft"]),
        (&json!(false), &json!(true))
    );
    assert_eq!(tested["message"], "It answered with status 401");
    assert_eq!(admin.post(&activate, json!({})).await.status, 409);
    new.answer(200);
    admin.post(&format!("{path}/test"), json!({})).await;
    put(&admin, &format!("{path}/draft"), webhook(&new)).await;
    assert_eq!(admin.post(&activate, json!({})).await.status, 409);
    // What happens meanwhile goes where it went before.
    budget(&admin, json!({})).await;
    open_accounts(&db).await;
    spend(plane.app(), 1, None).await;
    old.wait_for(2).await;
    admin.post(&format!("{path}/test"), json!({})).await;
    assert_eq!(admin.post(&activate, json!({})).await.status, 200);
    let before = new.received().len();
    spend(plane.app(), 2, None).await;
    new.wait_for(before + 1).await;
    assert_eq!(old.received().len(), 2);
    let shown = admin.get(&path).await.json();
    assert_eq!(
        (&shown["draft"], &shown["active"]["url"]),
        (&Value::Null, &json!(new.url))
    );
    // Switched off, it hears nothing.
    let off = json!({"name": "Ops", "categories": ["budget"], "enabled": false});
    assert_eq!(put(&admin, &path, off).await.status, 200);
    assert_eq!(admin.send("DELETE", &path, "").await.status, 204);
    assert_eq!(admin.get(&path).await.status, 404);
    plane.stop().await;
}

async fn private_addresses_are_refused_unless_allowed_and_redirects_not_followed(db: TestDb) {
    let plane = Plane::start(&db).await;
    let (admin, receiver) = (plane.admin().await, Receiver::start().await);
    let make = async |url: &str, allow: bool| {
        let settings = json!({"kind": "webhook", "url": url, "allow_private_address": allow});
        let body = json!({"name": format!("{url} {allow}"), "settings": settings});
        admin.post("/admin/notifications/destinations", body).await
    };
    for url in [
        "https://127.0.0.1/x",
        "https://10.0.0.7/x",
        "https://[::1]/x",
        "https://2130706433/x",
        "http://hooks.example.com/x",
    ] {
        let refused = make(url, false).await;
        assert_eq!(
            (refused.status.as_u16(), &refused.json()["field"]),
            (400, &json!("url")),
            "{url}"
        );
    }
    assert_eq!(make("https://169.254.169.254/latest", true).await.status, 400);
    // A name that leads there is found out when it is resolved.
    let port = receiver.url.rsplit(':').next().unwrap();
    let made = make(&format!("https://localhost:{port}"), false).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let path = |made: &Answer| {
        let id = made.json()["destination"]["id"].as_str().unwrap().to_owned();
        format!("/admin/notifications/destinations/{id}/test")
    };
    let tested = admin.post(&path(&made), json!({})).await.json();
    assert_eq!(tested["success"], false);
    assert!(
        tested["message"].as_str().unwrap().contains("private network"),
        "{tested}"
    );
    assert!(receiver.received().is_empty());
    let made = make(&receiver.url, true).await;
    receiver.answer(302);
    let tested = admin.post(&path(&made), json!({})).await.json();
    assert!(
        tested["message"].as_str().unwrap().contains("not followed"),
        "{tested}"
    );
    assert_eq!(receiver.received().len(), 1);
    plane.stop().await;
}

async fn what_nobody_does_is_told_once_too(db: TestDb) {
    let plane = Plane::start(&db).await;
    let (admin, receiver) = (plane.admin().await, Receiver::start().await);
    active(&admin, json!({"name": "Ops", "settings": webhook(&receiver)})).await;
    for (name, days) in [("soon", 2), ("later", 10), ("far", 60)] {
        let expires = Timestamp::from_ms(NOON + days * DAY_MS);
        let key = admin
            .post("/admin/keys", json!({"name": name, "expires_at": expires}))
            .await;
        assert_eq!(key.status, 201, "{}", key.text);
    }
    let endpoint = admin.get("/admin/endpoints").await.json()["endpoints"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let trouble = json!([{
        "endpoint_id": endpoint, "endpoint": "", "model": null, "cause": "credentials", "text": "",
        "since": Timestamp::from_ms(NOON), "until": Timestamp::from_ms(NOON + 60_000),
    }]);
    let own = db.connect().await;
    let minutes = |n: i64| NOON - n * 60_000;
    for (id, seen, draining, troubles) in [
        ("rep_lost", minutes(6), false, "[]".to_owned()),
        ("rep_stopped", minutes(6), true, "[]".to_owned()),
        ("rep_here", NOON, false, trouble.to_string()),
        ("rep_near", minutes(1), false, "[]".to_owned()),
    ] {
        let sql = format!(
            "INSERT INTO replicas (id, name, version, started_at_ms, connected, connected_to, applied_revision, rejected, \
             in_flight, spooled_records, draining, troubles, quota_use, last_seen_ms) VALUES \
             ('{id}', '{id}', '1', 0, true, 'ctl', 1, '[]', 0, 7, {draining}, '{troubles}', '', {seen})"
        );
        own.execute_unprepared(&sql).await.unwrap();
    }
    own.close().await.unwrap();
    let told = async |count: usize| -> Vec<Value> {
        for _ in 0..2 {
            look(plane.app()).await.unwrap();
        }
        receiver.wait_for(count).await;
        let received = receiver.received();
        received.iter().skip(1).map(receiver::Received::json).collect()
    };
    let events = told(5).await;
    let of = |kind: &str| -> Vec<&Value> { events.iter().filter(|event| event["type"] == kind).collect() };
    let mut keys: Vec<_> = of("key.expiring")
        .iter()
        .map(|event| {
            (
                event["data"]["what"]["name"].clone(),
                event["data"]["days"].clone(),
            )
        })
        .collect();
    keys.sort_by_key(|(name, _)| name.to_string());
    assert_eq!(keys, [(json!("later"), json!(14)), (json!("soon"), json!(3))]);
    let gone = of("data_plane.gone");
    assert_eq!(
        (gone.len(), &gone[0]["data"]["data_plane"]["id"]),
        (1, &json!("rep_lost"))
    );
    assert_eq!(gone[0]["data"]["spooled_records"], 7);
    let trouble = of("endpoint.trouble");
    assert_eq!(
        (trouble.len(), &trouble[0]["data"]["cause"]),
        (1, &json!("credentials"))
    );
    assert_eq!(
        (&trouble[0]["severity"], &trouble[0]["data"]["of_data_planes"]),
        (&json!("critical"), &json!(1))
    );
    // A day later one of the keys is that much nearer, and the data planes have all gone.
    plane.clock.0.fetch_add(DAY_MS + 60_000, Ordering::Relaxed);
    let events = told(8).await;
    let kinds: Vec<&str> = events[4..]
        .iter()
        .map(|event| event["type"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds.iter().filter(|kind| **kind == "data_plane.gone").count(),
        2,
        "{kinds:?}"
    );
    assert_eq!(
        kinds.iter().filter(|kind| **kind == "key.expiring").count(),
        1,
        "{kinds:?}"
    );
    plane.stop().await;
}

async fn teams_hear_of_themselves_and_of_what_they_chose(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let team = admin.post("/admin/teams", json!({"name": "Platform"})).await.id();
    let other = admin.post("/admin/teams", json!({"name": "Other"})).await.id();
    let mut receivers = Vec::new();
    for (name, team, categories) in [
        ("all", None, json!(["budget"])),
        ("team", Some(&team), json!(["budget", "session"])),
        ("other", Some(&other), json!(["budget"])),
        ("deaf", None, json!(["session"])),
    ] {
        let receiver = Receiver::start().await;
        let body =
            json!({"name": name, "team_id": team, "categories": categories, "settings": webhook(&receiver)});
        active(&admin, body).await;
        receivers.push(receiver);
    }
    budget(&admin, json!({"scope": "team", "team_id": team})).await;
    open_accounts(&db).await;
    spend(plane.app(), 1, Some(&team)).await;
    let told = receivers[1].wait_for(2).await[1].json();
    assert_eq!(told["team"], json!({"id": team, "name": "Platform"}));
    assert!(
        told["text"]
            .as_str()
            .unwrap()
            .starts_with("Team Platform reached 50 %"),
        "{told}"
    );
    receivers[0].wait_for(2).await;
    // Those whom the budget is about may be meant alone, or the admins.
    let list = admin.get("/admin/budgets").await.json();
    let id = list["budgets"][0]["id"].as_str().unwrap();
    let changed = put(
        &admin,
        &format!("/admin/budgets/{id}"),
        json!({"notify_recipients": "user"}),
    )
    .await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    spend(plane.app(), 2, Some(&team)).await;
    receivers[1].wait_for(3).await;
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    let counts: Vec<usize> = receivers.iter().map(|one| one.received().len()).collect();
    assert_eq!(counts, [2, 3, 1, 1]);
    plane.stop().await;
}

async fn what_is_secret_is_sealed_and_never_shown(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let all = [
        json!({"kind": "webhook", "url": "https://hooks.example.com/x", "signing_secret": "whsec_aHVzaC1odXNoLWh1c2gtaHVzaC1odXNo"}),
        json!({"kind": "slack", "slack_url": "https://hooks.slack.com/services/hush-hush"}),
        json!({"kind": "sns", "arn": "arn:aws:sns:eu-central-1:111122223333:ccag", "access_key_id": "AKIAhushEXAMPLE", "secret_access_key": "hush-hush"}),
        json!({"kind": "smtp", "host": "mail.example.com", "username": "ccag", "password": "hush-hush", "from": "a@example.com", "to": ["b@example.com"]}),
    ];
    for settings in all {
        let name = settings["kind"].as_str().unwrap().to_owned();
        let made = admin
            .post(
                "/admin/notifications/destinations",
                json!({"name": name, "settings": settings}),
            )
            .await;
        assert_eq!(made.status, 201, "{}", made.text);
        assert!(made.json().get("signing_secret").is_none(), "it was given");
        assert!(
            !made.text.contains("hush") && !made.text.contains("aHVzaC"),
            "{}",
            made.text
        );
        let id = made.json()["destination"]["id"].as_str().unwrap().to_owned();
        // What is not entered again stays, and what is changed elsewhere does not take it along.
        let path = format!("/admin/notifications/destinations/{id}");
        assert!(!admin.get(&path).await.text.contains("hush"));
    }
    assert_eq!(
        db.count("SELECT COUNT(*) FROM notification_destinations WHERE draft_secrets IS NULL")
            .await,
        0
    );
    for part in ["hush", "aHVzaC"] {
        let sql = format!(
            "SELECT COUNT(*) FROM notification_destinations WHERE draft || draft_secrets LIKE '%{part}%'"
        );
        assert_eq!(db.count(&sql).await, 0, "{part}");
    }
    let audit = admin.get("/admin/audit").await.text;
    assert!(!audit.contains("hush") && !audit.contains("aHVzaC"), "{audit}");
    let secrets = admin.get("/admin/secrets").await.json();
    let kinds = secrets["kinds"].as_array().unwrap();
    let drafts = kinds
        .iter()
        .find(|kind| kind["kind"] == "destination_draft_secrets");
    assert!(drafts.is_some(), "{secrets}");
    plane.stop().await;
}

async fn the_variable_of_the_existing_gateway_is_told_where_there_is_no_destination(db: TestDb) {
    let receiver = Receiver::start().await;
    let mut settings = config(&db);
    settings.notification_url = Some(receiver.url.clone());
    let plane = Plane::start_with(settings).await;
    let admin = plane.admin().await;
    let list = admin.get("/admin/notifications/destinations").await.json();
    assert_eq!(list["environment"], true);
    budget(&admin, json!({})).await;
    open_accounts(&db).await;
    spend(plane.app(), 1, None).await;
    let received = receiver.wait_for(1).await;
    assert!(!received[0].headers.contains_key("webhook-signature"));
    let all = until(&admin, "", all_are("delivered")).await;
    assert_eq!(
        (&all[0]["destination"], &all[0]["destination_id"]),
        (&json!("BUDGET_NOTIFICATION_URL"), &Value::Null)
    );
    // A destination, even one that is not in force yet, takes over.
    let body = json!({"name": "Ops", "settings": webhook(&receiver)});
    assert_eq!(
        admin.post("/admin/notifications/destinations", body).await.status,
        201
    );
    let list = admin.get("/admin/notifications/destinations").await.json();
    assert_eq!(list["environment"], false);
    spend(plane.app(), 2, None).await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(receiver.received().len(), 1);
    plane.stop().await;
}

async fn what_is_wrong_with_a_destination_is_named(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    for (settings, field) in [
        (json!({}), "kind"),
        (json!({"kind": "webhook"}), "url"),
        (
            json!({"kind": "webhook", "url": "https://a.example", "signing_secret": "x"}),
            "signing_secret",
        ),
        (json!({"kind": "slack"}), "slack_url"),
        (
            json!({"kind": "sns", "arn": "arn:aws:sqs:eu-central-1:111122223333:ccag"}),
            "arn",
        ),
        (
            json!({"kind": "sns", "arn": "arn:aws:sns:evil.example/:111122223333:ccag"}),
            "arn",
        ),
        (
            json!({"kind": "eventbridge", "arn": "arn:aws:events:eu-central-1:111122223333:rule/x"}),
            "arn",
        ),
        (
            json!({"kind": "sns", "arn": "arn:aws:sns:eu-central-1:111122223333:ccag", "access_key_id": "AKIA"}),
            "secret_access_key",
        ),
        (json!({"kind": "smtp", "host": "http://mail"}), "host"),
        (
            json!({"kind": "smtp", "host": "127.0.0.1", "from": "a@example.com", "to": ["b@example.com"]}),
            "host",
        ),
        (
            json!({"kind": "smtp", "host": "mail.example.com", "from": "a", "to": ["b@example.com"]}),
            "from",
        ),
        (
            json!({"kind": "smtp", "host": "mail.example.com", "from": "a@example.com", "to": []}),
            "to",
        ),
        (
            json!({"kind": "smtp", "host": "mail.example.com", "security": "none", "username": "u", "password": "p", "from": "a@example.com", "to": ["b@example.com"]}),
            "security",
        ),
    ] {
        let body = json!({"name": "Ops", "settings": settings});
        let refused = admin.post("/admin/notifications/destinations", body).await;
        assert_eq!(
            (refused.status.as_u16(), &refused.json()["field"]),
            (400, &json!(field)),
            "{settings} {}",
            refused.text
        );
    }
    let slack = json!({"kind": "slack", "slack_url": "https://hooks.slack.com/services/x"});
    for (body, field) in [
        (json!({"name": "", "settings": slack}), "name"),
        (
            json!({"name": "Ops", "categories": [], "settings": slack}),
            "categories",
        ),
        (
            json!({"name": "Ops", "team_id": "team_none", "settings": slack}),
            "team_id",
        ),
    ] {
        let refused = admin.post("/admin/notifications/destinations", body).await;
        assert_eq!(
            (refused.status.as_u16(), &refused.json()["field"]),
            (400, &json!(field))
        );
    }
    let body = json!({"name": "Ops", "settings": slack});
    assert_eq!(
        admin
            .post("/admin/notifications/destinations", body.clone())
            .await
            .status,
        201
    );
    assert_eq!(
        admin.post("/admin/notifications/destinations", body).await.status,
        409
    );
    plane.stop().await;
}

async fn history_is_paged_and_forgotten_after_a_month(db: TestDb) {
    let plane = Plane::start(&db).await;
    let (admin, receiver) = (plane.admin().await, Receiver::start().await);
    active(&admin, json!({"name": "Ops", "settings": webhook(&receiver)})).await;
    budget(&admin, json!({})).await;
    open_accounts(&db).await;
    spend(plane.app(), 1, None).await;
    spend(plane.app(), 2, None).await;
    until(&admin, "", |all| all.len() == 2 && all_are("delivered")(all)).await;
    let first = admin.get("/admin/notifications/deliveries?limit=1").await.json();
    assert_eq!(
        (first["deliveries"].as_array().unwrap().len(), &first["total"]),
        (1, &json!(2))
    );
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = admin
        .get(&format!(
            "/admin/notifications/deliveries?limit=1&cursor={cursor}"
        ))
        .await
        .json();
    assert_ne!(first["deliveries"][0]["id"], second["deliveries"][0]["id"]);
    assert_eq!(second["next_cursor"], Value::Null);
    assert!(history(&admin, "?category=session").await.is_empty());
    assert_eq!(history(&admin, "?category=budget&state=delivered").await.len(), 2);
    plane.clock.0.store(NOON + 31 * DAY_MS, Ordering::Relaxed);
    ccag_controlplane::app::notifications::forget_old(plane.app())
        .await
        .unwrap();
    assert_eq!(db.count("SELECT COUNT(*) FROM notification_events").await, 0);
    assert_eq!(db.count("SELECT COUNT(*) FROM notification_deliveries").await, 0);
    plane.stop().await;
}

async fn a_paused_session_is_told_with_its_pause(db: TestDb) {
    let plane = Plane::start(&db).await;
    let (admin, receiver) = (plane.admin().await, Receiver::start().await);
    active(
        &admin,
        json!({"name": "Ops", "categories": ["session"], "settings": webhook(&receiver)}),
    )
    .await;
    let set = put(
        &admin,
        "/admin/settings/session-breaker",
        json!({"usd_per_minute": "5"}),
    )
    .await;
    assert_eq!(set.status, 200, "{}", set.text);
    spend(plane.app(), 1, None).await;
    let told = receiver.wait_for(2).await[1].json();
    assert_eq!(
        (&told["type"], &told["category"]),
        (&json!("session.paused"), &json!("session"))
    );
    assert_eq!(told["data"]["measured_usd"], "20.00");
    assert!(
        told["text"]
            .as_str()
            .unwrap()
            .contains("it spent $20.00 within a minute"),
        "{told}"
    );
    plane.stop().await;
}
