//! The admin API's paths and shapes, shared by its server and its clients.
//!
//! Conventions: ids are prefixed text, times are RFC 3339 in UTC, money is integer nano-USD in fields that end in
//! `_nano_usd` and exact decimal dollars, written as text, in fields that end in `_usd`, a list is an object with the items under their own name and a `next_cursor`. Requests refuse fields that
//! they do not know; answers may grow fields, so clients ignore those that they do not know. In a PATCH an absent field
//! keeps its value and `null` clears it. Every refusal is a [`ProblemBody`].

mod access;
mod analytics;
mod audit;
mod auth;
mod breaker;
mod budget_status;
mod budgets;
mod capabilities;
mod catalogue;
mod client_sessions;
mod endpoints;
mod explanations;
mod fleet;
mod focus;
mod idps;
mod keys;
mod ledger;
mod limits;
mod machine_paths;
mod network;
mod notification_paths;
mod notifications;
mod offers;
mod patch;
pub mod paths;
mod policies;
mod problem;
mod quarantine;
mod quotas;
mod rate;
mod reprice;
mod routing;
#[cfg(feature = "schema")]
mod schema;
mod scim;
mod scim_paths;
mod secret;
mod secrets;
mod seen;
mod setup;
mod setup_paths;
mod teams;
mod timestamp;
mod tokens;
mod usage;
mod usage_paths;
mod usd;
mod users;
mod web_search;

pub use access::{CredentialSpec, CredentialView};
pub use analytics::{
    ActiveUsers, Activity, Analytics, AnalyticsCell, AnalyticsQuery, Forecast, Performance,
    PerformanceReport, Step, WhatIf, WhatIfPeriod, WhatIfQuery, WhatIfStep, WhatIfSubject,
};
pub use audit::{AuditEntryView, AuditList, AuditVerification, ListAudit, VerifyAudit};
pub use auth::{LoginRequest, LoginResponse, Me, SESSION_TOKEN_PREFIX};
pub use breaker::{
    BreakerSource, ListPausedSessions, PauseKind, PauseState, PausedSessionList, PausedSessionView,
    SessionBreakerView, SetSessionBreaker,
};
pub use budget_status::{
    AppliedBudget, BudgetAccount, BudgetAccountList, BudgetEventList, BudgetEventView, BudgetList,
    BudgetState, BudgetStatusQuery, BudgetStatusView, BudgetView, DefaultBudgetView, LimitSource,
    SetDefaultBudget, SetSpendLimit, SetTeamBudget, SpendLimitView, TeamBudgetView, TeamStatus,
};
pub use budgets::{
    BudgetRuleSpec, CreateBudget, CreateRaise, ListAccounts, ListBudgetEvents, ListBudgets, PolicySpec,
    PostureKind, RaiseState, RaiseView, Recipients, RuleAction, ScopeKind, UpdateBudget,
};
pub use capabilities::{BookView, CapabilitiesView, FactView, RuleView, SeenView, SurfaceView, WriteRule};
pub use catalogue::{
    ImportQuery, ImportReport, LongContextSpec, LongContextView, ModelList, ModelSpec, ModelView,
    PriceChange, PriceList, PriceSpec, PriceView, PricingQuery, RatesView, SkippedRows,
};
pub use client_sessions::{ClientSessionList, ClientSessionView, ListClientSessions, SignedOut};
pub use endpoints::{
    AssignedEndpoint, CreateEndpoint, EndpointList, EndpointTeam, EndpointView, GuardrailSpec,
    SetTeamEndpoints, TeamEndpoint, TeamEndpoints, UpdateEndpoint,
};
pub use explanations::{ExplanationSource, ExplanationView};
pub use fleet::{EndpointTrouble, FleetView, RejectedObject, ReplicaCounts, ReplicaView, StatusView};
pub use focus::FocusRow;
pub use idps::{
    GroupMapping, ProviderCheck, ProviderList, ProviderRules, ProviderTest, ProviderView, WriteProvider,
};
pub use keys::{CreateKey, CreatedKey, KeyList, KeyState, KeyView, ListKeys, UpdateKey};
pub use ledger::{CSV, ExportFormat, LedgerRow, NDJSON};
pub use limits::{CreateLimit, LimitKindSpec, LimitList, LimitView, ListLimits, UpdateLimit, WeightsSpec};
pub use machine_paths::IDEMPOTENCY_KEY;
pub use network::{ProxySpec, ProxyView};
pub use notifications::{
    CreateDestination, CreatedDestination, DeliveryList, DeliveryView, DestinationList, DestinationSettings,
    DestinationSpec, DestinationTest, DestinationView, EventBody, EventSubject, ListDeliveries,
    UpdateDestination,
};
pub use offers::{
    AvailabilityView, CheckResult, EndpointCheck, EndpointModels, EndpointTest, InvokedAs, LeftOut,
    OfferedModel, PinProfile, PinnedList, PinnedView, ProfileView,
};
pub use patch::Patch;
pub use policies::{ManagedSettings, PolicyList, PolicyPreview, PolicyView, SignInSettings, WritePolicy};
pub use problem::{PROBLEM_JSON, ProblemBody};
pub use quarantine::{ListQuarantine, QuarantineList, QuarantinedView, RetriedView};
pub use quotas::{EndpointQuotas, QuotaUsage, QuotaView};
pub use rate::{InvalidRate, Rate};
pub use reprice::{Reprice, RepriceQuery, RepriceReport, RepricedModel};
pub use routing::{
    PreviewCandidate, PreviewLeftOut, PreviewRefusal, PreviewRoute, RoutePreview, RoutingInForce,
    RoutingSpec, RoutingView,
};
pub use scim::{
    CreateScimToken, CreatedScimToken, EnableScim, ScimAdminGroups, ScimStatus, ScimTokenList, ScimTokenView,
};
pub use secret::Secret;
pub use secrets::{MasterKeyView, ResealReport, SealedKindView, SecretsView, UnreadableSecret};
pub use seen::{
    CacheMissReport, LostView, SessionReport, SessionsOfDay, ToolCell, ToolReport, ToolsBy, ToolsQuery,
};
pub use setup::{ConnectMode, CreateSetupToken, CreatedSetupToken, SetupSettings};
pub use teams::{AddMember, CreateTeam, ListMembers, ListTeams, TeamList, TeamView, UpdateTeam};
pub use timestamp::{InvalidTimestamp, Timestamp};
pub use tokens::{CreateToken, CreatedToken, TokenList, TokenView};
pub use usage::{
    ExportQuery, GroupBy, Percentiles, TimeRange, UsageGroup, UsageQuery, UsageSummary, UsageTotals,
};
pub use usd::{InvalidUsd, Usd};
pub use users::{CreateUser, ListUsers, SetTeam, UpdateUser, UserList, UserView};
pub use web_search::{
    NameSearchProvider, PutSearchProvider, SearchProviderList, SearchProviderView, SearchTest, SetWebSearch,
    WebSearchView,
};

/// How many items a list holds if the request does not say.
pub const DEFAULT_PAGE: u32 = 100;

/// The most items that a list can be asked for.
pub const MAX_PAGE: u32 = 1_000;
