//! Slack, as its incoming webhooks behave (Slack, "Sending messages using incoming webhooks" and "Rate limits").

use super::{active, budget, history, open_accounts, spend, until};
use crate::support::{Caller, Plane, TestDb, on_both};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode};
use serde_json::{Value, json};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

on_both!(
    a_message_arrives_in_the_channel_and_what_slack_refuses_is_told_in_words,
    slack_is_left_alone_for_as_long_as_it_says,
);

/// The one webhook that there is.
const WEBHOOK: &str = "/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX";

#[derive(Default)]
struct Channel {
    archived: bool,
    /// For how many seconds it takes nothing more.
    limited_s: Option<u32>,
    messages: Vec<String>,
    asked: usize,
}

type Shared = Arc<Mutex<Channel>>;

async fn slack() -> (String, Shared) {
    let channel = Shared::default();
    let app = axum::Router::new()
        .route("/{*path}", axum::routing::any(take))
        .with_state(Arc::clone(&channel));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, channel)
}

type Reply = (StatusCode, [(&'static str, String); 2], &'static str);

fn reply(status: u16, text: &'static str, retry_after: Option<u32>) -> Reply {
    let header = match retry_after {
        Some(seconds) => ("retry-after", seconds.to_string()),
        None => ("x-slack-backend", "r".to_owned()),
    };
    let headers = [("content-type", "text/html; charset=utf-8".to_owned()), header];
    (StatusCode::from_u16(status).unwrap(), headers, text)
}

async fn take(
    State(channel): State<Shared>,
    method: Method,
    Path(path): Path<String>,
    headers: HeaderMap,
    body: String,
) -> Reply {
    let mut channel = channel.lock().unwrap();
    channel.asked += 1;
    if let Some(seconds) = channel.limited_s {
        return reply(429, "rate_limited", Some(seconds));
    }
    if format!("/{path}") != WEBHOOK {
        return reply(404, "no_service", None);
    }
    let is_json = headers
        .get("content-type")
        .is_some_and(|kind| kind.to_str().unwrap().starts_with("application/json"));
    let payload: Option<Value> = serde_json::from_str(&body).ok();
    let (Some(payload), true, true) = (payload, is_json, method == Method::POST) else {
        return reply(400, "invalid_payload", None);
    };
    let Some(text) = payload["text"].as_str().filter(|text| !text.is_empty()) else {
        return reply(400, "no_text", None);
    };
    if channel.archived {
        return reply(410, "channel_is_archived", None);
    }
    channel.messages.push(text.to_owned());
    reply(200, "ok", None)
}

fn way(url: &str) -> Value {
    json!({"kind": "slack", "slack_url": url, "allow_private_address": true})
}

async fn tested(admin: &Caller, name: &str, url: &str) -> Value {
    let made = admin
        .post(
            "/admin/notifications/destinations",
            json!({"name": name, "settings": way(url)}),
        )
        .await
        .json();
    let id = made["destination"]["id"].as_str().unwrap();
    let path = format!("/admin/notifications/destinations/{id}/test");
    admin.post(&path, json!({})).await.json()
}

async fn a_message_arrives_in_the_channel_and_what_slack_refuses_is_told_in_words(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let (url, channel) = slack().await;
    active(
        &admin,
        json!({"name": "Ops", "settings": way(&format!("{url}{WEBHOOK}"))}),
    )
    .await;
    budget(&admin, json!({})).await;
    open_accounts(&db).await;
    spend(plane.app(), 1, None).await;
    until(&admin, "?state=delivered", |all| all.len() == 1).await;
    let event = history(&admin, "").await.remove(0)["event"].clone();
    let message = channel.lock().unwrap().messages[1].clone();
    let (line, id) = message.split_once('\n').unwrap();
    assert_eq!(
        line,
        ":warning: Everybody together reached 50 % of the budget for the month: $20.00 of $40.00 are spent."
    );
    assert_eq!(id, format!("_{}_", event["id"].as_str().unwrap()));
    // A webhook that is gone, and a channel that is archived.
    let gone = tested(&admin, "gone", &format!("{url}/services/T1/B1/Y")).await;
    assert_eq!(gone["success"], false);
    assert_eq!(
        gone["message"],
        "It answered with status 404: no_service. The webhook was removed or switched off in Slack: make a new one and enter its \
         address."
    );
    channel.lock().unwrap().archived = true;
    let archived = tested(&admin, "archived", &format!("{url}{WEBHOOK}")).await;
    assert_eq!(
        archived["message"],
        "It answered with status 410: channel_is_archived. The channel is archived: restore it in Slack, or make a webhook for \
         another one."
    );
    plane.stop().await;
}

async fn slack_is_left_alone_for_as_long_as_it_says(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let (url, channel) = slack().await;
    active(
        &admin,
        json!({"name": "Ops", "settings": way(&format!("{url}{WEBHOOK}"))}),
    )
    .await;
    channel.lock().unwrap().limited_s = Some(90);
    budget(&admin, json!({})).await;
    open_accounts(&db).await;
    spend(plane.app(), 1, None).await;
    until(&admin, "", |all| all.len() == 1 && all[0]["answer"].is_string()).await;
    let now = plane.clock.0.load(Ordering::Relaxed);
    let due = db.count("SELECT due_at_ms FROM notification_deliveries").await;
    assert_eq!(due - now, 90_000, "and not the five seconds of a first failure");
    channel.lock().unwrap().limited_s = None;
    plane.clock.0.fetch_add(89_000, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(
        channel.lock().unwrap().asked,
        2,
        "the test, and the first attempt"
    );
    plane.clock.0.fetch_add(1_000, Ordering::Relaxed);
    until(&admin, "?state=delivered", |all| all.len() == 1).await;
    // However long it wants, it is asked again within six hours.
    channel.lock().unwrap().limited_s = Some(1_000_000);
    spend(plane.app(), 2, None).await;
    until(&admin, "?state=pending", |all| {
        all.len() == 1 && all[0]["answer"].is_string()
    })
    .await;
    let now = plane.clock.0.load(Ordering::Relaxed);
    let due = db
        .count("SELECT MAX(due_at_ms) FROM notification_deliveries")
        .await;
    assert_eq!(due - now, 6 * 3_600_000);
    plane.stop().await;
}
