//! People, teams, and who is asking.

use crate::{
    EndpointId, Guardrail, KeyId, PolicySubject, RoutingPolicy, SearchProvider, SessionId, TeamId, UnixMs,
    UserId,
};
use std::fmt;

/// What a user may do in the console and the admin API. [`crate::authority`] says what that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything.
    Owner,
    /// Everything but what is done to owners.
    Admin,
    /// Their own keys and usage, and those of their team.
    TeamManager,
    /// Sees everything, and changes nothing but their own keys.
    Auditor,
    /// Their own keys and usage.
    Member,
}

impl Role {
    /// All of them, the highest first.
    pub const ALL: [Self; 5] = [
        Self::Owner,
        Self::Admin,
        Self::TeamManager,
        Self::Auditor,
        Self::Member,
    ];

    /// The name used in the API and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::TeamManager => "team_manager",
            Self::Auditor => "auditor",
            Self::Member => "member",
        }
    }

    /// Reads a name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a user is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum UserKind {
    /// Somebody who can sign in.
    #[default]
    Person,
    /// A program: it has keys and tokens, and cannot sign in.
    Service,
}

impl UserKind {
    /// The name used in the API and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Service => "service",
        }
    }

    /// Reads a name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "person" => Some(Self::Person),
            "service" => Some(Self::Service),
            _ => None,
        }
    }
}

/// Whether a user or a team may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum AccountState {
    /// In use.
    Active,
    /// Refused everywhere until it is activated again; nothing is deleted.
    Suspended,
}

impl AccountState {
    /// The name used in the API and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
        }
    }

    /// Reads a name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "active" => Some(Self::Active),
            "suspended" => Some(Self::Suspended),
            _ => None,
        }
    }
}

/// A team as data planes know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Team {
    /// Its id.
    pub id: TeamId,
    /// Its name, for messages.
    pub name: String,
    /// Whether its keys work.
    pub state: AccountState,
    /// The endpoints that its requests may use, in its own order; empty means the default endpoints.
    pub endpoints: Vec<EndpointId>,
    /// What its requests must pass, whichever endpoint they go through; it wins over the endpoint's own.
    pub guardrail: Option<Guardrail>,
    /// What it says about the routes of its requests.
    pub routing: RoutingPolicy,
}

/// A user as data planes know them: no name and no e-mail, since data planes need neither.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Their id.
    pub id: UserId,
    /// Whether their keys work.
    pub state: AccountState,
    /// Their team.
    pub team_id: Option<TeamId>,
    /// The search service that they have chosen.
    pub search: Option<SearchProvider>,
    /// Their role, for policies.
    pub role: Option<Role>,
    /// Their groups at the identity provider, for policies.
    pub groups: Vec<String>,
    /// The domain of their e-mail address in lower case, for policies.
    pub email_domain: Option<String>,
}

impl User {
    /// As policies see them; `team_id` is the team that pays.
    #[must_use]
    pub fn as_subject<'a>(&'a self, team_id: Option<&'a TeamId>) -> PolicySubject<'a> {
        PolicySubject {
            team_id,
            groups: &self.groups,
            role: self.role,
            email_domain: self.email_domain.as_deref(),
        }
    }
}

/// What tokens of client sessions are verified with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningKey {
    /// Its id, which tokens name.
    pub id: String,
    /// Ed25519.
    pub public: [u8; 32],
    /// When no token that was signed with it can be good any more; `None` while it is in use.
    pub expires_at_ms: Option<UnixMs>,
}

/// Who sends a model request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The key that was shown.
    pub key_id: KeyId,
    /// Whom its use is attributed to.
    pub user_id: Option<UserId>,
    /// The team that pays: the key's own, else its user's.
    pub team_id: Option<TeamId>,
}

/// Who changes configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// A signed-in user.
    User {
        /// Who.
        id: UserId,
        /// What they may do.
        role: Role,
        /// Their team.
        team_id: Option<TeamId>,
        /// Through which session.
        session: SessionId,
        /// By which way, where it is another than the API and the console.
        via: Option<Via>,
    },
    /// The process itself, at start-up.
    System,
}

/// A way in which somebody acts that is worth telling apart from the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Via {
    /// A model's tool, by the Model Context Protocol.
    Mcp,
}

impl Via {
    /// What the audit log calls it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mcp => "mcp",
        }
    }
}

impl Actor {
    /// By which way the actor acts, where it is another than the API and the console.
    #[must_use]
    pub const fn via(&self) -> Option<Via> {
        match self {
            Self::User { via, .. } => *via,
            Self::System => None,
        }
    }

    /// The user behind the actor, if one is.
    #[must_use]
    pub fn user_id(&self) -> Option<&UserId> {
        match self {
            Self::User { id, .. } => Some(id),
            Self::System => None,
        }
    }

    /// The team of the user behind the actor.
    #[must_use]
    pub fn team_id(&self) -> Option<&TeamId> {
        match self {
            Self::User { team_id, .. } => team_id.as_ref(),
            Self::System => None,
        }
    }
}
