//! A budget that is tried out on the last days.

use super::budget_form::{choice, whom};
use super::budget_words::action_word;
use super::budgets::amount;
use super::form::{is_about_input, pairs};
use super::teams::team_choices;
use super::visitor::Visitor;
use crate::app::analytics;
use axum::extract::RawQuery;
use axum::response::Response;
use ccag_admin_api::{RuleAction, ScopeKind, WhatIf, WhatIfQuery};
use ccag_console::form::Field;
use ccag_console::page::{BudgetForm, Replay, ReplayPeriod, ReplaySubject, WhatIfPage};
use ccag_domain::{Area, Code, Period, Permission, Problem, Reach};

pub(super) async fn show(visitor: Visitor, RawQuery(query): RawQuery) -> Response {
    let page = Box::pin(gather(&visitor, query.as_deref())).await;
    visitor.answer(page)
}

async fn gather(visitor: &Visitor, query: Option<&str>) -> Result<WhatIfPage, Problem> {
    let reach = visitor.actor().reach(Permission::Read(Area::Usage));
    let wider = reach == Reach::Everything;
    let mut page = WhatIfPage {
        days: Field::new("30"),
        allowed: reach > Reach::Own,
        wider,
        ..WhatIfPage::default()
    };
    if !page.allowed {
        return Ok(page);
    }
    if !wider {
        page.form.scope = Field::new(ScopeKind::EachMember.as_str());
        let team = visitor.actor().team_id().map(ToString::to_string);
        page.form.team = Field::new(team.unwrap_or_default());
    }
    let asked = fill(&mut page, query);
    page.teams = team_choices(visitor).await?;
    if !asked {
        return Ok(page);
    }
    match replay(visitor, &mut page.form, &mut page.days).await {
        Ok(found) => page.found = found.map(shown),
        Err(problem) if is_about_input(&problem) => {
            let field = match problem.field.as_deref() {
                Some("days") => Some(&mut page.days),
                Some(name) => page.form.field_mut(name),
                None => None,
            };
            match field {
                Some(field) => field.error = Some(problem.message),
                None => page.trouble = Some(problem.message),
            }
        }
        Err(problem) => return Err(problem),
    }
    Ok(page)
}

/// Fills the form in from the address; says whether an answer is asked for.
fn fill(page: &mut WhatIfPage, query: Option<&str>) -> bool {
    let mut asked = false;
    for (name, value) in pairs(query) {
        let BudgetForm {
            scope,
            team,
            user,
            key,
            amount,
            period,
            time_zone,
            policy,
            ..
        } = &mut page.form;
        let field = match name.as_ref() {
            "scope" => scope,
            "team" => team,
            "user" => user,
            "key" => key,
            "amount" => {
                asked = true;
                amount
            }
            "period" => period,
            "time_zone" => time_zone,
            "policy" => policy,
            "days" => &mut page.days,
            _ => continue,
        };
        *field = Field::new(value.trim().chars().take(200).collect::<String>());
    }
    asked
}

/// Asks for the replay; `None` if a field is wrong, which then says so.
async fn replay(
    visitor: &Visitor,
    form: &mut BudgetForm,
    days: &mut Field,
) -> Result<Option<WhatIf>, Problem> {
    let scope = choice(&mut form.scope, ScopeKind::parse);
    let period = choice(&mut form.period, Period::parse);
    let amount_usd = amount(&mut form.amount);
    let count = days.value.parse().ok();
    if count.is_none() {
        days.error = Some("Give a whole number of days, 1 to 62.".to_owned());
    }
    let (Some(scope), Some(period), Some(amount_usd), Some(count)) = (scope, period, amount_usd, count)
    else {
        return Ok(None);
    };
    let (team_id, user_id, key_id) = whom(visitor, scope, [&form.team, &form.user, &form.key]).await?;
    let query = WhatIfQuery {
        scope,
        team_id,
        user_id,
        key_id,
        amount_usd: amount_usd.to_string(),
        period: Some(period),
        time_zone: Some(form.time_zone.value.clone()).filter(|zone| !zone.is_empty()),
        policy: Some(form.policy.value.clone()),
        days: Some(count),
    };
    let found = analytics::what_if(&visitor.state().app, &visitor.actor(), &query).await;
    match found {
        Ok(found) => Ok(Some(found)),
        Err(problem) if problem.code == Code::Forbidden => {
            Err(Problem::new(Code::InvalidRequest, problem.message).field("scope"))
        }
        Err(problem) => Err(problem),
    }
}

fn name_of(action: RuleAction) -> &'static str {
    match action {
        RuleAction::Notify => "notify",
        RuleAction::Throttle => "throttle",
        RuleAction::Restrict => "restrict",
        RuleAction::Block => "block",
    }
}

fn shown(found: WhatIf) -> Replay {
    let period = |period: &ccag_admin_api::WhatIfPeriod| ReplayPeriod {
        start: period.start.ms(),
        spent: period.spent_usd.0,
        over: period.over_usd.0,
        refused: period.refused_requests,
        first: period.first_blocked_at.map(|at| at.ms()),
    };
    Replay {
        spent: found.spent_usd.0,
        over: found.over_usd.0,
        refused: found.refused_requests,
        steps: found
            .steps
            .iter()
            .map(|step| {
                let what = action_word(name_of(step.action)).to_owned();
                (step.at_percent, what, step.times)
            })
            .collect(),
        periods: found.periods.iter().map(period).collect(),
        refused_subjects: found.refused_subjects,
        subjects: found
            .subjects
            .into_iter()
            .map(|one| ReplaySubject {
                name: one.name.unwrap_or(one.id),
                spent: one.spent_usd.0,
                over: one.over_usd.0,
                refused: one.refused_requests,
            })
            .collect(),
    }
}
