//! What data planes use of AWS's quotas, handed on to the others with every sign of life.
//!
//! Those that follow this control plane say so themselves; what the others use stands in the database, some seconds old. If
//! that cannot be read, data planes are told of how many it is not known, and leave these their part.

use crate::app::App;
use crate::app::quota_use::{MAX_PARTIES, MAX_QUOTAS, QuotaUse, of_row, sum};
use ccag_daemon::Lifecycle;
use ccag_proto::v1;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How often it is looked what data planes use that follow other control planes, and how long that may take.
const LOOK_EVERY: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(4);

/// What was read is believed for so long.
const BELIEVED: Duration = Duration::from_secs(20);

/// One per process.
#[derive(Clone, Default)]
pub(crate) struct Shares(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// Those that follow this control plane, by their ids.
    near: HashMap<String, Near>,
    /// What all rows said when they were read last, and when that was.
    rows: HashMap<String, Vec<QuotaUse>>,
    read_at: Option<Instant>,
}

struct Near {
    /// Which stream it is.
    stream: String,
    said: Option<Vec<QuotaUse>>,
}

impl Shares {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to look what others use.
    pub(crate) fn start(&self, app: App, life: &Lifecycle) {
        let (shares, shutdown) = (self.clone(), life.shutdown());
        life.spawn("quotas that other data planes use", async move {
            loop {
                shares.look(&app).await;
                tokio::select! {
                    () = tokio::time::sleep(LOOK_EVERY) => {}
                    () = shutdown.cancelled() => return,
                }
            }
        });
    }

    async fn look(&self, app: &App) {
        let rows = match tokio::time::timeout(PATIENCE, app.store.list_replicas()).await {
            Ok(Ok(rows)) => rows,
            Ok(Err(_)) | Err(_) => return app.metrics.db_error("quotas"),
        };
        let now = app.now_ms();
        let rows = rows
            .iter()
            .filter_map(|row| Some((row.id.clone(), of_row(row, now)?)));
        let mut state = self.state();
        state.rows = rows.collect();
        state.read_at = Some(Instant::now());
    }

    /// A data plane follows.
    pub(super) fn joined(&self, id: &str, stream: &str) {
        let near = Near {
            stream: stream.to_owned(),
            said: None,
        };
        self.state().near.insert(id.to_owned(), near);
    }

    /// It says what it uses.
    pub(super) fn said(&self, id: &str, uses: Vec<QuotaUse>) {
        if let Some(near) = self.state().near.get_mut(id) {
            near.said = Some(uses);
        }
    }

    /// Its stream has ended, unless there is a newer one already.
    pub(super) fn left(&self, id: &str, stream: &str) {
        let mut state = self.state();
        if state.near.get(id).is_some_and(|near| near.stream == stream) {
            state.near.remove(id);
            // Until it is seen elsewhere, what it said last counts.
        }
    }

    /// What all others use, for a data plane.
    pub(super) fn of_others(&self, id: &str) -> v1::QuotaShares {
        let state = self.state();
        let is_fresh = state.read_at.is_some_and(|at| at.elapsed() < BELIEVED);
        let near = state.near.iter().filter(|(other, _)| *other != id);
        let far = state
            .rows
            .iter()
            .filter(|(other, _)| *other != id && !state.near.contains_key(*other));
        let others = near.clone().count() + far.clone().count();
        let near: Vec<&Vec<QuotaUse>> = near.filter_map(|(_, one)| one.said.as_ref()).collect();
        let far: Vec<&Vec<QuotaUse>> = far.map(|(_, uses)| uses).filter(|_| is_fresh).collect();
        let known = near.len() + far.len();
        let all = sum(near.into_iter().chain(far).flatten());
        v1::QuotaShares {
            others: all.into_iter().map(to_wire).collect(),
            data_planes: u32::try_from(others + 1).unwrap_or(u32::MAX),
            known: u32::try_from(known).unwrap_or(u32::MAX),
        }
    }
}

fn to_wire(one: QuotaUse) -> v1::QuotaUse {
    let parties = one.parties.into_iter();
    v1::QuotaUse {
        quota: one.quota,
        counted: one.counted,
        parties: parties
            .map(|(party, counted)| v1::PartyUse { party, counted })
            .collect(),
    }
}

/// What a data plane says, as far as it is kept.
pub(super) fn read(uses: Vec<v1::QuotaUse>) -> Vec<QuotaUse> {
    let one = |one: v1::QuotaUse| {
        let parties = one.parties.into_iter().take(MAX_PARTIES);
        QuotaUse {
            quota: one.quota,
            counted: one.counted,
            parties: parties.map(|party| (party.party, party.counted)).collect(),
        }
    };
    uses.into_iter().take(MAX_QUOTAS).map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uses(quota: u64, counted: u64) -> Vec<QuotaUse> {
        vec![QuotaUse {
            quota,
            counted,
            parties: vec![(7, counted)],
        }]
    }

    fn told(shares: &Shares, id: &str) -> (u32, u32, u64) {
        let told = shares.of_others(id);
        let counted = told.others.iter().map(|one| one.counted).sum();
        (told.data_planes, told.known, counted)
    }

    #[test]
    fn each_is_told_what_the_others_use_and_of_how_many_it_is_not_known() {
        let shares = Shares::default();
        assert_eq!(told(&shares, "a"), (1, 0, 0));
        shares.joined("a", "1");
        shares.joined("b", "1");
        assert_eq!(told(&shares, "a"), (2, 0, 0));
        shares.said("a", uses(1, 10));
        shares.said("b", uses(1, 20));
        // One more elsewhere; of those that are here the database has nothing newer.
        let rows = [("b", 5), ("c", 30)];
        let rows = rows.map(|(id, counted)| (id.to_owned(), uses(1, counted)));
        shares.state().rows = HashMap::from(rows);
        assert_eq!(told(&shares, "a"), (3, 1, 20), "not read in time");
        shares.state().read_at = Some(Instant::now());
        assert_eq!(told(&shares, "a"), (3, 2, 50));
        assert_eq!(told(&shares, "c"), (3, 2, 30));
        assert_eq!(shares.of_others("a").others[0].parties[0].counted, 50);
        // A stream that ended late does not take the newer one along.
        shares.joined("b", "2");
        shares.left("b", "1");
        shares.said("b", uses(1, 21));
        assert_eq!(told(&shares, "a"), (3, 2, 51));
        shares.left("b", "2");
        assert_eq!(told(&shares, "a"), (3, 2, 35));
    }
}
