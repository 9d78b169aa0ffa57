//! The pages: one module each, a model that the control plane fills and the view of it.

mod capabilities;
mod error;
mod fleet;
mod key_created;
mod key_detail;
mod key_new;
mod key_revoke;
mod keys;
mod login;
mod overview;
mod rule;
mod teams;
mod users;
mod web_search;

pub use crate::layout::Section;
pub use crate::part::chart::DayUsage;
pub use crate::part::key::{KeyState, KeySummary, Named};
pub use crate::part::list::PAGE_SIZE;
pub use capabilities::{CapabilitiesPage, LessonRow, OwnRuleRow, RuleFilter, RuleRow, SeenRow, VersionRow};
pub use error::{ErrorPage, Trouble};
pub use fleet::{FleetPage, Rejected, ReplicaRow};
pub use key_created::KeyCreatedPage;
pub use key_detail::KeyPage;
pub use key_new::{Expiry, NewKeyForm, NewKeyPage};
pub use key_revoke::RevokeKeyPage;
pub use keys::{KeyListQuery, KeyRow, KeySort, KeysPage, StateFilter};
pub use login::{LoginPage, LoginTrouble};
pub use overview::{FleetHealth, OverviewPage, Share, Spend};
pub use rule::{DeleteRulePage, NewRuleForm, NewRulePage};
pub use teams::{NewTeamForm, TeamRow, TeamsPage};
pub use users::{NewUserForm, UserRow, UsersPage};
pub use web_search::{RulesForm, ServiceForm, ServiceRow, WebSearchPage};

use crate::PageContext;
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
