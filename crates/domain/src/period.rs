//! Calendar periods in a time zone: when a budget begins anew.

use crate::UnixMs;
use jiff::civil::{Date, Time};
use jiff::tz;
use jiff::{Timestamp, ToSpan, Unit};

/// How long a budget lasts before it begins anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Period {
    /// From midnight to midnight.
    Daily,
    /// From Monday to Sunday (ISO 8601).
    Weekly,
    /// From the first of the month.
    Monthly,
    /// For ever.
    Total,
}

impl Period {
    /// All, from short to long.
    pub const ALL: [Self; 4] = [Self::Daily, Self::Weekly, Self::Monthly, Self::Total];

    /// The name used in the API and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Daily => "daily",
            Self::Weekly => "weekly",
            Self::Monthly => "monthly",
            Self::Total => "total",
        }
    }

    /// Reads a name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.as_str() == text)
    }
}

/// A time zone of the IANA database, or UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeZone(tz::TimeZone);

impl TimeZone {
    /// Coordinated Universal Time.
    pub const UTC: Self = Self(tz::TimeZone::UTC);

    /// Reads a name such as `Europe/Berlin` or `UTC`; letter case does not matter.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        if name.eq_ignore_ascii_case("utc") {
            return Some(Self::UTC);
        }
        tz::TimeZone::get(name).ok().map(Self)
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }
}

/// A stretch of time: from its start until before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Stretch {
    /// Where it begins.
    pub start_ms: UnixMs,
    /// Where the next one begins.
    pub end_ms: UnixMs,
}

impl Stretch {
    /// All of time.
    pub const EVER: Self = Self {
        start_ms: 0,
        end_ms: UnixMs::MAX,
    };

    /// Whether a moment lies in it.
    #[must_use]
    pub const fn contains(&self, at: UnixMs) -> bool {
        self.start_ms <= at && at < self.end_ms
    }
}

impl Period {
    /// The period around a moment. A day that begins twice or not at all (when clocks are changed at midnight) begins at the
    /// first moment that bears its date. Moments that no calendar has fall into [`Stretch::EVER`].
    #[must_use]
    pub fn around(self, at: UnixMs, zone: &TimeZone) -> Stretch {
        self.try_around(at, zone).unwrap_or(Stretch::EVER)
    }

    fn try_around(self, at: UnixMs, zone: &TimeZone) -> Option<Stretch> {
        if self == Self::Total {
            return Some(Stretch::EVER);
        }
        let moment = Timestamp::from_millisecond(at)
            .ok()?
            .to_zoned_datetime(zone.0.clone());
        let today = moment.date();
        let (first, next) = match self {
            Self::Daily => (today, today.checked_add(1.day()).ok()?),
            Self::Weekly => {
                let since_monday = i64::from(today.weekday().to_monday_zero_offset());
                let monday = today.checked_sub(since_monday.days()).ok()?;
                (monday, monday.checked_add(7.days()).ok()?)
            }
            Self::Monthly => {
                let first = today.first_of_month();
                (first, first.checked_add(1.month()).ok()?)
            }
            Self::Total => return Some(Stretch::EVER),
        };
        Some(Stretch {
            start_ms: midnight(first, zone)?,
            end_ms: midnight(next, zone)?,
        })
    }
}

/// The first moment of a date.
fn midnight(date: Date, zone: &TimeZone) -> Option<UnixMs> {
    let start = zone
        .0
        .to_zoned_datetime(date.to_datetime(Time::midnight()))
        .ok()?;
    Some(start.start_of_day().ok()?.timestamp().as_millisecond())
}

/// A moment for people, in a time zone, with its offset: `2026-12-01T00:00:00+01:00` (RFC 3339).
#[must_use]
pub fn rfc3339_in(at: UnixMs, zone: &TimeZone) -> String {
    let Ok(moment) = Timestamp::from_millisecond(at) else {
        return "never".to_owned();
    };
    let moment = moment.round(Unit::Second).unwrap_or(moment);
    let zoned = moment.to_zoned_datetime(zone.0.clone());
    if zoned.offset().is_zero() {
        return zoned.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    }
    zoned.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ms(text: &str) -> UnixMs {
        text.parse::<Timestamp>().unwrap().as_millisecond()
    }

    #[test]
    fn periods_follow_the_calendar_of_their_zone() {
        let berlin = TimeZone::parse("europe/berlin").unwrap();
        for (period, zone, at, start, end) in [
            (
                Period::Daily,
                &TimeZone::UTC,
                "2026-11-26T12:00:00Z",
                "2026-11-26T00:00:00Z",
                "2026-11-27T00:00:00Z",
            ),
            (
                Period::Weekly,
                &TimeZone::UTC,
                "2026-11-26T12:00:00Z",
                "2026-11-23T00:00:00Z",
                "2026-11-30T00:00:00Z",
            ),
            (
                Period::Monthly,
                &TimeZone::UTC,
                "2026-12-31T23:59:59Z",
                "2026-12-01T00:00:00Z",
                "2027-01-01T00:00:00Z",
            ),
            // The last hour of November in UTC is December in Berlin.
            (
                Period::Monthly,
                &berlin,
                "2026-11-30T23:30:00Z",
                "2026-11-30T23:00:00Z",
                "2026-12-31T23:00:00Z",
            ),
            // A day of 25 hours and a month with both offsets.
            (
                Period::Daily,
                &berlin,
                "2026-10-25T12:00:00Z",
                "2026-10-24T22:00:00Z",
                "2026-10-25T23:00:00Z",
            ),
            (
                Period::Monthly,
                &berlin,
                "2026-10-25T12:00:00Z",
                "2026-09-30T22:00:00Z",
                "2026-10-31T23:00:00Z",
            ),
        ] {
            let expected = Stretch {
                start_ms: ms(start),
                end_ms: ms(end),
            };
            assert_eq!(period.around(ms(at), zone), expected, "{period:?} {at}");
        }
        assert_eq!(Period::Total.around(0, &berlin), Stretch::EVER);
    }

    #[test]
    fn a_day_whose_midnight_does_not_exist_begins_with_its_first_moment() {
        // Cairo's clocks went from 23:59:59 on the 23rd to 01:00 on Friday 24 April 2026.
        let cairo = TimeZone::parse("Africa/Cairo").unwrap();
        let day = Period::Daily.around(ms("2026-04-24T12:00:00Z"), &cairo);
        assert_eq!(day.start_ms, ms("2026-04-23T22:00:00Z"));
        let before = Period::Daily.around(day.start_ms - 1, &cairo);
        assert_eq!(before.end_ms, day.start_ms);
    }

    #[test]
    fn unknown_zones_and_impossible_times_are_refused_or_harmless() {
        assert_eq!(TimeZone::parse("Mars/Olympus"), None);
        assert_eq!(TimeZone::parse(""), None);
        assert_eq!(TimeZone::parse("Asia/Kolkata").unwrap().name(), "Asia/Kolkata");
        assert_eq!(Period::Monthly.around(i64::MAX, &TimeZone::UTC), Stretch::EVER);
    }

    #[test]
    fn moments_are_written_with_their_offset() {
        let at = ms("2026-11-30T23:00:00Z");
        assert_eq!(rfc3339_in(at, &TimeZone::UTC), "2026-11-30T23:00:00Z");
        let berlin = TimeZone::parse("Europe/Berlin").unwrap();
        assert_eq!(rfc3339_in(at, &berlin), "2026-12-01T00:00:00+01:00");
        assert_eq!(rfc3339_in(i64::MAX, &berlin), "never");
    }

    proptest! {
        #[test]
        fn periods_tile_time(at in 0i64..4_102_444_800_000, zone in 0usize..5, period in 0usize..3) {
            let zone = TimeZone::parse(
                ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"][zone],
            ).unwrap();
            let period = Period::ALL[period];
            let here = period.around(at, &zone);
            prop_assert!(here.contains(at));
            prop_assert_eq!(period.around(here.start_ms, &zone), here);
            prop_assert_eq!(period.around(here.end_ms, &zone).start_ms, here.end_ms);
            prop_assert_eq!(period.around(here.start_ms - 1, &zone).end_ms, here.start_ms);
        }
    }
}
