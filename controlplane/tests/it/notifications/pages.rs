//! The console's pages about notifications.

use super::receiver::Receiver;
use super::{budget, open_accounts, spend, until};
use crate::console::{Browser, element};
use crate::support::{Plane, TestDb};
use std::sync::atomic::Ordering;

const PAGE: &str = "/console/notifications";

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_is_drafted_tested_activated_and_what_failed_is_sent_again() {
    let db = TestDb::sqlite().await;
    let plane = Plane::start(&db).await;
    let (admin, receiver) = (plane.admin().await, Receiver::start().await);
    let browser = Browser::of(&admin);
    assert!(browser.get(PAGE).await.text.contains("No destinations yet"));
    let new = format!("{PAGE}/new?kind=webhook");
    let fields = [
        ("kind", "webhook"),
        ("name", "Ops"),
        ("category", "budget"),
        ("url", receiver.url.as_str()),
    ];
    // What is refused stands at its field, with what was entered.
    let refused = browser.submit(&new, PAGE, &fields).await;
    assert_eq!(refused.status, 422, "{}", refused.text);
    assert!(element(&refused, "url").contains("aria-invalid=\"true\""));
    assert!(element(&refused, "name").contains("value=\"Ops\""));
    let mut allowed = fields.to_vec();
    allowed.push(("allow_private_address", "yes"));
    let made = browser.submit(&new, PAGE, &allowed).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let (_, rest) = made.text.split_once("whsec_").unwrap();
    let secret = format!("whsec_{}", rest.split('<').next().unwrap());
    let list = admin.get("/admin/notifications/destinations").await.json();
    let id = list["destinations"][0]["id"].as_str().unwrap().to_owned();
    let page = format!("{PAGE}/{id}");
    assert!(
        !browser.get(&page).await.text.contains("whsec_M"),
        "it is shown once"
    );
    assert!(!browser.get(&page).await.text.contains(&secret));
    let tested = browser.submit(&page, &format!("{page}/test"), &[]).await;
    let shown = browser.follow(&tested).await;
    assert!(
        shown.text.contains("It answered with status 204."),
        "{}",
        shown.text
    );
    assert!(receiver.received()[0].is_signed_with(&secret));
    let activated = browser.submit(&page, &format!("{page}/activate"), &[]).await;
    assert!(browser.follow(&activated).await.text.contains("It is in force."));
    // Switched off, what waits is given up, and can be sent again.
    receiver.answer(500);
    budget(&admin, serde_json::json!({})).await;
    open_accounts(&db).await;
    spend(plane.app(), 1, None).await;
    until(&admin, "", |all| all.len() == 1 && all[0]["answer"].is_string()).await;
    let off = [("name", "Ops"), ("category", "budget")];
    let saved = browser.submit(&page, &page, &off).await;
    browser.follow(&saved).await;
    let history = format!("{PAGE}/history?state=dead");
    let shown = browser.get(&history).await;
    assert!(
        shown.text.contains("The destination was switched off"),
        "{}",
        shown.text
    );
    let on = [("name", "Ops"), ("category", "budget"), ("enabled", "yes")];
    browser.submit(&page, &page, &on).await;
    receiver.answer(200);
    let dead = until(&admin, "?state=dead", |all| all.len() == 1).await;
    let resend = format!("{PAGE}/history/{}/resend", dead[0]["id"].as_str().unwrap());
    let again = browser.submit(&history, &resend, &[]).await;
    assert!(browser.follow(&again).await.text.contains("It is sent again."));
    plane.clock.0.fetch_add(60_000, Ordering::Relaxed);
    until(&admin, "?state=delivered", |all| all.len() == 1).await;
    plane.stop().await;
}
