//! How models and endpoints do.

use super::losses::{Losses, losses};
use super::spend::labels;
use super::{AnalyticsFilter, tabs};
use crate::format::{compact, grouped, money, percent, seconds};
use crate::page::{Page, Section};
use crate::part::block::{card, empty, nothing, page_head, text};
use crate::part::list::{Column, cell, number_cell, row_head, table};
use crate::part::stacked::{Series, Stacked, Unit};
use crate::{PageContext, path};
use ccag_domain::{NanoUsd, Tokens, UnixMs};
use leptos::prelude::*;

/// How one model or endpoint does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DoingRow {
    /// By what the use can be narrowed to it.
    pub value: String,
    /// Its name.
    pub name: String,
    /// Requests.
    pub requests: u64,
    /// Those of them that did not complete.
    pub errors: u64,
    /// Tokens by class.
    pub tokens: Tokens,
    /// What they cost.
    pub cost: NanoUsd,
    /// From arrival to the first content: the middle, 95 % and 99 %, in milliseconds.
    pub first_token: Option<[u64; 3]>,
    /// From arrival to the end.
    pub duration: Option<[u64; 3]>,
}

/// The page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModelsReportPage {
    /// Which use it looks at.
    pub filter: AnalyticsFilter,
    /// When the pieces of time begin.
    pub starts: Vec<UnixMs>,
    /// How finely they are kept apart.
    pub step: &'static str,
    /// Requests by model over time.
    pub by_model: Vec<Series>,
    /// By model.
    pub models: Vec<DoingRow>,
    /// By endpoint.
    pub endpoints: Vec<DoingRow>,
    /// What was lost because prompts were not read from the cache.
    pub losses: Losses,
}

impl Page for ModelsReportPage {
    fn title(&self) -> String {
        "Models and performance".to_owned()
    }

    fn section(&self) -> Option<Section> {
        Some(Section::Analytics)
    }

    fn body(&self, _: &PageContext) -> AnyView {
        let body = if self.models.is_empty() {
            empty(
                "Nothing was used",
                view! { <p>"Nobody has asked anything in this time that fits."</p> }.into_any(),
                view! { <a class="button" href=path::ANALYTICS_MODELS>"Show the last 30 days"</a> }
                    .into_any(),
            )
        } else {
            self.numbers()
        };
        view! {
            {page_head("Analytics".to_owned(), text("Which models are asked, how fast they answer, and how much the prompt cache helps."), nothing())}
            {tabs(path::ANALYTICS_MODELS, &self.filter)}
            {self.filter.view(path::ANALYTICS_MODELS)}
            {body}
        }
        .into_any()
    }
}

impl ModelsReportPage {
    fn numbers(&self) -> AnyView {
        let (piece, label, axis) = labels(self.step);
        let chart = Stacked {
            what: "Requests by model",
            piece,
            label,
            axis,
            starts: &self.starts,
            series: &self.by_model,
            unit: Unit::Count,
        };
        view! {
            {card("mix", "Requests by model", text("over time"), chart.view())}
            {card("speed-models", "How models do", text("times: 50, 95 and 99 % of requests took at most so long"), self.doing("model", "How models do", &self.models))}
            {card("tokens", "Tokens by class", text("and how much of what is put in comes from the cache"), self.tokens())}
            {losses(&self.losses, self.step, &self.starts)}
            {card("speed-endpoints", "How endpoints do", text("all of their models together; times as above"), self.doing("endpoint", "How endpoints do", &self.endpoints))}
        }
        .into_any()
    }

    fn named(&self, kind: &'static str, row: &DoingRow) -> AnyView {
        let href = self.filter.narrowed(path::ANALYTICS_MODELS, kind, &row.value);
        view! { <a href=href>{row.name.clone()}</a> }.into_any()
    }

    fn doing(&self, kind: &'static str, caption: &'static str, rows: &[DoingRow]) -> AnyView {
        let columns = vec![
            Column::text(if kind == "model" { "Model" } else { "Endpoint" }),
            Column::number("Requests"),
            Column::number("Not completed"),
            Column::text("First content"),
            Column::text("Whole answer"),
            Column::number("Spend"),
        ];
        let row = |row: &DoingRow| {
            view! {
                <tr>
                    {row_head(self.named(kind, row))}
                    {number_cell("Requests", grouped(row.requests).into_any())}
                    {number_cell("Not completed", text(percent(row.errors, row.requests)))}
                    {cell("First content", times(row.first_token))}
                    {cell("Whole answer", times(row.duration))}
                    {number_cell("Spend", money(row.cost))}
                </tr>
            }
            .into_any()
        };
        table(caption, columns, rows.iter().map(row).collect())
    }

    fn tokens(&self) -> AnyView {
        let columns = vec![
            Column::text("Model"),
            Column::number("Not cached"),
            Column::number("Read from cache"),
            Column::number("Written, 5 min"),
            Column::number("Written, 1 h"),
            Column::number("Output"),
            Column::number("Cached"),
        ];
        let row = |row: &DoingRow| {
            let tokens = row.tokens;
            let put_in = tokens.input + tokens.cache_read + tokens.cache_write_5m + tokens.cache_write_1h;
            let count = |n: u64| text(compact(n));
            view! {
                <tr>
                    {row_head(text(row.name.clone()))}
                    {number_cell("Not cached", count(tokens.input))}
                    {number_cell("Read from cache", count(tokens.cache_read))}
                    {number_cell("Written, 5 min", count(tokens.cache_write_5m))}
                    {number_cell("Written, 1 h", count(tokens.cache_write_1h))}
                    {number_cell("Output", count(tokens.output))}
                    {number_cell("Cached", text(percent(tokens.cache_read, put_in)))}
                </tr>
            }
            .into_any()
        };
        table("Tokens by class", columns, self.models.iter().map(row).collect())
    }
}

fn times(of: Option<[u64; 3]>) -> AnyView {
    let Some(times) = of else {
        return text("none");
    };
    text(times.map(seconds).join(" / "))
}
