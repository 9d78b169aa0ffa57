//! What bounds somebody's spending, and how far it is used up.

use super::check;
use super::view::{self, Holds, Names};
use crate::app::{App, authority};
use crate::store::budgets::pushed;
use ccag_admin_api::{
    AppliedBudget, BudgetState, BudgetStatusQuery, BudgetStatusView, LimitSource, PolicySpec, ScopeKind,
    TeamStatus, Timestamp, Usd,
};
use ccag_domain::account::{AccountFilter, AccountOf};
use ccag_domain::budget::applicable;
use ccag_domain::{
    AccountId, Actor, Area, Budget, BudgetId, BudgetScope, Caller, KeyId, NanoUsd, Period, Permission,
    Problem, Standing, TeamId, TimeZone, UnixMs, UserId,
};
use std::collections::HashMap;
use std::sync::Arc;

/// A budget that applies, what it is counted by, and what that holds.
type Applied = (Arc<Budget>, AccountOf, Holds);

/// How many steps that were reached are shown.
const RECENT: u64 = 10;

/// The budgets that bound somebody's spending: the caller's own, for managers also those of their team's members, for admins anybody's.
///
/// # Errors
/// [`ccag_domain::Code::Forbidden`] for members who ask for somebody else, [`ccag_domain::Code::NotFound`] if there is no such user or key.
pub async fn status(
    app: &App,
    actor: &Actor,
    query: &BudgetStatusQuery,
) -> Result<BudgetStatusView, Problem> {
    match (&query.key_id, &query.user_id) {
        (Some(_), Some(_)) => Err(check::invalid(
            "key_id",
            "Ask for a user or for a key, not for both.",
        )),
        (Some(key), None) => of_key(app, actor, key).await,
        (None, Some(user)) => status_of_user(app, actor, user).await,
        (None, None) => {
            let user = actor.user_id().ok_or_else(|| {
                check::invalid("user_id", "Say whose budgets are meant: nobody is signed in.")
            })?;
            status_of_user(app, actor, user).await
        }
    }
}

/// The budgets that bound a user's spending, whichever key of theirs is used.
///
/// # Errors
/// As [`status`].
pub async fn status_of_user(app: &App, actor: &Actor, id: &UserId) -> Result<BudgetStatusView, Problem> {
    let row = app.store.find_user(id.as_str()).await?;
    let row = authority::reached(actor, Permission::Read(Area::Budgets), id, row)?;
    let caller = Caller {
        // A key that has no budget.
        key_id: KeyId::generate(&*app.clock, &*app.rng),
        user_id: Some(id.clone()),
        team_id: team(row.team_id.as_deref()),
    };
    let name = row.display_name.unwrap_or(row.username);
    of_caller(app, name, &caller, false).await
}

/// The budgets that bound the spending of whoever is signed in, whichever key of theirs is used.
///
/// # Errors
/// [`ccag_domain::Code::Unavailable`] without a database.
pub(crate) async fn bounds_of_self(app: &App, actor: &Actor) -> Result<Vec<AppliedBudget>, Problem> {
    let Some(user) = actor.user_id() else {
        return Ok(Vec::new());
    };
    let caller = Caller {
        // A key that has no budget.
        key_id: KeyId::generate(&*app.clock, &*app.rng),
        user_id: Some(user.clone()),
        team_id: actor.team_id().cloned(),
    };
    let now = app.now_ms();
    let found = found(app, &caller, now).await?;
    let (applied, names) = tokio::try_join!(held(app, &found), named(app, &found))?;
    Ok(marked(&applied, &names, now))
}

async fn of_key(app: &App, actor: &Actor, id: &KeyId) -> Result<BudgetStatusView, Problem> {
    let (row, owner) = authority::see_key(app, actor, id).await?;
    let user_team = (owner.filter(|_| row.team_id.is_none())).and_then(|user| user.team_id);
    let caller = Caller {
        key_id: id.clone(),
        user_id: row.user_id.as_deref().and_then(|id| UserId::parse(id).ok()),
        team_id: team(row.team_id.as_deref().or(user_team.as_deref())),
    };
    let name = if row.name.is_empty() { row.id } else { row.name };
    of_caller(app, name, &caller, true).await
}

fn team(id: Option<&str>) -> Option<TeamId> {
    TeamId::parse(id?).ok()
}

/// The scopes that a budget which bounds a caller's spending can have.
fn scopes(caller: &Caller) -> Vec<BudgetScope> {
    let mut scopes = vec![
        BudgetScope::Organisation,
        BudgetScope::EachUser,
        BudgetScope::Key(caller.key_id.clone()),
    ];
    if let Some(team) = &caller.team_id {
        scopes.push(BudgetScope::Team(team.clone()));
        scopes.push(BudgetScope::EachMember(team.clone()));
    }
    if let Some(user) = &caller.user_id {
        scopes.push(BudgetScope::User(user.clone()));
    }
    if let (Some(team), Some(user)) = (&caller.team_id, &caller.user_id) {
        scopes.push(BudgetScope::Member(team.clone(), user.clone()));
    }
    scopes
}

/// The budgets that apply, and what they are counted by.
async fn found(app: &App, caller: &Caller, now: UnixMs) -> Result<Vec<(Arc<Budget>, AccountOf)>, Problem> {
    let mut by_scope: HashMap<BudgetScope, Vec<Arc<Budget>>> = HashMap::new();
    for row in app.store.find_budgets_of(&scopes(caller)).await? {
        let budget = pushed(&row)?;
        by_scope
            .entry(budget.scope.clone())
            .or_default()
            .push(Arc::new(budget));
    }
    let budgets = applicable(caller, |scope| {
        by_scope.get(scope).map(Vec::as_slice).unwrap_or_default()
    });
    Ok(budgets
        .into_iter()
        .map(|budget| (Arc::clone(budget), budget.account(now, caller.user_id.as_ref())))
        .collect())
}

/// The same, with what they hold.
async fn held(app: &App, found: &[(Arc<Budget>, AccountOf)]) -> Result<Vec<Applied>, Problem> {
    let accounts: Vec<AccountOf> = found.iter().map(|(_, account)| account.clone()).collect();
    let holds = view::holds(app, &accounts).await?;
    let all = found.iter().zip(holds);
    Ok(all
        .map(|((budget, account), holds)| (Arc::clone(budget), account.clone(), holds))
        .collect())
}

/// The names of what they are about.
async fn named(app: &App, found: &[(Arc<Budget>, AccountOf)]) -> Result<Names, Problem> {
    Ok(Names::of(app, found.iter().map(|(budget, _)| &budget.scope)).await?)
}

/// The budgets as they are shown; the one that binds says so.
fn marked(applied: &[Applied], names: &Names, now: UnixMs) -> Vec<AppliedBudget> {
    let mut budgets: Vec<AppliedBudget> = applied
        .iter()
        .map(|(budget, of, holds)| show(budget, of, *holds, names, now))
        .collect();
    if let Some(at) = furthest(&budgets, |_| true) {
        budgets[at].binds = true;
    }
    budgets
}

/// How the budgets stand that bound a caller's spending.
pub(crate) async fn standings(app: &App, caller: &Caller) -> Result<Vec<Standing>, Problem> {
    let now = app.now_ms();
    let standing = |(budget, of, holds): (Arc<Budget>, AccountOf, Holds)| Standing {
        period: budget.period,
        amount: budget.amount_at(now),
        spent: holds.spent,
        resets_at: (budget.period != Period::Total).then_some(of.stretch.end_ms),
    };
    let applied = held(app, &found(app, caller, now).await?).await?;
    Ok(applied.into_iter().map(standing).collect())
}

async fn of_caller(
    app: &App,
    name: String,
    caller: &Caller,
    by_key: bool,
) -> Result<BudgetStatusView, Problem> {
    let now = app.now_ms();
    let found = found(app, caller, now).await?;
    let account_ids: Vec<String> = found.iter().map(|(_, of)| of.id.to_string()).collect();
    let events = async { Ok(app.store.list_budget_events(&account_ids, RECENT).await?) };
    let (applied, names, events) = tokio::try_join!(held(app, &found), named(app, &found), events)?;
    let budgets = marked(&applied, &names, now);
    let binds = budgets.iter().position(|budget| budget.binds);
    let own = furthest(&budgets, |scope| match scope {
        ScopeKind::Key => by_key,
        ScopeKind::Organisation | ScopeKind::Team => false,
        ScopeKind::EachUser | ScopeKind::EachMember | ScopeKind::Member | ScopeKind::User => true,
    });
    let of_team = furthest(&budgets, |scope| scope == ScopeKind::Team);
    let team = match (of_team, &caller.team_id) {
        (Some(at), Some(id)) => {
            let name = budgets[at]
                .about
                .strip_prefix("Team ")
                .unwrap_or_default()
                .to_owned();
            let account = &budgets[at].account;
            Some(TeamStatus {
                id: id.clone(),
                name,
                spend_usd: account.spent_usd,
                limit_usd: account.limit_usd,
                percent: account.percent,
                status: account.status,
            })
        }
        _ => None,
    };
    let mut status = match own {
        Some(at) => of_own(name, &budgets[at]),
        None => unlimited(app, name, caller, by_key, now).await?,
    };
    if let Some(at) = binds {
        status.status = budgets[at].account.status;
        status.remaining_usd = Some(budgets[at].account.remaining_usd);
        status.resets_at.clone_from(&budgets[at].account.resets_at_local);
    }
    status.team = team;
    status.recent_events = view::events(events);
    status.budgets = budgets;
    Ok(status)
}

/// The budget that is used up furthest; of those, the one with least left.
fn furthest(budgets: &[AppliedBudget], which: impl Fn(ScopeKind) -> bool) -> Option<usize> {
    budgets
        .iter()
        .enumerate()
        .filter(|(_, budget)| which(budget.scope))
        .max_by_key(|(_, budget)| {
            let account = &budget.account;
            (
                account.status,
                std::cmp::Reverse(account.remaining_usd),
                account.percent,
            )
        })
        .map(|(at, _)| at)
}

fn show(budget: &Budget, of: &AccountOf, holds: Holds, names: &Names, now: UnixMs) -> AppliedBudget {
    AppliedBudget {
        budget_id: budget.id.clone(),
        scope: view::kind(&budget.scope),
        about: names.about(&budget.scope),
        period: budget.period,
        time_zone: budget.time_zone.name().to_owned(),
        mode: budget.mode,
        policy: check::policy_name(&budget.rules).to_owned(),
        rules: budget.rules.iter().map(view::rule).collect(),
        account: view::account(budget, of.stretch, holds, None, now),
        binds: false,
    }
}

/// The preset that a budget's rules are, or the rules.
pub(super) fn policy_of(policy: &str, rules: &[ccag_admin_api::BudgetRuleSpec]) -> PolicySpec {
    match policy {
        "custom" => PolicySpec::Rules(rules.to_vec()),
        name => PolicySpec::Preset(name.to_owned()),
    }
}

fn of_own(user: String, own: &AppliedBudget) -> BudgetStatusView {
    let account = &own.account;
    BudgetStatusView {
        user,
        period: own.period,
        period_start: account.period_start,
        spend_usd: account.spent_usd,
        limit_usd: Some(account.limit_usd),
        percent: Some(account.percent),
        limit_source: match own.scope {
            ScopeKind::User | ScopeKind::Member | ScopeKind::Key => LimitSource::Explicit,
            ScopeKind::EachMember | ScopeKind::Team => LimitSource::Team,
            ScopeKind::EachUser | ScopeKind::Organisation => LimitSource::Default,
        },
        limit_source_name: Some(own.about.clone()),
        policy: Some(policy_of(&own.policy, &own.rules)),
        team: None,
        recent_events: Vec::new(),
        unpriced_tokens: 0,
        status: account.status,
        remaining_usd: None,
        resets_at: None,
        budgets: Vec::new(),
    }
}

/// Without a budget of one's own: what was spent in this month.
async fn unlimited(
    app: &App,
    user: String,
    caller: &Caller,
    by_key: bool,
    now: UnixMs,
) -> Result<BudgetStatusView, Problem> {
    let stretch = Period::Monthly.around(now, &TimeZone::UTC);
    let nowhere = BudgetId::generate(&*app.clock, &*app.rng);
    let of = AccountOf {
        id: AccountId::new(&nowhere, stretch.start_ms, None),
        stretch,
        filter: AccountFilter {
            team_id: None,
            user_id: caller.user_id.clone().filter(|_| !by_key),
            key_id: by_key.then(|| caller.key_id.clone()),
        },
    };
    let spent = app.store.sum_spent(&[&of]).await?;
    let spent = NanoUsd(spent.first().copied().unwrap_or(0));
    Ok(BudgetStatusView {
        user,
        period: Period::Monthly,
        period_start: Some(Timestamp::from_ms(stretch.start_ms)),
        spend_usd: Usd(spent),
        limit_usd: None,
        percent: None,
        limit_source: LimitSource::Unlimited,
        limit_source_name: None,
        policy: None,
        team: None,
        recent_events: Vec::new(),
        unpriced_tokens: 0,
        status: BudgetState::Ok,
        remaining_usd: None,
        resets_at: None,
        budgets: Vec::new(),
    })
}
