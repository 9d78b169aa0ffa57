//! Prices.

use super::Context;
use crate::error::CliError;
use crate::human::{count, moment, money};
use crate::table::Table;
use ccag_admin_api::{
    ImportQuery, ImportReport, LongContextSpec, PriceList, PriceSpec, PriceView, PricingQuery, Rate,
    RatesView, paths,
};
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::json;
use std::path::PathBuf;

/// What the models cost, in dollars per million tokens.
#[derive(Debug, Subcommand)]
pub(crate) enum Pricing {
    /// List the prices in force
    List {
        /// List those that have been replaced too, with the times at which they were in force
        #[arg(long)]
        history: bool,
        /// Only this model's
        #[arg(long)]
        model: Option<String>,
    },
    /// Say what a model costs from now on
    ///
    /// For example: ccag pricing set claude-opus-5-5 --input 4 --output 20 --cache-read 0.2 --cache-write 5
    Set(Box<Set>),
    /// Go back to the built-in price of a model, or to none
    Reset {
        /// Its name, an alias, or any other way to name it
        model: String,
    },
    /// Take in AWS's price list, as CSV or JSON
    ///
    /// Prices that an admin has set stay. The file is that of the offer AmazonBedrockFoundationModels; AWS serves it at
    /// https://pricing.us-east-1.amazonaws.com/offers/v1.0/aws/AmazonBedrockFoundationModels/current/us-east-1/index.csv
    Import {
        /// The file, or - for standard input
        file: PathBuf,
        /// Only say what would change
        #[arg(long)]
        dry_run: bool,
        /// Replace prices that an admin has set, too
        #[arg(long)]
        overwrite: bool,
    },
    /// Show what past requests would cost at the prices that are in the history now, or give them those costs
    ///
    /// Each request costs what was in force when it began. Without --apply nothing is changed. For example:
    /// ccag pricing reprice --from 2026-11-01 --to 2026-12-01 --model claude-opus-5-5
    Reprice(super::reprice::RepriceArgs),
}

#[derive(Debug, Args)]
pub(crate) struct Set {
    /// Its name, an alias, or any other way to name it
    model: String,
    /// Uncached input
    #[arg(long, value_name = "USD")]
    input: Rate,
    /// Output
    #[arg(long, value_name = "USD")]
    output: Rate,
    /// Cache reads
    #[arg(long, value_name = "USD")]
    cache_read: Rate,
    /// Cache writes that live five minutes
    #[arg(long, value_name = "USD")]
    cache_write: Rate,
    /// Cache writes that live one hour [default: twice the input]
    #[arg(long, value_name = "USD")]
    cache_write_1h: Option<Rate>,
    /// Prompts with more tokens than this pay the long rates for everything
    #[arg(
        long,
        value_name = "N",
        requires = "long_input",
        requires = "long_output",
        requires = "long_cache_read",
        requires = "long_cache_write"
    )]
    long_above: Option<u64>,
    /// Uncached input of long prompts
    #[arg(long, value_name = "USD", requires = "long_above")]
    long_input: Option<Rate>,
    /// Output after long prompts
    #[arg(long, value_name = "USD", requires = "long_above")]
    long_output: Option<Rate>,
    /// Cache reads of long prompts
    #[arg(long, value_name = "USD", requires = "long_above")]
    long_cache_read: Option<Rate>,
    /// Cache writes of long prompts that live five minutes
    #[arg(long, value_name = "USD", requires = "long_above")]
    long_cache_write: Option<Rate>,
    /// Cache writes of long prompts that live one hour [default: twice the input]
    #[arg(long, value_name = "USD", requires = "long_above")]
    long_cache_write_1h: Option<Rate>,
    /// What profiles of a geography cost, in thousandths of the rates [default: 1100]
    #[arg(long, value_name = "PERMILLE")]
    regional: Option<u32>,
    /// What the model costs without a profile, in thousandths of the rates [default: 1000]
    #[arg(long, value_name = "PERMILLE")]
    in_region: Option<u32>,
    /// What GovCloud costs, in thousandths of the rates [default: 1200]
    #[arg(long, value_name = "PERMILLE")]
    gov: Option<u32>,
    /// What the bedrock-mantle lane costs outside GovCloud, in thousandths of the rates [default: that of the built-in
    /// price, or 1000]
    #[arg(long, value_name = "PERMILLE")]
    mantle: Option<u32>,
}

impl Set {
    fn request(&self) -> PriceSpec {
        let long_context = match (
            self.long_above,
            self.long_input,
            self.long_output,
            self.long_cache_read,
            self.long_cache_write,
        ) {
            (
                Some(above),
                Some(input_rate),
                Some(output_rate),
                Some(cache_read_rate),
                Some(cache_write_rate),
            ) => Some(LongContextSpec {
                above_prompt_tokens: above,
                input_rate,
                output_rate,
                cache_read_rate,
                cache_write_rate,
                cache_write_1h_rate: self.long_cache_write_1h,
            }),
            _ => None,
        };
        PriceSpec {
            input_rate: self.input,
            output_rate: self.output,
            cache_read_rate: self.cache_read,
            cache_write_rate: self.cache_write,
            cache_write_1h_rate: self.cache_write_1h,
            long_context,
            regional_permille: self.regional,
            in_region_permille: self.in_region,
            gov_permille: self.gov,
            mantle_permille: self.mantle,
            aws_sku: None,
        }
    }
}

/// Does what the command says; without one it lists.
pub(crate) async fn run(command: Option<Pricing>, context: &Context) -> Result<(), CliError> {
    let client = &context.client;
    match command.unwrap_or(Pricing::List {
        history: false,
        model: None,
    }) {
        Pricing::List { history, model } => {
            let query = PricingQuery {
                history: history.then_some(true),
                model,
            };
            let list: PriceList = client.get_with(paths::PRICING, &query).await?;
            context.out.show(&list, |list| table(&list.prices, history))
        }
        Pricing::Set(set) => {
            let path = paths::price(&set.model);
            let price: PriceView = client.send(Method::PUT, &path, &set.request()).await?;
            context
                .out
                .show(&price, |price| table(std::slice::from_ref(price), false))
        }
        Pricing::Reset { model } => {
            client.order(Method::DELETE, &paths::price(&model)).await?;
            context.out.show(&json!({ "reset": [model] }), |_| {
                format!("The price of {model} is the built-in one again, or none.")
            })
        }
        Pricing::Reprice(reprice) => reprice.run(context).await,
        Pricing::Import {
            file,
            dry_run,
            overwrite,
        } => {
            let text = if file.as_os_str() == "-" {
                std::io::read_to_string(std::io::stdin()).map_err(CliError::from)?
            } else {
                std::fs::read_to_string(&file).map_err(|error| CliError::file("read", &file, error))?
            };
            let query = ImportQuery {
                dry_run: dry_run.then_some(true),
                overwrite: overwrite.then_some(true),
            };
            let report: ImportReport = client.upload(paths::PRICING_IMPORT, &query, text).await?;
            context.out.show(&report, report_text)
        }
    }
}

fn amounts(rates: RatesView) -> [String; 5] {
    [
        rates.input_nano_usd,
        rates.output_nano_usd,
        rates.cache_read_nano_usd,
        rates.cache_write_5m_nano_usd,
        rates.cache_write_1h_nano_usd,
    ]
    .map(money)
}

fn table(prices: &[PriceView], history: bool) -> String {
    let mut titles = vec![
        "MODEL",
        ">INPUT",
        ">OUTPUT",
        ">CACHE READ",
        ">WRITE 5 MIN",
        ">WRITE 1 H",
        ">REGIONAL",
        "SOURCE",
    ];
    if history {
        titles.extend(["FROM", "UNTIL"]);
    }
    let mut table = Table::new(&titles);
    for price in prices {
        let tiers =
            std::iter::once((price.model.clone(), price.rates)).chain(price.long_context.map(|long| {
                let name = format!("{} above {} tokens", price.model, count(long.above_prompt_tokens));
                (name, long.rates)
            }));
        for (name, rates) in tiers {
            let [input, output, read, five, hour] = amounts(rates);
            let regional = permille(price.regional_permille);
            let source = price.source.clone();
            if history {
                let (from, until) = (moment(price.valid_from), moment(price.valid_until));
                table.row([
                    name, input, output, read, five, hour, regional, source, from, until,
                ]);
            } else {
                table.row([name, input, output, read, five, hour, regional, source]);
            }
        }
    }
    format!(
        "Dollars per million tokens, in the global geography; regional profiles cost what REGIONAL says of it.\n\n{}",
        table.render("No prices.")
    )
}

/// 1100 as `110.0 %`.
fn permille(n: u32) -> String {
    format!("{}.{} %", n / 10, n % 10)
}

fn report_text(report: &ImportReport) -> String {
    let mut text = format!(
        "{} of {} prices in the list{} belong to models of the catalogue.\n",
        count(report.rows_used),
        count(report.rows_read),
        report
            .published
            .as_ref()
            .map(|at| format!(", published {at},"))
            .unwrap_or_default()
    );
    text.push_str(if report.dry_run {
        "Nothing was changed. This would:\n\n"
    } else {
        "\n"
    });
    let mut table = Table::new(&[
        "MODEL",
        "",
        ">INPUT",
        ">OUTPUT",
        ">CACHE READ",
        ">WRITE 5 MIN",
        ">WRITE 1 H",
        ">REGIONAL",
    ]);
    for change in &report.changed {
        for (when, price) in [("before", change.before.as_ref()), ("after", Some(&change.after))] {
            if let Some(price) = price {
                let [input, output, read, five, hour] = amounts(price.rates);
                let regional = permille(price.regional_permille);
                table.row([
                    change.model.clone(),
                    when.to_owned(),
                    input,
                    output,
                    read,
                    five,
                    hour,
                    regional,
                ]);
            }
        }
    }
    text.push_str(&table.render("No price is different."));
    for change in &report.changed {
        for note in &change.notes {
            text.push_str(&format!("\n{}: {note}", change.model));
        }
    }
    if !report.unchanged.is_empty() {
        text.push_str(&format!(
            "\n\nThe same as before: {}",
            report.unchanged.join(", ")
        ));
    }
    if !report.skipped.is_empty() {
        text.push_str("\n\nLeft out:");
        for skipped in &report.skipped {
            let model = skipped
                .model
                .as_ref()
                .map(|m| format!("{m}: "))
                .unwrap_or_default();
            text.push_str(&format!(
                "\n  {} rows: {model}{}",
                count(skipped.rows),
                skipped.reason
            ));
        }
    }
    text
}
