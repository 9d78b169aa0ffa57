//! Amounts of money as people write them.

use crate::Rate;
use ccag_domain::NanoUsd;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use std::fmt;
use std::str::FromStr;

/// Dollars, exact to nine decimals: in JSON a decimal text (`"250.00"`) or a number (`250`), whose digits are read as they
/// stand and never as a float. Written as text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Usd(pub NanoUsd);

/// The text is not an amount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidUsd;

impl std::error::Error for InvalidUsd {}

impl fmt::Display for InvalidUsd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an amount: write dollars as a plain decimal with at most nine digits after the point, such as 250 or 0.50")
    }
}

impl FromStr for Usd {
    type Err = InvalidUsd;
    fn from_str(text: &str) -> Result<Self, InvalidUsd> {
        let text = text.trim();
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text),
        };
        let digits = digits.strip_prefix('$').unwrap_or(digits);
        match digits.parse::<Rate>() {
            Ok(Rate(amount)) if negative => Ok(Self(NanoUsd::ZERO - amount)),
            Ok(Rate(amount)) => Ok(Self(amount)),
            Err(_) => Err(InvalidUsd),
        }
    }
}

impl fmt::Display for Usd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<NanoUsd> for Usd {
    fn from(amount: NanoUsd) -> Self {
        Self(amount)
    }
}

impl Serialize for Usd {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Usd {
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

    #[test]
    fn amounts_are_read_digit_by_digit_and_written_back() {
        for (json, nano) in [
            ("250", 250_000_000_000),
            ("\"$0.50\"", 500_000_000),
            ("0.1", 100_000_000),
            ("0", 0),
            ("-1.5", -1_500_000_000),
            ("250.00", 250_000_000_000),
            ("\"33.333333333\"", 33_333_333_333),
        ] {
            let read: Usd = serde_json::from_str(json).unwrap();
            assert_eq!(read, Usd(NanoUsd(nano)), "{json}");
            let written = serde_json::to_string(&read).unwrap();
            assert_eq!(serde_json::from_str::<Usd>(&written).unwrap(), read);
        }
        for bad in [
            "\"--1\"",
            "\"-\"",
            "1e3",
            "\"\"",
            "true",
            "\"1,5\"",
            "0.0000000001",
        ] {
            let error = serde_json::from_str::<Usd>(bad).unwrap_err().to_string();
            assert!(error.contains("not an amount"), "{error}");
        }
    }
}
