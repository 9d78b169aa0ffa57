//! SCIM: how identity providers manage their users here.

use super::Context;
use crate::error::CliError;
use crate::human::{self, NONE, count, moment};
use crate::names;
use crate::table::{Table, card};
use ccag_admin_api::{
    CreateScimToken, CreatedScimToken, EnableScim, ScimAdminGroups, ScimStatus, ScimTokenList, Timestamp,
    paths,
};
use ccag_domain::ProviderId;
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::json;

/// SCIM.
#[derive(Debug, Subcommand)]
pub(crate) enum Scim {
    /// Let a provider manage its users through SCIM; from then on nobody becomes a user by signing in with it
    Enable(Provider),
    /// Refuse a provider's SCIM requests; its users stay as they are
    Disable(Provider),
    /// Show what a provider manages, and the address that it has to be told
    Status(Provider),
    /// Make a token for a provider; it is shown only once
    CreateToken(CreateToken),
    /// List the tokens of a provider
    ListTokens(Provider),
    /// Revoke a token: the next request with it is refused
    RevokeToken(RevokeToken),
    /// Say which groups of a provider make their members admins; other mappings of groups stay
    ///
    /// For example: ccag scim set-admin-groups --idp okta --groups "Gateway admins,Platform"
    SetAdminGroups(SetAdminGroups),
}

/// Which provider.
#[derive(Debug, Args)]
pub(crate) struct Provider {
    /// The identity provider's id or name
    #[arg(long, value_name = "IDP")]
    idp: String,
}

/// A new token.
#[derive(Debug, Args)]
pub(crate) struct CreateToken {
    #[command(flatten)]
    provider: Provider,
    /// What people call it
    #[arg(long)]
    name: Option<String>,
    /// From when on it is refused, such as 2027-01-31T00:00:00Z; by default never
    #[arg(long, value_name = "TIME")]
    expires: Option<Timestamp>,
}

/// A token that goes.
#[derive(Debug, Args)]
pub(crate) struct RevokeToken {
    #[command(flatten)]
    provider: Provider,
    /// The token's id, as `ccag scim list-tokens` shows it
    token_id: String,
}

/// The groups of admins.
#[derive(Debug, Args)]
pub(crate) struct SetAdminGroups {
    #[command(flatten)]
    provider: Provider,
    /// Their names, with commas between them; none, if it is empty
    #[arg(long, value_delimiter = ',', required = true, value_name = "GROUP")]
    groups: Vec<String>,
}

impl Provider {
    async fn id(&self, context: &Context) -> Result<ProviderId, CliError> {
        names::provider(&context.client, &self.idp).await
    }
}

impl Scim {
    pub(crate) async fn run(self, context: &Context) -> Result<(), CliError> {
        let client = &context.client;
        match self {
            Self::Enable(provider) => enable(context, &provider, true).await,
            Self::Disable(provider) => enable(context, &provider, false).await,
            Self::Status(provider) => {
                let path = paths::idp_scim(&provider.id(context).await?);
                let status: ScimStatus = client.get(&path).await?;
                context.out.show(&status, status_card)
            }
            Self::CreateToken(command) => command.run(context).await,
            Self::ListTokens(provider) => {
                let path = paths::idp_scim_tokens(&provider.id(context).await?);
                let list: ScimTokenList = client.get(&path).await?;
                context.out.show(&list, table)
            }
            Self::RevokeToken(command) => {
                let id = command.provider.id(context).await?;
                let path = paths::idp_scim_token(&id, &command.token_id);
                client.order(Method::DELETE, &path).await?;
                context.out.show(&json!({ "revoked": command.token_id }), |_| {
                    human::printable_line(&format!("Revoked {}.", command.token_id))
                })
            }
            Self::SetAdminGroups(command) => command.run(context).await,
        }
    }
}

async fn enable(context: &Context, provider: &Provider, enabled: bool) -> Result<(), CliError> {
    let path = paths::idp_scim(&provider.id(context).await?);
    let request = EnableScim { enabled };
    let status: ScimStatus = context.client.send(Method::PUT, &path, &request).await?;
    context.out.show(&status, status_card)
}

impl CreateToken {
    async fn run(self, context: &Context) -> Result<(), CliError> {
        let id = self.provider.id(context).await?;
        let request = CreateScimToken {
            name: self.name,
            expires_at: self.expires,
        };
        let path = paths::idp_scim_tokens(&id);
        let made: CreatedScimToken = context.client.send(Method::POST, &path, &request).await?;
        let status: ScimStatus = context.client.get(&paths::idp_scim(&id)).await?;
        context.out.show(&made, |made| {
            let switch = if status.enabled {
                String::new()
            } else {
                format!("\n\nSCIM is switched off for this provider. Switch it on: ccag scim enable --idp {id}")
            };
            format!(
                "{}\n\nThis is the only time that the token is shown. Give it to the provider together with the \
                 address.{switch}",
                card(&[
                    ("Token", made.token.reveal().to_owned()),
                    ("Address", status.base_url.clone()),
                    ("Id", made.record.id.clone()),
                    ("Name", named(&made.record.name)),
                    ("Expires", moment(made.record.expires_at)),
                ])
            )
        })
    }
}

impl SetAdminGroups {
    async fn run(self, context: &Context) -> Result<(), CliError> {
        let id = self.provider.id(context).await?;
        let names = self.groups.iter().map(|name| name.trim().to_owned());
        let request = ScimAdminGroups {
            groups: names.filter(|name| !name.is_empty()).collect(),
        };
        let path = paths::idp_scim_admin_groups(&id);
        let groups: ScimAdminGroups = context.client.send(Method::PUT, &path, &request).await?;
        context
            .out
            .show(&groups, |groups| match groups.groups.as_slice() {
                [] => "No group makes its members admins.".to_owned(),
                names => human::printable_line(&format!("Admins are the members of {}.", names.join(", "))),
            })
    }
}

fn named(name: &str) -> String {
    if name.is_empty() {
        NONE.to_owned()
    } else {
        name.to_owned()
    }
}

fn status_card(status: &ScimStatus) -> String {
    card(&[
        ("SCIM", if status.enabled { "on" } else { "off" }.to_owned()),
        ("Address", status.base_url.clone()),
        ("Users", count(status.users)),
        ("Groups", count(status.groups)),
        ("Tokens", count(status.tokens)),
        ("Last request", moment(status.last_request_at)),
    ])
}

fn table(list: &ScimTokenList) -> String {
    let mut table = Table::new(&["ID", "NAME", "PREFIX", "CREATED", "EXPIRES", "LAST USED"]);
    for token in &list.tokens {
        table.row([
            token.id.clone(),
            named(&token.name),
            token.token_prefix.clone(),
            moment(Some(token.created_at)),
            moment(token.expires_at),
            moment(token.last_used_at),
        ]);
    }
    table.render("No tokens. Make one with `ccag scim create-token --idp IDP`.")
}
