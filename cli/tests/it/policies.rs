//! Policies.

use crate::Person;
use crate::server::{Server, made_at};
use ccag_admin_api::*;
use ccag_domain::{PolicyId, PolicyMatch, Role, TeamId};
use serde_json::{Value, json};

const ONE: &str = "/admin/policies/pol_1";

fn strict() -> PolicyView {
    let settings = json!({"permissions": {"deny": ["WebFetch"]}});
    PolicyView {
        id: PolicyId::parse("pol_1").unwrap(),
        name: "Strict".into(),
        priority: 10,
        subject: PolicyMatch {
            team_ids: vec![TeamId::parse("team_1").unwrap()],
            groups: vec!["Contractors".into()],
            roles: vec![Role::Member],
            email_domains: vec!["example.com".into()],
        },
        models: Some(vec!["claude-sonnet-5".into()]),
        settings: settings.as_object().cloned(),
        version: 3,
        created_at: made_at(),
        updated_at: made_at(),
    }
}

fn signed_in() -> (Server, Person) {
    let server = Server::start();
    let person = Person::signed_in(&server);
    server.add_team("team_1", "Platform");
    server.add_team("team_2", "Research");
    let list = PolicyList {
        policies: vec![strict()],
    };
    server.answer("GET", paths::POLICIES, &list);
    server.answer("POST", paths::POLICIES, &strict());
    server.answer("GET", ONE, &strict());
    server.answer("PUT", ONE, &strict());
    (server, person)
}

fn body(server: &Server) -> Value {
    serde_json::from_str(&server.sent().pop().unwrap().2).unwrap()
}

fn held() -> Value {
    let policy = serde_json::to_value(strict()).unwrap();
    let fields = ["name", "priority", "match", "models", "settings"];
    fields
        .iter()
        .map(|field| ((*field).to_owned(), policy[*field].clone()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

#[test]
fn a_policy_says_what_it_is_told_to_and_nothing_else() {
    let (server, person) = signed_in();
    person.ok(&["policies", "create", "--name", "Strict"]);
    assert_eq!(body(&server), json!({"name": "Strict", "match": {}}));
    let file = person.home.path().join("settings.json");
    std::fs::write(&file, r#"{"env": {"DISABLE_TELEMETRY": "1"}}"#).unwrap();
    person.ok(&[
        "policies",
        "create",
        "--name",
        "Strict",
        "--priority",
        "-5",
        "--team",
        "platform",
        "--group",
        "Contractors",
        "--group",
        "Guests",
        "--role",
        "member",
        "--deny-all-models",
        "--settings",
        file.to_str().unwrap(),
    ]);
    assert_eq!(
        body(&server),
        json!({
            "name": "Strict",
            "priority": -5,
            "match": {"team_ids": ["team_1"], "groups": ["Contractors", "Guests"], "roles": ["member"]},
            "models": [],
            "settings": {"env": {"DISABLE_TELEMETRY": "1"}},
        })
    );
}

#[test]
fn an_update_keeps_all_that_it_does_not_name() {
    let (server, person) = signed_in();
    person.ok(&["policies", "update", "strict", "--priority", "20"]);
    let mut expected = held();
    expected["priority"] = json!(20);
    assert_eq!(body(&server), expected);

    let args = [
        "policies",
        "update",
        "pol_1",
        "--team",
        "Research",
        "--clear",
        "groups",
        "--no-models",
    ];
    person.ok(&args);
    let mut expected = held();
    expected["match"] =
        json!({"team_ids": ["team_2"], "roles": ["member"], "email_domains": ["example.com"]});
    expected.as_object_mut().unwrap().remove("models");
    assert_eq!(body(&server), expected);

    person.ok(&["policies", "update", "Strict", "--no-settings", "--name", "Lax"]);
    let mut expected = held();
    expected["name"] = json!("Lax");
    expected.as_object_mut().unwrap().remove("settings");
    assert_eq!(body(&server), expected);
}

#[test]
fn settings_have_to_be_an_object() {
    let (server, person) = signed_in();
    let update = ["policies", "update", "Strict", "--settings", "-"];
    let done = person.with_input(&update, "{\"model\": \"opus\"}");
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert_eq!(body(&server)["settings"], json!({"model": "opus"}));
    for (text, why) in [("[]", "no JSON object"), ("{", "no JSON: "), ("", "no JSON: ")] {
        let done = person.with_input(&update, text);
        assert_eq!(done.code, 2, "{text}");
        assert!(done.stderr.contains(why), "{}", done.stderr);
    }
    let sent = server.sent();
    assert!(sent.iter().all(|(method, _, _)| method == "GET"), "{sent:?}");
    let missing = ["policies", "update", "Strict", "--settings", "/nowhere"];
    assert_eq!(person.run(&missing).code, 6);
    for wrong in [
        &["policies", "create"][..],
        &["policies", "update", "Strict", "--model", "a", "--no-models"],
        &["policies", "update", "Strict", "--no-models", "--deny-all-models"],
        &["policies", "update", "Strict", "--role", "king"],
    ] {
        assert_eq!(person.run(wrong).code, 2, "{wrong:?}");
    }
}

#[test]
fn policies_are_shown_and_deleted() {
    let (server, person) = signed_in();
    let shown = person.ok(&["policies", "list"]);
    let expected = "ID     NAME    PRIORITY  ABOUT                                                                         MODELS           SETTINGS\n\
                    pol_1  Strict        10  team Platform, group Contractors, role member, e-mail at example.com  claude-sonnet-5  permissions\n";
    let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(squeezed(&shown), squeezed(expected));
    let shown = person.ok(&["policies", "show", "STRICT"]);
    assert!(
        shown.contains("Version:  3\n") && shown.contains("\"WebFetch\""),
        "{shown}"
    );
    server.answer("DELETE", ONE, &());
    assert_eq!(person.ok(&["policies", "delete", "Strict"]), "Deleted pol_1.\n");
    let done = person.run(&["policies", "show", "Lax"]);
    assert_eq!(
        (done.code, done.stderr.as_str()),
        (
            1,
            "error: no policy is called `Lax`; `ccag policies list` shows those there are\n"
        )
    );
}

#[test]
fn a_preview_says_what_somebody_is_told_and_may_use() {
    let (server, person) = signed_in();
    server.add_user("user_2", "ada");
    let path = "/admin/users/user_2/policy";
    let nothing = PolicyPreview {
        policies: Vec::new(),
        models: None,
        models_by: None,
        settings: None,
    };
    server.answer("GET", path, &nothing);
    assert_eq!(
        person.ok(&["policies", "preview", "ada"]),
        "Policies:            none\nModels:              all that their team may use\nClaude Code is told: nothing\n"
    );
    let much = PolicyPreview {
        policies: vec!["All".into(), "Strict".into()],
        models: Some(Vec::new()),
        models_by: Some("Strict".into()),
        settings: Some(ManagedSettings {
            uuid: "u".into(),
            checksum: "sha256:ab".into(),
            settings: json!({"model": "opus"}),
        }),
    };
    server.answer("GET", path, &much);
    assert_eq!(
        person.ok(&["policies", "preview", "ada"]),
        "Policies:            All, then Strict\nModels:              none may be used (says Strict)\n\
         Claude Code is told: what stands below (sha256:ab)\n\n{\n  \"model\": \"opus\"\n}\n"
    );
    assert_eq!(
        person.json(&["policies", "preview", "user_2"])["models"],
        json!([])
    );
}
