//! Adding an identity provider, and changing it.

use super::super::users::Role;
use super::super::{Context, at, replace};
use super::show;
use crate::error::CliError;
use crate::names;
use crate::secrets;
use ccag_admin_api::{GroupMapping, Patch, ProviderRules, ProviderView, Secret, WriteProvider, paths};
use ccag_domain::{Role as ApiRole, TeamId};
use clap::{Args, ValueEnum};
use reqwest::Method;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// Its name, on the button to sign in with; no other identity provider may have it
    #[arg(long)]
    name: String,
    /// Its issuer, exactly as its tokens say it; its discovery document is below
    #[arg(long, visible_alias = "issuer", value_name = "URL")]
    issuer_url: String,
    /// The gateway's name there, which is the audience of its tokens
    #[arg(long, visible_alias = "audience", value_name = "ID")]
    client_id: String,
    #[command(flatten)]
    secret: SecretArgs,
    #[command(flatten)]
    rules: Rules,
}

#[derive(Debug, Args)]
pub(crate) struct Update {
    /// The identity provider's id or name
    idp: String,
    /// A new name
    #[arg(long)]
    name: Option<String>,
    /// Another issuer
    #[arg(long, visible_alias = "issuer", value_name = "URL")]
    issuer_url: Option<String>,
    /// Another name of the gateway there
    #[arg(long, visible_alias = "audience", value_name = "ID")]
    client_id: Option<String>,
    #[command(flatten)]
    secret: SecretArgs,
    #[command(flatten)]
    rules: Rules,
    /// Forget what this group makes of its members; may be given several times
    #[arg(long = "unmap-group", value_name = "GROUP")]
    unmapped: Vec<String>,
    /// What to set back to what holds by default; may be given several times
    #[arg(long, value_enum, value_name = "FIELD")]
    clear: Vec<Clear>,
}

/// The gateway's secret at the provider.
#[derive(Debug, Args)]
struct SecretArgs {
    /// The gateway's secret there; better given as CCAG_IDP_CLIENT_SECRET, since other users of the machine can see command
    /// lines. Without one the gateway is a public client
    #[arg(
        long,
        env = "CCAG_IDP_CLIENT_SECRET",
        hide_env_values = true,
        value_name = "SECRET"
    )]
    client_secret: Option<Secret>,
    /// Read the secret from the first line of this file
    #[arg(long, value_name = "FILE", conflicts_with = "client_secret_stdin")]
    client_secret_file: Option<PathBuf>,
    /// Read the secret from the first line of standard input
    #[arg(long)]
    client_secret_stdin: bool,
}

impl SecretArgs {
    /// The secret, if one is given. A file and standard input go before the environment.
    fn read(&self) -> Result<Option<Secret>, CliError> {
        if self.client_secret_stdin || self.client_secret_file.is_some() {
            return secrets::line(self.client_secret_file.as_deref()).map(Some);
        }
        let given = self.client_secret.clone();
        Ok(given.filter(|secret| !secret.reveal().is_empty()))
    }
}

/// Who may come in, and as what.
#[derive(Debug, Args)]
struct Rules {
    /// What to ask the provider for, separated by commas, such as openid,profile,email,groups
    #[arg(long, value_delimiter = ',', value_name = "SCOPES")]
    scopes: Vec<String>,
    /// The claim that new users are named after: a name, or a path such as realm_access.name
    #[arg(long, value_name = "CLAIM")]
    user_claim: Option<String>,
    /// The claim with the e-mail address
    #[arg(long, value_name = "CLAIM")]
    email_claim: Option<String>,
    /// The claim with the groups
    #[arg(long, value_name = "CLAIM")]
    groups_claim: Option<String>,
    /// The provider's keys, where its discovery document does not name them
    #[arg(long, value_name = "URL")]
    jwks_url: Option<String>,
    /// A domain that e-mail addresses may be of; may be given several times, and says which all of them are
    #[arg(long = "allowed-domain", value_name = "DOMAIN")]
    allowed_domains: Vec<String>,
    /// A group whose members may come in; may be given several times, and says which all of them are
    #[arg(long = "allowed-group", value_name = "GROUP")]
    allowed_groups: Vec<String>,
    /// Whether an e-mail address counts only if the provider says that it is verified
    #[arg(long, value_name = "true|false", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    require_verified_email: Option<bool>,
    /// Whether somebody who is not known yet becomes a user by signing in
    #[arg(long, value_name = "true|false", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    auto_provision: Option<bool>,
    /// What users are whose groups make them nothing else
    #[arg(long, value_enum, value_name = "ROLE")]
    default_role: Option<Role>,
    /// The team, by id or name, of users whose groups give them none
    #[arg(long, value_name = "TEAM")]
    default_team: Option<String>,
    /// What a group makes of its members: 'GROUP=role:admin', or 'GROUP=team:TEAM' with a team's id or name; may be given
    /// several times. What was said before of other groups stays, and the first group that gives a team decides
    #[arg(long = "map-group", value_name = "GROUP=WHAT", value_parser = mapping)]
    mapped: Vec<Mapping>,
    /// Let people sign in with it
    #[arg(long, conflicts_with = "disable")]
    enable: bool,
    /// Let nobody sign in with it
    #[arg(long)]
    disable: bool,
}

/// What can be set back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Clear {
    /// No secret: a public client
    ClientSecret,
    /// The usual scopes
    Scopes,
    /// The usual claims
    UserClaim,
    /// The claim `email`
    EmailClaim,
    /// The claim `groups`
    GroupsClaim,
    /// The keys that the discovery document names
    JwksUrl,
    /// All domains
    AllowedDomains,
    /// All groups
    AllowedGroups,
    /// No team
    DefaultTeam,
    /// Groups make nothing of their members
    GroupMappings,
}

/// What a group gives, as it is entered.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mapping {
    group: String,
    gives: Gives,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Gives {
    Role(ApiRole),
    /// An id or a name.
    Team(String),
}

/// Names of groups may hold `=` themselves, as those of LDAP do.
fn mapping(text: &str) -> Result<Mapping, String> {
    let wrong = || "write it like 'Gateway admins=role:admin' or 'Data science=team:Research'".to_owned();
    let last = |kind: &str| text.rfind(kind).map(|from| (from, from + kind.len()));
    let (role, team) = (last("=role:"), last("=team:"));
    let (from, to) = role.max(team).ok_or_else(wrong)?;
    let (group, what) = (text[..from].trim(), text[to..].trim());
    if group.is_empty() || what.is_empty() {
        return Err(wrong());
    }
    let gives = if role > team {
        let role = ApiRole::parse(what).ok_or_else(|| format!("there is no role `{what}`"))?;
        Gives::Role(role)
    } else {
        Gives::Team(what.to_owned())
    };
    Ok(Mapping {
        group: group.to_owned(),
        gives,
    })
}

fn set<T>(held: &mut Option<T>, given: Option<T>) {
    if given.is_some() {
        *held = given;
    }
}

fn same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

impl Rules {
    fn enabled(&self) -> Option<bool> {
        match (self.enable, self.disable) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            _ => None,
        }
    }

    /// What was held, with what is said now.
    async fn apply(self, context: &Context, mut rules: ProviderRules) -> Result<ProviderRules, CliError> {
        let client = &context.client;
        set(
            &mut rules.default_team_id,
            names::maybe_team(client, self.default_team.as_deref()).await?,
        );
        for mapping in self.mapped {
            let (role, team) = match mapping.gives {
                Gives::Role(role) => (Some(role), None),
                Gives::Team(team) => (None, Some(names::team(client, &team).await?)),
            };
            map(&mut rules.group_mappings, mapping.group, role, team);
        }
        replace(&mut rules.scopes, self.scopes);
        replace(&mut rules.allowed_domains, self.allowed_domains);
        replace(&mut rules.allowed_groups, self.allowed_groups);
        set(&mut rules.user_claim, self.user_claim);
        set(&mut rules.email_claim, self.email_claim);
        set(&mut rules.groups_claim, self.groups_claim);
        set(&mut rules.jwks_url, self.jwks_url);
        let role = self.default_role.map(ApiRole::from);
        rules.default_role = role.unwrap_or(rules.default_role);
        rules.auto_provision = self.auto_provision.unwrap_or(rules.auto_provision);
        rules.require_verified_email = self
            .require_verified_email
            .unwrap_or(rules.require_verified_email);
        Ok(rules)
    }
}

/// Lets a group give a role or a team beside what it gives already.
fn map(mappings: &mut Vec<GroupMapping>, group: String, role: Option<ApiRole>, team_id: Option<TeamId>) {
    match mappings.iter_mut().find(|held| same(&held.group, &group)) {
        Some(held) => {
            set(&mut held.role, role);
            set(&mut held.team_id, team_id);
        }
        None => mappings.push(GroupMapping { group, role, team_id }),
    }
}

/// Sets fields back. It is done before anything else is said, so that a field can be cleared and filled at once.
fn cleared(mut rules: ProviderRules, clear: &[Clear]) -> ProviderRules {
    for field in clear {
        match field {
            Clear::ClientSecret => {}
            Clear::Scopes => rules.scopes.clear(),
            Clear::UserClaim => rules.user_claim = None,
            Clear::EmailClaim => rules.email_claim = None,
            Clear::GroupsClaim => rules.groups_claim = None,
            Clear::JwksUrl => rules.jwks_url = None,
            Clear::AllowedDomains => rules.allowed_domains.clear(),
            Clear::AllowedGroups => rules.allowed_groups.clear(),
            Clear::DefaultTeam => rules.default_team_id = None,
            Clear::GroupMappings => rules.group_mappings.clear(),
        }
    }
    rules
}

impl Create {
    pub(super) async fn run(self, context: &Context) -> Result<(), CliError> {
        let request = WriteProvider {
            name: self.name,
            issuer_url: self.issuer_url,
            client_id: self.client_id,
            client_secret: self.secret.read()?.map_or(Patch::Keep, Patch::Set),
            enabled: self.rules.enabled(),
            rules: self.rules.apply(context, ProviderRules::default()).await?,
        };
        let made: ProviderView = context
            .client
            .send(Method::POST, paths::PROVIDERS, &request)
            .await?;
        show(context, &made, true).await
    }
}

impl Update {
    pub(super) async fn run(self, context: &Context) -> Result<(), CliError> {
        let client = &context.client;
        let id = names::provider(client, &self.idp).await?;
        let path = at(paths::PROVIDER, &id);
        let held: ProviderView = client.get(&path).await?;
        // A secret that the environment holds is meant for the provider unless it is to have none.
        let secret = match self.clear.contains(&Clear::ClientSecret) {
            true => Patch::Clear,
            false => self.secret.read()?.map_or(Patch::Keep, Patch::Set),
        };
        let mut rules = cleared(held.rules, &self.clear);
        for group in &self.unmapped {
            let before = rules.group_mappings.len();
            rules.group_mappings.retain(|held| !same(&held.group, group));
            if rules.group_mappings.len() == before {
                let text = format!("the group `{group}` makes nothing of its members at {id}");
                return Err(CliError::NotFound(text));
            }
        }
        // The PUT replaces everything but an unmentioned secret: what is not named goes along as it is held.
        let request = WriteProvider {
            name: self.name.unwrap_or(held.name),
            issuer_url: self.issuer_url.unwrap_or(held.issuer_url),
            client_id: self.client_id.unwrap_or(held.client_id),
            client_secret: secret,
            enabled: Some(self.rules.enabled().unwrap_or(held.enabled)),
            rules: self.rules.apply(context, rules).await?,
        };
        let changed: ProviderView = client.send(Method::PUT, &path, &request).await?;
        show(context, &changed, false).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_mapped_to_a_role_or_a_team_whatever_they_are_called() {
        let read = |text| mapping(text).map(|mapping| (mapping.group, mapping.gives));
        assert_eq!(
            read("CN=Admins,OU=Ops=role:admin").unwrap(),
            ("CN=Admins,OU=Ops".to_owned(), Gives::Role(ApiRole::Admin))
        );
        assert_eq!(
            read("Data science=team:R&D=1").unwrap(),
            ("Data science".to_owned(), Gives::Team("R&D=1".to_owned()))
        );
        for bad in [
            "",
            "Admins",
            "Admins=admin",
            "=role:admin",
            "Admins=team:",
            "Admins=role:king",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_group_that_is_mapped_twice_gives_both() {
        let mut mappings = Vec::new();
        let team = TeamId::parse("team_1").unwrap();
        map(&mut mappings, "Ops".into(), Some(ApiRole::Admin), None);
        map(&mut mappings, "ops".into(), None, Some(team.clone()));
        assert_eq!(
            mappings,
            [GroupMapping {
                group: "Ops".into(),
                role: Some(ApiRole::Admin),
                team_id: Some(team)
            }]
        );
    }
}
