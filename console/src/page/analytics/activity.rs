//! Who is active, and when.

use super::{AnalyticsFilter, spend, tabs};
use crate::format::{date, day_label, grouped};
use crate::page::{Page, Section};
use crate::part::block::{card, empty, figure, figures, nothing, page_head, text};
use crate::part::stacked::{Series, Stacked, Unit, heat_map};
use crate::{PageContext, path};
use ccag_domain::UnixMs;
use leptos::prelude::*;

/// The page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ActivityPage {
    /// Which use it looks at.
    pub filter: AnalyticsFilter,
    /// Days, oldest first.
    pub days: Vec<UnixMs>,
    /// How many users had asked something before, by day.
    pub returning: Vec<i64>,
    /// How many asked for the first time at all.
    pub new: Vec<i64>,
    /// Different users in the whole range.
    pub users: u64,
    /// The same in the range of the same length before.
    pub users_before: u64,
    /// Requests by weekday, from Monday on, and hour.
    pub week: [[u64; 24]; 7],
    /// Sessions; `None` where models or endpoints were chosen, which sessions are not kept apart by.
    pub sessions: Option<SessionsSeen>,
}

/// The sessions that began in the range.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionsSeen {
    /// How many began, by day.
    pub by_day: Vec<i64>,
    /// How many in all.
    pub sessions: u64,
    /// How many requests they have had.
    pub requests: u64,
    /// How long they were in all, in milliseconds.
    pub length_ms: u64,
}

impl Page for ActivityPage {
    fn title(&self) -> String {
        "Activity".to_owned()
    }

    fn section(&self) -> Option<Section> {
        Some(Section::Analytics)
    }

    fn body(&self, _: &PageContext) -> AnyView {
        let body = if self.users == 0 && self.week.iter().flatten().all(|count| *count == 0) {
            empty(
                "Nobody was active",
                view! { <p>"Nobody has asked anything in this time that fits."</p> }.into_any(),
                view! { <a class="button" href=path::ANALYTICS_ACTIVITY>"Show the last 30 days"</a> }
                    .into_any(),
            )
        } else {
            self.numbers()
        };
        view! {
            {page_head("Analytics".to_owned(), text("Who asks, and when. Times are UTC."), nothing())}
            {tabs(path::ANALYTICS_ACTIVITY, &self.filter)}
            {self.filter.view(path::ANALYTICS_ACTIVITY)}
            {body}
        }
        .into_any()
    }
}

impl ActivityPage {
    fn numbers(&self) -> AnyView {
        let series = [
            Series {
                name: "Had asked before".to_owned(),
                values: self.returning.clone(),
            },
            Series {
                name: "For the first time".to_owned(),
                values: self.new.clone(),
            },
        ];
        let chart = Stacked {
            what: "Active users by day",
            piece: "Day (UTC)",
            label: date,
            axis: day_label,
            starts: &self.days,
            series: &series,
            unit: Unit::Count,
        };
        let count = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        let new: i64 = self.new.iter().sum();
        let daily: i64 = self.returning.iter().chain(&self.new).sum();
        let mean = daily / i64::try_from(self.days.len().max(1)).unwrap_or(1);
        let requests: u64 = self.week.iter().flatten().sum();
        let items = vec![
            figure(
                "Active users",
                grouped(self.users).into_any(),
                text(spend::compared(count(self.users), count(self.users_before))),
            ),
            figure(
                "New among them",
                grouped(new.unsigned_abs()).into_any(),
                text("who had never asked anything before"),
            ),
            figure(
                "On a day",
                grouped(mean.unsigned_abs()).into_any(),
                text("users, on average"),
            ),
            figure(
                "Requests",
                grouped(requests).into_any(),
                text(format!("{} for each user", grouped(requests / self.users.max(1)))),
            ),
        ];
        view! {
            {figures(items)}
            {self.sessions()}
            {card("active-users", "Active users", text("by day"), chart.view())}
            {card("week", "When requests come", text("by weekday and hour, UTC"), heat_map(&self.week))}
        }
        .into_any()
    }

    fn sessions(&self) -> AnyView {
        let note = "of clients, by the day on which they began";
        let Some(seen) = &self.sessions else {
            let none = view! {
                <p>"Sessions are not kept apart by model or endpoint: take the choice of these back to see them."</p>
            };
            return card("sessions", "Sessions", text(note), none.into_any());
        };
        if seen.sessions == 0 {
            let none = view! {
                <p>"No session is known to have begun in this time. Requests belong to one where the client names it, as Claude Code does."</p>
            };
            return card("sessions", "Sessions", text(note), none.into_any());
        }
        let series = [Series {
            name: "Sessions".to_owned(),
            values: seen.by_day.clone(),
        }];
        let chart = Stacked {
            what: "Sessions by the day on which they began",
            piece: "Day (UTC)",
            label: date,
            axis: day_label,
            starts: &self.days,
            series: &series,
            unit: Unit::Count,
        };
        let items = vec![
            figure(
                "Sessions",
                grouped(seen.sessions).into_any(),
                text(format!(
                    "{} for each user",
                    grouped(seen.sessions / self.users.max(1))
                )),
            ),
            figure(
                "Requests in a session",
                grouped(seen.requests / seen.sessions).into_any(),
                text("on average, until now"),
            ),
            figure(
                "Length of a session",
                text(length(seen.length_ms / seen.sessions)),
                text("on average, from the first request to the end of the last"),
            ),
        ];
        let body = view! {
            {figures(items)}
            {chart.view()}
        };
        card("sessions", "Sessions", text(note), body.into_any())
    }
}

/// A length of time in two units.
fn length(ms: u64) -> String {
    let minutes = ms / 60_000;
    match minutes {
        0 => format!("{} s", ms / 1_000),
        1..60 => format!("{minutes} min"),
        60..1_440 => format!("{} h {} min", minutes / 60, minutes % 60),
        _ => format!("{} d {} h", minutes / 1_440, minutes % 1_440 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_said_in_at_most_two_units() {
        assert_eq!(length(59_999), "59 s");
        assert_eq!(length(3_599_000), "59 min");
        assert_eq!(length(3_660_000), "1 h 1 min");
        assert_eq!(length(90_000_000), "1 d 1 h");
    }
}
