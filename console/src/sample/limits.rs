//! The pages about limits.

use super::{HOSTILE, Sample, context, sample};
use crate::form::{Choice, Field};
use crate::page::{DeleteLimitPage, FixedLimit, LimitEditPage, LimitForm, LimitRow, LimitsPage};
use crate::{PageContext, path};
use ccag_domain::Role;

fn admin() -> PageContext {
    context(Role::Admin, path::LIMITS)
}

fn row(id: &str, about: &str, amount: &str, in_use: u64, limit: u64) -> LimitRow {
    LimitRow {
        id: id.to_owned(),
        about: about.to_owned(),
        amount: amount.to_owned(),
        models: Vec::new(),
        in_use,
        limit,
        each: about.starts_with("Each"),
    }
}

fn list() -> LimitsPage {
    let mut opus = row(
        "lim_3",
        "Each member of team Platform",
        "4 requests at a time",
        4,
        4,
    );
    opus.models = vec!["claude-opus-5-5".to_owned(), "claude-opus-4-8".to_owned()];
    LimitsPage {
        page: 1,
        rows: vec![
            row(
                "lim_1",
                "Everybody together",
                "2,000,000 tokens per minute",
                731_220,
                2_000_000,
            ),
            row("lim_2", "Each user", "30 requests per minute", 12, 30),
            opus,
            row("lim_4", HOSTILE, "0 requests per minute", 0, 0),
        ],
        total: 4,
        ..LimitsPage::default()
    }
}

pub(super) fn samples() -> Vec<Sample> {
    let mut refused = LimitForm {
        scope: Field::new("each_member"),
        team: Field::default().with_error("Choose the team that is meant."),
        kind: Field::new("tokens_per_minute"),
        amount: Field::new("many").with_error("Give a whole number, such as 600."),
        ..LimitForm::default()
    };
    refused.weights[1] = Field::new("ten").with_error("Give a whole number of percent, such as 100.");
    let edit = LimitEditPage {
        fixed: Some(FixedLimit {
            id: "lim_1".to_owned(),
            about: HOSTILE.to_owned(),
            kind: "tokens per minute".to_owned(),
            has_weights: true,
        }),
        form: LimitForm {
            amount: Field::new("2000000"),
            weights: ["100", "1000", "0", "100"].map(Field::new),
            ..LimitForm::default()
        },
        ..LimitEditPage::default()
    };
    vec![
        sample("limits", admin(), list()),
        sample("limits-empty", admin(), LimitsPage::default()),
        sample(
            "limits-none-fits",
            admin(),
            LimitsPage {
                kind: "tokens_per_minute".to_owned(),
                ..LimitsPage::default()
            },
        ),
        sample("limit-new", admin(), LimitEditPage::default()),
        sample(
            "limit-new-refused",
            admin(),
            LimitEditPage {
                teams: vec![Choice::new("team_1", "Platform")],
                form: refused,
                trouble: Some("There is a limit of this kind for this already. Change that one.".to_owned()),
                ..LimitEditPage::default()
            },
        ),
        sample("limit-edit", admin(), edit),
        sample(
            "limit-delete",
            admin(),
            DeleteLimitPage {
                id: "lim_1".to_owned(),
                about: HOSTILE.to_owned(),
                amount: "2,000,000 tokens per minute".to_owned(),
            },
        ),
    ]
}
