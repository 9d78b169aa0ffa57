//! What counts against quotas of AWS's, as data planes say: kept with each of them, added up for the others and for people.

use super::{App, fleet};
use crate::store::StoreError;
use crate::store::entity::replica;
use ccag_domain::UnixMs;
use std::collections::HashMap;

/// So many quotas are kept of what a data plane says, and of each so many who have most of it.
pub(crate) const MAX_QUOTAS: usize = 500;
pub(crate) const MAX_PARTIES: usize = 16;

/// What counts against one quota at one data plane, or at several.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub(crate) struct QuotaUse {
    /// What data planes call it: a digest of account, region and code.
    pub(crate) quota: u64,
    pub(crate) counted: u64,
    /// Whose it is, by a digest of the id.
    pub(crate) parties: Vec<(u64, u64)>,
}

/// What a data plane said last, if it is connected: what it used that is gone is nobody's.
pub(crate) fn of_row(row: &replica::Model, now_ms: UnixMs) -> Option<Vec<QuotaUse>> {
    let is_there = row.connected && now_ms - row.last_seen_ms < fleet::SILENT_MS;
    is_there.then(|| serde_json::from_str(&row.quota_use).unwrap_or_default())
}

/// What several say together.
pub(crate) fn sum<'u>(all: impl Iterator<Item = &'u QuotaUse>) -> Vec<QuotaUse> {
    let mut sums: HashMap<u64, (u64, HashMap<u64, u64>)> = HashMap::new();
    for one in all {
        let (counted, parties) = sums.entry(one.quota).or_default();
        *counted = counted.saturating_add(one.counted);
        for (party, used) in &one.parties {
            let sum = parties.entry(*party).or_default();
            *sum = sum.saturating_add(*used);
        }
    }
    let one = |(quota, (counted, parties)): (u64, (u64, HashMap<u64, u64>))| QuotaUse {
        quota,
        counted,
        parties: parties.into_iter().collect(),
    };
    sums.into_iter().map(one).collect()
}

/// What counts against each quota at all data planes, by digest; how fresh it is their rows say.
///
/// # Errors
/// [`StoreError`].
pub(crate) async fn counted(app: &App) -> Result<HashMap<u64, u64>, StoreError> {
    let now = app.now_ms();
    let rows = app.store.list_replicas().await?;
    let all: Vec<QuotaUse> = rows.iter().filter_map(|row| of_row(row, now)).flatten().collect();
    let sums = sum(all.iter()).into_iter();
    Ok(sums.map(|one| (one.quota, one.counted)).collect())
}
