//! How much a team may spend together, and how much each of its members.

use super::budget_form::choice;
use super::budget_words::account;
use super::budgets::{amount, terms};
use super::form::{Posted, is_about_input};
use super::visitor::Visitor;
use crate::app::{budgets, teams};
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use ccag_admin_api::{PolicySpec, Recipients, SetTeamBudget, Usd};
use ccag_console::form::Field;
use ccag_console::page::{TeamBudgetForm, TeamBudgetPage};
use ccag_console::{Tone, path};
use ccag_domain::{BudgetMode, Code, Period, Problem, TeamId};

pub(super) async fn show(visitor: Visitor, Path(id): Path<String>) -> Response {
    let page = gather(&visitor, &id).await;
    visitor.answer(page)
}

async fn gather(visitor: &Visitor, id: &str) -> Result<TeamBudgetPage, Problem> {
    let (app, actor) = (&visitor.state().app, visitor.actor());
    let id = TeamId::parse(id).map_err(|_| Problem::new(Code::NotFound, "There is no such team."))?;
    let (team, found) = tokio::try_join!(
        teams::find(app, &actor, &id),
        budgets::team_budget(app, &actor, &id)
    )?;
    let text = |amount: Option<Usd>| Field::new(amount.map(|a| a.to_string()).unwrap_or_default());
    let custom = matches!(found.budget_policy, Some(PolicySpec::Rules(_)));
    let policy = match &found.budget_policy {
        Some(PolicySpec::Preset(name)) => name.clone(),
        Some(PolicySpec::Rules(_)) => "custom".to_owned(),
        None => "standard".to_owned(),
    };
    let form = TeamBudgetForm {
        amount: text(found.budget_amount_usd),
        each: text(found.default_user_budget_usd),
        period: Field::new(found.budget_period.as_str()),
        time_zone: Field::new(found.time_zone),
        mode: Field::new(found.mode.as_str()),
        policy: Field::new(policy),
        notify: Field::new(found.notify_recipients.as_str()),
    };
    Ok(TeamBudgetPage {
        team_id: team.id.to_string(),
        team: team.name,
        pooled: found.budget.and_then(|view| {
            let current = account(view.current?, &view.time_zone);
            Some((view.id.to_string(), current))
        }),
        each: found
            .member_budget
            .map(|view| (view.id.to_string(), view.accounts.unwrap_or(0))),
        custom,
        form,
        trouble: None,
    })
}

pub(super) async fn submit(Path(id): Path<String>, Posted { visitor, form }: Posted) -> Response {
    let (app, actor) = (&visitor.state().app, visitor.actor());
    let mut page = match gather(&visitor, &id).await {
        Ok(page) => page,
        Err(problem) => return visitor.refuse(problem),
    };
    let field = |name: &str| Field::new(form.text(name));
    page.form = TeamBudgetForm {
        amount: field("amount"),
        each: field("each"),
        period: field("period"),
        time_zone: field("time_zone"),
        mode: field("mode"),
        policy: field("policy"),
        notify: field("notify"),
    };
    let (Ok(team), Some(request)) = (TeamId::parse(&id), read(&mut page.form)) else {
        return visitor.show(StatusCode::UNPROCESSABLE_ENTITY, &page);
    };
    let result = match kept_rules(&visitor, &team, request).await {
        Ok(request) => budgets::set_team(app, &actor, &team, request).await,
        Err(problem) => Err(problem),
    };
    match result {
        Ok(view) => {
            let message = match (&view.budget, &view.member_budget) {
                (None, None) => "The team has no budget, and neither has each of its members.".to_owned(),
                (Some(view), _) | (None, Some(view)) => format!(
                    "Saved: {} for {}. Every connected data plane follows within a second.",
                    terms(view.amount_usd, view.period),
                    view.about
                ),
            };
            visitor.go_saying(&path::team_budget(&id), Tone::Good, &message)
        }
        Err(problem) if is_about_input(&problem) => {
            match problem
                .field
                .as_deref()
                .and_then(|name| page.form.field_mut(name))
            {
                Some(field) => field.error = Some(problem.message),
                None => page.trouble = Some(problem.message),
            }
            visitor.show(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
        Err(problem) => visitor.refuse(problem),
    }
}

fn read(form: &mut TeamBudgetForm) -> Option<SetTeamBudget> {
    let optional = |field: &mut Field| match field.value.as_str() {
        "" => Some(None),
        _ => amount(field).map(Some),
    };
    let pooled = optional(&mut form.amount);
    let each = optional(&mut form.each);
    let period = choice(&mut form.period, Period::parse);
    let mode = choice(&mut form.mode, BudgetMode::parse);
    let notify = choice(&mut form.notify, Recipients::parse);
    Some(SetTeamBudget {
        budget_amount_usd: pooled?,
        default_user_budget_usd: each?,
        budget_period: Some(period?),
        budget_policy: Some(PolicySpec::Preset(form.policy.value.clone())),
        notify_recipients: Some(notify?),
        mode: Some(mode?),
        time_zone: Some(form.time_zone.value.clone()),
    })
}

/// The form cannot show rules that are of no preset: where they are to stay, they are taken from what is stored.
async fn kept_rules(
    visitor: &Visitor,
    team: &TeamId,
    mut request: SetTeamBudget,
) -> Result<SetTeamBudget, Problem> {
    if request.budget_policy == Some(PolicySpec::Preset("custom".to_owned())) {
        let stored = budgets::team_budget(&visitor.state().app, &visitor.actor(), team).await?;
        request.budget_policy = stored.budget_policy;
    }
    Ok(request)
}
