//! Web search: the rules for everybody, and one's own service.

use super::{Page, Section};
use crate::form::{Choice, Field};
use crate::part::block::{Colour, badge, card, empty, maker, nothing, page_head, text};
use crate::part::field::{Ask, button_form, csrf, input, select, summary};
use crate::part::list::{Column, cell, number_cell, row_head, table};
use crate::{PageContext, path};
use ccag_domain::{SearchKind, WebSearchMode};
use leptos::prelude::*;

/// A search service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceRow {
    /// Which.
    pub kind: SearchKind,
    /// Its address, where it has been given one.
    pub url: Option<String>,
    /// How many results are asked for.
    pub max_results: u8,
    /// Whether a key is stored.
    pub has_key: bool,
    /// Whether searches go to it.
    pub active: bool,
}

/// What a form for a service holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceForm {
    /// Which.
    pub kind: Field,
    /// Its address.
    pub url: Field,
    /// Its key; never put back.
    pub key: Field,
    /// How many results to ask for.
    pub max_results: Field,
}

impl ServiceForm {
    fn refused(&self) -> bool {
        [&self.kind, &self.url, &self.key, &self.max_results]
            .iter()
            .any(|field| field.error.is_some())
    }
}

/// What the form for the rules holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RulesForm {
    /// Who decides which service is asked.
    pub mode: Field,
    /// The service for everybody.
    pub service: ServiceForm,
    /// Whether its address may be private: `yes` or `no`.
    pub private: Field,
    /// What one search costs, in dollars.
    pub price: Field,
    /// Whether Claude Code's own requests are answered without the model: `yes` or `no`.
    pub shortcut: Field,
}

/// The page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WebSearchPage {
    /// Who decides.
    pub mode: WebSearchMode,
    /// The service for everybody; admins see it.
    pub global: Option<ServiceRow>,
    /// The form for the rules; for admins.
    pub rules: Option<RulesForm>,
    /// One's own services.
    pub own: Vec<ServiceRow>,
    /// The form for a service of one's own.
    pub form: ServiceForm,
    /// What is wrong with the form that was sent, as a whole.
    pub trouble: Option<String>,
}

const fn ask(id: &'static str, name: &'static str, label: &'static str, help: &'static str) -> Ask {
    Ask {
        id,
        name,
        label,
        help,
        kind: "",
        autocomplete: "",
        required: true,
        max_length: 2_000,
    }
}

const fn optional(ask: Ask, kind: &'static str) -> Ask {
    Ask {
        kind,
        required: false,
        ..ask
    }
}

const URL_HELP: &str = "Where the server is, for SearXNG and Custom.";
const KEY_HELP: &str = "What the service has given you. Left empty, the stored one stays. It is stored encrypted and not shown here.";
const RESULTS_HELP: &str = "How many results a search gives: 1 to 20.";

const MODE: Ask = ask(
    "mode",
    "mode",
    "Who chooses the service",
    "Where web search is off, requests that ask for it are refused with a message that says so.",
);
const GLOBAL_KIND: Ask = ask(
    "global-kind",
    "kind",
    "Service for everybody",
    "All searches of all users go to it, and to no other, even while it is down.",
);
const GLOBAL_URL: Ask = optional(ask("global-url", "url", "Address", URL_HELP), "url");
const GLOBAL_KEY: Ask = optional(ask("global-key", "key", "API key", KEY_HELP), "password");
const GLOBAL_RESULTS: Ask = optional(ask("global-results", "max_results", "Results", RESULTS_HELP), "");
const PRIVATE: Ask = ask(
    "private",
    "private",
    "Private address",
    "Whether the service may be in your own network. Users' own services never are.",
);
const PRICE: Ask = optional(
    ask(
        "price",
        "price",
        "Price of a search",
        "In US dollars, such as 0.008; added to the cost of a request for each search that gave something.",
    ),
    "",
);
const SHORTCUT: Ask = ask(
    "shortcut",
    "shortcut",
    "Claude Code’s own searches",
    "Claude Code asks for each search in a request of its own. Answered from the search alone it is faster and costs no tokens.",
);
const KIND: Ask = ask(
    "kind",
    "kind",
    "Service",
    "DuckDuckGo needs nothing else, but turns away who asks often.",
);
const URL: Ask = optional(ask("url", "url", "Address", URL_HELP), "url");
const KEY: Ask = optional(ask("key", "key", "API key", KEY_HELP), "password");
const RESULTS: Ask = optional(ask("max-results", "max_results", "Results", RESULTS_HELP), "");

fn kinds() -> Vec<Choice> {
    SearchKind::ALL
        .into_iter()
        .map(|kind| Choice::new(kind.as_str(), kind.title()))
        .collect()
}

fn yes_or_no(yes: &str, no: &str) -> [Choice; 2] {
    [Choice::new("yes", yes), Choice::new("no", no)]
}

impl Page for WebSearchPage {
    fn title(&self) -> String {
        "Web search".to_owned()
    }

    fn section(&self) -> Option<Section> {
        Some(Section::WebSearch)
    }

    fn body(&self, context: &PageContext) -> AnyView {
        let lead = match self.mode {
            WebSearchMode::Disabled => "Web search is off.",
            WebSearchMode::Global => "All searches go to one service, which an administrator has chosen.",
            WebSearchMode::PerUser => {
                "Everybody chooses a service. Who has not chosen one is served by DuckDuckGo."
            }
        };
        let rules = self.rules.as_ref().map(|rules| self.rules(rules, context));
        let own = (self.mode == WebSearchMode::PerUser).then(|| self.own(context));
        view! {
            {page_head("Web search".to_owned(), text(lead), nothing())}
            {rules}
            {own}
        }
        .into_any()
    }
}

impl WebSearchPage {
    fn rules(&self, rules: &RulesForm, context: &PageContext) -> AnyView {
        let service = &rules.service;
        let modes = [
            Choice::new(WebSearchMode::PerUser.as_str(), "Each user"),
            Choice::new(WebSearchMode::Global.as_str(), "One service for everybody"),
            Choice::new(WebSearchMode::Disabled.as_str(), "Nobody: web search is off"),
        ];
        let mut services = vec![Choice::new("", "Leave as it is")];
        services.extend(kinds());
        let fields = [
            (&MODE, &rules.mode),
            (&GLOBAL_KIND, &service.kind),
            (&GLOBAL_URL, &service.url),
            (&GLOBAL_KEY, &service.key),
            (&GLOBAL_RESULTS, &service.max_results),
            (&PRICE, &rules.price),
        ];
        let wrong = fields.iter().any(|(_, field)| field.error.is_some());
        let test = self.global.as_ref().map(|row| {
            let name = row.kind.title();
            button_form(
                context,
                path::WEB_SEARCH_TEST.to_owned(),
                &[],
                "Test",
                name,
                "small",
            )
        });
        let now = match &self.global {
            Some(row) => format!("The service for everybody is {}.", describe(row)),
            None => "There is no service for everybody yet.".to_owned(),
        };
        let form = view! {
            <form method="post" action=path::WEB_SEARCH_RULES class="grid-form">
                {csrf(context)}
                {wrong.then(|| summary(&fields, self.trouble.as_deref()))}
                {select(MODE, &rules.mode, &modes)}
                {select(GLOBAL_KIND, &service.kind, &services)}
                {input(GLOBAL_URL, &service.url, &[])}
                {input(GLOBAL_KEY, &service.key, &[])}
                {input(GLOBAL_RESULTS, &service.max_results, &[])}
                {select(PRIVATE, &rules.private, &yes_or_no("May be in our own network", "Public addresses only"))}
                {input(PRICE, &rules.price, &[])}
                {select(SHORTCUT, &rules.shortcut, &yes_or_no("Answer from the search alone", "Ask the model, too"))}
                <div class="form-actions">
                    <button type="submit" class="primary">"Save the rules"</button>
                </div>
            </form>
        };
        card(
            "rules",
            "Rules for everybody",
            view! { <p>{now}</p> {test} }.into_any(),
            form.into_any(),
        )
    }

    fn own(&self, context: &PageContext) -> AnyView {
        let list = if self.own.is_empty() {
            empty(
                "You have not chosen a service",
                view! { <p>"Your searches go to DuckDuckGo."</p> }.into_any(),
                nothing(),
            )
        } else {
            self.list(context)
        };
        let open = self.form.refused();
        view! {
            {maker(context, path::WEB_SEARCH, "Choose a service of your own", open, self.new_service(context))}
            {list}
        }
        .into_any()
    }

    fn new_service(&self, context: &PageContext) -> AnyView {
        let form = &self.form;
        let fields = [
            (&KIND, &form.kind),
            (&URL, &form.url),
            (&KEY, &form.key),
            (&RESULTS, &form.max_results),
        ];
        view! {
            <form method="post" action=path::WEB_SEARCH class="grid-form">
                {csrf(context)}
                {form.refused().then(|| summary(&fields, self.trouble.as_deref()))}
                {select(KIND, &form.kind, &kinds())}
                {input(URL, &form.url, &[])}
                {input(KEY, &form.key, &[])}
                {input(RESULTS, &form.max_results, &[])}
                <div class="form-actions">
                    <button type="submit" class="primary">"Use this service"</button>
                </div>
            </form>
        }
        .into_any()
    }

    fn list(&self, context: &PageContext) -> AnyView {
        let columns = vec![
            Column::text("Service"),
            Column::text("State"),
            Column::text("Address"),
            Column::text("API key"),
            Column::number("Results"),
            Column::text("Change"),
        ];
        let rows = self
            .own
            .iter()
            .map(|row| {
                let name = row.kind.title();
                let button = |what: &'static str, label: &'static str| {
                    let action = path::web_search_service(row.kind.as_str(), what);
                    button_form(context, action, &[], label, name, "small")
                };
                let state = if row.active {
                    badge(Colour::Good, "In use")
                } else {
                    badge(Colour::Muted, "Not in use")
                };
                let changes = view! {
                    {(!row.active).then(|| button("use", "Use"))}
                    {button("test", "Test")}
                    {button("delete", "Delete")}
                };
                view! {
                    <tr>
                        {row_head(text(name))}
                        {cell("State", state)}
                        {cell("Address", text(row.url.clone().unwrap_or_else(|| "its own".to_owned())))}
                        {cell("API key", text(if row.has_key { "stored" } else { "none" }))}
                        {number_cell("Results", text(row.max_results.to_string()))}
                        {cell("Change", changes.into_any())}
                    </tr>
                }
                .into_any()
            })
            .collect();
        table("Your search services", columns, rows)
    }
}

fn describe(row: &ServiceRow) -> String {
    let at = row
        .url
        .as_ref()
        .map(|url| format!(" at {url}"))
        .unwrap_or_default();
    let key = if row.has_key { ", with an API key" } else { "" };
    format!("{}{at}{key}, up to {} results", row.kind.title(), row.max_results)
}
