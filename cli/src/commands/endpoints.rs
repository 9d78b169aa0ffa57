//! Endpoints: where requests leave.

mod offers;

use self::offers::{AipOverrides, models_text};
use super::Context;
use crate::error::CliError;
use crate::human::{moment, or_none};
use crate::names;
use crate::table::{Table, card};
use ccag_admin_api::{
    CreateEndpoint, EndpointList, EndpointModels, EndpointView, GuardrailSpec, Patch, UpdateEndpoint, paths,
};
use ccag_domain::{Geography, GuardrailTrace, Lane};
use clap::{Args, Subcommand, ValueEnum};
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
    Create(Create),
    /// Show one endpoint
    Show {
        /// The endpoint's id or name
        endpoint: String,
    },
    /// Change an endpoint; what is not named stays as it is
    Update(Update),
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
    /// Application inference profiles that are invoked instead of AWS's own, for example to tell costs apart
    #[command(subcommand)]
    AipOverrides(AipOverrides),
    /// Make an endpoint the only default, used by all teams without endpoints of their own
    SetDefault {
        /// The endpoint's id or name
        endpoint: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// Its name; no other endpoint may have it
    name: String,
    #[command(flatten)]
    place: Place,
    /// Do not use it yet
    #[arg(long)]
    disabled: bool,
    /// Let teams without endpoints of their own use it, beside the other defaults
    #[arg(long)]
    default: bool,
}

/// Where it calls, and how.
#[derive(Debug, Args)]
struct Place {
    /// The AWS region; by default the data planes' own
    #[arg(long)]
    region: Option<String>,
    /// The role to assume; by default the data planes call with their own credentials
    #[arg(long, value_name = "ARN")]
    role_arn: Option<String>,
    /// What the role asks for besides
    #[arg(long, value_name = "TEXT")]
    external_id: Option<String>,
    /// The only geography to use: global, us, eu, au, jp, apac, us-gov or in-region; by default the closest that has the
    /// model
    #[arg(long, alias = "routing-prefix", value_parser = geography)]
    geography: Option<Geography>,
    /// Instead of the public URL of Bedrock Runtime, for example a VPC endpoint
    #[arg(long, value_name = "URL")]
    runtime_url: Option<String>,
    /// A lane that it may use, the preferred one first; may be given several times. InvokeModel is always among them
    #[arg(long = "lane", value_enum, value_name = "LANE")]
    lanes: Vec<LaneName>,
    /// Instead of the public URL of bedrock-mantle
    #[arg(long, value_name = "URL")]
    mantle_url: Option<String>,
    #[command(flatten)]
    guardrail: GuardrailArgs,
    /// Its share of the conversations in relation to other endpoints; 0 only steps in for others
    #[arg(long, value_name = "N")]
    weight: Option<u32>,
}

/// A guardrail that requests must pass.
#[derive(Debug, Args)]
pub(crate) struct GuardrailArgs {
    /// A guardrail that requests must pass: its id and version, such as `abc123:1` or `abc123:DRAFT`
    #[arg(long, value_name = "ID:VERSION")]
    guardrail: Option<String>,
    /// How much Bedrock tells in its invocation log about what the guardrail found
    #[arg(
        long,
        value_enum,
        requires = "guardrail",
        default_value = "disabled",
        value_name = "HOW"
    )]
    guardrail_trace: TraceName,
    /// Let the guardrail look only at what the user and the tools said
    #[arg(long, requires = "guardrail")]
    guardrail_tag_input: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum TraceName {
    /// Nothing
    Disabled,
    /// What was found
    Enabled,
    /// Also what was looked for and not found
    EnabledFull,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LaneName {
    /// Every region and every model
    InvokeModel,
    /// Anthropic's own format on Bedrock Runtime
    Messages,
    /// bedrock-mantle, with quotas of its own
    Mantle,
}

impl From<LaneName> for Lane {
    fn from(name: LaneName) -> Self {
        match name {
            LaneName::InvokeModel => Self::InvokeModel,
            LaneName::Messages => Self::Messages,
            LaneName::Mantle => Self::Mantle,
        }
    }
}

impl GuardrailArgs {
    /// What is asked for, if anything.
    pub(super) fn read(&self) -> Result<Option<GuardrailSpec>, CliError> {
        let Some(text) = &self.guardrail else {
            return Ok(None);
        };
        // An ARN holds colons: the version follows the last one.
        let Some((id, version)) = text.rsplit_once(':') else {
            return Err(CliError::Usage(format!(
                "`{text}` names no version: write ID:VERSION, such as {text}:1 or {text}:DRAFT"
            )));
        };
        Ok(Some(GuardrailSpec {
            id: id.to_owned(),
            version: version.to_owned(),
            trace: match self.guardrail_trace {
                TraceName::Disabled => GuardrailTrace::Disabled,
                TraceName::Enabled => GuardrailTrace::Enabled,
                TraceName::EnabledFull => GuardrailTrace::EnabledFull,
            },
            tag_input: self.guardrail_tag_input,
        }))
    }
}

/// A guardrail as one reads it.
pub(super) fn guardrail_text(guardrail: &GuardrailSpec) -> String {
    format!("{}, version {}", guardrail.id, guardrail.version)
}

#[derive(Debug, Args)]
pub(crate) struct Update {
    /// The endpoint's id or name
    endpoint: String,
    /// A new name
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    place: Place,
    /// What to set back to nothing
    #[arg(long, value_enum, value_name = "FIELD")]
    clear: Vec<Clear>,
    /// Use it
    #[arg(long, conflicts_with = "disable")]
    enable: bool,
    /// Do not use it; teams that have no other endpoint are refused
    #[arg(long)]
    disable: bool,
    /// Whether teams without endpoints of their own may use it
    #[arg(long, value_name = "YES")]
    default: Option<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Clear {
    /// The data planes' own region
    Region,
    /// The data planes' own credentials
    RoleArn,
    /// No external id
    ExternalId,
    /// The closest geography that has the model
    Geography,
    /// The public URL
    RuntimeUrl,
    /// InvokeModel alone
    Lanes,
    /// The public URL
    MantleUrl,
    /// No guardrail
    Guardrail,
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

impl Create {
    async fn run(self, context: &Context) -> Result<(), CliError> {
        let guardrail = self.place.guardrail.read()?;
        let lanes: Vec<Lane> = self.place.lanes.into_iter().map(Into::into).collect();
        let request = CreateEndpoint {
            name: self.name,
            lanes: (!lanes.is_empty()).then_some(lanes),
            mantle_url: self.place.mantle_url,
            guardrail,
            region: self.place.region,
            role_arn: self.place.role_arn,
            external_id: self.place.external_id,
            geography: self.place.geography,
            runtime_url: self.place.runtime_url,
            weight: self.place.weight,
            enabled: self.disabled.then_some(false),
            is_default: self.default.then_some(true),
        };
        let endpoint: EndpointView = context
            .client
            .send(Method::POST, paths::ENDPOINTS, &request)
            .await?;
        show(context, &endpoint)
    }
}

impl Update {
    async fn run(self, context: &Context) -> Result<(), CliError> {
        fn patch<T>(given: Option<T>, clear: bool) -> Patch<T> {
            match (given, clear) {
                (Some(value), _) => Patch::Set(value),
                (None, true) => Patch::Clear,
                (None, false) => Patch::Keep,
            }
        }
        let clear = |field| self.clear.contains(&field);
        let id = names::endpoint(&context.client, &self.endpoint).await?;
        let guardrail = self.place.guardrail.read()?;
        let lanes: Vec<Lane> = self.place.lanes.into_iter().map(Into::into).collect();
        let lanes = (!lanes.is_empty()).then_some(lanes);
        let request = UpdateEndpoint {
            name: self.name,
            lanes: patch(lanes, clear(Clear::Lanes)),
            mantle_url: patch(self.place.mantle_url, clear(Clear::MantleUrl)),
            guardrail: patch(guardrail, clear(Clear::Guardrail)),
            region: patch(self.place.region, clear(Clear::Region)),
            role_arn: patch(self.place.role_arn, clear(Clear::RoleArn)),
            external_id: patch(self.place.external_id, clear(Clear::ExternalId)),
            geography: patch(self.place.geography, clear(Clear::Geography)),
            runtime_url: patch(self.place.runtime_url, clear(Clear::RuntimeUrl)),
            weight: self.place.weight,
            enabled: match (self.enable, self.disable) {
                (true, _) => Some(true),
                (_, true) => Some(false),
                _ => None,
            },
            is_default: self.default,
        };
        let endpoint: EndpointView = context
            .client
            .send(Method::PATCH, &paths::endpoint(&id), &request)
            .await?;
        show(context, &endpoint)
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
    if endpoint.enabled { "enabled" } else { "disabled" }
}

fn yes(it_is: bool) -> &'static str {
    if it_is { "yes" } else { "no" }
}

fn show(context: &Context, endpoint: &EndpointView) -> Result<(), CliError> {
    context.out.show(endpoint, |endpoint| {
        let teams: Vec<_> = endpoint.teams.iter().map(|team| team.name.as_str()).collect();
        let own =
            |text: Option<&String>, otherwise: &str| text.cloned().unwrap_or_else(|| otherwise.to_owned());
        card(&[
            ("Id", endpoint.id.to_string()),
            ("Name", endpoint.name.clone()),
            ("Region", own(endpoint.region.as_ref(), "that of the data planes")),
            (
                "Role",
                own(endpoint.role_arn.as_ref(), "the data planes' own credentials"),
            ),
            ("External id", or_none(endpoint.external_id.as_ref())),
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
        ])
    })
}
