//! The configuration that the control plane pushes to data planes: a snapshot, then changes in revision order.

use crate::{
    Budget, CapabilityBook, Endpoint, KeyGrant, LearntFact, Limit, Model, ModelPolicy, PausedSession, Price,
    RoutingPolicy, SigningKey, Team, User, WebSearch,
};

/// A position in the history of the configuration. Revisions grow by one with every change and are comparable only
/// within one epoch, which names the database they were counted in.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct Revision(pub u64);

impl std::fmt::Display for Revision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// What kind of thing a change is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ObjectKind {
    /// A [`KeyGrant`], by key id.
    Key,
    /// A [`Team`].
    Team,
    /// A [`User`].
    User,
    /// An [`Endpoint`].
    Endpoint,
    /// A [`Model`], by canonical name.
    Model,
    /// A [`Price`], by the canonical name of its model.
    Price,
    /// The [`Settings`]; their id is `settings`.
    Settings,
    /// A [`CapabilityBook`], by surface and version.
    CapabilityBook,
    /// A [`LearntFact`].
    LearntFact,
    /// A [`Budget`].
    Budget,
    /// A [`Limit`].
    Limit,
    /// A [`PausedSession`], by the id of the pause.
    PausedSession,
    /// A [`SigningKey`].
    SigningKey,
    /// A [`ModelPolicy`].
    ModelPolicy,
}

impl ObjectKind {
    /// The name used in the database and in logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Team => "team",
            Self::User => "user",
            Self::Endpoint => "endpoint",
            Self::Model => "model",
            Self::Price => "price",
            Self::Settings => "settings",
            Self::CapabilityBook => "capability_book",
            Self::LearntFact => "learnt_fact",
            Self::Budget => "budget",
            Self::Limit => "limit",
            Self::PausedSession => "paused_session",
            Self::SigningKey => "signing_key",
            Self::ModelPolicy => "model_policy",
        }
    }

    /// Reads a name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [
            Self::Key,
            Self::Team,
            Self::User,
            Self::Endpoint,
            Self::Model,
            Self::Price,
            Self::Settings,
            Self::CapabilityBook,
            Self::LearntFact,
            Self::Budget,
            Self::Limit,
            Self::PausedSession,
            Self::SigningKey,
            Self::ModelPolicy,
        ]
        .into_iter()
        .find(|k| k.as_str() == text)
    }
}

/// Names one pushed object.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ObjectRef {
    /// Its kind.
    pub kind: ObjectKind,
    /// Its id within the kind.
    pub id: String,
}

/// What to do with a model that has no price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnpricedPolicy {
    /// Refuse the request.
    #[default]
    Refuse,
    /// Serve it, at the dearest price of its family.
    Dearest,
}

/// Rules that hold for the whole installation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// What to do with a model that has no price.
    pub unpriced: UnpricedPolicy,
    /// Web search.
    pub web_search: WebSearch,
    /// What holds for routes where a team says nothing.
    pub routing: RoutingPolicy,
}

/// One pushed object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigObject {
    /// A key that may be used.
    Key(KeyGrant),
    /// A team.
    Team(Team),
    /// A user.
    User(User),
    /// An endpoint.
    Endpoint(Endpoint),
    /// A model.
    Model(Model),
    /// A price.
    Price(Price),
    /// The settings.
    Settings(Settings),
    /// A version of the rules for a surface.
    CapabilityBook(CapabilityBook),
    /// Something that an endpoint refused.
    LearntFact(LearntFact),
    /// How much may be spent.
    Budget(Budget),
    /// How much may be asked for at a time.
    Limit(Limit),
    /// A session whose requests are refused.
    PausedSession(PausedSession),
    /// What tokens of client sessions are verified with.
    SigningKey(SigningKey),
    /// Which models some people may use.
    ModelPolicy(ModelPolicy),
}

impl ConfigObject {
    /// Names the object.
    #[must_use]
    pub fn object_ref(&self) -> ObjectRef {
        let (kind, id) = match self {
            Self::Key(o) => (ObjectKind::Key, o.id.to_string()),
            Self::Team(o) => (ObjectKind::Team, o.id.to_string()),
            Self::User(o) => (ObjectKind::User, o.id.to_string()),
            Self::Endpoint(o) => (ObjectKind::Endpoint, o.id.to_string()),
            Self::Model(o) => (ObjectKind::Model, o.name.to_string()),
            Self::Price(o) => (ObjectKind::Price, o.model.to_string()),
            Self::Settings(_) => (ObjectKind::Settings, "settings".to_owned()),
            Self::CapabilityBook(o) => (ObjectKind::CapabilityBook, o.id()),
            Self::LearntFact(o) => (ObjectKind::LearntFact, o.id()),
            Self::Budget(o) => (ObjectKind::Budget, o.id.to_string()),
            Self::Limit(o) => (ObjectKind::Limit, o.id.to_string()),
            Self::PausedSession(o) => (ObjectKind::PausedSession, o.id.to_string()),
            Self::SigningKey(o) => (ObjectKind::SigningKey, o.id.clone()),
            Self::ModelPolicy(o) => (ObjectKind::ModelPolicy, o.id.to_string()),
        };
        ObjectRef { kind, id }
    }
}

/// One step of the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The position after it.
    pub revision: Revision,
    /// What happened.
    pub step: ChangeStep,
}

/// What a change does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangeStep {
    /// The object is new or different.
    Put(Box<ConfigObject>),
    /// The object is gone; a revoked key, for example.
    Remove(ObjectRef),
}

/// The whole configuration at one revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Names the database that the revision was counted in.
    pub epoch: String,
    /// The position.
    pub revision: Revision,
    /// Everything there is.
    pub objects: Vec<ConfigObject>,
}
