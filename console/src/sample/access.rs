//! Samples of keys, teams and users.

use super::budgets::account;
use super::usage::{TOKENS, days, models};
use super::{HOSTILE, NOW_MS, Sample, context, sample, with_flash};
use crate::form::{Choice, Field};
use crate::page::{
    BudgetState, Ends, GuardrailForm, KeyCreatedPage, KeyListQuery, KeyPage, KeyRow, KeySort, KeyState,
    KeySummary, KeysPage, Named, NewKeyForm, NewKeyPage, NewTeamForm, NewUserForm, Place, RevokeKeyPage,
    RouteShown, RoutingForm, RoutingPage, RulesInForce, SetupCommandPage, StateFilter, TeamGuardrailPage,
    TeamRow, TeamsPage, TriedRow, UserRow, UsersPage,
};
use crate::{Tone, path};
use ccag_domain::routing::Exclusion;
use ccag_domain::time::DAY_MS;
use ccag_domain::{AccountState, NanoUsd, Role, Strategy, Tokens, UserKind};

pub(super) fn named(id: &str, name: &str) -> Option<Named> {
    Some(Named {
        id: id.to_owned(),
        name: name.to_owned(),
    })
}

fn key(n: u32, name: &str, state: KeyState, expires_in_days: Option<i64>) -> KeySummary {
    KeySummary {
        id: format!("key_01KAV4M3C8TB7R6QF2J5XW9D{n:02}"),
        name: name.to_owned(),
        prefix: format!("sk-ccag-a{n:02}xYz"),
        state,
        user: named("user_1", "mira"),
        team: named("team_1", "Platform"),
        created_at_ms: NOW_MS - i64::from(n) * 5 * DAY_MS,
        expires_at_ms: expires_in_days.map(|d| NOW_MS + d * DAY_MS),
    }
}

fn row(key: KeySummary, spend: i64, used_hours_ago: Option<i64>) -> KeyRow {
    KeyRow {
        key,
        spend_30_days: NanoUsd(spend),
        last_used_hour_ms: used_hours_ago.map(|h| NOW_MS - h * 3_600_000),
    }
}

fn keys() -> KeysPage {
    use KeyState::{Active, Expired, Revoked};
    let machine = KeySummary {
        user: None,
        team: named("team_2", HOSTILE),
        ..key(3, "build server", Active, None)
    };
    KeysPage {
        query: KeyListQuery {
            state: StateFilter::All,
            place: Place {
                page: 2,
                after: "=1793491200000~key_0".to_owned(),
                ..Place::default()
            },
            ..KeyListQuery::default()
        },
        rows: vec![
            row(key(1, "laptop", Active, Some(85)), 310_440_120_000, Some(0)),
            row(key(2, "phone experiment", Active, Some(3)), 12_345_678, Some(30)),
            row(machine, 120_004_000_000, Some(2)),
            row(key(4, HOSTILE, Active, Some(200)), 0, None),
            row(key(5, "old laptop", Expired, Some(-12)), 4_000, Some(400)),
            row(key(6, "", Revoked, None), 0, None),
        ],
        total: 131,
        ends: Ends {
            first: "=1793491100000~key_1".to_owned(),
            last: "=1793481100000~key_6".to_owned(),
            more: true,
        },
    }
}

fn key_page(key: KeySummary, used: bool) -> KeyPage {
    KeyPage {
        revocable: true,
        revoked_at_ms: (key.state == KeyState::Revoked).then_some(NOW_MS - DAY_MS),
        rate_limit_rpm: used.then_some(120),
        key,
        days: days(),
        spend: NanoUsd(if used { 310_440_120_000 } else { 0 }),
        requests: if used { 9_120 } else { 0 },
        errors: if used { 31 } else { 0 },
        tokens: if used { TOKENS } else { Tokens::default() },
        models: if used { models() } else { Vec::new() },
    }
}

pub(super) fn teams_to_choose() -> Vec<Choice> {
    vec![Choice::new("team_1", "Platform"), Choice::new("team_2", HOSTILE)]
}

fn key_samples() -> Vec<Sample> {
    let admin = || context(Role::Admin, path::KEYS);
    let member = || context(Role::Member, path::KEYS);
    let nothing = |query| KeysPage {
        query,
        rows: Vec::new(),
        total: 0,
        ends: Ends::default(),
    };
    let laptop = || key(1, "laptop", KeyState::Active, Some(85));
    let searched = KeyListQuery {
        search: HOSTILE.to_owned(),
        sort: KeySort::Name,
        ..KeyListQuery::default()
    };
    let few = KeysPage {
        query: KeyListQuery::default(),
        rows: keys().rows.into_iter().take(2).collect(),
        total: 2,
        ends: Ends::default(),
    };
    let revoked = with_flash(admin(), Tone::Good, "“old laptop” is revoked.");
    vec![
        sample("keys", revoked, keys()),
        sample("keys-member", member(), few),
        sample("keys-empty", admin(), nothing(KeyListQuery::default())),
        sample("keys-none-fits", admin(), nothing(searched)),
        sample("key", admin(), key_page(laptop(), true)),
        sample(
            "key-hostile",
            admin(),
            key_page(key(4, HOSTILE, KeyState::Revoked, None), false),
        ),
        sample(
            "key-revoke",
            admin(),
            RevokeKeyPage {
                key: laptop(),
                requests_30_days: 9_120,
                spend_30_days: NanoUsd(310_440_120_000),
            },
        ),
        sample(
            "key-revoke-unused",
            member(),
            RevokeKeyPage {
                key: KeySummary {
                    user: None,
                    ..key(4, HOSTILE, KeyState::Active, None)
                },
                requests_30_days: 0,
                spend_30_days: NanoUsd::ZERO,
            },
        ),
        sample(
            "setup-command",
            admin(),
            SetupCommandPage {
                key: laptop(),
                base_url: "https://claude.example.com".to_owned(),
                token: "st-ccag-3q2-7wAAAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBk".to_owned(),
                expires_at_ms: NOW_MS + 900_000,
            },
        ),
        sample(
            "key-created",
            admin(),
            KeyCreatedPage::new(
                &laptop(),
                "sk-ccag-3q2-7wAAAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBk".to_owned(),
                "https://claude.example.com".to_owned(),
            ),
        ),
    ]
}

fn new_key_samples() -> Vec<Sample> {
    let empty = NewKeyPage {
        usernames: vec!["admin".to_owned(), HOSTILE.to_owned(), "mira".to_owned()],
        teams: teams_to_choose(),
        ..NewKeyPage::default()
    };
    let refused = NewKeyPage {
        form: NewKeyForm {
            name: Field::default().with_error("Give the key a name."),
            user: Field::new(HOSTILE).with_error("There is no user with this name."),
            team: Field::new("team_2"),
            expiry: Field::new("365"),
        },
        ..empty.clone()
    };
    vec![
        sample("key-new", context(Role::Admin, path::NEW_KEY), empty),
        sample("key-new-refused", context(Role::Admin, path::NEW_KEY), refused),
        sample(
            "key-new-member",
            context(Role::Member, path::NEW_KEY),
            NewKeyPage::default(),
        ),
    ]
}

fn team(id: &str, name: &str, state: AccountState, users: u64, spend: i64) -> TeamRow {
    TeamRow {
        id: id.to_owned(),
        name: name.to_owned(),
        state,
        users,
        created_at_ms: NOW_MS - 90 * DAY_MS,
        spend_30_days: NanoUsd(spend),
        endpoints: users / 4,
        strategy: (users > 100).then_some(Strategy::PrimaryFallback),
        guardrail: (users > 100)
            .then(|| "arn:aws:bedrock:eu-central-1:111122223333:guardrail/abc123def456".to_owned()),
        budget: (users > 3).then(|| account(800, 70_000, BudgetState::Warning)),
    }
}

fn routing_samples() -> Vec<Sample> {
    let admin = || context(Role::Admin, path::TEAMS);
    let tried = |name: &str, first_permille| TriedRow {
        name: name.to_owned(),
        invoked: "eu.anthropic.claude-opus-5-5".to_owned(),
        geography: "eu".to_owned(),
        first_permille,
    };
    let shown = RouteShown {
        tried: vec![tried("Dublin", 667), tried(HOSTILE, 333)],
        left_out: vec![
            (
                "Virginia".to_owned(),
                Exclusion::GeographyNotAllowed.told().to_owned(),
            ),
            ("Frankfurt".to_owned(), Exclusion::Disabled.told().to_owned()),
        ],
        refusal: None,
    };
    let page = RoutingPage {
        team: named("team_1", HOSTILE),
        endpoints: vec!["Dublin".to_owned(), HOSTILE.to_owned(), "Virginia".to_owned()],
        in_force: RulesInForce {
            strategy: Strategy::Sticky,
            models: "all".to_owned(),
            geographies: "eu (the organisation's word)".to_owned(),
            regions: "all".to_owned(),
        },
        models: vec![Choice::new("claude-opus-5-5", "Claude Opus 5.5")],
        model: "claude-opus-5-5".to_owned(),
        route: Some(shown),
        ..RoutingPage::default()
    };
    let refused = RoutingPage {
        form: RoutingForm {
            strategy: Field::new("weighted"),
            regions: Field::new("Europe").with_error("`Europe` is no region. Name one, such as `eu-west-1`."),
            ..RoutingForm::default()
        },
        route: Some(RouteShown {
            refusal: Some(
                "model: claude-opus-5-5 is not offered by the endpoints that you may use".to_owned(),
            ),
            ..RouteShown::default()
        }),
        team: None,
        ..page.clone()
    };
    vec![
        sample("team-routing", admin(), page),
        sample("routing-refused", context(Role::Admin, path::ENDPOINTS), refused),
    ]
}

fn team_samples() -> Vec<Sample> {
    use AccountState::{Active, Suspended};
    let teams = TeamsPage {
        page: 1,
        total: 28,
        rows: vec![
            team("team_2", HOSTILE, Suspended, 0, 0),
            team("team_3", "Payments", Active, 12, 488_230_990_000),
            team("team_1", "Platform", Active, 1_204, 901_440_120_000),
        ],
        ..TeamsPage::default()
    };
    let refused = TeamsPage {
        form: NewTeamForm {
            name: Field::new("platform").with_error("There is a team with this name already."),
        },
        ..teams.clone()
    };
    let guarded = TeamGuardrailPage {
        team_id: "team_1".to_owned(),
        team: HOSTILE.to_owned(),
        form: GuardrailForm {
            id: Field::new("abc123def456"),
            version: Field::new("3"),
            ..GuardrailForm::default()
        },
        trouble: None,
    };
    let admin = || context(Role::Admin, path::TEAMS);
    vec![
        sample("teams", admin(), teams),
        sample("teams-refused", admin(), refused),
        sample("teams-empty", admin(), TeamsPage::default()),
        sample("team-guardrail", admin(), guarded.clone()),
        sample(
            "team-guardrail-refused",
            admin(),
            TeamGuardrailPage {
                form: GuardrailForm {
                    version: Field::new("0")
                        .with_error("A guardrail's version is `DRAFT` or a number from 1 on."),
                    ..guarded.form.clone()
                },
                ..guarded
            },
        ),
    ]
}

fn user(id: &str, username: &str, role: Role, state: AccountState, spend: i64) -> UserRow {
    UserRow {
        kind: UserKind::Person,
        id: id.to_owned(),
        username: username.to_owned(),
        detail: Some(format!("{username}@example.com")),
        role,
        state,
        team: named("team_1", "Platform"),
        created_at_ms: NOW_MS - 40 * DAY_MS,
        spend_30_days: NanoUsd(spend),
    }
}

fn user_samples() -> Vec<Sample> {
    use AccountState::{Active, Suspended};
    let users = UsersPage {
        ends: Ends {
            first: "=admin~user_0".to_owned(),
            last: "=quinn~user_6".to_owned(),
            more: true,
        },
        rows: vec![
            UserRow {
                team: None,
                detail: None,
                ..user("user_0", "admin", Role::Admin, Active, 0)
            },
            user("user_2", HOSTILE, Role::Member, Suspended, 4_000),
            user("user_1", "mira", Role::Member, Active, 310_440_120_000),
            UserRow {
                kind: UserKind::Service,
                ..user("user_3", "nightly-build", Role::Member, Active, 12_000_000_000)
            },
            user("user_4", "olga", Role::Owner, Active, 0),
            user("user_5", "pat", Role::TeamManager, Active, 7_000_000_000),
            user("user_6", "quinn", Role::Auditor, Active, 0),
        ],
        total: 10_000,
        teams: teams_to_choose(),
        ..UsersPage::default()
    };
    let refused = UsersPage {
        form: NewUserForm {
            username: Field::new("Mira").with_error("Somebody has this username already."),
            email: Field::new(HOSTILE),
            kind: Field::new("person"),
            role: Field::new("admin"),
            team: Field::new("team_1"),
            password: Field::new("never shown again").with_error("Use at least 12 characters."),
        },
        ..users.clone()
    };
    let nobody = UsersPage {
        search: HOSTILE.to_owned(),
        ..UsersPage::default()
    };
    let admin = || context(Role::Admin, path::USERS);
    let told = with_flash(admin(), Tone::Bad, "The last administrator cannot be suspended.");
    let manager = || context(Role::TeamManager, path::USERS);
    let auditor = || context(Role::Auditor, path::USERS);
    vec![
        sample("users-manager", manager(), users.clone()),
        sample("users-auditor", auditor(), users.clone()),
        sample("users-owner", context(Role::Owner, path::USERS), users.clone()),
        sample("users", told, users),
        sample("users-refused", admin(), refused),
        sample("users-none-fits", admin(), nobody),
    ]
}

pub(super) fn web_search() -> Vec<Sample> {
    use crate::page::{RulesForm, ServiceForm, ServiceRow, WebSearchPage};
    use ccag_domain::{SearchKind, WebSearchMode};
    let row = |kind, active| ServiceRow {
        kind,
        url: Some(super::HOSTILE.to_owned()),
        max_results: 5,
        has_key: active,
        active,
    };
    let member = |mode, own| WebSearchPage {
        mode,
        own,
        ..WebSearchPage::default()
    };
    let refused = WebSearchPage {
        mode: WebSearchMode::PerUser,
        global: Some(row(SearchKind::Searxng, true)),
        rules: Some(RulesForm {
            price: Field::new(super::HOSTILE).with_error("Give a number of dollars such as 0.008."),
            ..RulesForm::default()
        }),
        own: vec![row(SearchKind::Tavily, true), row(SearchKind::Custom, false)],
        form: ServiceForm {
            url: Field::new("http://10.0.0.1/").with_error("The address is not on the public internet."),
            ..ServiceForm::default()
        },
        trouble: None,
    };
    let here = path::WEB_SEARCH;
    vec![
        sample("web-search-admin", context(Role::Admin, here), refused),
        sample(
            "web-search-member",
            context(Role::Member, here),
            member(WebSearchMode::PerUser, Vec::new()),
        ),
        sample(
            "web-search-off",
            context(Role::Member, here),
            member(WebSearchMode::Disabled, Vec::new()),
        ),
    ]
}

pub(super) fn samples() -> Vec<Sample> {
    let mut samples = key_samples();
    samples.extend(new_key_samples());
    samples.extend(team_samples());
    samples.extend(routing_samples());
    samples.extend(user_samples());
    samples
}
