//! Samples of the overview and the fleet.

use super::budgets::account;
use super::{HOSTILE, NOW_MS, Sample, context, sample, with_flash};
use crate::page::{
    AuditPage, AuditRow, BoundBy, BudgetState, DayUsage, Ends, FleetHealth, FleetPage, OverviewPage, Place,
    QuarantinePage, QuarantinedRow, Rejected, ReplicaRow, SecretsAtRest, Share, Spend, TroubleRow,
};
use crate::{Tone, path};
use ccag_domain::changes::FieldChange;
use ccag_domain::time::DAY_MS;
use ccag_domain::{NanoUsd, Role, Tokens, Trouble};

/// Thirty days with quiet weekends.
pub(super) fn days() -> Vec<DayUsage> {
    let today = NOW_MS.div_euclid(DAY_MS) * DAY_MS;
    (0..30)
        .map(|i: i64| {
            let day_ms = today - (29 - i) * DAY_MS;
            let weekend = (day_ms / DAY_MS + 3) % 7 >= 5;
            let wave = 40 + (i * 37) % 53 + 2 * i;
            let cost = if i == 3 {
                0
            } else if weekend {
                wave / 6
            } else {
                wave
            } * 1_083_456_789;
            DayUsage {
                day_ms,
                requests: cost.unsigned_abs() / 41_000_000,
                cost: NanoUsd(cost),
            }
        })
        .collect()
}

fn share(name: &str, href: Option<String>, requests: u64, cost: i64) -> Share {
    Share {
        name: name.to_owned(),
        href,
        requests,
        cost: NanoUsd(cost),
    }
}

pub(super) fn models() -> Vec<Share> {
    vec![
        share("claude-opus-5-5", None, 21_804, 1_204_556_123_450),
        share("claude-sonnet-5", None, 18_220, 402_118_040_000),
        share("claude-haiku-4-5", None, 9_133, 14_870_220_400),
    ]
}

pub(super) const TOKENS: Tokens = Tokens {
    input: 18_204_551,
    output: 9_877_120,
    cache_read: 612_450_003,
    cache_write_5m: 40_118_220,
    cache_write_1h: 2_004_000,
};

fn overview() -> OverviewPage {
    let days = days();
    let total: NanoUsd = days.iter().map(|d| d.cost).sum();
    OverviewPage {
        spend: Spend {
            today: days.last().map_or(NanoUsd::ZERO, |d| d.cost),
            month: NanoUsd(total.0 / 5 * 4),
            last_30_days: total,
        },
        requests: days.iter().map(|d| d.requests).sum(),
        days,
        errors: 212,
        tokens: TOKENS,
        teams: vec![
            share("Platform", None, 30_120, 901_440_120_000),
            share("Payments", None, 12_044, 488_230_990_000),
            share(HOSTILE, None, 5_120, 120_004_000_000),
            share("no team", None, 12, 4_000),
        ],
        users: vec![
            share("mira", None, 9_120, 310_440_120_000),
            share(
                "someone.with.a.very.long.address@subsidiary.example.com",
                None,
                8_044,
                288_230_990_000,
            ),
            share(
                "build-server",
                Some(path::keys_search("build-server")),
                7_120,
                120_004_000_000,
            ),
        ],
        models: models(),
        fleet: Some(FleetHealth {
            connected: 3,
            missing: 0,
            behind: 0,
            rejected: 0,
        }),
        budgets: Vec::new(),
        paused: Vec::new(),
        quarantined: Some(12),
        undelivered: 3,
        base_url: "https://claude.example.com".to_owned(),
    }
}

fn bounds() -> Vec<BoundBy> {
    let bound = |about: &str, account, binds| BoundBy {
        about: about.to_owned(),
        terms: "$100.00 a month".to_owned(),
        account,
        binds,
    };
    vec![
        bound("Team Platform", account(800, 40_000, BudgetState::Ok), false),
        bound(HOSTILE, account(100, 10_100, BudgetState::Blocked), true),
    ]
}

fn empty_overview() -> OverviewPage {
    OverviewPage {
        spend: Spend::default(),
        days: days()
            .into_iter()
            .map(|d| DayUsage {
                requests: 0,
                cost: NanoUsd::ZERO,
                ..d
            })
            .collect(),
        requests: 0,
        errors: 0,
        tokens: Tokens::default(),
        teams: Vec::new(),
        users: Vec::new(),
        models: Vec::new(),
        fleet: Some(FleetHealth {
            connected: 0,
            missing: 1,
            behind: 0,
            rejected: 0,
        }),
        budgets: Vec::new(),
        paused: Vec::new(),
        quarantined: Some(0),
        undelivered: 0,
        base_url: "http://127.0.0.1:8080".to_owned(),
    }
}

fn replica(name: &str, applied: u64) -> ReplicaRow {
    ReplicaRow {
        id: format!("rep_01KAV4M3C8TB7R6QF2J5XW9{}", name.len()),
        name: name.to_owned(),
        version: "0.1.0".to_owned(),
        connected: true,
        draining: false,
        applied_revision: applied,
        apply_p99_ms: Some(14),
        last_contact_ms: NOW_MS - 1_200,
        in_flight: 37,
        spooled_records: 0,
        rejected: Vec::new(),
        troubles: Vec::new(),
    }
}

fn trouble(endpoint: &str, model: Option<&str>, trouble: Trouble) -> TroubleRow {
    TroubleRow {
        endpoint: endpoint.to_owned(),
        model: model.map(str::to_owned),
        cause: trouble.as_str().to_owned(),
        text: trouble.told().to_owned(),
        since_ms: NOW_MS - 240_000,
    }
}

fn fleet() -> FleetPage {
    FleetPage {
        current_revision: 1_284,
        replicas: vec![
            replica("dp-eu-west-1a", 1_284),
            ReplicaRow {
                apply_p99_ms: Some(2_300),
                troubles: vec![
                    trouble(
                        "production-eu",
                        Some("eu.anthropic.claude-opus-5-5"),
                        Trouble::Throttled,
                    ),
                    trouble(HOSTILE, None, Trouble::Credentials),
                ],
                ..replica("dp-eu-west-1b-x", 1_281)
            },
            ReplicaRow {
                draining: true,
                in_flight: 4,
                ..replica("dp-old", 1_284)
            },
            ReplicaRow {
                connected: false,
                last_contact_ms: NOW_MS - 3 * DAY_MS,
                spooled_records: 1_204,
                in_flight: 0,
                apply_p99_ms: None,
                ..replica("dp-lost", 1_190)
            },
            ReplicaRow {
                rejected: vec![Rejected {
                    object: "endpoint end_01KAV4M3C8TB7R6QF2J5XW9D0E".to_owned(),
                    reason: format!("unknown geography {HOSTILE}"),
                }],
                ..replica("dp-older-version", 1_284)
            },
        ],
        secrets: Some(SecretsAtRest {
            keys: vec![("3f9a11c0".into(), 41), ("8be2740d".into(), 6)],
            unreadable: 1,
        }),
    }
}

fn quarantine() -> QuarantinePage {
    let row = |n: i64, retryable| QuarantinedRow {
        id: format!("use_01KB{n:022}"),
        replica_id: "rep_01KB0000000000000000000000".to_owned(),
        reason: HOSTILE.to_owned(),
        payload: HOSTILE.repeat(20),
        at_ms: NOW_MS - n * 60_000,
        retryable,
    };
    QuarantinePage {
        page: 1,
        rows: vec![row(1, true), row(2, false)],
        total: 30,
    }
}

fn audit() -> AuditPage {
    let row = |n: i64, seq| AuditRow {
        seq,
        at_ms: NOW_MS - n * 60_000,
        actor: HOSTILE.to_owned(),
        action: "key.revoke".to_owned(),
        object: format!("key_01KB{n:022}"),
        changes: vec![
            FieldChange {
                field: "name".to_owned(),
                before: Some("laptop".to_owned()),
                after: Some(HOSTILE.to_owned()),
            },
            FieldChange {
                field: "team_id".to_owned(),
                before: None,
                after: Some("team_01KB".to_owned()),
            },
        ],
        details: format!("{{\n  \"name\": \"{HOSTILE}\"\n}}"),
    };
    AuditPage {
        search: HOSTILE.to_owned(),
        place: Place::default(),
        ends: Ends {
            first: "=1204~aud_1".to_owned(),
            last: "-~aud_3".to_owned(),
            more: true,
        },
        rows: vec![row(1, Some(1_204)), row(2, Some(1_203)), row(3, None)],
        total: 1_204,
    }
}

pub(super) fn samples() -> Vec<Sample> {
    let admin = || context(Role::Admin, path::HOME);
    let watched = |connected, missing, behind, rejected| OverviewPage {
        fleet: Some(FleetHealth {
            connected,
            missing,
            behind,
            rejected,
        }),
        ..overview()
    };
    vec![
        sample("overview", admin(), overview()),
        sample("audit", admin(), audit()),
        sample("audit-empty", admin(), AuditPage::default()),
        sample("quarantine", admin(), quarantine()),
        sample("quarantine-empty", admin(), QuarantinePage::default()),
        sample(
            "overview-empty",
            with_flash(admin(), Tone::Good, "Welcome. You are signed in."),
            empty_overview(),
        ),
        sample("overview-fleet-behind", admin(), watched(2, 1, 1, 0)),
        sample("overview-fleet-rejects", admin(), watched(1, 0, 0, 2)),
        sample("overview-one-plane", admin(), watched(1, 0, 0, 0)),
        sample(
            "overview-member",
            context(Role::Member, path::HOME),
            OverviewPage {
                fleet: None,
                teams: Vec::new(),
                users: Vec::new(),
                budgets: bounds(),
                paused: vec![
                    super::sessions::paused(HOSTILE, 2),
                    super::sessions::paused("mira", 20),
                ],
                ..overview()
            },
        ),
        sample("fleet", context(Role::Admin, path::FLEET), fleet()),
        sample(
            "fleet-empty",
            context(Role::Admin, path::FLEET),
            FleetPage::default(),
        ),
    ]
}
