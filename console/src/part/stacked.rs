//! Stacked bars over time, drawn on the server, with a table of the same numbers; and a week by hours as a table that is
//! coloured.

use super::block::nothing;
use super::chart::{GAP, Plot, SLOT, height, marks, scale_top};
use crate::format::{compact, grouped, iso, money, short_usd};
use ccag_domain::{NanoUsd, UnixMs};
use leptos::prelude::*;

/// What of a chart belongs together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    /// What it is called.
    pub name: String,
    /// Its numbers, one for each piece of time.
    pub values: Vec<i64>,
}

/// What the numbers of a chart are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Nano-dollars.
    Money,
    /// A count.
    Count,
}

impl Unit {
    fn short(self, value: i64) -> String {
        match self {
            Self::Money => short_usd(NanoUsd(value)),
            Self::Count => compact(value.unsigned_abs()),
        }
    }

    fn exact(self, value: i64) -> AnyView {
        match self {
            Self::Money => money(NanoUsd(value)),
            Self::Count => grouped(value.unsigned_abs()).into_any(),
        }
    }

    fn top(self, most: i64) -> i64 {
        match self {
            Self::Money => scale_top(most),
            // The least top of the scale is meant for money.
            Self::Count => scale_top(most.max(10).saturating_mul(1_000)) / 1_000,
        }
    }
}

/// A chart.
pub(crate) struct Stacked<'a> {
    /// What it shows, in a few words.
    pub(crate) what: &'static str,
    /// What a piece of time is called, for the table.
    pub(crate) piece: &'static str,
    /// What pieces are called that begin then, long and short.
    pub(crate) label: fn(UnixMs) -> String,
    /// The same for the axis.
    pub(crate) axis: fn(UnixMs) -> String,
    /// When the pieces begin.
    pub(crate) starts: &'a [UnixMs],
    /// What is stacked, at most six; the first at the bottom.
    pub(crate) series: &'a [Series],
    /// What the numbers are.
    pub(crate) unit: Unit,
}

/// How many colours there are.
const COLOURS: usize = 6;

impl Stacked<'_> {
    fn value(&self, series: &Series, at: usize) -> i64 {
        series.values.get(at).copied().unwrap_or(0).max(0)
    }

    fn sum(&self, at: usize) -> i64 {
        self.series.iter().map(|series| self.value(series, at)).sum()
    }

    fn tip(&self, at: usize, start: UnixMs) -> String {
        let mut tip = format!("{}: {}", (self.label)(start), self.unit.short(self.sum(at)));
        if self.series.len() > 1 {
            let parts: Vec<String> = self
                .series
                .iter()
                .filter(|series| self.value(series, at) > 0)
                .map(|series| format!("{} {}", series.name, self.unit.short(self.value(series, at))))
                .collect();
            if !parts.is_empty() {
                tip.push_str(" (");
                tip.push_str(&parts.join(", "));
                tip.push(')');
            }
        }
        tip
    }

    fn bars(&self, top: i64) -> AnyView {
        let bar = |(at, start): (usize, &UnixMs)| {
            let tip = self.tip(at, *start);
            let shown = tip.clone();
            let mut y = 10_000;
            let parts: Vec<_> = self
                .series
                .iter()
                .enumerate()
                .filter_map(|(n, series)| {
                    let value = self.value(series, at);
                    if value == 0 {
                        return None;
                    }
                    // What is not nothing stays visible.
                    let tall = height(value, top).max(60).min(y);
                    y -= tall;
                    Some(view! {
                        <rect
                            class=format!("fill series-{}", n % COLOURS + 1)
                            x=(at * SLOT + GAP / 2).to_string()
                            y=y.to_string()
                            width=(SLOT - GAP).to_string()
                            height=tall.to_string()
                        />
                    })
                })
                .collect();
            view! {
                <g class="bar" data-tip=shown>
                    <title>{tip}</title>
                    <rect class="hit" x=(at * SLOT).to_string() y="0" width=SLOT.to_string() height="10000" />
                    {parts}
                </g>
            }
        };
        self.starts.iter().enumerate().map(bar).collect_view().into_any()
    }

    fn legend(&self) -> AnyView {
        if self.series.len() < 2 {
            return nothing();
        }
        let entry = |(n, series): (usize, &Series)| {
            view! {
                <li>
                    <svg class="swatch" viewBox="0 0 10 10" aria-hidden="true">
                        <rect class=format!("series-{}", n % COLOURS + 1) width="10" height="10" rx="2" />
                    </svg>
                    {series.name.clone()}
                </li>
            }
        };
        let entries = self.series.iter().enumerate().map(entry).collect_view();
        view! { <ul class="legend" aria-label="What the colours stand for">{entries}</ul> }.into_any()
    }

    fn twin(&self) -> AnyView {
        let several = self.series.len() > 1;
        let heads = self
            .series
            .iter()
            .map(|series| view! { <th scope="col" class="number">{series.name.clone()}</th> })
            .collect_view();
        let rows = self
            .starts
            .iter()
            .enumerate()
            .rev()
            .map(|(at, start)| {
                let cells = self
                    .series
                    .iter()
                    .map(|series| view! { <td class="number">{self.unit.exact(self.value(series, at))}</td> })
                    .collect_view();
                let sum = several.then(|| view! { <td class="number">{self.unit.exact(self.sum(at))}</td> });
                view! {
                    <tr>
                        <th scope="row"><time datetime=iso(*start)>{(self.label)(*start)}</time></th>
                        {cells}
                        {sum}
                    </tr>
                }
            })
            .collect_view();
        let sum = several.then(|| view! { <th scope="col" class="number">"In all"</th> });
        view! {
            <details class="twin">
                <summary>"The same numbers as a table"</summary>
                <div class="twin-scroll" tabindex="0" role="region" aria-label=format!("{} as a table", self.what)>
                    <table class="plain">
                        <thead><tr><th scope="col">{self.piece}</th>{heads}{sum}</tr></thead>
                        <tbody>{rows}</tbody>
                    </table>
                </div>
            </details>
        }
        .into_any()
    }

    /// The chart, what its colours stand for, and its table.
    pub(crate) fn view(&self) -> AnyView {
        let most = (0..self.starts.len()).map(|at| self.sum(at)).max().unwrap_or(0);
        let top = self.unit.top(most);
        let label = format!(
            "Bar chart of {}, {} bars. The table below has the numbers.",
            self.what.to_lowercase(),
            self.starts.len()
        );
        let plot = Plot {
            label,
            scale: [top, top / 2, 0].map(|value| self.unit.short(value)),
            marks: marks(self.starts, self.axis),
            width: self.starts.len().max(1) * SLOT,
        };
        view! {
            {self.legend()}
            {plot.around(self.bars(top))}
            {self.twin()}
        }
        .into_any()
    }
}

const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// Requests by weekday and hour: a table whose cells are the darker the more there were. Each has its number for screen
/// readers and beside the pointer.
pub(crate) fn heat_map(week: &[[u64; 24]; 7]) -> AnyView {
    let most = week.iter().flatten().copied().max().unwrap_or(0).max(1);
    let hours = (0..24)
        .map(|hour| {
            // Every third is written out; screen readers are told all.
            let class = (hour % 3 != 0).then_some("visually-hidden");
            view! { <th scope="col"><span class=class>{format!("{hour:02}")}</span></th> }
        })
        .collect_view();
    let row = |(day, counts): (&str, &[u64; 24])| {
        let cells = counts
            .iter()
            .enumerate()
            .map(|(hour, count)| {
                // Five shades, and none for nothing.
                let shade = count.saturating_mul(5).div_ceil(most);
                let tip = format!("{day} {hour:02}:00: {} requests", grouped(*count));
                view! {
                    <td class=format!("heat heat-{shade}") data-tip=tip>
                        <span class="visually-hidden">{grouped(*count)}</span>
                    </td>
                }
            })
            .collect_view();
        view! { <tr><th scope="row">{day.to_owned()}</th>{cells}</tr> }
    };
    let rows = WEEKDAYS.into_iter().zip(week).map(row).collect_view();
    view! {
        <div class="twin-scroll" tabindex="0" role="region" aria-label="Requests by weekday and hour">
            <table class="heat-map">
                <caption class="visually-hidden">"Requests by weekday and hour of the day, UTC"</caption>
                <thead><tr><th scope="col"><span class="visually-hidden">"Day"</span></th>{hours}</tr></thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_of_counts_end_on_round_numbers_too() {
        assert_eq!(Unit::Count.top(0), 10);
        assert_eq!(Unit::Count.top(11), 20);
        assert_eq!(Unit::Count.top(1_000), 1_000);
        assert_eq!(Unit::Money.top(3), 10_000);
    }
}
