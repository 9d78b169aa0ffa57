//! SCIM, against a server that answers what it is told to.

use crate::{Person, Server};
use ccag_admin_api::{
    CreatedScimToken, ProviderList, ProviderRules, ProviderView, ScimAdminGroups, ScimStatus, ScimTokenList,
    ScimTokenView, Secret, Timestamp, paths,
};
use ccag_domain::ProviderId;
use serde_json::{Value, json};

fn okta() -> ProviderId {
    ProviderId::parse("idp_okta").unwrap()
}

fn signed_in() -> (Server, Person) {
    let server = Server::start();
    let person = Person::signed_in(&server);
    let provider = ProviderView {
        id: okta(),
        name: "Okta".into(),
        issuer_url: "https://okta.example".into(),
        client_id: "ccag".into(),
        has_client_secret: false,
        enabled: true,
        rules: ProviderRules::default(),
        redirect_uri: "https://gw.example/callback".into(),
        created_at: Timestamp::from_ms(0),
        updated_at: Timestamp::from_ms(0),
    };
    let list = ProviderList { idps: vec![provider] };
    server.answer("GET", paths::PROVIDERS, &list);
    (server, person)
}

fn status(enabled: bool) -> ScimStatus {
    ScimStatus {
        enabled,
        base_url: "https://gw.example/scim/v2".into(),
        users: 1_234,
        groups: 5,
        tokens: 1,
        last_request_at: Some(Timestamp::from_ms(1_795_512_600_000)),
    }
}

fn token() -> ScimTokenView {
    ScimTokenView {
        id: "sct_1".into(),
        idp_id: okta(),
        name: "okta".into(),
        token_prefix: "scim-ccag-0a1b2c".into(),
        created_at: Timestamp::from_ms(1_795_512_600_000),
        created_by: None,
        expires_at: None,
        last_used_at: None,
    }
}

fn last_sent(server: &Server) -> (String, String, Value) {
    let (method, path, body) = server.sent().pop().unwrap();
    (method, path, serde_json::from_str(&body).unwrap_or_default())
}

#[test]
fn a_provider_is_named_by_id_or_name_and_switched_on_and_off() {
    let (server, person) = signed_in();
    let path = paths::idp_scim(&okta());
    server.answer("PUT", &path, &status(true));
    server.answer("GET", &path, &status(true));
    for name in ["idp_okta", "OKTA"] {
        let shown = person.ok(&["scim", "enable", "--idp", name]);
        assert!(
            shown.contains("https://gw.example/scim/v2") && shown.contains("1,234"),
            "{shown}"
        );
        assert_eq!(
            last_sent(&server),
            ("PUT".into(), path.clone(), json!({"enabled": true}))
        );
    }
    person.ok(&["scim", "disable", "--idp", "okta"]);
    assert_eq!(last_sent(&server).2, json!({"enabled": false}));
    assert_eq!(person.json(&["scim", "status", "--idp", "okta"])["users"], 1_234);
}

#[test]
fn a_token_is_shown_once_with_the_address_it_is_for() {
    let (server, person) = signed_in();
    let path = paths::idp_scim_tokens(&okta());
    let made = CreatedScimToken {
        token: Secret::new("scim-ccag-0a1b2c3d"),
        record: token(),
    };
    server.answer("POST", &path, &made);
    server.answer(
        "GET",
        &path,
        &ScimTokenList {
            tokens: vec![token()],
        },
    );
    server.answer("GET", &paths::idp_scim(&okta()), &status(false));
    let shown = person.ok(&["scim", "create-token", "--idp", "okta", "--name", "okta"]);
    for part in [
        "scim-ccag-0a1b2c3d",
        "https://gw.example/scim/v2",
        "ccag scim enable --idp idp_okta",
    ] {
        assert!(shown.contains(part), "{shown}");
    }
    let listed = person.ok(&["scim", "list-tokens", "--idp", "okta"]);
    assert!(
        listed.contains("sct_1") && !listed.contains("0a1b2c3d"),
        "{listed}"
    );
    assert_eq!(
        person.json(&["scim", "create-token", "--idp", "okta"])["token"],
        "scim-ccag-0a1b2c3d"
    );
}

#[test]
fn tokens_are_revoked_and_groups_of_admins_named() {
    let (server, person) = signed_in();
    server.answer("DELETE", &paths::idp_scim_token(&okta(), "sct_1"), &json!({}));
    assert!(
        person
            .ok(&["scim", "revoke-token", "--idp", "okta", "sct_1"])
            .contains("Revoked sct_1")
    );
    let groups = ScimAdminGroups {
        groups: vec!["One".into(), "Two".into()],
    };
    server.answer("PUT", &paths::idp_scim_admin_groups(&okta()), &groups);
    let shown = person.ok(&[
        "scim",
        "set-admin-groups",
        "--idp",
        "okta",
        "--groups",
        "One, Two",
    ]);
    assert!(shown.contains("One, Two"), "{shown}");
    assert_eq!(last_sent(&server).2, json!({"groups": ["One", "Two"]}));
    person.ok(&["scim", "set-admin-groups", "--idp", "okta", "--groups", ""]);
    assert_eq!(last_sent(&server).2, json!({"groups": []}));
}
