//! Costs of past requests, worked out anew.

use super::Context;
use crate::error::CliError;
use crate::human::{count, money_column};
use crate::table::Table;
use ccag_admin_api::{Reprice, RepriceQuery, RepriceReport, Timestamp, paths};
use clap::Args;
use reqwest::Method;

#[derive(Debug, Args)]
pub(crate) struct RepriceArgs {
    /// Requests that began on this day or at this time or later, in UTC: 2026-11-01 or 2026-11-01T06:00:00Z
    #[arg(long, value_name = "WHEN")]
    from: Timestamp,
    /// Requests that began before this day or time
    #[arg(long, value_name = "WHEN")]
    to: Timestamp,
    /// Only this model's
    #[arg(long)]
    model: Option<String>,
    /// Change the costs in the ledger, the sums and the budgets
    #[arg(long, requires = "reason")]
    apply: bool,
    /// Why; it stands in the audit log
    #[arg(long, requires = "apply")]
    reason: Option<String>,
}

impl RepriceArgs {
    pub(crate) async fn run(self, context: &Context) -> Result<(), CliError> {
        let client = &context.client;
        let report: RepriceReport = match self.reason {
            Some(reason) if self.apply => {
                let request = Reprice {
                    from: self.from,
                    to: self.to,
                    model: self.model,
                    reason,
                };
                client.send(Method::POST, paths::REPRICE, &request).await?
            }
            _ => {
                let query = RepriceQuery {
                    from: self.from,
                    to: self.to,
                    model: self.model,
                };
                client.get_with(paths::REPRICE, &query).await?
            }
        };
        context.out.show(&report, render)
    }
}

fn render(report: &RepriceReport) -> String {
    let amounts = |of: fn(&ccag_admin_api::RepricedModel) -> ccag_domain::NanoUsd, total| {
        let all: Vec<_> = report.models.iter().map(of).chain([total]).collect();
        money_column(&all)
    };
    let stored = amounts(|m| m.stored_nano_usd, report.stored_nano_usd);
    let recomputed = amounts(|m| m.recomputed_nano_usd, report.recomputed_nano_usd);
    let difference = amounts(|m| m.difference_nano_usd, report.difference_nano_usd);
    let names = report
        .models
        .iter()
        .map(|m| (m.model.as_str(), m.rows, m.changed_rows));
    let names = names.chain([("total", report.rows, report.changed_rows)]);
    let mut table = Table::new(&[
        "MODEL",
        ">REQUESTS",
        ">CHANGED",
        ">STORED",
        ">RECOMPUTED",
        ">DIFFERENCE",
    ]);
    for ((((name, rows, changed), stored), recomputed), difference) in
        names.zip(stored).zip(recomputed).zip(difference)
    {
        table.row([
            name.to_owned(),
            count(rows),
            count(changed),
            stored,
            recomputed,
            difference,
        ]);
    }
    let what = match (report.applied, report.changed_rows) {
        (true, _) => "The ledger, its sums and the budgets hold these costs now.",
        (false, 0) => "The ledger agrees with the prices.",
        (false, _) => "Nothing was changed. To change the costs, add --apply --reason \"…\".",
    };
    format!(
        "From {} to {} UTC\n\n{}\n\n{what}",
        report.from.to_the_minute(),
        report.to.to_the_minute(),
        table.render("")
    )
}
