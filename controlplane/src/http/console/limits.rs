//! Limits: the list, and the forms that make, change and delete one.

use super::budget_form::{choice, whom};
use super::form::{FormData, Posted, is_about_input, pairs};
use super::teams::team_choices;
use super::visitor::Visitor;
use crate::app::limits;
use crate::store::limits::LimitQuery;
use axum::extract::{Path, RawQuery};
use axum::http::StatusCode;
use axum::response::Response;
use ccag_admin_api::{CreateLimit, LimitKindSpec, LimitView, ScopeKind, UpdateLimit, WeightsSpec};
use ccag_console::form::Field;
use ccag_console::page::{
    DeleteLimitPage, FixedLimit, LimitEditPage, LimitForm, LimitRow, LimitsPage, PAGE_SIZE, WEIGHT_NAMES,
};
use ccag_console::{Tone, path};
use ccag_domain::{Code, LimitId, Problem, TeamId};

fn id_of(text: &str) -> Result<LimitId, Problem> {
    LimitId::parse(text).map_err(|_| Problem::new(Code::NotFound, "There is no such limit."))
}

pub(super) async fn list(visitor: Visitor, RawQuery(query): RawQuery) -> Response {
    let page = gather_list(&visitor, query.as_deref()).await;
    visitor.answer(page)
}

async fn gather_list(visitor: &Visitor, query: Option<&str>) -> Result<LimitsPage, Problem> {
    let mut page = LimitsPage {
        page: 1,
        ..LimitsPage::default()
    };
    for (name, value) in pairs(query) {
        match name.as_ref() {
            "scope" => {
                let scope = ScopeKind::parse(&value).map(ScopeKind::as_str);
                page.scope = scope.unwrap_or_default().to_owned();
            }
            "kind" => {
                let kind = LimitKindSpec::parse(&value).map(LimitKindSpec::as_str);
                page.kind = kind.unwrap_or_default().to_owned();
            }
            "page" => page.page = value.parse().unwrap_or(1).clamp(1, 1_000_000),
            _ => {}
        }
    }
    let query = LimitQuery {
        scope: Some(page.scope.clone()).filter(|scope| !scope.is_empty()),
        kind: Some(page.kind.clone()).filter(|kind| !kind.is_empty()),
        offset: LimitsPage::offset(page.page),
        limit: PAGE_SIZE,
        ..LimitQuery::default()
    };
    let (app, actor) = (&visitor.state().app, visitor.actor());
    let (total, rows) = tokio::try_join!(
        limits::count(app, &actor, &query),
        limits::list(app, &actor, &query)
    )?;
    page.total = total;
    page.rows = rows.into_iter().map(row).collect();
    Ok(page)
}

fn row(view: LimitView) -> LimitRow {
    LimitRow {
        id: view.id.to_string(),
        about: view.about,
        amount: view.kind.amount(view.amount),
        models: view.models,
        in_use: view.in_use,
        limit: view.amount,
        each: matches!(view.scope, ScopeKind::EachUser | ScopeKind::EachMember),
    }
}

pub(super) async fn blank(visitor: Visitor, RawQuery(query): RawQuery) -> Response {
    let page = blank_page(&visitor, query.as_deref()).await;
    visitor.answer(page)
}

async fn blank_page(visitor: &Visitor, query: Option<&str>) -> Result<LimitEditPage, Problem> {
    let mut form = LimitForm::default();
    for (name, value) in pairs(query) {
        match name.as_ref() {
            "scope" if ScopeKind::parse(&value).is_some() => form.scope = Field::new(value),
            "team" if TeamId::parse(&value).is_ok() => form.team = Field::new(value),
            _ => {}
        }
    }
    Ok(LimitEditPage {
        // Members may not even see the form.
        teams: team_choices(visitor).await?,
        form,
        ..LimitEditPage::default()
    })
}

fn refill(form: &FormData) -> LimitForm {
    let field = |name: &str| Field::new(form.text(name));
    LimitForm {
        scope: field("scope"),
        team: field("team"),
        user: field("user"),
        key: field("key"),
        kind: field("kind"),
        amount: field("amount"),
        models: field("models"),
        weights: WEIGHT_NAMES.map(field),
    }
}

/// What both forms ask for.
struct Terms {
    amount: u64,
    models: Vec<String>,
    weights: Option<WeightsSpec>,
}

/// Reads a whole number; people like to group digits.
fn whole(field: &mut Field) -> Option<u64> {
    let digits: String = field
        .value
        .chars()
        .filter(|c| !matches!(c, ',' | '_' | '\'' | ' '))
        .collect();
    let number = digits.parse().ok();
    if number.is_none() {
        field.error = Some("Give a whole number, such as 600.".to_owned());
    }
    number
}

fn weight(field: &mut Field) -> Result<Option<u32>, ()> {
    if field.value.is_empty() {
        return Ok(None);
    }
    let percent = field.value.trim_end_matches('%').trim().parse().ok();
    if percent.is_none() {
        field.error = Some("Give a whole number of percent, such as 100.".to_owned());
    }
    percent.map(Some).ok_or(())
}

fn read_terms(form: &mut LimitForm) -> Option<Terms> {
    let amount = whole(&mut form.amount);
    let models = form.models.value.split(',').map(str::trim);
    let models = models
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect();
    let [input, output, cache_read, cache_write] = form.weights.each_mut().map(weight);
    let weights = WeightsSpec {
        input: input.ok()?,
        output: output.ok()?,
        cache_read: cache_read.ok()?,
        cache_write: cache_write.ok()?,
    };
    Some(Terms {
        amount: amount?,
        models,
        weights: (weights != WeightsSpec::default()).then_some(weights),
    })
}

pub(super) async fn create(Posted { visitor, form }: Posted) -> Response {
    let mut filled = refill(&form);
    let scope = choice(&mut filled.scope, ScopeKind::parse);
    let kind = choice(&mut filled.kind, LimitKindSpec::parse);
    let terms = read_terms(&mut filled);
    let (Some(scope), Some(kind), Some(terms)) = (scope, kind, terms) else {
        return create_again(visitor, filled, None).await;
    };
    let ids = whom(&visitor, scope, [&filled.team, &filled.user, &filled.key]).await;
    let made = match ids {
        Ok((team_id, user_id, key_id)) => {
            let request = CreateLimit {
                scope,
                team_id,
                user_id,
                key_id,
                kind,
                amount: terms.amount,
                models: terms.models,
                weights: terms.weights,
            };
            limits::create(&visitor.state().app, &visitor.actor(), request).await
        }
        Err(problem) => Err(problem),
    };
    match made {
        Ok(_) => visitor.go_saying(
            path::LIMITS,
            Tone::Good,
            "The limit is there. Every connected data plane follows within a second.",
        ),
        Err(problem) => create_again(visitor, filled, Some(problem)).await,
    }
}

async fn create_again(visitor: Visitor, form: LimitForm, problem: Option<Problem>) -> Response {
    match team_choices(&visitor).await {
        Ok(teams) => {
            let page = LimitEditPage {
                teams,
                form,
                ..LimitEditPage::default()
            };
            again(visitor, page, problem)
        }
        Err(problem) => visitor.refuse(problem),
    }
}

/// The form once more, with what was entered and what is wrong with it.
fn again(visitor: Visitor, mut page: LimitEditPage, problem: Option<Problem>) -> Response {
    match problem {
        Some(problem) if !is_about_input(&problem) => return visitor.refuse(problem),
        Some(problem) => match problem
            .field
            .as_deref()
            .and_then(|name| page.form.field_mut(name))
        {
            Some(field) => field.error = Some(problem.message),
            None => page.trouble = Some(problem.message),
        },
        None => {}
    }
    visitor.show(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

pub(super) async fn edit(visitor: Visitor, Path(id): Path<String>) -> Response {
    let page = edit_page(&visitor, &id).await;
    visitor.answer(page)
}

async fn edit_page(visitor: &Visitor, id: &str) -> Result<LimitEditPage, Problem> {
    let view = limits::find(&visitor.state().app, &visitor.actor(), &id_of(id)?).await?;
    let weights = view.weights.unwrap_or_default();
    let weights = [
        weights.input,
        weights.output,
        weights.cache_read,
        weights.cache_write,
    ];
    Ok(LimitEditPage {
        fixed: Some(fixed(&view)),
        form: LimitForm {
            amount: Field::new(view.amount.to_string()),
            models: Field::new(view.models.join(", ")),
            weights: weights
                .map(|percent| Field::new(percent.map(|percent| percent.to_string()).unwrap_or_default())),
            ..LimitForm::default()
        },
        ..LimitEditPage::default()
    })
}

fn fixed(view: &LimitView) -> FixedLimit {
    FixedLimit {
        id: view.id.to_string(),
        about: view.about.clone(),
        kind: view.kind.as_str().replace('_', " "),
        has_weights: view.kind == LimitKindSpec::TokensPerMinute,
    }
}

pub(super) async fn update(Path(id): Path<String>, Posted { visitor, form }: Posted) -> Response {
    let found = async {
        let id = id_of(&id)?;
        limits::find(&visitor.state().app, &visitor.actor(), &id).await
    };
    let view = match found.await {
        Ok(view) => view,
        Err(problem) => return visitor.refuse(problem),
    };
    let mut filled = refill(&form);
    let terms = read_terms(&mut filled);
    let page = |form| LimitEditPage {
        fixed: Some(fixed(&view)),
        form,
        ..LimitEditPage::default()
    };
    let Some(terms) = terms else {
        return again(visitor, page(filled), None);
    };
    let request = UpdateLimit {
        amount: Some(terms.amount),
        models: Some(terms.models),
        weights: terms.weights,
    };
    match limits::update(&visitor.state().app, &visitor.actor(), &view.id, request).await {
        Ok(_) => visitor.go_saying(path::LIMITS, Tone::Good, "The limit is changed."),
        Err(problem) => again(visitor, page(filled), Some(problem)),
    }
}

pub(super) async fn ask_delete(visitor: Visitor, Path(id): Path<String>) -> Response {
    let page = async {
        let view = limits::find(&visitor.state().app, &visitor.actor(), &id_of(&id)?).await?;
        Ok(DeleteLimitPage {
            id: view.id.to_string(),
            about: view.about,
            amount: view.kind.amount(view.amount),
        })
    };
    let page = page.await;
    visitor.answer(page)
}

pub(super) async fn delete(Path(id): Path<String>, Posted { visitor, .. }: Posted) -> Response {
    let deleted = async {
        let id = id_of(&id)?;
        limits::delete(&visitor.state().app, &visitor.actor(), &id).await
    };
    match deleted.await {
        Ok(()) => visitor.go_saying(path::LIMITS, Tone::Good, "The limit is gone."),
        Err(problem) => visitor.refuse(problem),
    }
}
