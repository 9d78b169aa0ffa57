//! Paused sessions with made-up content.

use super::{HOSTILE, NOW_MS, Sample, context, sample};
use crate::form::Field;
use crate::page::{BreakerForm, PausedRow, SessionsPage, TeamSessionsPage};
use crate::path;
use ccag_domain::Role;

pub(super) fn paused(owner: &str, minutes: i64) -> PausedRow {
    PausedRow {
        id: format!("pau_01KB{minutes:022}"),
        session: "6f1c2f5e-8f5e-4a2b-9d3e-0c1b2a394857".to_owned(),
        owner: owner.to_owned(),
        why: "it spent $6.40 within a minute, and $5.00 are allowed".to_owned(),
        paused_at_ms: NOW_MS - minutes * 60_000,
        resumed_at_ms: None,
    }
}

fn limits() -> BreakerForm {
    BreakerForm {
        usd: Field::new("5.00"),
        agents: Field::new("30"),
    }
}

pub(super) fn samples() -> Vec<Sample> {
    let admin = || context(Role::Admin, path::SESSIONS);
    let list = SessionsPage {
        all: true,
        page: 1,
        rows: vec![
            PausedRow {
                session: HOSTILE.to_owned(),
                ..paused(HOSTILE, 3)
            },
            PausedRow {
                why: "31 agents worked in it within a minute, and 30 are allowed".to_owned(),
                resumed_at_ms: Some(NOW_MS - 60_000),
                ..paused("build-server", 90)
            },
        ],
        total: 130,
        form: Some(limits()),
        trouble: None,
    };
    let mut refused = list.clone();
    refused.trouble = Some("Two people changed this at once. Try again.".to_owned());
    if let Some(form) = &mut refused.form {
        form.usd = Field::new("much").with_error("Write dollars as a plain decimal.");
        form.agents = Field::new("0").with_error("Agents within a minute are 1 to 100,000.");
    }
    let team = TeamSessionsPage {
        team_id: "team_1".to_owned(),
        team: HOSTILE.to_owned(),
        organisation: "$5.00 and 30 agents within a minute".to_owned(),
        whose: Field::new("team"),
        form: limits(),
        trouble: None,
    };
    let member = SessionsPage {
        page: 1,
        rows: vec![paused("mira", 3)],
        total: 1,
        ..SessionsPage::default()
    };
    vec![
        sample("sessions", admin(), list),
        sample("sessions-refused", admin(), refused),
        sample(
            "sessions-empty",
            admin(),
            SessionsPage {
                form: Some(BreakerForm::default()),
                ..SessionsPage::default()
            },
        ),
        sample("sessions-member", context(Role::Member, path::SESSIONS), member),
        sample("team-sessions", context(Role::Admin, path::TEAMS), team),
    ]
}
