//! Identity providers.

use crate::Person;
use crate::server::{Server, made_at};
use ccag_admin_api::*;
use ccag_domain::{ProviderId, Role, TeamId};
use serde_json::{Value, json};

const ONE: &str = "/admin/idps/idp_1";

/// A provider of which nothing is as it is by default, so that whatever is forgotten shows.
fn okta() -> ProviderView {
    ProviderView {
        id: ProviderId::parse("idp_1").unwrap(),
        name: "Okta".into(),
        issuer_url: "https://example.okta.com".into(),
        client_id: "0oa1".into(),
        has_client_secret: true,
        enabled: false,
        rules: ProviderRules {
            scopes: vec!["openid".into(), "groups".into()],
            user_claim: Some("upn".into()),
            email_claim: Some("mail".into()),
            groups_claim: Some("roles".into()),
            jwks_url: Some("https://example.okta.com/keys".into()),
            allowed_domains: vec!["example.com".into()],
            allowed_groups: vec!["Staff".into()],
            require_verified_email: true,
            auto_provision: false,
            scim_enabled: true,
            default_role: Role::Admin,
            default_team_id: Some(TeamId::parse("team_1").unwrap()),
            group_mappings: vec![GroupMapping {
                group: "Ops".into(),
                role: Some(Role::Admin),
                team_id: None,
            }],
        },
        redirect_uri: "https://gw.example.com/auth/oidc/callback".into(),
        created_at: made_at(),
        updated_at: made_at(),
    }
}

fn signed_in() -> (Server, Person) {
    let server = Server::start();
    let person = Person::signed_in(&server);
    server.add_team("team_1", "Platform");
    server.add_team("team_2", "Research");
    server.answer("GET", paths::PROVIDERS, &ProviderList { idps: vec![okta()] });
    server.answer("POST", paths::PROVIDERS, &okta());
    server.answer("GET", ONE, &okta());
    server.answer("PUT", ONE, &okta());
    (server, person)
}

fn body(server: &Server) -> Value {
    serde_json::from_str(&server.sent().pop().unwrap().2).unwrap()
}

/// What is held of the provider, as it is sent back.
fn held() -> Value {
    let idp = serde_json::to_value(okta()).unwrap();
    let fields = ["name", "issuer_url", "client_id", "enabled", "rules"];
    fields
        .iter()
        .map(|field| ((*field).to_owned(), idp[*field].clone()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

#[test]
fn a_provider_is_added_with_little_and_one_is_told_what_to_register() {
    let (server, person) = signed_in();
    let args = [
        "idps",
        "create",
        "--name",
        "Okta",
        "--issuer",
        "https://example.okta.com",
        "--client-id",
        "0oa1",
    ];
    let shown = person.ok(&args);
    assert!(
        shown.contains(
            "Tell the provider to allow this redirect URI: https://gw.example.com/auth/oidc/callback\n"
        ),
        "{shown}"
    );
    let created = body(&server);
    let rules = serde_json::to_value(ProviderRules::default()).unwrap();
    assert_eq!(
        created,
        json!({"name": "Okta", "issuer_url": "https://example.okta.com", "client_id": "0oa1", "rules": rules})
    );

    let more = [
        "--client-secret-stdin",
        "--scopes",
        "openid,email",
        "--auto-provision=false",
        "--require-verified-email",
        "--default-team",
        "research",
        "--map-group",
        "CN=Ops,OU=IT=role:admin",
        "--map-group",
        "CN=Ops,OU=IT=team:Platform",
        "--disable",
    ];
    let done = person.with_input(&[&args[..], &more].concat(), "shh\n");
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert!(!done.stdout.contains("shh"), "{}", done.stdout);
    let created = body(&server);
    let rules = &created["rules"];
    assert_eq!(
        (&created["client_secret"], &created["enabled"]),
        (&json!("shh"), &json!(false))
    );
    assert_eq!(rules["scopes"], json!(["openid", "email"]));
    assert_eq!(
        (&rules["auto_provision"], &rules["require_verified_email"]),
        (&json!(false), &json!(true))
    );
    assert_eq!(rules["default_team_id"], "team_2");
    assert_eq!(
        rules["group_mappings"],
        json!([{"group": "CN=Ops,OU=IT", "role": "admin", "team_id": "team_1"}])
    );
}

#[test]
fn an_update_keeps_all_that_it_does_not_name() {
    let (server, person) = signed_in();
    person.ok(&["idps", "update", "okta", "--client-id", "0oa2"]);
    let mut expected = held();
    expected["client_id"] = json!("0oa2");
    assert_eq!(body(&server), expected, "and the secret is not mentioned");

    person.ok(&[
        "idps",
        "update",
        "idp_1",
        "--map-group",
        "Data=team:Research",
        "--enable",
    ]);
    let mut expected = held();
    expected["enabled"] = json!(true);
    expected["rules"]["group_mappings"] = json!([
        {"group": "Ops", "role": "admin"},
        {"group": "Data", "team_id": "team_2"},
    ]);
    assert_eq!(body(&server), expected);

    let clear = [
        "idps",
        "update",
        "Okta",
        "--unmap-group",
        "ops",
        "--clear",
        "client-secret",
        "--clear",
        "default-team",
        "--allowed-domain",
        "example.org",
    ];
    person.ok(&clear);
    let mut expected = held();
    expected["client_secret"] = json!(null);
    let rules = &mut expected["rules"];
    rules["group_mappings"] = json!([]);
    rules["default_team_id"] = json!(null);
    rules["allowed_domains"] = json!(["example.org"]);
    assert_eq!(body(&server), expected);

    let done = person.run(&["idps", "update", "Okta", "--unmap-group", "Sales"]);
    assert_eq!(done.code, 1);
    assert!(done.stderr.contains("the group `Sales`"), "{}", done.stderr);
    let sent = server.sent();
    assert!(sent.iter().all(|(method, _, _)| method == "GET"), "{sent:?}");
}

#[test]
fn secrets_come_from_files_and_the_environment() {
    let (server, person) = signed_in();
    let file = person.home.path().join("secret");
    std::fs::write(&file, "from a file\n").unwrap();
    let update = ["idps", "update", "Okta"];
    let with_file = [&update[..], &["--client-secret-file", file.to_str().unwrap()]].concat();
    let from_environment = |args: &[&str]| {
        let mut command = person.command(args);
        let output = command.env("CCAG_IDP_CLIENT_SECRET", "from outside").output();
        assert!(output.unwrap().status.success());
        body(&server)["client_secret"].clone()
    };
    assert_eq!(from_environment(&update), "from outside");
    assert_eq!(from_environment(&with_file), "from a file");
    assert_eq!(
        person
            .run(&[&update[..], &["--client-secret-file", "/nowhere"]].concat())
            .code,
        6
    );
}

#[test]
fn a_test_that_fails_fails() {
    let (server, person) = signed_in();
    let check = |ok: bool| ProviderTest {
        ok,
        checks: vec![
            ProviderCheck {
                name: "our address".into(),
                ok: true,
                detail: "Tell the provider".into(),
            },
            ProviderCheck {
                name: "discovery and keys".into(),
                ok,
                detail: "It answers 404".into(),
            },
        ],
    };
    let path = "/admin/idps/idp_1/test";
    server.answer("POST", path, &check(true));
    person.ok(&["idps", "test", "Okta"]);
    server.answer("POST", path, &check(false));
    let done = person.run(&["idps", "test", "Okta"]);
    assert_eq!(done.code, 1);
    assert_eq!(
        done.stdout,
        "CHECK               RESULT  WHAT WAS FOUND\n\
         our address         ok      Tell the provider\n\
         discovery and keys  FAILED  It answers 404\n"
    );
    assert_eq!(done.stderr, "error: nobody can sign in with Okta as it is\n");
}

#[test]
fn providers_are_shown_with_names() {
    let (server, person) = signed_in();
    let shown = person.ok(&["idps", "list"]);
    let expected = [
        "idp_1",
        "Okta",
        "https://example.okta.com",
        "0oa1",
        "disabled",
        "come by SCIM",
    ];
    for part in expected {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let shown = person.ok(&["idps", "show", "OKTA"]);
    for line in [
        "Default team:    Platform\n",
        "Group:           Ops gives role admin\n",
    ] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    server.answer("DELETE", ONE, &());
    assert_eq!(
        person.json(&["idps", "delete", "Okta"]),
        json!({"deleted": ["idp_1"]})
    );
    let done = person.run(&["idps", "show", "Azure"]);
    assert_eq!(
        (done.code, done.stderr.as_str()),
        (
            1,
            "error: no idp is called `Azure`; `ccag idps list` shows those there are\n"
        )
    );
    for wrong in [
        &["idps", "create", "--name", "Okta"][..],
        &["idps", "update", "Okta", "--map-group", "Ops=admin"],
        &["idps", "update", "Okta", "--enable", "--disable"],
    ] {
        assert_eq!(person.run(wrong).code, 2, "{wrong:?}");
    }
}
