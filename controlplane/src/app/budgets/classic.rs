//! Budgets as the existing gateway has them: a team's and its members', everybody's, and a user's own.

use super::status::policy_of;
use super::{DEFAULT_POSTURE, authority, check, insert, recipients, view};
use crate::app::authority::reached;
use crate::app::{App, Changed, not_found};
use crate::store::budgets::{BudgetQuery, budget, budget_row};
use crate::store::entity::budget as entity;
use crate::store::{StoreError, Tx};
use ccag_admin_api::{
    BudgetAccount, BudgetView, DefaultBudgetView, PolicySpec, Recipients, SetDefaultBudget, SetSpendLimit,
    SetTeamBudget, SpendLimitView, TeamBudgetView, Usd,
};
use ccag_domain::{
    Actor, Area, Budget, BudgetId, BudgetMode, BudgetRule, BudgetScope, Code, NanoUsd, ObjectKind, Period,
    Permission, Problem, Target, TeamId, TimeZone, UserId,
};
use serde_json::json;
use std::collections::HashMap;

/// How many budgets of teams are looked at for a list of teams.
const MOST: u64 = 2_000;

/// What a budget is to be, apart from whose.
#[derive(Debug, Clone)]
struct Terms {
    amount: NanoUsd,
    period: Period,
    time_zone: TimeZone,
    mode: BudgetMode,
    rules: Vec<BudgetRule>,
    notify: Recipients,
}

/// The budget of a scope that the existing gateway's paths speak of: the one with this period, else the only one, else the
/// monthly one, else the first.
fn spoken_of(rows: &[entity::Model], period: Option<Period>) -> Option<&entity::Model> {
    let with = |period: Period| rows.iter().find(|row| row.period == period.as_str());
    match (period.and_then(with), rows) {
        (Some(row), _) | (None, [row]) => Some(row),
        _ => with(Period::Monthly).or_else(|| rows.first()),
    }
}

/// What became of the budgets of a scope, for the audit log: those that there were, and those that there are.
struct Settled {
    before: Vec<entity::Model>,
    after: Vec<entity::Model>,
}

impl Settled {
    fn changed(&self) -> Changed {
        Changed::updated(&json!({"budgets": self.before}), &json!({"budgets": self.after}))
    }
}

/// Makes the budgets of a scope what is wanted, and says what became of them.
async fn settle(
    app: &App,
    tx: &mut Tx,
    scope: &BudgetScope,
    wanted: Option<&Terms>,
) -> Result<Settled, Problem> {
    let rows = tx.list_budgets_of(scope).await?;
    let Some(terms) = wanted else {
        super::forget(tx, rows.clone()).await?;
        return Ok(Settled {
            before: rows,
            after: Vec::new(),
        });
    };
    let same = rows.iter().find(|row| row.period == terms.period.as_str());
    let before = match (same, rows.as_slice()) {
        (Some(row), _) | (None, [row]) => Some(row),
        (None, []) => None,
        (None, _) => {
            return Err(Problem::new(
                Code::Conflict,
                format!(
                    "There are {} budgets for this, and none of them is {}. Change them one by one, under Budgets or with `ccag budgets`.",
                    rows.len(),
                    terms.period.as_str()
                ),
            )
            .field("budget_period"));
        }
    };
    let now = app.now_ms();
    let held = before.map(budget).transpose()?;
    // What is spent is counted by period and time zone: with others it is another budget.
    let stays = held
        .as_ref()
        .is_some_and(|held| held.period == terms.period && held.time_zone == terms.time_zone);
    let id = held.as_ref().filter(|_| stays).map(|held| held.id.clone());
    let new = Budget {
        id: id.unwrap_or_else(|| BudgetId::generate(&*app.clock, &*app.rng)),
        scope: scope.clone(),
        amount: terms.amount,
        period: terms.period,
        time_zone: terms.time_zone.clone(),
        mode: terms.mode,
        rules: terms.rules.clone(),
        raises: held.as_ref().map(|held| held.raises.clone()).unwrap_or_default(),
        posture: held.as_ref().map_or(DEFAULT_POSTURE, |held| held.posture),
    };
    let made_at = before.filter(|_| stays).map_or(now, |row| row.created_at_ms);
    let row = budget_row(&new, terms.notify.as_str(), made_at, now);
    // Budgets with other periods stay as they are.
    let done = Settled {
        before: before.cloned().into_iter().collect(),
        after: vec![row.clone()],
    };
    if stays {
        tx.update_budget(row).await?;
    } else {
        if let Some(before) = before {
            tx.delete_budget(&before.id).await?;
        }
        insert(tx, row).await?;
    }
    Ok(done)
}

async fn of_scope(app: &App, scope: BudgetScope) -> Result<Vec<entity::Model>, StoreError> {
    app.store.find_budgets_of(&[scope]).await
}

async fn shown(app: &App, row: Option<&entity::Model>) -> Result<Option<BudgetView>, Problem> {
    match row {
        Some(row) => Ok(Some(view::one(app, row.clone()).await?)),
        None => Ok(None),
    }
}

fn policy_shown(view: Option<&BudgetView>) -> Option<PolicySpec> {
    view.map(|view| policy_of(&view.policy, &view.rules))
}

/// The budget of a team, and that of each of its members.
///
/// # Errors
/// [`Code::NotFound`], [`Code::Forbidden`] for members.
pub async fn team_budget(app: &App, actor: &Actor, id: &TeamId) -> Result<TeamBudgetView, Problem> {
    actor.require(Permission::Read(Area::WiderBudgets), Target::Team(id.as_str()))?;
    let (team, pooled, each) = tokio::try_join!(
        app.store.find_team(id.as_str()),
        of_scope(app, BudgetScope::Team(id.clone())),
        of_scope(app, BudgetScope::EachMember(id.clone()))
    )?;
    if team.is_none() {
        return Err(not_found("team", id.as_str()));
    }
    let pooled = spoken_of(&pooled, None);
    let period = pooled.and_then(|row| Period::parse(&row.period));
    let (pooled, each) = tokio::try_join!(shown(app, pooled), shown(app, spoken_of(&each, period)))?;
    let first = pooled.as_ref().or(each.as_ref());
    Ok(TeamBudgetView {
        team_id: id.clone(),
        budget_amount_usd: pooled.as_ref().map(|view| view.amount_usd),
        budget_period: first.map_or(Period::Monthly, |view| view.period),
        budget_policy: policy_shown(first),
        default_user_budget_usd: each.as_ref().map(|view| view.amount_usd),
        notify_recipients: first.map(|view| view.notify_recipients).unwrap_or_default(),
        mode: first.map(|view| view.mode).unwrap_or_default(),
        time_zone: first.map_or_else(|| "UTC".to_owned(), |view| view.time_zone.clone()),
        budget: pooled,
        member_budget: each,
    })
}

/// What the budgets of all teams hold, each with its time zone, by the team's id.
///
/// # Errors
/// [`Code::Forbidden`] for members.
pub(crate) async fn of_teams(
    app: &App,
    actor: &Actor,
) -> Result<HashMap<String, (BudgetAccount, String)>, Problem> {
    let query = BudgetQuery {
        scope: Some("team".to_owned()),
        limit: MOST,
        ..BudgetQuery::default()
    };
    let query = authority::narrowed(actor, &query)?;
    let mut by_team: HashMap<String, Vec<entity::Model>> = HashMap::new();
    for row in app.store.list_budgets(&query).await? {
        by_team
            .entry(row.team_id.clone().unwrap_or_default())
            .or_default()
            .push(row);
    }
    let chosen = by_team.values().filter_map(|rows| spoken_of(rows, None));
    let views = view::many(app, chosen.cloned().collect()).await?;
    let held = views
        .into_iter()
        .filter_map(|view| Some((view.team_id?.to_string(), (view.current?, view.time_zone))));
    Ok(held.collect())
}

/// Makes the budget of a team and that of each of its members what the request says.
///
/// # Errors
/// [`Code::NotFound`], [`Code::InvalidRequest`] names the field that is wrong, [`Code::Conflict`] if the team has several
/// budgets, none of them with this period.
pub async fn set_team(
    app: &App,
    actor: &Actor,
    id: &TeamId,
    request: SetTeamBudget,
) -> Result<TeamBudgetView, Problem> {
    actor.require_all(Permission::Change(Area::WiderBudgets))?;
    let amount = |field: &str, amount: Option<Usd>| amount.map(|a| check::amount(field, a)).transpose();
    let pooled = amount("budget_amount_usd", request.budget_amount_usd)?;
    let each = amount("default_user_budget_usd", request.default_user_budget_usd)?;
    let terms = Terms {
        amount: NanoUsd::ZERO,
        period: request.budget_period.unwrap_or(Period::Monthly),
        time_zone: check::time_zone("time_zone", request.time_zone.as_deref())?,
        mode: request.mode.unwrap_or_default(),
        rules: check::policy(app, "budget_policy", request.budget_policy).await?,
        notify: request.notify_recipients.unwrap_or_default(),
    };
    let with = |amount: Option<NanoUsd>| {
        amount.map(|amount| Terms {
            amount,
            ..terms.clone()
        })
    };
    let mut tx = app.store.change().await?;
    if tx.find_team(id.as_str()).await?.is_none() {
        return Err(not_found("team", id.as_str()));
    }
    let team = settle(
        app,
        &mut tx,
        &BudgetScope::Team(id.clone()),
        with(pooled).as_ref(),
    )
    .await?;
    let members = settle(
        app,
        &mut tx,
        &BudgetScope::EachMember(id.clone()),
        with(each).as_ref(),
    )
    .await?;
    let before = json!({"team": team.before, "each_member": members.before});
    let after = json!({"team": team.after, "each_member": members.after});
    let details = Changed::updated(&before, &after);
    let entry = app.audit(actor, "team.set_budget", ObjectKind::Team, id.as_str(), details);
    tx.commit(app.now_ms(), entry).await?;
    team_budget(app, actor, id).await
}

/// Takes the budgets of a team and of each of its members away.
///
/// # Errors
/// [`Code::NotFound`], [`Code::Forbidden`] for members.
pub async fn clear_team(app: &App, actor: &Actor, id: &TeamId) -> Result<(), Problem> {
    set_team(app, actor, id, SetTeamBudget::default()).await?;
    Ok(())
}

/// What each user may spend for whom nothing else is set.
///
/// # Errors
/// [`Code::Forbidden`] for members.
pub async fn default_budget(app: &App, actor: &Actor) -> Result<DefaultBudgetView, Problem> {
    actor.require_all(Permission::Read(Area::WiderBudgets))?;
    let rows = of_scope(app, BudgetScope::EachUser).await?;
    let budget = shown(app, spoken_of(&rows, None)).await?;
    let first = budget.as_ref();
    Ok(DefaultBudgetView {
        budget_amount_usd: first.map(|view| view.amount_usd),
        budget_period: first.map_or(Period::Monthly, |view| view.period),
        budget_policy: policy_shown(first),
        notify_recipients: first.map(|view| view.notify_recipients).unwrap_or_default(),
        mode: first.map(|view| view.mode).unwrap_or_default(),
        time_zone: first.map_or_else(|| "UTC".to_owned(), |view| view.time_zone.clone()),
        affected_user_count: app.store.count_users_by_default().await?,
        budget,
    })
}

/// Says what each user may spend for whom nothing else is set.
///
/// # Errors
/// As [`set_team`].
pub async fn set_default_budget(
    app: &App,
    actor: &Actor,
    request: SetDefaultBudget,
) -> Result<DefaultBudgetView, Problem> {
    actor.require_all(Permission::Change(Area::WiderBudgets))?;
    let wanted = match request.budget_amount_usd {
        None => None,
        Some(amount) => Some(Terms {
            amount: check::amount("budget_amount_usd", amount)?,
            period: request.budget_period.unwrap_or(Period::Monthly),
            time_zone: check::time_zone("time_zone", request.time_zone.as_deref())?,
            mode: request.mode.unwrap_or_default(),
            rules: check::policy(app, "budget_policy", request.budget_policy).await?,
            notify: request.notify_recipients.unwrap_or_default(),
        }),
    };
    let mut tx = app.store.change().await?;
    let done = settle(app, &mut tx, &BudgetScope::EachUser, wanted.as_ref()).await?;
    let entry = app.audit(
        actor,
        "settings.default_budget",
        ObjectKind::Settings,
        "default-budget",
        done.changed(),
    );
    tx.commit(app.now_ms(), entry).await?;
    default_budget(app, actor).await
}

/// What a user may spend, whichever team pays.
///
/// # Errors
/// [`Code::NotFound`], [`Code::Forbidden`] for members.
pub async fn spend_limit(app: &App, actor: &Actor, id: &UserId) -> Result<SpendLimitView, Problem> {
    let permission = Permission::Read(Area::WiderBudgets);
    actor.require_some(permission)?;
    reached(actor, permission, id, app.store.find_user(id.as_str()).await?)?;
    let rows = of_scope(app, BudgetScope::User(id.clone())).await?;
    let budget = shown(app, spoken_of(&rows, None)).await?;
    Ok(SpendLimitView {
        user_id: id.clone(),
        limit_usd: budget.as_ref().map(|view| view.amount_usd),
        budget,
    })
}

/// Says what a user may spend. What the request does not name stays as it was.
///
/// # Errors
/// As [`set_team`].
pub async fn set_spend_limit(
    app: &App,
    actor: &Actor,
    id: &UserId,
    request: SetSpendLimit,
) -> Result<SpendLimitView, Problem> {
    actor.require_all(Permission::Change(Area::WiderBudgets))?;
    let amount = request
        .limit_usd
        .map(|a| check::amount("limit_usd", a))
        .transpose()?;
    let zone = match &request.time_zone {
        Some(name) => Some(check::time_zone("time_zone", Some(name))?),
        None => None,
    };
    let rules = match request.policy {
        Some(policy) => Some(check::policy(app, "policy", Some(policy)).await?),
        None => None,
    };
    let standard = check::policy(app, "policy", None).await?;
    let scope = BudgetScope::User(id.clone());
    let mut tx = app.store.change().await?;
    if tx.find_user(id.as_str()).await?.is_none() {
        return Err(not_found("user", id.as_str()));
    }
    let rows = tx.list_budgets_of(&scope).await?;
    let before = spoken_of(&rows, request.period);
    let notify = before.map(recipients).unwrap_or_default();
    let before = before.map(budget).transpose()?;
    let wanted = amount.map(|amount| Terms {
        amount,
        period: request
            .period
            .or(before.as_ref().map(|b| b.period))
            .unwrap_or(Period::Monthly),
        time_zone: zone
            .or(before.as_ref().map(|b| b.time_zone.clone()))
            .unwrap_or(TimeZone::UTC),
        mode: request
            .mode
            .or(before.as_ref().map(|b| b.mode))
            .unwrap_or_default(),
        rules: rules.or(before.map(|b| b.rules)).unwrap_or(standard),
        notify,
    });
    let done = settle(app, &mut tx, &scope, wanted.as_ref()).await?;
    let entry = app.audit(
        actor,
        "user.set_spend_limit",
        ObjectKind::User,
        id.as_str(),
        done.changed(),
    );
    tx.commit(app.now_ms(), entry).await?;
    spend_limit(app, actor, id).await
}
