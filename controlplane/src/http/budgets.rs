//! `/admin/budgets`, and budgets as the existing gateway has them.

use super::auth::SignedIn;
use super::extract::{Id, Json, Params};
use super::{HttpState, Refusal, page};
use crate::app::budgets;
use crate::store::budgets::{BudgetQuery, EventPosition};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use ccag_admin_api::{
    BudgetAccountList, BudgetEventList, BudgetList, BudgetStatusQuery, BudgetStatusView, BudgetView,
    CreateBudget, CreateRaise, DefaultBudgetView, ListAccounts, ListBudgetEvents, ListBudgets,
    SetDefaultBudget, SetSpendLimit, SetTeamBudget, SpendLimitView, TeamBudgetView, UpdateBudget,
};
use ccag_domain::{BudgetId, Code, Problem, TeamId, UserId};

type Answer<T> = Result<axum::Json<T>, Refusal>;

pub(super) async fn create(
    who: SignedIn,
    State(state): State<HttpState>,
    Json(request): Json<CreateBudget>,
) -> Result<(StatusCode, axum::Json<BudgetView>), Refusal> {
    let budget = budgets::create(&state.app, &who.actor(), request).await?;
    Ok((StatusCode::CREATED, axum::Json(budget)))
}

pub(super) async fn list(
    who: SignedIn,
    State(state): State<HttpState>,
    Params(query): Params<ListBudgets>,
) -> Answer<BudgetList> {
    let limit = page::limit(query.limit)?;
    let filter = BudgetQuery {
        scope: query.scope.map(|scope| scope.as_str().to_owned()),
        team_id: query.team_id.map(Into::into),
        user_id: query.user_id.map(Into::into),
        key_id: query.key_id.map(Into::into),
        search: query.search,
        after: query.cursor.as_deref().map(position).transpose()?,
        offset: 0,
        limit: limit as u64 + 1,
    };
    let mut budgets = budgets::list(&state.app, &who.actor(), &filter).await?;
    let next_cursor = page::cut(&mut budgets, limit, |budget| {
        format!("{} {}", budgets::position(budget), budget.id)
    });
    Ok(axum::Json(BudgetList { budgets, next_cursor }))
}

/// Where a page of budgets or limits ends.
pub(super) fn position(cursor: &str) -> Result<(String, String), Problem> {
    let text = page::position(cursor)?;
    match text.split_once(' ') {
        Some((scope, id)) => Ok((scope.to_owned(), id.to_owned())),
        None => Err(not_ours()),
    }
}

fn not_ours() -> Problem {
    Problem::new(
        Code::InvalidRequest,
        "This cursor is of another list: take `next_cursor` of the page before, or leave it out.",
    )
    .field("cursor")
}

pub(super) async fn show(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<BudgetId>,
) -> Answer<BudgetView> {
    Ok(axum::Json(budgets::find(&state.app, &who.actor(), &id).await?))
}

pub(super) async fn update(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<BudgetId>,
    Json(request): Json<UpdateBudget>,
) -> Answer<BudgetView> {
    let budget = budgets::update(&state.app, &who.actor(), &id, request).await?;
    Ok(axum::Json(budget))
}

pub(super) async fn remove(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<BudgetId>,
) -> Result<StatusCode, Refusal> {
    budgets::delete(&state.app, &who.actor(), &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn accounts(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<BudgetId>,
    Params(query): Params<ListAccounts>,
) -> Answer<BudgetAccountList> {
    let limit = page::limit(query.limit)? as u64;
    let offset = match query.cursor.as_deref() {
        None => 0,
        Some(cursor) => page::position(cursor)?.parse().map_err(|_| not_ours())?,
    };
    let (accounts, total) = budgets::accounts(&state.app, &who.actor(), &id, offset, limit).await?;
    let next = offset.saturating_add(limit);
    let next_cursor = (next < total).then(|| page::cursor(&next.to_string()));
    Ok(axum::Json(BudgetAccountList {
        accounts,
        next_cursor,
    }))
}

pub(super) async fn events(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<BudgetId>,
    Params(query): Params<ListBudgetEvents>,
) -> Answer<BudgetEventList> {
    let limit = page::limit(query.limit)?;
    let after = query.cursor.as_deref().map(after_event).transpose()?;
    let (events, end) = budgets::events(&state.app, &who.actor(), &id, after.as_ref(), limit).await?;
    let next_cursor =
        end.map(|end| page::cursor(&format!("{} {} {}", end.at_ms, end.at_percent, end.account_id)));
    Ok(axum::Json(BudgetEventList { events, next_cursor }))
}

/// The step that a cursor stands for.
fn after_event(cursor: &str) -> Result<EventPosition, Problem> {
    let position = page::position(cursor)?;
    let mut parts = position.splitn(3, ' ');
    let mut read = || {
        Some(EventPosition {
            at_ms: parts.next()?.parse().ok()?,
            at_percent: parts.next()?.parse().ok()?,
            account_id: parts.next()?.to_owned(),
        })
    };
    read().ok_or_else(not_ours)
}

pub(super) async fn raise(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<BudgetId>,
    Json(request): Json<CreateRaise>,
) -> Result<(StatusCode, axum::Json<BudgetView>), Refusal> {
    let budget = budgets::raise(&state.app, &who.actor(), &id, request).await?;
    Ok((StatusCode::CREATED, axum::Json(budget)))
}

pub(super) async fn withdraw(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<BudgetId>,
    Path((_, raise)): Path<(String, String)>,
) -> Answer<BudgetView> {
    let budget = budgets::withdraw(&state.app, &who.actor(), &id, &raise).await?;
    Ok(axum::Json(budget))
}

pub(super) async fn status(
    who: SignedIn,
    State(state): State<HttpState>,
    Params(query): Params<BudgetStatusQuery>,
) -> Answer<BudgetStatusView> {
    Ok(axum::Json(
        budgets::status(&state.app, &who.actor(), &query).await?,
    ))
}

pub(super) async fn of_team(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<TeamId>,
) -> Answer<TeamBudgetView> {
    Ok(axum::Json(
        budgets::team_budget(&state.app, &who.actor(), &id).await?,
    ))
}

pub(super) async fn set_team(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<TeamId>,
    Json(request): Json<SetTeamBudget>,
) -> Answer<TeamBudgetView> {
    let team = budgets::set_team(&state.app, &who.actor(), &id, request).await?;
    Ok(axum::Json(team))
}

pub(super) async fn clear_team(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<TeamId>,
) -> Result<StatusCode, Refusal> {
    budgets::clear_team(&state.app, &who.actor(), &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn default(who: SignedIn, State(state): State<HttpState>) -> Answer<DefaultBudgetView> {
    Ok(axum::Json(
        budgets::default_budget(&state.app, &who.actor()).await?,
    ))
}

pub(super) async fn set_default(
    who: SignedIn,
    State(state): State<HttpState>,
    Json(request): Json<SetDefaultBudget>,
) -> Answer<DefaultBudgetView> {
    let budget = budgets::set_default_budget(&state.app, &who.actor(), request).await?;
    Ok(axum::Json(budget))
}

pub(super) async fn of_user(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<UserId>,
) -> Answer<SpendLimitView> {
    Ok(axum::Json(
        budgets::spend_limit(&state.app, &who.actor(), &id).await?,
    ))
}

pub(super) async fn set_user(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<UserId>,
    Json(request): Json<SetSpendLimit>,
) -> Answer<SpendLimitView> {
    let limit = budgets::set_spend_limit(&state.app, &who.actor(), &id, request).await?;
    Ok(axum::Json(limit))
}
