//! Identity providers.

use crate::{Patch, Secret, Timestamp};
use ccag_domain::{ProviderId, Role, TeamId};

/// What a provider's users are to us: where a sign-in says who they are, who may come in, and as what. Every field has a
/// default, so that a provider can be added with an issuer and a client id alone.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct ProviderRules {
    /// The scopes that are asked for; empty: `openid`, `profile`, `email`, and what the issuer is known to need.
    pub scopes: Vec<String>,
    /// The claim that a new user is named after: a name, or a path such as `realm_access.name`. By default the first of
    /// `email`, `preferred_username`, `upn`, `name` and `sub` that is there.
    pub user_claim: Option<String>,
    /// The claim with the e-mail address; by default `email`.
    pub email_claim: Option<String>,
    /// The claim with the groups; by default `groups`.
    pub groups_claim: Option<String>,
    /// The keys of the provider, where its discovery document does not name them.
    pub jwks_url: Option<String>,
    /// The domains that an e-mail address may be of; empty: any.
    pub allowed_domains: Vec<String>,
    /// The groups of which a user must be in one; empty: any or none.
    pub allowed_groups: Vec<String>,
    /// Whether an e-mail address of which the provider does not say that it is verified counts as none.
    pub require_verified_email: bool,
    /// Whether somebody who is not known yet becomes a user by signing in.
    pub auto_provision: bool,
    /// Whether the provider manages its users through SCIM: then nobody becomes a user by signing in.
    pub scim_enabled: bool,
    /// What users are whose groups make them nothing else.
    pub default_role: Role,
    /// The team of users whose groups give them none.
    pub default_team_id: Option<TeamId>,
    /// What groups make of their members; the first that gives a team decides which, the highest role counts.
    pub group_mappings: Vec<GroupMapping>,
}

impl Default for ProviderRules {
    fn default() -> Self {
        Self {
            scopes: Vec::new(),
            user_claim: None,
            email_claim: None,
            groups_claim: None,
            jwks_url: None,
            allowed_domains: Vec::new(),
            allowed_groups: Vec::new(),
            require_verified_email: false,
            auto_provision: true,
            scim_enabled: false,
            default_role: Role::Member,
            default_team_id: None,
            group_mappings: Vec::new(),
        }
    }
}

/// What a group makes of its members.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct GroupMapping {
    /// The group's name as the provider says it, whatever the case.
    pub group: String,
    /// The role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// The team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team_id: Option<TeamId>,
}

/// The body of `POST /admin/idps`, and of `PUT /admin/idps/{id}`, which replaces everything but a secret that it does not
/// mention.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct WriteProvider {
    /// Its name, on the button to sign in with.
    pub name: String,
    /// Its issuer, as its tokens say it; its discovery document is below.
    #[serde(alias = "issuer")]
    pub issuer_url: String,
    /// Our name there. It is the audience that tokens must have.
    #[serde(alias = "audience")]
    pub client_id: String,
    /// Our secret there; `null` for a public client, which is kept safe by PKCE alone.
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    pub client_secret: Patch<Secret>,
    /// Whether people can sign in with it; by default they can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// What its users are to us.
    #[serde(default)]
    pub rules: ProviderRules,
}

/// A provider.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ProviderView {
    /// Its id.
    pub id: ProviderId,
    /// Its name.
    pub name: String,
    /// Its issuer.
    pub issuer_url: String,
    /// Our name there.
    pub client_id: String,
    /// Whether we have a secret there.
    pub has_client_secret: bool,
    /// Whether people can sign in with it.
    pub enabled: bool,
    /// What its users are to us.
    pub rules: ProviderRules,
    /// Where it has to be told to send people back to.
    pub redirect_uri: String,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// The answer to `GET /admin/idps`, by name.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ProviderList {
    /// All of them.
    pub idps: Vec<ProviderView>,
}

/// The answer to `POST /admin/idps/{id}/test`: what is found when the provider is asked.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ProviderTest {
    /// Whether people can sign in, as far as can be told without anybody doing so.
    pub ok: bool,
    /// What was looked at, in order.
    pub checks: Vec<ProviderCheck>,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ProviderCheck {
    /// What.
    pub name: String,
    /// Whether it is as it must be.
    pub ok: bool,
    /// What was found, or what to do.
    pub detail: String,
}
