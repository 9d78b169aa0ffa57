//! Money as integers.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub};

/// An amount in nano-US-dollars (10⁻⁹ USD). Sums saturate rather than wrap: ±9.2 billion dollars.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct NanoUsd(pub i64);

impl NanoUsd {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// Nano-dollars in a dollar.
    pub const PER_USD: i64 = 1_000_000_000;

    /// A whole number of dollars.
    #[must_use]
    pub const fn from_usd(dollars: i64) -> Self {
        Self(dollars.saturating_mul(Self::PER_USD))
    }

    /// So many of it.
    #[must_use]
    pub fn times(self, count: u32) -> Self {
        Self(self.0.saturating_mul(i64::from(count)))
    }

    /// The amount as dollars with exactly `decimals` (0 to 9) digits after the point, rounded half away from zero.
    #[must_use]
    pub fn to_usd_string(self, decimals: u32) -> String {
        let decimals = decimals.min(9);
        let unit = 10u64.pow(9 - decimals);
        let rounded = (self.0.unsigned_abs() + unit / 2) / unit;
        let scale = 10u64.pow(decimals);
        let sign = if self.0 < 0 && rounded > 0 { "-" } else { "" };
        if decimals == 0 {
            return format!("{sign}{rounded}");
        }
        format!(
            "{sign}{}.{:0width$}",
            rounded / scale,
            rounded % scale,
            width = decimals as usize
        )
    }

    /// Reads a plain decimal number of dollars such as `12`, `0.25` or `-3.5`: no exponent, at most nine decimals.
    #[must_use]
    pub fn parse_usd(text: &str) -> Option<Self> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || fraction.len() > 9 || !all_digits(whole) || !all_digits(fraction) {
            return None;
        }
        let whole: i64 = whole.parse().ok()?;
        let fraction: i64 = format!("{fraction:0<9}").parse().ok()?;
        let nano = whole.checked_mul(Self::PER_USD)?.checked_add(fraction)?;
        Some(Self(if negative { -nano } else { nano }))
    }
}

impl fmt::Display for NanoUsd {
    /// All significant digits, at least two decimals: `0.25`, `0.000004`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let full = self.to_usd_string(9);
        let trimmed = full.trim_end_matches('0');
        let decimals = trimmed.rsplit('.').next().map_or(0, str::len);
        f.write_str(&full[..trimmed.len() + 2usize.saturating_sub(decimals)])
    }
}

impl Add for NanoUsd {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for NanoUsd {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for NanoUsd {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Sum for NanoUsd {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::ZERO, Add::add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn dollars_are_shown_exactly() {
        assert_eq!(NanoUsd(4_000).to_string(), "0.000004");
        assert_eq!(NanoUsd(250_000_000).to_string(), "0.25");
        assert_eq!(NanoUsd::from_usd(12).to_string(), "12.00");
        assert_eq!(NanoUsd(-1_500_000_000).to_usd_string(2), "-1.50");
        assert_eq!(NanoUsd(-1).to_usd_string(2), "0.00");
        assert_eq!(NanoUsd(995_000_000).to_usd_string(2), "1.00");
    }

    #[test]
    fn only_plain_decimals_are_read() {
        assert_eq!(NanoUsd::parse_usd("0.1"), Some(NanoUsd(100_000_000)));
        for bad in [
            "",
            ".",
            ".5",
            "1e3",
            "1,5",
            "+1",
            "--1",
            "0.1234567891",
            "NaN",
            "99999999999",
        ] {
            assert_eq!(NanoUsd::parse_usd(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(nano in -1_000_000_000_000_000_000i64..1_000_000_000_000_000_000) {
            prop_assert_eq!(NanoUsd::parse_usd(&NanoUsd(nano).to_string()), Some(NanoUsd(nano)));
        }
    }
}
