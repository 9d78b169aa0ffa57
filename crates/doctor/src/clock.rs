//! Clocks that do not agree.

use crate::finding::{Check, Finding};
use std::time::UNIX_EPOCH;

/// From how many milliseconds on clocks count as apart. AWS refuses signatures from five minutes on; tokens of sessions are good for a
/// minute longer than they say.
pub const NOTICED_MS: i64 = 30_000;

/// From how many milliseconds on something fails for it.
pub const FATAL_MS: i64 = 240_000;

/// Reads the header `Date` (RFC 9110, section 6.6.1), as Unix milliseconds.
#[must_use]
pub fn read_date(header: &str) -> Option<i64> {
    let at = httpdate::parse_http_date(header).ok()?;
    let since = at.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_millis()).ok()
}

/// Compares another machine's clock with this one's. `asked_ms` and `answered_ms` are when this machine asked and had the answer.
#[must_use]
pub fn compare(
    check: &'static Check,
    whose: &str,
    theirs_ms: i64,
    asked_ms: i64,
    answered_ms: i64,
) -> Finding {
    // A header tells whole seconds, of some moment between question and answer.
    let ahead = asked_ms - (theirs_ms + 1_000);
    let behind = theirs_ms - answered_ms;
    let apart = ahead.max(behind).max(0);
    let seconds = apart / 1_000;
    if apart < NOTICED_MS {
        return check.ok(whose, "the clocks agree");
    }
    let word = if behind > ahead { "behind" } else { "ahead of" };
    let found = format!("this machine's clock is {seconds} s {word} that of {whose}");
    let advice = "let both machines set their clocks by NTP (chrony, systemd-timesyncd, or Amazon Time Sync at 169.254.169.123); \
                  signatures to AWS are refused from five minutes on, and sign-ins and sessions before that";
    match apart >= FATAL_MS {
        true => check.fault(whose, found, advice),
        false => check.warning(whose, found, advice),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{State, checks};

    #[test]
    fn a_clock_is_compared_with_the_time_of_the_question() {
        let at = read_date("Tue, 24 Nov 2026 13:51:37 GMT").unwrap();
        assert_eq!(at, 1_795_528_297_000);
        let state = |theirs, asked, answered| compare(&checks::CLOCK, "it", theirs, asked, answered);
        assert_eq!(state(at, at, at + 900).state, State::Ok);
        // A slow answer says nothing about clocks.
        assert_eq!(state(at, at - 60_000, at + 900).state, State::Ok);
        let behind = state(at + 3_600_000, at, at + 10);
        assert_eq!(behind.state, State::Fault);
        assert!(behind.found.contains("3599 s behind"), "{}", behind.found);
        let ahead = state(at - 60_000, at, at + 10);
        assert_eq!(ahead.state, State::Warning);
        assert!(ahead.found.contains("59 s ahead of"), "{}", ahead.found);
        assert_eq!(read_date("yesterday"), None);
    }
}
