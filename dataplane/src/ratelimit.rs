//! Requests per minute, by key or by whatever else is limited: a sliding window made of two fixed ones.

use ccag_domain::UnixMs;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Mutex, PoisonError};

const WINDOW_MS: i64 = 60_000;
const SHARDS: usize = 32;

/// From this many keys on a shard forgets those that have been quiet.
const TIDY_ABOVE: usize = 1_024;

/// Counts requests. A shard's lock is held for the few instructions of one decision.
#[derive(Debug)]
pub(crate) struct RateLimiter<K> {
    shards: [Mutex<HashMap<K, Window>>; SHARDS],
    hasher: RandomState,
}

impl<K> Default for RateLimiter<K> {
    fn default() -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            hasher: RandomState::default(),
        }
    }
}

/// Two neighbouring minutes.
#[derive(Debug, Clone, Copy)]
struct Window {
    /// Where the present minute began.
    start: UnixMs,
    previous: u32,
    present: u32,
}

impl<K: Clone + Eq + Hash> RateLimiter<K> {
    /// Counts a request of `key` against `limit` requests per minute.
    ///
    /// # Errors
    /// After how many seconds, 1 to 60, the next one is allowed.
    pub(crate) fn admit(&self, key: &K, limit: u32, now: UnixMs) -> Result<(), u32> {
        let shard = usize::try_from(self.hasher.hash_one(key) % SHARDS as u64).unwrap_or(0);
        let mut windows = self.shards[shard].lock().unwrap_or_else(PoisonError::into_inner);
        if windows.len() > TIDY_ABOVE {
            windows.retain(|_, window| now - window.start < 2 * WINDOW_MS);
        }
        let window = match windows.get_mut(key) {
            Some(window) => window,
            None => windows.entry(key.clone()).or_insert(Window {
                start: now,
                previous: 0,
                present: 0,
            }),
        };
        window.admit(limit, now)
    }
}

impl Window {
    fn admit(&mut self, limit: u32, now: UnixMs) -> Result<(), u32> {
        self.advance(now);
        let elapsed = (now - self.start).clamp(0, WINDOW_MS);
        let weight = i64::from(self.previous) * (WINDOW_MS - elapsed) + i64::from(self.present) * WINDOW_MS;
        if weight + WINDOW_MS <= i64::from(limit) * WINDOW_MS {
            self.present = self.present.saturating_add(1);
            return Ok(());
        }
        Err(self.wait_s(limit, elapsed))
    }

    fn advance(&mut self, now: UnixMs) {
        let passed = (now - self.start).div_euclid(WINDOW_MS);
        if passed == 0 {
            return;
        }
        self.previous = if passed == 1 { self.present } else { 0 };
        self.present = 0;
        self.start = if passed == 1 { self.start + WINDOW_MS } else { now };
    }

    /// How long until one more request fits, in whole seconds.
    fn wait_s(&self, limit: u32, elapsed: i64) -> u32 {
        let room = i64::from(limit) - 1;
        let fades_at = |count: u32, room: i64| {
            // When `count` requests of the window before weigh no more than `room`.
            WINDOW_MS - (room.max(0) * WINDOW_MS) / i64::from(count.max(1))
        };
        let wait_ms = if i64::from(self.present) <= room {
            fades_at(self.previous, room - i64::from(self.present)) - elapsed
        } else {
            WINDOW_MS - elapsed + fades_at(self.present, room)
        };
        u32::try_from((wait_ms + 999) / 1_000).unwrap_or(1).clamp(1, 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ccag_domain::KeyId;
    use proptest::prelude::*;

    fn key(n: u32) -> KeyId {
        KeyId::parse(&format!("key_{n}")).unwrap()
    }

    #[test]
    fn the_limit_holds_within_a_minute_and_recovers() {
        let limiter = RateLimiter::default();
        for _ in 0..5 {
            assert_eq!(limiter.admit(&key(1), 5, 1_000), Ok(()));
        }
        let wait = limiter.admit(&key(1), 5, 1_000).unwrap_err();
        assert!((1..=60).contains(&wait));
        assert_eq!(limiter.admit(&key(2), 5, 1_000), Ok(()));
        assert_eq!(limiter.admit(&key(1), 5, 200_000), Ok(()));
    }

    #[test]
    fn a_limit_of_zero_refuses_everything_and_does_not_panic() {
        let limiter = RateLimiter::default();
        for now in [0, 1, 59_999, 60_000, 600_000, -5] {
            assert!(limiter.admit(&key(1), 0, now).is_err());
        }
    }

    #[test]
    fn a_clock_that_goes_back_does_not_block_for_long() {
        let limiter = RateLimiter::default();
        assert_eq!(limiter.admit(&key(1), 1, 10_000_000), Ok(()));
        assert_eq!(limiter.admit(&key(1), 1, 1_000), Ok(()));
        assert!(limiter.admit(&key(1), 1, 1_001).is_err());
    }

    proptest! {
        #[test]
        fn no_minute_ever_sees_more_than_twice_the_limit_and_waiting_as_told_helps(
            gaps in prop::collection::vec(0i64..5_000, 1..400),
            limit in 1u32..20,
        ) {
            let limiter = RateLimiter::default();
            let mut now = 0;
            let mut admitted: Vec<i64> = Vec::new();
            for gap in gaps {
                now += gap;
                match limiter.admit(&key(1), limit, now) {
                    Ok(()) => admitted.push(now),
                    Err(wait) => prop_assert!((1..=60).contains(&wait)),
                }
                let within = admitted.iter().filter(|at| now - **at < WINDOW_MS).count();
                prop_assert!(within <= 2 * limit as usize);
            }
        }
    }
}
