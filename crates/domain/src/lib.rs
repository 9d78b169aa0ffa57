//! Names, arithmetic and decisions shared by both planes: no I/O, no async.
//!
//! Everything here is a value or a pure function. Time and randomness come in through [`Clock`] and [`Rng`].

pub mod access;
pub mod account;
pub mod authority;
pub mod availability;
pub mod breaker;
pub mod budget;
pub mod capability;
pub mod catalogue;
pub mod changes;
pub mod condition;
pub mod config;
pub mod endpoint;
pub mod explanation;
pub mod gate;
pub mod identity;
pub mod ids;
pub mod key;
pub mod lane;
pub mod limit;
pub mod model;
pub mod money;
mod named;
pub mod network;
pub mod notification;
pub mod offers;
pub mod period;
pub mod policy;
pub mod price;
pub mod price_history;
pub mod problem;
pub mod prompt;
pub mod quota;
pub mod rng;
pub mod routing;
pub mod seal;
pub mod search;
pub mod sites;
pub mod standing;
pub mod time;
pub mod tokens;
pub mod tools;
pub mod trouble;
pub mod usage;

pub use access::{
    Access, AccessKeys, CredentialKind, CredentialSource, EndpointState, ServiceTier, SessionTags, Subject,
};
pub use account::{AccountFilter, AccountId, AccountName};
pub use authority::{Area, Permission, Person, Reach, Target};
pub use availability::{Availability, Obstacle};
pub use breaker::{BreakerPolicy, PauseReason, PausedSession, SessionOwner, SessionPace};
pub use budget::{Budget, BudgetAction, BudgetMode, BudgetRule, BudgetScope, Posture, Raise, Scoped};
pub use capability::{CapabilityBook, LearntFact};
pub use config::{Change, ConfigObject, ObjectKind, ObjectRef, Revision, Snapshot};
pub use endpoint::{Endpoint, Geography};
pub use explanation::{CostLines, Explanation};
pub use identity::{AccountState, Actor, Caller, Role, SigningKey, Team, User, UserKind, Via};
pub use ids::{
    BudgetId, DeliveryId, DestinationId, EndpointId, EventId, KeyId, LimitId, PauseId, PolicyId, PriceId,
    ProviderId, ReplicaId, RequestId, RuleId, SessionId, TeamId, UsageId, UserId,
};
pub use key::{KeyDigest, KeyGrant, KeySecret};
pub use lane::{Guardrail, GuardrailTrace, Lane, Lanes};
pub use limit::{Limit, LimitKind, TokenWeights};
pub use model::{BedrockModel, Model, ModelName};
pub use money::NanoUsd;
pub use network::{Network, Proxy, ProxyLogin};
pub use notification::{Category, DeliveryState, DestinationKind, MailSecurity, Severity};
pub use offers::{Discovery, OfferedProfile, Offers, PinnedProfile};
pub use period::{Period, Stretch, TimeZone};
pub use policy::{ModelPolicy, PolicyMatch, PolicySubject};
pub use price::{Cost, Itemised, Price, PriceBook, Rates};
pub use price_history::{DatedPrice, PriceHistory};
pub use problem::{Code, Problem};
pub use prompt::{CacheMiss, Caching, PromptFacts};
pub use quota::{Quota, QuotaKind, QuotaScope};
pub use rng::Rng;
pub use routing::{RegionPattern, RoutingPolicy, Strategy};
pub use seal::SealKey;
pub use search::{SearchHit, SearchKind, SearchProvider, ServiceSecret, WebSearch, WebSearchMode};
pub use sites::DomainFilter;
pub use standing::Standing;
pub use time::{Clock, UnixMs};
pub use tokens::Tokens;
pub use tools::{ToolCalls, ToolCounts, mcp_server};
pub use trouble::Trouble;
pub use usage::{Outcome, UsageRecord};
