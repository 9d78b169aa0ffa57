//! One user, and one team.

use super::access::{named, teams_to_choose};
use super::{HOSTILE, NOW_MS, Sample, context, sample};
use crate::form::Field;
use crate::page::{
    AccessTokens, DeleteTeamPage, DeleteUserPage, MemberRow, Several, SeveralPage, SeveralRow, TeamPage,
    TokenRow, UserForm, UserPage,
};
use crate::path;
use ccag_domain::time::DAY_MS;
use ccag_domain::{AccountState, NanoUsd, Role, UserKind};

pub(super) fn samples() -> Vec<Sample> {
    let admin = || context(Role::Admin, path::USERS);
    vec![
        sample("user", admin(), one_user(UserKind::Person)),
        sample("user-service", admin(), one_user(UserKind::Service)),
        sample(
            "user-auditor",
            context(Role::Auditor, path::USERS),
            one_user(UserKind::Person),
        ),
        sample("user-refused", admin(), {
            let mut page = one_user(UserKind::Service);
            page.form.email.error = Some("A mail address has an @ in it.".to_owned());
            page.tokens.get_or_insert_default().trouble = Some("Give it a name.".to_owned());
            page
        }),
        sample(
            "user-delete",
            admin(),
            DeleteUserPage {
                id: "user_1".to_owned(),
                username: HOSTILE.to_owned(),
            },
        ),
        sample("users-move-several", admin(), several(Several::Move)),
        sample("users-suspend-several", admin(), several(Several::Suspend)),
        sample("keys-revoke-several", admin(), several(Several::RevokeKeys)),
        sample("team", admin(), one_team()),
        sample(
            "team-empty",
            context(Role::Auditor, path::TEAMS),
            TeamPage {
                members: Vec::new(),
                total: 0,
                ..one_team()
            },
        ),
        sample("team-refused", admin(), {
            let mut page = one_team();
            page.username.error = Some("There is no user with this username.".to_owned());
            page.new_name.error = Some("There is a team named `Platform` already.".to_owned());
            page
        }),
        sample(
            "team-delete",
            admin(),
            DeleteTeamPage {
                id: "team_1".to_owned(),
                name: HOSTILE.to_owned(),
                members: 3,
                keys: 12,
                some_keys: vec![
                    ("key_1".to_owned(), HOSTILE.to_owned()),
                    ("key_2".to_owned(), "build-server".to_owned()),
                ],
            },
        ),
        sample(
            "team-delete-empty",
            admin(),
            DeleteTeamPage {
                id: "team_1".to_owned(),
                name: HOSTILE.to_owned(),
                ..DeleteTeamPage::default()
            },
        ),
    ]
}

fn one_user(kind: UserKind) -> UserPage {
    let service = kind == UserKind::Service;
    UserPage {
        id: "user_1".to_owned(),
        username: if service { "nightly" } else { "mira" }.to_owned(),
        kind,
        role: if service { Role::Auditor } else { Role::Member },
        state: AccountState::Active,
        team: named("team_1", "Platform"),
        provider: (!service).then(|| named("idp_1", "Okta")).flatten(),
        groups: vec!["platform".to_owned(), HOSTILE.to_owned()],
        created_at_ms: NOW_MS - 40 * DAY_MS,
        spend: NanoUsd(41_230_000_000),
        requests: 1_234,
        devices: 2,
        tokens: service.then(|| AccessTokens {
            rows: vec![TokenRow {
                id: "ses_1".to_owned(),
                name: "build".to_owned(),
                expires_at_ms: NOW_MS + 300 * DAY_MS,
            }],
            fresh: Some("ccags_3q2-7wAAAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBk".to_owned()),
            trouble: None,
        }),
        teams: teams_to_choose(),
        form: UserForm {
            display_name: Field::new("Mira Novak"),
            email: Field::new("mira@example.com"),
            role: Field::new("member"),
            ..UserForm::default()
        },
        trouble: None,
    }
}

fn one_team() -> TeamPage {
    let member = |id: &str, username: &str, role| MemberRow {
        id: id.to_owned(),
        username: username.to_owned(),
        role,
        state: AccountState::Active,
    };
    TeamPage {
        id: "team_1".to_owned(),
        name: "Platform".to_owned(),
        state: AccountState::Active,
        created_at_ms: NOW_MS - 90 * DAY_MS,
        page: 1,
        members: vec![
            member("user_1", "mira", Role::TeamManager),
            member("user_2", HOSTILE, Role::Member),
        ],
        total: 2,
        username: Field::default(),
        new_name: Field::new("Platform"),
        trouble: None,
    }
}

fn several(what: Several) -> SeveralPage {
    let row = |id: &str, name: &str, detail: &str| SeveralRow {
        id: id.to_owned(),
        name: name.to_owned(),
        detail: detail.to_owned(),
    };
    SeveralPage {
        what,
        rows: vec![row("x_1", HOSTILE, "Platform"), row("x_2", "mira", "Payments")],
        left_out: vec![row("x_3", "olga", "only an owner may do this")],
        teams: teams_to_choose(),
        team: match what {
            Several::Move => Field::default().with_error("Choose a team."),
            _ => Field::default(),
        },
        trouble: None,
    }
}
