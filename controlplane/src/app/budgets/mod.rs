//! Budgets: how much may be spent, by whom, until when, and what is.

mod authority;
pub(super) mod check;
mod classic;
mod status;
pub(super) mod view;

pub(crate) use classic::of_teams;
pub use classic::{
    clear_team, default_budget, set_default_budget, set_spend_limit, set_team, spend_limit, team_budget,
};
pub(crate) use status::{bounds_of_self, standings};
pub use status::{status, status_of_user};

use super::{App, Changed, not_found, validate};
use crate::store::budgets::{BudgetQuery, EventPosition, budget, budget_row, scope_key};
use crate::store::entity::budget as entity;
use crate::store::{StoreError, Tx};
use ccag_admin_api::{
    BudgetAccount, BudgetEventView, BudgetView, CreateBudget, CreateRaise, Recipients, ScopeKind,
    UpdateBudget,
};
use ccag_domain::authority::refusal;
use ccag_domain::time::DAY_MS;
use ccag_domain::{
    Actor, Area, Budget, BudgetId, BudgetScope, Code, NanoUsd, ObjectKind, Period, Permission, Posture,
    Problem, Raise, Target, UnixMs,
};
use check::invalid;
use serde_json::json;

/// For how long a raise that has ended is still shown, in milliseconds.
const RAISES_KEPT_MS: i64 = 90 * DAY_MS;

/// The most raises that a budget can have, with those that have ended lately.
const MAX_RAISES: usize = 100;

/// How many steps that were reached are shown.
pub(crate) const RECENT: usize = 50;

/// Makes a budget. What the ledger has of its period counts at once.
///
/// # Errors
/// [`Code::InvalidRequest`] names the field that is wrong; [`Code::Conflict`] if there is one with the same scope and period.
pub async fn create(app: &App, actor: &Actor, request: CreateBudget) -> Result<BudgetView, Problem> {
    actor.require_some(Permission::Change(Area::Budgets))?;
    let ids = (request.team_id, request.user_id, request.key_id);
    let scope = check::scope_of("budget", request.scope, ids)?;
    let notify = request.notify_recipients.unwrap_or_default();
    let new = Budget {
        id: BudgetId::generate(&*app.clock, &*app.rng),
        scope,
        amount: check::amount("amount_usd", request.amount_usd)?,
        period: request.period.unwrap_or(Period::Monthly),
        time_zone: check::time_zone("time_zone", request.time_zone.as_deref())?,
        mode: request.mode.unwrap_or_default(),
        rules: check::policy(app, "policy", request.policy).await?,
        raises: Vec::new(),
        posture: check::posture(request.posture.unwrap_or_default(), request.grace_usd)?,
    };
    let now = app.now_ms();
    let mut tx = app.store.change().await?;
    authority::require_change(&tx, actor, &new.scope).await?;
    authority::within_team(&tx, actor, &new, now).await?;
    check::scope(&tx, &new.scope).await?;
    let row = budget_row(&new, notify.as_str(), now, now);
    insert(&mut tx, row.clone()).await?;
    let entry = app.audit(
        actor,
        "budget.create",
        ObjectKind::Budget,
        &row.id,
        Changed::created(&row),
    );
    tx.commit(now, entry).await?;
    view::one(app, row).await
}

/// Budgets by scope, one page.
///
/// # Errors
/// [`Code::Forbidden`] for members.
pub(crate) async fn list(app: &App, actor: &Actor, query: &BudgetQuery) -> Result<Vec<BudgetView>, Problem> {
    let query = authority::narrowed(actor, query)?;
    view::many(app, app.store.list_budgets(&query).await?).await
}

/// Where a budget stands in lists.
pub(crate) fn position(view: &BudgetView) -> String {
    let ids = (view.team_id.clone(), view.user_id.clone(), view.key_id.clone());
    let scope = BudgetScope::of(view.scope.as_str(), ids.0, ids.1, ids.2);
    scope.as_ref().map(scope_key).unwrap_or_default()
}

/// How many budgets there are in all pages.
///
/// # Errors
/// [`Code::Forbidden`] for members.
pub(crate) async fn count(app: &App, actor: &Actor, query: &BudgetQuery) -> Result<u64, Problem> {
    let query = authority::narrowed(actor, query)?;
    Ok(app.store.count_budgets(&query).await?)
}

/// Finds a budget.
///
/// # Errors
/// [`Code::NotFound`], [`Code::Forbidden`] for members.
pub async fn find(app: &App, actor: &Actor, id: &BudgetId) -> Result<BudgetView, Problem> {
    view::one(app, found(app, actor, id).await?).await
}

/// Whether the actor may change a budget that they see; of a member's, whether its team is theirs.
#[must_use]
pub fn may_change(actor: &Actor, view: &BudgetView) -> bool {
    let own = view.team_id.as_ref().is_some_and(|team| {
        let target = Target::Team(team.as_str());
        view.scope == ScopeKind::Member && actor.may(Permission::Change(Area::Budgets), target)
    });
    own || actor.may_all(Permission::Change(Area::WiderBudgets))
}

/// Finds a budget that the actor may change.
///
/// # Errors
/// As [`find`], and [`Code::Forbidden`] for those who may only see it.
pub async fn find_to_change(app: &App, actor: &Actor, id: &BudgetId) -> Result<BudgetView, Problem> {
    let view = find(app, actor, id).await?;
    match may_change(actor, &view) {
        true => Ok(view),
        false => Err(refusal(Permission::Change(Area::WiderBudgets))),
    }
}

/// Changes a budget: what the request does not name keeps its value.
///
/// # Errors
/// [`Code::NotFound`], or [`Code::InvalidRequest`] names the field that is wrong.
pub async fn update(
    app: &App,
    actor: &Actor,
    id: &BudgetId,
    request: UpdateBudget,
) -> Result<BudgetView, Problem> {
    actor.require_some(Permission::Change(Area::Budgets))?;
    let rules = match request.policy {
        Some(policy) => Some(check::policy(app, "policy", Some(policy)).await?),
        None => None,
    };
    let tx = app.store.change().await?;
    let (row, mut held) = held(&tx, actor, id).await?;
    if let Some(amount) = request.amount_usd {
        held.amount = check::amount("amount_usd", amount)?;
    }
    held.mode = request.mode.unwrap_or(held.mode);
    held.rules = rules.unwrap_or(held.rules);
    let (kind, grace) = view::posture(held.posture);
    held.posture = match (request.posture, request.grace_usd) {
        (None, None) => held.posture,
        (None, grace) => check::posture(kind, grace)?,
        (Some(new), None) if new == kind => check::posture(new, grace)?,
        (Some(new), grace) => check::posture(new, grace)?,
    };
    authority::within_team(&tx, actor, &held, app.now_ms()).await?;
    let notify = request.notify_recipients.unwrap_or_else(|| recipients(&row));
    let changed = Change {
        action: "budget.update",
        notify,
        raise: None,
    };
    save(app, actor, tx, row, held, changed).await
}

/// Deletes a budget. What was spent stays in the ledger.
///
/// # Errors
/// [`Code::NotFound`].
pub async fn delete(app: &App, actor: &Actor, id: &BudgetId) -> Result<(), Problem> {
    actor.require_some(Permission::Change(Area::Budgets))?;
    let mut tx = app.store.change().await?;
    let row = tx.find_budget(id.as_str()).await?;
    authority::require_row(&tx, actor, row.as_ref()).await?;
    let row = row.ok_or_else(|| not_found("budget", id.as_str()))?;
    tx.delete_budget(&row.id).await?;
    let entry = app.audit(
        actor,
        "budget.delete",
        ObjectKind::Budget,
        &row.id,
        Changed::deleted(&row),
    );
    tx.commit(app.now_ms(), entry).await?;
    Ok(())
}

/// Raises a budget from now on, for a while.
///
/// # Errors
/// [`Code::NotFound`], or [`Code::InvalidRequest`] names the field that is wrong.
pub async fn raise(
    app: &App,
    actor: &Actor,
    id: &BudgetId,
    request: CreateRaise,
) -> Result<BudgetView, Problem> {
    actor.require_some(Permission::Change(Area::Budgets))?;
    let now = app.now_ms();
    let amount = check::amount("amount_usd", request.amount_usd)?;
    if amount == NanoUsd::ZERO {
        return Err(invalid("amount_usd", "A raise is more than nothing."));
    }
    let until_ms = check::until("until", request.until.ms(), now)?;
    let reason = validate::name("reason", &request.reason)?;
    let tx = app.store.change().await?;
    let (row, mut held) = held(&tx, actor, id).await?;
    if held.raises.len() >= MAX_RAISES {
        return Err(Problem::new(
            Code::Conflict,
            "This budget has been raised a hundred times within 90 days. Change its amount instead.",
        ));
    }
    let taken = |at: UnixMs| held.raises.iter().any(|raise| raise.from_ms == at);
    let from_ms = (now..).find(|at| !taken(*at)).unwrap_or(now);
    let raise = Raise {
        amount_nano_usd: amount,
        from_ms,
        until_ms,
        reason,
    };
    let details = json!({"id": from_ms.to_string(), "amount_nano_usd": amount, "until_ms": until_ms, "reason": raise.reason});
    held.raises.push(raise);
    authority::within_team(&tx, actor, &held, now).await?;
    let changed = Change {
        action: "budget.raise",
        notify: recipients(&row),
        raise: Some(details),
    };
    save(app, actor, tx, row, held, changed).await
}

/// Ends a raise now. It is shown as past from now on.
///
/// # Errors
/// [`Code::NotFound`], or [`Code::Conflict`] if it has ended already.
pub async fn withdraw(
    app: &App,
    actor: &Actor,
    id: &BudgetId,
    raise_id: &str,
) -> Result<BudgetView, Problem> {
    actor.require_some(Permission::Change(Area::Budgets))?;
    let now = app.now_ms();
    let tx = app.store.change().await?;
    let (row, mut held) = held(&tx, actor, id).await?;
    let raise = held
        .raises
        .iter_mut()
        .find(|raise| raise.from_ms.to_string() == raise_id)
        .ok_or_else(|| not_found("raise", raise_id))?;
    if raise.until_ms <= now {
        return Err(Problem::new(Code::Conflict, "This raise has ended already."));
    }
    raise.until_ms = now;
    let details = json!({"id": raise_id, "amount_nano_usd": raise.amount_nano_usd, "reason": raise.reason});
    let changed = Change {
        action: "budget.withdraw_raise",
        notify: recipients(&row),
        raise: Some(details),
    };
    save(app, actor, tx, row, held, changed).await
}

/// The accounts of a budget in the current period, the one that has spent most first, and how many there are.
///
/// # Errors
/// [`Code::NotFound`], [`Code::Forbidden`] for members.
pub async fn accounts(
    app: &App,
    actor: &Actor,
    id: &BudgetId,
    offset: u64,
    limit: u64,
) -> Result<(Vec<BudgetAccount>, u64), Problem> {
    let row = found(app, actor, id).await?;
    view::accounts(app, &budget(&row)?, offset, limit).await
}

/// A page of the steps of a budget that were reached, the newest first, and where it ends if there are more.
///
/// # Errors
/// [`Code::NotFound`], [`Code::Forbidden`] for members.
pub(crate) async fn events(
    app: &App,
    actor: &Actor,
    id: &BudgetId,
    after: Option<&EventPosition>,
    limit: usize,
) -> Result<(Vec<BudgetEventView>, Option<EventPosition>), Problem> {
    let row = found(app, actor, id).await?;
    let mut rows = app
        .store
        .list_events_of_budget(&row.id, after, limit as u64 + 1)
        .await?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let end = rows.last().filter(|_| more).map(|row| EventPosition {
        at_ms: row.at_ms,
        at_percent: row.at_percent,
        account_id: row.account_id.clone(),
    });
    Ok((view::events(rows), end))
}

/// Deletes budgets whose team, user or key goes; returns their ids.
pub(super) async fn forget(tx: &mut Tx, rows: Vec<entity::Model>) -> Result<Vec<String>, StoreError> {
    let mut ids = Vec::with_capacity(rows.len());
    for row in rows {
        tx.delete_budget(&row.id).await?;
        ids.push(row.id);
    }
    Ok(ids)
}

async fn found(app: &App, actor: &Actor, id: &BudgetId) -> Result<entity::Model, Problem> {
    let row = app.store.find_budget(id.as_str()).await?;
    authority::seen(actor, row)?.ok_or_else(|| not_found("budget", id.as_str()))
}

/// A budget that is about to be changed, without the raises that ended long ago.
async fn held(tx: &Tx, actor: &Actor, id: &BudgetId) -> Result<(entity::Model, Budget), Problem> {
    let row = tx.find_budget(id.as_str()).await?;
    authority::require_row(tx, actor, row.as_ref()).await?;
    let row = row.ok_or_else(|| not_found("budget", id.as_str()))?;
    let held = budget(&row)?;
    Ok((row, held))
}

struct Change {
    action: &'static str,
    notify: Recipients,
    /// The raise that it is about.
    raise: Option<serde_json::Value>,
}

async fn save(
    app: &App,
    actor: &Actor,
    mut tx: Tx,
    before: entity::Model,
    mut new: Budget,
    change: Change,
) -> Result<BudgetView, Problem> {
    let now = app.now_ms();
    new.raises.retain(|raise| raise.until_ms > now - RAISES_KEPT_MS);
    let row = budget_row(&new, change.notify.as_str(), before.created_at_ms, now);
    tx.update_budget(row.clone()).await?;
    let mut details = Changed::updated(&before, &row);
    if let Some(raise) = change.raise {
        details = details.with("raise", &raise);
    }
    let entry = app.audit(actor, change.action, ObjectKind::Budget, &row.id, details);
    tx.commit(now, entry).await?;
    view::one(app, row).await
}

async fn insert(tx: &mut Tx, row: entity::Model) -> Result<(), Problem> {
    let period = row.period.clone();
    tx.insert_budget(row).await.map_err(|error| match error {
        StoreError::Duplicate(_) => Problem::new(
            Code::Conflict,
            format!("There is a {period} budget for this already. Change it, or choose another period."),
        )
        .field("period"),
        other => other.into(),
    })
}

fn recipients(row: &entity::Model) -> Recipients {
    Recipients::parse(&row.notify_recipients).unwrap_or_default()
}

/// The posture of budgets that do not say.
const DEFAULT_POSTURE: Posture = Posture::Granted;
