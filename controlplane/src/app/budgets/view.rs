//! Budgets and their accounts as the admin API shows them.

use super::{RAISES_KEPT_MS, check, recipients};
use crate::app::App;
use crate::store::StoreError;
use crate::store::budgets::budget;
use crate::store::entity::{budget as entity, budget_account, budget_event};
use ccag_admin_api::{
    BudgetAccount, BudgetEventView, BudgetRuleSpec, BudgetState, BudgetView, PostureKind, RaiseState,
    RaiseView, RuleAction, ScopeKind, Timestamp, Usd,
};
use ccag_domain::account::AccountOf;
use ccag_domain::period::rfc3339_in;
use ccag_domain::{
    AccountId, Budget, BudgetAction, BudgetRule, BudgetScope, NanoUsd, Posture, Problem, Stretch, UnixMs,
    UserId,
};
use std::collections::HashMap;

/// What an account holds.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Holds {
    pub(super) spent: NanoUsd,
    /// Granted to data planes, and not settled.
    pub(super) held: NanoUsd,
}

impl From<&budget_account::Model> for Holds {
    fn from(row: &budget_account::Model) -> Self {
        Self {
            spent: NanoUsd(row.settled_nano_usd),
            held: NanoUsd(row.held_nano_usd),
        }
    }
}

/// What accounts hold, in their order. What no data plane has asked about is summed up from the ledger.
pub(super) async fn holds(app: &App, accounts: &[AccountOf]) -> Result<Vec<Holds>, StoreError> {
    let ids: Vec<String> = accounts.iter().map(|of| of.id.to_string()).collect();
    let rows = app.store.find_accounts(&ids).await?;
    let known: HashMap<&str, &budget_account::Model> =
        rows.iter().map(|row| (row.id.as_str(), row)).collect();
    let unknown: Vec<&AccountOf> = accounts
        .iter()
        .filter(|of| !known.contains_key(of.id.as_str()))
        .collect();
    let mut sums = app.store.sum_spent(&unknown).await?.into_iter();
    let all = accounts.iter().map(|of| match known.get(of.id.as_str()) {
        Some(row) => Holds::from(*row),
        None => Holds {
            spent: NanoUsd(sums.next().unwrap_or(0)),
            held: NanoUsd::ZERO,
        },
    });
    Ok(all.collect())
}

/// Names of what budgets and limits are about.
#[derive(Debug, Default)]
pub(in crate::app) struct Names {
    teams: HashMap<String, String>,
    users: HashMap<String, String>,
    keys: HashMap<String, String>,
}

impl Names {
    pub(in crate::app) async fn of<'a>(
        app: &App,
        scopes: impl IntoIterator<Item = &'a BudgetScope>,
    ) -> Result<Self, StoreError> {
        let (mut teams, mut users, mut keys) = (Vec::new(), Vec::new(), Vec::new());
        for scope in scopes {
            teams.extend(scope.team_id().map(ToString::to_string));
            users.extend(scope.user_id().map(ToString::to_string));
            keys.extend(scope.key_id().map(ToString::to_string));
        }
        let (teams, users, keys) = tokio::try_join!(
            app.store.list_team_names(&teams),
            app.store.list_user_names(&users),
            app.store.list_key_names(&keys)
        )?;
        Ok(Self {
            teams: teams.into_iter().collect(),
            users: users.into_iter().collect(),
            keys: keys.into_iter().collect(),
        })
    }

    fn team(&self, scope: &BudgetScope) -> Option<String> {
        self.teams.get(scope.team_id()?.as_str()).cloned()
    }

    fn user(&self, scope: &BudgetScope) -> Option<String> {
        self.users.get(scope.user_id()?.as_str()).cloned()
    }

    /// A key without a name is known by its id.
    fn key(&self, scope: &BudgetScope) -> Option<String> {
        let id = scope.key_id()?.as_str();
        self.keys.get(id).map(|name| match name.as_str() {
            "" => id.to_owned(),
            name => name.to_owned(),
        })
    }

    /// Whom a budget or a limit is about, in words.
    pub(in crate::app) fn about(&self, scope: &BudgetScope) -> String {
        let gone = || "that is gone".to_owned();
        let team = || self.team(scope).unwrap_or_else(gone);
        let user = || self.user(scope).unwrap_or_else(gone);
        match scope {
            BudgetScope::Organisation => "Everybody together".to_owned(),
            BudgetScope::EachUser => "Each user".to_owned(),
            BudgetScope::Team(_) => format!("Team {}", team()),
            BudgetScope::EachMember(_) => format!("Each member of team {}", team()),
            BudgetScope::Member(..) => format!("{} in team {}", user(), team()),
            BudgetScope::User(_) => format!("User {}", user()),
            BudgetScope::Key(_) => format!("Key {}", self.key(scope).unwrap_or_else(gone)),
        }
    }
}

pub(super) async fn one(app: &App, row: entity::Model) -> Result<BudgetView, Problem> {
    let mut views = many(app, vec![row]).await?;
    views
        .pop()
        .ok_or_else(|| StoreError::Other("a budget has no view".to_owned()).into())
}

pub(super) async fn many(app: &App, rows: Vec<entity::Model>) -> Result<Vec<BudgetView>, Problem> {
    let now = app.now_ms();
    let budgets: Vec<Budget> = rows.iter().map(budget).collect::<Result<_, _>>()?;
    let pooled: Vec<&Budget> = budgets.iter().filter(|budget| !budget.scope.is_each()).collect();
    let accounts: Vec<AccountOf> = pooled.iter().map(|budget| budget.account(now, None)).collect();
    let shared: Vec<&Budget> = budgets.iter().filter(|budget| budget.scope.is_each()).collect();
    let (names, held, mut dearest) = tokio::try_join!(
        Names::of(app, budgets.iter().map(|budget| &budget.scope)),
        holds(app, &accounts),
        dearest(app, &shared, now)
    )?;
    let mut pools = accounts.iter().zip(held);
    let mut views = Vec::with_capacity(rows.len());
    for (row, budget) in rows.iter().zip(&budgets) {
        let mut view = bare(row, budget, &names, now);
        if budget.scope.is_each() {
            let (account, count) = dearest.remove(budget.id.as_str()).unwrap_or_default();
            (view.current, view.accounts) = (account, Some(count));
        } else if let Some((of, holds)) = pools.next() {
            view.current = Some(account(budget, of.stretch, holds, None, now));
        }
        views.push(view);
    }
    Ok(views)
}

/// Of budgets that each of several people has: by the budget's id, the account that has spent most, and how many there are.
async fn dearest(
    app: &App,
    budgets: &[&Budget],
    now: UnixMs,
) -> Result<HashMap<String, (Option<BudgetAccount>, u64)>, StoreError> {
    let stretches: HashMap<&str, Stretch> = budgets
        .iter()
        .map(|budget| (budget.id.as_str(), budget.period.around(now, &budget.time_zone)))
        .collect();
    let of: Vec<(&str, UnixMs)> = stretches
        .iter()
        .map(|(id, stretch)| (*id, stretch.start_ms))
        .collect();
    let found = app.store.list_dearest_accounts(&of).await?;
    let users: Vec<String> = found.iter().map(|(row, _)| row.user_id.clone()).collect();
    let names: HashMap<String, String> = app.store.list_user_names(&users).await?.into_iter().collect();
    let mut all = HashMap::new();
    for (row, count) in found {
        let budget = budgets.iter().find(|budget| budget.id.as_str() == row.budget_id);
        if let (Some(budget), Some(stretch)) = (budget, stretches.get(row.budget_id.as_str())) {
            let user = UserId::parse(&row.user_id).ok();
            let user = user.map(|id| (id, names.get(&row.user_id).cloned()));
            let account = account(budget, *stretch, (&row).into(), user, now);
            all.insert(row.budget_id.clone(), (Some(account), count));
        }
    }
    Ok(all)
}

/// The accounts of a budget, the one that has spent most first, and how many there are.
pub(super) async fn accounts(
    app: &App,
    budget: &Budget,
    offset: u64,
    limit: u64,
) -> Result<(Vec<BudgetAccount>, u64), Problem> {
    let now = app.now_ms();
    if !budget.scope.is_each() {
        let of = [budget.account(now, None)];
        let all = holds(app, &of).await?.into_iter().zip(&of);
        let all = all.map(|(holds, of)| account(budget, of.stretch, holds, None, now));
        let page = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        return Ok((all.skip(page(offset)).take(page(limit)).collect(), 1));
    }
    let id = budget.id.as_str();
    let stretch = budget.period.around(now, &budget.time_zone);
    let (count, rows) = tokio::try_join!(
        app.store.count_accounts(id, stretch.start_ms),
        app.store.list_accounts(id, stretch.start_ms, offset, limit)
    )?;
    let ids: Vec<String> = rows.iter().map(|row| row.user_id.clone()).collect();
    let names: HashMap<String, String> = app.store.list_user_names(&ids).await?.into_iter().collect();
    let accounts = rows.iter().map(|row| {
        let user = UserId::parse(&row.user_id).ok();
        let user = user.map(|id| (id, names.get(&row.user_id).cloned()));
        account(budget, stretch, row.into(), user, now)
    });
    Ok((accounts.collect(), count))
}

/// One account of a budget.
pub(super) fn account(
    budget: &Budget,
    stretch: Stretch,
    holds: Holds,
    user: Option<(UserId, Option<String>)>,
    now: UnixMs,
) -> BudgetAccount {
    let limit = budget.amount_at(now);
    let anew = stretch != Stretch::EVER;
    let (user_id, user_name) = user.unzip();
    BudgetAccount {
        user_id,
        user_name: user_name.flatten(),
        limit_usd: Usd(limit),
        spent_usd: Usd(holds.spent),
        held_usd: Usd(holds.held),
        remaining_usd: Usd((limit - holds.spent).max(NanoUsd::ZERO)),
        blocked_at_usd: budget.ceiling_at(now).map(Usd),
        percent: percent(holds.spent, limit),
        status: state(budget, holds.spent, now),
        period_start: anew.then(|| Timestamp::from_ms(stretch.start_ms)),
        resets_at: anew.then(|| Timestamp::from_ms(stretch.end_ms)),
        resets_at_local: anew.then(|| rfc3339_in(stretch.end_ms, &budget.time_zone)),
    }
}

/// How much of a limit is spent, in percent, rounded down; of nothing, everything is.
pub(super) fn percent(spent: NanoUsd, limit: NanoUsd) -> u64 {
    if limit <= NanoUsd::ZERO {
        return 100;
    }
    let percent = i128::from(spent.0.max(0)) * 100 / i128::from(limit.0);
    u64::try_from(percent).unwrap_or(u64::MAX)
}

/// How far a budget is used up: the severest of the steps that were reached, all of which hold.
pub(super) fn state(budget: &Budget, spent: NanoUsd, now: UnixMs) -> BudgetState {
    let states = budget.reached(spent, now).map(|rule| match rule.action {
        BudgetAction::Notify => BudgetState::Warning,
        BudgetAction::Restrict { .. } => BudgetState::Restricted,
        BudgetAction::Throttle { .. } => BudgetState::Throttled,
        BudgetAction::Block => BudgetState::Blocked,
    });
    states.max().unwrap_or(BudgetState::Ok)
}

/// The steps that were reached.
pub(super) fn events(rows: Vec<budget_event::Model>) -> Vec<BudgetEventView> {
    rows.into_iter()
        .filter_map(|row| {
            let (budget_id, _, user_id) = AccountId::parse(&row.account_id)?.of_budget()?;
            Some(BudgetEventView {
                budget_id,
                user_id,
                at_percent: u32::try_from(row.at_percent).unwrap_or(0),
                action: row.action,
                spent_usd: Usd(NanoUsd(row.spent_nano_usd)),
                limit_usd: Usd(NanoUsd(row.amount_nano_usd)),
                at: Timestamp::from_ms(row.at_ms),
            })
        })
        .collect()
}

/// The kind of a posture, and its amount.
pub(super) fn posture(posture: Posture) -> (PostureKind, Option<Usd>) {
    match posture {
        Posture::Granted => (PostureKind::Granted, None),
        Posture::Grace(amount) => (PostureKind::Grace, Some(Usd(amount))),
        Posture::Refuse => (PostureKind::Refuse, None),
    }
}

/// A rule as the API shows it.
pub(super) fn rule(rule: &BudgetRule) -> BudgetRuleSpec {
    let (action, requests_per_minute, models) = match &rule.action {
        BudgetAction::Notify => (RuleAction::Notify, None, None),
        BudgetAction::Throttle { requests_per_minute } => {
            (RuleAction::Throttle, Some(*requests_per_minute), None)
        }
        BudgetAction::Restrict { models } => {
            let names = models.iter().map(ToString::to_string).collect();
            (RuleAction::Restrict, None, Some(names))
        }
        BudgetAction::Block => (RuleAction::Block, None, None),
    };
    BudgetRuleSpec {
        at_percent: rule.at_percent,
        action,
        requests_per_minute,
        models,
    }
}

/// The kind of a scope.
pub(super) const fn kind(scope: &BudgetScope) -> ScopeKind {
    match scope {
        BudgetScope::Organisation => ScopeKind::Organisation,
        BudgetScope::EachUser => ScopeKind::EachUser,
        BudgetScope::Team(_) => ScopeKind::Team,
        BudgetScope::EachMember(_) => ScopeKind::EachMember,
        BudgetScope::Member(..) => ScopeKind::Member,
        BudgetScope::User(_) => ScopeKind::User,
        BudgetScope::Key(_) => ScopeKind::Key,
    }
}

/// A budget without its accounts.
fn bare(row: &entity::Model, budget: &Budget, names: &Names, now: UnixMs) -> BudgetView {
    let (posture, grace_usd) = posture(budget.posture);
    let scope = &budget.scope;
    BudgetView {
        id: budget.id.clone(),
        scope: kind(scope),
        team_id: scope.team_id().cloned(),
        team_name: names.team(scope),
        user_id: scope.user_id().cloned(),
        user_name: names.user(scope),
        key_id: scope.key_id().cloned(),
        key_name: names.key(scope),
        about: names.about(scope),
        amount_usd: Usd(budget.amount),
        period: budget.period,
        time_zone: budget.time_zone.name().to_owned(),
        mode: budget.mode,
        policy: check::policy_name(&budget.rules).to_owned(),
        rules: budget.rules.iter().map(rule).collect(),
        raises: raises(budget, now),
        posture,
        grace_usd,
        notify_recipients: recipients(row),
        current: None,
        accounts: None,
        created_at: Timestamp::from_ms(row.created_at_ms),
        updated_at: Timestamp::from_ms(row.updated_at_ms),
    }
}

/// The raises that are in force or have ended lately, the newest first.
fn raises(budget: &Budget, now: UnixMs) -> Vec<RaiseView> {
    let mut raises: Vec<_> = budget
        .raises
        .iter()
        .filter(|raise| raise.until_ms > now - RAISES_KEPT_MS)
        .collect();
    raises.sort_by_key(|raise| std::cmp::Reverse(raise.from_ms));
    raises
        .into_iter()
        .map(|raise| RaiseView {
            id: raise.from_ms.to_string(),
            amount_usd: Usd(raise.amount_nano_usd),
            from: Timestamp::from_ms(raise.from_ms),
            until: Timestamp::from_ms(raise.until_ms),
            reason: raise.reason.clone(),
            state: if raise.until_ms > now {
                RaiseState::Active
            } else {
                RaiseState::Past
            },
        })
        .collect()
}
