//! The document around every page: head, navigation, messages, foot.

use crate::part::block::{message, nothing};
use crate::part::field::csrf;
use crate::{Flash, Page, PageContext, Theme, Tone, Viewer, assets, path};
use leptos::prelude::*;

/// The product's name in titles and headings.
pub(crate) const PRODUCT: &str = "CCAG";

/// The entries of the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// The overview.
    Home,
    /// What was used over time.
    Analytics,
    /// Budgets.
    Budgets,
    /// Limits.
    Limits,
    /// Paused sessions.
    Sessions,
    /// Why requests went as they went.
    Requests,
    /// How to connect Claude Code.
    Connect,
    /// Keys.
    Keys,
    /// Teams.
    Teams,
    /// Users.
    Users,
    /// What Bedrock takes.
    Capabilities,
    /// How people sign in.
    SignIn,
    /// Which models people may use, and what their Claude Code is told.
    Policies,
    /// Notifications.
    Notifications,
    /// Where Claude Code is signed in.
    Logins,
    /// Web search.
    WebSearch,
    /// Endpoints.
    Endpoints,
    /// Models and prices.
    Models,
    /// Data planes.
    Fleet,
    /// Who changed what.
    Audit,
}

struct Entry {
    section: Section,
    label: &'static str,
    href: &'static str,
}

const fn entry(section: Section, label: &'static str, href: &'static str) -> Entry {
    Entry { section, label, href }
}

/// The navigation in groups; each group has a heading.
const GROUPS: [(&str, &[Entry]); 3] = [
    (
        "Usage",
        &[
            entry(Section::Home, "Overview", path::HOME),
            entry(Section::Analytics, "Analytics", path::ANALYTICS),
            entry(Section::Budgets, "Budgets", path::BUDGETS),
            entry(Section::Limits, "Limits", path::LIMITS),
            entry(Section::Sessions, "Paused sessions", path::SESSIONS),
            entry(Section::Requests, "Explain a request", path::REQUESTS),
        ],
    ),
    (
        "Access",
        &[
            entry(Section::Connect, "Connect", path::CONNECT),
            entry(Section::Keys, "Keys", path::KEYS),
            entry(Section::Teams, "Teams", path::TEAMS),
            entry(Section::Users, "Users", path::USERS),
            entry(Section::Logins, "Signed-in devices", path::LOGINS),
            entry(Section::SignIn, "Sign-in", path::SIGN_IN),
            entry(Section::Policies, "Policies", path::POLICIES),
            entry(Section::WebSearch, "Web search", path::WEB_SEARCH),
        ],
    ),
    (
        "Operations",
        &[
            entry(Section::Capabilities, "Capabilities", path::CAPABILITIES),
            entry(Section::Endpoints, "Endpoints", path::ENDPOINTS),
            entry(Section::Models, "Models and prices", path::MODELS),
            entry(Section::Fleet, "Fleet", path::FLEET),
            entry(Section::Notifications, "Notifications", path::NOTIFICATIONS),
            entry(Section::Audit, "Audit log", path::AUDIT),
        ],
    ),
];

/// The whole `html` element.
pub(crate) fn document(page: &dyn Page, context: &PageContext) -> AnyView {
    let title = format!("{} · {PRODUCT}", page.title());
    let frame = match &context.viewer {
        Some(viewer) => signed_in(page, context, viewer),
        None => signed_out(page, context),
    };
    view! {
        <html lang="en" data-theme=context.theme.attribute()>
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width, initial-scale=1" />
                <meta name="color-scheme" content="light dark" />
                <meta name="robots" content="noindex" />
                <title>{title}</title>
                <link rel="icon" type="image/svg+xml" href=assets::icon_path() />
                <link rel="stylesheet" href=assets::stylesheet_path() />
                <script src=assets::script_path() defer=true></script>
            </head>
            {frame}
        </html>
    }
    .into_any()
}

fn signed_in(page: &dyn Page, context: &PageContext, viewer: &Viewer) -> AnyView {
    view! {
        <body class="app">
            <a class="skip" href="#content">"Skip to the content"</a>
            <header class="topbar">
                {brand()}
                <button type="button" class="menu-button" popovertarget="menu">"Menu"</button>
            </header>
            <div class="sidebar" id="menu" popover="auto">
                <nav aria-label="Main">
                    {brand()}
                    {navigation(page.section(), viewer)}
                </nav>
                <section class="account" aria-label="You">
                    {theme_form(context)}
                    <p class="account-name">{viewer.name.clone()}</p>
                    <p class="account-role">{viewer.role.title()}</p>
                    <form method="post" action=path::LOGOUT>
                        {csrf(context)}
                        <button type="submit" class="quiet">"Sign out"</button>
                    </form>
                </section>
            </div>
            <main id="content" tabindex="-1">
                {flashes(&context.flash)}
                {page.body(context)}
            </main>
            {foot(context)}
        </body>
    }
    .into_any()
}

fn signed_out(page: &dyn Page, context: &PageContext) -> AnyView {
    view! {
        <body class="door">
            <a class="skip" href="#content">"Skip to the content"</a>
            <header class="door-head">{brand()}</header>
            <main id="content" tabindex="-1">
                {flashes(&context.flash)}
                {page.body(context)}
            </main>
            {foot(context)}
        </body>
    }
    .into_any()
}

fn brand() -> AnyView {
    view! {
        <a class="brand" href=path::HOME>
            <img src=assets::icon_path() alt="" width="28" height="28" />
            <span>{PRODUCT}</span>
        </a>
    }
    .into_any()
}

fn navigation(current: Option<Section>, viewer: &Viewer) -> AnyView {
    GROUPS
        .iter()
        .map(|(heading, entries)| {
            let links: Vec<_> = entries
                .iter()
                .filter(|e| viewer.opens(e.href))
                .map(|e| {
                    let here = (current == Some(e.section)).then_some("page");
                    view! { <li><a href=e.href aria-current=here>{e.label}</a></li> }
                })
                .collect();
            if links.is_empty() {
                return nothing();
            }
            view! {
                <p class="nav-group">{*heading}</p>
                <ul>{links}</ul>
            }
            .into_any()
        })
        .collect_view()
        .into_any()
}

fn theme_form(context: &PageContext) -> AnyView {
    let choices = Theme::ALL
        .into_iter()
        .map(|theme| {
            let label = match theme {
                Theme::System => "Auto",
                Theme::Light => "Light",
                Theme::Dark => "Dark",
            };
            let pressed = if theme == context.theme { "true" } else { "false" };
            view! {
                <button type="submit" name="theme" value=theme.as_str() aria-pressed=pressed>{label}</button>
            }
        })
        .collect_view();
    view! {
        <form method="post" action=path::THEME>
            {csrf(context)}
            <input type="hidden" name="next" value=context.here.clone() />
            <div class="theme" role="group" aria-label="Colours">{choices}</div>
        </form>
    }
    .into_any()
}

fn flashes(flashes: &[Flash]) -> AnyView {
    flashes
        .iter()
        .map(|flash| {
            let role = if flash.tone == Tone::Bad {
                "alert"
            } else {
                "status"
            };
            let class = format!("flash flash-{}", flash.tone.as_str());
            view! { <div class=class role=role><p>{message(&flash.message)}</p></div> }
        })
        .collect_view()
        .into_any()
}

fn foot(context: &PageContext) -> AnyView {
    let text = format!("{PRODUCT} {} · all times are UTC", context.version);
    view! { <footer class="foot"><p>{text}</p></footer> }.into_any()
}
