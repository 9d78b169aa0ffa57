//! Endpoints: where requests leave.

mod access;
mod change;
mod network;
mod offers;
mod quotas;

use self::change::{Create, Update};
use self::offers::{AipOverrides, models_text};
use super::Context;
use super::guardrail::guardrail_text;
use crate::error::CliError;
use crate::human::{moment, or_none};
use crate::names;
use crate::table::{Table, card};
use ccag_admin_api::{EndpointList, EndpointModels, EndpointTest, EndpointView, paths};
use ccag_domain::Geography;
use clap::Subcommand;
use reqwest::Method;
use serde_json::json;

/// Endpoints: the AWS accounts, regions and roles that requests leave through.
#[derive(Debug, Subcommand)]
pub(crate) enum Endpoints {
    /// List all endpoints
    List,
    /// Make an endpoint
    ///
    /// For example: ccag endpoints create europe --region eu-west-1 --role-arn
    /// arn:aws:iam::111122223333:role/ccag
    Create(Box<Create>),
    /// Show one endpoint
    Show {
        /// The endpoint's id or name
        endpoint: String,
    },
    /// Change an endpoint; what is not named stays as it is
    Update(Box<Update>),
    /// Delete an endpoint that no team uses and that is not the only default
    Delete {
        /// The endpoint's id or name
        endpoint: String,
    },
    /// Show which models an endpoint offers, what is invoked for each, and whether the account may use it
    Models {
        /// The endpoint's id or name
        endpoint: String,
        /// Ask AWS first
        #[arg(long)]
        discover: bool,
    },
    /// Ask AWS what an endpoint offers, and use that instead of the catalogue's geographies
    Discover {
        /// The endpoint's id or name
        endpoint: String,
    },
    /// Show how much AWS lets the account use of each model, and how much is used
    Quotas {
        /// The endpoint's id or name
        endpoint: String,
        /// Ask AWS first
        #[arg(long)]
        discover: bool,
    },
    /// Try what the endpoint's credentials may do, and say what is missing
    #[command(
        long_about = "Try what the endpoint's credentials may do, and say what is missing\n\nThe control plane asks AWS for everything that the gateway needs there. Nothing is changed, no model runs, and nothing is billed. The exit code is 1 if something is not allowed."
    )]
    Test {
        /// The endpoint's id or name
        endpoint: String,
    },
    /// Application inference profiles that are invoked instead of AWS's own, for example to tell costs apart
    #[command(subcommand)]
    AipOverrides(AipOverrides),
    /// Make an endpoint the only default, used by all teams without endpoints of their own
    SetDefault {
        /// The endpoint's id or name
        endpoint: String,
    },
}

pub(super) fn geography(text: &str) -> Result<Geography, String> {
    Geography::parse(text).ok_or_else(|| "write global, us, eu, au, jp, apac, us-gov or in-region".to_owned())
}

impl Endpoints {
    pub(crate) async fn run(self, context: &Context) -> Result<(), CliError> {
        let client = &context.client;
        match self {
            Self::List => list(context).await,
            Self::Create(command) => command.run(context).await,
            Self::Show { endpoint } => {
                let id = names::endpoint(client, &endpoint).await?;
                let endpoint: EndpointView = client.get(&paths::endpoint(&id)).await?;
                show(context, &endpoint)
            }
            Self::Update(command) => command.run(context).await,
            Self::Delete { endpoint } => {
                let id = names::endpoint(client, &endpoint).await?;
                client.order(Method::DELETE, &paths::endpoint(&id)).await?;
                context
                    .out
                    .show(&json!({ "deleted": [id] }), |_| format!("Deleted {id}."))
            }
            Self::Models { endpoint, discover } => {
                let id = names::endpoint(client, &endpoint).await?;
                let models: EndpointModels = if discover {
                    client.act(&paths::endpoint_discover(&id)).await?
                } else {
                    client.get(&paths::endpoint_models(&id)).await?
                };
                context.out.show(&models, models_text)
            }
            Self::Discover { endpoint } => {
                let id = names::endpoint(client, &endpoint).await?;
                let models: EndpointModels = client.act(&paths::endpoint_discover(&id)).await?;
                context.out.show(&models, models_text)
            }
            Self::Quotas { endpoint, discover } => quotas::run(context, &endpoint, discover).await,
            Self::Test { endpoint } => {
                let id = names::endpoint(client, &endpoint).await?;
                let test: EndpointTest = client.act(&paths::endpoint_test(&id)).await?;
                context.out.show(&test, offers::test_text)?;
                if test.passed {
                    return Ok(());
                }
                Err(CliError::Failed(format!(
                    "not everything that the gateway needs at {endpoint} is allowed"
                )))
            }
            Self::AipOverrides(command) => command.run(context).await,
            Self::SetDefault { endpoint } => {
                let id = names::endpoint(client, &endpoint).await?;
                let path = paths::endpoint_default(&id);
                let endpoint: EndpointView = client.send(Method::PUT, &path, &json!({})).await?;
                show(context, &endpoint)
            }
        }
    }
}

async fn list(context: &Context) -> Result<(), CliError> {
    let list: EndpointList = context.client.get(paths::ENDPOINTS).await?;
    context.out.show(&list, |list| {
        let mut table = Table::new(&[
            "ID",
            "NAME",
            "REGION",
            "GEOGRAPHY",
            ">WEIGHT",
            "STATE",
            "DEFAULT",
            ">TEAMS",
        ]);
        for endpoint in &list.endpoints {
            table.row([
                endpoint.id.to_string(),
                endpoint.name.clone(),
                or_none(endpoint.region.as_ref()),
                or_none(endpoint.geography.as_ref()),
                endpoint.weight.to_string(),
                state(endpoint).to_owned(),
                yes(endpoint.is_default).to_owned(),
                endpoint.teams.len().to_string(),
            ]);
        }
        table.render("No endpoints. Make one with `ccag endpoints create NAME`.")
    })
}

fn state(endpoint: &EndpointView) -> &'static str {
    endpoint.state.as_str()
}

fn yes(it_is: bool) -> &'static str {
    if it_is { "yes" } else { "no" }
}

fn show(context: &Context, endpoint: &EndpointView) -> Result<(), CliError> {
    context.out.show(endpoint, |endpoint| {
        let teams: Vec<_> = endpoint.teams.iter().map(|team| team.name.as_str()).collect();
        let own =
            |text: Option<&String>, otherwise: &str| text.cloned().unwrap_or_else(|| otherwise.to_owned());
        let mut lines = vec![
            ("Id", endpoint.id.to_string()),
            ("Name", endpoint.name.clone()),
            ("Region", own(endpoint.region.as_ref(), "that of the data planes")),
            ("Role", own(endpoint.role_arn.as_ref(), "none")),
            ("External id", or_none(endpoint.external_id.as_ref())),
            ("Credentials", access::credentials_text(&endpoint.credentials)),
            (
                "Geography",
                endpoint
                    .geography
                    .map_or_else(|| "the closest".to_owned(), |g| g.to_string()),
            ),
            (
                "Bedrock Runtime",
                own(endpoint.runtime_url.as_ref(), "the public URL"),
            ),
            (
                "Lanes",
                endpoint
                    .lanes
                    .iter()
                    .map(|l| l.as_str())
                    .collect::<Vec<_>>()
                    .join(", "),
            ),
            ("Mantle", own(endpoint.mantle_url.as_ref(), "the public URL")),
            (
                "Guardrail",
                or_none(endpoint.guardrail.as_ref().map(guardrail_text).as_ref()),
            ),
        ];
        lines.extend(network::lines(endpoint));
        lines.extend(access::lines(endpoint));
        lines.extend([
            ("Weight", endpoint.weight.to_string()),
            ("State", state(endpoint).to_owned()),
            ("Default", yes(endpoint.is_default).to_owned()),
            (
                "Teams",
                if teams.is_empty() {
                    "none".to_owned()
                } else {
                    teams.join(", ")
                },
            ),
            ("Created", moment(Some(endpoint.created_at))),
        ]);
        card(&lines)
    })
}
