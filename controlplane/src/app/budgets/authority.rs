//! Who may see and change which budget.
//!
//! Admins change every budget. A team's manager sees those that are about the team, and sets those of its members, within the
//! team's own.

use crate::app::authority::person;
use crate::store::Tx;
use crate::store::budgets::BudgetQuery;
use crate::store::entity::budget as entity;
use ccag_domain::authority::refusal;
use ccag_domain::{
    Actor, Area, Budget, BudgetScope, Code, NanoUsd, Permission, Problem, Target, TeamId, UnixMs,
};

const SEE: Permission = Permission::Read(Area::WiderBudgets);
const CHANGE_ALL: Permission = Permission::Change(Area::WiderBudgets);
const CHANGE: Permission = Permission::Change(Area::Budgets);

/// Managers see those that are about their own team.
pub(super) fn narrowed(actor: &Actor, query: &BudgetQuery) -> Result<BudgetQuery, Problem> {
    let team_id = crate::app::authority::narrowed(actor, SEE, query.team_id.clone())?;
    Ok(BudgetQuery {
        team_id,
        ..query.clone()
    })
}

/// The budget, if the actor may see it.
pub(super) fn seen(actor: &Actor, row: Option<entity::Model>) -> Result<Option<entity::Model>, Problem> {
    actor.require_some(SEE)?;
    Ok(row.filter(|row| {
        let team = row.team_id.as_deref().map(Target::Team);
        actor.may_all(SEE) || team.is_some_and(|team| actor.may(SEE, team))
    }))
}

/// Passes if the actor may make, change or delete the budget of this scope.
pub(super) async fn require_change(tx: &Tx, actor: &Actor, scope: &BudgetScope) -> Result<(), Problem> {
    if actor.may_all(CHANGE_ALL) {
        return Ok(());
    }
    let BudgetScope::Member(team, user) = scope else {
        return Err(refusal(CHANGE_ALL));
    };
    actor.require(CHANGE, Target::Team(team.as_str()))?;
    let user = tx.find_user(user.as_str()).await?;
    let may = user.is_some_and(|user| actor.may(CHANGE, Target::Person(person(&user))));
    may.then_some(()).ok_or_else(|| refusal(CHANGE))
}

/// As [`require_change`], for a row that is there or not: whoever may not change it does not learn which.
pub(super) async fn require_row(tx: &Tx, actor: &Actor, row: Option<&entity::Model>) -> Result<(), Problem> {
    if actor.may_all(CHANGE_ALL) {
        return Ok(());
    }
    let scope = row
        .map(crate::store::budgets::budget)
        .transpose()?
        .map(|held| held.scope);
    match scope {
        Some(scope) => require_change(tx, actor, &scope)
            .await
            .map_err(|_| refusal(CHANGE)),
        None => Err(refusal(CHANGE)),
    }
}

/// Refuses what would let a member spend more than their team may, from those who may not change what the team may.
pub(super) async fn within_team(tx: &Tx, actor: &Actor, new: &Budget, now: UnixMs) -> Result<(), Problem> {
    let BudgetScope::Member(team, _) = &new.scope else {
        return Ok(());
    };
    if actor.may_all(CHANGE_ALL) {
        return Ok(());
    }
    let raised = new.raises.iter().filter(|raise| raise.until_ms > now);
    let most = raised.fold(new.amount, |sum, raise| {
        NanoUsd(sum.0.saturating_add(raise.amount_nano_usd.0))
    });
    let own = own_amount(tx, team, new).await?;
    if own.is_some_and(|own| most <= own) {
        return Ok(());
    }
    let period = new.period.as_str();
    let message = match own {
        Some(_) => format!(
            "A member's budget stays within the team's own {period} one. Choose less, or ask an admin."
        ),
        None => format!(
            "A member's budget stays within the team's own, and the team has no {period} one. Ask an admin to set it."
        ),
    };
    Err(Problem::new(Code::Forbidden, message).field("amount_usd"))
}

async fn own_amount(tx: &Tx, team: &TeamId, new: &Budget) -> Result<Option<NanoUsd>, Problem> {
    let rows = tx.list_budgets_of(&BudgetScope::Team(team.clone())).await?;
    let same = rows.iter().find(|row| row.period == new.period.as_str());
    Ok(same.map(|row| NanoUsd(row.amount_nano_usd)))
}
