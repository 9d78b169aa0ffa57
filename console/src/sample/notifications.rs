//! Notifications.

use super::{HOSTILE, NOW_MS, Sample, context, sample};
use crate::form::{Choice, Field};
use crate::page::{
    DeleteDestinationPage, DeliveriesPage, DeliveryRow, DestinationAbout, DestinationPage, DestinationRow,
    DestinationWay, NewDestinationPage, NotificationsPage,
};
use crate::path;
use ccag_domain::{Category, DestinationKind, Role};

fn about(name: &str) -> DestinationAbout {
    DestinationAbout {
        name: Field::new(name),
        team: Field::new("Platform"),
        categories: vec!["budget".into()],
        enabled: true,
        ..DestinationAbout::default()
    }
}

fn page(kind: DestinationKind, name: &str) -> DestinationPage {
    DestinationPage {
        id: "dst_1".into(),
        name: name.into(),
        kind,
        active: None,
        has_draft: true,
        test: None,
        new_secret: None,
        about: about(name),
        way: DestinationWay::default(),
        trouble: None,
        draft_refused: false,
    }
}

pub(super) fn samples() -> Vec<Sample> {
    let admin = || context(Role::Admin, path::NOTIFICATIONS);
    let mut samples = vec![
        sample("notifications-empty", admin(), NotificationsPage::default()),
        sample("notifications", admin(), list()),
        sample("destination-kinds", admin(), NewDestinationPage::default()),
        sample("deliveries", admin(), deliveries()),
        sample("deliveries-empty", admin(), DeliveriesPage::default()),
        sample(
            "destination-delete",
            admin(),
            DeleteDestinationPage {
                id: "dst_1".into(),
                name: HOSTILE.into(),
            },
        ),
        sample(
            "destination-made",
            admin(),
            DestinationPage {
                new_secret: Some("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into()),
                way: DestinationWay {
                    url: Field::new("https://hooks.example.com/ccag"),
                    ..DestinationWay::default()
                },
                ..page(DestinationKind::Webhook, HOSTILE)
            },
        ),
        sample(
            "destination-tested",
            admin(),
            DestinationPage {
                active: Some("Amazon SNS: arn:aws:sns:eu-central-1:111122223333:ccag".into()),
                test: Some((true, "AWS took it as 5f2c.".into(), true)),
                way: DestinationWay {
                    arn: Field::new("arn:aws:sns:eu-central-1:111122223333:other"),
                    ..DestinationWay::default()
                },
                ..page(DestinationKind::Sns, "Ops")
            },
        ),
        sample(
            "destination-seen-by-an-auditor",
            context(Role::Auditor, path::NOTIFICATIONS),
            page(DestinationKind::Smtp, "Ops"),
        ),
    ];
    let names = ["webhook", "slack", "sns", "eventbridge", "smtp"];
    for (kind, name) in DestinationKind::ALL.iter().zip(names) {
        let mut new = NewDestinationPage {
            kind: Some(*kind),
            about: about("Ops"),
            ..NewDestinationPage::default()
        };
        new.about.name = Field::new("").with_error("`name` must not be empty.");
        let title: &'static str = match name {
            "webhook" => "destination-new-webhook",
            "slack" => "destination-new-slack",
            "sns" => "destination-new-sns",
            "eventbridge" => "destination-new-eventbridge",
            _ => "destination-new-smtp",
        };
        samples.push(sample(title, admin(), new));
    }
    samples
}

fn list() -> NotificationsPage {
    let row = |name: &str, reached: &str, state: &str| DestinationRow {
        id: "dst_1".into(),
        name: name.into(),
        reached: reached.into(),
        about: "team Platform".into(),
        categories: "everything".into(),
        state: state.into(),
    };
    NotificationsPage {
        rows: vec![
            row("Ops", "Webhook: https://hooks.example.com/ccag", "active"),
            row(HOSTILE, "Slack", "draft"),
        ],
        environment: false,
        dead: 2,
    }
}

fn deliveries() -> DeliveriesPage {
    let row = |text: &str, state: &str, dead| DeliveryRow {
        id: "dlv_1-1".into(),
        destination: "Ops".into(),
        text: text.into(),
        event: "{\n  \"type\": \"budget.blocked\"\n}".into(),
        at_ms: NOW_MS - 60_000,
        state: state.into(),
        attempts: 10,
        answer: "It answered with status 500".into(),
        dead,
    };
    DeliveriesPage {
        state: "dead".into(),
        category: String::new(),
        categories: Category::ALL
            .iter()
            .map(|one| Choice::new(one.as_str(), one.title()))
            .collect(),
        page: 1,
        rows: vec![
            row(
                "Team Platform reached 100 % of the budget for the month.",
                "given up",
                true,
            ),
            row(HOSTILE, "delivered", false),
        ],
        total: 2,
    }
}
