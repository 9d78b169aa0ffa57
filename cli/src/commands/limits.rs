//! Limits: how much may be asked for at a time.

use super::Context;
use super::budgets::scope_of;
use crate::error::CliError;
use crate::human::count;
use crate::names;
use crate::table::{Table, card};
use ccag_admin_api::{
    CreateLimit, LimitKindSpec, LimitList, LimitView, ListLimits, UpdateLimit, WeightsSpec, paths,
};
use ccag_domain::LimitId;
use clap::{Args, Subcommand, ValueEnum};
use reqwest::Method;
use serde_json::json;

const EXAMPLES: &str = "\
Examples:
  Everybody together:
    ccag limits create 600 requests-per-minute
  Each user for whom nothing else is set:
    ccag limits create 30 requests-per-minute --each
  A team, with output counted as Bedrock's quota for Opus counts it:
    ccag limits create 2000000 tokens-per-minute --team platform --weight output=1000
  Each member of a team, for one model:
    ccag limits create 4 concurrent-requests --team platform --each --model claude-opus-5-5";

/// Limits: how much may be asked for at a time, over all data planes.
#[derive(Debug, Subcommand)]
pub(crate) enum Limits {
    /// List limits, with what is in use of each
    ///
    /// For example: ccag limits list --team platform
    List(List),
    /// Show one limit
    Show {
        /// The limit's id, as `ccag limits list` shows it
        limit: LimitId,
    },
    /// Make a limit
    ///
    /// Without --team, --user or --key it is for everybody together, or, with --each, for each user separately. With
    /// --team it is for the team together, or, with --each, for each of its members; --team and --user together name one
    /// member, as far as that team pays.
    #[command(after_help = EXAMPLES)]
    Create(Create),
    /// Change a limit; what is not named keeps its value
    ///
    /// For example: ccag limits update lim_01J… --amount 800
    Update(Update),
    /// Delete limits
    Delete {
        /// The limits' ids
        #[arg(required = true, value_name = "LIMIT")]
        limits: Vec<LimitId>,
    },
}

/// What is counted.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Kind {
    /// Requests that are let through in a minute
    #[value(alias = "rpm")]
    RequestsPerMinute,
    /// Tokens of the requests that are let through in a minute
    #[value(alias = "tpm")]
    TokensPerMinute,
    /// Requests that run at the same time
    #[value(alias = "concurrency")]
    ConcurrentRequests,
}

impl From<Kind> for LimitKindSpec {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::RequestsPerMinute => Self::RequestsPerMinute,
            Kind::TokensPerMinute => Self::TokensPerMinute,
            Kind::ConcurrentRequests => Self::ConcurrentRequests,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only those that name this team
    #[arg(long)]
    team: Option<String>,
    /// Only those that name this user
    #[arg(long)]
    user: Option<String>,
    /// Only those that name this key
    #[arg(long)]
    key: Option<String>,
    /// Only those of this kind
    #[arg(long, value_enum)]
    kind: Option<Kind>,
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// How many; 0 lets nothing through
    amount: u64,
    /// What is counted
    #[arg(value_enum)]
    kind: Kind,
    /// For each separately: each user, or each member of the team
    #[arg(long, conflicts_with_all = ["user", "key"])]
    each: bool,
    /// The team
    #[arg(long)]
    team: Option<String>,
    /// The user
    #[arg(long)]
    user: Option<String>,
    /// The key
    #[arg(long, conflicts_with_all = ["team", "user"])]
    key: Option<String>,
    /// Only requests for this model count; may be given several times
    #[arg(long = "model", value_name = "MODEL")]
    models: Vec<String>,
    /// How much a token of a class counts, in percent: input, output, cache-read or cache-write; may be given several times
    #[arg(long = "weight", value_name = "CLASS=PERCENT", value_parser = weight)]
    weights: Vec<(Class, u32)>,
}

#[derive(Debug, Args)]
pub(crate) struct Update {
    /// The limit's id
    limit: LimitId,
    /// How many; 0 lets nothing through
    #[arg(long)]
    amount: Option<u64>,
    /// Only requests for this model count; may be given several times
    #[arg(long = "model", value_name = "MODEL", conflicts_with = "all_models")]
    models: Vec<String>,
    /// Requests for all models count
    #[arg(long)]
    all_models: bool,
    /// How much a token of a class counts, in percent: input, output, cache-read or cache-write; may be given several times
    #[arg(long = "weight", value_name = "CLASS=PERCENT", value_parser = weight)]
    weights: Vec<(Class, u32)>,
}

/// A class of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Input,
    Output,
    CacheRead,
    CacheWrite,
}

/// Reads `output=500`.
fn weight(text: &str) -> Result<(Class, u32), String> {
    let wrong = || {
        format!(
            "`{text}` is not a weight: give a class and a whole number of percent, such as output=500; classes are input, output, cache-read and cache-write"
        )
    };
    let (class, percent) = text.split_once('=').ok_or_else(wrong)?;
    let class = match class.replace('_', "-").as_str() {
        "input" => Class::Input,
        "output" => Class::Output,
        "cache-read" => Class::CacheRead,
        "cache-write" => Class::CacheWrite,
        _ => return Err(wrong()),
    };
    let percent = percent.trim_end_matches('%').parse().map_err(|_| wrong())?;
    Ok((class, percent))
}

fn weights(given: &[(Class, u32)]) -> Option<WeightsSpec> {
    let mut spec = WeightsSpec::default();
    for (class, percent) in given {
        let place = match class {
            Class::Input => &mut spec.input,
            Class::Output => &mut spec.output,
            Class::CacheRead => &mut spec.cache_read,
            Class::CacheWrite => &mut spec.cache_write,
        };
        *place = Some(*percent);
    }
    (!given.is_empty()).then_some(spec)
}

impl Limits {
    pub(crate) async fn run(self, context: &Context) -> Result<(), CliError> {
        let client = &context.client;
        match self {
            Self::List(list) => list.run(context).await,
            Self::Show { limit } => {
                let view: LimitView = client.get(&paths::limit(&limit)).await?;
                context.out.show(&view, card_of)
            }
            Self::Create(create) => create.run(context).await,
            Self::Update(update) => update.run(context).await,
            Self::Delete { limits } => {
                for id in &limits {
                    client.order(Method::DELETE, &paths::limit(id)).await?;
                }
                context.out.show(&json!({ "deleted": limits }), |_| {
                    let lines: Vec<String> = limits.iter().map(|id| format!("Deleted {id}.")).collect();
                    lines.join("\n")
                })
            }
        }
    }
}

impl List {
    async fn run(self, context: &Context) -> Result<(), CliError> {
        let client = &context.client;
        let mut query = ListLimits {
            kind: self.kind.map(Into::into),
            ..ListLimits::default()
        };
        if let Some(team) = &self.team {
            query.team_id = Some(names::team(client, team).await?);
        }
        if let Some(user) = &self.user {
            query.user_id = Some(names::user(client, user).await?);
        }
        if let Some(key) = &self.key {
            query.key_id = Some(names::key(client, key).await?);
        }
        let list = LimitList {
            limits: names::all_limits(client, query).await?,
            next_cursor: None,
        };
        context.out.show(&list, |list| table(&list.limits))
    }
}

impl Create {
    async fn run(self, context: &Context) -> Result<(), CliError> {
        let client = &context.client;
        let mut request = CreateLimit {
            scope: scope_of(
                self.team.is_some(),
                self.user.is_some(),
                self.key.is_some(),
                self.each,
            ),
            team_id: None,
            user_id: None,
            key_id: None,
            kind: self.kind.into(),
            amount: self.amount,
            models: self.models,
            weights: weights(&self.weights),
        };
        if let Some(team) = &self.team {
            request.team_id = Some(names::team(client, team).await?);
        }
        if let Some(user) = &self.user {
            request.user_id = Some(names::user(client, user).await?);
        }
        if let Some(key) = &self.key {
            request.key_id = Some(names::key(client, key).await?);
        }
        let view: LimitView = client.send(Method::POST, paths::LIMITS, &request).await?;
        context.out.show(&view, card_of)
    }
}

impl Update {
    async fn run(self, context: &Context) -> Result<(), CliError> {
        let request = UpdateLimit {
            amount: self.amount,
            models: match (self.models.is_empty(), self.all_models) {
                (true, false) => None,
                _ => Some(self.models),
            },
            weights: weights(&self.weights),
        };
        if request == UpdateLimit::default() {
            return Err(CliError::Usage(
                "nothing to change: name at least one of --amount, --model, --all-models and --weight"
                    .to_owned(),
            ));
        }
        let path = paths::limit(&self.limit);
        let view: LimitView = context.client.send(Method::PUT, &path, &request).await?;
        context.out.show(&view, card_of)
    }
}

fn models(limit: &LimitView) -> String {
    match limit.models.as_slice() {
        [] => "all".to_owned(),
        models => models.join(", "),
    }
}

fn weighted(weights: &WeightsSpec) -> String {
    let of = |percent: Option<u32>| percent.unwrap_or(0);
    format!(
        "input {} %, output {} %, cache read {} %, cache write {} %",
        of(weights.input),
        of(weights.output),
        of(weights.cache_read),
        of(weights.cache_write)
    )
}

/// Limits, with what is in use of each.
fn table(limits: &[LimitView]) -> String {
    let mut table = Table::new(&["ID", "ABOUT", "KIND", ">LIMIT", ">IN USE", "MODELS"]);
    for limit in limits {
        table.row([
            limit.id.to_string(),
            limit.about.clone(),
            limit.kind.as_str().replace('_', " "),
            count(limit.amount),
            count(limit.in_use),
            models(limit),
        ]);
    }
    table.render(
        "No limits. Make one with `ccag limits create AMOUNT KIND`, or see `ccag limits create --help`.",
    )
}

/// One limit.
fn card_of(limit: &LimitView) -> String {
    let mut rows = vec![
        ("id", limit.id.to_string()),
        ("about", limit.about.clone()),
        ("limit", limit.kind.amount(limit.amount)),
        ("in use", count(limit.in_use)),
        ("models", models(limit)),
    ];
    if let Some(weights) = &limit.weights {
        rows.push(("weights", weighted(weights)));
    }
    card(&rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_read_and_what_is_none_is_refused_with_what_to_write() {
        assert_eq!(weight("output=500"), Ok((Class::Output, 500)));
        assert_eq!(weight("cache_read=10%"), Ok((Class::CacheRead, 10)));
        for bad in ["", "output", "output=", "output=-1", "words=3", "output=1.5"] {
            assert!(weight(bad).unwrap_err().contains("output=500"), "{bad}");
        }
        let spec = weights(&[(Class::Input, 1), (Class::CacheWrite, 125)]).unwrap();
        assert_eq!(
            (spec.input, spec.cache_write, spec.output),
            (Some(1), Some(125), None)
        );
        assert_eq!(weights(&[]), None);
    }
}
