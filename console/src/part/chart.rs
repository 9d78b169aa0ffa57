//! Bar charts drawn on the server, each with a table of the same numbers.

use crate::format::{date, day_label, grouped, iso, money, short_usd};
use ccag_domain::{NanoUsd, UnixMs};
use leptos::prelude::*;

/// What one day cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayUsage {
    /// The start of the UTC day.
    pub day_ms: UnixMs,
    /// Requests that reached Bedrock.
    pub requests: u64,
    /// What they cost.
    pub cost: NanoUsd,
}

/// The smallest "round" amount (1, 2 or 5 times a power of ten) that is at least `most`, for the top of the scale.
pub(crate) fn scale_top(most: i64) -> i64 {
    let most = most.max(10_000);
    let mut step: i64 = 1;
    loop {
        for factor in [1, 2, 5] {
            match step.checked_mul(factor) {
                Some(top) if top >= most => return top,
                Some(_) => {}
                None => return i64::MAX,
            }
        }
        match step.checked_mul(10) {
            Some(next) => step = next,
            None => return i64::MAX,
        }
    }
}

/// A value's height on a scale of 10,000.
pub(super) fn height(value: i64, top: i64) -> i64 {
    let exact = i128::from(value.max(0)) * 10_000 / i128::from(top.max(1));
    i64::try_from(exact).unwrap_or(10_000)
}

/// How wide the place of a bar is, and how much of it stays free.
pub(super) const SLOT: usize = 1_000;
pub(super) const GAP: usize = 220;

fn bars(days: &[DayUsage], top: i64) -> AnyView {
    days.iter()
        .enumerate()
        .map(|(i, day)| {
            let h = height(day.cost.0, top);
            // What is not nothing stays visible.
            let h = if day.cost.0 > 0 { h.max(60) } else { h };
            let tip = format!(
                "{}: {}, {} requests",
                date(day.day_ms),
                short_usd(day.cost),
                grouped(day.requests)
            );
            let shown = tip.clone();
            view! {
                <g class="bar" data-tip=shown>
                    <title>{tip}</title>
                    <rect class="hit" x=(i * SLOT).to_string() y="0" width=SLOT.to_string() height="10000" />
                    <rect
                        class="fill"
                        x=(i * SLOT + GAP / 2).to_string()
                        y=(10_000 - h).to_string()
                        width=(SLOT - GAP).to_string()
                        height=h.to_string()
                    />
                </g>
            }
        })
        .collect_view()
        .into_any()
}

fn table_twin(days: &[DayUsage]) -> AnyView {
    let rows = days
        .iter()
        .rev()
        .map(|day| {
            view! {
                <tr>
                    <th scope="row"><time datetime=iso(day.day_ms)>{date(day.day_ms)}</time></th>
                    <td class="number">{money(day.cost)}</td>
                    <td class="number">{grouped(day.requests)}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <details class="twin">
            <summary>"The same numbers as a table"</summary>
            <div class="twin-scroll" tabindex="0" role="region" aria-label="Spend by day as a table">
                <table class="plain">
                    <thead>
                        <tr>
                            <th scope="col">"Day (UTC)"</th>
                            <th scope="col" class="number">"Spend"</th>
                            <th scope="col" class="number">"Requests"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        </details>
    }
    .into_any()
}

/// What stands around the bars of a chart.
pub(super) struct Plot {
    /// What it is, for those who do not see it.
    pub(super) label: String,
    /// The top of the scale, its middle and its bottom.
    pub(super) scale: [String; 3],
    /// What is written below it.
    pub(super) marks: Vec<String>,
    /// How wide it is, in its own units; its height is 10,000.
    pub(super) width: usize,
}

/// The first, the middle and the last of some times, as they are written below a chart.
pub(super) fn marks(starts: &[UnixMs], said: fn(UnixMs) -> String) -> Vec<String> {
    let last = starts.len().saturating_sub(1);
    let mut at = vec![0, starts.len() / 2, last];
    at.dedup();
    at.into_iter()
        .filter_map(|at| starts.get(at))
        .map(|start| said(*start))
        .collect()
}

impl Plot {
    /// The chart with these bars.
    pub(super) fn around(self, bars: AnyView) -> AnyView {
        let spans = |texts: Vec<String>| {
            let span = |text: String| view! { <span>{text}</span> };
            texts.into_iter().map(span).collect_view()
        };
        let width = self.width;
        view! {
            <div class="chart">
                <div class="chart-scale" aria-hidden="true">{spans(self.scale.into())}</div>
                <svg
                    class="chart-plot"
                    viewBox=format!("0 0 {width} 10000")
                    preserveAspectRatio="none"
                    role="img"
                    aria-label=self.label
                >
                    <g class="rules">
                        <line x1="0" x2=width.to_string() y1="0" y2="0" />
                        <line x1="0" x2=width.to_string() y1="5000" y2="5000" />
                        <line x1="0" x2=width.to_string() y1="10000" y2="10000" />
                    </g>
                    {bars}
                </svg>
                <div class="chart-days" aria-hidden="true">{spans(self.marks)}</div>
            </div>
        }
        .into_any()
    }
}

/// Spend by day as bars, with the table of the same numbers.
pub(crate) fn daily_spend(days: &[DayUsage]) -> AnyView {
    let top = scale_top(days.iter().map(|d| d.cost.0).max().unwrap_or(0));
    let total: NanoUsd = days.iter().map(|d| d.cost).sum();
    let label = format!(
        "Bar chart of spend by day, {} days, {} in all. The table below has the numbers.",
        days.len(),
        short_usd(total)
    );
    let starts: Vec<UnixMs> = days.iter().map(|day| day.day_ms).collect();
    let plot = Plot {
        label,
        scale: [top, top / 2, 0].map(|value| short_usd(NanoUsd(value))),
        marks: marks(&starts, day_label),
        width: days.len().max(1) * SLOT,
    };
    view! {
        {plot.around(bars(days, top))}
        {table_twin(days)}
    }
    .into_any()
}

/// A share as a thin bar; the number beside it carries the meaning.
pub(crate) fn share_bar(part: i64, whole: i64) -> AnyView {
    let width = height(part, whole.max(1)).min(10_000);
    view! {
        <svg class="share" viewBox="0 0 10000 100" preserveAspectRatio="none" aria-hidden="true">
            <rect class="share-all" x="0" y="0" width="10000" height="100" />
            <rect class="share-part" x="0" y="0" width=width.to_string() height="100" />
        </svg>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_end_on_a_round_amount() {
        assert_eq!(scale_top(0), 10_000);
        assert_eq!(scale_top(10_001), 20_000);
        assert_eq!(scale_top(3_100_000_000), 5_000_000_000);
        assert_eq!(scale_top(i64::MAX), i64::MAX);
    }

    #[test]
    fn heights_stay_on_the_scale() {
        assert_eq!(height(5, 10), 5_000);
        assert_eq!(height(-5, 10), 0);
        assert_eq!(height(i64::MAX, i64::MAX), 10_000);
    }
}
