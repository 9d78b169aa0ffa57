//! The console in a real browser, with JavaScript and without.

use crate::harness::{Client, MODEL, PASSWORD, Started, message, standalone, wait_until};
use std::time::Duration;
use thirtyfour::prelude::*;

/// Chromium under a driver. Both end with the test.
struct Browser {
    driver: WebDriver,
    _server: Server,
    _profile: tempfile::TempDir,
}

struct Server(std::process::Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Browser {
    async fn start(javascript: bool) -> Self {
        use std::io::{BufRead, BufReader};
        let mut child = std::process::Command::new("chromedriver")
            .arg("--port=0")
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("chromedriver is installed: run through `cargo xtask test`");
        let output = BufReader::new(child.stdout.take().unwrap());
        let server = Server(child);
        let port = output
            .lines()
            .map_while(Result::ok)
            .find_map(|line| {
                let (_, rest) = line.split_once("started successfully on port ")?;
                rest.trim_end_matches('.').parse::<u16>().ok()
            })
            .expect("chromedriver says its port");
        let profile = tempfile::tempdir().unwrap();
        let mut capabilities = DesiredCapabilities::chrome();
        for argument in [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--no-proxy-server",
            "--window-size=1280,1000",
            &format!("--user-data-dir={}", profile.path().display()),
        ] {
            capabilities.add_arg(argument).unwrap();
        }
        if !javascript {
            let off = serde_json::json!({"profile.managed_default_content_settings.javascript": 2});
            capabilities.add_experimental_option("prefs", off).unwrap();
        }
        let driver = WebDriver::new(format!("http://127.0.0.1:{port}"), capabilities)
            .await
            .unwrap();
        let probe = "data:text/html,<title>off</title><script>document.title = 'on'</script>";
        driver.goto(probe).await.unwrap();
        let state = if javascript { "on" } else { "off" };
        assert_eq!(driver.title().await.unwrap(), state, "JavaScript");
        Self {
            driver,
            _server: server,
            _profile: profile,
        }
    }

    async fn click(&self, css: &str) {
        self.find(css).await.click().await.unwrap();
    }

    async fn find(&self, css: &str) -> WebElement {
        let query = self
            .driver
            .query(By::Css(css))
            .wait(Duration::from_secs(5), Duration::from_millis(50));
        match query.first().await {
            Ok(element) => element,
            Err(_) => panic!("no {css} in:\n{}", self.driver.source().await.unwrap()),
        }
    }

    async fn text(&self) -> String {
        self.find("body").await.text().await.unwrap()
    }

    /// Waits until a page says something: the one before may still stand there.
    async fn until_said(&self, words: &str) {
        wait_until(words, Duration::from_secs(5), || async {
            let source = self.driver.source().await.unwrap_or_default();
            source.contains(words).then_some(())
        })
        .await;
    }

    async fn log_in(&self, it: &Started) {
        self.driver.goto(format!("{}/", it.gateway.url)).await.unwrap();
        self.find("#username").await.send_keys("admin").await.unwrap();
        self.find("#password").await.send_keys(PASSWORD).await.unwrap();
        self.click("form[action='/console/login'] button[type=submit]")
            .await;
        self.find("a[href='/console/keys']").await;
    }

    /// Makes a key and returns its secret, which stands on this page alone.
    async fn create_key(&self, it: &Started, name: &str) -> String {
        self.driver
            .goto(format!("{}/console/keys/new", it.gateway.url))
            .await
            .unwrap();
        self.find("#name").await.send_keys(name).await.unwrap();
        self.click("form[action='/console/keys'] button[type=submit]")
            .await;
        self.find("#the-secret").await;
        let source = self.driver.source().await.unwrap();
        let start = source.find("sk-ccag-").expect("the secret is shown");
        let secret: String = source[start..]
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || *c == '-' || *c == '_')
            .collect();
        assert_eq!(secret.len(), "sk-ccag-".len() + 43, "{secret}");
        secret
    }
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
    browser.log_in(&it).await;

    let name = "<img src=x onerror=alert(1)> laptop";
    let secret = browser.create_key(&it, name).await;
    let client = Client::new(&it.gateway.url, &secret);
    until_status(&client, 200).await;

    browser.driver.refresh().await.unwrap();
    let again = browser.driver.source().await.unwrap();
    assert!(!again.contains(&secret), "the secret is shown twice");

    browser
        .driver
        .goto(format!("{}/console/keys", it.gateway.url))
        .await
        .unwrap();
    assert!(browser.text().await.contains(name), "{}", browser.text().await);
    assert!(!browser.driver.source().await.unwrap().contains(&secret));
    let link = browser.driver.find(By::PartialLinkText("laptop")).await.unwrap();
    link.click().await.unwrap();
    browser.click("a[href$='/revoke']").await;
    browser.click("form[action$='/revoke'] button[type=submit]").await;
    until_status(&client, 401).await;
    assert!(browser.text().await.to_lowercase().contains("revoked"));

    browser
        .driver
        .goto(format!("{}/console/fleet", it.gateway.url))
        .await
        .unwrap();
    let revision = it.admin.get("/admin/fleet").await["revision"].to_string();
    assert!(
        browser.text().await.contains(&revision),
        "{}",
        browser.text().await
    );

    let ledger = it.admin.ledger().await;
    assert!(!ledger.is_empty());
    browser
        .driver
        .goto(format!("{}/console", it.gateway.url))
        .await
        .unwrap();
    let overview = browser.text().await;
    assert!(overview.contains('$'), "no spend: {overview}");
    browser.driver.clone().quit().await.unwrap();
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
    browser
        .driver
        .goto(format!("{}/console/keys", it.gateway.url))
        .await
        .unwrap();
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
    browser.driver.clone().quit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_of_the_navigation_is_there_and_rules_endpoints_and_teams_are_changed_without_javascript()
{
    let it = standalone().await;
    let browser = Browser::start(false).await;
    browser.log_in(&it).await;
    let goto = async |path: &str| {
        let url = format!("{}{path}", it.gateway.url);
        browser.driver.goto(url).await.unwrap();
    };
    let mut pages = Vec::new();
    for link in browser
        .driver
        .find_all(By::Css("nav[aria-label=Main] a"))
        .await
        .unwrap()
    {
        let href = link.attr("href").await.unwrap().unwrap();
        pages.push(href);
    }
    assert!(pages.len() >= 8, "{pages:?}");
    for page in &pages {
        goto(page).await;
        let here = browser.find("nav[aria-label=Main] a[aria-current=page]").await;
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
    browser.driver.clone().quit().await.unwrap();
}

/// Today in so many days, as Chromium's field for a moment takes it when it is typed, at noon.
fn typed_noon(days: i64) -> String {
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis();
    let at = i64::try_from(now).unwrap() + days * ccag_domain::time::DAY_MS;
    let text = ccag_domain::period::rfc3339_in(at, &ccag_domain::TimeZone::UTC);
    format!("{}{}{}\t1200PM", &text[5..7], &text[8..10], &text[..4])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_is_made_raised_changed_and_deleted_without_javascript() {
    let it = standalone().await;
    let browser = Browser::start(false).await;
    browser.log_in(&it).await;
    let goto = async |path: &str| {
        let url = format!("{}{path}", it.gateway.url);
        browser.driver.goto(url).await.unwrap();
    };
    let fill = async |css: &str, text: &str| {
        let field = browser.find(css).await;
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    };
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
    browser.driver.clone().quit().await.unwrap();
}
