//! A budget that is tried out on the last days.

use super::budget_form::{
    AMOUNT, BudgetForm, KEY, PERIOD, POLICY, SCOPE, TEAM, USER, ZONE, periods, policies, zones,
};
use super::budgets::SCOPES;
use super::{Page, Section};
use crate::form::{Choice, Field};
use crate::format::{date_time, grouped, money, percent};
use crate::part::block::{card, empty, figure, figures, nothing, page_head, text};
use crate::part::field::{Ask, input, page_link, select, summary};
use crate::part::list::{Column, cell, number_cell, row_head, table};
use crate::{PageContext, path};
use ccag_domain::{NanoUsd, UnixMs};
use leptos::prelude::*;

const DAYS: Ask = Ask::line(
    "days",
    "Over how many days",
    "The last ones until now, 62 at most.",
    true,
    2,
);

/// Scopes of those who see what their team uses and no more.
const OF_TEAM: [&str; 3] = ["team", "each_member", "member"];

/// The page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WhatIfPage {
    /// What the form holds; what it does not ask for is not looked at.
    pub form: BudgetForm,
    /// Over how many days.
    pub days: Field,
    /// Teams to choose from.
    pub teams: Vec<Choice>,
    /// Whether the viewer sees the usage of everybody.
    pub wider: bool,
    /// Whether the viewer sees the usage of others at all.
    pub allowed: bool,
    /// What is wrong with the form as a whole.
    pub trouble: Option<String>,
    /// What came of it.
    pub found: Option<Replay>,
}

/// What a budget would have done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replay {
    /// What was spent of what counts towards it.
    pub spent: NanoUsd,
    /// What of that lies beyond the point at which it refuses.
    pub over: NanoUsd,
    /// About how many requests that are.
    pub refused: u64,
    /// Its steps: at how many percent, what happens, and how often.
    pub steps: Vec<(u32, String, u64)>,
    /// Its periods.
    pub periods: Vec<ReplayPeriod>,
    /// How many users would have been refused, where each has it.
    pub refused_subjects: u64,
    /// Those of them who spent most beyond it.
    pub subjects: Vec<ReplaySubject>,
}

/// What it would have done in one period.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReplayPeriod {
    /// When it begins.
    pub start: UnixMs,
    /// What was spent.
    pub spent: NanoUsd,
    /// What of that lies beyond.
    pub over: NanoUsd,
    /// About how many requests that are.
    pub refused: u64,
    /// When somebody would have been refused first.
    pub first: Option<UnixMs>,
}

/// Somebody who would have been refused.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReplaySubject {
    /// The user's name.
    pub name: String,
    /// What they spent.
    pub spent: NanoUsd,
    /// What of that lies beyond.
    pub over: NanoUsd,
    /// About how many requests that are.
    pub refused: u64,
}

impl Page for WhatIfPage {
    fn title(&self) -> String {
        "Try a budget out".to_owned()
    }

    fn section(&self) -> Option<Section> {
        Some(Section::Analytics)
    }

    fn body(&self, context: &PageContext) -> AnyView {
        let body = if self.allowed {
            let found = self.found.as_ref().map(|found| self.found(found, context));
            view! { {self.form()} {found} }.into_any()
        } else {
            empty(
                "You see your own usage only",
                view! { <p>"A budget is tried out on the usage of others. Ask an administrator, or the manager of your team."</p> }
                    .into_any(),
                nothing(),
            )
        };
        view! {
            <nav class="trail" aria-label="Where you are"><a href=path::ANALYTICS>"Analytics"</a></nav>
            {page_head("Try a budget out".to_owned(), text("What a budget would have done in the last days, had it been there. Nothing is changed."), nothing())}
            {body}
        }
        .into_any()
    }
}

impl WhatIfPage {
    fn form(&self) -> AnyView {
        let form = &self.form;
        let fields = [
            (&SCOPE, &form.scope),
            (&TEAM, &form.team),
            (&USER, &form.user),
            (&KEY, &form.key),
            (&AMOUNT, &form.amount),
            (&PERIOD, &form.period),
            (&ZONE, &form.time_zone),
            (&POLICY, &form.policy),
            (&DAYS, &self.days),
        ];
        let scopes: Vec<Choice> = SCOPES
            .iter()
            .filter(|(value, _)| self.wider || OF_TEAM.contains(value))
            .map(|(value, label)| Choice::new(*value, *label))
            .collect();
        let mut teams = vec![Choice::new("", "none")];
        teams.extend(self.teams.iter().cloned());
        let key = self.wider.then(|| input(KEY, &form.key, &[]));
        view! {
            <form method="get" action=path::WHAT_IF class="stack card">
                {summary(&fields, self.trouble.as_deref())}
                {select(SCOPE, &form.scope, &scopes)}
                {select(TEAM, &form.team, &teams)}
                {input(USER, &form.user, &[])}
                {key}
                {input(AMOUNT, &form.amount, &[])}
                {select(PERIOD, &form.period, &periods())}
                {input(ZONE, &form.time_zone, &zones())}
                {select(POLICY, &form.policy, &policies(false))}
                {input(DAYS, &self.days, &[])}
                <div class="form-actions">
                    <button type="submit" class="primary">"Try it out"</button>
                    <a class="button quiet" href=path::ANALYTICS>"Cancel"</a>
                </div>
            </form>
        }
        .into_any()
    }

    fn found(&self, found: &Replay, context: &PageContext) -> AnyView {
        let nano = |amount: NanoUsd| u64::try_from(amount.0).unwrap_or(0);
        let subjects = (!found.subjects.is_empty()).then(|| {
            figure(
                "Users",
                grouped(found.refused_subjects).into_any(),
                text("would have been refused something"),
            )
        });
        let mut items = vec![
            figure(
                "Spent",
                money(found.spent),
                text("of what counts towards the budget"),
            ),
            figure(
                "Beyond it",
                money(found.over),
                text(format!(
                    "{} of what was spent",
                    percent(nano(found.over), nano(found.spent))
                )),
            ),
            figure(
                "Refused",
                grouped(found.refused).into_any(),
                text("requests, about"),
            ),
        ];
        items.extend(subjects);
        let scope = self.form.scope.value.as_str();
        let create = path::with_query(
            path::NEW_BUDGET,
            &[("scope", scope), ("team", self.form.team.value.as_str())],
        );
        view! {
            {figures(items)}
            <p class="note">
                "People who are refused may wait, ask for less, or take a cheaper model: this is what they used, and no promise of savings."
            </p>
            {card("periods", "Period by period", text("times are UTC"), periods_table(&found.periods))}
            {steps_card(&found.steps)}
            {subjects_card(found)}
            <p class="actions">{page_link(context, create, "Create a budget of this scope", "button")}</p>
        }
        .into_any()
    }
}

fn periods_table(periods: &[ReplayPeriod]) -> AnyView {
    let columns = vec![
        Column::text("From"),
        Column::number("Spent"),
        Column::number("Beyond"),
        Column::number("Requests refused"),
        Column::text("First refused"),
    ];
    let row = |period: &ReplayPeriod| {
        view! {
            <tr>
                {row_head(text(date_time(period.start)))}
                {number_cell("Spent", money(period.spent))}
                {number_cell("Beyond", money(period.over))}
                {number_cell("Requests refused", grouped(period.refused).into_any())}
                {cell("First refused", text(period.first.map_or_else(|| "never".to_owned(), date_time)))}
            </tr>
        }
        .into_any()
    };
    table("Period by period", columns, periods.iter().map(row).collect())
}

fn steps_card(steps: &[(u32, String, u64)]) -> AnyView {
    let columns = vec![
        Column::text("Step"),
        Column::text("What happens"),
        Column::number("Times reached"),
    ];
    let row = |(at, what, times): &(u32, String, u64)| {
        view! {
            <tr>
                {row_head(text(format!("{at} %")))}
                {cell("What happens", text(what.clone()))}
                {number_cell("Times reached", grouped(*times).into_any())}
            </tr>
        }
        .into_any()
    };
    let rows = steps.iter().map(row).collect();
    card(
        "steps",
        "Steps",
        text("counted once in each period, for everybody whom the budget is about"),
        table("Steps", columns, rows),
    )
}

fn subjects_card(found: &Replay) -> AnyView {
    if found.subjects.is_empty() {
        return nothing();
    }
    let columns = vec![
        Column::text("User"),
        Column::number("Spent"),
        Column::number("Beyond"),
        Column::number("Requests refused"),
    ];
    let row = |one: &ReplaySubject| {
        view! {
            <tr>
                {row_head(text(one.name.clone()))}
                {number_cell("Spent", money(one.spent))}
                {number_cell("Beyond", money(one.over))}
                {number_cell("Requests refused", grouped(one.refused).into_any())}
            </tr>
        }
        .into_any()
    };
    let rest = found.refused_subjects.saturating_sub(found.subjects.len() as u64);
    let note = match rest {
        0 => "those who would have been refused".to_owned(),
        more => format!("those who spent most beyond it; {} more", grouped(more)),
    };
    let rows = found.subjects.iter().map(row).collect();
    card("subjects", "Users", text(note), table("Users", columns, rows))
}
