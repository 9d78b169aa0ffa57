//! The console's pages about sessions that run away.

use crate::console::{Browser, element};
use crate::support::{Caller, Plane, TestDb, record};
use ccag_controlplane::app::intake::{Incoming, take_in};
use ccag_domain::{UsageRecord, UserId};
use serde_json::json;

const PAGE: &str = "/console/sessions";

async fn run_away(plane: &Plane, seed: u64, user: &str, session: &str) {
    let record = UsageRecord {
        user_id: Some(UserId::parse(user).unwrap()),
        session_id: Some(session.into()),
        ..record(seed)
    };
    let batch = vec![Incoming::Record(Box::new(record))];
    take_in(plane.app(), "rep_test", batch).await.unwrap();
}

async fn resume_path(who: &Caller, session: &str) -> String {
    let list = who.get("/admin/paused-sessions").await.json();
    let found = list["paused_sessions"].as_array().unwrap();
    let paused = found.iter().find(|p| p["session_id"] == session).unwrap();
    format!("{PAGE}/{}/resume", paused["id"].as_str().unwrap())
}

#[tokio::test]
async fn a_member_resumes_their_session_from_the_start_page() {
    let db = TestDb::sqlite().await;
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let (dev, user) = admin.new_member("dev").await;
    let (other, _) = admin.new_member("other").await;
    let (browser, admins) = (Browser::of(&dev), Browser::of(&admin));
    let notice = "Sessions of mine that ran away";
    let saved = admins.submit(PAGE, PAGE, &[("usd_per_minute", "0.001")]).await;
    let shown = admins.follow(&saved).await;
    assert!(
        shown
            .text
            .contains("Saved: $0.001 within a minute for one session."),
        "{}",
        shown.text
    );
    assert!(!browser.get("/console").await.text.contains(notice));
    for (seed, session) in [(1, "first"), (2, "second")] {
        run_away(&plane, seed, &user, session).await;
    }
    let start = browser.get("/console").await;
    assert!(
        start.text.contains(notice)
            && start
                .text
                .contains("it spent $0.0012 within a minute, and $0.001 are allowed"),
        "{}",
        start.text
    );
    assert!(!admins.get("/console").await.text.contains(notice));
    // Somebody else's session is not there for them.
    let first = resume_path(&dev, "first").await;
    let others = Browser::of(&other);
    let refused = others.submit("/console", &first, &[]).await;
    assert!(
        others
            .follow(&refused)
            .await
            .text
            .contains("There is no paused session"),
    );
    let resumed = browser.submit("/console", &first, &[("from", "home")]).await;
    assert_eq!(resumed.headers["location"], "/console");
    let start = browser.follow(&resumed).await;
    assert!(start.text.contains("Session first goes on."), "{}", start.text);
    let again = browser.submit("/console", &first, &[("from", "home")]).await;
    assert!(browser.follow(&again).await.text.contains("resumed already"));
    // The admin's list has the other one, and with a word both.
    let list = admins.get(PAGE).await;
    assert!(
        list.text.contains("second") && !list.text.contains(">first<"),
        "{}",
        list.text
    );
    let all = admins.get(&format!("{PAGE}?state=all")).await;
    assert!(
        all.text.contains("second") && all.text.contains(">first<"),
        "{}",
        all.text
    );
    // Members see their own, and no limits to set.
    let own = browser.get(PAGE).await;
    assert!(
        own.text.contains("second") && !own.text.contains("usd_per_minute"),
        "{}",
        own.text
    );
    assert!(others.get(PAGE).await.text.contains("No session is paused"));
    let forbidden = others.submit("/console", PAGE, &[("usd_per_minute", "9")]).await;
    assert_eq!(forbidden.status, 403);
    let second = resume_path(&admin, "second").await;
    let resumed = admins.submit(PAGE, &second, &[("from", "sessions")]).await;
    assert_eq!(resumed.headers["location"], PAGE);
    plane.stop().await;
}

#[tokio::test]
async fn a_team_gets_limits_of_its_own_and_goes_back_to_the_organisations() {
    let db = TestDb::sqlite().await;
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let browser = Browser::of(&admin);
    let team = admin.post("/admin/teams", json!({"name": "Platform"})).await.id();
    let page = format!("/console/teams/{team}/sessions");
    let linked = browser.get(&format!("/console/teams/{team}/budget")).await;
    assert!(linked.text.contains(&page));
    let setting = "/admin/settings/session-breaker";
    let limits = json!({"usd_per_minute": 5, "agents_per_minute": 1});
    admin.send("PUT", setting, &limits.to_string()).await;
    let shown = browser.get(&page).await;
    assert!(
        shown
            .text
            .contains("The organisation's: $5.00 and 1 agent within a minute"),
        "{}",
        shown.text
    );
    let own = [
        ("whose", "team"),
        ("usd_per_minute", ""),
        ("agents_per_minute", "30"),
    ];
    let saved = browser.submit(&page, &page, &own).await;
    let shown = browser.follow(&saved).await;
    assert!(
        shown
            .text
            .contains("Saved: 30 agents within a minute for one session of “Platform”."),
        "{}",
        shown.text
    );
    assert!(element(&shown, "agents_per_minute").contains("value=\"30\""));
    let api = format!("/admin/teams/{team}/session-breaker");
    assert_eq!(admin.get(&api).await.json()["source"], "team");
    let back = [("whose", "organisation")];
    let saved = browser.submit(&page, &page, &back).await;
    assert!(
        browser
            .follow(&saved)
            .await
            .text
            .contains("The organisation's limits count")
    );
    assert_eq!(admin.get(&api).await.json()["source"], "organisation");
    for (fields, wrong) in [
        (
            &[("whose", "team"), ("usd_per_minute", "much")][..],
            "usd_per_minute",
        ),
        (&[("whose", "team"), ("usd_per_minute", "0")], "usd_per_minute"),
        (
            &[("whose", "team"), ("agents_per_minute", "many")],
            "agents_per_minute",
        ),
        (
            &[("whose", "team"), ("agents_per_minute", "0")],
            "agents_per_minute",
        ),
        (&[("whose", "nobody")], "whose"),
    ] {
        let answer = browser.submit(&page, &page, fields).await;
        assert_eq!(answer.status, 422, "{fields:?}");
        let marked = element(&answer, wrong);
        assert!(marked.contains("aria-invalid=\"true\""), "{fields:?}: {marked}");
    }
    let answer = browser.submit(PAGE, PAGE, &[("agents_per_minute", "-1")]).await;
    assert_eq!(answer.status, 422);
    assert!(element(&answer, "agents_per_minute").contains("aria-invalid"));
    plane.stop().await;
}
