//! All accounts of this data plane, and which of them are to be spoken about.

use super::slot::{Of, Slot};
use ccag_domain::AccountId;
use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;
use tokio::time::Instant;

/// All accounts that this data plane knows.
#[derive(Debug, Default)]
pub(super) struct Slots {
    by_id: Mutex<HashMap<AccountId, Arc<Slot>>>,
    /// Those to be spoken about with the next message.
    listed: Mutex<Vec<Arc<Slot>>>,
    /// When to look after those with permits that come back by themselves.
    due: Mutex<BinaryHeap<Due>>,
    /// Told when there is one that was not there.
    pub(super) added: Notify,
}

/// An appointment; the earliest is the greatest.
#[derive(Debug)]
struct Due(Instant, Arc<Slot>);

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> Ordering {
        other.0.cmp(&self.0)
    }
}

impl Slots {
    /// The account with this name.
    pub(super) fn get(&self, id: &AccountId, of: Of) -> Arc<Slot> {
        let mut by_id = self.by_id.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = by_id.get(id) {
            return Arc::clone(slot);
        }
        let slot = Arc::new(Slot::new(id.clone(), of));
        by_id.insert(id.clone(), Arc::clone(&slot));
        self.added.notify_one();
        slot
    }

    pub(super) fn all(&self) -> Vec<Arc<Slot>> {
        let by_id = self.by_id.lock().unwrap_or_else(PoisonError::into_inner);
        by_id.values().cloned().collect()
    }

    pub(super) fn find(&self, id: &AccountId) -> Option<Arc<Slot>> {
        let by_id = self.by_id.lock().unwrap_or_else(PoisonError::into_inner);
        by_id.get(id).cloned()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_id
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_empty()
    }

    /// It is to be spoken about.
    pub(super) fn list(&self, slot: &Arc<Slot>) {
        if slot.list() {
            let mut listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
            listed.push(Arc::clone(slot));
        }
    }

    /// Takes the list.
    pub(super) fn take_listed(&self) -> Vec<Arc<Slot>> {
        let mut listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = std::mem::take(&mut *listed);
        for slot in &taken {
            slot.unlist();
        }
        taken
    }

    /// Forgets accounts whose period is over and of which nothing is held; true if there were such.
    pub(super) fn forget_over(&self, now: i64) -> bool {
        const KEPT_MS: i64 = 3_600_000;
        let mut by_id = self.by_id.lock().unwrap_or_else(PoisonError::into_inner);
        let before = by_id.len();
        by_id.retain(|_, slot| match slot.of {
            Of::Money { end_ms } => end_ms.saturating_add(KEPT_MS) > now || !slot.is_idle(),
            Of::Permits => true,
        });
        by_id.len() < before
    }

    /// Permits that are taken stay so until then, and the rest are free again.
    pub(super) fn cool(&self, slot: &Arc<Slot>, reserved: i64, amount: i64, until: Instant) {
        if let Some(at) = slot.cool(reserved, amount, until) {
            let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
            due.push(Due(at, Arc::clone(slot)));
        }
        if amount < reserved {
            slot.changed.notify_waiters();
            self.list(slot);
        }
    }

    /// Looks after permits that are free again by now.
    pub(super) fn ripen(&self, now: Instant) {
        loop {
            let next = {
                let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
                match due.peek() {
                    Some(Due(at, _)) if *at <= now => due.pop(),
                    _ => None,
                }
            };
            let Some(Due(came, slot)) = next else { return };
            let (freed, again) = slot.ripen(came, now);
            if freed {
                slot.changed.notify_waiters();
                self.list(&slot);
            }
            if let Some(at) = again {
                let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
                due.push(Due(at, slot));
            }
        }
    }
}
