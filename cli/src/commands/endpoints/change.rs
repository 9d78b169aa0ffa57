//! Making an endpoint, and changing it.

use super::super::Context;
use super::super::guardrail::GuardrailArgs;
use super::access::{AccessArgs, state};
use super::network::NetworkArgs;
use super::{geography, show};
use crate::error::CliError;
use crate::names;
use ccag_admin_api::{CreateEndpoint, EndpointView, Patch, UpdateEndpoint, paths};
use ccag_domain::{EndpointState, Geography, Lane};
use clap::{Args, ValueEnum};
use reqwest::Method;

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
    #[command(flatten)]
    access: AccessArgs,
    #[command(flatten)]
    network: NetworkArgs,
    /// Its share of the conversations in relation to other endpoints; 0 only steps in for others
    #[arg(long, value_name = "N")]
    weight: Option<u32>,
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
    /// Whether it takes requests: enabled, draining (no new conversations) or disabled
    #[arg(long, value_name = "STATE", value_parser = state, conflicts_with_all = ["enable", "disable"])]
    state: Option<EndpointState>,
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
    /// No role
    RoleArn,
    /// The data planes' own credentials
    Credentials,
    /// No service tier
    ServiceTier,
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
    /// No proxy of its own
    Proxy,
    /// No certificates of its own
    CaCertificates,
}

impl Create {
    pub(super) async fn run(self, context: &Context) -> Result<(), CliError> {
        let guardrail = self.place.guardrail.read()?;
        let lanes: Vec<Lane> = self.place.lanes.into_iter().map(Into::into).collect();
        let access = self.place.access.read()?;
        let network = self.place.network.read()?;
        let request = CreateEndpoint {
            proxy: network.proxy,
            ca_certificates: network.ca_certificates,
            use_fips: network.use_fips,
            credentials: access.credentials,
            session_tags: access.session_tags,
            service_tier: access.service_tier,
            request_metadata: access.request_metadata,
            state: None,
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
    pub(super) async fn run(self, context: &Context) -> Result<(), CliError> {
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
        let access = self.place.access.read()?;
        let network = self.place.network.read()?;
        let request = UpdateEndpoint {
            proxy: patch(network.proxy, clear(Clear::Proxy)),
            ca_certificates: patch(network.ca_certificates, clear(Clear::CaCertificates)),
            use_fips: network.use_fips,
            credentials: patch(access.credentials, clear(Clear::Credentials)),
            session_tags: access.session_tags,
            service_tier: patch(access.service_tier, clear(Clear::ServiceTier)),
            request_metadata: access.request_metadata,
            state: match (self.state, self.enable) {
                // Who enables an endpoint means that it takes new conversations, too.
                (None, true) => Some(EndpointState::Enabled),
                (state, _) => state,
            },
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
            enabled: self.disable.then_some(false),
            is_default: self.default,
        };
        let endpoint: EndpointView = context
            .client
            .send(Method::PATCH, &paths::endpoint(&id), &request)
            .await?;
        show(context, &endpoint)
    }
}
