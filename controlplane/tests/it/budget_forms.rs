//! The console's forms about budgets.

use crate::console::{Browser, element};
use crate::support::{Plane, TestDb};
use serde_json::json;

const NEW: &str = "/console/budgets/new";
const LIST: &str = "/console/budgets";

/// A form that asks for a budget of everybody together, with something changed.
fn form<'a>(changed: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut fields = vec![
        ("scope", "organisation"),
        ("amount", "100"),
        ("period", "monthly"),
        ("time_zone", "UTC"),
        ("mode", "balanced"),
        ("policy", "standard"),
        ("posture", "granted"),
        ("notify", "both"),
    ];
    for n in [
        "step1_action",
        "step2_action",
        "step3_action",
        "step4_action",
        "step5_action",
    ] {
        fields.push((n, "notify"));
    }
    for &(name, value) in changed {
        fields.retain(|(known, _)| *known != name);
        fields.push((name, value));
    }
    fields
}

#[tokio::test]
async fn what_is_wrong_stands_at_its_field_and_nothing_is_lost() {
    let db = TestDb::sqlite().await;
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let browser = Browser::of(&admin);
    for (changed, field) in [
        (&[("amount", "ten")][..], "amount"),
        (&[("amount", "-5")], "amount"),
        (&[("time_zone", "Mars")], "time_zone"),
        (&[("scope", "team")], "team"),
        (&[("scope", "user")], "user"),
        (&[("scope", "user"), ("user", "nobody")], "user"),
        (&[("scope", "key"), ("key", "none")], "key"),
        (&[("period", "yearly")], "period"),
        (&[("mode", "loose")], "mode"),
        (&[("policy", "strict")], "policy"),
        (&[("posture", "grace")], "grace"),
        (&[("posture", "grace"), ("grace", "much")], "grace"),
        (
            &[("policy", "custom"), ("step1_percent", "many")],
            "step1_percent",
        ),
        // The first step is left out: what is wrong with the second of those sent stands at the third of the form.
        (
            &[
                ("policy", "custom"),
                ("step2_percent", "80"),
                ("step3_percent", "70"),
            ],
            "step3_percent",
        ),
        (
            &[
                ("policy", "custom"),
                ("step2_percent", "80"),
                ("step2_action", "throttle"),
            ],
            "step2_detail",
        ),
        (
            &[
                ("policy", "custom"),
                ("step4_percent", "80"),
                ("step4_action", "restrict"),
                ("step4_detail", "claude-opus-5-5, gpt-5"),
            ],
            "step4_detail",
        ),
    ] {
        let sent = form(changed);
        let answer = browser.submit(NEW, LIST, &sent).await;
        assert_eq!(answer.status, 422, "{changed:?}");
        let marked = element(&answer, field);
        assert!(marked.contains("aria-invalid=\"true\""), "{changed:?}: {marked}");
        let amount = sent.iter().find(|(name, _)| *name == "amount").unwrap().1;
        let kept = element(&answer, "amount");
        assert!(kept.contains(&format!("value=\"{amount}\"")), "{kept}");
    }
    assert_eq!(admin.get("/admin/budgets").await.json()["budgets"], json!([]));
    // A second one for the same is refused, at the field that can make the difference.
    let made = browser.submit(NEW, LIST, &form(&[])).await;
    assert!(browser.follow(&made).await.text.contains("The budget is there"));
    let again = browser.submit(NEW, LIST, &form(&[])).await;
    assert!(
        element(&again, "period").contains("aria-invalid"),
        "{}",
        again.text
    );
    plane.stop().await;
}

#[tokio::test]
async fn users_and_keys_are_named_as_people_call_them_and_members_see_their_own() {
    let db = TestDb::sqlite().await;
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let browser = Browser::of(&admin);
    let (dev, user) = admin.new_member("Ada").await;
    let key = admin.post("/admin/keys", json!({"name": "ci"})).await.id();
    for changed in [
        &[("scope", "user"), ("user", "ada"), ("amount", "12.50")][..],
        &[("scope", "key"), ("key", "ci"), ("period", "daily")],
        &[
            ("policy", "custom"),
            ("step1_percent", "90"),
            ("step1_action", "restrict"),
            ("step1_detail", "us.anthropic.claude-opus-5-5"),
        ],
    ] {
        let made = browser.submit(NEW, LIST, &form(changed)).await;
        assert_eq!(made.status, 303, "{}", made.text);
    }
    let list = admin.get("/admin/budgets").await.json();
    let of = |scope: &str| {
        let budgets = list["budgets"].as_array().unwrap();
        budgets.iter().find(|b| b["scope"] == scope).unwrap().clone()
    };
    assert_eq!(of("user")["user_id"], user.as_str());
    assert_eq!(of("key")["key_id"], key.as_str());
    let rules = &of("organisation")["rules"];
    assert_eq!(rules[0]["models"], json!(["claude-opus-5-5"]));
    let found = browser.get("/console/budgets?q=ADA&scope=user").await;
    assert!(
        found.text.contains("User Ada") && !found.text.contains("Key ci"),
        "{}",
        found.text
    );

    let member = Browser::of(&dev);
    let own = member.get("/console").await;
    assert!(
        own.text.contains("My budget") && own.text.contains("$12.50"),
        "{}",
        own.text
    );
    let id = of("user")["id"].as_str().unwrap().to_owned();
    for path in [
        LIST.to_owned(),
        NEW.to_owned(),
        format!("/console/budgets/{id}"),
        format!("/console/budgets/{id}/edit"),
        format!("/console/budgets/{id}/delete"),
    ] {
        assert_eq!(member.get(&path).await.status, 403, "{path}");
    }
    assert_eq!(browser.get("/console/budgets/bud_gone").await.status, 404);
    plane.stop().await;
}

#[tokio::test]
async fn a_teams_budget_keeps_its_own_steps_unless_others_are_chosen() {
    let db = TestDb::sqlite().await;
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let browser = Browser::of(&admin);
    let team = admin.post("/admin/teams", json!({"name": "Platform"})).await.id();
    let api = format!("/admin/teams/{team}/budget");
    let rules = json!([{"at_percent": 70, "action": "block"}]);
    let body = json!({"budget_amount_usd": 500, "budget_policy": rules});
    let set = admin.send("PUT", &api, &body.to_string()).await;
    assert_eq!(set.status, 200, "{}", set.text);
    let page = format!("/console/teams/{team}/budget");
    let form = |amount: &'static str, policy: &'static str| {
        vec![
            ("amount", amount),
            ("each", "25"),
            ("period", "monthly"),
            ("time_zone", "UTC"),
            ("mode", "hard"),
            ("policy", policy),
            ("notify", "both"),
        ]
    };
    let saved = browser.submit(&page, &page, &form("600", "custom")).await;
    assert!(browser.follow(&saved).await.text.contains("Saved"));
    let now = admin.get(&api).await.json();
    assert_eq!(
        (
            &now["budget_amount_usd"],
            &now["default_user_budget_usd"],
            &now["mode"]
        ),
        (&json!("600.00"), &json!("25.00"), &json!("hard"))
    );
    assert_eq!(now["budget_policy"], rules);
    let wrong = browser.submit(&page, &page, &form("lots", "soft")).await;
    assert_eq!(wrong.status, 422);
    assert!(element(&wrong, "amount").contains("aria-invalid"));
    let teams = browser.get("/console/teams").await;
    assert!(teams.text.contains("0 % of $600.00"), "{}", teams.text);
    plane.stop().await;
}

#[tokio::test]
async fn a_manager_is_offered_what_they_may_make() {
    let db = TestDb::sqlite().await;
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let team = admin.post("/admin/teams", json!({"name": "Red"})).await.id();
    let (boss, id) = admin.new_member("boss").await;
    for (method, path, value) in [
        ("PUT", format!("/admin/users/{id}/team"), json!({"team_id": team})),
        (
            "PATCH",
            format!("/admin/users/{id}"),
            json!({"role": "team_manager"}),
        ),
    ] {
        let changed = admin.send(method, &path, &value.to_string()).await;
        assert!(changed.status.is_success(), "{}", changed.text);
    }
    let scopes = |page: &str| -> usize {
        let select = &page[page.find("name=\"scope\"").unwrap()..];
        select[..select.find("</select>").unwrap()]
            .matches("<option")
            .count()
    };
    let page = Browser::of(&boss).get(NEW).await.text;
    assert_eq!(scopes(&page), 1, "{page}");
    assert!(
        page.contains("One member of a team") && !page.contains("Everybody together"),
        "{page}"
    );
    assert!(!page.contains("id=\"key\""), "{page}");
    let list = Browser::of(&boss).get(LIST).await.text;
    assert!(
        list.contains("Create one for a member") && !list.contains("for each user</a>"),
        "{list}"
    );
    assert_eq!(scopes(&Browser::of(&admin).get(NEW).await.text), 7);
    plane.stop().await;
}
