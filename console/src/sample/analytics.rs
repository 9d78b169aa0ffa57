//! Samples of analytics.

use super::usage::{TOKENS, days};
use super::{HOSTILE, Sample, context, sample};
use crate::form::Choice;
use crate::page::{
    ActivityPage, AnalyticsFilter, DoingRow, ModelsReportPage, Outlook, RankRow, Ranking, Series, SpendPage,
    Tick,
};
use crate::path;
use ccag_domain::{NanoUsd, Role, Tokens, UnixMs};

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
            },
        ),
    ]
}
