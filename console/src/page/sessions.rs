//! Sessions of Claude Code that ran away, and what sessions may do.

use super::{BreakerForm, FormPage, PAGE_SIZE, Page, PausedRow, Section};
use crate::form::Field;
use crate::format::ago;
use crate::part::block::{card, empty, nothing, page_head, text};
use crate::part::breaker::{pause_badge, resume_button};
use crate::part::field::{post_form, summary};
use crate::part::list::{Column, cell, name_cell, pagination, prose_cell, row_head, table};
use crate::{PageContext, path};
use ccag_domain::{Area, Permission, Reach};
use leptos::prelude::*;

/// The sessions that are paused: one's own, or, for an admin, everybody's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionsPage {
    /// Whether those that were resumed are shown as well.
    pub all: bool,
    /// Which page, from 1.
    pub page: u64,
    /// The newest first.
    pub rows: Vec<PausedRow>,
    /// How many there are on all pages.
    pub total: u64,
    /// What sessions may do whose team says nothing of its own; for admins.
    pub form: Option<BreakerForm>,
    /// What is wrong with the form as a whole.
    pub trouble: Option<String>,
}

impl FormPage for SessionsPage {
    fn field_mut(&mut self, name: &str) -> Option<&mut Field> {
        self.form.as_mut()?.field_mut(name)
    }

    fn trouble_mut(&mut self) -> &mut Option<String> {
        &mut self.trouble
    }
}

impl Page for SessionsPage {
    fn title(&self) -> String {
        "Paused sessions".to_owned()
    }

    fn section(&self) -> Option<Section> {
        Some(Section::Sessions)
    }

    fn body(&self, context: &PageContext) -> AnyView {
        let lead = if context.reach(Permission::Read(Area::Sessions)) > Reach::Own {
            "Sessions of Claude Code that ran away. Nothing of them is served until somebody resumes them."
        } else {
            "Sessions of yours that ran away. Nothing of them is served until you resume them."
        };
        let other = match self.all {
            false => view! { <a class="button" href=path::sessions(true, 1)>"Show resumed ones as well"</a> },
            true => view! { <a class="button" href=path::sessions(false, 1)>"Show only paused ones"</a> },
        };
        view! {
            {page_head("Paused sessions".to_owned(), text(lead), other.into_any())}
            {self.list(context)}
            {self.form.as_ref().map(|form| self.limits(form, context))}
        }
        .into_any()
    }
}

impl SessionsPage {
    /// The first row of a page, counted from 0.
    #[must_use]
    pub const fn offset(page: u64) -> u64 {
        page.saturating_sub(1).saturating_mul(PAGE_SIZE)
    }

    fn list(&self, context: &PageContext) -> AnyView {
        if self.total == 0 {
            let why = view! {
                <p>"A session that spends too fast, or lets too many agents work at once, would wait here."</p>
            };
            return empty("No session is paused", why.into_any(), nothing());
        }
        let columns = vec![
            Column::text("Session"),
            Column::text("Whose"),
            Column::text("Why"),
            Column::text("Since"),
            Column::text("Do"),
        ];
        let rows = self.rows.iter().map(|paused| row(paused, context)).collect();
        let pages = pagination("sessions", self.page, self.total, |page| {
            path::sessions(self.all, page)
        });
        view! { {table("Paused sessions", columns, rows)} {pages} }.into_any()
    }

    fn limits(&self, form: &BreakerForm, context: &PageContext) -> AnyView {
        let body = post_form(
            context,
            path::SESSIONS.to_owned(),
            "stack",
            summary(&form.fields(), self.trouble.as_deref()),
            form.inputs(),
            view! { <button type="submit" class="primary">"Save"</button> }.into_any(),
        );
        card(
            "limits",
            "What a session may do",
            text("for everybody whose team has no limits of its own; what goes beyond is paused"),
            body,
        )
    }
}

fn row(paused: &PausedRow, context: &PageContext) -> AnyView {
    let action = match paused.resumed_at_ms {
        None => resume_button(context, paused, "sessions"),
        Some(at) => view! { <span>"resumed " {ago(at, context.now_ms)}</span> }.into_any(),
    };
    view! {
        <tr>
            {row_head(view! { <code>{paused.session.clone()}</code> " " {pause_badge(paused)} }.into_any())}
            {name_cell("Whose", text(paused.owner.clone()))}
            {prose_cell("Why", text(format!("{}.", capitalized(&paused.why))))}
            {cell("Since", ago(paused.paused_at_ms, context.now_ms))}
            {cell("Do", action)}
        </tr>
    }
    .into_any()
}

fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}
