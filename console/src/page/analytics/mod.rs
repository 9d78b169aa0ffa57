//! What was used over time: spend, activity, how models do, and which tools they call. All look at the same choice of use.

mod activity;
mod filter;
mod losses;
mod models;
mod spend;
mod tools;

pub use activity::{ActivityPage, SessionsSeen};
pub use filter::{AnalyticsFilter, RANGES, TIME_STEPS, Tick};
pub use losses::{Losses, LostRow, miss_name};
pub use models::{DoingRow, ModelsReportPage};
pub use spend::{Outlook, RankRow, Ranking, SpendPage};
pub use tools::{CallsRanking, CallsRow, ToolsPage};

use crate::path;
use leptos::prelude::*;

/// The pages, as links that keep what was chosen.
fn tabs(here: &'static str, filter: &AnalyticsFilter) -> AnyView {
    let tab = |(address, label): (&'static str, &'static str)| {
        let current = (address == here).then_some("true");
        view! { <li><a href=filter.link(address) aria-current=current>{label}</a></li> }
    };
    let tabs = [
        (path::ANALYTICS, "Spend"),
        (path::ANALYTICS_ACTIVITY, "Activity"),
        (path::ANALYTICS_MODELS, "Models and performance"),
        (path::ANALYTICS_TOOLS, "Tools and MCP"),
    ];
    let tabs = tabs.into_iter().map(tab).collect_view();
    view! { <nav class="tabs" aria-label="Analytics"><ul>{tabs}</ul></nav> }.into_any()
}
