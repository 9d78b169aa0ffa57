//! People, teams, and who is asking.

use crate::{
    EndpointId, Guardrail, KeyId, PolicySubject, RoutingPolicy, SearchProvider, SessionId, TeamId, UnixMs,
    UserId,
};
use std::fmt;

/// What a user may do in the console and the admin API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Everything.
    Admin,
    /// Their own keys and usage.
    Member,
}

impl Role {
    /// The name used in the API and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Member => "member",
        }
    }

    /// Reads a name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "admin" => Some(Self::Admin),
            "member" => Some(Self::Member),
            _ => None,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether a user or a team may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
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
        /// Through which session.
        session: SessionId,
    },
    /// The process itself, at start-up.
    System,
}

impl Actor {
    /// Whether the actor may do everything.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        matches!(
            self,
            Self::System
                | Self::User {
                    role: Role::Admin,
                    ..
                }
        )
    }

    /// The user behind the actor, if one is.
    #[must_use]
    pub fn user_id(&self) -> Option<&UserId> {
        match self {
            Self::User { id, .. } => Some(id),
            Self::System => None,
        }
    }
}
