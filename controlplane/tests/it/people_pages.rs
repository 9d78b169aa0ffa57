//! The console's pages about one user, one team, and how to connect.

use crate::console::Browser;
use crate::support::{Caller, PASSWORD, Plane, TestDb};
use serde_json::json;

#[tokio::test]
async fn an_admin_changes_a_user_and_gives_a_service_account_a_token() {
    let db = TestDb::sqlite().await;
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let (dev, id) = admin.new_member("dev").await;
    let team = admin.post("/admin/teams", json!({"name": "Platform"})).await.id();
    let browser = Browser::of(&admin);
    let page = format!("/console/users/{id}");
    assert!(browser.get("/console/users").await.text.contains(&page));
    let fields = [
        ("display_name", "Dev"),
        ("email", "dev@example.com"),
        ("role", "auditor"),
        ("team", team.as_str()),
    ];
    let saved = browser.submit(&page, &page, &fields).await;
    let shown = browser.follow(&saved).await.text;
    assert!(
        shown.contains("“dev” is changed") && shown.contains("Platform"),
        "{shown}"
    );
    let user = admin.get(&format!("/admin/users/{id}")).await.json();
    assert_eq!(
        (&user["role"], &user["team_id"], &user["email"]),
        (&json!("auditor"), &json!(team), &json!("dev@example.com"))
    );
    // What is wrong stands at its field, and what was entered is still there.
    for (field, value) in [("role", "king"), ("team", "team_none"), ("password", "short")] {
        let mut wrong = fields.to_vec();
        wrong.retain(|(name, _)| *name != field);
        wrong.push((field, value));
        let refused = browser.submit(&page, &page, &wrong).await;
        assert_eq!(refused.status, 422, "{field}: {}", refused.text);
        assert!(refused.text.contains("dev@example.com") && !refused.text.contains("value=\"short\""));
    }
    // An auditor sees, and changes nothing; a member sees nobody else.
    let auditor = Browser::of(&plane.caller().login("dev", PASSWORD).await);
    let seen = auditor.get(&page).await.text;
    assert!(
        seen.contains("others change it") && !seen.contains("Sign out everywhere"),
        "{seen}"
    );
    assert_eq!(auditor.submit("/console", &page, &fields).await.status, 403);
    let (eve, _) = admin.new_member("eve").await;
    assert_ne!(Browser::of(&eve).get(&page).await.status, 200);
    // Signed out everywhere.
    browser.submit(&page, &format!("{page}/sign-out"), &[]).await;
    assert_eq!(dev.get("/auth/me").await.status, 401);
    // A token, shown once.
    let service = admin
        .post("/admin/users", json!({"username": "nightly", "kind": "service"}))
        .await
        .id();
    let page = format!("/console/users/{service}");
    let tokens = format!("{page}/tokens");
    let refused = browser.submit(&page, &tokens, &[("token_name", "")]).await;
    assert_eq!(refused.status, 422, "{}", refused.text);
    let made = browser.submit(&page, &tokens, &[("token_name", "build")]).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let token = made.text.split("ccags_").nth(1).unwrap();
    let token = format!("ccags_{}", token.split('<').next().unwrap());
    let program = Caller {
        token: Some(token.clone()),
        ..plane.caller()
    };
    assert_eq!(
        program.get("/auth/me").await.json()["user"]["username"],
        "nightly"
    );
    let shown = browser.get(&page).await.text;
    assert!(shown.contains("build") && !shown.contains(&token));
    let list = admin.get(&format!("/admin/users/{service}/tokens")).await.json();
    let token_id = list["tokens"][0]["id"].as_str().unwrap().to_owned();
    let revoked = browser
        .submit(&page, &format!("{tokens}/revoke"), &[("token_id", &token_id)])
        .await;
    assert!(
        browser
            .follow(&revoked)
            .await
            .text
            .contains("The token is revoked")
    );
    assert_eq!(program.get("/auth/me").await.status, 401);
    // Deleted after a question; the last owner is not.
    let delete = format!("{page}/delete");
    assert!(browser.get(&delete).await.text.contains("Delete “nightly”?"));
    let gone = browser.submit(&delete, &delete, &[]).await;
    assert_eq!(gone.headers["location"], "/console/users");
    assert_eq!(browser.get(&page).await.status, 404);
    let me = admin.get("/auth/me").await.json()["user"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let delete = format!("/console/users/{me}/delete");
    let kept = browser.submit(&delete, &delete, &[]).await;
    assert!(browser.follow(&kept).await.text.contains("last active"));
    plane.stop().await;
}

#[tokio::test]
async fn a_teams_page_takes_people_in_and_out_and_renames_it() {
    let db = TestDb::sqlite().await;
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let (_, dev) = admin.new_member("dev").await;
    let (manager, boss) = admin.new_member("boss").await;
    let team = admin.post("/admin/teams", json!({"name": "Platform"})).await.id();
    admin.post("/admin/teams", json!({"name": "Data"})).await;
    let browser = Browser::of(&admin);
    let page = format!("/console/teams/{team}");
    let members = format!("{page}/members");
    assert!(browser.get(&page).await.text.contains("Nobody is in this team"));
    let refused = browser.submit(&page, &members, &[("username", "nobody")]).await;
    assert!(refused.status == 422 && refused.text.contains("no user with this username"));
    for name in ["dev", "boss"] {
        let added = browser.submit(&page, &members, &[("username", name)]).await;
        let said = browser.follow(&added).await.text;
        assert!(said.contains(&format!("“{name}” is in the team.")), "{said}");
    }
    let taken = browser.submit(&page, &page, &[("name", "data")]).await;
    assert!(
        taken.status == 422 && taken.text.contains("There is a team named"),
        "{}",
        taken.text
    );
    let renamed = browser.submit(&page, &page, &[("name", "Plattform")]).await;
    assert!(
        browser
            .follow(&renamed)
            .await
            .text
            .contains("called “Plattform” now")
    );
    // Its manager takes people out, and may neither rename nor delete it.
    let role = json!({"role": "team_manager"}).to_string();
    admin.send("PATCH", &format!("/admin/users/{boss}"), &role).await;
    let own = Browser::of(&manager);
    let seen = own.get(&page).await.text;
    assert!(seen.contains("Remove") && !seen.contains("Delete…"), "{seen}");
    assert_eq!(own.submit(&page, &page, &[("name", "Mine")]).await.status, 403);
    let out = own
        .submit(&page, &format!("{members}/remove"), &[("user_id", &dev)])
        .await;
    assert!(own.follow(&out).await.text.contains("not in the team any more"));
    let delete = format!("{page}/delete");
    assert!(browser.get(&delete).await.text.contains("1 user is a member."));
    let kept = browser.submit(&delete, &delete, &[]).await;
    assert!(
        browser
            .follow(&kept)
            .await
            .text
            .contains("there is 1 member that belongs to it")
    );
    browser
        .submit(&page, &format!("{members}/remove"), &[("user_id", &boss)])
        .await;
    let gone = browser.submit(&delete, &delete, &[]).await;
    assert_eq!(gone.headers["location"], "/console/teams");
    assert_eq!(browser.get(&page).await.status, 404);
    plane.stop().await;
}

#[tokio::test]
async fn the_connect_page_says_what_the_script_does_and_admins_change_it() {
    let db = TestDb::sqlite().await;
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let (dev, _) = admin.new_member("dev").await;
    let (browser, own) = (Browser::of(&admin), Browser::of(&dev));
    let page = "/console/connect";
    let shown = own.get(page).await.text;
    assert!(
        shown.contains("/setup | sh") && !shown.contains("one_hour_cache"),
        "{shown}"
    );
    let saved = browser
        .submit(page, page, &[("mode", "login"), ("one_hour_cache", "yes")])
        .await;
    assert!(browser.follow(&saved).await.text.contains("Saved."));
    let settings = admin.get("/admin/setup").await.json();
    assert_eq!(
        settings,
        json!({"mode": "login", "one_hour_cache": true, "model_discovery": false})
    );
    let refused = browser.submit(page, page, &[("mode", "pigeon")]).await;
    assert!(refused.status == 422 && refused.text.contains("Choose one of the offered ways"));
    assert_eq!(own.submit(page, page, &[("mode", "key")]).await.status, 403);
    // A command for a machine, on a key's page.
    let key = dev.post("/admin/keys", json!({"name": "laptop"})).await.id();
    let place = format!("/console/keys/{key}");
    assert!(own.get(&place).await.text.contains("Make a setup command"));
    let made = own.submit(&place, &format!("{place}/setup-command"), &[]).await;
    assert!(
        made.status == 200 && made.text.contains("--token st-ccag-"),
        "{}",
        made.text
    );
    let others = browser.get(&place).await.text;
    assert!(!others.contains("st-ccag-"));
    plane.stop().await;
}
