//! A real browser: Chromium under its driver, with JavaScript and without.

mod page;

pub(crate) use page::{DESKTOP, PHONE, Scheme, Size};

use crate::harness::{PASSWORD, provided, wait_until};
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use thirtyfour::prelude::*;

/// Chromium under a driver. Both end with the test.
pub(crate) struct Browser {
    pub(crate) driver: WebDriver,
    http: reqwest::Client,
    /// Where the driver takes what is beyond the standard.
    session: String,
    javascript: bool,
    _server: Server,
    _profile: tempfile::TempDir,
}

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Server {
    /// Starts a driver on a port of its own choice.
    fn start() -> (Self, u16) {
        use std::io::{BufRead, BufReader};
        let mut child = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver is installed: run through `cargo xtask test`");
        let output = BufReader::new(child.stdout.take().unwrap());
        let server = Self(child);
        let port = output
            .lines()
            .map_while(Result::ok)
            .find_map(|line| {
                let (_, rest) = line.split_once("started successfully on port ")?;
                rest.trim_end_matches('.').parse::<u16>().ok()
            })
            .expect("chromedriver says its port");
        (server, port)
    }
}

impl Browser {
    pub(crate) async fn start(javascript: bool) -> Self {
        let (server, port) = Server::start();
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
            let off = json!({"profile.managed_default_content_settings.javascript": 2});
            capabilities.add_experimental_option("prefs", off).unwrap();
        }
        capabilities
            .set("goog:loggingPrefs", json!({"browser": "ALL"}))
            .unwrap();
        let driver = WebDriver::new(format!("http://127.0.0.1:{port}"), capabilities)
            .await
            .unwrap();
        let probe = "data:text/html,<title>off</title><script>document.title = 'on'</script>";
        driver.goto(probe).await.unwrap();
        let state = if javascript { "on" } else { "off" };
        assert_eq!(driver.title().await.unwrap(), state, "JavaScript");
        let session = driver.handle().session_id().to_string();
        let browser = Self {
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            session: format!("http://127.0.0.1:{port}/session/{session}"),
            driver,
            javascript,
            _server: server,
            _profile: profile,
        };
        // Nothing moves, so that colours are what they will be.
        browser.show(DESKTOP, Scheme::Light).await;
        if javascript {
            let file = Path::new(&provided("CCAG_TEST_NODE_DIR")).join("node_modules/axe-core/axe.min.js");
            let axe =
                std::fs::read_to_string(file).expect("axe-core is installed: run through `cargo xtask test`");
            let script = json!({"source": axe});
            browser
                .tell("Page.addScriptToEvaluateOnNewDocument", script)
                .await;
        }
        browser
    }

    /// Whether scripts run here.
    pub(crate) const fn has_javascript(&self) -> bool {
        self.javascript
    }

    /// Asks the driver for something beyond the standard.
    async fn post(&self, path: &str, body: &Value) -> Value {
        let request = self.http.post(format!("{}/{path}", self.session)).json(body);
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        assert!(answer["value"]["error"].is_null(), "{path}: {answer}");
        answer["value"].clone()
    }

    /// Sends a command of the DevTools protocol.
    async fn tell(&self, command: &str, arguments: Value) {
        self.post("goog/cdp/execute", &json!({"cmd": command, "params": arguments}))
            .await;
    }

    /// What a script returns.
    pub(crate) async fn ask(&self, script: &str) -> Value {
        let answer = self.driver.execute(script, Vec::new()).await;
        answer
            .unwrap_or_else(|error| panic!("{script}: {error}"))
            .json()
            .clone()
    }

    /// What the browser has complained of since the last time: errors of scripts, refusals by the content security policy,
    /// and files that are not there. A page that says no is none of these.
    pub(crate) async fn complaints(&self) -> Vec<String> {
        let log = self.post("se/log", &json!({"type": "browser"})).await;
        let here = self.driver.current_url().await.unwrap().to_string();
        let entries = log.as_array().unwrap_or_else(|| panic!("no log: {log}"));
        let about = entries.iter().filter(|entry| {
            let message = entry["message"].as_str().unwrap_or_default();
            let refused = message.starts_with(&here) || message.contains("status of 422");
            let is_page = entry["source"] == "network" && refused;
            matches!(entry["level"].as_str(), Some("SEVERE" | "WARNING")) && !is_page
        });
        about.map(|entry| entry["message"].to_string()).collect()
    }

    pub(crate) async fn goto(&self, url: &str) {
        self.driver.goto(url).await.unwrap();
    }

    /// The path and query of the page.
    pub(crate) async fn address(&self) -> String {
        let url = self.driver.current_url().await.unwrap();
        match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        }
    }

    pub(crate) async fn click(&self, css: &str) {
        self.find(css).await.click().await.unwrap();
    }

    pub(crate) async fn find(&self, css: &str) -> WebElement {
        let query = self
            .driver
            .query(By::Css(css))
            .wait(Duration::from_secs(5), Duration::from_millis(50));
        match query.first().await {
            Ok(element) => element,
            Err(_) => panic!("no {css} in {}:\n{}", self.address().await, self.text().await),
        }
    }

    /// Whether something is on the page now.
    pub(crate) async fn has(&self, css: &str) -> bool {
        !self.driver.find_all(By::Css(css)).await.unwrap().is_empty()
    }

    /// What a field holds.
    pub(crate) async fn value(&self, css: &str) -> String {
        self.find(css)
            .await
            .prop("value")
            .await
            .unwrap()
            .unwrap_or_default()
    }

    /// Puts something into a field, or chooses an entry of a list by its value.
    pub(crate) async fn fill(&self, css: &str, text: &str) {
        let field = self.find(css).await;
        if field.tag_name().await.unwrap() == "select" {
            self.click(&format!("{css} option[value='{text}']")).await;
        } else {
            field.clear().await.unwrap();
            field.send_keys(text).await.unwrap();
        }
    }

    /// Everything that can be read on the page.
    pub(crate) async fn text(&self) -> String {
        let body = self.driver.find(By::Css("body")).await.unwrap();
        body.text().await.unwrap()
    }

    /// Waits until a page says something: the one before may still stand there.
    pub(crate) async fn until_said(&self, words: &str) {
        wait_until(words, Duration::from_secs(5), || async {
            let source = self.driver.source().await.unwrap_or_default();
            source.contains(words).then_some(())
        })
        .await;
    }

    /// Signs somebody in with the password that everybody has.
    pub(crate) async fn log_in(&self, gateway: &str, username: &str) {
        self.goto(&format!("{gateway}/")).await;
        let name = self.find("#username").await;
        if !name.is_displayed().await.unwrap() {
            // Where there are other ways to sign in, this one is folded away.
            self.click("main summary").await;
        }
        name.send_keys(username).await.unwrap();
        self.find("#password").await.send_keys(PASSWORD).await.unwrap();
        self.click("form[action='/console/login'] button[type=submit]")
            .await;
        self.find("nav[aria-label=Main] a[href='/console/keys']").await;
    }

    pub(crate) async fn quit(&self) {
        self.driver.clone().quit().await.unwrap();
    }
}
