//! Where requests may go, and in which order endpoints are tried: of a team, or of everybody.

use super::Context;
use super::endpoints::geography;
use crate::error::CliError;
use crate::names;
use crate::table::{Table, card};
use ccag_admin_api::{PreviewRoute, RoutePreview, RoutingSpec, RoutingView, paths};
use ccag_domain::{Geography, Strategy, TeamId};
use clap::{Args, Subcommand, ValueEnum};
use reqwest::Method;

/// Where requests may go, and in which order endpoints are tried.
#[derive(Debug, Subcommand)]
pub(crate) enum Routing {
    /// Show what holds for teams as far as they say nothing themselves, and for callers without a team
    Show,
    /// Say what holds for them; what is not given stays as it is
    ///
    /// For example: ccag routing set --strategy sticky --geography eu
    Set(RoutingArgs),
    /// Show where a request for a model would go now that comes from nobody's team
    Preview {
        /// The model, however it is named
        model: String,
    },
}

/// What is to hold.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(crate) struct RoutingArgs {
    /// In which order endpoints are tried
    #[arg(long, value_enum)]
    strategy: Option<StrategyName>,
    /// A model that may be asked for; may be given several times, and says which all of them are
    #[arg(long = "model", value_name = "MODEL")]
    models: Vec<String>,
    /// All models may be asked for
    #[arg(long, conflicts_with = "models")]
    any_model: bool,
    /// Where requests may run: global, us, eu, au, jp, apac, in, ca, us-gov or in-region; may be given several times
    #[arg(long = "geography", value_name = "GEOGRAPHY", value_parser = geography)]
    geographies: Vec<Geography>,
    /// Requests may run in all geographies
    #[arg(long, conflicts_with = "geographies")]
    any_geography: bool,
    /// A region whose endpoints may be called, or how several begin (eu-); may be given several times
    #[arg(long = "region", value_name = "REGION", allow_hyphen_values = true)]
    regions: Vec<String>,
    /// Endpoints of all regions may be called
    #[arg(long, conflicts_with = "regions")]
    any_region: bool,
    /// Say nothing about this any more: the organisation's word holds for a team; may be given several times
    #[arg(long = "unset", value_enum, value_name = "PART")]
    unset: Vec<Part>,
}

/// The strategies.
#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum StrategyName {
    /// A conversation stays at one endpoint, where its prompt cache is; shared out by weight
    #[value(alias = "sticky_user")]
    Sticky,
    /// The first endpoint of the team's list, the others if it fails
    PrimaryFallback,
    /// Each request begins at another endpoint, evenly
    RoundRobin,
    /// Each request begins at another endpoint, by weight
    Weighted,
    /// The endpoint that throttled least within the last minute
    LeastThrottled,
}

impl From<StrategyName> for Strategy {
    fn from(name: StrategyName) -> Self {
        match name {
            StrategyName::Sticky => Self::Sticky,
            StrategyName::PrimaryFallback => Self::PrimaryFallback,
            StrategyName::RoundRobin => Self::RoundRobin,
            StrategyName::Weighted => Self::Weighted,
            StrategyName::LeastThrottled => Self::LeastThrottled,
        }
    }
}

/// What can be said, and left to the organisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// The order in which endpoints are tried
    Strategy,
    /// The models
    Models,
    /// The geographies
    Geographies,
    /// The regions
    Regions,
}

impl RoutingArgs {
    /// What was said before, with what is said now.
    fn apply(self, held: RoutingSpec) -> RoutingSpec {
        fn list<T>(given: Vec<T>, any: bool, held: Option<Vec<T>>) -> Option<Vec<T>> {
            if any {
                Some(Vec::new())
            } else if given.is_empty() {
                held
            } else {
                Some(given)
            }
        }
        let kept = |part: Part| !self.unset.contains(&part);
        RoutingSpec {
            strategy: (self.strategy.map(Strategy::from)).or(held.strategy.filter(|_| kept(Part::Strategy))),
            models: list(
                self.models,
                self.any_model,
                held.models.filter(|_| kept(Part::Models)),
            ),
            geographies: list(
                self.geographies,
                self.any_geography,
                held.geographies.filter(|_| kept(Part::Geographies)),
            ),
            regions: list(
                self.regions,
                self.any_region,
                held.regions.filter(|_| kept(Part::Regions)),
            ),
        }
    }
}

impl Routing {
    pub(crate) async fn run(self, context: &Context) -> Result<(), CliError> {
        match self {
            Self::Show => show(context, None).await,
            Self::Set(args) => set(context, None, args).await,
            Self::Preview { model } => preview(context, None, model).await,
        }
    }
}

async fn team_id(context: &Context, team: Option<&str>) -> Result<Option<TeamId>, CliError> {
    match team {
        Some(team) => Ok(Some(names::team(&context.client, team).await?)),
        None => Ok(None),
    }
}

fn path(team: Option<&TeamId>) -> String {
    team.map_or_else(|| paths::ROUTING.to_owned(), paths::team_routing)
}

/// Shows what holds for a team, or for everybody.
pub(super) async fn show(context: &Context, team: Option<&str>) -> Result<(), CliError> {
    let team = team_id(context, team).await?;
    let view: RoutingView = context.client.get(&path(team.as_ref())).await?;
    context.out.show(&view, |view| rules(view, team.is_some()))
}

/// Changes what holds for a team, or for everybody.
pub(super) async fn set(context: &Context, team: Option<&str>, args: RoutingArgs) -> Result<(), CliError> {
    let team = team_id(context, team).await?;
    let path = path(team.as_ref());
    let held: RoutingView = context.client.get(&path).await?;
    let request = args.apply(held.own);
    let view: RoutingView = context.client.send(Method::PUT, &path, &request).await?;
    context.out.show(&view, |view| rules(view, team.is_some()))
}

/// Shows where a request for a model would go.
pub(super) async fn preview(context: &Context, team: Option<&str>, model: String) -> Result<(), CliError> {
    let team = team_id(context, team).await?;
    let path = team
        .as_ref()
        .map_or_else(|| paths::ROUTE_PREVIEW.to_owned(), paths::team_route_preview);
    let found: RoutePreview = context.client.get_with(&path, &PreviewRoute { model }).await?;
    context.out.show(&found, previewed)
}

fn rules(view: &RoutingView, of_team: bool) -> String {
    let (own, held) = (&view.own, &view.in_force);
    let whose = |said: bool| match (said, of_team) {
        (true, _) => "",
        (false, true) => " (the organisation's word)",
        (false, false) => " (nothing is said)",
    };
    let list = |names: Vec<String>, said: bool| match names.is_empty() {
        true => format!("all{}", whose(said)),
        false => format!("{}{}", names.join(", "), whose(said)),
    };
    let geographies = held.geographies.iter().map(ToString::to_string).collect();
    let strategy = format!(
        "{}: {}{}",
        held.strategy,
        held.strategy.told(),
        whose(own.strategy.is_some())
    );
    card(&[
        ("Strategy", strategy),
        ("Models", list(held.models.clone(), own.models.is_some())),
        ("Geographies", list(geographies, own.geographies.is_some())),
        ("Regions", list(held.regions.clone(), own.regions.is_some())),
    ])
}

fn previewed(found: &RoutePreview) -> String {
    let mut parts = vec![card(&[
        ("Model", found.model.clone()),
        (
            "Strategy",
            format!("{}: {}", found.strategy, found.strategy.told()),
        ),
        (
            "Chosen from",
            if found.uses_own {
                "the team's own endpoints"
            } else {
                "the default endpoints"
            }
            .to_owned(),
        ),
    ])];
    if let Some(refusal) = &found.refusal {
        parts.push(format!("Refused with {}: {}", refusal.status, refusal.message));
    } else {
        let mut table = Table::new(&["ENDPOINT", "ID", "INVOKES", "GEOGRAPHY", ">BEGINS HERE"]);
        for one in &found.candidates {
            let (whole, tenth) = (one.first_permille / 10, one.first_permille % 10);
            table.row([
                one.name.clone(),
                one.endpoint_id.to_string(),
                one.bedrock_model.clone(),
                one.geography.to_string(),
                format!("{whole}.{tenth} %"),
            ]);
        }
        parts.push(table.render(""));
    }
    if !found.left_out.is_empty() {
        let mut table = Table::new(&["LEFT OUT", "ID", "BECAUSE"]);
        for one in &found.left_out {
            table.row([one.name.clone(), one.endpoint_id.to_string(), one.message.clone()]);
        }
        parts.push(table.render(""));
    }
    parts.join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_given_stays_and_what_is_unset_is_left_to_the_organisation() {
        let held = RoutingSpec {
            strategy: Some(Strategy::Weighted),
            models: Some(vec!["a".into()]),
            geographies: Some(vec![Geography::Eu]),
            regions: None,
        };
        let args = RoutingArgs {
            strategy: Some(StrategyName::RoundRobin),
            models: Vec::new(),
            any_model: true,
            geographies: Vec::new(),
            any_geography: false,
            regions: vec!["eu-".into()],
            any_region: false,
            unset: Vec::new(),
        };
        let said = args.apply(held.clone());
        assert_eq!(said.strategy, Some(Strategy::RoundRobin));
        assert_eq!(
            (said.models, said.geographies),
            (Some(Vec::new()), held.geographies.clone())
        );
        assert_eq!(said.regions, Some(vec!["eu-".to_owned()]));
        let unset = RoutingArgs {
            strategy: None,
            models: Vec::new(),
            any_model: false,
            geographies: Vec::new(),
            any_geography: false,
            regions: Vec::new(),
            any_region: false,
            unset: vec![Part::Strategy, Part::Geographies],
        };
        let said = unset.apply(held);
        assert_eq!((said.strategy, said.geographies), (None, None));
        assert_eq!(said.models, Some(vec!["a".to_owned()]));
    }
}
