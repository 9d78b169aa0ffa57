//! What lasts for a while and has an end, such as an endpoint in trouble: when it is told that it began, and when that it is over.
//!
//! What is seen comes and goes; what is told must not. It begins to count when it has lasted for a while, it is over when it has not
//! been seen for a while, and the more often it comes back soon, the longer that while.

use crate::UnixMs;
use crate::named::named;
use crate::time::HOUR_MS;

/// Within how long after its end something that is there again counts as the same coming back, in milliseconds.
const SOON_MS: i64 = 6 * HOUR_MS;

named! {
    /// Where a condition stands.
    Phase {
        /// It is seen, and has not been told.
        Noticed = "noticed",
        /// It has been told.
        Told = "told",
        /// That it is over has been told.
        Over = "over",
    }
}

/// What is kept of a condition from one look to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Condition {
    /// Where it stands.
    pub phase: Phase,
    /// How bad it was at worst since it began.
    pub level: u8,
    /// When it began.
    pub since_ms: UnixMs,
    /// Since when it has not been seen; `None` while it is.
    pub quiet_ms: Option<UnixMs>,
    /// When it was last over; 0 if it never was.
    pub ended_ms: UnixMs,
    /// How often it has come back soon after it was over.
    pub returns: u32,
}

/// What a look has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// It is there. Level 0 is not enough to begin with, and enough not to be over.
    There {
        /// How bad it is.
        level: u8,
        /// Since when, as far as that is known.
        since_ms: UnixMs,
    },
    /// It is not there.
    Away,
    /// Whether it is there cannot be told.
    Unknown,
    /// What it was about is no more.
    Gone,
}

/// How long things take, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// How long it must have lasted before it is told.
    pub hold_ms: i64,
    /// How long it must be away before it is over.
    pub quiet_ms: i64,
}

/// What is to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// It has begun.
    Began,
    /// It is worse than it was told to be.
    Worse,
    /// It is over, and was there for so many milliseconds.
    Over(i64),
}

/// The next state of a condition after a look, and what is to be told. `None`: there is nothing to keep.
#[must_use]
pub fn step(
    before: Option<Condition>,
    look: Look,
    patience: Patience,
    now_ms: UnixMs,
) -> (Option<Condition>, Option<News>) {
    match (before, look) {
        (before, Look::Unknown) => (before, None),
        (_, Look::Gone) | (None, Look::Away | Look::There { level: 0, .. }) => (None, None),
        (before, Look::There { level, since_ms }) => {
            there(before, level, since_ms.min(now_ms), patience, now_ms)
        }
        (Some(before), Look::Away) => away(before, patience, now_ms),
    }
}

fn there(
    before: Option<Condition>,
    level: u8,
    since_ms: UnixMs,
    patience: Patience,
    now_ms: UnixMs,
) -> (Option<Condition>, Option<News>) {
    let mut next = match before {
        Some(before) if before.phase != Phase::Over => before,
        Some(over) if level == 0 => return (Some(over), None),
        over => {
            let (ended_ms, returns) = over.map_or((0, 0), |over| (over.ended_ms, over.returns));
            let is_back = ended_ms > 0 && now_ms - ended_ms < SOON_MS;
            Condition {
                phase: Phase::Noticed,
                level: 0,
                since_ms: since_ms.max(ended_ms),
                quiet_ms: None,
                ended_ms,
                returns: if is_back { returns.saturating_add(1) } else { 0 },
            }
        }
    };
    next.quiet_ms = None;
    let news = match next.phase {
        Phase::Noticed if level > 0 && now_ms - next.since_ms >= patience.hold_ms => {
            next.phase = Phase::Told;
            Some(News::Began)
        }
        Phase::Told if level > next.level => Some(News::Worse),
        Phase::Noticed | Phase::Told | Phase::Over => None,
    };
    next.level = next.level.max(level);
    (Some(next), news)
}

fn away(before: Condition, patience: Patience, now_ms: UnixMs) -> (Option<Condition>, Option<News>) {
    let mut next = before;
    match before.phase {
        Phase::Over => {
            let is_past = now_ms - before.ended_ms >= SOON_MS;
            ((!is_past).then_some(before), None)
        }
        Phase::Noticed => {
            let quiet = *next.quiet_ms.get_or_insert(now_ms);
            // What comes and goes all the time lasts.
            let is_past = now_ms - quiet >= patience.hold_ms / 2;
            if !is_past {
                return (Some(next), None);
            }
            next.phase = Phase::Over;
            next.quiet_ms = None;
            ((next.ended_ms > 0).then_some(next), None)
        }
        Phase::Told => {
            let quiet = *next.quiet_ms.get_or_insert(now_ms);
            let needed = patience
                .quiet_ms
                .saturating_mul(1 << next.returns.min(16))
                .min(SOON_MS.max(patience.quiet_ms));
            if now_ms - quiet < needed {
                return (Some(next), None);
            }
            next.phase = Phase::Over;
            next.quiet_ms = None;
            next.ended_ms = now_ms;
            (Some(next), Some(News::Over((quiet - next.since_ms).max(0))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;
    const PATIENCE: Patience = Patience {
        hold_ms: 5 * MINUTE,
        quiet_ms: 5 * MINUTE,
    };

    /// What is told of a minute after the other: a digit is a level, a dot is away, a question mark is unknown.
    fn told(looks: &str, patience: Patience) -> Vec<(usize, News)> {
        let (mut state, mut told) = (None, Vec::new());
        for (minute, look) in looks.chars().enumerate() {
            let now = 1_000 * MINUTE + i64::try_from(minute).unwrap() * MINUTE;
            let look = match look {
                '.' => Look::Away,
                '?' => Look::Unknown,
                'x' => Look::Gone,
                level => Look::There {
                    level: u8::try_from(level.to_digit(10).unwrap()).unwrap(),
                    since_ms: now,
                },
            };
            let (next, news) = step(state, look, patience, now);
            state = next;
            told.extend(news.map(|news| (minute, news)));
        }
        told
    }

    #[test]
    fn what_lasts_is_told_once_when_it_began_and_once_when_it_is_over() {
        assert_eq!(
            told("1111111111.....................", PATIENCE),
            [(5, News::Began), (15, News::Over(10 * MINUTE))]
        );
        let at_once = Patience {
            hold_ms: 0,
            quiet_ms: 0,
        };
        assert_eq!(
            told("..11..", at_once),
            [(2, News::Began), (4, News::Over(2 * MINUTE))]
        );
    }

    #[test]
    fn what_passes_soon_is_not_told_and_what_comes_and_goes_lasts() {
        assert!(told("1111....1111....", PATIENCE).is_empty());
        assert_eq!(told("1.1.11.1.1", PATIENCE), [(5, News::Began)]);
        // A pause that is shorter than it must be does not end it.
        assert_eq!(told("111111....1111....1111", PATIENCE), [(5, News::Began)]);
    }

    #[test]
    fn what_comes_back_must_be_away_for_longer_each_time() {
        let looks = format!(
            "111111{}111111{}111111{}",
            ".".repeat(10),
            ".".repeat(20),
            ".".repeat(30)
        );
        let told = told(&looks, PATIENCE);
        let over: Vec<usize> = told
            .iter()
            .filter(|(_, news)| matches!(news, News::Over(_)))
            .map(|(minute, _)| *minute)
            .collect();
        // After 5, 10 and 20 minutes.
        assert_eq!(over, [11, 32, 68]);
        // However fast it comes and goes, it is told no more often than that in six hours.
        let flapping = "1111111......".repeat(100);
        let count = super::tests::told(&flapping, PATIENCE).len();
        assert!(count <= 4, "{count}");
    }

    #[test]
    fn worse_is_told_once_and_a_little_keeps_it_going() {
        assert_eq!(
            told("0011121112200000......", PATIENCE),
            [(7, News::Began), (21, News::Over(14 * MINUTE)),]
        );
        let at_once = Patience {
            hold_ms: 0,
            ..PATIENCE
        };
        assert_eq!(told("001121212", at_once), [(2, News::Began), (4, News::Worse)]);
    }

    #[test]
    fn nothing_is_concluded_from_what_cannot_be_seen_and_nothing_told_of_what_is_no_more() {
        assert_eq!(told("111111??????????", PATIENCE), [(5, News::Began)]);
        assert_eq!(told("111111xxxxxxxxxx", PATIENCE), [(5, News::Began)]);
    }

    #[test]
    fn what_is_long_over_is_forgotten() {
        let (state, news) = step(
            Some(Condition {
                phase: Phase::Over,
                level: 1,
                since_ms: 0,
                quiet_ms: None,
                ended_ms: 1,
                returns: 3,
            }),
            Look::Away,
            PATIENCE,
            1 + SOON_MS,
        );
        assert_eq!((state, news), (None, None));
    }
}
