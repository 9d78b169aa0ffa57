//! The life of a budget, with JavaScript and without.

use crate::browser::Browser;
use crate::harness::standalone;

/// Today in so many days, as Chromium's field for a moment takes it when it is typed, at noon.
fn typed_noon(days: i64) -> String {
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis();
    let at = i64::try_from(now).unwrap() + days * ccag_domain::time::DAY_MS;
    let text = ccag_domain::period::rfc3339_in(at, &ccag_domain::TimeZone::UTC);
    format!("{}{}{}\t1200PM", &text[5..7], &text[8..10], &text[..4])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_is_made_raised_changed_and_deleted_with_javascript() {
    life_of_a_budget(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_is_made_raised_changed_and_deleted_without_javascript() {
    life_of_a_budget(false).await;
}

async fn life_of_a_budget(javascript: bool) {
    let it = standalone().await;
    let browser = Browser::start(javascript).await;
    browser.log_in(&it.gateway.url, "admin").await;
    let goto = async |path: &str| {
        let url = format!("{}{path}", it.gateway.url);
        browser.goto(&url).await;
    };
    let fill = async |css: &str, text: &str| browser.fill(css, text).await;
    goto("/console/budgets").await;
    assert!(browser.text().await.contains("No budgets yet"));
    browser
        .click("a[href='/console/budgets/new?scope=each_user']")
        .await;
    // What is wrong is said at its field, and nothing that was entered is lost.
    fill("#amount", "ten").await;
    fill("#time_zone", "Europe/Berlin").await;
    browser.click("main form button[type=submit]").await;
    let wrong = browser.find("#amount-error").await.text().await.unwrap();
    assert!(wrong.contains("plain decimal"), "{wrong}");
    let kept = browser.find("#time_zone").await.prop("value").await.unwrap();
    assert_eq!(kept.as_deref(), Some("Europe/Berlin"));
    fill("#amount", "40.50").await;
    fill("#time_zone", "Mars/Olympus").await;
    browser.click("main form button[type=submit]").await;
    let wrong = browser.find("#time_zone-error").await.text().await.unwrap();
    assert!(wrong.contains("no time zone"), "{wrong}");
    fill("#time_zone", "Europe/Berlin").await;
    browser.click("main form button[type=submit]").await;
    browser.until_said("The budget is there").await;
    let list = it.admin.get("/admin/budgets").await;
    let budget = &list["budgets"][0];
    assert_eq!(
        (&budget["scope"], &budget["amount_usd"], &budget["time_zone"]),
        (&"each_user".into(), &"40.50".into(), &"Europe/Berlin".into())
    );
    let id = budget["id"].as_str().unwrap().to_owned();
    let path = format!("/console/budgets/{id}");

    browser.click("details.raise-form summary").await;
    fill("#raise_amount", "10").await;
    browser
        .find("#until")
        .await
        .send_keys(typed_noon(30))
        .await
        .unwrap();
    fill("#reason", "the release").await;
    browser.click("form[action$='/raises'] button[type=submit]").await;
    browser.until_said("Raised by $10.00").await;
    assert!(browser.text().await.contains("the release"));
    browser
        .click("form[action$='/withdraw'] button[type=submit]")
        .await;
    browser.until_said("The raise has ended").await;
    let raise = &it.admin.get(&format!("/admin/budgets/{id}")).await["raises"][0];
    assert_eq!(
        (&raise["amount_usd"], &raise["state"]),
        (&"10.00".into(), &"past".into())
    );

    goto(&format!("{path}/edit")).await;
    fill("#amount", "50").await;
    browser.click("#mode option[value=hard]").await;
    browser.click("#policy option[value=custom]").await;
    browser.click("details.steps-form summary").await;
    fill("#step1_percent", "80").await;
    fill("#step2_percent", "70").await;
    browser.click("#step2_action option[value=block]").await;
    browser.click("main form button[type=submit]").await;
    let wrong = browser.find("#step2_percent-error").await.text().await.unwrap();
    assert!(wrong.contains("from low to high"), "{wrong}");
    fill("#step2_percent", "120").await;
    browser.click("main form button[type=submit]").await;
    browser.until_said("The budget is saved").await;
    let changed = it.admin.get(&format!("/admin/budgets/{id}")).await;
    assert_eq!(
        (
            &changed["mode"],
            &changed["policy"],
            &changed["rules"][1]["at_percent"]
        ),
        (&"hard".into(), &"custom".into(), &120.into())
    );
    goto("/console").await;
    assert!(browser.text().await.contains("My budget"));

    goto(&format!("{path}/delete")).await;
    browser.click("form[action$='/delete'] button[type=submit]").await;
    browser.until_said("The budget is deleted").await;
    assert!(browser.text().await.contains("No budgets yet"));
    browser.quit().await;
}
