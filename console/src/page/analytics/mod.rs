//! What was used over time: spend, activity, and how models do. All three look at the same choice of use.

mod activity;
mod filter;
mod models;
mod spend;

pub use activity::ActivityPage;
pub use filter::{AnalyticsFilter, RANGES, TIME_STEPS, Tick};
pub use models::{DoingRow, ModelsReportPage};
pub use spend::{Outlook, RankRow, Ranking, SpendPage};

use crate::path;
use leptos::prelude::*;

/// The three pages, as links that keep what was chosen.
fn tabs(here: &'static str, filter: &AnalyticsFilter) -> AnyView {
    let tab = |(address, label): (&'static str, &'static str)| {
        let current = (address == here).then_some("true");
        view! { <li><a href=filter.link(address) aria-current=current>{label}</a></li> }
    };
    let tabs = [
        (path::ANALYTICS, "Spend"),
        (path::ANALYTICS_ACTIVITY, "Activity"),
        (path::ANALYTICS_MODELS, "Models and performance"),
    ];
    let tabs = tabs.into_iter().map(tab).collect_view();
    view! { <nav class="tabs" aria-label="Analytics"><ul>{tabs}</ul></nav> }.into_any()
}
