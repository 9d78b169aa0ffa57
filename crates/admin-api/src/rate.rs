//! Prices as people write them.

use ccag_domain::NanoUsd;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use std::fmt;
use std::str::FromStr;

/// Dollars per million tokens, exact to nine decimals: in JSON a decimal text (`"0.25"`) or a number (`0.25`), whose digits
/// are read as they stand and never as a float. Written as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate(pub NanoUsd);

/// The text is not a rate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidRate;

impl std::error::Error for InvalidRate {}

impl fmt::Display for InvalidRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a price: write dollars per million tokens as a plain decimal with at most nine digits after the point, such as 0.25")
    }
}

impl FromStr for Rate {
    type Err = InvalidRate;
    fn from_str(text: &str) -> Result<Self, InvalidRate> {
        let text = text.trim();
        // Zeros at the end say nothing.
        let text = match text.split_once('.') {
            Some((whole, decimals)) if !decimals.is_empty() && decimals.bytes().all(|b| b == b'0') => whole,
            Some((_, decimals)) if !decimals.is_empty() => text.trim_end_matches('0'),
            Some(_) => return Err(InvalidRate),
            None => text,
        };
        NanoUsd::parse_usd(text)
            .filter(|amount| *amount >= NanoUsd::ZERO)
            .map(Self)
            .ok_or(InvalidRate)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let spelled = raw.get();
        let text = if spelled.starts_with('"') {
            serde_json::from_str::<String>(spelled).map_err(D::Error::custom)?
        } else {
            spelled.to_owned()
        };
        text.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Rate, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn numbers_and_texts_are_read_digit_by_digit() {
        for (json, nano) in [
            ("\"0.25\"", 250_000_000),
            ("0.1", 100_000_000),
            ("5", 5_000_000_000),
            ("5.000", 5_000_000_000),
            ("\"5.0000000000\"", 5_000_000_000),
            ("0.000000001", 1),
            // A float of this would be 33.333333332999998…
            ("33.333333333", 33_333_333_333),
            ("0", 0),
        ] {
            assert_eq!(read(json), Ok(Rate(NanoUsd(nano))), "{json}");
        }
        for bad in [
            "-1",
            "1e3",
            "0.0000000001",
            "\"\"",
            "\"1.\"",
            "\"$5\"",
            "true",
            "null",
            "[1]",
            "\"1,5\"",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let rate = Rate(NanoUsd(33_333_333_333));
        let json = serde_json::to_string(&rate).unwrap();
        assert_eq!(json, "\"33.333333333\"");
        assert_eq!(read(&json), Ok(rate));
    }
}
