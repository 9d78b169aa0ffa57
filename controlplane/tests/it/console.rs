//! Forms of the console: what they hold, what they change, and how they come back.

use crate::support::{Answer, Caller, Plane, TestDb};
use serde_json::{Value, json};

/// Somebody in front of the console.
pub(crate) struct Browser {
    caller: Caller,
}

impl Browser {
    pub(crate) fn of(person: &Caller) -> Self {
        let token = person.token.clone().unwrap();
        let caller = Caller {
            token: None,
            ..person.clone()
        };
        Self {
            caller: caller.with("cookie", &format!("ccag_session={token}")),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.caller.get(path).await
    }

    /// Sends a form with the token that the page holds.
    pub(crate) async fn submit(&self, page: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
        let shown = self.get(page).await;
        assert_eq!(shown.status, 200, "{}", shown.text);
        let (_, rest) = shown.text.split_once("name=\"csrf\" value=\"").unwrap();
        let csrf = rest.split('"').next().unwrap();
        let body = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("csrf", csrf)
            .extend_pairs(fields)
            .finish();
        let kind = "application/x-www-form-urlencoded";
        let caller = self.caller.clone().with("content-type", kind);
        caller.send("POST", path, &body).await
    }

    /// The page that a form leads to, with what it says.
    pub(crate) async fn follow(&self, answer: &Answer) -> Answer {
        assert_eq!(answer.status, 303, "{}", answer.text);
        let flash: Vec<&str> = answer
            .headers
            .get_all("set-cookie")
            .iter()
            .map(|cookie| cookie.to_str().unwrap().split(';').next().unwrap())
            .collect();
        let mut caller = self.caller.clone();
        for (name, value) in &mut caller.headers {
            if *name == "cookie" {
                value.push_str("; ");
                value.push_str(&flash.join("; "));
            }
        }
        caller.get(answer.headers["location"].to_str().unwrap()).await
    }
}

/// The element with this id, as it is written.
pub(crate) fn element<'t>(page: &'t Answer, id: &str) -> &'t str {
    let at = page.text.find(&format!("id=\"{id}\"")).unwrap_or_else(|| {
        panic!("nothing is called {id} in:\n{}", page.text);
    });
    let start = page.text[..at].rfind('<').unwrap();
    let end = at + page.text[at..].find('>').unwrap();
    &page.text[start..=end]
}

async fn team(admin: &Caller) -> (String, String) {
    let id = admin.post("/admin/teams", json!({"name": "Platform"})).await.id();
    let page = format!("/console/teams/{id}/guardrail");
    (id, page)
}

async fn guardrail(admin: &Caller, team: &str) -> Value {
    let found = admin.get(&format!("/admin/teams/{team}")).await.json();
    found["guardrail"].clone()
}

#[tokio::test]
async fn a_team_gets_a_guardrail_and_loses_it_in_the_console() {
    let db = TestDb::sqlite().await;
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let browser = Browser::of(&admin);
    let (id, page) = team(&admin).await;
    let teams = browser.get("/console/teams").await;
    assert!(
        teams.text.contains(&page) && teams.text.contains("the endpoint's"),
        "{}",
        teams.text
    );

    let arn = "arn:aws:bedrock:eu-central-1:111122223333:guardrail/abc123";
    let fields = [
        ("guardrail_id", arn),
        ("guardrail_version", "DRAFT"),
        ("guardrail_trace", "enabled-full"),
        ("guardrail_tag_input", "yes"),
    ];
    let saved = browser.submit(&page, &page, &fields).await;
    let teams = browser.follow(&saved).await;
    assert!(
        teams
            .text
            .contains("Requests of “Platform” must pass version DRAFT"),
        "{}",
        teams.text
    );
    assert!(teams.text.contains(">guardrail abc123</a>"));
    assert_eq!(
        guardrail(&admin, &id).await,
        json!({"id": arn, "version": "DRAFT", "trace": "enabled-full", "tag_input": true})
    );
    // What is stored stands in the form, and saving it changes nothing.
    let shown = browser.get(&page).await;
    assert!(element(&shown, "guardrail_id").contains(arn));
    assert!(element(&shown, "guardrail_tag_input").contains("checked"));
    assert!(
        shown.text.contains("<option value=\"enabled-full\" selected"),
        "{}",
        shown.text
    );
    // Renaming the team elsewhere keeps it.
    admin
        .send("PATCH", &format!("/admin/teams/{id}"), r#"{"name":"Core"}"#)
        .await;
    assert_eq!(guardrail(&admin, &id).await["version"], "DRAFT");

    let fields = [
        ("guardrail_id", ""),
        ("guardrail_version", ""),
        ("guardrail_trace", "disabled"),
    ];
    let saved = browser.submit(&page, &page, &fields).await;
    let teams = browser.follow(&saved).await;
    assert!(
        teams.text.contains("“Core” has no guardrail of its own"),
        "{}",
        teams.text
    );
    assert_eq!(guardrail(&admin, &id).await, json!(null));
    plane.stop().await;
}

#[tokio::test]
async fn a_wrong_guardrail_comes_back_with_what_was_entered_and_the_field_at_fault() {
    let db = TestDb::sqlite().await;
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let browser = Browser::of(&admin);
    let (id, page) = team(&admin).await;
    let new_endpoint = "/console/endpoints/new";
    for (guardrail_id, version, trace, field, said) in [
        (
            "A B",
            "1",
            "disabled",
            "guardrail_id",
            "lower-case letters and digits",
        ),
        ("abc", "0", "disabled", "guardrail_version", "<code>DRAFT</code>"),
        ("abc", "", "disabled", "guardrail_version", "<code>DRAFT</code>"),
        ("", "1", "disabled", "guardrail_id", "empty the version"),
        ("abc", "1", "loud", "guardrail_trace", "one of the offered"),
    ] {
        let fields = [
            ("name", "An endpoint"),
            ("weight", "1"),
            ("guardrail_id", guardrail_id),
            ("guardrail_version", version),
            ("guardrail_trace", trace),
            ("guardrail_tag_input", "yes"),
        ];
        // The endpoint's form has the same fields.
        for (at, to) in [
            (page.as_str(), page.as_str()),
            (new_endpoint, "/console/endpoints"),
        ] {
            let again = browser.submit(at, to, &fields).await;
            assert_eq!(again.status, 422, "{fields:?}");
            let wrong = element(&again, field);
            assert!(wrong.contains("aria-invalid=\"true\""), "{fields:?}: {wrong}");
            assert!(wrong.contains(&format!("{field}-error")), "{wrong}");
            assert!(again.text.contains(&format!("href=\"#{field}\"")));
            assert!(again.text.contains(said), "{said}: {}", again.text);
            for (name, entered) in [("guardrail_id", guardrail_id), ("guardrail_version", version)] {
                assert!(element(&again, name).contains(&format!("value=\"{entered}\"")));
            }
            assert!(element(&again, "guardrail_tag_input").contains("checked"));
        }
    }
    assert_eq!(guardrail(&admin, &id).await, json!(null));
    let endpoints = admin.get("/admin/endpoints").await.json();
    assert_eq!(endpoints["endpoints"].as_array().unwrap().len(), 1);
    plane.stop().await;
}

#[tokio::test]
async fn a_teams_guardrail_is_for_admins_with_a_form_of_ours() {
    let db = TestDb::sqlite().await;
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let (member, _) = admin.new_member("mira").await;
    let (id, page) = team(&admin).await;
    let member = Browser::of(&member);
    assert_eq!(member.get(&page).await.status, 403);
    let fields = [("guardrail_id", "abc"), ("guardrail_version", "1")];
    let sent = member.submit("/console", &page, &fields).await;
    assert_eq!(sent.status, 403);
    let forged = Browser::of(&admin).caller;
    let forged = forged.with("content-type", "application/x-www-form-urlencoded");
    let answer = forged
        .send("POST", &page, "guardrail_id=abc&guardrail_version=1")
        .await;
    assert!(answer.status.is_client_error(), "{}", answer.status);
    assert_eq!(guardrail(&admin, &id).await, json!(null));
    let nowhere = Browser::of(&admin)
        .get("/console/teams/team_missing/guardrail")
        .await;
    assert_eq!(nowhere.status, 404);
    plane.stop().await;
}

#[tokio::test]
async fn what_is_refused_comes_back_with_the_field_that_the_refusal_names() {
    let db = TestDb::sqlite().await;
    let plane = Plane::start(&db).await;
    let browser = Browser::of(&plane.admin().await);
    let model = [
        ("name", "claude-mine-1"),
        ("bedrock_id", "anthropic.claude-mine-1"),
        ("geographies", "global"),
        ("context_tokens", "200000"),
        ("max_output_tokens", "64000"),
    ];
    let price = [
        ("input_rate", "1"),
        ("output_rate", "5"),
        ("cache_read_rate", "0.1"),
        ("cache_write_rate", "1.25"),
        ("regional_permille", "1100"),
        ("in_region_permille", "1000"),
        ("gov_permille", "1200"),
    ];
    let endpoint = [("name", "An endpoint"), ("weight", "1")];
    let (models, prices) = ("/console/models", "/console/models/claude-haiku-4-5/price");
    // The form itself finds the first of each kind wrong, the app the others.
    for (page, to, form, field, id, entered) in [
        (
            "/console/models/new",
            models,
            &model[..],
            "context_tokens",
            "context_tokens",
            "many",
        ),
        (
            "/console/models/new",
            models,
            &model,
            "geographies",
            "geographies",
            "moon",
        ),
        (
            "/console/models/new",
            models,
            &model,
            "name",
            "name",
            "claude-haiku-4-5",
        ),
        (
            "/console/models/new",
            models,
            &model,
            "bedrock_id",
            "bedrock_id",
            "no id",
        ),
        (prices, prices, &price, "output_rate", "output", "dear"),
        (
            prices,
            prices,
            &price,
            "regional_permille",
            "regional",
            "4000000000",
        ),
        (prices, prices, &price, "mantle_permille", "mantle", "much"),
        (
            "/console/endpoints/new",
            "/console/endpoints",
            &endpoint,
            "weight",
            "weight",
            "heavy",
        ),
        (
            "/console/endpoints/new",
            "/console/endpoints",
            &endpoint,
            "region",
            "region",
            "the moon",
        ),
    ] {
        let mut fields = form.to_vec();
        fields.retain(|(name, _)| *name != field);
        fields.push((field, entered));
        let again = browser.submit(page, to, &fields).await;
        assert_eq!(again.status, 422, "{field} {entered}: {}", again.text);
        let wrong = element(&again, id);
        assert!(
            wrong.contains("aria-invalid=\"true\"") && wrong.contains(&format!("value=\"{entered}\"")),
            "{field} {entered}: {wrong}"
        );
        assert!(again.text.contains(&format!("href=\"#{id}\"")));
    }
    let saved = browser.submit("/console/models/new", models, &model).await;
    let shown = browser.follow(&saved).await;
    assert!(
        shown.text.contains("served as soon as it has a price"),
        "{}",
        shown.text
    );
    let priced = "/console/models/claude-mine-1/price";
    let saved = browser.submit(priced, priced, &price).await;
    let shown = browser.follow(&saved).await;
    assert!(shown.text.contains("counts for requests from now on"));
    let reset = format!("{priced}/reset");
    let saved = browser.submit(priced, &reset, &[]).await;
    assert_eq!(saved.status, 303);
    plane.stop().await;
}
