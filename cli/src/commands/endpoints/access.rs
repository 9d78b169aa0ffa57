//! With what an endpoint is called, as it is given on the command line.

use crate::error::CliError;
use crate::human::moment;
use ccag_admin_api::{CredentialSpec, CredentialView, EndpointView, Secret};
use ccag_domain::{CredentialKind, EndpointState, ServiceTier, SessionTags};
use clap::Args;

/// Credentials of an endpoint's own, and what AWS is told and asked for.
#[derive(Debug, Args)]
pub(super) struct AccessArgs {
    /// An access key of the endpoint's own. Its secret is read from CCAG_ENDPOINT_SECRET_ACCESS_KEY, and a session token from
    /// CCAG_ENDPOINT_SESSION_TOKEN: other users of the machine can see command lines
    #[arg(long, value_name = "ID", conflicts_with_all = ["profile", "api_key"])]
    access_key_id: Option<Secret>,
    /// The secret of the access key, from the environment
    #[arg(
        long,
        env = "CCAG_ENDPOINT_SECRET_ACCESS_KEY",
        hide = true,
        hide_env_values = true
    )]
    secret_access_key: Option<Secret>,
    /// The session token of a temporary access key, from the environment
    #[arg(
        long,
        env = "CCAG_ENDPOINT_SESSION_TOKEN",
        hide = true,
        hide_env_values = true
    )]
    session_token: Option<Secret>,
    /// A profile of the AWS configuration files on the machines of the planes
    #[arg(long, value_name = "NAME", conflicts_with = "api_key")]
    profile: Option<String>,
    /// Call with the Bedrock API key in CCAG_ENDPOINT_API_KEY
    #[arg(long)]
    api_key: bool,
    /// The Bedrock API key, from the environment
    #[arg(long, env = "CCAG_ENDPOINT_API_KEY", hide = true, hide_env_values = true)]
    api_key_value: Option<Secret>,
    /// By whom AWS is to split its bill, by session tags of the role: off, team, user or key
    #[arg(long, value_name = "WHOM", value_parser = tags)]
    session_tags: Option<SessionTags>,
    /// The service tier to ask for: default, priority, flex or reserved
    #[arg(long, value_name = "TIER", value_parser = tier)]
    service_tier: Option<ServiceTier>,
    /// Whether to tell Bedrock, for its invocation log, whose request it is
    #[arg(long, value_name = "YES")]
    request_metadata: Option<bool>,
}

/// What is asked for.
pub(super) struct Read {
    pub(super) credentials: Option<CredentialSpec>,
    pub(super) session_tags: Option<SessionTags>,
    pub(super) service_tier: Option<ServiceTier>,
    pub(super) request_metadata: Option<bool>,
}

fn tags(text: &str) -> Result<SessionTags, String> {
    SessionTags::parse(text).ok_or_else(|| "write off, team, user or key".to_owned())
}

fn tier(text: &str) -> Result<ServiceTier, String> {
    ServiceTier::parse(text).ok_or_else(|| "write default, priority, flex or reserved".to_owned())
}

pub(super) fn state(text: &str) -> Result<EndpointState, String> {
    EndpointState::parse(text).ok_or_else(|| "write enabled, draining or disabled".to_owned())
}

impl AccessArgs {
    /// What is asked for.
    pub(super) fn read(self) -> Result<Read, CliError> {
        let missing = |variable: &str, what: &str| {
            CliError::Usage(format!(
                "{what} is read from the environment: set {variable}, which the command line should not show"
            ))
        };
        let credentials = if let Some(id) = self.access_key_id {
            let secret = self
                .secret_access_key
                .ok_or_else(|| missing("CCAG_ENDPOINT_SECRET_ACCESS_KEY", "the secret of the access key"))?;
            Some(CredentialSpec {
                kind: CredentialKind::Keys,
                access_key_id: Some(id),
                secret_access_key: Some(secret),
                session_token: self.session_token,
                ..CredentialSpec::default()
            })
        } else if self.profile.is_some() {
            Some(CredentialSpec {
                kind: CredentialKind::Profile,
                profile: self.profile,
                ..CredentialSpec::default()
            })
        } else if self.api_key {
            let key = self
                .api_key_value
                .ok_or_else(|| missing("CCAG_ENDPOINT_API_KEY", "the Bedrock API key"))?;
            Some(CredentialSpec {
                kind: CredentialKind::ApiKey,
                api_key: Some(key),
                ..CredentialSpec::default()
            })
        } else {
            None
        };
        Ok(Read {
            credentials,
            session_tags: self.session_tags,
            service_tier: self.service_tier,
            request_metadata: self.request_metadata,
        })
    }
}

/// An endpoint's credentials, in words.
pub(super) fn credentials_text(credentials: &CredentialView) -> String {
    let since = || match credentials.set_at {
        Some(at) => format!(", set at {}", moment(Some(at))),
        None => String::new(),
    };
    match credentials.kind {
        CredentialKind::Process => "the data planes' own".to_owned(),
        CredentialKind::Keys => format!(
            "an access key that ends in {}{}",
            credentials.access_key_id_ends.as_deref().unwrap_or("?"),
            since()
        ),
        CredentialKind::Profile => {
            format!("the profile {}", credentials.profile.as_deref().unwrap_or("?"))
        }
        CredentialKind::ApiKey => format!("a Bedrock API key{}", since()),
    }
}

/// The lines of a card about the rest.
pub(super) fn lines(endpoint: &EndpointView) -> Vec<(&'static str, String)> {
    vec![
        (
            "AWS's bill",
            format!("split by: {}", endpoint.session_tags.as_str()),
        ),
        (
            "Service tier",
            endpoint
                .service_tier
                .map_or_else(|| "none is asked for".to_owned(), |t| t.as_str().to_owned()),
        ),
        (
            "Metadata",
            if endpoint.request_metadata {
                "ids of team, user and key"
            } else {
                "none"
            }
            .to_owned(),
        ),
    ]
}
