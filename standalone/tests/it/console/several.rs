//! What is done to several things at once, with JavaScript and without.

use super::world::{FORMULA, PICTURE, World, world};
use crate::browser::{Browser, DESKTOP, PHONE, Scheme};
use serde_json::{Value, json};

struct Clerk<'w> {
    world: &'w World,
    browser: Browser,
    faults: Vec<String>,
}

impl Clerk<'_> {
    async fn goto(&self, path: &str) {
        self.browser.goto(&self.world.url(path)).await;
    }

    async fn get(&self, path: &str) -> Value {
        self.world.it.admin.get(path).await
    }

    /// How often each of these ids stands in the audit log with an action.
    async fn entries(&self, action: &str, ids: &[String]) -> Vec<usize> {
        let log = self.get(&format!("/admin/audit?q={action}&limit=1000")).await;
        let entries = log["entries"].as_array().unwrap();
        let of = |id: &String| {
            let about = entries
                .iter()
                .filter(|entry| entry["action"] == action && entry["object_id"] == id.as_str());
            about.count()
        };
        ids.iter().map(of).collect()
    }

    /// Ticks some things of a list and presses a button, which leads to a page that names them.
    async fn tick(&mut self, list: &str, ids: &[String], button: &str, names: &[&str]) {
        self.goto(list).await;
        for id in ids {
            self.browser.click(&format!("#pick-{id}")).await;
        }
        let button = format!("#several button[value='{button}']");
        self.browser.turning(self.browser.click(&button)).await;
        let asked = self.browser.find("main h1").await.text().await.unwrap();
        assert!(
            asked.ends_with('?') && asked.contains(&ids.len().to_string()),
            "{asked}"
        );
        let told = self.browser.find("main form").await.text().await.unwrap();
        for name in names {
            assert!(told.contains(name), "{name} is not named in {told}");
        }
        if self.browser.has_javascript() {
            for (size, scheme) in [(PHONE, Scheme::Dark), (DESKTOP, Scheme::Light)] {
                self.faults.extend(self.browser.faults(size, scheme).await);
            }
        }
        self.faults.extend(self.browser.complaints().await);
    }

    async fn confirm(&self) -> String {
        let button = "main form[method=post] button[type=submit]";
        self.browser.turning(self.browser.click(button)).await;
        let said = self.browser.find("main .flash").await;
        said.text().await.unwrap()
    }

    async fn keys(&mut self) {
        let list = self.get("/admin/keys?limit=1000").await;
        let ids: Vec<String> = list["keys"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|key| key["name"] == PICTURE || key["name"] == "key 29" || key["name"] == "key 28")
            .map(|key| key["id"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(ids.len(), 3, "{list}");
        self.tick(
            "/console/keys",
            &ids,
            "revoke",
            &[PICTURE, "key 29", "cannot be undone"],
        )
        .await;
        // Somebody else is faster with one of them.
        self.world.it.admin.revoke_key(&ids[1]).await;
        let said = self.confirm().await;
        assert!(
            said.contains("2 keys are revoked") && said.contains("is revoked already"),
            "{said}"
        );
        assert_eq!(self.entries("key.revoke", &ids).await, [1, 1, 1]);
        for id in &ids {
            assert_eq!(self.get(&format!("/admin/keys/{id}")).await["state"], "revoked");
        }
        if self.browser.has_javascript() {
            self.goto("/console/keys").await;
            self.browser.click("#pick-all").await;
            let ticked = self
                .browser
                .ask("return document.querySelectorAll('td.pick input:checked').length")
                .await;
            assert_eq!(ticked, 25, "one box ticks all of the page");
        }
        // With nothing ticked there is nothing to ask.
        self.goto("/console/keys").await;
        self.browser
            .turning(self.browser.click("#several button[value=revoke]"))
            .await;
        let said = self.browser.find("main .flash").await.text().await.unwrap();
        assert!(said.contains("Tick first"), "{said}");
    }

    async fn users(&mut self) {
        let list = self.get("/admin/users?limit=1000").await;
        let id = |name: &str| {
            let users = list["users"].as_array().unwrap();
            let user = users.iter().find(|user| user["username"] == name).unwrap();
            user["id"].as_str().unwrap().to_owned()
        };
        let ids = [id("grace"), id(FORMULA)];
        let team = json!({"name": "Red"});
        let team = self.world.it.admin.post("/admin/teams", &team).await["id"].clone();
        let names = ["grace", FORMULA];

        self.tick("/console/users", &ids, "move", &names).await;
        let said = {
            let button = "main form[method=post] button[type=submit]";
            self.browser.turning(self.browser.click(button)).await;
            let wrong = self.browser.find("#team-error").await;
            wrong.text().await.unwrap()
        };
        assert!(said.contains("Choose a team"), "{said}");
        self.browser.fill("#team", team.as_str().unwrap()).await;
        let said = self.confirm().await;
        assert!(said.contains("2 users are in the team"), "{said}");
        assert_eq!(self.entries("user.assign", &ids).await, [1, 1]);
        for id in &ids {
            assert_eq!(self.get(&format!("/admin/users/{id}")).await["team_id"], team);
        }

        for (verb, action, said_of_two, state) in [
            ("sign-out", "user.sign_out", "2 users are signed out", "active"),
            ("suspend", "user.suspend", "2 users are suspended", "suspended"),
            ("activate", "user.activate", "2 users are active again", "active"),
        ] {
            self.tick("/console/users", &ids, verb, &names).await;
            let said = self.confirm().await;
            assert!(said.contains(said_of_two), "{said}");
            assert_eq!(self.entries(action, &ids).await, [1, 1], "{action}");
            for id in &ids {
                assert_eq!(self.get(&format!("/admin/users/{id}")).await["state"], state);
            }
        }
    }

    /// Lets two devices in, and signs them out together.
    async fn devices(&mut self) {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let post = async |path: &str, fields: &[(&str, &str)]| -> Value {
            let sent = http.post(self.world.url(path)).form(fields).send().await.unwrap();
            assert_eq!(sent.status(), 200);
            sent.json().await.unwrap()
        };
        for _ in 0..2 {
            let device = post("/oauth/device_authorization", &[("surface", "claude_code")]).await;
            let code = device["user_code"].as_str().unwrap();
            self.goto(&format!("/device?user_code={code}")).await;
            let approve = "main form button[value=approve]";
            self.browser.turning(self.browser.click(approve)).await;
            let grant = "urn:ietf:params:oauth:grant-type:device_code";
            let code = device["device_code"].as_str().unwrap();
            post("/oauth/token", &[("grant_type", grant), ("device_code", code)]).await;
        }
        let sessions = self.get("/admin/client-sessions").await;
        let sessions = sessions["sessions"].as_array().unwrap().iter();
        let ids: Vec<String> = sessions
            .map(|session| session["id"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(ids.len(), 2);
        self.tick(
            "/console/devices",
            &ids,
            "end",
            &["admin", "asks to sign in again"],
        )
        .await;
        let said = self.confirm().await;
        assert!(said.contains("2 devices are signed out"), "{said}");
        let left = self.get("/admin/client-sessions").await;
        assert_eq!(left["sessions"], json!([]));
    }
}

/// Whoever names somebody else's key, in the address or in the form, is told nothing of it and does nothing to it.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_somebody_elses_is_not_among_several() {
    let world = world().await;
    let (foreign, _) = world.it.admin.create_key("foreign").await;
    let mut clerk = Clerk {
        world: &world,
        browser: Browser::start(true).await,
        faults: Vec::new(),
    };
    clerk.browser.log_in(&world.it.gateway.url, "grace").await;
    clerk.goto(&format!("/console/keys/revoke?id={foreign}")).await;
    let said = clerk.browser.find("main .flash").await.text().await.unwrap();
    assert!(said.contains("Tick first") && !said.contains("foreign"), "{said}");

    clerk.goto("/console/keys/new").await;
    clerk.browser.fill("#name", "own").await;
    let create = clerk.browser.click("main form button[type=submit]");
    clerk.browser.turning(create).await;
    let own = clerk.get("/admin/keys?limit=1000").await;
    let own = own["keys"]
        .as_array()
        .unwrap()
        .iter()
        .find(|key| key["name"] == "own");
    let own = own.unwrap()["id"].as_str().unwrap().to_owned();
    clerk.tick("/console/keys", &[own], "revoke", &["own"]).await;
    let swap = format!("document.querySelector('main input[name=id]').value = '{foreign}'");
    clerk.browser.ask(&swap).await;
    let said = clerk.confirm().await;
    assert!(
        said.contains("Nothing was changed") && !said.contains("foreign"),
        "{said}"
    );
    let key = clerk.get(&format!("/admin/keys/{foreign}")).await;
    assert_eq!(key["state"], "active");

    clerk.goto("/console/users/several?do=suspend").await;
    assert_eq!(clerk.browser.status().await, 403);
    clerk.browser.quit().await;
    assert!(clerk.faults.is_empty(), "{}", clerk.faults.join("\n"));
}

async fn several_at_once(javascript: bool) {
    let world = world().await;
    let browser = Browser::start(javascript).await;
    browser.log_in(&world.it.gateway.url, "admin").await;
    let mut clerk = Clerk {
        world: &world,
        browser,
        faults: Vec::new(),
    };
    clerk.keys().await;
    clerk.users().await;
    clerk.devices().await;
    clerk.browser.quit().await;
    assert!(clerk.faults.is_empty(), "{}", clerk.faults.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn several_things_are_changed_at_once_with_javascript() {
    several_at_once(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_things_are_changed_at_once_without_javascript() {
    several_at_once(false).await;
}
