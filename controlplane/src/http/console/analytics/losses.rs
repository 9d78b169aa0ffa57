//! What was lost to cache misses, for the page about models.

use super::look::Look;
use crate::app::analytics::piece_start;
use ccag_admin_api::{CacheMissReport, Step};
use ccag_console::page::{Losses, LostRow, Series, miss_name};
use ccag_domain::NanoUsd;

/// How many colours a chart has; the last one is for all other reasons.
const COLOURS: usize = 6;

pub(super) fn losses(report: &CacheMissReport, look: &Look) -> Losses {
    let starts = look.starts();
    // Losses are kept by the day: an hour holds those of the day that begins with it.
    let step = match look.asked.step {
        Step::Hour => Step::Day,
        step => step,
    };
    let own = if report.reasons.len() > COLOURS {
        COLOURS - 1
    } else {
        report.reasons.len()
    };
    let named = |name: String| Series {
        name,
        values: vec![0; starts.len()],
    };
    let mut over_time: Vec<Series> = report
        .reasons
        .iter()
        .take(own)
        .map(|lost| named(miss_name(lost.reason).to_owned()))
        .collect();
    if report.reasons.len() > own {
        over_time.push(named(format!("{} other reasons", report.reasons.len() - own)));
    }
    for lost in &report.days {
        let Some(day) = lost.day else { continue };
        let start = piece_start(step, day.ms());
        // A range may begin within a piece of time.
        let at = starts.partition_point(|at| *at <= start).saturating_sub(1);
        let place = report.reasons.iter().position(|one| one.reason == lost.reason);
        let n = place.unwrap_or(own).min(own);
        if let Some(value) = over_time.get_mut(n).and_then(|series| series.values.get_mut(at)) {
            let NanoUsd(cost) = lost.lost_nano_usd;
            *value = value.saturating_add(cost);
        }
    }
    Losses {
        over_time,
        rows: report
            .reasons
            .iter()
            .map(|lost| LostRow {
                reason: lost.reason,
                requests: lost.requests,
                tokens: lost.tokens,
                cost: lost.lost_nano_usd,
            })
            .collect(),
    }
}
