//! The page for a new budget, or for changing one.

use super::budget_form::{
    AMOUNT, BudgetForm, GRACE, KEY, MODE, NOTIFY, PERIOD, POLICY, POSTURE, SCOPE, STEP_ASKS, StepForm, TEAM,
    USER, ZONE, about_modes, actions, modes, periods, policies, postures, recipients, zones,
};
use super::budgets::{OF_MEMBER, SCOPES, sets_wider};
use super::{Page, Section};
use crate::form::Choice;
use crate::part::block::{facts, nothing, page_head, text};
use crate::part::field::{csrf, input, select, summary};
use crate::{PageContext, path};
use leptos::prelude::*;

/// What of a budget stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FixedTerms {
    /// Its id.
    pub id: String,
    /// What it is about, in words.
    pub about: String,
    /// When it begins anew, in words.
    pub period: String,
}

/// The page with the form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BudgetEditPage {
    /// The budget that is changed; `None` for a new one.
    pub fixed: Option<FixedTerms>,
    /// Teams to choose from, by id.
    pub teams: Vec<Choice>,
    /// What the form holds.
    pub form: BudgetForm,
    /// What is wrong with the form as a whole.
    pub trouble: Option<String>,
}

impl Page for BudgetEditPage {
    fn title(&self) -> String {
        match &self.fixed {
            Some(fixed) => format!("Change the budget {}", fixed.about),
            None => "Create a budget".to_owned(),
        }
    }

    fn section(&self) -> Option<Section> {
        Some(Section::Budgets)
    }

    fn body(&self, context: &PageContext) -> AnyView {
        let (title, trail, lead) = match &self.fixed {
            Some(fixed) => (
                "Change the budget".to_owned(),
                view! { <a href=path::budget(&fixed.id)>{fixed.about.clone()}</a> }.into_any(),
                text("Every connected data plane follows within a second."),
            ),
            None => (
                "Create a budget".to_owned(),
                nothing(),
                text("What has been spent in the current period counts from the start."),
            ),
        };
        view! {
            <nav class="trail" aria-label="Where you are"><a href=path::BUDGETS>"Budgets"</a>{trail}</nav>
            {page_head(title, lead, nothing())}
            <div class="columns form-columns">
                {self.form(context)}
                {about_modes()}
            </div>
        }
        .into_any()
    }
}

impl BudgetEditPage {
    fn form(&self, context: &PageContext) -> AnyView {
        let form = &self.form;
        let mut fields = vec![
            (&AMOUNT, &form.amount),
            (&MODE, &form.mode),
            (&POLICY, &form.policy),
        ];
        for (asks, step) in STEP_ASKS.iter().zip(&form.steps) {
            fields.extend([
                (&asks[0], &step.percent),
                (&asks[1], &step.action),
                (&asks[2], &step.detail),
            ]);
        }
        fields.extend([
            (&POSTURE, &form.posture),
            (&GRACE, &form.grace),
            (&NOTIFY, &form.notify),
        ]);
        if self.fixed.is_none() {
            let whose = [
                (&SCOPE, &form.scope),
                (&TEAM, &form.team),
                (&USER, &form.user),
                (&KEY, &form.key),
                (&PERIOD, &form.period),
                (&ZONE, &form.time_zone),
            ];
            fields.splice(0..0, whose);
        }
        let (action, button, cancel) = match &self.fixed {
            Some(fixed) => (path::edit_budget(&fixed.id), "Save", path::budget(&fixed.id)),
            None => (
                path::BUDGETS.to_owned(),
                "Create the budget",
                path::BUDGETS.to_owned(),
            ),
        };
        view! {
            <form method="post" action=action class="stack card">
                {csrf(context)}
                {summary(&fields, self.trouble.as_deref())}
                {self.whose(context)}
                {input(AMOUNT, &form.amount, &[])}
                {self.when()}
                {select(MODE, &form.mode, &modes())}
                {select(POLICY, &form.policy, &policies(true))}
                {self.steps()}
                {select(NOTIFY, &form.notify, &recipients())}
                {select(POSTURE, &form.posture, &postures())}
                {input(GRACE, &form.grace, &[])}
                <div class="form-actions">
                    <button type="submit" class="primary">{button}</button>
                    <a class="button quiet" href=cancel>"Cancel"</a>
                </div>
            </form>
        }
        .into_any()
    }

    fn whose(&self, context: &PageContext) -> AnyView {
        let form = &self.form;
        if let Some(fixed) = &self.fixed {
            return view! {
                {facts(vec![("Whose spending", text(fixed.about.clone())), ("Begins anew", text(fixed.period.clone()))])}
                <p class="field-help">"These stay: what is spent is counted by them. Create another budget for others."</p>
            }
            .into_any();
        }
        let wider = sets_wider(context);
        let scopes: Vec<_> = SCOPES
            .iter()
            .filter(|(value, _)| wider || *value == OF_MEMBER)
            .map(|(value, label)| Choice::new(*value, *label))
            .collect();
        let mut teams = vec![Choice::new("", "none")];
        teams.extend(self.teams.iter().cloned());
        let key = wider.then(|| input(KEY, &form.key, &[]));
        view! {
            {select(SCOPE, &form.scope, &scopes)}
            {select(TEAM, &form.team, &teams)}
            {input(USER, &form.user, &[])}
            {key}
        }
        .into_any()
    }

    fn when(&self) -> AnyView {
        if self.fixed.is_some() {
            return nothing();
        }
        view! {
            {select(PERIOD, &self.form.period, &periods())}
            {input(ZONE, &self.form.time_zone, &zones())}
        }
        .into_any()
    }

    fn steps(&self) -> AnyView {
        let rows = STEP_ASKS
            .iter()
            .zip(&self.form.steps)
            .map(|(asks, step)| {
                view! {
                    <div class="step">
                        {input(asks[0], &step.percent, &[])}
                        {select(asks[1], &step.action, &actions())}
                        {input(asks[2], &step.detail, &[])}
                    </div>
                }
            })
            .collect_view();
        let wrong = |step: &StepForm| {
            [&step.percent, &step.action, &step.detail]
                .iter()
                .any(|f| f.error.is_some())
        };
        let open = self.form.policy.value == "custom" || self.form.steps.iter().any(wrong);
        view! {
            <details class="steps-form" open=open>
                <summary>"Steps of my own"</summary>
                <p class="field-help">
                    "From low to high, at most one that serves nothing, and that one last. A step without a percentage is "
                    "left out. Where requests are slowed down, give the requests a minute; where only some models are "
                    "served, their names with commas between them. These count if “Steps of my own” is chosen above."
                </p>
                {rows}
            </details>
        }
        .into_any()
    }
}
