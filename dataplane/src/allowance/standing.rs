//! How a caller's budgets stand, for those who ask without a request of their own.

use super::slot::{Of, Slot};
use super::{Allowances, ConfigView};
use ccag_domain::{Caller, NanoUsd, Period, Standing, UnixMs};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long it is waited for what the control plane says: it speaks of every account within a quarter of a second.
const PATIENCE: Duration = Duration::from_secs(1);

impl Allowances {
    /// How the budgets stand that bound a caller's spending, as the control plane says now, or, where it does not answer
    /// within a second, as it said last. Those of which it has never said anything are left out.
    pub(crate) async fn standings(&self, view: &ConfigView, caller: &Caller, now: UnixMs) -> Vec<Standing> {
        let budgets = view.budgets().of(caller);
        let slots: Vec<(Arc<Slot>, u64, UnixMs)> = budgets
            .iter()
            .map(|budget| {
                let account = budget.account(now, caller.user_id.as_ref());
                let end_ms = account.stretch.end_ms;
                let slot = self.slots.get(&account.id, Of::Money { end_ms });
                let answers = slot.answers();
                self.slots.list(&slot);
                (slot, answers, end_ms)
            })
            .collect();
        // Opens the stream, should nobody have needed it yet.
        self.wake.notify_one();
        let deadline = Instant::now() + PATIENCE;
        for (slot, before, _) in &slots {
            self.hear_of(slot, *before, deadline).await;
        }
        let standing =
            |(budget, (slot, _, end_ms)): (&&Arc<ccag_domain::Budget>, &(Arc<Slot>, u64, UnixMs))| {
                let known = slot.answers() > 0;
                known.then(|| Standing {
                    period: budget.period,
                    amount: budget.amount_at(now),
                    spent: NanoUsd(slot.state().spent),
                    resets_at: (budget.period != Period::Total).then_some(*end_ms),
                })
            };
        budgets.iter().zip(&slots).filter_map(standing).collect()
    }

    /// Waits until the control plane has spoken of an account once more, or it makes no sense to wait.
    async fn hear_of(&self, slot: &Slot, before: u64, deadline: Instant) {
        loop {
            let mut changed = std::pin::pin!(slot.changed.notified());
            changed.as_mut().enable();
            if slot.answers() > before || self.is_unreachable() {
                return;
            }
            if tokio::time::timeout_at(deadline, changed).await.is_err() {
                return;
            }
        }
    }
}
