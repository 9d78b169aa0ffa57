//! Values as people read them.

use ccag_admin_api::Timestamp;
use ccag_domain::NanoUsd;

/// What stands for "none".
pub(crate) const NONE: &str = "-";

/// Text whose control characters have been made visible, so that what others named cannot steer the terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c == '\n' { c } else { visible(c) })
        .collect()
}

/// The same, on one line.
pub(crate) fn printable_line(text: &str) -> String {
    text.chars().map(visible).collect()
}

fn visible(c: char) -> char {
    let steers = c.is_control()
        || matches!(c, '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if steers { '\u{fffd}' } else { c }
}

/// A value, or a dash.
pub(crate) fn or_none<T: ToString>(value: Option<&T>) -> String {
    value.map_or_else(|| NONE.to_owned(), ToString::to_string)
}

/// A moment to the minute in UTC, or a dash.
pub(crate) fn moment(at: Option<Timestamp>) -> String {
    at.map_or_else(|| NONE.to_owned(), Timestamp::to_the_minute)
}

/// 1 234 567 as `1,234,567`.
pub(crate) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// An amount with all its digits: `$0.25`, `$0.000004`.
pub(crate) fn money(amount: NanoUsd) -> String {
    with_sign(&amount.to_string())
}

/// Amounts with all their digits and equally many decimals, so that their points stand below each other.
pub(crate) fn money_column(amounts: &[NanoUsd]) -> Vec<String> {
    let decimals = amounts
        .iter()
        .map(|amount| amount.to_string().rsplit('.').next().map_or(0, str::len))
        .max()
        .unwrap_or(2);
    let decimals = u32::try_from(decimals).unwrap_or(9);
    amounts
        .iter()
        .map(|amount| with_sign(&amount.to_usd_string(decimals)))
        .collect()
}

fn with_sign(amount: &str) -> String {
    match amount.strip_prefix('-') {
        Some(amount) => format!("-${amount}"),
        None => format!("${amount}"),
    }
}

/// A number of seconds as `3 d 4 h`, `4 h 5 min`, `5 min` or `6 s`.
pub(crate) fn duration(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, _, _) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

/// How long ago a moment was.
pub(crate) fn ago(at: Timestamp, now: Timestamp) -> String {
    let seconds = u64::try_from((now.ms() - at.ms()) / 1_000).unwrap_or(0);
    format!("{} ago", duration(seconds))
}

/// Reads when something should end: `90d`, `12h`, `30m`, a date or an RFC 3339 time.
pub(crate) fn parse_when(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    let relative = text.char_indices().last().and_then(|(at, unit)| {
        let ms = match unit {
            'd' => 86_400_000,
            'h' => 3_600_000,
            'm' => 60_000,
            _ => return None,
        };
        let n: u32 = text[..at].parse().ok()?;
        Some(now.ms().saturating_add(i64::from(n) * ms))
    });
    let when = match relative {
        Some(at) => Timestamp::from_ms(at),
        None => text.parse().map_err(|_| {
            format!("`{text}` is not a time: write 90d, 12h, 2027-01-31 or 2027-01-31T12:00:00Z")
        })?,
    };
    if when <= now {
        return Err(format!("`{text}` is in the past"));
    }
    Ok(when)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_keep_every_digit_and_line_up() {
        let amounts = [NanoUsd(1_500_000_000), NanoUsd(4_000), NanoUsd(-250_000_000)];
        assert_eq!(money_column(&amounts), ["$1.500000", "$0.000004", "-$0.250000"]);
        assert_eq!(money(NanoUsd(1)), "$0.000000001");
        assert_eq!(money_column(&[NanoUsd::from_usd(3)]), ["$3.00"]);
    }

    #[test]
    fn counts_are_grouped() {
        assert_eq!(
            ["0", "999", "1,000", "12,345,678"],
            [0, 999, 1_000, 12_345_678].map(count)
        );
    }

    #[test]
    fn ends_are_read_relative_and_absolute() {
        let now: Timestamp = "2026-11-24T12:00:00Z".parse().unwrap();
        let read = |text| parse_when(text, now).map(|at| at.to_string());
        assert_eq!(read("90d").unwrap(), "2027-02-22T12:00:00.000Z");
        assert_eq!(read("12h").unwrap(), "2026-11-25T00:00:00.000Z");
        assert_eq!(read("2027-01-31").unwrap(), "2027-01-31T00:00:00.000Z");
        for bad in ["0d", "2020-01-01", "soon", "", "d", "-1d", "½d"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn durations_are_short() {
        assert_eq!(duration(59), "59 s");
        assert_eq!(duration(3_599), "59 min");
        assert_eq!(duration(7_260), "2 h 1 min");
        assert_eq!(duration(266_400), "3 d 2 h");
    }
}
