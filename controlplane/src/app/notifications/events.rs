//! What there is to tell: each event with its type, whom and what it is about, its figures, and a line for people.

use crate::app::App;
use crate::store::Step;
use crate::store::entity::notification_event as row;
use crate::store::outbox::{Audience, NewEvent};
use ccag_admin_api::{EventBody, EventSubject, Recipients, Timestamp};
use ccag_console::path;
use ccag_domain::{BudgetAction, BudgetScope, Category, EventId, NanoUsd, Period, Severity};
use serde_json::{Map, Value, json};

/// The type of what a test sends.
pub(super) const TEST: &str = "test";

/// What an event is made of.
pub(in crate::app) struct Told {
    /// Names what is told, so that it is told once.
    pub(in crate::app) once: String,
    pub(in crate::app) kind: &'static str,
    pub(in crate::app) category: Category,
    pub(in crate::app) severity: Severity,
    pub(in crate::app) text: String,
    /// The page of the console.
    pub(in crate::app) page: String,
    pub(in crate::app) team: Option<EventSubject>,
    pub(in crate::app) user: Option<EventSubject>,
    pub(in crate::app) data: Value,
    pub(in crate::app) audience: Audience,
}

pub(in crate::app) fn subject(id: &str, name: &str) -> EventSubject {
    EventSubject {
        id: id.to_owned(),
        name: if name.is_empty() { id } else { name }.to_owned(),
    }
}

/// What destinations are sent.
pub(super) fn body(app: &App, told: &Told) -> EventBody {
    let link = app.terms.public_url.as_ref().map(|base| {
        let base = base.as_str().trim_end_matches('/');
        format!("{base}{}", told.page)
    });
    EventBody {
        id: EventId::generate(&*app.clock, &*app.rng),
        kind: told.kind.to_owned(),
        timestamp: Timestamp::from_ms(app.now_ms()),
        category: told.category,
        severity: told.severity,
        text: told.text.clone(),
        link,
        team: told.team.clone(),
        user: told.user.clone(),
        data: match &told.data {
            Value::Object(fields) => fields.clone(),
            _ => Map::new(),
        },
    }
}

/// An event for the outbox.
pub(in crate::app) fn event(app: &App, told: &Told) -> NewEvent {
    let body = body(app, told);
    NewEvent {
        row: row::Model {
            id: body.id.to_string(),
            dedup_key: told.once.clone(),
            kind: told.kind.to_owned(),
            category: told.category.as_str().to_owned(),
            team_id: told.team.as_ref().map(|team| team.id.clone()),
            // It can always be written as JSON.
            body: serde_json::to_string(&body).unwrap_or_default(),
            at_ms: body.timestamp.ms(),
        },
        audience: told.audience,
        environment: told.category == Category::Budget && app.terms.notification_url.is_some(),
    }
}

/// A step of a budget that was reached.
pub(in crate::app) fn budget(app: &App, step: &Step) -> NewEvent {
    let (budget, reached) = (&step.budget, &step.reached);
    let spent = NanoUsd(reached.spent_nano_usd);
    let limit = NanoUsd(reached.amount_nano_usd);
    let team = step.team.as_ref().map(|row| subject(&row.id, &row.name));
    let user = step
        .user
        .as_ref()
        .map(|row| subject(&row.id, row.display_name.as_deref().unwrap_or(&row.username)));
    let key = step.key.as_ref().map(|row| subject(&row.id, &row.name));
    let rule = budget
        .rules
        .iter()
        .find(|rule| i64::from(rule.at_percent) == reached.at_percent);
    let (kind, severity, then) = consequence(rule.map(|rule| &rule.action));
    let per = match budget.period {
        Period::Daily => " for the day",
        Period::Weekly => " for the week",
        Period::Monthly => " for the month",
        Period::Total => "",
    };
    let name = |subject: &Option<EventSubject>| {
        subject
            .as_ref()
            .map_or_else(|| "that is gone".to_owned(), |subject| subject.name.clone())
    };
    let about = match &budget.scope {
        BudgetScope::Organisation => "Everybody together".to_owned(),
        BudgetScope::Team(_) => format!("Team {}", name(&team)),
        BudgetScope::Member(..) | BudgetScope::EachMember(_) => {
            format!("{} in team {}", name(&user), name(&team))
        }
        BudgetScope::User(_) | BudgetScope::EachUser => format!("User {}", name(&user)),
        BudgetScope::Key(_) => format!("Key {}", name(&key)),
    };
    let text = format!(
        "{about} reached {} % of the budget{per}: ${} of ${} are spent.{then}",
        reached.at_percent,
        spent.to_usd_string(2),
        limit.to_usd_string(2),
    );
    let anew = budget.period != Period::Total;
    let data = json!({
        "budget_id": budget.id,
        "scope": budget.scope.kind(),
        "about": about,
        "key": key,
        "period": budget.period,
        "period_start": anew.then(|| Timestamp::from_ms(step.account.start_ms)),
        "resets_at": anew.then(|| Timestamp::from_ms(step.account.end_ms)),
        "at_percent": reached.at_percent,
        "action": reached.action,
        "spent_usd": spent.to_string(),
        "limit_usd": limit.to_string(),
    });
    let audience = match Recipients::parse(&step.recipients).unwrap_or_default() {
        Recipients::Both => Audience::Both,
        Recipients::User => Audience::Team,
        Recipients::Admins => Audience::Organisation,
    };
    let told = Told {
        once: format!("budget/{}/{}", reached.account_id, reached.at_percent),
        kind,
        category: Category::Budget,
        severity,
        text,
        page: path::budget(budget.id.as_str()),
        team,
        user,
        data,
        audience,
    };
    event(app, &told)
}

/// The type and weight of a step, and what it means for requests.
fn consequence(action: Option<&BudgetAction>) -> (&'static str, Severity, String) {
    match action {
        None | Some(BudgetAction::Notify) => ("budget.threshold_reached", Severity::Warning, String::new()),
        Some(BudgetAction::Throttle { requests_per_minute }) => (
            "budget.throttled",
            Severity::Warning,
            format!(" Requests are slowed down to {requests_per_minute} a minute."),
        ),
        Some(BudgetAction::Restrict { models }) => {
            let names: Vec<String> = models.iter().map(ToString::to_string).collect();
            (
                "budget.restricted",
                Severity::Warning,
                format!(" Only these models are served: {}.", names.join(", ")),
            )
        }
        Some(BudgetAction::Block) => (
            "budget.blocked",
            Severity::Critical,
            " Further requests are refused.".to_owned(),
        ),
    }
}

/// What a test sends.
pub(super) fn test(app: &App, destination: &str) -> EventBody {
    let told = Told {
        once: String::new(),
        kind: TEST,
        category: Category::Budget,
        severity: Severity::Info,
        text: format!("This is a test of the destination {destination}. Nothing has happened."),
        page: path::NOTIFICATIONS.to_owned(),
        team: None,
        user: None,
        data: json!({}),
        audience: Audience::Both,
    };
    body(app, &told)
}
