//! Budgets: the list, one of them, and its raises.

use super::budget_words::{account, action_word, posture_words, recipients_words, step_words};
use super::form::{Posted, is_about_input, pairs};
use super::visitor::Visitor;
use crate::app::budgets;
use crate::store::budgets::BudgetQuery;
use axum::extract::{Path, RawQuery};
use axum::http::StatusCode;
use axum::response::Response;
use ccag_admin_api::{BudgetView, CreateRaise, RaiseState, ScopeKind, Timestamp, Usd};
use ccag_console::form::Field;
use ccag_console::format::exact_usd;
use ccag_console::page::{
    BudgetPage, BudgetRow, BudgetsPage, DeleteBudgetPage, PAGE_SIZE, RaiseForm, RaiseRow, ReachedRow, StepRow,
};
use ccag_console::{Tone, path};
use ccag_domain::{BudgetId, Code, Period, Problem, UserId};

fn no_budget() -> Problem {
    Problem::new(Code::NotFound, "There is no such budget.")
}

pub(super) fn id_of(text: &str) -> Result<BudgetId, Problem> {
    BudgetId::parse(text).map_err(|_| no_budget())
}

/// How much and how often, in words.
pub(super) fn terms(amount: Usd, period: Period) -> String {
    let often = match period {
        Period::Daily => "a day",
        Period::Weekly => "a week",
        Period::Monthly => "a month",
        Period::Total => "in all",
    };
    format!("{} {often}", exact_usd(amount.0))
}

pub(super) async fn list(visitor: Visitor, RawQuery(query): RawQuery) -> Response {
    let page = gather_list(&visitor, query.as_deref()).await;
    visitor.answer(page)
}

async fn gather_list(visitor: &Visitor, query: Option<&str>) -> Result<BudgetsPage, Problem> {
    let mut page = BudgetsPage {
        page: 1,
        ..BudgetsPage::default()
    };
    for (name, value) in pairs(query) {
        match name.as_ref() {
            "q" => page.search = value.trim().chars().take(100).collect(),
            "scope" => {
                let scope = ScopeKind::parse(&value).map(ScopeKind::as_str);
                page.scope = scope.unwrap_or_default().to_owned();
            }
            "page" => page.page = value.parse().unwrap_or(1).clamp(1, 1_000_000),
            _ => {}
        }
    }
    let query = BudgetQuery {
        scope: Some(page.scope.clone()).filter(|scope| !scope.is_empty()),
        search: Some(page.search.clone()).filter(|text| !text.is_empty()),
        offset: BudgetsPage::offset(page.page),
        limit: PAGE_SIZE,
        ..BudgetQuery::default()
    };
    let (app, actor) = (&visitor.state().app, visitor.actor());
    let (total, rows) = tokio::try_join!(
        budgets::count(app, &actor, &query),
        budgets::list(app, &actor, &query)
    )?;
    page.total = total;
    page.rows = rows.into_iter().map(row).collect();
    Ok(page)
}

fn row(view: BudgetView) -> BudgetRow {
    BudgetRow {
        account: view.current.map(|current| account(current, &view.time_zone)),
        id: view.id.to_string(),
        about: view.about,
        amount: view.amount_usd.0,
        period: view.period,
        mode: view.mode,
        accounts: view.accounts,
    }
}

pub(super) async fn show(visitor: Visitor, Path(id): Path<String>, RawQuery(query): RawQuery) -> Response {
    let asked = pairs(query.as_deref())
        .into_iter()
        .find(|(name, _)| name == "page")
        .and_then(|(_, value)| value.parse().ok());
    let page = gather(&visitor, &id, asked.unwrap_or(1)).await;
    visitor.answer(page)
}

async fn gather(visitor: &Visitor, id: &str, page: u64) -> Result<BudgetPage, Problem> {
    let (app, actor) = (&visitor.state().app, visitor.actor());
    let id = id_of(id)?;
    let page = page.clamp(1, 1_000_000);
    let events = async {
        let (events, _) = budgets::events(app, &actor, &id, None, budgets::RECENT).await?;
        let users: Vec<UserId> = events.iter().filter_map(|event| event.user_id.clone()).collect();
        let names = crate::app::names::users(app, &users).await?;
        Ok((events, names))
    };
    let (view, (accounts, total), (events, names)) = tokio::try_join!(
        budgets::find(app, &actor, &id),
        budgets::accounts(app, &actor, &id, BudgetsPage::offset(page), PAGE_SIZE),
        events
    )?;
    let changeable = budgets::may_change(&actor, &view);
    let each = view.accounts.is_some();
    let accounts = if each { accounts } else { Vec::new() };
    let limit = view
        .current
        .as_ref()
        .filter(|_| !each)
        .map_or(view.amount_usd, |a| a.limit_usd);
    let spent = view.current.as_ref().filter(|_| !each).map(|a| a.spent_usd.0);
    let steps = view.rules.iter().map(|rule| {
        let at = ccag_domain::budget::share(limit.0, rule.at_percent);
        StepRow {
            at_percent: rule.at_percent,
            at,
            what: step_words(rule),
            reached: spent.map(|spent| spent >= at),
        }
    });
    Ok(BudgetPage {
        changeable,
        id: view.id.to_string(),
        about: view.about.clone(),
        amount: view.amount_usd.0,
        period: view.period,
        time_zone: view.time_zone.clone(),
        mode: view.mode,
        policy: view.policy.clone(),
        steps: steps.collect(),
        posture: posture_words(view.posture, view.grace_usd),
        notify: recipients_words(view.notify_recipients).to_owned(),
        accounts: accounts
            .into_iter()
            .map(|a| account(a, &view.time_zone))
            .collect(),
        total,
        page,
        raises: raises(&view),
        reached: events
            .into_iter()
            .map(|event| ReachedRow {
                at_ms: event.at.ms(),
                at_percent: event.at_percent,
                action: action_word(&event.action).to_owned(),
                spent: event.spent_usd.0,
                limit: event.limit_usd.0,
                user: event
                    .user_id
                    .map(|id| names.get(id.as_str()).cloned().unwrap_or_else(|| id.to_string())),
            })
            .collect(),
        created_at_ms: view.created_at.ms(),
        account: view
            .current
            .filter(|_| !each)
            .map(|a| account(a, &view.time_zone)),
        form: RaiseForm::default(),
        trouble: None,
    })
}

fn raises(view: &BudgetView) -> Vec<RaiseRow> {
    view.raises
        .iter()
        .map(|raise| RaiseRow {
            id: raise.id.clone(),
            amount: raise.amount_usd.0,
            from_ms: raise.from.ms(),
            until_ms: raise.until.ms(),
            reason: raise.reason.clone(),
            active: raise.state == RaiseState::Active,
        })
        .collect()
}

/// Reads an amount; says in the field what is wrong with it.
pub(super) fn amount(field: &mut Field) -> Option<Usd> {
    match field.value.parse::<Usd>() {
        Ok(amount) => Some(amount),
        Err(_) => {
            field.error =
                Some("Write dollars as a plain decimal with a point, such as 250 or 0.50.".to_owned());
            None
        }
    }
}

/// Reads what a browser sends of a moment: UTC without a zone, or RFC 3339.
fn moment(text: &str) -> Option<Timestamp> {
    text.parse()
        .or_else(|_| format!("{text}:00Z").parse())
        .or_else(|_| format!("{text}Z").parse())
        .ok()
}

pub(super) async fn raise(Path(id): Path<String>, Posted { visitor, form }: Posted) -> Response {
    let mut filled = RaiseForm {
        amount: Field::new(form.text("amount")),
        until: Field::new(form.text("until")),
        reason: Field::new(form.text("reason")),
    };
    let amount_usd = amount(&mut filled.amount);
    let until = moment(&filled.until.value);
    if until.is_none() {
        filled.until.error = Some("Give a date and a time, such as 2026-12-01T18:00.".to_owned());
    }
    if filled.reason.value.is_empty() {
        filled.reason.error = Some("Say why, for those who come after.".to_owned());
    }
    let (Some(amount_usd), Some(until), true) = (amount_usd, until, filled.reason.error.is_none()) else {
        return raise_again(visitor, &id, filled, None).await;
    };
    let request = CreateRaise {
        amount_usd,
        until,
        reason: filled.reason.value.clone(),
    };
    let raised = match id_of(&id) {
        Ok(id) => budgets::raise(&visitor.state().app, &visitor.actor(), &id, request).await,
        Err(problem) => Err(problem),
    };
    match raised {
        Ok(_) => {
            let message = format!(
                "Raised by {} until {} UTC. Every connected data plane follows within a second.",
                exact_usd(amount_usd.0),
                until.to_the_minute()
            );
            visitor.go_saying(&path::budget(&id), Tone::Good, &message)
        }
        Err(problem) if is_about_input(&problem) => {
            let place = match problem.field.as_deref() {
                Some("amount_usd") => &mut filled.amount,
                Some("until") => &mut filled.until,
                Some("reason") => &mut filled.reason,
                _ => return raise_again(visitor, &id, filled, Some(problem.message)).await,
            };
            place.error = Some(problem.message);
            raise_again(visitor, &id, filled, None).await
        }
        Err(problem) => visitor.refuse(problem),
    }
}

/// The budget with the form for a raise once more, with what was entered and what is wrong with it.
async fn raise_again(visitor: Visitor, id: &str, form: RaiseForm, trouble: Option<String>) -> Response {
    match gather(&visitor, id, 1).await {
        Ok(page) => visitor.show(
            StatusCode::UNPROCESSABLE_ENTITY,
            &BudgetPage {
                form,
                trouble,
                ..page
            },
        ),
        Err(problem) => visitor.refuse(problem),
    }
}

pub(super) async fn withdraw(
    Path((id, raise)): Path<(String, String)>,
    Posted { visitor, .. }: Posted,
) -> Response {
    let done = match id_of(&id) {
        Ok(id) => budgets::withdraw(&visitor.state().app, &visitor.actor(), &id, &raise).await,
        Err(problem) => Err(problem),
    };
    let back = path::budget(&id);
    match done {
        Ok(_) => visitor.go_saying(&back, Tone::Good, "The raise has ended."),
        Err(problem) if is_about_input(&problem) => visitor.go_saying(&back, Tone::Bad, &problem.message),
        Err(problem) => visitor.refuse(problem),
    }
}

pub(super) async fn ask_delete(visitor: Visitor, Path(id): Path<String>) -> Response {
    let found = match id_of(&id) {
        Ok(id) => budgets::find_to_change(&visitor.state().app, &visitor.actor(), &id).await,
        Err(problem) => Err(problem),
    };
    visitor.answer(found.map(|view| {
        DeleteBudgetPage {
            id: view.id.to_string(),
            amount: terms(view.amount_usd, view.period),
            blocks_now: view
                .current
                .is_some_and(|a| a.status == ccag_admin_api::BudgetState::Blocked),
            about: view.about,
        }
    }))
}

pub(super) async fn delete(Path(id): Path<String>, Posted { visitor, .. }: Posted) -> Response {
    let gone = match id_of(&id) {
        Ok(id) => budgets::delete(&visitor.state().app, &visitor.actor(), &id).await,
        Err(problem) => Err(problem),
    };
    match gone {
        Ok(()) => visitor.go_saying(path::BUDGETS, Tone::Good, "The budget is deleted."),
        Err(problem) => visitor.refuse(problem),
    }
}
