//! Budgets with made-up content.

use super::{HOSTILE, NOW_MS, Sample, context, sample};
use crate::form::{Choice, Field};
use crate::page::{
    BudgetAccount, BudgetEditPage, BudgetForm, BudgetPage, BudgetRow, BudgetState, BudgetsPage,
    DeleteBudgetPage, FixedTerms, Named, RaiseForm, RaiseRow, ReachedRow, StepForm, StepRow, TeamBudgetForm,
    TeamBudgetPage,
};
use crate::path;
use ccag_domain::time::DAY_MS;
use ccag_domain::{BudgetMode, NanoUsd, Period, Role};

/// An account of which so much of a thousandth of the limit is spent.
pub(super) fn account(limit: i64, spent_cents: i64, state: BudgetState) -> BudgetAccount {
    let limit = NanoUsd::from_usd(limit);
    let spent = NanoUsd(spent_cents * NanoUsd::PER_USD / 100);
    let percent = spent.0 / (limit.0 / 100).max(1);
    BudgetAccount {
        user: None,
        limit,
        spent,
        held: NanoUsd(2_560_000_000),
        remaining: (limit - spent).max(NanoUsd::ZERO),
        blocked_at: Some(limit),
        percent: u64::try_from(percent).unwrap_or(0),
        state,
        resets: Some("2026-12-01 00:00, Europe/Berlin".to_owned()),
    }
}

fn of(name: &str, spent_cents: i64, state: BudgetState) -> BudgetAccount {
    BudgetAccount {
        user: Some(Named {
            id: format!("user_{spent_cents}"),
            name: name.to_owned(),
        }),
        ..account(100, spent_cents, state)
    }
}

fn row(id: &str, about: &str, account: Option<BudgetAccount>, accounts: Option<u64>) -> BudgetRow {
    BudgetRow {
        id: id.to_owned(),
        about: about.to_owned(),
        amount: account.as_ref().map_or(NanoUsd::from_usd(40), |a| a.limit),
        period: Period::Monthly,
        mode: BudgetMode::Balanced,
        account,
        accounts,
    }
}

fn list() -> BudgetsPage {
    BudgetsPage {
        page: 1,
        rows: vec![
            row(
                "bud_1",
                "Everybody together",
                Some(account(5_000, 123_456, BudgetState::Ok)),
                None,
            ),
            row(
                "bud_2",
                "Each user",
                Some(of("mira", 9_987, BudgetState::Warning)),
                Some(312),
            ),
            row("bud_3", "Each member of team Payments", None, Some(0)),
            row(
                "bud_4",
                "Team Platform",
                Some(account(800, 88_000, BudgetState::Throttled)),
                None,
            ),
            BudgetRow {
                mode: BudgetMode::Hard,
                period: Period::Daily,
                ..row(
                    "bud_5",
                    &format!("User {HOSTILE}"),
                    Some(account(10, 1_000, BudgetState::Blocked)),
                    None,
                )
            },
            row(
                "bud_6",
                "Key someone-elses-continuous-integration-of-a-very-long-name",
                Some(account(20, 1_900, BudgetState::Restricted)),
                None,
            ),
        ],
        total: 61,
        ..BudgetsPage::default()
    }
}

fn detail() -> BudgetPage {
    let step = |at_percent: u32, what: &str, reached| StepRow {
        at_percent,
        at: NanoUsd::from_usd(8 * i64::from(at_percent)),
        what: what.to_owned(),
        reached,
    };
    let raise = |id: &str, days: i64, active| RaiseRow {
        id: id.to_owned(),
        amount: NanoUsd::from_usd(200),
        from_ms: NOW_MS - 20 * DAY_MS,
        until_ms: NOW_MS + days * DAY_MS,
        reason: HOSTILE.to_owned(),
        active,
    };
    BudgetPage {
        changeable: true,
        id: "bud_01KAV4M3C8TB7R6QF2J5XW9D0E".to_owned(),
        about: "Team Platform".to_owned(),
        amount: NanoUsd::from_usd(800),
        period: Period::Monthly,
        time_zone: "Europe/Berlin".to_owned(),
        mode: BudgetMode::Balanced,
        policy: "custom".to_owned(),
        steps: vec![
            step(80, "Tell somebody", Some(true)),
            step(100, "Slow down to 5 requests a minute", Some(true)),
            step(120, "Serve only claude-haiku-4-5, claude-sonnet-4-5", Some(false)),
            step(150, "Serve nothing", Some(false)),
        ],
        posture: "serve what they have been granted, then nothing".to_owned(),
        notify: "those whom it is about, and the administrators".to_owned(),
        account: Some(BudgetAccount {
            blocked_at: Some(NanoUsd::from_usd(1_200)),
            ..account(800, 88_012, BudgetState::Throttled)
        }),
        accounts: Vec::new(),
        total: 1,
        page: 1,
        raises: vec![raise("1795511105000", 3, true), raise("1795511104000", -3, false)],
        reached: vec![
            ReachedRow {
                at_ms: NOW_MS - DAY_MS,
                at_percent: 100,
                action: "slowed down".to_owned(),
                spent: NanoUsd::from_usd(801),
                limit: NanoUsd::from_usd(800),
                user: None,
            },
            ReachedRow {
                at_ms: NOW_MS - 5 * DAY_MS,
                at_percent: 80,
                action: "told somebody".to_owned(),
                spent: NanoUsd::from_usd(641),
                limit: NanoUsd::from_usd(800),
                user: None,
            },
        ],
        created_at_ms: NOW_MS - 90 * DAY_MS,
        form: RaiseForm::default(),
        trouble: None,
    }
}

fn each() -> BudgetPage {
    let mut page = detail();
    page.about = "Each user".to_owned();
    page.account = None;
    page.total = 60;
    page.page = 2;
    page.accounts = vec![
        of("mira", 10_400, BudgetState::Blocked),
        of(HOSTILE, 8_100, BudgetState::Warning),
        of(
            "someone.with.a.very.long.address@subsidiary.example.com",
            12,
            BudgetState::Ok,
        ),
    ];
    for step in &mut page.steps {
        step.reached = None;
    }
    for reached in &mut page.reached {
        reached.user = Some("mira".to_owned());
    }
    page
}

fn refused() -> BudgetEditPage {
    let mut form = BudgetForm {
        scope: Field::new("team"),
        team: Field::default().with_error("Choose the team that is meant."),
        amount: Field::new("ten").with_error("Write dollars as a plain decimal, such as 250 or 0.50."),
        policy: Field::new("custom"),
        ..BudgetForm::default()
    };
    form.steps[0] = StepForm {
        percent: Field::new("80"),
        action: Field::new("notify"),
        detail: Field::default(),
    };
    form.steps[1] = StepForm {
        percent: Field::new("70").with_error("Rules stand from low to high."),
        action: Field::new("restrict"),
        detail: Field::new(HOSTILE).with_error("There is no such model."),
    };
    BudgetEditPage {
        fixed: None,
        teams: vec![Choice::new("team_1", "Platform"), Choice::new("team_2", HOSTILE)],
        form,
        trouble: None,
    }
}

pub(super) fn samples() -> Vec<Sample> {
    let admin = || context(Role::Admin, path::BUDGETS);
    let mut wrong_raise = detail();
    wrong_raise.raises.clear();
    wrong_raise.reached.clear();
    wrong_raise.form = RaiseForm {
        amount: Field::new("50"),
        until: Field::new("2020-01-01T00:00").with_error("A raise ends in the future; name a later moment."),
        reason: Field::new(HOSTILE),
    };
    let mut bare = each();
    bare.accounts.clear();
    bare.steps.clear();
    bare.reached.clear();
    bare.total = 0;
    let team = TeamBudgetPage {
        team_id: "team_1".to_owned(),
        team: HOSTILE.to_owned(),
        pooled: Some(("bud_4".to_owned(), account(800, 40_000, BudgetState::Ok))),
        each: Some(("bud_3".to_owned(), 12)),
        custom: true,
        form: TeamBudgetForm {
            amount: Field::new("800"),
            policy: Field::new("custom"),
            ..TeamBudgetForm::default()
        },
        trouble: None,
    };
    let mut team_refused = team.clone();
    team_refused.pooled = None;
    team_refused.each = None;
    team_refused.form.time_zone = Field::new("Mars").with_error("There is no time zone `Mars`.");
    team_refused.trouble = Some("Two people changed this at once. Try again.".to_owned());
    vec![
        sample("budgets", admin(), list()),
        sample("budgets-empty", admin(), BudgetsPage::default()),
        sample(
            "budgets-none-fits",
            admin(),
            BudgetsPage {
                search: HOSTILE.to_owned(),
                scope: "key".to_owned(),
                ..BudgetsPage::default()
            },
        ),
        sample("budget-new", admin(), BudgetEditPage::default()),
        sample("budget-new-refused", admin(), refused()),
        sample(
            "budget-edit",
            admin(),
            BudgetEditPage {
                fixed: Some(FixedTerms {
                    id: "bud_4".to_owned(),
                    about: "Team Platform".to_owned(),
                    period: "every month, on the first, Europe/Berlin".to_owned(),
                }),
                ..BudgetEditPage::default()
            },
        ),
        sample("budget", admin(), detail()),
        sample("budget-each", admin(), each()),
        sample("budget-bare", admin(), bare),
        sample("budget-raise-refused", admin(), wrong_raise),
        sample(
            "budget-delete",
            admin(),
            DeleteBudgetPage {
                id: "bud_4".to_owned(),
                about: HOSTILE.to_owned(),
                amount: "$800.00 a month".to_owned(),
                blocks_now: true,
            },
        ),
        sample("team-budget", admin(), team),
        sample("team-budget-refused", admin(), team_refused),
    ]
}
