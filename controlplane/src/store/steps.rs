//! Steps of budgets that were reached: noted, and told, in the transaction whose spending reached them.

use super::entity::{budget, budget_account, budget_event, team, user, virtual_key};
use super::outbox::{self, NewEvent};
use super::{StoreError, budgets};
use ccag_domain::{Budget, UnixMs};
use sea_orm::{ColumnTrait, DatabaseTransaction, EntityTrait, IntoActiveModel, QueryFilter, TryInsertResult};

/// A step that was reached now for the first time.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) budget: Budget,
    /// Who is to be told, as the budget has it.
    pub(crate) recipients: String,
    pub(crate) account: budget_account::Model,
    pub(crate) reached: budget_event::Model,
    /// What the budget is about, as far as it is still there.
    pub(crate) team: Option<team::Model>,
    pub(crate) user: Option<user::Model>,
    pub(crate) key: Option<virtual_key::Model>,
}

/// How steps are noticed and told.
pub(crate) struct Steps<'a> {
    pub(crate) now_ms: UnixMs,
    /// What to tell of a step.
    pub(crate) tell: &'a (dyn Fn(&Step) -> NewEvent + Send + Sync),
}

impl std::fmt::Debug for Steps<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Steps")
            .field("now_ms", &self.now_ms)
            .finish_non_exhaustive()
    }
}

/// Notes the steps that these accounts have reached; those that are known stay as they are.
pub(super) async fn note(
    tx: &DatabaseTransaction,
    accounts: &[budget_account::Model],
    steps: &Steps<'_>,
) -> Result<(), StoreError> {
    if accounts.is_empty() {
        return Ok(());
    }
    let ids = accounts.iter().map(|account| account.budget_id.as_str());
    let rows = budget::Entity::find()
        .filter(budget::Column::Id.is_in(ids))
        .all(tx)
        .await?;
    // In one order, so that two who note the same wait for each other instead of dead-locking.
    let mut accounts: Vec<_> = accounts.iter().collect();
    accounts.sort_by(|a, b| a.id.cmp(&b.id));
    for account in accounts {
        let Some(row) = rows.iter().find(|row| row.id == account.budget_id) else {
            continue;
        };
        // One that cannot be read blocks by itself, and is complained about where it is pushed.
        let Ok(budget) = budgets::budget(row) else {
            continue;
        };
        for reached in reached(&budget, account, steps.now_ms) {
            let inserted = budget_event::Entity::insert(reached.clone().into_active_model())
                .on_conflict_do_nothing()
                .exec_without_returning(tx)
                .await?;
            if !matches!(inserted, TryInsertResult::Inserted(rows) if rows > 0) {
                continue;
            }
            tracing::info!(
                account = reached.account_id,
                at_percent = reached.at_percent,
                action = reached.action,
                "a step of a budget was reached"
            );
            let mut step = Step {
                budget: budget.clone(),
                recipients: row.notify_recipients.clone(),
                account: account.clone(),
                reached,
                team: None,
                user: None,
                key: None,
            };
            name(tx, &mut step).await?;
            outbox::raise(tx, &(steps.tell)(&step)).await?;
        }
    }
    Ok(())
}

/// The steps that an account has reached.
fn reached(budget: &Budget, account: &budget_account::Model, now: UnixMs) -> Vec<budget_event::Model> {
    let spent = ccag_domain::NanoUsd(account.settled_nano_usd);
    let step = |rule: &ccag_domain::BudgetRule| budget_event::Model {
        account_id: account.id.clone(),
        at_percent: i64::from(rule.at_percent),
        action: rule.action.as_str().to_owned(),
        spent_nano_usd: spent.0,
        amount_nano_usd: budget.amount_at(now).0,
        at_ms: now,
    };
    budget.reached(spent, now).map(step).collect()
}

/// Finds what the step is about: the account's team, user and key, and the team of the user or key.
async fn name(tx: &DatabaseTransaction, step: &mut Step) -> Result<(), StoreError> {
    let account = &step.account;
    if !account.key_id.is_empty() {
        step.key = virtual_key::Entity::find_by_id(&account.key_id).one(tx).await?;
    }
    let key = step.key.as_ref();
    let user = Some(account.user_id.clone())
        .filter(|id| !id.is_empty())
        .or_else(|| key.and_then(|key| key.user_id.clone()));
    if let Some(id) = user {
        step.user = user::Entity::find_by_id(id).one(tx).await?;
    }
    let team = Some(account.team_id.clone())
        .filter(|id| !id.is_empty())
        .or_else(|| key.and_then(|key| key.team_id.clone()))
        .or_else(|| step.user.as_ref().and_then(|user| user.team_id.clone()));
    if let Some(id) = team {
        step.team = team::Entity::find_by_id(id).one(tx).await?;
    }
    Ok(())
}
