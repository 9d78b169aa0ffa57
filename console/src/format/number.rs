//! Counts and shares.

use leptos::prelude::*;

/// A count with its thousands apart: `1,234,567`.
#[must_use]
pub fn grouped(n: u64) -> String {
    group_digits(&n.to_string())
}

pub(super) fn group_digits(digits: &str) -> String {
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(c);
    }
    text
}

/// A count in three digits or so: `987`, `12.3 k`, `4.56 M`.
#[must_use]
pub fn compact(n: u64) -> String {
    const UNITS: [(u64, &str); 4] = [
        (1_000_000_000_000, "T"),
        (1_000_000_000, "G"),
        (1_000_000, "M"),
        (1_000, "k"),
    ];
    for (unit, name) in UNITS {
        if n >= unit {
            let hundredths = n / (unit / 100);
            let (whole, rest) = (hundredths / 100, hundredths % 100);
            return match whole {
                0..10 => format!("{whole}.{rest:02} {name}"),
                10..100 => format!("{whole}.{} {name}", rest / 10),
                _ => format!("{whole} {name}"),
            };
        }
    }
    n.to_string()
}

/// A part of a whole as `12.3 %`; `–` of nothing.
#[must_use]
pub fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "–".to_owned();
    }
    let tenths = (u128::from(part) * 1_000 + u128::from(whole) / 2) / u128::from(whole);
    format!("{}.{} %", tenths / 10, tenths % 10)
}

/// A count as three digits or so, with its exact value for those who point at it.
pub(crate) fn count(n: u64) -> AnyView {
    let shown = compact(n);
    let exact = grouped(n);
    let title = (exact != shown).then_some(exact);
    view! { <data value=n.to_string() title=title>{shown}</data> }.into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_grouped_and_shortened() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(compact(999), "999");
        assert_eq!(compact(1_000), "1.00 k");
        assert_eq!(compact(12_345), "12.3 k");
        assert_eq!(compact(999_999_999), "999 M");
        assert_eq!(compact(u64::MAX), "18446744 T");
        assert_eq!(percent(1, 3), "33.3 %");
        assert_eq!(percent(1, 0), "–");
        assert_eq!(percent(u64::MAX, u64::MAX), "100.0 %");
    }
}
