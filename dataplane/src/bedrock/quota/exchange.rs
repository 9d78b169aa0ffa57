//! What data planes tell each other through the control plane: how much of each quota they use, and who.
//!
//! It goes along with the signs of life that are sent anyway, so what is known of others is some seconds old. No request waits
//! for it.

use super::bucket::{Elsewhere, Part};
use super::{Heard, Quotas};
use ccag_proto::v1;
use std::collections::HashMap;
use std::sync::PoisonError;
use tokio::time::Instant;

/// So many quotas are told at most, and of each so many who have most of it.
const MAX_TOLD: usize = 500;
const MAX_PARTIES: usize = 16;

impl Quotas {
    /// What is counted here.
    pub(crate) fn told(&self) -> Vec<v1::QuotaUse> {
        let step = self.step();
        let buckets = self.places.buckets();
        let told = buckets.iter().filter_map(|bucket| bucket.told(MAX_PARTIES, step));
        let parties = |all: Vec<(u64, u64)>| {
            let all = all.into_iter();
            all.map(|(party, counted)| v1::PartyUse { party, counted })
                .collect()
        };
        told.take(MAX_TOLD)
            .map(|one| v1::QuotaUse {
                quota: one.digest,
                counted: one.counted,
                parties: parties(one.parties),
            })
            .collect()
    }

    /// What is counted elsewhere.
    pub(crate) fn heard(&self, shares: v1::QuotaShares) {
        let mut others: HashMap<u64, Elsewhere> = shares
            .others
            .into_iter()
            .map(|one| {
                let parties = one.parties.iter().map(|party| (party.party, party.counted));
                let elsewhere = Elsewhere {
                    counted: one.counted,
                    parties: parties.collect(),
                };
                (one.quota, elsewhere)
            })
            .collect();
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = Heard {
            at: Some(Instant::now()),
            part: Part {
                known: shares.known.saturating_add(1),
                of: shares.data_planes.max(1),
            },
        };
        for bucket in self.places.buckets() {
            bucket.heard(others.remove(&bucket.digest).unwrap_or_default());
        }
    }
}
