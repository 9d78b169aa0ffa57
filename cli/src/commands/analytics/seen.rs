//! Which tools are called, how sessions go, and what is lost to cache misses.

use super::{Of, range};
use crate::commands::Context;
use crate::error::CliError;
use crate::human::{NONE, count, money_column};
use crate::table::Table;
use ccag_admin_api::{CacheMissReport, ExportFormat, SessionReport, ToolReport, ToolsBy, ToolsQuery, paths};
use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
pub(crate) struct Tools {
    #[command(flatten)]
    of: Of,
    /// Only calls of this tool; may be given several times
    #[arg(long)]
    tool: Vec<String>,
    /// Only calls of tools of this MCP server; may be given several times, `none` is tools of no server
    #[arg(long)]
    server: Vec<String>,
    /// Keep these apart
    #[arg(long, value_enum, default_value = "tool")]
    by: By,
    /// Write CSV
    #[arg(long)]
    csv: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum By {
    /// The tool
    Tool,
    /// The MCP server that it belongs to
    Server,
    /// The team that pays
    Team,
    /// The user
    User,
    /// The virtual key
    Key,
}

impl Tools {
    pub(super) async fn run(self, context: &Context) -> Result<(), CliError> {
        if context.out.is_json() && self.csv {
            return Err(CliError::Usage("--json and --csv cannot both be had".to_owned()));
        }
        if !self.of.endpoint.is_empty() {
            let message = "calls of tools are not kept apart by endpoint".to_owned();
            return Err(CliError::Usage(message));
        }
        let common = self.of.query(context).await?;
        let list = |names: &[String]| (!names.is_empty()).then(|| names.join(","));
        let query = ToolsQuery {
            from: common.from,
            to: common.to,
            days: common.days,
            group_by: Some(match self.by {
                By::Tool => ToolsBy::Tool,
                By::Server => ToolsBy::Server,
                By::Team => ToolsBy::Team,
                By::User => ToolsBy::User,
                By::Key => ToolsBy::Key,
            }),
            team_id: common.team_id,
            user_id: common.user_id,
            key_id: common.key_id,
            model: common.model,
            tool: list(&self.tool),
            server: list(&self.server),
            format: self.csv.then_some(ExportFormat::Csv),
            ..ToolsQuery::default()
        };
        let client = &context.client;
        if !self.csv {
            let found: ToolReport = client.get_with(paths::ANALYTICS_TOOLS, &query).await?;
            return context.out.show(&found, tools);
        }
        let mut rows = client.download(paths::ANALYTICS_TOOLS, &query).await?;
        while let Some(chunk) = client.chunk(&mut rows).await? {
            context.out.raw(&chunk)?;
        }
        Ok(())
    }
}

fn tools(found: &ToolReport) -> String {
    let what = match found.group_by {
        ToolsBy::Tool => "TOOL",
        ToolsBy::Server => "SERVER",
        ToolsBy::Team => "TEAM",
        ToolsBy::User => "USER",
        ToolsBy::Key => "KEY",
    };
    let mut table = Table::new(&[what, ">CALLS", ">FAILED"]);
    for cell in &found.cells {
        let name = cell.name.clone().or_else(|| cell.id.clone());
        table.row([
            name.unwrap_or_else(|| "(none)".to_owned()),
            count(cell.calls),
            count(cell.failed),
        ]);
    }
    let mut text = format!(
        "{}\n{} calls in all, of which {} failed",
        table.render("No tool was called."),
        count(found.calls),
        count(found.failed)
    );
    if found.left_out > 0 {
        text.push_str(&format!("\nand {} more lines", count(found.left_out)));
    }
    range(found.from, found.to, &text)
}

pub(super) async fn sessions(of: Of, context: &Context) -> Result<(), CliError> {
    let query = of.query(context).await?;
    let found: SessionReport = context.client.get_with(paths::ANALYTICS_SESSIONS, &query).await?;
    context.out.show(&found, |found| {
        let mut table = Table::new(&["DAY", ">SESSIONS", ">REQUESTS EACH", ">MINUTES EACH"]);
        let each = |all: u64, sessions: u64| all.checked_div(sessions).map_or_else(|| NONE.to_owned(), count);
        for day in &found.days {
            table.row([
                day.day.date(),
                count(day.sessions),
                each(day.requests, day.sessions),
                each(day.length_ms / 60_000, day.sessions),
            ]);
        }
        let all = format!(
            "{}\n{} sessions in all",
            table.render("No session began."),
            count(found.sessions)
        );
        range(found.from, found.to, &all)
    })
}

pub(super) async fn cache_misses(of: Of, context: &Context) -> Result<(), CliError> {
    let query = of.query(context).await?;
    let found: CacheMissReport = context
        .client
        .get_with(paths::ANALYTICS_CACHE_MISSES, &query)
        .await?;
    context.out.show(&found, |found| {
        let mut table = Table::new(&["REASON", ">REQUESTS", ">TOKENS", ">LOST"]);
        let amounts: Vec<_> = found.reasons.iter().map(|lost| lost.lost_nano_usd).collect();
        for (lost, amount) in found.reasons.iter().zip(money_column(&amounts)) {
            table.row([
                lost.reason.as_str().replace('_', " "),
                count(lost.requests),
                count(lost.tokens),
                amount,
            ]);
        }
        let all = table.render("Nothing is known to have been lost.");
        range(found.from, found.to, &all)
    })
}
