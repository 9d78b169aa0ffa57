//! Time as an argument.

/// Milliseconds since 1970-01-01T00:00:00Z.
pub type UnixMs = i64;

/// Tells the wall-clock time. Production code gets the system's clock, tests a fixed one.
pub trait Clock: Send + Sync {
    /// The current time in milliseconds since the Unix epoch, UTC.
    fn now_ms(&self) -> UnixMs;
}

/// One hour in milliseconds: the width of a usage rollup's bucket.
pub const HOUR_MS: i64 = 3_600_000;

/// One day in milliseconds.
pub const DAY_MS: i64 = 24 * HOUR_MS;

/// The start of the UTC hour that contains `at`.
#[must_use]
pub fn hour_bucket(at: UnixMs) -> UnixMs {
    at.div_euclid(HOUR_MS) * HOUR_MS
}

/// A clock that stands still, for tests and for replaying decisions at a given time.
#[derive(Debug, Clone, Copy)]
pub struct FixedClock(pub UnixMs);

impl Clock for FixedClock {
    fn now_ms(&self) -> UnixMs {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hour_buckets_round_down_even_before_the_epoch() {
        assert_eq!(hour_bucket(3_600_001), 3_600_000);
        assert_eq!(hour_bucket(-1), -3_600_000);
    }
}
