//! Identity providers: where people sign in.

mod change;

use self::change::{Create, Update};
use super::{Context, at};
use crate::error::CliError;
use crate::human::{moment, or_none};
use crate::names::{self, Names};
use crate::table::{Table, card};
use ccag_admin_api::{GroupMapping, ProviderList, ProviderTest, ProviderView, paths};
use clap::Subcommand;
use reqwest::Method;
use serde_json::json;

/// Identity providers: where people sign in, who may come in, and as what.
#[derive(Debug, Subcommand)]
pub(crate) enum Idps {
    /// List all identity providers
    List,
    /// Show one identity provider
    Show {
        /// The identity provider's id or name
        idp: String,
    },
    /// Add an identity provider
    ///
    /// Register the gateway at the provider first, as a web application; what is printed says with which redirect URI.
    /// Whatever is not given is as for most providers: everybody whom the provider lets in becomes a member.
    ///
    /// For example: ccag idps create --name Okta --issuer-url https://example.okta.com --client-id 0oa1b2c3
    /// --client-secret-stdin --allowed-domain example.com --map-group 'Gateway admins=role:admin'
    Create(Box<Create>),
    /// Change an identity provider; what is not named stays as it is
    ///
    /// What groups make of their members holds at once, also for those who are signed in.
    ///
    /// For example: ccag idps update Okta --map-group 'Data science=team:Research' --default-role member
    Update(Box<Update>),
    /// Delete an identity provider
    ///
    /// Its users stay and keep their keys, but cannot sign in with it any more.
    Delete {
        /// The identity provider's id or name
        idp: String,
    },
    /// Ask an identity provider what can be asked without anybody's signing in
    ///
    /// The gateway's address, the provider's discovery document and its keys are looked at. The exit code is 1 if something is
    /// not as it must be.
    Test {
        /// The identity provider's id or name
        idp: String,
    },
}

impl Idps {
    pub(crate) async fn run(self, context: &Context) -> Result<(), CliError> {
        let client = &context.client;
        match self {
            Self::List => list(context).await,
            Self::Show { idp } => {
                let id = names::provider(client, &idp).await?;
                let idp: ProviderView = client.get(&at(paths::PROVIDER, &id)).await?;
                show(context, &idp, false).await
            }
            Self::Create(command) => command.run(context).await,
            Self::Update(command) => command.run(context).await,
            Self::Delete { idp } => {
                let id = names::provider(client, &idp).await?;
                client.order(Method::DELETE, &at(paths::PROVIDER, &id)).await?;
                context
                    .out
                    .show(&json!({ "deleted": [id] }), |_| format!("Deleted {id}."))
            }
            Self::Test { idp } => {
                let id = names::provider(client, &idp).await?;
                let test: ProviderTest = client.act(&at(paths::PROVIDER_TEST, &id)).await?;
                context.out.show(&test, tested)?;
                if test.ok {
                    return Ok(());
                }
                Err(CliError::Failed(format!(
                    "nobody can sign in with {idp} as it is"
                )))
            }
        }
    }
}

async fn list(context: &Context) -> Result<(), CliError> {
    let list: ProviderList = context.client.get(paths::PROVIDERS).await?;
    context.out.show(&list, |list| {
        let mut table = Table::new(&["ID", "NAME", "ISSUER", "CLIENT ID", "STATE", "NEW USERS"]);
        for idp in &list.idps {
            table.row([
                idp.id.to_string(),
                idp.name.clone(),
                idp.issuer_url.clone(),
                idp.client_id.clone(),
                state(idp).to_owned(),
                newcomers(idp).to_owned(),
            ]);
        }
        table.render(
            "No identity providers: everybody signs in with a password. Add one with `ccag idps create`.",
        )
    })
}

fn state(idp: &ProviderView) -> &'static str {
    if idp.enabled { "enabled" } else { "disabled" }
}

fn newcomers(idp: &ProviderView) -> &'static str {
    match (idp.rules.scim_enabled, idp.rules.auto_provision) {
        (true, _) => "come by SCIM",
        (false, true) => "let in",
        (false, false) => "refused",
    }
}

/// Shows a provider; of one that is new also what is to be done next.
async fn show(context: &Context, idp: &ProviderView, is_new: bool) -> Result<(), CliError> {
    let names = Names::for_people(&context.client, context.out).await?;
    context.out.show(idp, |idp| {
        let mut text = card(&lines(idp, &names));
        if is_new {
            text.push_str(&format!(
                "\n\nTell the provider to allow this redirect URI: {}\nThen try it: ccag idps test {}",
                crate::human::printable_line(&idp.redirect_uri),
                idp.id
            ));
        }
        text
    })
}

fn lines(idp: &ProviderView, names: &Names) -> Vec<(&'static str, String)> {
    let rules = &idp.rules;
    let list = |entries: &[String], otherwise: &str| match entries {
        [] => otherwise.to_owned(),
        entries => entries.join(", "),
    };
    let own = |text: Option<&String>, otherwise: &str| text.cloned().unwrap_or_else(|| otherwise.to_owned());
    let secret = match idp.has_client_secret {
        true => "set",
        false => "none: a public client, kept safe by PKCE alone",
    };
    let verified = match rules.require_verified_email {
        true => "counts only if the provider says that it is verified",
        false => "counts in any case",
    };
    let mut lines = vec![
        ("Id", idp.id.to_string()),
        ("Name", idp.name.clone()),
        ("Issuer", idp.issuer_url.clone()),
        ("Client id", idp.client_id.clone()),
        ("Client secret", secret.to_owned()),
        ("Redirect URI", idp.redirect_uri.clone()),
        ("State", state(idp).to_owned()),
        (
            "Scopes",
            list(&rules.scopes, "openid, profile, email, and what the issuer needs"),
        ),
        (
            "User claim",
            own(rules.user_claim.as_ref(), "the first of the usual ones"),
        ),
        ("E-mail claim", own(rules.email_claim.as_ref(), "email")),
        ("Groups claim", own(rules.groups_claim.as_ref(), "groups")),
        ("Keys", own(rules.jwks_url.as_ref(), "as the provider names them")),
        ("Allowed domains", list(&rules.allowed_domains, "all")),
        ("Allowed groups", list(&rules.allowed_groups, "all, and none")),
        ("E-mail address", verified.to_owned()),
        ("New users", newcomers(idp).to_owned()),
        ("Default role", rules.default_role.to_string()),
        ("Default team", names.team(rules.default_team_id.as_ref())),
    ];
    let mappings = rules.group_mappings.iter();
    lines.extend(mappings.map(|mapping| ("Group", mapped(mapping, names))));
    lines.push(("Created", moment(Some(idp.created_at))));
    lines.push(("Changed", moment(Some(idp.updated_at))));
    lines
}

fn mapped(mapping: &GroupMapping, names: &Names) -> String {
    let role = mapping.role.map(|role| format!("role {role}"));
    let team = mapping.team_id.as_ref();
    let team = team.map(|id| format!("team {}", names.team(Some(id))));
    let gives: Vec<String> = role.into_iter().chain(team).collect();
    let gives = (!gives.is_empty()).then(|| gives.join(", "));
    format!("{} gives {}", mapping.group, or_none(gives.as_ref()))
}

fn tested(test: &ProviderTest) -> String {
    let mut table = Table::new(&["CHECK", "RESULT", "WHAT WAS FOUND"]);
    for check in &test.checks {
        table.row([
            check.name.clone(),
            if check.ok { "ok" } else { "FAILED" }.to_owned(),
            check.detail.clone(),
        ]);
    }
    table.render("Nothing was looked at.")
}
