//! What somebody looks at, as the address says it.

use crate::app::analytics::{self, Asked, piece_start};
use crate::http::console::form::pairs;
use crate::http::console::visitor::Visitor;
use crate::store::OnlyOf;
use ccag_admin_api::{Step, TimeRange, Timestamp};
use ccag_console::form::Choice;
use ccag_console::format::{day_start, month_start};
use ccag_console::page::{AnalyticsFilter, RANGES, TIME_STEPS, Tick};
use ccag_domain::time::{DAY_MS, HOUR_MS};
use ccag_domain::{Problem, UnixMs};
use std::collections::HashMap;

/// The most pieces of time in a chart.
const MOST_PIECES: i64 = 400;

/// What somebody looks at.
pub(super) struct Look {
    pub(super) asked: Asked,
    pub(super) filter: AnalyticsFilter,
}

impl Look {
    /// Reads the address, and the names of what is to be chosen from.
    pub(super) async fn read(visitor: &Visitor, query: Option<&str>) -> Result<Self, Problem> {
        let now = visitor.now_ms();
        let mut filter = AnalyticsFilter {
            range: "30d".to_owned(),
            ..AnalyticsFilter::default()
        };
        let mut only = OnlyOf::default();
        for (name, value) in pairs(query) {
            let value = value.into_owned();
            let list = match name.as_ref() {
                "range" if RANGES.iter().any(|(known, _)| *known == value) => {
                    filter.range = value;
                    continue;
                }
                "step" if TIME_STEPS.iter().any(|(known, _)| *known == value) => {
                    filter.step = value;
                    continue;
                }
                "from" => {
                    filter.from = value;
                    continue;
                }
                "to" => {
                    filter.to = value;
                    continue;
                }
                "team" => &mut only.teams,
                "user" => &mut only.users,
                "key" => &mut only.keys,
                "model" => &mut only.models,
                "endpoint" => &mut only.endpoints,
                _ => continue,
            };
            if !value.is_empty() && value.len() <= 200 && list.len() < 100 {
                // What belongs to none has no id.
                list.push(if value == NONE { String::new() } else { value });
            }
        }
        let (range, trouble) = match range(&filter, now) {
            Ok(range) => (range, None),
            Err(message) => (last_days(30, now), Some(message.to_owned())),
        };
        filter.trouble = trouble;
        if filter.range == "custom" && filter.from.is_empty() {
            filter.from = Timestamp::from_ms(range.from_ms).date();
            filter.to = Timestamp::from_ms(range.to_ms - 1).date();
        }
        let step = fitting(Step::parse(&filter.step), range);
        let look = Self {
            asked: Asked { range, step, only },
            filter,
        };
        look.named(visitor).await
    }

    /// The same with what there is to choose from.
    async fn named(mut self, visitor: &Visitor) -> Result<Self, Problem> {
        let only = &self.asked.only;
        let choices = analytics::choices(&visitor.state().app, &visitor.actor(), only).await?;
        let ticks = |known: Vec<(String, String)>, chosen: &[String]| -> Vec<Tick> {
            known
                .into_iter()
                .map(|(value, label)| Tick {
                    on: chosen.contains(&value),
                    value: said(&value),
                    label,
                })
                .collect()
        };
        let named = |known: HashMap<String, String>, chosen: &[String]| -> Vec<Choice> {
            chosen
                .iter()
                .map(|id| {
                    let label = known.get(id).cloned().unwrap_or_else(|| said(id));
                    Choice::new(said(id), label)
                })
                .collect()
        };
        self.filter.teams = ticks(choices.teams, &only.teams);
        self.filter.models = ticks(choices.models, &only.models);
        self.filter.endpoints = ticks(choices.endpoints, &only.endpoints);
        self.filter.users = named(choices.users, &only.users);
        self.filter.keys = named(choices.keys, &only.keys);
        Ok(self)
    }

    pub(super) fn starts(&self) -> Vec<UnixMs> {
        let TimeRange { from_ms, to_ms } = self.asked.range;
        let mut starts = Vec::new();
        let mut at = piece_start(self.asked.step, from_ms);
        while at < to_ms && starts.len() < 2_000 {
            starts.push(at);
            // No piece is longer than 31 days, and none shorter than an hour.
            let after = match self.asked.step {
                Step::Hour => at + HOUR_MS,
                Step::Day => at + DAY_MS,
                Step::Week => at + 7 * DAY_MS,
                Step::Month => piece_start(Step::Month, at + 32 * DAY_MS),
            };
            at = after;
        }
        starts
    }
}

/// What stands for "none" in addresses.
const NONE: &str = "none";

pub(super) fn said(id: &str) -> String {
    if id.is_empty() {
        NONE.to_owned()
    } else {
        id.to_owned()
    }
}

fn last_days(days: i64, now: UnixMs) -> TimeRange {
    TimeRange {
        from_ms: day_start(now) - (days - 1) * DAY_MS,
        to_ms: now.saturating_add(1),
    }
}

/// The range that was chosen.
fn range(filter: &AnalyticsFilter, now: UnixMs) -> Result<TimeRange, &'static str> {
    let to_ms = now.saturating_add(1);
    Ok(match filter.range.as_str() {
        "7d" => last_days(7, now),
        "90d" => last_days(90, now),
        "year" => last_days(365, now),
        "month" => TimeRange {
            from_ms: month_start(now),
            to_ms,
        },
        "last-month" => {
            let this = month_start(now);
            TimeRange {
                from_ms: month_start(this - 1),
                to_ms: this,
            }
        }
        "custom" if !filter.from.is_empty() || !filter.to.is_empty() => {
            let day = |text: &str| text.parse::<Timestamp>().ok().map(|at| day_start(at.ms()));
            let from = day(&filter.from).ok_or("Say from which day on, as in 2026-11-01.")?;
            let to = match filter.to.as_str() {
                "" => to_ms,
                text => day(text).ok_or("Say up to which day, as in 2026-11-30.")? + DAY_MS,
            };
            if to <= from {
                return Err("The time ends before it begins; exchange the two days.");
            }
            TimeRange {
                from_ms: from,
                to_ms: to,
            }
        }
        _ => last_days(30, now),
    })
}

/// The step that was chosen, or a coarser one if that made too many pieces, or one that fits.
fn fitting(chosen: Option<Step>, range: TimeRange) -> Step {
    let days = (range.to_ms - range.from_ms) / DAY_MS;
    let fits = match days {
        0..=2 => Step::Hour,
        3..=100 => Step::Day,
        101..=800 => Step::Week,
        _ => Step::Month,
    };
    match chosen {
        Some(Step::Hour) if days * 24 > MOST_PIECES => fits.max(Step::Day),
        Some(Step::Day) if days > MOST_PIECES => fits,
        Some(step) => step,
        None => fits,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(range: &str, from: &str, to: &str) -> AnalyticsFilter {
        AnalyticsFilter {
            range: range.into(),
            from: from.into(),
            to: to.into(),
            ..AnalyticsFilter::default()
        }
    }

    #[test]
    fn ranges_are_whole_days_of_utc() {
        let now = "2026-11-24T09:05:05Z".parse::<Timestamp>().unwrap().ms();
        let shown = |found: TimeRange| {
            (
                Timestamp::from_ms(found.from_ms).date(),
                Timestamp::from_ms(found.to_ms).date(),
            )
        };
        let both = |from: &str, to: &str| (from.to_owned(), to.to_owned());
        assert_eq!(
            shown(range(&filter("7d", "", ""), now).unwrap()),
            both("2026-11-18", "2026-11-24")
        );
        assert_eq!(
            shown(range(&filter("last-month", "", ""), now).unwrap()),
            both("2026-10-01", "2026-11-01")
        );
        let own = range(&filter("custom", "2026-01-05", "2026-01-05"), now).unwrap();
        assert_eq!(shown(own), both("2026-01-05", "2026-01-06"));
        assert!(range(&filter("custom", "2026-01-05", "2026-01-04"), now).is_err());
        assert!(range(&filter("custom", "soon", ""), now).is_err());
    }

    #[test]
    fn steps_fit_their_range() {
        let days = |days: i64| TimeRange {
            from_ms: 0,
            to_ms: days * DAY_MS,
        };
        assert_eq!(fitting(None, days(1)), Step::Hour);
        assert_eq!(fitting(None, days(30)), Step::Day);
        assert_eq!(fitting(None, days(365)), Step::Week);
        assert_eq!(fitting(Some(Step::Hour), days(365)), Step::Week);
        assert_eq!(fitting(Some(Step::Month), days(30)), Step::Month);
    }
}
