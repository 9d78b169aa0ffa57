//! Notifications: the destinations, and what became of telling them.

use super::{PAGE_SIZE, Page, Section};
use crate::form::Choice;
use crate::format::ago;
use crate::part::block::{empty, nothing, page_head, text};
use crate::part::field::{button_form, options, page_link, page_name};
use crate::part::list::{Column, cell, name_cell, number_cell, pagination, row_head, table};
use crate::{PageContext, path};
use ccag_domain::{Area, Permission, Reach, UnixMs};
use leptos::prelude::*;

/// One destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DestinationRow {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it is and where, in a few words.
    pub reached: String,
    /// Whose events it gets, in words.
    pub about: String,
    /// What it is told of, in words.
    pub categories: String,
    /// How it stands, in words.
    pub state: String,
}

/// All destinations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NotificationsPage {
    /// By name.
    pub rows: Vec<DestinationRow>,
    /// Whether `BUDGET_NOTIFICATION_URL` is in use.
    pub environment: bool,
    /// How many deliveries were given up.
    pub dead: u64,
}

const LEAD: &str = "Who is told of what happens: to budgets, sessions, endpoints and data planes, of prices and rules that drift, and of what is about to expire.";

const LEAD_OF_TEAM: &str = "Who is told of what happens to your team: to its budgets, sessions and keys. Others hear of it from those that admins set up.";

impl Page for NotificationsPage {
    fn title(&self) -> String {
        "Notifications".to_owned()
    }

    fn section(&self) -> Option<Section> {
        Some(Section::Notifications)
    }

    fn body(&self, context: &PageContext) -> AnyView {
        let all = context.reach(Permission::Read(Area::Notifications)) == Reach::Everything;
        let lead = if all { LEAD } else { LEAD_OF_TEAM };
        let new = page_link(
            context,
            path::NEW_DESTINATION,
            "Add a destination",
            "button primary",
        );
        let history = page_link(context, path::DELIVERIES, "History", "button");
        let dead = (self.dead > 0).then(|| {
            let words = match self.dead {
                1 => "1 notification could not be delivered and was given up.".to_owned(),
                n => format!("{n} notifications could not be delivered and were given up."),
            };
            let link = page_link(context, path::deliveries("dead", "", 1), "Look at them", "");
            view! { <p class="note">{words} " " {link}</p> }
        });
        if self.rows.is_empty() {
            let now = if self.environment {
                "As long as there is none, events about budgets go to BUDGET_NOTIFICATION_URL."
            } else if all {
                "As long as there is none, nobody is told anything."
            } else {
                ""
            };
            let kinds = if all {
                "A destination is a webhook, a Slack channel, an Amazon SNS topic, an Amazon EventBridge bus, or mailboxes."
            } else {
                "A destination is a webhook, a Slack channel, or mailboxes. It is told of what is about your team."
            };
            let first = empty(
                "No destinations yet",
                view! {
                    <p>
                        {kinds} " It begins as a draft; when a test of the draft has passed, it can be activated. " {now}
                    </p>
                }
                .into_any(),
                new,
            );
            return view! {
                {page_head(self.title(), text(lead), history)}
                {dead}
                {first}
            }
            .into_any();
        }
        let columns = vec![
            Column::text("Name"),
            Column::text("Reached"),
            Column::text("Events of"),
            Column::text("Told of"),
            Column::text("State"),
        ];
        let row = |row: &DestinationRow| {
            let link = page_name(context, path::destination(&row.id), row.name.clone(), "row-link");
            view! {
                <tr>
                    {row_head(link)}
                    {name_cell("Reached", text(row.reached.clone()))}
                    {cell("Events of", text(row.about.clone()))}
                    {cell("Told of", text(row.categories.clone()))}
                    {cell("State", text(row.state.clone()))}
                </tr>
            }
            .into_any()
        };
        view! {
            {page_head(self.title(), text(lead), view! { {history} {new} }.into_any())}
            {dead}
            {table("Destinations", columns, self.rows.iter().map(row).collect())}
        }
        .into_any()
    }
}

/// One delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryRow {
    /// Its id.
    pub id: String,
    /// The destination's name.
    pub destination: String,
    /// What happened, in a line.
    pub text: String,
    /// The whole event, as JSON.
    pub event: String,
    /// When it happened.
    pub at_ms: UnixMs,
    /// How it stands, in words.
    pub state: String,
    /// How often it was tried.
    pub attempts: u32,
    /// What the destination said last.
    pub answer: String,
    /// Whether it was given up.
    pub dead: bool,
}

/// One page of what became of telling destinations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliveriesPage {
    /// Only those in this state; empty: all.
    pub state: String,
    /// Only those about this; empty: everything.
    pub category: String,
    /// The categories to choose from.
    pub categories: Vec<Choice>,
    /// Which page, from 1.
    pub page: u64,
    /// The newest first.
    pub rows: Vec<DeliveryRow>,
    /// How many there are on all pages.
    pub total: u64,
}

impl Page for DeliveriesPage {
    fn title(&self) -> String {
        "History of notifications".to_owned()
    }

    fn section(&self) -> Option<Section> {
        Some(Section::Notifications)
    }

    fn body(&self, context: &PageContext) -> AnyView {
        view! {
            <nav class="trail" aria-label="Where you are">
                <a href=path::NOTIFICATIONS>"Notifications"</a>
            </nav>
            {page_head(self.title(), text("What was to be told within the last 30 days, and what became of it."), nothing())}
            {self.filter()}
            {self.list(context)}
        }
        .into_any()
    }
}

impl DeliveriesPage {
    /// The first row of a page, counted from 0.
    #[must_use]
    pub const fn offset(page: u64) -> u64 {
        page.saturating_sub(1).saturating_mul(PAGE_SIZE)
    }

    fn filter(&self) -> AnyView {
        let states = [
            Choice::new("", "any state"),
            Choice::new("pending", "waiting"),
            Choice::new("delivered", "delivered"),
            Choice::new("dead", "given up"),
        ];
        let mut categories = vec![Choice::new("", "everything")];
        categories.extend(self.categories.iter().cloned());
        view! {
            <form method="get" action=path::DELIVERIES class="filters" role="search" data-autosubmit="">
                <div class="field">
                    <label for="state">"State"</label>
                    <select id="state" name="state">{options(&states, &self.state)}</select>
                </div>
                <div class="field">
                    <label for="category">"About"</label>
                    <select id="category" name="category">{options(&categories, &self.category)}</select>
                </div>
                <div class="filter-actions"><button type="submit">"Apply"</button></div>
            </form>
        }
        .into_any()
    }

    fn list(&self, context: &PageContext) -> AnyView {
        if self.total == 0 {
            let why = view! {
                <p>"What is told to a destination stands here, with what the destination answered."</p>
            };
            return empty("Nothing to show", why.into_any(), nothing());
        }
        let columns = vec![
            Column::text("What"),
            Column::text("Destination"),
            Column::text("When"),
            Column::text("State"),
            Column::number("Tried"),
            Column::text("Answer"),
            Column::text("Do"),
        ];
        let rows = self.rows.iter().map(|one| row(one, context)).collect();
        let pages = pagination("notifications", self.page, self.total, |page| {
            path::deliveries(&self.state, &self.category, page)
        });
        view! { {table("Notifications", columns, rows)} {pages} }.into_any()
    }
}

fn row(one: &DeliveryRow, context: &PageContext) -> AnyView {
    let content = view! {
        <details>
            <summary>{one.text.clone()}</summary>
            <pre class="code"><code>{one.event.clone()}</code></pre>
        </details>
    };
    let again = one.dead.then(|| {
        button_form(
            context,
            path::resend_delivery(&one.id),
            &[],
            "Send again",
            &one.text,
            "quiet",
        )
    });
    view! {
        <tr>
            {row_head(content.into_any())}
            {name_cell("Destination", text(one.destination.clone()))}
            {cell("When", ago(one.at_ms, context.now_ms))}
            {cell("State", text(one.state.clone()))}
            {number_cell("Tried", text(one.attempts.to_string()))}
            {cell("Answer", text(one.answer.clone()))}
            {cell("Do", view! { {again} }.into_any())}
        </tr>
    }
    .into_any()
}
