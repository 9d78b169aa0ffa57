//! What AWS lets an endpoint's account use, beside what of it was used.

use super::endpoint_models::ask_aws;
use super::{Page, Section};
use crate::format::ago;
use crate::format::count;
use crate::part::block::{Colour, badge, nothing, page_head, text};
use crate::part::list::{Column, name_cell, number_cell, row_head, table};
use crate::{PageContext, path};
use ccag_domain::{QuotaKind, QuotaScope, UnixMs};
use leptos::prelude::*;

/// One quota.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotaRow {
    /// AWS's name of it.
    pub name: String,
    /// The model's canonical name; `None` if it is none of the catalogue's.
    pub model: Option<String>,
    /// Whether all models share it.
    pub shared: bool,
    /// Which requests count.
    pub scope: QuotaScope,
    /// What is bounded.
    pub kind: QuotaKind,
    /// How many.
    pub limit: u64,
    /// How many were used; `None` if that cannot be told.
    pub used: Option<u64>,
    /// What counts at the moment, by the data planes' account; `None` if they keep none.
    pub counted: Option<u64>,
    /// What that is made of, in words.
    pub made_of: String,
}

/// The page with an endpoint's quotas.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EndpointQuotasPage {
    /// The endpoint's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// When AWS said so last.
    pub asked_at_ms: Option<UnixMs>,
    /// Why it did not the last time.
    pub error: Option<String>,
    /// The quotas.
    pub rows: Vec<QuotaRow>,
    /// How many others AWS lists.
    pub others: u32,
}

impl Page for EndpointQuotasPage {
    fn title(&self) -> String {
        format!("Quotas of {}", self.name)
    }

    fn section(&self) -> Option<Section> {
        Some(Section::Endpoints)
    }

    fn body(&self, context: &PageContext) -> AnyView {
        let lead = match self.asked_at_ms {
            Some(at) => view! { "AWS was asked " {ago(at, context.now_ms)} "." }.into_any(),
            None => text("AWS has not said what the account may use."),
        };
        let ask = ask_aws(context, &self.id, &self.name);
        let error = self.error.clone().map(|error| {
            view! {
                <div class="flash flash-bad" role="alert">
                    <p>"Service Quotas did not say the last time: " {error}</p>
                </div>
            }
        });
        let others = (self.others > 0).then(|| {
            let words = format!(
                "AWS lists {} other quotas of Bedrock's, which are not about these models.",
                self.others
            );
            view! { <p class="quiet-note">{words}</p> }
        });
        view! {
            <nav class="trail" aria-label="Where you are">
                <a href=path::ENDPOINTS>"Endpoints"</a>
                <a href=path::endpoint(&self.id)>{self.name.clone()}</a>
            </nav>
            {page_head(format!("Quotas of {}", self.name), lead, ask)}
            {error}
            <p class="quiet-note">
                "Used: what requests through this endpoint that ended in the last minute, or the last day, count when they are over: \
                 input, cache writes, and output as many times as its model burns down. Cache reads count nothing. While a request runs, \
                 AWS also sets aside all of its prompt and the most output that it may have."
            </p>
            <p class="quiet-note">
                "Counted now: what data planes take AWS to count at the moment, set aside and used, through all endpoints of the account. Where \
                 that comes near to the limit, requests go to other endpoints, and each team has its share."
            </p>
            {self.list()}
            {others}
        }
        .into_any()
    }
}

impl EndpointQuotasPage {
    fn list(&self) -> AnyView {
        let columns = vec![
            Column::text("Model"),
            Column::text("Quota"),
            Column::number("Limit"),
            Column::number("Used"),
            Column::number("Share"),
            Column::number("Counted now"),
            Column::text("Made of"),
        ];
        let rows = self
            .rows
            .iter()
            .map(|row| {
                let model = match (&row.model, row.shared) {
                    (Some(name), _) => view! { <a href=path::model(name)>{name.clone()}</a> }.into_any(),
                    (None, true) => text("All models"),
                    (None, false) => badge(Colour::Muted, "not in the catalogue"),
                };
                let now = match row.counted {
                    Some(counted) => view! { {count(counted)} " " {share(counted, row.limit)} }.into_any(),
                    None => nothing(),
                };
                let (used, share) = match row.used {
                    Some(used) => (count(used), share(used, row.limit)),
                    None => (nothing(), nothing()),
                };
                view! {
                    <tr>
                        {row_head(model)}
                        {name_cell("Quota", view! { {words(row.scope, row.kind)} <p class="quiet-note">{row.name.clone()}</p> }.into_any())}
                        {number_cell("Limit", count(row.limit))}
                        {number_cell("Used", used)}
                        {number_cell("Share", share)}
                        {number_cell("Counted now", now)}
                        {name_cell("Made of", text(row.made_of.clone()))}
                    </tr>
                }
                .into_any()
            })
            .collect();
        table("Quotas of the endpoint", columns, rows)
    }
}

fn words(scope: QuotaScope, kind: QuotaKind) -> String {
    let what = match kind {
        QuotaKind::TokensPerMinute => "Tokens a minute",
        QuotaKind::RequestsPerMinute => "Requests a minute",
        QuotaKind::TokensPerDay => "Tokens a day",
    };
    let which = match scope {
        QuotaScope::CrossRegion => "through the profile of a geography",
        QuotaScope::Global => "through the global profile",
        QuotaScope::OnDemand => "in the region, without a profile",
        QuotaScope::Regional => "not through the global profile",
        QuotaScope::All => "all together",
    };
    format!("{what}, {which}")
}

fn share(used: u64, limit: u64) -> AnyView {
    let percent = u128::from(used) * 100 / u128::from(limit.max(1));
    let colour = match percent {
        0..80 => return text(format!("{percent} %")),
        80..100 => Colour::Warn,
        _ => Colour::Bad,
    };
    badge(colour, format!("{percent} %"))
}
