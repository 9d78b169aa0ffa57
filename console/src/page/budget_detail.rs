//! One budget: what it holds, what happens on the way, its raises.

use super::budgets::{mode_word, period_word};
use super::{BudgetAccount, PAGE_SIZE, Page, Section};
use crate::form::Field;
use crate::format::{exact_usd, grouped, moment, money};
use crate::part::block::{Colour, badge, card, facts, figure, figures, nothing, page_head, text};
use crate::part::budget::{held, resets, state_badge, used};
use crate::part::field::{Ask, button_form, csrf, input, page_link, summary};
use crate::part::list::{Column, cell, name_cell, number_cell, pagination, row_head, table};
use crate::{PageContext, path};
use ccag_domain::{BudgetMode, NanoUsd, Period, UnixMs};
use leptos::prelude::*;

/// A step on the way through a budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepRow {
    /// From which share on, in percent.
    pub at_percent: u32,
    /// From which amount on.
    pub at: NanoUsd,
    /// What happens, in words.
    pub what: String,
    /// Whether it was reached; `None` where everyone has an account of their own.
    pub reached: Option<bool>,
}

/// More, for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RaiseRow {
    /// Names it among the raises of its budget.
    pub id: String,
    /// How much more.
    pub amount: NanoUsd,
    /// Since when.
    pub from_ms: UnixMs,
    /// Until when.
    pub until_ms: UnixMs,
    /// Why.
    pub reason: String,
    /// Whether it counts.
    pub active: bool,
}

/// A step that was reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReachedRow {
    /// When.
    pub at_ms: UnixMs,
    /// Which share, in percent.
    pub at_percent: u32,
    /// What happens there, in a word.
    pub action: String,
    /// What was spent then.
    pub spent: NanoUsd,
    /// What there was to spend.
    pub limit: NanoUsd,
    /// Whose account, where everyone has one of their own.
    pub user: Option<String>,
}

/// What the form for a raise holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RaiseForm {
    /// How much more, in dollars.
    pub amount: Field,
    /// Until when, in UTC.
    pub until: Field,
    /// Why.
    pub reason: Field,
}

/// The page of one budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetPage {
    /// Whether the viewer may change it.
    pub changeable: bool,
    /// Its id.
    pub id: String,
    /// What it is about, in words.
    pub about: String,
    /// How much, without raises.
    pub amount: NanoUsd,
    /// When it begins anew.
    pub period: Period,
    /// In whose midnight.
    pub time_zone: String,
    /// How closely it holds.
    pub mode: BudgetMode,
    /// The preset, or `custom`.
    pub policy: String,
    /// What happens on the way.
    pub steps: Vec<StepRow>,
    /// What happens without the control plane, in words.
    pub posture: String,
    /// Who is told, in words.
    pub notify: String,
    /// Its only account; `None` where everyone has one of their own.
    pub account: Option<BudgetAccount>,
    /// One page of the accounts of everyone, the one that has spent most first.
    pub accounts: Vec<BudgetAccount>,
    /// How many there are.
    pub total: u64,
    /// Which page of them, from 1.
    pub page: u64,
    /// More, for a while: the newest first.
    pub raises: Vec<RaiseRow>,
    /// The steps that were reached, the newest first.
    pub reached: Vec<ReachedRow>,
    /// When it was made.
    pub created_at_ms: UnixMs,
    /// What the form for a raise holds.
    pub form: RaiseForm,
    /// What is wrong with that form as a whole.
    pub trouble: Option<String>,
}

const AMOUNT: Ask = Ask {
    id: "raise_amount",
    name: "amount",
    label: "How much more, in dollars",
    help: "",
    kind: "",
    autocomplete: "",
    required: true,
    max_length: 24,
};

const UNTIL: Ask = Ask {
    id: "until",
    name: "until",
    label: "Until, in UTC",
    help: "Within a year. Change the amount for more that is to stay.",
    kind: "datetime-local",
    autocomplete: "",
    required: true,
    max_length: 30,
};

const REASON: Ask = Ask {
    id: "reason",
    name: "reason",
    label: "Why",
    help: "For those who come after. It is kept in the audit log, with your name.",
    kind: "",
    autocomplete: "",
    required: true,
    max_length: 200,
};

impl Page for BudgetPage {
    fn title(&self) -> String {
        format!("Budget {}", self.about)
    }

    fn section(&self) -> Option<Section> {
        Some(Section::Budgets)
    }

    fn body(&self, context: &PageContext) -> AnyView {
        let actions = self.changes(context).then(|| {
            view! {
                {page_link(context, path::edit_budget(&self.id), "Change", "button")}
                {page_link(context, path::delete_budget(&self.id), "Delete…", "button danger")}
            }
        });
        let lead = format!("{} {}", exact_usd(self.amount), period_word(self.period));
        let holds = match &self.account {
            Some(account) => self.numbers(account),
            None => self.everyone(),
        };
        view! {
            <nav class="trail" aria-label="Where you are"><a href=path::BUDGETS>"Budgets"</a></nav>
            {page_head(self.about.clone(), text(lead), actions.into_any())}
            {holds}
            <div class="columns">
                {self.step_list()}
                {self.terms()}
            </div>
            {self.raise_list(context)}
            {self.reached_list()}
        }
        .into_any()
    }
}

impl BudgetPage {
    fn numbers(&self, account: &BudgetAccount) -> AnyView {
        let blocked = match account.blocked_at {
            Some(at) => format!("nothing is served from {} on", exact_usd(at)),
            None => "nothing is ever blocked".to_owned(),
        };
        let numbers = figures(vec![
            figure(
                "Spent",
                money(account.spent),
                text(format!("{} % of the limit", grouped(account.percent))),
            ),
            figure("Limit", money(account.limit), text(blocked)),
            figure("Remaining", money(account.remaining), held(account)),
            figure(
                "Status",
                state_badge(account.state),
                view! { "resets: " {resets(account)} }.into_any(),
            ),
        ]);
        view! {
            {numbers}
            <div class="card">{used(account)}</div>
        }
        .into_any()
    }

    fn everyone(&self) -> AnyView {
        let body = if self.accounts.is_empty() {
            view! { <p class="quiet-note">"Nobody has spent anything in this period. Each gets an account with their first request."</p> }
                .into_any()
        } else {
            let columns = vec![
                Column::text("User"),
                Column::text("Spent"),
                Column::number("Remaining"),
                Column::text("Status"),
                Column::text("Resets"),
            ];
            let rows = self.accounts.iter().map(account_row).collect();
            let pages = (self.total > PAGE_SIZE).then(|| {
                pagination("accounts", self.page, self.total, |page| {
                    path::with_query(&path::budget(&self.id), &[("page", &page.to_string())])
                })
            });
            view! { {table("Accounts", columns, rows)} {pages} }.into_any()
        };
        card(
            "accounts",
            "Accounts",
            text("this period, who has spent most first"),
            body,
        )
    }

    fn step_list(&self) -> AnyView {
        let body = if self.steps.is_empty() {
            view! { <p class="quiet-note">"No steps: what is spent is only counted."</p> }.into_any()
        } else {
            let rows = self
                .steps
                .iter()
                .map(|step| {
                    let mark = step.reached.map(|reached| match reached {
                        true => badge(Colour::Warn, "Reached"),
                        false => badge(Colour::Muted, "Not yet"),
                    });
                    view! {
                        <li>
                            <span class="step-at">{format!("{} %", grouped(u64::from(step.at_percent)))}</span>
                            <span class="step-what">{step.what.clone()} <span class="faint">" from " {money(step.at)} " on"</span></span>
                            {mark}
                        </li>
                    }
                })
                .collect_view();
            view! { <ol class="steps-list">{rows}</ol> }.into_any()
        };
        let note = match self.policy.as_str() {
            "custom" => "steps of its own".to_owned(),
            name => format!("policy “{name}”"),
        };
        card("steps", "On the way", text(note), body)
    }

    fn terms(&self) -> AnyView {
        let body = facts(vec![
            ("Begins anew", text(self.anew())),
            ("Time zone", text(self.time_zone.clone())),
            ("Mode", text(mode_word(self.mode))),
            ("Without the control plane", text(self.posture.clone())),
            ("Who is told", text(self.notify.clone())),
            ("Created", moment(self.created_at_ms)),
            ("Id", view! { <code>{self.id.clone()}</code> }.into_any()),
        ]);
        card("terms", "Terms", nothing(), body)
    }

    fn anew(&self) -> &'static str {
        match self.period {
            Period::Daily => "every day",
            Period::Weekly => "every Monday",
            Period::Monthly => "on the first of every month",
            Period::Total => "never",
        }
    }

    fn raise_list(&self, context: &PageContext) -> AnyView {
        let form = &self.form;
        let asked = [
            (&AMOUNT, &form.amount),
            (&UNTIL, &form.until),
            (&REASON, &form.reason),
        ];
        let refused = self.trouble.is_some() || asked.iter().any(|(_, field)| field.error.is_some());
        let list = if self.raises.is_empty() {
            view! { <p class="quiet-note">"None. A raise lifts the limit for a while, and the steps with it."</p> }.into_any()
        } else {
            let columns = vec![
                Column::text("More"),
                Column::text("Since"),
                Column::text("Until"),
                Column::text("Why"),
                Column::text("State"),
            ];
            let rows = self
                .raises
                .iter()
                .map(|raise| self.raise_row(context, raise))
                .collect();
            table("Raises", columns, rows)
        };
        let body = view! {
            {list}
            {self.changes(context).then(|| view! { <details class="raise-form" open=refused>
                <summary>"Raise it for a while"</summary>
                <form method="post" action=path::budget_raises(&self.id) class="grid-form">
                    {csrf(context)}
                    {summary(&asked, self.trouble.as_deref())}
                    {input(AMOUNT, &form.amount, &[])}
                    {input(UNTIL, &form.until, &[])}
                    {input(REASON, &form.reason, &[])}
                    <div class="form-actions"><button type="submit" class="primary">"Raise the budget"</button></div>
                </form>
            </details> })}
        };
        card(
            "raises",
            "Raises",
            text("shown for 90 days after their end"),
            body.into_any(),
        )
    }

    fn changes(&self, context: &PageContext) -> bool {
        self.changeable && context.posts(&path::budget_raises(&self.id))
    }

    fn raise_row(&self, context: &PageContext, raise: &RaiseRow) -> AnyView {
        let state = if raise.active && !self.changes(context) {
            badge(Colour::Good, "In force")
        } else if raise.active {
            let what = format!("the raise of {}", exact_usd(raise.amount));
            let action = path::withdraw_raise(&self.id, &raise.id);
            button_form(context, action, &[], "Withdraw", &what, "small")
        } else {
            badge(Colour::Muted, "Past")
        };
        view! {
            <tr>
                {row_head(money(raise.amount))}
                {cell("Since", moment(raise.from_ms))}
                {cell("Until", moment(raise.until_ms))}
                {name_cell("Why", text(raise.reason.clone()))}
                {cell("State", state)}
            </tr>
        }
        .into_any()
    }

    fn reached_list(&self) -> AnyView {
        if self.reached.is_empty() {
            return nothing();
        }
        let each = self.account.is_none();
        let mut columns = vec![Column::text("When"), Column::text("Step"), Column::text("Spent")];
        if each {
            columns.push(Column::text("User"));
        }
        let rows = self
            .reached
            .iter()
            .map(|row| {
                let step = format!("{} %: {}", grouped(u64::from(row.at_percent)), row.action);
                let user =
                    each.then(|| name_cell("User", text(row.user.clone().unwrap_or_else(|| "–".to_owned()))));
                view! {
                    <tr>
                        {row_head(moment(row.at_ms))}
                        {cell("Step", text(step))}
                        {cell("Spent", view! { <span>{money(row.spent)} " of " {money(row.limit)}</span> }.into_any())}
                        {user}
                    </tr>
                }
                .into_any()
            })
            .collect();
        card(
            "reached",
            "Steps that were reached",
            text("the newest first"),
            table("Steps that were reached", columns, rows),
        )
    }
}

fn account_row(account: &BudgetAccount) -> AnyView {
    let name = account
        .user
        .as_ref()
        .map_or_else(|| "–".to_owned(), |user| user.name.clone());
    view! {
        <tr>
            {row_head(text(name))}
            {name_cell("Spent", used(account))}
            {number_cell("Remaining", money(account.remaining))}
            {cell("Status", state_badge(account.state))}
            {cell("Resets", resets(account))}
        </tr>
    }
    .into_any()
}
