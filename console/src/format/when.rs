//! Times: always UTC, always with the machine's form beside the reader's.

use ccag_domain::UnixMs;
use ccag_domain::time::{DAY_MS, HOUR_MS};
use leptos::prelude::*;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

const ISO: &[BorrowedFormatItem<'static>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
const DATE: &[BorrowedFormatItem<'static>] =
    format_description!("[day padding:none] [month repr:short] [year]");
const DATE_TIME: &[BorrowedFormatItem<'static>] =
    format_description!("[day padding:none] [month repr:short] [year], [hour]:[minute] UTC");
const DAY: &[BorrowedFormatItem<'static>] = format_description!("[day padding:none] [month repr:short]");

fn shown(at: UnixMs, form: &[BorrowedFormatItem<'static>]) -> String {
    OffsetDateTime::from_unix_timestamp(at.div_euclid(1_000))
        .ok()
        .and_then(|t| t.format(form).ok())
        .unwrap_or_else(|| at.to_string())
}

/// `2026-11-24T09:05:00Z`.
#[must_use]
pub fn iso(at: UnixMs) -> String {
    shown(at, ISO)
}

/// `24 Nov 2026`.
#[must_use]
pub fn date(at: UnixMs) -> String {
    shown(at, DATE)
}

/// `24 Nov 2026, 09:05 UTC`.
#[must_use]
pub fn date_time(at: UnixMs) -> String {
    shown(at, DATE_TIME)
}

/// `24 Nov`.
pub(crate) fn day_label(at: UnixMs) -> String {
    shown(at, DAY)
}

/// The start of the UTC day that contains `at`.
#[must_use]
pub fn day_start(at: UnixMs) -> UnixMs {
    at.div_euclid(DAY_MS) * DAY_MS
}

/// The start of the first day of the month that contains `at`, UTC.
#[must_use]
pub fn month_start(at: UnixMs) -> UnixMs {
    let day = OffsetDateTime::from_unix_timestamp(at.div_euclid(1_000)).map_or(1, OffsetDateTime::day);
    day_start(at) - i64::from(day - 1) * DAY_MS
}

/// How long something took that is measured in milliseconds: `420 ms`, `1.3 s`, `75 s`.
#[must_use]
pub fn seconds(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..10_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        _ => format!("{} s", ms / 1_000),
    }
}

/// A length of time in its largest fitting unit: `850 ms`, `42 s`, `3 min`, `5 h`, `12 days`.
#[must_use]
pub fn duration_ms(ms: i64) -> String {
    let ms = ms.max(0);
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{} s", ms / 1_000),
        60_000..3_600_000 => format!("{} min", ms / 60_000),
        3_600_000..172_800_000 => format!("{} h", ms / 3_600_000),
        _ => format!("{} days", ms / 86_400_000),
    }
}

/// How long ago a time was, seen from `now`.
#[must_use]
pub fn past(at: UnixMs, now: UnixMs) -> String {
    match now - at {
        ..2_000 => "just now".to_owned(),
        age => format!("{} ago", duration_ms(age)),
    }
}

/// A time as date and hour.
pub(crate) fn moment(at: UnixMs) -> AnyView {
    view! { <time datetime=iso(at)>{date_time(at)}</time> }.into_any()
}

/// A time by its distance from now, the exact one on pointing.
pub(crate) fn ago(at: UnixMs, now: UnixMs) -> AnyView {
    view! { <time datetime=iso(at) title=date_time(at)>{past(at, now)}</time> }.into_any()
}

/// An hour in which something has happened, of which no more is known than that.
pub(crate) fn hour_ago(hour: UnixMs, now: UnixMs) -> AnyView {
    let title = format!("in the hour from {}", date_time(hour));
    view! { <time datetime=iso(hour) title=title>{past_hour(hour, now)}</time> }.into_any()
}

fn past_hour(hour: UnixMs, now: UnixMs) -> String {
    if now - hour < HOUR_MS {
        "this hour".to_owned()
    } else {
        past(hour, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc_and_survive_nonsense() {
        let at = 1_795_511_105_999;
        assert_eq!(iso(at), "2026-11-24T09:05:05Z");
        assert_eq!(date(at), "24 Nov 2026");
        assert_eq!(date_time(at), "24 Nov 2026, 09:05 UTC");
        assert_eq!(day_label(at), "24 Nov");
        assert_eq!(iso(-1), "1969-12-31T23:59:59Z");
        assert_eq!(iso(i64::MAX), i64::MAX.to_string());
    }

    #[test]
    fn what_has_happened_in_this_hour_is_not_minutes_old() {
        let hour = 1_795_510_800_000;
        assert_eq!(past_hour(hour, hour + 44 * 60_000), "this hour");
        assert_eq!(past_hour(hour, hour + HOUR_MS), "1 h ago");
        assert_eq!(past_hour(hour, hour + 3 * DAY_MS), "3 days ago");
    }

    #[test]
    fn months_begin_on_their_first_day() {
        let at = 1_795_511_105_999;
        assert_eq!(iso(day_start(at)), "2026-11-24T00:00:00Z");
        assert_eq!(iso(month_start(at)), "2026-11-01T00:00:00Z");
        assert_eq!(month_start(month_start(at)), month_start(at));
    }

    #[test]
    fn distances_use_one_unit() {
        assert_eq!(past(1_000, 1_500), "just now");
        assert_eq!(past(0, 42_000), "42 s ago");
        assert_eq!(past(0, 7_200_000), "2 h ago");
        assert_eq!(past(0, 86_400_000 * 12), "12 days ago");
        assert_eq!(past(5_000, 0), "just now");
    }
}
