//! Sign-in, policies and devices.

use super::{HOSTILE, NOW_MS, Sample, context, sample};
use crate::form::{Choice, Field};
use crate::page::{
    ConnectPage, DeletePolicyPage, DeleteProviderPage, LoginRow, LoginsPage, PoliciesPage, PolicyEditPage,
    PolicyForm, PolicyRow, ProviderCheckRow, ProviderEditPage, ProviderForm, ProviderRow, ProviderScim,
    ProvidersPage, ScimTokenRow, SetupForm, ToldPreview,
};
use crate::path;
use ccag_domain::Role;

fn roles() -> Vec<Choice> {
    vec![Choice::new("member", "member"), Choice::new("admin", "admin")]
}

fn providers() -> Vec<Sample> {
    let admin = || context(Role::Admin, path::SIGN_IN);
    let row = |name: &str, enabled, scim| ProviderRow {
        id: "idp_1".into(),
        name: name.into(),
        issuer: "https://corp.okta.com".into(),
        enabled,
        open: true,
        scim,
    };
    let lines = |name: &str| {
        let mut lines: [Field; crate::page::PROVIDER_LINES] = Default::default();
        lines[0] = Field::new(name);
        lines[1] = Field::new("https://corp.okta.com");
        lines[2] = Field::new("0oa1b2c3");
        lines
    };
    let edit = ProviderEditPage {
        id: Some("idp_1".into()),
        name: "Okta".into(),
        redirect_uri: "https://claude.example.com/auth/oidc/callback".into(),
        roles: roles(),
        teams: vec![Choice::new("team_1", "Platform")],
        form: ProviderForm {
            lines: lines("Okta"),
            mappings: Field::new("ops = admin\nplatform = team Platform"),
            enabled: true,
            auto_provision: true,
            ..ProviderForm::default()
        },
        ..ProviderEditPage::default()
    };
    let mut wrong = edit.clone();
    wrong.id = None;
    wrong.form.lines[1] = Field::new(HOSTILE).with_error("This is not a web address.");
    wrong.form.mappings = Field::new(HOSTILE).with_error("There is no role of that name.");
    let check = |name: &str, ok, detail: &str| ProviderCheckRow {
        name: name.into(),
        ok,
        detail: detail.into(),
    };
    vec![
        sample(
            "sign-in-empty",
            admin(),
            ProvidersPage {
                passwords: true,
                ..ProvidersPage::default()
            },
        ),
        sample(
            "sign-in",
            admin(),
            ProvidersPage {
                rows: vec![row("Okta", true, false), row(HOSTILE, false, true)],
                passwords: true,
                notice: Field::new("Only for work."),
                trouble: Some("Sign in with an identity provider first, as an admin.".into()),
            },
        ),
        sample("provider-wrong", admin(), wrong),
        sample(
            "provider-tested",
            admin(),
            ProviderEditPage {
                checks: Some(vec![
                    check("our address", true, "Tell the provider to allow the redirect URI"),
                    check("discovery and keys", false, HOSTILE),
                ]),
                scim: Some(ProviderScim {
                    base_url: "https://claude.example.com/scim/v2".into(),
                    users: 1_204,
                    groups: 12,
                    tokens: vec![
                        ScimTokenRow {
                            id: "sct_1".into(),
                            name: "Okta".into(),
                            prefix: "scim-ccag-1a2b3c".into(),
                            last_used_at_ms: Some(NOW_MS - 60_000),
                        },
                        ScimTokenRow {
                            id: "sct_2".into(),
                            name: HOSTILE.into(),
                            prefix: "scim-ccag-4d5e6f".into(),
                            last_used_at_ms: None,
                        },
                    ],
                    new_token: Some("scim-ccag-0123456789abcdef".into()),
                }),
                ..edit
            },
        ),
        sample(
            "provider-delete",
            admin(),
            DeleteProviderPage {
                id: "idp_1".into(),
                name: HOSTILE.into(),
            },
        ),
    ]
}

fn policies() -> Vec<Sample> {
    let admin = || context(Role::Admin, path::POLICIES);
    let row = |name: &str, priority, about: &str, models: &str, settings| PolicyRow {
        id: "pol_1".into(),
        name: name.into(),
        priority,
        about: about.into(),
        models: models.into(),
        settings,
    };
    let told = ToldPreview {
        user: "mira@example.com".into(),
        policies: vec!["Everybody".into(), "Interns".into()],
        models: "claude-haiku-4-5, by “Interns”".into(),
        settings: Some("{\n  \"permissions\": {\n    \"deny\": [\"WebFetch\"]\n  }\n}".into()),
    };
    let form = PolicyForm {
        name: Field::new(HOSTILE),
        priority: Field::new("x").with_error("Give a whole number."),
        allows: Field::new("some"),
        models: Field::new("claude-haiku-4-5"),
        settings: Field::new("{").with_error("This is not a JSON object."),
        ..PolicyForm::default()
    };
    vec![
        sample("policies-empty", admin(), PoliciesPage::default()),
        sample(
            "policies",
            admin(),
            PoliciesPage {
                rows: vec![
                    row(
                        "Interns",
                        10,
                        "team Interns, domain example.com",
                        "claude-haiku-4-5",
                        false,
                    ),
                    row(HOSTILE, 0, "everybody", "says nothing", true),
                ],
                user: Field::new("mira@example.com"),
                preview: Some(told),
            },
        ),
        sample(
            "policy-wrong",
            admin(),
            PolicyEditPage {
                id: Some("pol_1".into()),
                roles: roles(),
                form,
                trouble: None,
            },
        ),
        sample(
            "policy-delete",
            admin(),
            DeletePolicyPage {
                id: "pol_1".into(),
                name: HOSTILE.into(),
            },
        ),
    ]
}

pub(super) fn samples() -> Vec<Sample> {
    let mut samples = providers();
    samples.extend(policies());
    let login = |user: &str, client: Option<&str>| LoginRow {
        id: format!("key_{}", client.map_or(0, str::len)),
        user: user.into(),
        client: client.map(str::to_owned),
        address: Some("203.0.113.9".into()),
        created_at_ms: NOW_MS - 86_400_000,
        refreshed_at_ms: NOW_MS - 600_000,
        expires_at_ms: NOW_MS + 29 * 86_400_000,
    };
    samples.extend([
        sample(
            "devices",
            context(Role::Admin, path::LOGINS),
            LoginsPage {
                page: 1,
                search: String::new(),
                rows: vec![login("Mira Novak", Some("claude-code/2.1.332")), login(HOSTILE, None)],
                total: 2,
                managed: String::new(),
            },
        ),
        sample(
            "connect",
            context(Role::Admin, path::CONNECT),
            ConnectPage {
                base_url: "https://claude.example.com".into(),
                mode: "sso".into(),
                form: Some(SetupForm::default()),
                trouble: None,
            },
        ),
        sample(
            "connect-member",
            context(Role::Member, path::CONNECT),
            ConnectPage {
                base_url: "https://claude.example.com".into(),
                mode: "key".into(),
                ..ConnectPage::default()
            },
        ),
        sample(
            "connect-refused",
            context(Role::Admin, path::CONNECT),
            ConnectPage {
                base_url: "https://claude.example.com".into(),
                mode: "key".into(),
                form: Some(SetupForm {
                    mode: crate::form::Field {
                        value: "pigeon".into(),
                        error: Some("Choose one of the offered ways.".into()),
                    },
                    one_hour_cache: true,
                    ..SetupForm::default()
                }),
                trouble: None,
            },
        ),
        sample(
            "devices-empty",
            context(Role::Member, path::LOGINS),
            LoginsPage {
                page: 1,
                managed: "{\n  \"forceLoginMethod\": \"gateway\",\n  \"forceLoginGatewayUrl\": \"https://claude.example.com\"\n}".into(),
                ..LoginsPage::default()
            },
        ),
    ]);
    samples
}
