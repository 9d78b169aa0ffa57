//! How many connections there may be, and who makes room.

use super::activity::Activity;
use crate::Lifecycle;
use crate::lifecycle::Closed;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many connections may be told at once that there is no room for them. More are closed without a word.
const REFUSALS: usize = 64;

/// The connections that are open.
#[derive(Debug, Clone)]
pub(super) struct Room {
    max: usize,
    open: Arc<Mutex<Open>>,
}

#[derive(Debug, Default)]
struct Open {
    served: HashMap<u64, Arc<Activity>>,
    refused: usize,
    next: u64,
}

/// A connection's place, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) activity: Arc<Activity>,
    /// `None` for one that gets nothing but a refusal.
    number: Option<u64>,
    open: Arc<Mutex<Open>>,
}

/// A value is whole after every line that holds this lock, so a panic elsewhere does not spoil it.
fn lock(open: &Mutex<Open>) -> MutexGuard<'_, Open> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Room {
    pub(super) fn new(max: usize) -> Self {
        Self {
            max,
            open: Arc::default(),
        }
    }

    /// A place for a new connection: one of its own, that of a connection which has no request, or one for being refused.
    /// `None` if there is not even that.
    pub(super) fn take(&self, life: &Lifecycle) -> Option<Place> {
        let mut open = lock(&self.open);
        let activity = Activity::new();
        let has_room = open.served.len() < self.max || open.evict();
        let number = if has_room {
            let number = open.next;
            open.next += 1;
            open.served.insert(number, Arc::clone(&activity));
            Some(number)
        } else {
            life.closed(Closed::Full);
            if open.refused >= REFUSALS {
                return None;
            }
            open.refused += 1;
            None
        };
        Some(Place {
            activity,
            number,
            open: Arc::clone(&self.open),
        })
    }
}

impl Open {
    /// Ends the connection that has been without a request for longest; false if all have one.
    fn evict(&mut self) -> bool {
        let quiet = self
            .served
            .iter()
            .filter_map(|(number, activity)| Some((activity.quiet_since()?, *number)))
            .min();
        let evicted = quiet.and_then(|(_, number)| self.served.remove(&number));
        evicted.inspect(|activity| activity.evicted.cancel()).is_some()
    }
}

impl Place {
    /// Whether its request is refused.
    pub(super) fn is_refusal(&self) -> bool {
        self.number.is_none()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = lock(&self.open);
        match self.number {
            Some(number) => {
                open.served.remove(&number);
            }
            None => open.refused -= 1,
        }
    }
}
