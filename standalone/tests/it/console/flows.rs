//! What people do in forms: make something, be refused and mend it, change it, and take it away, with JavaScript and without.

use super::world::{PICTURE, World, world};
use crate::browser::{Browser, DESKTOP, PHONE, Scheme};
use thirtyfour::prelude::*;

/// A kind of thing, and what is entered about one.
struct Thing {
    /// The list, which is also where the form goes.
    list: &'static str,
    /// The page with the form.
    new: &'static str,
    /// What folds the form away, if it is on the list.
    fold: Option<&'static str>,
    /// Everything that is entered, one value of it wrong.
    wrong: &'static [(&'static str, &'static str)],
    /// The field that is wrong, and what is right.
    mended: (&'static str, &'static str),
    /// What the thing is called then.
    name: &'static str,
    /// A field of the thing's own page with a value that is refused, and one that is not.
    change: (&'static str, &'static str, &'static str),
    /// Which field is blamed for it.
    blamed: &'static str,
}

const THINGS: [Thing; 6] = [
    Thing {
        list: "/console/teams",
        new: "/console/teams",
        fold: Some("details.maker summary"),
        wrong: &[("#name", "taken")],
        mended: ("#name", "Payments"),
        name: "Payments",
        change: ("#name", "Taken", "Payments and more"),
        blamed: "#name",
    },
    Thing {
        list: "/console/users",
        new: "/console/users",
        fold: Some("details.maker summary"),
        wrong: &[
            ("#username", "olga"),
            ("#email", "olga@example.com"),
            ("#role", "auditor"),
            ("#password", "short"),
        ],
        mended: ("#password", "long enough, and more than that"),
        name: "olga",
        change: ("#password", "short", "another one, long enough"),
        blamed: "#password",
    },
    Thing {
        list: "/console/policies",
        new: "/console/policies/new",
        fold: None,
        wrong: &[
            ("#name", "Juniors"),
            ("#priority", "high"),
            ("#settings", "{\"model\": \"haiku\"}"),
        ],
        mended: ("#priority", "7"),
        name: "Juniors",
        change: ("#settings", "no JSON", "{\"model\": \"sonnet\"}"),
        blamed: "#settings",
    },
    Thing {
        list: "/console/notifications",
        new: "/console/notifications/new?kind=webhook",
        fold: None,
        wrong: &[("#name", "Pager"), ("#url", "nonsense")],
        mended: ("#url", "https://pager.example.com/"),
        name: "Pager",
        change: ("#team", "nobody's", ""),
        blamed: "#team",
    },
    Thing {
        list: "/console/endpoints",
        new: "/console/endpoints/new",
        fold: None,
        wrong: &[
            ("#name", "Frankfurt"),
            ("#region", "eu-central-1"),
            ("#role_arn", "somebody"),
        ],
        mended: ("#role_arn", "arn:aws:iam::111122223333:role/ccag"),
        name: "Frankfurt",
        change: ("#role_arn", "nobody", "arn:aws:iam::444455556666:role/ccag"),
        blamed: "#role_arn",
    },
    Thing {
        list: "/console/sign-in",
        new: "/console/sign-in/providers/new",
        fold: None,
        wrong: &[
            ("#name", "Corp"),
            ("#issuer_url", "https://idp.example.com"),
            ("#client_id", "ccag"),
            ("#mappings", "ops"),
        ],
        mended: ("#mappings", "ops = auditor"),
        name: "Corp",
        change: ("#mappings", "ops = emperor", "ops = admin"),
        blamed: "#mappings",
    },
];

struct Clerk<'w> {
    world: &'w World,
    browser: Browser,
    faults: Vec<String>,
}

impl Clerk<'_> {
    async fn goto(&self, path: &str) {
        self.browser.goto(&self.world.url(path)).await;
    }

    async fn send(&self, action: &str) {
        let button = format!("main form[action='{action}'] button[type=submit]");
        self.browser.turning(self.browser.click(&button)).await;
    }

    /// Looks at a page that is not among those that links lead to.
    async fn look(&mut self) {
        if self.browser.has_javascript() {
            for (size, scheme) in [(PHONE, Scheme::Dark), (DESKTOP, Scheme::Light)] {
                self.faults.extend(self.browser.faults(size, scheme).await);
            }
        }
        let address = self.browser.address().await;
        let complaints = self.browser.complaints().await;
        self.faults
            .extend(complaints.iter().map(|what| format!("{address}: {what}")));
    }

    /// The form has come back: it says at the field what is wrong, and above all fields, with a link there.
    async fn is_refused(&mut self, field: &str) {
        let (browser, id) = (&self.browser, field.trim_start_matches('#'));
        let wrong = browser.find(&format!("{field}[aria-invalid=true]")).await;
        let described = wrong.attr("aria-describedby").await.unwrap().unwrap();
        let error = format!("{id}-error");
        assert!(
            described.split(' ').any(|one| one == error),
            "{field}: {described}"
        );
        let error = browser.find(&format!("#{error}")).await.text().await.unwrap();
        assert!(error.len() > 10, "{field}: {error}");
        let to_field = format!("main [role=alert] a[href='{field}']");
        browser.find(&to_field).await;
        if browser.has_javascript() {
            let focus = browser
                .ask("return document.activeElement.getAttribute('href')")
                .await;
            assert_eq!(focus, field, "the summary has the focus");
        }
        self.look().await;
        self.browser.click(&to_field).await;
        let here = self.browser.driver.active_element().await.unwrap();
        assert_eq!(
            here.id().await.unwrap().as_deref(),
            Some(id),
            "the link leads to the field"
        );
    }

    /// What was done is said, once.
    async fn is_done(&self) -> String {
        self.browser
            .find("main [role=status]")
            .await
            .text()
            .await
            .unwrap()
    }

    async fn whole_life(&mut self, thing: &Thing) {
        let Thing { list, name, .. } = *thing;
        self.goto(thing.new).await;
        if let Some(fold) = thing.fold {
            self.browser.click(fold).await;
        }
        for (field, value) in thing.wrong {
            self.browser.fill(field, value).await;
        }
        let action = match list {
            "/console/sign-in" => "/console/sign-in/providers",
            list => list,
        };
        self.send(action).await;
        let (field, value) = thing.mended;
        self.is_refused(field).await;
        for (kept, value) in thing.wrong.iter().filter(|(css, _)| *css != "#password") {
            assert_eq!(
                self.browser.value(kept).await,
                *value,
                "{kept} keeps what was typed"
            );
        }
        self.browser.fill(field, value).await;
        self.send(action).await;
        self.goto(list).await;
        let link = self.browser.driver.find(By::LinkText(name)).await;
        let link = link.unwrap_or_else(|_| panic!("no {name} in {list}"));
        self.browser.turning(async { link.click().await.unwrap() }).await;
        let own = self.browser.address().await;

        let (field, wrong, right) = thing.change;
        self.browser.fill(field, wrong).await;
        self.send(&own).await;
        self.is_refused(thing.blamed).await;
        self.browser.fill(field, right).await;
        self.send(&own).await;
        let done = self.is_done().await;
        assert!(!done.is_empty());
        self.goto(&own).await;
        if field != "#password" {
            let value = self.browser.value(field).await;
            let letters = |text: &str| text.replace(char::is_whitespace, "");
            assert_eq!(letters(&value), letters(right), "{field} is changed");
        }
        assert!(
            !self.browser.has("main [role=status]").await,
            "{done} is said twice"
        );

        self.browser
            .turning(self.browser.click("main a[href$='/delete']"))
            .await;
        let asked = self.browser.find("main h1").await.text().await.unwrap();
        assert!(asked.contains(name) && asked.ends_with('?'), "{asked}");
        let told = self.browser.find("main form").await.text().await.unwrap();
        assert!(told.len() > 60, "it says what will happen: {told}");
        self.look().await;
        self.browser
            .turning(self.browser.click("main form a.quiet"))
            .await;
        assert_eq!(self.browser.address().await, own, "keeping it leads back");
        self.goto(&format!("{own}/delete")).await;
        self.send(&format!("{own}/delete")).await;
        let done = self.is_done().await;
        assert!(done.contains("deleted") || done.contains("gone"), "{done}");
        let gone = self.browser.driver.find_all(By::LinkText(name)).await.unwrap();
        assert!(gone.is_empty(), "{name} is still in {list}");
    }

    /// What a button does, the button that stands there then undoes.
    async fn suspended_and_back(&self) {
        let page = format!("/console/users/{}", self.world.user);
        self.goto(&page).await;
        for (done, state) in [("suspended", "Suspended"), ("active", "Active")] {
            self.send(&format!("{page}/state")).await;
            assert!(self.is_done().await.contains(done));
            self.goto(&page).await;
            let badge = self.browser.find("main .badge").await.text().await.unwrap();
            assert_eq!(badge, state);
        }
    }

    /// A key for somebody who is not there.
    async fn key_for_nobody(&mut self) {
        self.goto("/console/keys/new").await;
        self.browser.fill("#name", PICTURE).await;
        self.browser.fill("#user", "nobody at all").await;
        self.send("/console/keys").await;
        self.is_refused("#user").await;
        assert_eq!(self.browser.value("#name").await, PICTURE);
    }
}

async fn everything_is_made_mended_changed_and_taken_away(javascript: bool) {
    let world = world().await;
    let browser = Browser::start(javascript).await;
    browser.log_in(&world.it.gateway.url, "admin").await;
    let mut clerk = Clerk {
        world: &world,
        browser,
        faults: Vec::new(),
    };
    let taken = serde_json::json!({"name": "Taken"});
    world.it.admin.post("/admin/teams", &taken).await;
    for thing in &THINGS {
        clerk.whole_life(thing).await;
    }
    clerk.suspended_and_back().await;
    clerk.key_for_nobody().await;
    let log = world.it.admin.get("/admin/audit/verify").await;
    assert_eq!(log["intact"], true);
    clerk.browser.quit().await;
    assert!(clerk.faults.is_empty(), "{}", clerk.faults.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn forms_are_refused_mended_changed_and_undone_with_javascript() {
    everything_is_made_mended_changed_and_taken_away(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forms_are_refused_mended_changed_and_undone_without_javascript() {
    everything_is_made_mended_changed_and_taken_away(false).await;
}
