//! Latency histograms that can be added up: percentiles over any hours, teams or models come from merged counts.
//!
//! Buckets grow by a factor of 2^(1/4), so a percentile is known to within 19 %. Only buckets that hold something are
//! written.

use std::collections::BTreeMap;

/// How long requests took from arrival to the end, and from arrival to the first content.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Latency {
    /// Duration: bucket → count.
    #[serde(default, rename = "d", skip_serializing_if = "BTreeMap::is_empty")]
    duration: BTreeMap<u16, u64>,
    /// Time to the first content.
    #[serde(default, rename = "f", skip_serializing_if = "BTreeMap::is_empty")]
    first_token: BTreeMap<u16, u64>,
}

/// The number of the bucket that holds `ms`: four per doubling.
fn bucket(ms: u64) -> u16 {
    let ms = ms.max(1);
    let octave = ms.ilog2();
    let base = 1u64 << octave;
    // Which quarter of the octave, on a logarithmic scale: thresholds 2^(1/4), 2^(2/4), 2^(3/4) in thousandths.
    let permille = u128::from(ms) * 1_000 / u128::from(base);
    let quarter = [1_190, 1_415, 1_682].iter().filter(|t| permille >= **t).count();
    u16::try_from(octave * 4).unwrap_or(u16::MAX) + u16::try_from(quarter).unwrap_or(0)
}

/// The largest whole number of milliseconds that a bucket holds.
fn upper_ms(bucket: u16) -> u64 {
    let next = [1_190u128, 1_415, 1_682, 2_000][usize::from(bucket % 4)];
    let base = 1u128 << (bucket / 4).min(63);
    u64::try_from((base * next).div_ceil(1_000).saturating_sub(1))
        .unwrap_or(u64::MAX)
        .max(1)
}

impl Latency {
    /// Adds one request.
    pub fn record(&mut self, duration_ms: u64, first_token_ms: Option<u64>) {
        *self.duration.entry(bucket(duration_ms)).or_default() += 1;
        if let Some(ms) = first_token_ms {
            *self.first_token.entry(bucket(ms)).or_default() += 1;
        }
    }

    /// Adds what another one counted.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in [
            (&mut self.duration, &other.duration),
            (&mut self.first_token, &other.first_token),
        ] {
            for (bucket, count) in theirs {
                let slot = mine.entry(*bucket).or_default();
                *slot = slot.saturating_add(*count);
            }
        }
    }

    /// The duration that `permille` of the requests did not exceed, in milliseconds, rounded up to its bucket's end.
    #[must_use]
    pub fn duration_ms(&self, permille: u64) -> Option<u64> {
        quantile(&self.duration, permille)
    }

    /// The same for the time to the first content.
    #[must_use]
    pub fn first_token_ms(&self, permille: u64) -> Option<u64> {
        quantile(&self.first_token, permille)
    }

    /// What is stored.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads what was stored; nothing stored is an empty histogram.
    #[must_use]
    pub fn from_json(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self::default());
        }
        serde_json::from_str(text).ok()
    }
}

fn quantile(counts: &BTreeMap<u16, u64>, permille: u64) -> Option<u64> {
    let total: u64 = counts.values().sum();
    let rank = (total * permille.min(1_000)).div_ceil(1_000).max(1);
    let mut seen = 0;
    counts.iter().find_map(|(bucket, count)| {
        seen += count;
        (seen >= rank).then(|| upper_ms(*bucket))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_lies_in_its_bucket() {
        let mut previous = 0;
        for ms in (1..5_000).chain([60_000, 3_600_000, u64::from(u32::MAX), u64::MAX]) {
            let number = bucket(ms);
            assert!(number >= previous, "{ms}");
            previous = number;
            assert!(ms <= upper_ms(number), "{ms} {number} {}", upper_ms(number));
            assert!(number == 0 || ms > upper_ms(number - 1) || number < 8, "{ms}");
        }
    }

    #[test]
    fn percentiles_of_merged_histograms_are_percentiles_of_all() {
        let (mut a, mut b, mut all) = (Latency::default(), Latency::default(), Latency::default());
        for ms in 1..=1_000u64 {
            if ms % 3 == 0 { &mut a } else { &mut b }.record(ms, Some(ms / 2));
            all.record(ms, Some(ms / 2));
        }
        a.merge(&b);
        assert_eq!(a, all);
        let p99 = all.duration_ms(990).unwrap();
        assert!((990..=1_190).contains(&p99), "{p99}");
        assert_eq!(Latency::default().duration_ms(500), None);
        assert_eq!(Latency::from_json(&all.to_json()), Some(all));
    }
}
