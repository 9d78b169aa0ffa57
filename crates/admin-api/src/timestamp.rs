//! Times as the API shows them.

use ccag_domain::UnixMs;
use ccag_domain::time::DAY_MS;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::str::FromStr;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Date, OffsetDateTime};

/// A moment, in JSON an RFC 3339 text in UTC with milliseconds: `2026-11-24T09:30:00.000Z`. Any RFC 3339 text is read, and
/// a bare date, which means its first moment in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(UnixMs);

/// The text is not a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidTimestamp;

impl std::error::Error for InvalidTimestamp {}

impl fmt::Display for InvalidTimestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a time: write it like 2026-11-24T09:30:00Z or 2026-11-24")
    }
}

/// The first and the last millisecond that RFC 3339 can write.
const RANGE: std::ops::RangeInclusive<UnixMs> = -62_167_219_200_000..=253_402_300_799_999;

impl Timestamp {
    /// The moment so many milliseconds after the Unix epoch; the years are kept between 0 and 9999.
    #[must_use]
    pub fn from_ms(at: UnixMs) -> Self {
        Self(at.clamp(*RANGE.start(), *RANGE.end()))
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub fn ms(self) -> UnixMs {
        self.0
    }

    /// The date in UTC: `2026-11-24`.
    #[must_use]
    pub fn date(self) -> String {
        self.to_string()[..10].to_owned()
    }

    /// Date and time to the minute in UTC, for people: `2026-11-24 09:30`.
    #[must_use]
    pub fn to_the_minute(self) -> String {
        let text = self.to_string();
        format!("{} {}", &text[..10], &text[11..16])
    }
}

impl From<UnixMs> for Timestamp {
    fn from(at: UnixMs) -> Self {
        Self::from_ms(at)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, ms) = (self.0.div_euclid(DAY_MS), self.0.rem_euclid(DAY_MS));
        // 2 440 588 is the Julian day of 1970-01-01; the constructor keeps the sum in range.
        let date = i32::try_from(days + 2_440_588)
            .ok()
            .and_then(|day| Date::from_julian_day(day).ok())
            .unwrap_or(Date::MIN);
        let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60);
        write!(
            f,
            "{:04}-{:02}-{:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z",
            date.year(),
            u8::from(date.month()),
            date.day(),
            ms % 1_000
        )
    }
}

impl FromStr for Timestamp {
    type Err = InvalidTimestamp;

    fn from_str(text: &str) -> Result<Self, InvalidTimestamp> {
        let at = match Date::parse(text, format_description!("[year]-[month]-[day]")) {
            Ok(date) => date.midnight().assume_utc(),
            Err(_) => OffsetDateTime::parse(text, &Rfc3339).map_err(|_| InvalidTimestamp)?,
        };
        i64::try_from(at.unix_timestamp_nanos().div_euclid(1_000_000))
            .map(Self::from_ms)
            .map_err(|_| InvalidTimestamp)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl de::Visitor<'_> for Text {
            type Value = Timestamp;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time such as 2026-11-24T09:30:00Z")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Timestamp, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_utc_and_read_back() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_795_512_600_123, "2026-11-24T09:30:00.123Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(Timestamp::from_ms(ms).to_string(), text);
            assert_eq!(text.parse(), Ok(Timestamp::from_ms(ms)));
        }
        assert_eq!(
            "2026-11-24T10:30:00+01:00".parse(),
            Ok(Timestamp::from_ms(1_795_512_600_000))
        );
        assert_eq!("2026-11-24".parse(), Ok(Timestamp::from_ms(1_795_478_400_000)));
        assert_eq!(
            Timestamp::from_ms(1_795_512_600_123).to_the_minute(),
            "2026-11-24 09:30"
        );
    }

    #[test]
    fn any_number_of_milliseconds_can_be_written_and_what_is_no_time_cannot_be_read() {
        for ms in [i64::MIN, i64::MAX] {
            let text = Timestamp::from_ms(ms).to_string();
            assert_eq!(text.parse::<Timestamp>().unwrap().to_string(), text);
        }
        for bad in ["", "now", "2026-13-01", "2026-11-24 09:30", "1795512600"] {
            assert_eq!(bad.parse::<Timestamp>(), Err(InvalidTimestamp), "{bad}");
        }
    }
}
