//! Which tools and MCP servers are used, and by whom.

use super::spend::labels;
use super::{AnalyticsFilter, tabs};
use crate::format::{grouped, percent};
use crate::page::{Page, Section};
use crate::part::block::{card, empty, figure, figures, nothing, page_head, text};
use crate::part::chart::share_bar;
use crate::part::list::{Column, cell, number_cell, row_head, table};
use crate::part::stacked::{Series, Stacked, Unit};
use crate::{PageContext, path};
use ccag_domain::{ToolCounts, UnixMs};
use leptos::prelude::*;

/// One tool, server or caller.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallsRow {
    /// By what the calls can be narrowed to it.
    pub value: String,
    /// Its name.
    pub name: String,
    /// Of a tool: the MCP server that it belongs to; empty for none.
    pub server: String,
    /// How often it was called, or has called.
    pub calls: u64,
    /// How often that failed.
    pub failed: u64,
}

/// The most called of a kind, or those who have called most.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallsRanking {
    /// The first of them.
    pub rows: Vec<CallsRow>,
    /// How many there are in all.
    pub count: u64,
}

/// The page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ToolsPage {
    /// Which use it looks at.
    pub filter: AnalyticsFilter,
    /// When the pieces of time begin.
    pub starts: Vec<UnixMs>,
    /// How finely they are kept apart.
    pub step: &'static str,
    /// Calls over time: by server, or, of chosen tools or servers, by tool.
    pub over_time: Vec<Series>,
    /// All calls.
    pub calls: u64,
    /// Those that failed.
    pub failed: u64,
    /// By tool.
    pub tools: CallsRanking,
    /// By MCP server.
    pub servers: CallsRanking,
    /// By team.
    pub teams: CallsRanking,
    /// By user.
    pub users: CallsRanking,
    /// By key.
    pub keys: CallsRanking,
}

impl Page for ToolsPage {
    fn title(&self) -> String {
        "Tools and MCP".to_owned()
    }

    fn section(&self) -> Option<Section> {
        Some(Section::Analytics)
    }

    fn body(&self, _: &PageContext) -> AnyView {
        let export = (self.calls > 0).then(|| {
            view! {
                <a class="button" href=self.filter.narrowed(path::ANALYTICS_TOOLS_EXPORT, "by", "tool")>
                    "Download as CSV"
                </a>
            }
        });
        let body = if self.calls == 0 && self.failed == 0 {
            empty(
                "No tool was called",
                view! {
                    <p>
                        "No model has called a tool in this time that fits. Calls are counted from the version on that records them."
                    </p>
                }
                .into_any(),
                view! { <a class="button" href=path::ANALYTICS_TOOLS>"Show the last 30 days"</a> }.into_any(),
            )
        } else {
            self.numbers()
        };
        view! {
            {page_head("Analytics".to_owned(), text("Which tools and MCP servers models call, and for whom. Days are UTC."), export.into_any())}
            {tabs(path::ANALYTICS_TOOLS, &self.filter)}
            {self.filter.view(path::ANALYTICS_TOOLS)}
            {body}
        }
        .into_any()
    }
}

impl ToolsPage {
    fn numbers(&self) -> AnyView {
        let (piece, label, axis) = labels(self.step);
        let narrowed = !self.filter.tools.is_empty() || !self.filter.servers.is_empty();
        let chart = Stacked {
            what: if narrowed {
                "Calls by tool"
            } else {
                "Calls by MCP server"
            },
            piece,
            label,
            axis,
            starts: &self.starts,
            series: &self.over_time,
            unit: Unit::Count,
        };
        let of_mcp: u64 = self
            .servers
            .rows
            .iter()
            .filter(|row| !row.server.is_empty())
            .map(|row| row.calls)
            .sum();
        let named = self.servers.rows.iter().any(|row| row.server.is_empty());
        let servers = self.servers.count.saturating_sub(u64::from(named));
        let items = vec![
            figure(
                "Calls",
                grouped(self.calls).into_any(),
                text(format!("of {} tools", grouped(self.tools.count))),
            ),
            figure(
                "MCP servers",
                grouped(servers).into_any(),
                text(format!("{} of all calls go to them", percent(of_mcp, self.calls))),
            ),
            figure(
                "Failed",
                percent(self.failed, self.calls).into_any(),
                text(format!("{} results were errors", grouped(self.failed))),
            ),
        ];
        let over_time = if narrowed { "by tool" } else { "by MCP server" };
        view! {
            {figures(items)}
            {card("over-time", "Calls over time", text(over_time), chart.view())}
            {card("tools", "Tools", text(first_of(&self.tools)), self.tools())}
            <div class="columns">
                {self.ranking("servers", "MCP servers", "server", &self.servers)}
                {self.ranking("teams", "Teams", "team", &self.teams)}
                {self.ranking("users", "Users", "user", &self.users)}
                {self.ranking("keys", "Keys", "key", &self.keys)}
            </div>
        }
        .into_any()
    }

    fn tools(&self) -> AnyView {
        let columns = vec![
            Column::text("Tool"),
            Column::text("MCP server"),
            Column::number("Calls"),
            Column::number("Of all"),
            Column::number("Failed"),
        ];
        let row = |row: &CallsRow| {
            let href = self.filter.narrowed(path::ANALYTICS_TOOLS, "tool", &row.value);
            let name = if row.value == ToolCounts::OTHER {
                "Others".to_owned()
            } else {
                row.name.clone()
            };
            let server = if row.server.is_empty() {
                text("none")
            } else {
                let href = self.filter.narrowed(path::ANALYTICS_TOOLS, "server", &row.server);
                view! { <a href=href>{row.server.clone()}</a> }.into_any()
            };
            view! {
                <tr>
                    {row_head(view! { <a href=href>{name}</a> }.into_any())}
                    {cell("MCP server", server)}
                    {number_cell("Calls", grouped(row.calls).into_any())}
                    {number_cell("Of all", text(percent(row.calls, self.calls)))}
                    {number_cell("Failed", text(percent(row.failed, row.calls.max(row.failed))))}
                </tr>
            }
            .into_any()
        };
        table("Tools", columns, self.tools.rows.iter().map(row).collect())
    }

    fn ranking(
        &self,
        id: &'static str,
        title: &'static str,
        name: &'static str,
        ranking: &CallsRanking,
    ) -> AnyView {
        if ranking.rows.is_empty() {
            return nothing();
        }
        let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        let row = |row: &CallsRow| {
            let href = self.filter.narrowed(path::ANALYTICS_TOOLS, name, &row.value);
            let note = format!(
                "{} of all, {} failed",
                percent(row.calls, self.calls),
                grouped(row.failed)
            );
            view! {
                <li>
                    <span class="rank-name"><a href=href>{row.name.clone()}</a></span>
                    <span class="rank-cost">{grouped(row.calls)}</span>
                    <span class="rank-note">{note}</span>
                    {share_bar(signed(row.calls), signed(self.calls))}
                </li>
            }
        };
        let rows = ranking.rows.iter().map(row).collect_view();
        card(
            id,
            title,
            text(first_of(ranking)),
            view! { <ol class="ranking">{rows}</ol> }.into_any(),
        )
    }
}

fn first_of(ranking: &CallsRanking) -> String {
    let shown = ranking.rows.len() as u64;
    if ranking.count > shown {
        format!(
            "by calls, the first {} of {}",
            grouped(shown),
            grouped(ranking.count)
        )
    } else {
        "by calls".to_owned()
    }
}
