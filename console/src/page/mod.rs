//! The pages: one module each, a model that the control plane fills and the view of it.

mod analytics;
mod audit;
mod budget_delete;
mod budget_detail;
mod budget_edit;
mod budget_form;
mod budgets;
mod capabilities;
mod connect;
mod destination;
mod destination_form;
mod device;
mod endpoint_access;
mod endpoint_delete;
mod endpoint_edit;
mod endpoint_models;
mod endpoint_network;
mod endpoint_quotas;
mod endpoint_test;
mod endpoints;
mod error;
mod fleet;
mod guardrail;
mod key_created;
mod key_detail;
mod key_new;
mod key_revoke;
mod keys;
mod limit_edit;
mod limits;
mod login;
mod logins;
mod model_delete;
mod model_edit;
mod model_price;
mod models;
mod notifications;
mod overview;
mod policies;
mod price_import;
mod provider_edit;
mod provider_scim;
mod providers;
mod quarantine;
mod requests;
mod routing;
mod rule;
mod sessions;
mod setup_command;
mod several;
mod team;
mod team_budget;
mod team_endpoints;
mod team_guardrail;
mod team_sessions;
mod teams;
mod user;
mod users;
mod web_search;
mod what_if;

pub use crate::layout::Section;
pub use crate::part::breaker::{BreakerForm, PausedRow};
pub use crate::part::budget::{BudgetAccount, BudgetState};
pub use crate::part::chart::DayUsage;
pub use crate::part::key::{KeyState, KeySummary, Named};
pub use crate::part::list::{COUNTED, Ends, PAGE_SIZE, Place};
pub use crate::part::stacked::Series;
pub use analytics::{
    ActivityPage, AnalyticsFilter, CallsRanking, CallsRow, DoingRow, Losses, LostRow, ModelsReportPage,
    Outlook, RANGES, RankRow, Ranking, SessionsSeen, SpendPage, TIME_STEPS, Tick, ToolsPage, miss_name,
};
pub use audit::{AuditPage, AuditRow};
pub use budget_delete::DeleteBudgetPage;
pub use budget_detail::{BudgetPage, RaiseForm, RaiseRow, ReachedRow, StepRow};
pub use budget_edit::{BudgetEditPage, FixedTerms};
pub use budget_form::{BudgetForm, STEPS, StepForm, step_names};
pub use budgets::{BudgetRow, BudgetsPage};
pub use capabilities::{CapabilitiesPage, LessonRow, OwnRuleRow, RuleFilter, RuleRow, SeenRow, VersionRow};
pub use connect::{ConnectPage, SetupForm, WAYS, Way};
pub use destination::{DeleteDestinationPage, DestinationPage, NewDestinationPage};
pub use destination_form::{DestinationAbout, DestinationWay};
pub use device::{DevicePage, WaitingDevice};
pub use endpoint_access::AccessForm;
pub use endpoint_delete::DeleteEndpointPage;
pub use endpoint_edit::{EndpointForm, EndpointPage};
pub use endpoint_models::{EndpointModelsPage, OfferedRow};
pub use endpoint_network::NetworkForm;
pub use endpoint_quotas::{EndpointQuotasPage, QuotaRow};
pub use endpoint_test::{CheckRow, EndpointTestPage, Tried};
pub use endpoints::{EndpointRow, EndpointsPage};
pub use error::{ErrorPage, Trouble};
pub use fleet::{FleetPage, Rejected, ReplicaRow, SecretsAtRest, TroubleRow};
pub use guardrail::GuardrailForm;
pub use key_created::KeyCreatedPage;
pub use key_detail::KeyPage;
pub use key_new::{Expiry, NewKeyForm, NewKeyPage};
pub use key_revoke::RevokeKeyPage;
pub use keys::{KeyListQuery, KeyRow, KeySort, KeysPage, StateFilter};
pub use limit_edit::{DeleteLimitPage, FixedLimit, LimitEditPage, LimitForm, WEIGHT_NAMES};
pub use limits::{LimitRow, LimitsPage};
pub use login::{LoginPage, LoginTrouble};
pub use logins::{LoginRow, LoginsPage};
pub use model_delete::DeleteModelPage;
pub use model_edit::{ModelForm, ModelPage};
pub use model_price::{PriceForm, PricePage, PriceRow};
pub use models::{ModelRow, ModelsPage};
pub use notifications::{DeliveriesPage, DeliveryRow, DestinationRow, NotificationsPage};
pub use overview::{BoundBy, FleetHealth, OverviewPage, Share, Spend};
pub use policies::{DeletePolicyPage, PoliciesPage, PolicyEditPage, PolicyForm, PolicyRow, ToldPreview};
pub use price_import::{ImportOutcome, ImportPage, ImportedPrice};
pub use provider_edit::{
    DeleteProviderPage, PROVIDER_LINES, PROVIDER_NAMES, ProviderCheckRow, ProviderEditPage, ProviderForm,
};
pub use provider_scim::{ProviderScim, ScimTokenRow};
pub use providers::{ProviderRow, ProvidersPage};
pub use quarantine::{QuarantinePage, QuarantinedRow};
pub use requests::{RequestPage, RequestSearchPage};
pub use routing::{RouteShown, RoutingForm, RoutingPage, RulesInForce, TriedRow};
pub use rule::{DeleteRulePage, NewRuleForm, NewRulePage};
pub use sessions::SessionsPage;
pub use setup_command::SetupCommandPage;
pub use several::{Several, SeveralPage, SeveralRow};
pub use team::{DeleteTeamPage, MemberRow, TeamPage};
pub use team_budget::{TeamBudgetForm, TeamBudgetPage};
pub use team_endpoints::{TeamEndpointChoice, TeamEndpointsPage};
pub use team_guardrail::TeamGuardrailPage;
pub use team_sessions::TeamSessionsPage;
pub use teams::{NewTeamForm, TeamRow, TeamSort, TeamsPage};
pub use user::{AccessTokens, DeleteUserPage, TokenRow, UserForm, UserPage};
pub use users::{NewUserForm, UserRow, UserSort, UsersPage};
pub use web_search::{RulesForm, ServiceForm, ServiceRow, WebSearchPage};
pub use what_if::{Replay, ReplayPeriod, ReplaySubject, WhatIfPage};

use crate::PageContext;
use crate::form::Field;
use leptos::prelude::AnyView;

/// A page of the console.
pub trait Page {
    /// What it is called, in the browser's title.
    fn title(&self) -> String;

    /// Where it belongs in the navigation.
    fn section(&self) -> Option<Section> {
        None
    }

    /// What stands in its `main` element.
    fn body(&self, context: &PageContext) -> AnyView;
}

/// A page whose form comes back when what it asks for is refused.
pub trait FormPage: Page {
    /// The field with this name in the admin API.
    fn field_mut(&mut self, name: &str) -> Option<&mut Field>;

    /// What is wrong with the form as a whole.
    fn trouble_mut(&mut self) -> &mut Option<String>;

    /// Says what is wrong: at the field that is meant, or above the form if there is none.
    fn blame(&mut self, field: Option<&str>, message: String) {
        match field.and_then(|name| self.field_mut(name)) {
            Some(field) => field.error = Some(message),
            None => *self.trouble_mut() = Some(message),
        }
    }
}
