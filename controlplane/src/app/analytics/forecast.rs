//! What the month will come to.

use super::{Asked, Cell, cells};
use crate::app::App;
use ccag_admin_api::{Forecast, Step, TimeRange, Timestamp};
use ccag_domain::time::DAY_MS;
use ccag_domain::{Actor, NanoUsd, Period, Problem, TimeZone, UnixMs};

/// From how many whole days it is taken at most.
const DAYS: i64 = 28;

/// What the month will come to, if its remaining days go on like those of the last four weeks.
///
/// The rest of the month is the mean of the same weekdays, of all days where a weekday has none, times how many of them are
/// left; today counts as a whole day at its mean, or as what it has come to already if that is more. The bounds are 1.96
/// standard errors of that sum, with the spread of days around their weekday's mean, and never below what is spent.
///
/// # Errors
/// [`Code::Unavailable`](ccag_domain::Code::Unavailable) without a database.
pub async fn forecast(app: &App, actor: &Actor, asked: &Asked) -> Result<Forecast, Problem> {
    let now = app.now_ms();
    Ok(from_days(
        &cells(app, actor, &basis(asked, now), None).await?,
        now,
    ))
}

/// Of which days a forecast is made.
pub(super) fn basis(asked: &Asked, now: UnixMs) -> Asked {
    let today = now.div_euclid(DAY_MS) * DAY_MS;
    let month = Period::Monthly.around(now, &TimeZone::UTC);
    Asked {
        range: TimeRange {
            from_ms: month.start_ms.min(today - DAYS * DAY_MS),
            to_ms: now.saturating_add(1),
        },
        step: Step::Day,
        only: asked.only.clone(),
    }
}

/// The forecast from the sums of those days.
pub(super) fn from_days(cells: &[Cell], now: UnixMs) -> Forecast {
    let today = now.div_euclid(DAY_MS) * DAY_MS;
    let month = Period::Monthly.around(now, &TimeZone::UTC);
    let days: Vec<(UnixMs, NanoUsd)> = cells
        .iter()
        .map(|cell| (cell.start_ms, cell.totals.cost_nano_usd))
        .collect();
    expect(&days, today, (month.start_ms, month.end_ms))
}

fn weekday(day: UnixMs) -> i64 {
    (day.div_euclid(DAY_MS) + 3).rem_euclid(7)
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "an estimate: what is lost lies far below the error of the method"
)]
fn expect(days: &[(UnixMs, NanoUsd)], today: UnixMs, (start, end): (UnixMs, UnixMs)) -> Forecast {
    let cost_of = |day: UnixMs| {
        days.iter()
            .find(|(at, _)| *at == day)
            .map_or(0, |(_, cost)| cost.0)
    };
    let spent: i64 = days
        .iter()
        .filter(|(at, _)| *at >= start)
        .map(|(_, cost)| cost.0)
        .sum();
    // Days before anything was used say nothing of what days are like.
    let first = days.iter().map(|(at, _)| *at).min().unwrap_or(today);
    let begin = (today - DAYS * DAY_MS).max(first);
    let whole: Vec<(i64, f64)> = (0..)
        .map(|n| begin + n * DAY_MS)
        .take_while(|day| *day < today)
        .map(|day| (weekday(day), cost_of(day) as f64))
        .collect();
    let mean = |of: &[f64]| of.iter().sum::<f64>() / of.len().max(1) as f64;
    let all: Vec<f64> = whole.iter().map(|(_, cost)| *cost).collect();
    let mean_of = |weekday: i64| {
        let same: Vec<f64> = whole
            .iter()
            .filter(|(day, _)| *day == weekday)
            .map(|(_, cost)| *cost)
            .collect();
        if same.is_empty() { mean(&all) } else { mean(&same) }
    };
    let so_far = cost_of(today) as f64;
    let rest_of_today = (mean_of(weekday(today)) - so_far).max(0.0);
    let coming: Vec<i64> = (1..)
        .map(|n| today + n * DAY_MS)
        .take_while(|day| *day < end)
        .map(weekday)
        .collect();
    let rest = rest_of_today + coming.iter().map(|day| mean_of(*day)).sum::<f64>();
    let squares: f64 = whole
        .iter()
        .map(|(day, cost)| (cost - mean_of(*day)).powi(2))
        .sum();
    // Each weekday's mean is taken from the same days.
    let weekdays = (0..7)
        .filter(|day| whole.iter().any(|(other, _)| other == day))
        .count();
    let variance = match whole.len().checked_sub(weekdays) {
        Some(free) if free > 0 => squares / free as f64,
        // Too few days to see a spread: as if a day were as likely nothing as twice the mean.
        _ => mean(&all).powi(2),
    };
    let error = 1.96 * (variance * (coming.len() + 1) as f64).sqrt();
    let sum = |more: f64| NanoUsd(spent.saturating_add(more.max(0.0).round() as i64));
    Forecast {
        until: Timestamp::from_ms(end),
        spent_nano_usd: NanoUsd(spent),
        expected_nano_usd: sum(rest),
        low_nano_usd: sum(rest - error),
        high_nano_usd: sum(rest + error),
        from_days: u32::try_from(whole.len()).unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A Monday.
    const MONDAY: UnixMs = 4 * DAY_MS + 2_800 * 7 * DAY_MS;

    #[test]
    fn weekdays_go_on_like_weekdays_and_weekends_like_weekends() {
        let cost = |day: UnixMs| NanoUsd(if weekday(day) < 5 { 100 } else { 0 });
        let days: Vec<_> = (0..28)
            .map(|n| MONDAY + n * DAY_MS)
            .map(|day| (day, cost(day)))
            .collect();
        let today = MONDAY + 28 * DAY_MS;
        // The month began with today and has fourteen days: ten of them are working days.
        let forecast = expect(&days, today, (today, today + 14 * DAY_MS));
        assert_eq!(forecast.spent_nano_usd, NanoUsd(0));
        assert_eq!(forecast.expected_nano_usd, NanoUsd(1_000));
        // They have no spread but by weekday.
        assert_eq!(
            (forecast.low_nano_usd, forecast.high_nano_usd),
            (NanoUsd(1_000), NanoUsd(1_000))
        );
        assert_eq!(forecast.from_days, 28);
    }

    #[test]
    fn what_is_spent_stays_spent() {
        let today = MONDAY + 20 * DAY_MS;
        let days = [(today - DAY_MS, NanoUsd(50)), (today, NanoUsd(400))];
        let forecast = expect(&days, today, (today - DAY_MS, today + DAY_MS));
        assert_eq!(forecast.spent_nano_usd, NanoUsd(450));
        // Today has come to more than a day does already, and there is no other.
        assert_eq!(forecast.expected_nano_usd, NanoUsd(450));
        assert_eq!(forecast.low_nano_usd, NanoUsd(450));
        assert!(forecast.high_nano_usd > NanoUsd(450));
        // Nothing is made of nothing.
        let none = expect(&[], today, (today - DAY_MS, today + DAY_MS));
        assert_eq!(
            (none.expected_nano_usd, none.high_nano_usd, none.from_days),
            (NanoUsd(0), NanoUsd(0), 0)
        );
    }
}
