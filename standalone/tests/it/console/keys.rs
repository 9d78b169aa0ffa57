//! The life of a key, and being let in, in a browser with JavaScript and without.

use crate::browser::Browser;
use crate::harness::{Client, MODEL, Started, message, standalone, wait_until};
use std::time::Duration;
use thirtyfour::prelude::*;

/// Makes a key and returns its secret, which stands on this page alone.
async fn create_key(browser: &Browser, it: &Started, name: &str) -> String {
    browser
        .goto(&format!("{}/console/keys/new", it.gateway.url))
        .await;
    browser.fill("#name", name).await;
    browser
        .click("form[action='/console/keys'] button[type=submit]")
        .await;
    browser.find("#the-secret").await;
    let source = browser.driver.source().await.unwrap();
    let start = source.find("sk-ccag-").expect("the secret is shown");
    let secret: String = source[start..]
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || *c == '-' || *c == '_')
        .collect();
    assert_eq!(secret.len(), "sk-ccag-".len() + 43, "{secret}");
    secret
}

async fn until_status(client: &Client, wanted: u16) {
    wait_until("the data plane knows", Duration::from_secs(1), || async {
        (client.send(&message(MODEL, "hello")).await.status == wanted).then_some(())
    })
    .await;
}

/// The whole life of a key, as an administrator sees it.
async fn life_of_a_key(javascript: bool) {
    let it = standalone().await;
    let browser = Browser::start(javascript).await;
    browser.log_in(&it.gateway.url, "admin").await;

    let name = "<img src=x onerror=alert(1)> laptop";
    let secret = create_key(&browser, &it, name).await;
    let client = Client::new(&it.gateway.url, &secret);
    until_status(&client, 200).await;

    browser.driver.refresh().await.unwrap();
    let again = browser.driver.source().await.unwrap();
    assert!(!again.contains(&secret), "the secret is shown twice");

    browser.goto(&format!("{}/console/keys", it.gateway.url)).await;
    assert!(browser.text().await.contains(name), "{}", browser.text().await);
    assert!(!browser.driver.source().await.unwrap().contains(&secret));
    let link = browser.driver.find(By::PartialLinkText("laptop")).await.unwrap();
    link.click().await.unwrap();
    browser.click("a[href$='/revoke']").await;
    browser.click("form[action$='/revoke'] button[type=submit]").await;
    until_status(&client, 401).await;
    assert!(browser.text().await.to_lowercase().contains("revoked"));

    browser.goto(&format!("{}/console/fleet", it.gateway.url)).await;
    let revision = it.admin.get("/admin/fleet").await["revision"].to_string();
    assert!(
        browser.text().await.contains(&revision),
        "{}",
        browser.text().await
    );

    let ledger = it.admin.ledger().await;
    assert!(!ledger.is_empty());
    browser.goto(&format!("{}/console", it.gateway.url)).await;
    let overview = browser.text().await;
    assert!(overview.contains('$'), "no spend: {overview}");
    browser.quit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_created_shown_once_and_revoked_in_the_browser() {
    life_of_a_key(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_created_shown_once_and_revoked_with_javascript_disabled() {
    life_of_a_key(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_refused_and_a_stranger_sees_nothing() {
    let it = standalone().await;
    let browser = Browser::start(true).await;
    browser.goto(&format!("{}/console/keys", it.gateway.url)).await;
    browser.find("#username").await.send_keys("admin").await.unwrap();
    browser.find("#password").await.send_keys("wrong").await.unwrap();
    browser
        .click("form[action='/console/login'] button[type=submit]")
        .await;
    let text = browser.find("[role=alert]").await.text().await.unwrap();
    assert!(text.contains("password"), "{text}");
    assert_eq!(
        browser
            .find("#username")
            .await
            .prop("value")
            .await
            .unwrap()
            .as_deref(),
        Some("admin")
    );
    browser.quit().await;
}
