//! How much a team may spend together, and how much each of its members.

use super::budget_form::{
    MODE, NOTIFY, PERIOD, POLICY, ZONE, about_modes, modes, periods, policies, recipients, zones,
};
use super::{BudgetAccount, Page, Section};
use crate::form::Field;
use crate::part::block::{card, nothing, page_head, text};
use crate::part::budget::{resets, state_badge, used};
use crate::part::field::{Ask, csrf, input, inputs_for, select, summary};
use crate::{PageContext, path};
use leptos::prelude::*;

/// What the form holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TeamBudgetForm {
    /// How much the team may spend together, in dollars; empty is no such budget.
    pub amount: Field,
    /// How much each member may spend; empty is no such budget.
    pub each: Field,
    /// When both begin anew.
    pub period: Field,
    /// In whose midnight.
    pub time_zone: Field,
    /// How closely both hold.
    pub mode: Field,
    /// The preset, or `custom` for the rules that are there.
    pub policy: Field,
    /// Who is told.
    pub notify: Field,
}

impl Default for TeamBudgetForm {
    fn default() -> Self {
        Self {
            amount: Field::default(),
            each: Field::default(),
            period: Field::new("monthly"),
            time_zone: Field::new("UTC"),
            mode: Field::new("balanced"),
            policy: Field::new("standard"),
            notify: Field::new("both"),
        }
    }
}

impl TeamBudgetForm {
    /// The field with this name in the admin API.
    pub fn field_mut(&mut self, name: &str) -> Option<&mut Field> {
        Some(match name {
            "budget_amount_usd" => &mut self.amount,
            "default_user_budget_usd" => &mut self.each,
            "budget_period" => &mut self.period,
            "time_zone" => &mut self.time_zone,
            "mode" => &mut self.mode,
            "budget_policy" => &mut self.policy,
            "notify_recipients" => &mut self.notify,
            _ => return None,
        })
    }
}

/// The page of a team's budget.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TeamBudgetPage {
    /// The team's id.
    pub team_id: String,
    /// Its name.
    pub team: String,
    /// The team's budget, by id, and what it holds.
    pub pooled: Option<(String, BudgetAccount)>,
    /// The budget of each of its members, by id, and how many have spent something.
    pub each: Option<(String, u64)>,
    /// Whether the rules that are there are of no preset.
    pub custom: bool,
    /// What the form holds.
    pub form: TeamBudgetForm,
    /// What is wrong with the form as a whole.
    pub trouble: Option<String>,
}

const AMOUNT: Ask = Ask {
    id: "amount",
    name: "amount",
    label: "The team together, in dollars",
    help: "Empty is no such budget; with 0 nothing may be spent.",
    kind: "",
    autocomplete: "",
    required: false,
    max_length: 24,
};

const EACH: Ask = Ask {
    id: "each",
    name: "each",
    label: "Each member, in dollars",
    help: "For members for whom nothing else is set, as far as this team pays. Empty is no such budget.",
    kind: "",
    autocomplete: "",
    required: false,
    max_length: 24,
};

impl Page for TeamBudgetPage {
    fn title(&self) -> String {
        format!("Budget of {}", self.team)
    }

    fn section(&self) -> Option<Section> {
        Some(Section::Teams)
    }

    fn body(&self, context: &PageContext) -> AnyView {
        view! {
            <nav class="trail" aria-label="Where you are"><a href=path::TEAMS>"Teams"</a></nav>
            {page_head(
                format!("Budget of {}", self.team),
                text("How much the team may spend together, and each of its members."),
                view! { <a class="button" href=path::team_sessions(&self.team_id)>"What its sessions may do"</a> }.into_any(),
            )}
            {self.now()}
            <div class="columns form-columns">
                {self.form(context)}
                {about_modes()}
            </div>
        }
        .into_any()
    }
}

impl TeamBudgetPage {
    fn now(&self) -> AnyView {
        let pooled = self.pooled.as_ref().map(|(id, account)| {
            view! {
                <div class="stack">
                    {used(account)}
                    <p class="health">
                        {state_badge(account.state)}
                        <span>"resets: " {resets(account)}</span>
                        <a href=path::budget(id)>"Raises and details of the team's budget"</a>
                    </p>
                </div>
            }
        });
        let each = self.each.as_ref().map(|(id, count)| {
            let text = match count {
                0 => "No member has spent anything in this period.".to_owned(),
                1 => "One member has spent something in this period.".to_owned(),
                n => format!("{n} members have spent something in this period."),
            };
            view! { <p class="health"><span>{text}</span> <a href=path::budget(id)>"See the accounts of the members"</a></p> }
        });
        if pooled.is_none() && each.is_none() {
            return nothing();
        }
        card(
            "now",
            "Now",
            nothing(),
            view! { <div class="stack">{pooled} {each}</div> }.into_any(),
        )
    }

    fn form(&self, context: &PageContext) -> AnyView {
        let form = &self.form;
        let fields = [
            (&AMOUNT, &form.amount),
            (&EACH, &form.each),
            (&PERIOD, &form.period),
            (&ZONE, &form.time_zone),
            (&MODE, &form.mode),
            (&POLICY, &form.policy),
            (&NOTIFY, &form.notify),
        ];
        let mut choices = policies(false);
        if self.custom {
            choices.push(crate::form::Choice::new("custom", "The steps that are there now"));
        }
        let inputs = view! {
            {input(AMOUNT, &form.amount, &[])}
            {input(EACH, &form.each, &[])}
            {select(PERIOD, &form.period, &periods())}
            {input(ZONE, &form.time_zone, &zones())}
            {select(MODE, &form.mode, &modes())}
            {select(POLICY, &form.policy, &choices)}
            {select(NOTIFY, &form.notify, &recipients())}
        };
        let action = path::team_budget(&self.team_id);
        let inputs = inputs_for(context, &action, inputs.into_any());
        if !context.posts(&action) {
            return view! { <div class="stack card">{inputs}</div> }.into_any();
        }
        view! {
            <form method="post" action=action class="stack card">
                {csrf(context)}
                {summary(&fields, self.trouble.as_deref())}
                {inputs}
                <div class="form-actions">
                    <button type="submit" class="primary">"Save"</button>
                    <a class="button quiet" href=path::TEAMS>"Cancel"</a>
                </div>
            </form>
        }
        .into_any()
    }
}
