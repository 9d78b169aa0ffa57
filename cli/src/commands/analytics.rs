//! What was used over time.

mod seen;

use super::Context;
use super::usage::When;
use crate::error::CliError;
use crate::human::{NONE, count, money, money_column};
use crate::names;
use crate::table::Table;
use ccag_admin_api::{
    Activity, Analytics, AnalyticsQuery, ExportFormat, Forecast, GroupBy, Performance, PerformanceReport,
    ScopeKind, Step, Timestamp, Usd, WhatIf, WhatIfQuery, paths,
};
use ccag_domain::Period;
use clap::{Args, Subcommand, ValueEnum};

/// What was used over time, by whom, and how models do.
#[derive(Debug, Subcommand)]
pub(crate) enum Over {
    /// Show sums over time, by team, user, key, model or endpoint
    ///
    /// For example: ccag analytics spend --by team --step week --days 90 --csv > spend.csv
    Spend(Spend),
    /// Show how many users were active each day, and how many of them for the first time
    Activity(Of),
    /// Show how fast models and endpoints answer, and how much comes from the prompt cache
    Performance(Of),
    /// Show which tools and MCP servers models have called, and for whom
    ///
    /// For example: ccag analytics tools --by user --server github --days 90
    Tools(seen::Tools),
    /// Show how many sessions of clients began each day, how many requests they had, and how long they were
    Sessions(Of),
    /// Show what was lost because prompts were not read from the cache, and why
    CacheMisses(Of),
    /// Show what the month is expected to come to
    ///
    /// Its remaining days are taken to be like the same weekdays of the last four weeks; the bounds hold with 95 %.
    Forecast(Of),
    /// Show what a budget would have refused in the last days, had it been there
    ///
    /// It is replayed by the hour, and by the day where each user has it. People who are refused may do something else: what is
    /// shown is what was used beyond the point at which the budget refuses, and no promise of savings.
    ///
    /// For example: ccag analytics what-if --scope each-user --amount 100 --days 30
    WhatIf(Tried),
}

#[derive(Debug, Args)]
pub(crate) struct Tried {
    /// Whose spending
    #[arg(long, value_enum)]
    scope: Scope,
    /// The team, for scopes that are about one
    #[arg(long)]
    team: Option<String>,
    /// The user, likewise
    #[arg(long)]
    user: Option<String>,
    /// The key, likewise
    #[arg(long)]
    key: Option<String>,
    /// How much, in dollars, in each period
    #[arg(long, value_name = "USD")]
    amount: Usd,
    /// The period
    #[arg(long, value_enum, default_value = "monthly")]
    period: Every,
    /// The time zone that periods begin in, such as Europe/Berlin; by default UTC
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
    /// What happens on the way: `standard`, `soft` or `shaped`
    #[arg(long, default_value = "standard")]
    policy: String,
    /// Over how many days until now
    #[arg(long, default_value = "30", value_parser = clap::value_parser!(u32).range(1..=62))]
    days: u32,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Scope {
    /// Everybody together
    Organisation,
    /// Each user separately
    EachUser,
    /// A team together
    Team,
    /// Each member of a team separately
    EachMember,
    /// One member of a team
    Member,
    /// One user
    User,
    /// One key
    Key,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Every {
    /// The day
    Daily,
    /// The week, from Monday on
    Weekly,
    /// The month
    Monthly,
    /// All of the days
    Total,
}

#[derive(Debug, Args)]
pub(crate) struct Of {
    #[command(flatten)]
    when: When,
    /// Only this team's; may be given several times, `none` is what no team pays for
    #[arg(long)]
    team: Vec<String>,
    /// Only this user's; may be given several times
    #[arg(long)]
    user: Vec<String>,
    /// Only this key's; may be given several times
    #[arg(long)]
    key: Vec<String>,
    /// Only this model's, by its canonical name; may be given several times
    #[arg(long)]
    model: Vec<String>,
    /// Only this endpoint's, by its id; may be given several times
    #[arg(long)]
    endpoint: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Spend {
    #[command(flatten)]
    of: Of,
    /// Keep these apart
    #[arg(long, value_enum)]
    by: Option<By>,
    /// How finely time is kept apart
    #[arg(long, value_enum, default_value = "day")]
    step: Pieces,
    /// Write CSV
    #[arg(long)]
    csv: bool,
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
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Pieces {
    /// The hour
    Hour,
    /// The day, in UTC
    Day,
    /// The week, from Monday on
    Week,
    /// The month
    Month,
}

impl Of {
    async fn query(&self, context: &Context) -> Result<AnalyticsQuery, CliError> {
        let client = &context.client;
        let (mut teams, mut users, mut keys) = (Vec::new(), Vec::new(), Vec::new());
        for name in &self.team {
            match name.as_str() {
                "none" => teams.push(name.clone()),
                name => teams.extend(
                    names::maybe_team(client, Some(name))
                        .await?
                        .map(|id| id.to_string()),
                ),
            }
        }
        for name in &self.user {
            users.extend(
                names::maybe_user(client, Some(name))
                    .await?
                    .map(|id| id.to_string()),
            );
        }
        for name in &self.key {
            keys.extend(
                names::maybe_key(client, Some(name))
                    .await?
                    .map(|id| id.to_string()),
            );
        }
        let list = |ids: &[String]| (!ids.is_empty()).then(|| ids.join(","));
        Ok(AnalyticsQuery {
            from: self.when.from,
            to: self.when.to,
            days: self.when.days,
            team_id: list(&teams),
            user_id: list(&users),
            key_id: list(&keys),
            model: list(&self.model),
            endpoint_id: list(&self.endpoint),
            ..AnalyticsQuery::default()
        })
    }
}

impl Over {
    pub(crate) async fn run(self, context: &Context) -> Result<(), CliError> {
        match self {
            Self::Spend(command) => command.run(context).await,
            Self::Activity(of) => {
                let query = of.query(context).await?;
                let found: Activity = context.client.get_with(paths::ANALYTICS_ACTIVITY, &query).await?;
                context.out.show(&found, activity)
            }
            Self::Performance(of) => {
                let query = of.query(context).await?;
                let found: PerformanceReport = context
                    .client
                    .get_with(paths::ANALYTICS_PERFORMANCE, &query)
                    .await?;
                context.out.show(&found, performance)
            }
            Self::Tools(command) => command.run(context).await,
            Self::Sessions(of) => seen::sessions(of, context).await,
            Self::CacheMisses(of) => seen::cache_misses(of, context).await,
            Self::Forecast(of) => {
                let query = of.query(context).await?;
                let found: Forecast = context.client.get_with(paths::ANALYTICS_FORECAST, &query).await?;
                context.out.show(&found, forecast)
            }
            Self::WhatIf(tried) => {
                let query = tried.query(context).await?;
                let found: WhatIf = context.client.get_with(paths::ANALYTICS_WHAT_IF, &query).await?;
                context.out.show(&found, what_if)
            }
        }
    }
}

impl Tried {
    async fn query(self, context: &Context) -> Result<WhatIfQuery, CliError> {
        let client = &context.client;
        Ok(WhatIfQuery {
            scope: match self.scope {
                Scope::Organisation => ScopeKind::Organisation,
                Scope::EachUser => ScopeKind::EachUser,
                Scope::Team => ScopeKind::Team,
                Scope::EachMember => ScopeKind::EachMember,
                Scope::Member => ScopeKind::Member,
                Scope::User => ScopeKind::User,
                Scope::Key => ScopeKind::Key,
            },
            team_id: names::maybe_team(client, self.team.as_deref()).await?,
            user_id: names::maybe_user(client, self.user.as_deref()).await?,
            key_id: names::maybe_key(client, self.key.as_deref()).await?,
            amount_usd: self.amount.to_string(),
            period: Some(match self.period {
                Every::Daily => Period::Daily,
                Every::Weekly => Period::Weekly,
                Every::Monthly => Period::Monthly,
                Every::Total => Period::Total,
            }),
            time_zone: self.time_zone,
            policy: Some(self.policy),
            days: Some(self.days),
        })
    }
}

impl Spend {
    async fn run(self, context: &Context) -> Result<(), CliError> {
        if context.out.is_json() && self.csv {
            return Err(CliError::Usage("--json and --csv cannot both be had".to_owned()));
        }
        let client = &context.client;
        let query = AnalyticsQuery {
            step: Some(match self.step {
                Pieces::Hour => Step::Hour,
                Pieces::Day => Step::Day,
                Pieces::Week => Step::Week,
                Pieces::Month => Step::Month,
            }),
            group_by: self.by.map(|by| match by {
                By::Team => GroupBy::Team,
                By::User => GroupBy::User,
                By::Key => GroupBy::Key,
                By::Model => GroupBy::Model,
                By::Endpoint => GroupBy::Endpoint,
            }),
            format: self.csv.then_some(ExportFormat::Csv),
            ..self.of.query(context).await?
        };
        if !self.csv {
            let found: Analytics = client.get_with(paths::ANALYTICS, &query).await?;
            return context.out.show(&found, spend);
        }
        let mut rows = client.download(paths::ANALYTICS, &query).await?;
        while let Some(chunk) = client.chunk(&mut rows).await? {
            context.out.raw(&chunk)?;
        }
        Ok(())
    }
}

fn range(from: Timestamp, to: Timestamp, rest: &str) -> String {
    format!(
        "From {} to {} UTC\n\n{rest}",
        from.to_the_minute(),
        to.to_the_minute()
    )
}

fn spend(found: &Analytics) -> String {
    let whose = match found.group_by {
        None | Some(GroupBy::Day) => "",
        Some(GroupBy::Team) => "TEAM",
        Some(GroupBy::User) => "USER",
        Some(GroupBy::Key) => "KEY",
        Some(GroupBy::Model) => "MODEL",
        Some(GroupBy::Endpoint) => "ENDPOINT",
    };
    let mut table = Table::new(&["FROM", whose, ">REQUESTS", ">ERRORS", ">OUTPUT", ">COST"]);
    let amounts: Vec<_> = found.cells.iter().map(|cell| cell.totals.cost_nano_usd).collect();
    for (cell, amount) in found.cells.iter().zip(money_column(&amounts)) {
        let name = cell.name.clone().or_else(|| cell.id.clone());
        let none = || {
            if whose.is_empty() {
                String::new()
            } else {
                "(none)".to_owned()
            }
        };
        table.row([
            match found.step {
                Step::Hour => cell.start.to_the_minute(),
                Step::Day | Step::Week | Step::Month => cell.start.date(),
            },
            name.unwrap_or_else(none),
            count(cell.totals.requests),
            count(cell.totals.errors),
            count(cell.totals.output_tokens),
            amount,
        ]);
    }
    range(found.from, found.to, &table.render("Nothing was used."))
}

fn activity(found: &Activity) -> String {
    let mut table = Table::new(&["DAY", ">ACTIVE", ">NEW"]);
    for day in &found.days {
        table.row([day.day.date(), count(day.active), count(day.new)]);
    }
    let all = format!(
        "{}\n{} users in all",
        table.render("Nobody was active."),
        count(found.users)
    );
    range(found.from, found.to, &all)
}

fn performance(found: &PerformanceReport) -> String {
    let table = |title: &'static str, rows: &[Performance]| {
        let mut table = Table::new(&[
            title,
            ">REQUESTS",
            ">ERRORS",
            ">FIRST P50 MS",
            ">FIRST P95 MS",
            ">P50 MS",
            ">P95 MS",
            ">FROM CACHE",
        ]);
        let none = || crate::human::NONE.to_owned();
        for row in rows {
            let tokens = row.totals.tokens();
            let put_in = tokens.input + tokens.cache_read + tokens.cache_write_5m + tokens.cache_write_1h;
            let (first, whole) = (row.first_token, row.totals.duration);
            table.row([
                row.name.clone().unwrap_or_else(|| row.id.clone()),
                count(row.totals.requests),
                count(row.totals.errors),
                first.map_or_else(none, |times| count(times.p50_ms)),
                first.map_or_else(none, |times| count(times.p95_ms)),
                whole.map_or_else(none, |times| count(times.p50_ms)),
                whole.map_or_else(none, |times| count(times.p95_ms)),
                tokens
                    .cache_read
                    .saturating_mul(100)
                    .checked_div(put_in)
                    .map_or_else(none, |percent| format!("{percent} %")),
            ]);
        }
        table.render("Nothing was used.")
    };
    let both = format!(
        "{}\n{}",
        table("MODEL", &found.models),
        table("ENDPOINT", &found.endpoints)
    );
    range(found.from, found.to, &both)
}

fn forecast(found: &Forecast) -> String {
    let amounts = [
        found.spent_nano_usd,
        found.expected_nano_usd,
        found.low_nano_usd,
        found.high_nano_usd,
    ];
    let shown = money_column(&amounts);
    let [spent, expected, low, high] = [0, 1, 2, 3].map(|n| shown.get(n).map_or("", |text| text.trim()));
    format!(
        "Until {} UTC: {expected} expected, with 95 % between {low} and {high}\nSpent until now: {spent}\nTaken from {} whole days.",
        found.until.date(),
        found.from_days
    )
}

fn what_if(found: &WhatIf) -> String {
    let mut table = Table::new(&["FROM", "UNTIL", ">SPENT", ">BEYOND", ">REFUSED", ">WHO", "FIRST"]);
    for period in &found.periods {
        table.row([
            period.start.to_the_minute(),
            period.end.to_the_minute(),
            dollars(period.spent_usd),
            dollars(period.over_usd),
            count(period.refused_requests),
            count(period.blocked),
            period
                .first_blocked_at
                .map_or_else(|| NONE.to_owned(), |at| at.to_the_minute()),
        ]);
    }
    let mut text = format!(
        "Of {} that were spent, {} lie beyond the point at which the budget refuses: about {} requests.\n\n{}",
        dollars(found.spent_usd),
        dollars(found.over_usd),
        count(found.refused_requests),
        table.render("Nothing was used.")
    );
    if !found.subjects.is_empty() {
        let mut table = Table::new(&["USER", ">SPENT", ">BEYOND", ">REFUSED"]);
        for one in &found.subjects {
            table.row([
                one.name.clone().unwrap_or_else(|| one.id.clone()),
                dollars(one.spent_usd),
                dollars(one.over_usd),
                count(one.refused_requests),
            ]);
        }
        let rest = found.refused_subjects.saturating_sub(found.subjects.len() as u64);
        text.push_str(&format!("\n\n{}", table.render("")));
        if rest > 0 {
            text.push_str(&format!("\nand {} more", count(rest)));
        }
    }
    range(found.from, found.to, &text)
}

fn dollars(amount: Usd) -> String {
    money(amount.0)
}
