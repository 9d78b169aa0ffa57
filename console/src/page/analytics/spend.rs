//! What was spent, over time and by whom.

use super::{AnalyticsFilter, tabs};
use crate::format::{compact, grouped, iso, money, month_start, percent, short_usd};
use crate::page::{Page, Section};
use crate::part::block::{card, empty, figure, figures, nothing, page_head, text};
use crate::part::chart::share_bar;
use crate::part::field::page_link;
use crate::part::stacked::{Series, Stacked, Unit};
use crate::{PageContext, path};
use ccag_domain::{NanoUsd, UnixMs};
use leptos::prelude::*;

/// One line of a ranking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RankRow {
    /// The id by which the use can be narrowed to it; `None` for what belongs to none.
    pub value: Option<String>,
    /// Its name.
    pub name: String,
    /// Requests.
    pub requests: u64,
    /// All tokens together.
    pub tokens: u64,
    /// What they cost.
    pub cost: NanoUsd,
}

/// What has spent most, of one kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ranking {
    /// The dearest.
    pub rows: Vec<RankRow>,
    /// How many others there are, and what they cost together.
    pub others: Option<(u64, NanoUsd)>,
}

/// What the month is expected to come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outlook {
    /// What is spent until now.
    pub spent: NanoUsd,
    /// What it is expected to come to.
    pub expected: NanoUsd,
    /// At least, with 95 %.
    pub low: NanoUsd,
    /// At most.
    pub high: NanoUsd,
    /// From how many whole days this is taken.
    pub from_days: u32,
}

/// The page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SpendPage {
    /// Which use it looks at.
    pub filter: AnalyticsFilter,
    /// When the pieces of time begin.
    pub starts: Vec<UnixMs>,
    /// How finely they are kept apart.
    pub step: &'static str,
    /// Spend by team over time.
    pub by_team: Vec<Series>,
    /// What was spent.
    pub cost: NanoUsd,
    /// What was spent in the range of the same length before.
    pub before: NanoUsd,
    /// Requests.
    pub requests: u64,
    /// What cache reads have saved, less what writing the cache has cost more, at today's prices.
    pub saved_by_cache: NanoUsd,
    /// What the month is expected to come to.
    pub outlook: Option<Outlook>,
    /// By team.
    pub teams: Ranking,
    /// By user.
    pub users: Ranking,
    /// By key.
    pub keys: Ranking,
    /// By model.
    pub models: Ranking,
    /// By endpoint.
    pub endpoints: Ranking,
}

impl Page for SpendPage {
    fn title(&self) -> String {
        "Spend".to_owned()
    }

    fn section(&self) -> Option<Section> {
        Some(Section::Analytics)
    }

    fn body(&self, context: &PageContext) -> AnyView {
        let export = (self.requests > 0).then(|| {
            view! {
                <a class="button" href=self.filter.narrowed(path::ANALYTICS_EXPORT, "by", "team")>
                    "Download as CSV"
                </a>
            }
        });
        let buttons = view! {
            {page_link(context, path::WHAT_IF, "Try a budget out", "button")}
            {export}
        };
        let charges = charges(context);
        let body = if self.requests == 0 {
            self.nothing_there()
        } else {
            self.numbers()
        };
        view! {
            {page_head("Analytics".to_owned(), text("What was spent, over time and by whom. Times are UTC."), buttons.into_any())}
            {tabs(path::ANALYTICS, &self.filter)}
            {self.filter.view(path::ANALYTICS)}
            {body}
            {charges}
        }
        .into_any()
    }
}

/// The form that gives the ledger as charges for the tools that read the bills of clouds.
fn charges(context: &PageContext) -> AnyView {
    let today = context.now_ms;
    let month = month_start(today);
    let last = month_start(month - 1);
    let day = |id: &'static str, name: &'static str, label: &'static str, at: UnixMs| {
        let day: String = iso(at).chars().take(10).collect();
        view! {
            <div class="field">
                <label for=id>{label}</label>
                <input type="date" id=id name=name value=day required=true />
            </div>
        }
    };
    let form = view! {
        <p>
            "A file of charges in the form of FOCUS 1.2, by the hour, which tools for the bills of clouds read. Days are UTC; it holds what you may see."
        </p>
        <form method="get" action=path::ANALYTICS_FOCUS class="filters">
            {day("charges-from", "from", "From", last)}
            {day("charges-to", "to", "To and with", month - 1)}
            <div class="filter-actions"><button type="submit">"Download charges"</button></div>
        </form>
    };
    card(
        "charges",
        "For other tools",
        text("FOCUS, as CSV"),
        form.into_any(),
    )
}

/// How much more or less than before, in words.
pub(super) fn compared(now: i64, before: i64) -> String {
    if before <= 0 {
        return "nothing in the time before".to_owned();
    }
    let change = (i128::from(now) - i128::from(before)) * 100 / i128::from(before);
    match change {
        0 => "as in the time before".to_owned(),
        1.. => format!("{change} % more than in the time before"),
        _ => format!("{} % less than in the time before", -change),
    }
}

/// Says a time.
type Said = fn(UnixMs) -> String;

/// What pieces of time are called in all, and each of them, long and for the axis.
pub(super) fn labels(step: &str) -> (&'static str, Said, Said) {
    use crate::format::{date, date_time, day_label};
    match step {
        "hour" => ("Hour (UTC)", date_time, date_time),
        "week" => ("Week from (UTC)", date, day_label),
        "month" => ("Month from (UTC)", date, date),
        _ => ("Day (UTC)", date, day_label),
    }
}

impl SpendPage {
    fn nothing_there(&self) -> AnyView {
        empty(
            "Nothing was used",
            view! { <p>"Nobody has asked anything in this time that fits. Choose a longer time, or take something back."</p> }
                .into_any(),
            view! { <a class="button" href=path::ANALYTICS>"Show the last 30 days"</a> }.into_any(),
        )
    }

    fn numbers(&self) -> AnyView {
        let (piece, label, axis) = labels(self.step);
        let chart = Stacked {
            what: "Spend by team",
            piece,
            label,
            axis,
            starts: &self.starts,
            series: &self.by_team,
            unit: Unit::Money,
        };
        let each = self.cost.0 / i64::try_from(self.requests.max(1)).unwrap_or(i64::MAX);
        let cache = if self.saved_by_cache.0 < 0 {
            "lost: what was written to it was not read often enough"
        } else {
            "less than without it, at today's prices"
        };
        let items = vec![
            figure(
                "Spend",
                money(self.cost),
                text(compared(self.cost.0, self.before.0)),
            ),
            figure(
                "Requests",
                grouped(self.requests).into_any(),
                text(format!("{} each", short_usd(NanoUsd(each)))),
            ),
            figure(
                "Prompt cache",
                money(NanoUsd(self.saved_by_cache.0.abs())),
                text(cache),
            ),
            self.outlook.map_or_else(nothing, outlook),
        ];
        let all = self.cost;
        view! {
            {figures(items)}
            {card("over-time", "Spend over time", text("by team"), chart.view())}
            <div class="columns">
                {self.ranking("teams", "Teams", "team", &self.teams, all)}
                {self.ranking("users", "Users", "user", &self.users, all)}
                {self.ranking("models", "Models", "model", &self.models, all)}
                {self.ranking("keys", "Keys", "key", &self.keys, all)}
                {self.ranking("endpoints", "Endpoints", "endpoint", &self.endpoints, all)}
            </div>
        }
        .into_any()
    }

    fn ranking(
        &self,
        id: &'static str,
        title: &'static str,
        name: &'static str,
        ranking: &Ranking,
        all: NanoUsd,
    ) -> AnyView {
        if ranking.rows.is_empty() {
            return nothing();
        }
        let part = |cost: NanoUsd| {
            let nano = |amount: NanoUsd| u64::try_from(amount.0).unwrap_or(0);
            percent(nano(cost), nano(all))
        };
        let row = |row: &RankRow| {
            let label = match &row.value {
                Some(value) => {
                    let href = self.filter.narrowed(path::ANALYTICS, name, value);
                    view! { <a href=href>{row.name.clone()}</a> }.into_any()
                }
                None => view! { <span>{row.name.clone()}</span> }.into_any(),
            };
            let note = format!(
                "{} requests, {} tokens, {}",
                grouped(row.requests),
                compact(row.tokens),
                part(row.cost)
            );
            view! {
                <li>
                    <span class="rank-name">{label}</span>
                    <span class="rank-cost">{money(row.cost)}</span>
                    <span class="rank-note">{note}</span>
                    {share_bar(row.cost.0, all.0)}
                </li>
            }
        };
        let rows = ranking.rows.iter().map(row).collect_view();
        let others = ranking.others.map(|(count, cost)| {
            view! {
                <li>
                    <span class="rank-name">{format!("{} others", grouped(count))}</span>
                    <span class="rank-cost">{money(cost)}</span>
                    <span class="rank-note">{part(cost)}</span>
                    {share_bar(cost.0, all.0)}
                </li>
            }
        });
        card(
            id,
            title,
            text("by spend"),
            view! { <ol class="ranking">{rows}{others}</ol> }.into_any(),
        )
    }
}

fn outlook(outlook: Outlook) -> AnyView {
    let note = match outlook.from_days {
        0..7 => "too few days to say more: from a week of use on".to_owned(),
        days => format!(
            "{} until now; with 95 % between {} and {}, if days go on like the same weekdays of the last {days}",
            short_usd(outlook.spent),
            short_usd(outlook.low),
            short_usd(outlook.high)
        ),
    };
    let value = if outlook.from_days < 7 {
        outlook.spent
    } else {
        outlook.expected
    };
    let name = if outlook.from_days < 7 {
        "This month until now"
    } else {
        "This month, expected"
    };
    figure(name, money(value), text(note))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_compared_in_whole_percent() {
        assert_eq!(compared(5, 0), "nothing in the time before");
        assert_eq!(compared(150, 100), "50 % more than in the time before");
        assert_eq!(compared(50, 100), "50 % less than in the time before");
        assert_eq!(compared(100, 100), "as in the time before");
    }
}
