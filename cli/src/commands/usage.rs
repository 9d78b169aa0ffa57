//! What was used, and what it cost.

use super::Context;
use crate::error::CliError;
use crate::human::{count, money_column};
use crate::names;
use crate::table::Table;
use ccag_admin_api::{
    ExportFormat, ExportQuery, GroupBy, Timestamp, UsageQuery, UsageSummary, UsageTotals, paths,
};
use clap::{Args, Subcommand, ValueEnum};
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

/// What was used, and what it cost.
#[derive(Debug, Subcommand)]
pub(crate) enum Usage {
    /// Show sums of requests, tokens and cost, by team, user, key, model, endpoint or day
    ///
    /// Sums are kept by the hour in UTC. For example: ccag usage summary --by team --days 7
    Summary(Summary),
    /// Write the ledger, one row per request, the oldest first
    ///
    /// Costs are whole nano-dollars (a billionth of a dollar) in the column cost_nano_usd. For example: ccag usage export
    /// --from 2026-11-01 --to 2026-12-01 --format csv -o november.csv
    Export(Export),
    /// Usage records that could not be stored, and are in no sum
    #[command(subcommand)]
    Quarantine(super::quarantine::Quarantine),
}

/// From when to when.
#[derive(Debug, Args)]
pub(super) struct When {
    /// So many whole days in UTC, today included; 30 if neither this nor --from is given
    #[arg(long, value_name = "N", conflicts_with = "from", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) days: Option<u32>,
    /// From this day or time on, in UTC: 2026-11-01 or 2026-11-01T06:00:00Z
    #[arg(long, value_name = "WHEN")]
    pub(super) from: Option<Timestamp>,
    /// Up to this day or time, itself not included; by default now
    #[arg(long, value_name = "WHEN")]
    pub(super) to: Option<Timestamp>,
}

#[derive(Debug, Args)]
struct Selection {
    #[command(flatten)]
    when: When,
    /// Only this team's usage
    #[arg(long)]
    team: Option<String>,
    /// Only this user's usage
    #[arg(long)]
    user: Option<String>,
    /// Only this key's usage
    #[arg(long)]
    key: Option<String>,
    /// Only this model's usage
    #[arg(long)]
    model: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Summary {
    #[command(flatten)]
    of: Selection,
    /// Sum up by this; without it only the total is shown
    #[arg(long, value_enum)]
    by: Option<By>,
}

#[derive(Debug, Args)]
pub(crate) struct Export {
    #[command(flatten)]
    of: Selection,
    /// The form of the rows
    #[arg(long, value_enum, default_value = "jsonl")]
    format: Format,
    /// Write to this file instead of standard output; it must not exist yet
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum By {
    /// The team that pays
    Team,
    /// The user
    User,
    /// The virtual key
    Key,
    /// The model
    Model,
    /// The endpoint that served it
    Endpoint,
    /// The day, in UTC
    Day,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// JSON Lines: one object per line
    Jsonl,
    /// CSV with a header line
    Csv,
    /// CSV in the form of FOCUS 1.2: charges by the hour, for tools that read the bills of clouds
    Focus,
}

impl Usage {
    pub(crate) async fn run(self, context: &Context) -> Result<(), CliError> {
        match self {
            Self::Summary(command) => command.run(context).await,
            Self::Export(command) => command.run(context).await,
            Self::Quarantine(command) => command.run(context).await,
        }
    }
}

impl Summary {
    async fn run(self, context: &Context) -> Result<(), CliError> {
        let client = &context.client;
        let query = UsageQuery {
            from: self.of.when.from,
            to: self.of.when.to,
            days: self.of.when.days,
            group_by: self.by.map(|by| match by {
                By::Team => GroupBy::Team,
                By::User => GroupBy::User,
                By::Key => GroupBy::Key,
                By::Model => GroupBy::Model,
                By::Endpoint => GroupBy::Endpoint,
                By::Day => GroupBy::Day,
            }),
            team_id: names::maybe_team(client, self.of.team.as_deref()).await?,
            user_id: names::maybe_user(client, self.of.user.as_deref()).await?,
            key_id: names::maybe_key(client, self.of.key.as_deref()).await?,
            model: self.of.model,
        };
        let summary: UsageSummary = client.get_with(paths::USAGE_SUMMARY, &query).await?;
        context.out.show(&summary, render)
    }
}

fn render(summary: &UsageSummary) -> String {
    let mut labels: Vec<String> = summary
        .groups
        .iter()
        .map(|group| match (&group.name, &group.id) {
            (Some(name), _) if !name.is_empty() => name.clone(),
            (_, Some(id)) if !id.is_empty() => id.clone(),
            _ => "(none)".to_owned(),
        })
        .collect();
    let mut sums: Vec<&UsageTotals> = summary.groups.iter().map(|group| &group.totals).collect();
    labels.push("total".to_owned());
    sums.push(&summary.total);
    let amounts: Vec<_> = sums.iter().map(|sum| sum.cost_nano_usd).collect();
    let title = match summary.group_by {
        None => "",
        Some(GroupBy::Team) => "TEAM",
        Some(GroupBy::User) => "USER",
        Some(GroupBy::Key) => "KEY",
        Some(GroupBy::Model) => "MODEL",
        Some(GroupBy::Endpoint) => "ENDPOINT",
        Some(GroupBy::Day) => "DAY",
    };
    let mut table = Table::new(&[
        title,
        ">REQUESTS",
        ">ERRORS",
        ">INPUT",
        ">OUTPUT",
        ">CACHE READ",
        ">CACHE WRITE",
        ">P95 MS",
        ">COST",
    ]);
    for ((label, sum), amount) in labels.into_iter().zip(sums).zip(money_column(&amounts)) {
        table.row([
            label,
            count(sum.requests),
            count(sum.errors),
            count(sum.input_tokens),
            count(sum.output_tokens),
            count(sum.cache_read_tokens),
            count(
                sum.cache_write_5m_tokens
                    .saturating_add(sum.cache_write_1h_tokens),
            ),
            sum.duration.map_or_else(
                || crate::human::NONE.to_owned(),
                |duration| count(duration.p95_ms),
            ),
            amount,
        ]);
    }
    format!(
        "From {} to {} UTC\n\n{}",
        summary.from.to_the_minute(),
        summary.to.to_the_minute(),
        table.render("")
    )
}

impl Export {
    async fn run(self, context: &Context) -> Result<(), CliError> {
        if context.out.is_json() && self.format != Format::Jsonl && self.output.is_none() {
            return Err(CliError::Usage(
                "--json and a form that is CSV cannot both be had".to_owned(),
            ));
        }
        let client = &context.client;
        let query = ExportQuery {
            from: self.of.when.from,
            to: self.of.when.to,
            days: self.of.when.days,
            team_id: names::maybe_team(client, self.of.team.as_deref()).await?,
            user_id: names::maybe_user(client, self.of.user.as_deref()).await?,
            key_id: names::maybe_key(client, self.of.key.as_deref()).await?,
            model: self.of.model,
            format: match self.format {
                Format::Jsonl => Some(ExportFormat::Jsonl),
                Format::Csv => Some(ExportFormat::Csv),
                Format::Focus => None,
            },
        };
        let path = match self.format {
            Format::Jsonl | Format::Csv => paths::USAGE_EXPORT,
            Format::Focus => paths::USAGE_FOCUS,
        };
        let mut rows = client.download(path, &query).await?;
        let Some(path) = self.output else {
            while let Some(chunk) = client.chunk(&mut rows).await? {
                context.out.raw(&chunk)?;
            }
            return Ok(());
        };
        let mut file = File::create_new(&path).map_err(|error| CliError::file("create", &path, error))?;
        let mut size_bytes = 0u64;
        while let Some(chunk) = client.chunk(&mut rows).await? {
            size_bytes += chunk.len() as u64;
            file.write_all(&chunk)
                .map_err(|error| CliError::file("write", &path, error))?;
        }
        file.sync_all()
            .map_err(|error| CliError::file("write", &path, error))?;
        let shown = serde_json::json!({ "file": path, "size_bytes": size_bytes });
        context.out.show(&shown, |_| {
            format!("Wrote {} bytes to {}.", count(size_bytes), path.display())
        })
    }
}
