//! What bounds a caller's requests: found once, and known until the configuration changes or a period ends.

use super::notice::Written;
use super::permit::{self, Bound};
use super::slot::{Of, Slot};
use super::slots::Slots;
use super::{Allowances, Current, Scope};
use crate::sync::ConfigView;
use ccag_domain::period::rfc3339_in;
use ccag_domain::{AccountId, Caller, KeyId, Stretch, UnixMs};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

/// An account that is there as soon as a request needs it.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) id: AccountId,
    of: Of,
    slot: OnceLock<Arc<Slot>>,
}

impl Account {
    pub(super) fn new(id: AccountId, of: Of) -> Self {
        Self {
            id,
            of,
            slot: OnceLock::new(),
        }
    }

    /// What this data plane has of it.
    pub(super) fn slot(&self, slots: &Slots) -> &Arc<Slot> {
        self.slot.get_or_init(|| slots.get(&self.id, self.of))
    }

    /// The same, if some request has needed it.
    pub(super) fn known(&self, slots: &Slots) -> Option<Arc<Slot>> {
        self.slot.get().cloned().or_else(|| slots.find(&self.id))
    }
}

/// A budget, in the period that is.
#[derive(Debug)]
pub(super) struct Governing {
    pub(super) account: Account,
    current: Arc<Current>,
}

impl Governing {
    /// The budget, as a request at this moment sees it.
    pub(super) fn at(&self, now: UnixMs) -> Scope {
        Scope {
            current: Arc::clone(&self.current),
            now,
        }
    }
}

/// What bounds the requests of a caller.
#[derive(Debug)]
pub(super) struct Governed {
    caller: Caller,
    key_rate: Option<u32>,
    /// As long as all of its budgets are in the periods that are meant here.
    during: Stretch,
    pub(super) budgets: Vec<Governing>,
    pub(super) bounds: Vec<Arc<Bound>>,
}

impl Governed {
    fn find(view: &ConfigView, caller: &Caller, key_rate: Option<u32>, now: UnixMs) -> Self {
        let team_name = permit::team_name(view, caller);
        let mut during = Stretch {
            start_ms: UnixMs::MIN,
            end_ms: UnixMs::MAX,
        };
        let budgets = view.budgets().of(caller).into_iter().map(|budget| {
            let account = budget.account(now, caller.user_id.as_ref());
            let Stretch { start_ms, end_ms } = account.stretch;
            during.start_ms = during.start_ms.max(start_ms);
            during.end_ms = during.end_ms.min(end_ms);
            Governing {
                account: Account::new(account.id, Of::Money { end_ms }),
                current: Arc::new(Current {
                    budget: Arc::clone(budget),
                    team_name: team_name.clone(),
                    resets_at: end_ms,
                    resets: rfc3339_in(end_ms, &budget.time_zone),
                    written: Written::default(),
                }),
            }
        });
        let budgets = budgets.collect();
        Self {
            caller: caller.clone(),
            key_rate,
            during,
            budgets,
            bounds: permit::bounds(view, caller, key_rate, team_name.as_ref()),
        }
    }

    fn is_about(&self, caller: &Caller, key_rate: Option<u32>, now: UnixMs) -> bool {
        self.during.contains(now) && self.key_rate == key_rate && self.caller == *caller
    }
}

/// What is known of callers.
#[derive(Debug, Default)]
pub(super) struct Callers(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// By which configuration.
    view: Weak<ConfigView>,
    by_key: HashMap<KeyId, Arc<Governed>>,
}

impl Callers {
    /// Accounts are gone that may be known here.
    pub(super) fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Known::default();
    }
}

impl Allowances {
    /// What bounds a caller's requests at this moment.
    pub(super) fn governed(
        &self,
        view: &Arc<ConfigView>,
        caller: &Caller,
        key_rate: Option<u32>,
        now: UnixMs,
    ) -> Arc<Governed> {
        {
            let known = self.callers.0.lock().unwrap_or_else(PoisonError::into_inner);
            if std::ptr::eq(known.view.as_ptr(), Arc::as_ptr(view))
                && let Some(governed) = known.by_key.get(&caller.key_id)
                && governed.is_about(caller, key_rate, now)
            {
                return Arc::clone(governed);
            }
        }
        let governed = Arc::new(Governed::find(view, caller, key_rate, now));
        let mut known = self.callers.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !std::ptr::eq(known.view.as_ptr(), Arc::as_ptr(view)) {
            *known = Known {
                view: Arc::downgrade(view),
                by_key: HashMap::new(),
            };
        }
        known.by_key.insert(caller.key_id.clone(), Arc::clone(&governed));
        governed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ccag_domain::{Budget, BudgetId, BudgetScope, ConfigObject, Period, Revision};
    use prometheus_client::metrics::counter::Counter;

    const DAY_MS: i64 = 86_400_000;

    fn view(budgets: &[(&str, BudgetScope)]) -> Arc<ConfigView> {
        let mut view = ConfigView::empty("e", Revision(1));
        for (id, scope) in budgets {
            let budget = Budget {
                period: Period::Daily,
                ..Budget::sealed(BudgetId::parse(id).unwrap(), scope.clone())
            };
            view.put(ConfigObject::Budget(budget)).unwrap();
        }
        Arc::new(view)
    }

    fn accounts(governed: &Governed) -> Vec<&str> {
        governed.budgets.iter().map(|of| of.account.id.as_str()).collect()
    }

    #[test]
    fn what_bounds_a_caller_is_found_anew_when_that_changes_and_not_otherwise() {
        let allowances = Allowances::new(Counter::default());
        let caller = Caller {
            key_id: KeyId::parse("key_1").unwrap(),
            user_id: None,
            team_id: None,
        };
        let find =
            |view: &Arc<ConfigView>, caller: &Caller, rate, now| allowances.governed(view, caller, rate, now);
        let one = view(&[("bud_1", BudgetScope::Organisation)]);
        let first = find(&one, &caller, None, 5);
        assert_eq!(accounts(&first), ["bud_1/0"]);
        assert!(first.bounds.is_empty());
        assert!(Arc::ptr_eq(&first, &find(&one, &caller, None, DAY_MS - 1)));
        // The next day, and, should the clock be set back, the day before.
        assert_eq!(accounts(&find(&one, &caller, None, DAY_MS)), ["bud_1/86400000"]);
        assert_eq!(accounts(&find(&one, &caller, None, 5)), ["bud_1/0"]);
        // A rate of the key's, and another team.
        assert_eq!(find(&one, &caller, Some(3), 5).bounds.len(), 1);
        let moved = Caller {
            team_id: ccag_domain::TeamId::parse("team_1").ok(),
            ..caller.clone()
        };
        let team = BudgetScope::Team(ccag_domain::TeamId::parse("team_1").unwrap());
        let two = view(&[("bud_1", BudgetScope::Organisation), ("bud_2", team)]);
        assert_eq!(accounts(&find(&two, &caller, None, 5)), ["bud_1/0"]);
        assert_eq!(accounts(&find(&two, &moved, None, 5)), ["bud_1/0", "bud_2/0"]);
        assert_eq!(accounts(&find(&two, &caller, None, 5)), ["bud_1/0"]);
        // A budget that is gone.
        assert!(find(&view(&[]), &caller, None, 5).budgets.is_empty());
    }

    #[test]
    fn an_account_is_there_when_a_request_needs_it_and_not_before() {
        let slots = Slots::default();
        let id = AccountId::parse("bud_1/0").unwrap();
        let of = Of::Money { end_ms: DAY_MS };
        let (account, other) = (Account::new(id.clone(), of), Account::new(id, of));
        assert!(account.known(&slots).is_none() && slots.is_empty());
        let slot = account.slot(&slots);
        assert!(Arc::ptr_eq(slot, &other.known(&slots).unwrap()));
        assert!(Arc::ptr_eq(slot, other.slot(&slots)));
    }
}
