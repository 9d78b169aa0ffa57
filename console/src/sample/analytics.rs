//! Samples of analytics.

use super::usage::{TOKENS, days};
use super::{HOSTILE, NOW_MS, Sample, context, sample};
use crate::form::{Choice, Field};
use crate::page::{
    ActivityPage, AnalyticsFilter, BudgetForm, CallsRanking, CallsRow, DoingRow, Losses, LostRow,
    ModelsReportPage, Outlook, RankRow, Ranking, Replay, ReplayPeriod, ReplaySubject, Series, SessionsSeen,
    SpendPage, Tick, ToolsPage, WhatIfPage, miss_name,
};
use crate::path;
use ccag_domain::time::DAY_MS;
use ccag_domain::{CacheMiss, NanoUsd, Role, Tokens, UnixMs};

fn tick(value: &str, label: &str, on: bool) -> Tick {
    Tick {
        value: value.into(),
        label: label.into(),
        on,
    }
}

fn filter() -> AnalyticsFilter {
    AnalyticsFilter {
        range: "30d".into(),
        teams: vec![
            tick("team_1", "Platform", false),
            tick("team_2", "Data", false),
            tick("team_3", HOSTILE, false),
            tick("none", "no team", false),
        ],
        models: vec![
            tick("claude-opus-5-5", "Claude Opus 5.5", false),
            tick("claude-haiku-4-5", "Claude Haiku 4.5", false),
        ],
        endpoints: vec![tick("ep_1", "eu-central", false)],
        ..AnalyticsFilter::default()
    }
}

fn starts() -> Vec<UnixMs> {
    days().iter().map(|day| day.day_ms).collect()
}

fn part(name: &str, permille: i64) -> Series {
    Series {
        name: name.into(),
        values: days().iter().map(|day| day.cost.0 / 1_000 * permille).collect(),
    }
}

fn counts(name: &str, share: u64) -> Series {
    Series {
        name: name.into(),
        values: days()
            .iter()
            .map(|day| i64::try_from(day.requests / share).unwrap_or(0))
            .collect(),
    }
}

fn ranked(rows: &[(&str, i64)], others: Option<(u64, i64)>) -> Ranking {
    Ranking {
        rows: rows
            .iter()
            .map(|(name, cost)| RankRow {
                value: Some((*name).to_owned()),
                name: (*name).to_owned(),
                requests: cost.unsigned_abs() / 40_000_000,
                tokens: cost.unsigned_abs() / 700,
                cost: NanoUsd(*cost),
            })
            .collect(),
        others: others.map(|(count, cost)| (count, NanoUsd(cost))),
    }
}

fn doing(value: &str, name: &str, requests: u64, first: Option<[u64; 3]>) -> DoingRow {
    DoingRow {
        value: value.into(),
        name: name.into(),
        requests,
        errors: requests / 90,
        tokens: if requests > 10_000 {
            TOKENS
        } else {
            Tokens {
                input: 9_000,
                output: 300,
                ..Tokens::default()
            }
        },
        cost: NanoUsd(i64::try_from(requests).unwrap_or(0) * 44_000_000),
        first_token: first,
        duration: first.map(|times| times.map(|ms| ms * 7)),
    }
}

fn week() -> [[u64; 24]; 7] {
    let mut week = [[0; 24]; 7];
    for (day, hours) in week.iter_mut().enumerate() {
        for (hour, count) in hours.iter_mut().enumerate() {
            let working = day < 5 && (7..19).contains(&hour);
            let near_noon = 12_u64.saturating_sub(hour.abs_diff(13) as u64);
            *count = if working {
                near_noon * (40 - day as u64)
            } else {
                near_noon
            };
        }
    }
    week
}

fn losses() -> Losses {
    let lost = |reason, requests, cost| LostRow {
        reason,
        requests,
        tokens: requests * 41_000,
        cost: NanoUsd(cost),
    };
    Losses {
        over_time: vec![
            part(miss_name(CacheMiss::Expired), 60),
            part(miss_name(CacheMiss::Moved), 21),
            part(miss_name(CacheMiss::Unexplained), 4),
        ],
        rows: vec![
            lost(CacheMiss::Expired, 804, 92_400_000_000),
            lost(CacheMiss::Moved, 190, 31_050_000_000),
            lost(CacheMiss::Unexplained, 12, 940_000_000),
        ],
    }
}

fn replay() -> Replay {
    Replay {
        spent: NanoUsd(1_410_000_000_000),
        over: NanoUsd(212_400_000_000),
        refused: 8_204,
        steps: vec![
            (80, "somebody is told".into(), 41),
            (100, "nothing is served".into(), 22),
        ],
        periods: vec![
            ReplayPeriod {
                start: NOW_MS - 30 * DAY_MS,
                spent: NanoUsd(200_000_000_000),
                ..ReplayPeriod::default()
            },
            ReplayPeriod {
                start: NOW_MS - 24 * DAY_MS,
                spent: NanoUsd(1_210_000_000_000),
                over: NanoUsd(212_400_000_000),
                refused: 8_204,
                first: Some(NOW_MS - 9 * DAY_MS),
            },
        ],
        refused_subjects: 22,
        subjects: vec![
            ReplaySubject {
                name: "mira".into(),
                spent: NanoUsd(302_000_000_000),
                over: NanoUsd(202_000_000_000),
                refused: 7_004,
            },
            ReplaySubject {
                name: HOSTILE.into(),
                spent: NanoUsd(110_400_000_000),
                over: NanoUsd(10_400_000_000),
                refused: 1_200,
            },
        ],
    }
}

fn calls(value: &str, name: &str, calls: u64) -> CallsRow {
    CallsRow {
        value: value.into(),
        name: name.into(),
        server: ccag_domain::mcp_server(value).unwrap_or_default().into(),
        calls,
        failed: calls / 23,
    }
}

fn tools() -> ToolsPage {
    let of = |rows: Vec<CallsRow>, count| CallsRanking { rows, count };
    let mut filter = filter();
    filter.endpoints.clear();
    filter.servers = vec![Choice::new("github", "github")];
    ToolsPage {
        filter,
        starts: starts(),
        step: "day",
        over_time: vec![
            counts("Tools of no server", 2),
            counts("github", 9),
            counts(HOSTILE, 40),
        ],
        calls: 214_380,
        failed: 9_320,
        tools: of(
            vec![
                calls("Bash", "Bash", 91_204),
                calls("Read", "Read", 64_870),
                calls("mcp__github__create_issue", "mcp__github__create_issue", 4_112),
                calls(
                    "mcp__a_server_with_a_long_name__and_a_tool_with_a_name_that_is_longer_still",
                    "mcp__a_server_with_a_long_name__and_a_tool_with_a_name_that_is_longer_still",
                    12,
                ),
                calls("(other)", "(other)", 9),
            ],
            61,
        ),
        servers: of(
            vec![
                CallsRow {
                    server: String::new(),
                    ..calls("none", "Tools of no server", 201_030)
                },
                CallsRow {
                    server: "github".into(),
                    ..calls("github", "github", 13_350)
                },
            ],
            2,
        ),
        teams: of(
            vec![
                calls("team_1", "Platform", 120_000),
                calls("team_2", HOSTILE, 3_000),
            ],
            2,
        ),
        users: of(
            vec![calls("user_1", "mira", 20_114), calls("user_2", HOSTILE, 77)],
            412,
        ),
        keys: of(vec![calls("key_1", "laptop", 18_000)], 903),
    }
}

pub(super) fn samples() -> Vec<Sample> {
    let spend = SpendPage {
        filter: filter(),
        starts: starts(),
        step: "day",
        by_team: vec![
            part("Platform", 520),
            part("Data", 300),
            part(HOSTILE, 120),
            part("no team", 60),
        ],
        cost: days().iter().map(|day| day.cost).sum(),
        before: NanoUsd(1_320_000_000_000),
        requests: 49_157,
        saved_by_cache: NanoUsd(4_120_500_000_000),
        outlook: Some(Outlook {
            spent: NanoUsd(1_410_000_000_000),
            expected: NanoUsd(1_800_000_000_000),
            low: NanoUsd(1_690_000_000_000),
            high: NanoUsd(1_910_000_000_000),
            from_days: 28,
        }),
        teams: ranked(
            &[
                ("Platform", 842_000_000_000),
                ("Data", 490_000_000_000),
                (HOSTILE, 200_000_000_000),
            ],
            None,
        ),
        users: ranked(
            &[
                ("mira", 302_000_000_000),
                ("jonas", 211_000_000_000),
                (HOSTILE, 90_000_000_000),
            ],
            Some((214, 900_000_000_000)),
        ),
        keys: ranked(&[("laptop", 120_000_000_000)], Some((12, 40_000_000_000))),
        models: ranked(
            &[
                ("Claude Opus 5.5", 1_204_556_123_450),
                ("Claude Haiku 4.5", 14_870_220_400),
            ],
            None,
        ),
        endpoints: ranked(&[("eu-central", 1_219_426_343_850)], None),
    };
    let mut chosen = filter();
    chosen.range = "custom".into();
    chosen.from = "2026-11-01".into();
    chosen.to = "2026-10-01".into();
    chosen.trouble = Some("The time ends before it begins; exchange the two days.".into());
    for ticks in [&mut chosen.teams, &mut chosen.models] {
        ticks.iter_mut().for_each(|tick| tick.on = true);
    }
    chosen.users = vec![Choice::new("user_1", HOSTILE)];
    vec![
        sample("analytics-spend", context(Role::Admin, path::ANALYTICS), spend),
        sample(
            "analytics-empty",
            context(Role::Member, path::ANALYTICS),
            SpendPage {
                filter: chosen,
                step: "day",
                ..SpendPage::default()
            },
        ),
        sample(
            "analytics-activity",
            context(Role::Admin, path::ANALYTICS_ACTIVITY),
            ActivityPage {
                filter: filter(),
                days: starts(),
                returning: counts("", 14).values,
                new: counts("", 190).values,
                users: 412,
                users_before: 380,
                week: week(),
                sessions: Some(SessionsSeen {
                    by_day: counts("", 11).values,
                    sessions: 2_806,
                    requests: 91_402,
                    length_ms: 2_806 * 4_020_000,
                }),
            },
        ),
        sample(
            "analytics-models",
            context(Role::Admin, path::ANALYTICS_MODELS),
            ModelsReportPage {
                filter: filter(),
                starts: starts(),
                step: "day",
                by_model: vec![
                    counts("Claude Opus 5.5", 2),
                    counts("Claude Haiku 4.5", 3),
                    counts(HOSTILE, 40),
                ],
                models: vec![
                    doing(
                        "claude-opus-5-5",
                        "Claude Opus 5.5",
                        21_804,
                        Some([1_310, 3_120, 5_250]),
                    ),
                    doing(
                        "claude-haiku-4-5",
                        "Claude Haiku 4.5",
                        9_133,
                        Some([420, 990, 1_660]),
                    ),
                    doing("claude-x", HOSTILE, 12, None),
                ],
                endpoints: vec![doing("ep_1", "eu-central", 30_949, Some([990, 2_620, 4_400]))],
                losses: losses(),
            },
        ),
        sample(
            "analytics-tools",
            context(Role::Admin, path::ANALYTICS_TOOLS),
            tools(),
        ),
        sample(
            "what-if",
            context(Role::Admin, path::WHAT_IF),
            WhatIfPage {
                allowed: true,
                wider: true,
                days: Field::new("30"),
                form: BudgetForm {
                    scope: Field::new("each_user"),
                    amount: Field::new("100"),
                    ..BudgetForm::default()
                },
                teams: vec![Choice::new("team_1", "Platform")],
                found: Some(replay()),
                trouble: None,
            },
        ),
        sample(
            "what-if-wrong",
            context(Role::TeamManager, path::WHAT_IF),
            WhatIfPage {
                allowed: true,
                days: Field::new("90").with_error("Give 1 to 62 days."),
                ..WhatIfPage::default()
            },
        ),
        sample(
            "what-if-own",
            context(Role::Member, path::WHAT_IF),
            WhatIfPage::default(),
        ),
        sample(
            "analytics-tools-empty",
            context(Role::Member, path::ANALYTICS_TOOLS),
            ToolsPage {
                filter: filter(),
                step: "day",
                ..ToolsPage::default()
            },
        ),
    ]
}
