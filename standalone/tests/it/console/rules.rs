//! The pages of the navigation, and changes to rules, endpoints and teams, without JavaScript.

use crate::browser::Browser;
use crate::harness::standalone;
use thirtyfour::prelude::*;

#[tokio::test(flavor = "multi_thread")]
async fn every_page_of_the_navigation_is_there_and_rules_endpoints_and_teams_are_changed_without_javascript()
{
    let it = standalone().await;
    let browser = Browser::start(false).await;
    browser.log_in(&it.gateway.url, "admin").await;
    let goto = async |path: &str| {
        let url = format!("{}{path}", it.gateway.url);
        browser.goto(&url).await;
    };
    let mut pages = Vec::new();
    for link in browser
        .driver
        .find_all(By::Css("nav[aria-label=Main] li a"))
        .await
        .unwrap()
    {
        let href = link.attr("href").await.unwrap().unwrap();
        pages.push(href);
    }
    assert!(pages.len() >= 8, "{pages:?}");
    for page in &pages {
        goto(page).await;
        let here = browser.find("nav[aria-label=Main] li a[aria-current=page]").await;
        assert_eq!(here.attr("href").await.unwrap().as_deref(), Some(page.as_str()));
        browser.find("main h1").await;
    }

    const BETA: &str = "unheard-of-2030-01-01";
    goto("/console/capabilities/rules").await;
    browser.find("#name").await.send_keys(BETA).await.unwrap();
    browser
        .click("form[action='/console/capabilities/rules'] button[type=submit]")
        .await;
    // The browser itself asks for what is required; without a source nothing is sent.
    browser.find("#source").await.send_keys("ticket 7").await.unwrap();
    browser
        .click("form[action='/console/capabilities/rules'] button[type=submit]")
        .await;
    let text = browser.find("[role=status]").await.text().await.unwrap();
    assert!(text.contains("in force"), "{text}");
    let book = it.admin.get("/admin/capabilities/books/invoke-model").await;
    assert_eq!(
        (&book["betas"][0]["name"], &book["betas"][0]["source"]),
        (&BETA.into(), &"ticket 7".into())
    );
    browser.click("a[href$='/delete']").await;
    browser.click("form[action$='/delete'] button[type=submit]").await;
    browser.find("[role=status]").await;
    let book = it.admin.get("/admin/capabilities/books/invoke-model").await;
    assert_ne!(book["betas"][0]["name"], BETA);

    goto("/console/endpoints/new").await;
    browser.find("#name").await.send_keys("Frankfurt").await.unwrap();
    browser
        .find("#region")
        .await
        .send_keys("eu-central-1")
        .await
        .unwrap();
    browser.click("main form button[type=submit]").await;
    goto("/console/endpoints").await;
    assert!(browser.text().await.contains("Frankfurt"));

    goto("/console/teams").await;
    browser.find("#name").await.send_keys("Platform").await.unwrap();
    browser
        .click("form[action='/console/teams'] button[type=submit]")
        .await;
    browser.click("a[href$='/guardrail']").await;
    browser
        .find("#guardrail_id")
        .await
        .send_keys("gr1")
        .await
        .unwrap();
    browser
        .find("#guardrail_version")
        .await
        .send_keys("0")
        .await
        .unwrap();
    browser.click("main form button[type=submit]").await;
    let version = browser.find("#guardrail_version[aria-invalid=true]").await;
    version.clear().await.unwrap();
    version.send_keys("1").await.unwrap();
    browser.click("main form button[type=submit]").await;
    let text = browser.find("[role=status]").await.text().await.unwrap();
    assert!(text.contains("must pass version 1 of gr1"), "{text}");
    let teams = it.admin.get("/admin/teams?name=Platform").await;
    assert_eq!(teams["teams"][0]["guardrail"]["id"], "gr1", "{teams}");
    browser.quit().await;
}
