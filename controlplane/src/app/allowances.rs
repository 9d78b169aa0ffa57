//! Granting shares of budgets and limits to data planes.
//!
//! The arithmetic is [`ccag_allowance`]'s, the rows are the store's; here they are brought together, in transactions that
//! any control plane on the database can carry out.

use super::App;
use crate::store::allowances::{Begun, HolderStream, LeaseTx};
use crate::store::{StoreError, budgets, limits};
use ccag_allowance::{Answer, Refusal, Report, Totals, Want};
use ccag_domain::account::AccountOf;
use ccag_domain::{AccountId, AccountName, Budget, BudgetAction, Limit, UnixMs};
use std::collections::{HashMap, HashSet};

/// For how long a data plane may use what it holds after it sent the last message that was answered, in milliseconds.
pub const LEASE_MS: i64 = 30_000;

/// How long nothing may be heard of a data plane before it counts as lost, in milliseconds: well after its lease has run
/// out, by whichever clock, and so that its share is back within a minute.
pub const LOST_AFTER_MS: i64 = 50_000;

/// How far ahead of us the clock of a data plane may be that asks for a period which has not begun here, in milliseconds.
const AHEAD_MS: i64 = 60_000;

/// For how long it is remembered who held what of a period that is over, in milliseconds: records may still come.
const KEPT_MS: i64 = 7 * ccag_domain::time::DAY_MS;

/// A newer stream of the same data plane has begun: this one must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Superseded;

/// About one account: what a data plane says, and what it wishes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// The account's name, as it was sent.
    pub account: String,
    /// What is asked for.
    pub want: Want,
    /// What was given back in this run.
    pub returned: i64,
    /// What the data plane has.
    pub said: Report,
}

/// The answer to a [`Wish`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granted {
    /// The account's name.
    pub account: String,
    /// What is granted; `None` if there is no such account.
    pub answer: Option<Answer>,
    /// What is spent by records that have arrived.
    pub spent: i64,
    /// What is granted to data planes, this one included.
    pub held: i64,
}

/// A data plane begins a stream, with what it knows to hold, and, by account, what requests had used that ran when earlier
/// runs ended. Returns how many data planes there are.
///
/// # Errors
/// [`StoreError`] if the database is not able to take it now.
pub(crate) async fn hello(
    app: &App,
    from: &HolderStream,
    totals: &[(String, Totals)],
    unrecorded: &HashMap<String, i64>,
) -> Result<Result<u32, Superseded>, StoreError> {
    let tx = app.store.lease().await?;
    match tx.begin_stream(from, app.now_ms()).await? {
        Begun::Superseded => return Ok(Err(Superseded)),
        Begun::Resumed => {
            let ids: Vec<String> = totals.iter().map(|(id, _)| id.clone()).collect();
            let mut books = tx.load(&ids, &from.replica_id).await?;
            for (id, totals) in totals {
                books.with(id, &from.replica_id, None, |account, holding| {
                    account.resume(holding, *totals)
                });
            }
            tx.save(books).await?;
        }
        Begun::Restarted => {
            let mut books = tx.load_all_of(&from.replica_id).await?;
            let ids: Vec<String> = books.accounts.keys().cloned().collect();
            for id in ids {
                let is_limit = books.is_limit(&id);
                books.with(&id, &from.replica_id, None, |account, holding| {
                    if is_limit {
                        account.forget(holding);
                    } else {
                        account.restart(holding, unrecorded.get(&id).copied());
                    }
                });
            }
            tx.save(books).await?;
        }
    }
    let holders = count_holders(&tx).await?;
    tx.commit().await?;
    Ok(Ok(holders))
}

async fn count_holders(tx: &LeaseTx) -> Result<u32, StoreError> {
    Ok(u32::try_from(tx.count_holders().await?).unwrap_or(u32::MAX))
}

/// An account that is asked about.
enum Known {
    /// Of a budget.
    Money { budget: Box<Budget>, of: AccountOf },
    /// Of a limit: the most permits that may be taken, and what the limit belongs to.
    Permits { ceiling: i64, owner: String },
}

impl Known {
    /// The most that may be settled and granted together.
    fn ceiling(&self, now: UnixMs) -> Option<i64> {
        match self {
            Self::Money { budget, .. } => budget.ceiling_at(now).map(|amount| amount.0),
            Self::Permits { ceiling, .. } => Some(*ceiling),
        }
    }

    /// Whether the account's period is over.
    fn is_over(&self, now: UnixMs) -> bool {
        match self {
            Self::Money { of, .. } => of.stretch.end_ms <= now - AHEAD_MS,
            Self::Permits { .. } => false,
        }
    }
}

/// What a message is answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answers {
    /// One for each wish.
    pub granted: Vec<Granted>,
    /// How many data planes there are.
    pub holders: u32,
}

/// Answers what a data plane asks for.
///
/// # Errors
/// [`StoreError`] if the database is not able to answer now.
pub(crate) async fn ask(
    app: &App,
    from: &HolderStream,
    wishes: &[Wish],
    earlier_runs_delivered: bool,
) -> Result<Result<Answers, Superseded>, StoreError> {
    let now = app.now_ms();
    let known = known(app, wishes, now).await?;
    open(app, &known).await?;
    let tx = app.store.lease().await?;
    if !tx.hear(from, now).await? {
        return Ok(Err(Superseded));
    }
    let holders = count_holders(&tx).await?;
    let ids: Vec<String> = known.keys().cloned().collect();
    let mut books = tx.load(&ids, &from.replica_id).await?;
    let mut granted = Vec::with_capacity(wishes.len());
    for wish in wishes {
        let mut answer = known.get(&wish.account).and_then(|known| {
            let ceiling = known.ceiling(now);
            // Of a period that is over nothing more is granted, except for requests that still run.
            let want = Want {
                comfort: if known.is_over(now) { 0 } else { wish.want.comfort },
                ..wish.want
            };
            books.with(&wish.account, &from.replica_id, ceiling, |account, holding| {
                if earlier_runs_delivered {
                    account.close_earlier_runs(holding);
                }
                account.report(holding, wish.returned, wish.said);
                let answer = account.grant(holding, want, holders);
                (answer, account.settled, account.held)
            })
        });
        if let Some((given, spent, _)) = &mut answer
            && given.refusal == Some(Refusal::Busy)
            && let Some(Known::Money { budget, .. }) = known.get(&wish.account)
            && let Some(ceiling) = budget.ceiling_at(now)
            && wish.want.least > ceiling.0 - *spent - tx.never_back(&wish.account).await?
        {
            // What is missing was with those who are not heard of any more, or did not live to say what they had used.
            given.refusal = Some(Refusal::Exhausted);
        }
        granted.push(Granted {
            account: wish.account.clone(),
            answer: answer.map(|(answer, _, _)| answer),
            spent: answer.map_or(0, |(_, spent, _)| spent),
            held: answer.map_or(0, |(_, _, held)| held),
        });
    }
    tx.save(books).await?;
    tx.commit().await?;
    Ok(Ok(Answers { granted, holders }))
}

/// What the accounts that are asked about are of, as far as there is such a thing.
async fn known(app: &App, wishes: &[Wish], now: UnixMs) -> Result<HashMap<String, Known>, StoreError> {
    let asked: Vec<(AccountId, AccountName)> = wishes
        .iter()
        .filter_map(|wish| {
            let id = AccountId::parse(&wish.account)?;
            let name = id.name()?;
            Some((id, name))
        })
        .collect();
    let (mut budgets, mut limits, mut keys) = (Vec::new(), Vec::new(), Vec::new());
    for (_, name) in &asked {
        match name {
            AccountName::Budget { budget, .. } | AccountName::Throttle { budget, .. } => {
                budgets.push(budget.to_string());
            }
            AccountName::Limit { limit, .. } => limits.push(limit.to_string()),
            AccountName::Key(key) => keys.push(key.to_string()),
        }
    }
    let budgets = budgets_by_id(app, budgets).await?;
    let limits = limits_by_id(app, limits).await?;
    let rates = app.store.list_key_rates(&keys).await?;
    let known = asked.into_iter().filter_map(|(id, name)| {
        let known = match name {
            AccountName::Budget {
                budget,
                start_ms,
                subject,
            } => {
                let budget = budgets.get(budget.as_str())?;
                let of = budget.account(start_ms, subject.as_ref());
                let sound =
                    of.id == id && start_ms <= now + AHEAD_MS && budget.scope.is_each() == subject.is_some();
                let budget = Box::new(budget.clone());
                sound.then_some(Known::Money { budget, of })?
            }
            AccountName::Throttle {
                budget,
                subject,
                rate,
                ..
            } => {
                let budget = budgets.get(budget.as_str())?;
                let slows = budget.rules.iter().any(|rule| {
                    matches!(rule.action, BudgetAction::Throttle { requests_per_minute } if requests_per_minute == rate)
                });
                let sound = slows && budget.scope.is_each() == subject.is_some();
                sound.then(|| Known::Permits {
                    ceiling: i64::from(rate),
                    owner: budget.id.to_string(),
                })?
            }
            AccountName::Limit { limit, subject } => {
                let limit = limits.get(limit.as_str())?;
                let sound = limit.scope.is_each() == subject.is_some();
                sound.then(|| Known::Permits {
                    ceiling: limit.ceiling(),
                    owner: limit.id.to_string(),
                })?
            }
            AccountName::Key(key) => Known::Permits {
                ceiling: *rates.get(key.as_str())?,
                owner: key.to_string(),
            },
        };
        Some((id.to_string(), known))
    });
    Ok(known.collect())
}

async fn budgets_by_id(app: &App, mut ids: Vec<String>) -> Result<HashMap<String, Budget>, StoreError> {
    ids.sort();
    ids.dedup();
    let rows = app.store.find_budgets(&ids).await?;
    let read = rows.into_iter().filter_map(|row| match budgets::budget(&row) {
        Ok(budget) => Some((row.id, budget)),
        Err(error) => {
            tracing::error!(id = row.id, %error, "a budget cannot be read: nothing is granted of it");
            None
        }
    });
    Ok(read.collect())
}

async fn limits_by_id(app: &App, mut ids: Vec<String>) -> Result<HashMap<String, Limit>, StoreError> {
    ids.sort();
    ids.dedup();
    let rows = app.store.find_limits(&ids).await?;
    let read = rows.into_iter().filter_map(|row| match limits::limit(&row) {
        Ok(limit) => Some((row.id, limit)),
        Err(error) => {
            tracing::error!(id = row.id, %error, "a limit cannot be read: data planes keep to it each by itself");
            None
        }
    });
    Ok(read.collect())
}

/// Makes the accounts that are not there yet.
async fn open(app: &App, known: &HashMap<String, Known>) -> Result<(), StoreError> {
    let ids: Vec<String> = known.keys().cloned().collect();
    let there = app.store.find_accounts(&ids).await?;
    let there: HashSet<&str> = there.iter().map(|row| row.id.as_str()).collect();
    let (mut money, mut permits) = (Vec::new(), Vec::new());
    for (id, known) in known.iter().filter(|(id, _)| !there.contains(id.as_str())) {
        match known {
            Known::Money { budget, of } => money.push((budget.id.clone(), of.clone())),
            Known::Permits { owner, .. } => permits.push((id.clone(), owner.clone())),
        }
    }
    if !money.is_empty() {
        app.store.insert_accounts(&money).await?;
    }
    if !permits.is_empty() {
        app.store.insert_limit_accounts(&permits).await?;
    }
    Ok(())
}

/// Forgets who held what of periods that are long over.
///
/// # Errors
/// [`StoreError`] if the database is not able to take it now.
pub(crate) async fn forget_over(app: &App) -> Result<(), StoreError> {
    app.store.delete_holdings_before(app.now_ms() - KEPT_MS).await?;
    Ok(())
}

/// Takes back what data planes had not used of which nothing is heard any more.
///
/// # Errors
/// [`StoreError`] if the database is not able to take it now.
pub(crate) async fn release_lost(app: &App) -> Result<(), StoreError> {
    let now = app.now_ms();
    for holder in app.store.list_silent_holders(now - LOST_AFTER_MS).await? {
        let tx = app.store.lease().await?;
        if !tx.lose(&holder).await? {
            continue;
        }
        let mut books = tx.load_all_of(&holder.replica_id).await?;
        let ids: Vec<String> = books.accounts.keys().cloned().collect();
        let mut back = 0i64;
        for id in ids {
            let is_limit = books.is_limit(&id);
            let released = books.with(&id, &holder.replica_id, None, |account, holding| {
                if is_limit {
                    account.take_back(holding);
                    0
                } else {
                    account.release(holding)
                }
            });
            back = back.saturating_add(released.unwrap_or(0));
        }
        tx.save(books).await?;
        tx.commit().await?;
        tracing::warn!(
            replica = holder.replica_id,
            released_nano_usd = back,
            "nothing is heard of a data plane: what it had not used of budgets, and what it had of limits, goes back to them"
        );
    }
    Ok(())
}
