//! When the control plane was last heard of, and what it said of everybody's shares.

use super::{HARD_LEASE, UNREACHABLE};
use ccag_domain::{Budget, BudgetMode, Posture};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How long what was granted may be used until the control plane has said so.
const FIRST_LEASE: Duration = Duration::from_secs(30);

/// When the control plane was last heard of.
#[derive(Debug, Default)]
pub(super) struct Contact(Mutex<Heard>);

/// The same at one moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    /// For how long nothing was heard; `None` if nothing ever was.
    pub(super) silence: Option<Duration>,
    /// How long what was granted may be used without hearing anything.
    pub(super) lease: Duration,
}

impl Now {
    /// Whether what was granted may be used for as long as this.
    fn is_within(self, lease: Duration) -> bool {
        // Before the first contact nothing was granted, and it is worth a try.
        self.silence.is_none_or(|silence| silence < lease)
    }

    /// Whether permits that were granted may be used.
    pub(super) fn may_hold(self) -> bool {
        self.is_within(self.lease)
    }

    /// Whether what was granted of a budget may be used.
    pub(super) fn may_use_granted(self, budget: &Budget) -> bool {
        self.is_within(match (budget.posture, budget.mode) {
            (Posture::Refuse, _) => UNREACHABLE,
            (_, BudgetMode::Balanced) => self.lease,
            (_, BudgetMode::Hard | BudgetMode::Fitting) => self.lease.min(HARD_LEASE),
        })
    }
}

#[derive(Debug, Default)]
struct Heard {
    /// When the last message was sent that was answered.
    at: Option<Instant>,
    lease: Option<Duration>,
    /// Whether the last attempt to be heard failed.
    failed: bool,
    /// How many data planes there are, as far as was said last.
    holders: u32,
}

impl Contact {
    pub(super) fn heard(&self, sent: Instant, lease: Option<Duration>) {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.at = Some(sent);
        heard.failed = false;
        heard.lease = lease.or(heard.lease);
    }

    /// So many data planes share what there is.
    pub(super) fn shared_by(&self, holders: u32) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).holders = holders;
    }

    /// How many data planes share what there is; 1 until that was said.
    pub(super) fn holders(&self) -> u32 {
        let heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.holders.max(1)
    }

    pub(super) fn failed(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).failed = true;
    }

    /// Whether it has never been heard of, and not for want of trying.
    pub(super) fn is_missed(&self) -> bool {
        let heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.at.is_none() && heard.failed
    }

    /// As it is now.
    pub(super) fn now(&self) -> Now {
        let heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Now {
            silence: heard.at.map(|at| at.elapsed()),
            lease: heard.lease.unwrap_or(FIRST_LEASE),
        }
    }
}
