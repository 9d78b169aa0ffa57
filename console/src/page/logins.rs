//! Where Claude Code is signed in.

use super::several::with_ticked;
use super::{PAGE_SIZE, Page, Section, Several};
use crate::format::{date, past};
use crate::part::block::{empty, nothing, page_head, text};
use crate::part::field::{button_form, filter_bar};
use crate::part::list::{Column, cell, name_cell, pagination, pick_cell, row_head, table};
use crate::{PageContext, path};
use ccag_domain::{Area, Permission, Reach, UnixMs};
use leptos::prelude::*;

/// One session of a Claude Code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginRow {
    /// Its id.
    pub id: String,
    /// Whose it is.
    pub user: String,
    /// What the program calls itself.
    pub client: Option<String>,
    /// Where it signed in from.
    pub address: Option<String>,
    /// When it signed in.
    pub created_at_ms: UnixMs,
    /// When it last got a new token.
    pub refreshed_at_ms: UnixMs,
    /// When it has to sign in again.
    pub expires_at_ms: UnixMs,
}

/// One page of the sessions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoginsPage {
    /// What was searched for in whose they are.
    pub search: String,
    /// Which page, from 1.
    pub page: u64,
    /// The newest first.
    pub rows: Vec<LoginRow>,
    /// How many there are on all pages.
    pub total: u64,
    /// What a machine needs to know of the gateway, as its managed settings.
    pub managed: String,
}

impl LoginsPage {
    /// The first row of a page, counted from 0.
    #[must_use]
    pub fn offset(page: u64) -> u64 {
        page.saturating_sub(1).saturating_mul(PAGE_SIZE)
    }
}

impl Page for LoginsPage {
    fn title(&self) -> String {
        "Signed-in devices".to_owned()
    }

    fn section(&self) -> Option<Section> {
        Some(Section::Logins)
    }

    fn body(&self, context: &PageContext) -> AnyView {
        let reach = context.reach(Permission::Read(Area::Keys));
        let lead = match reach {
            Reach::Everything => {
                "Where people's Claude Code is signed in with /login. Ending a session holds within a second."
            }
            Reach::Team => {
                "Where your and your team's Claude Code is signed in with /login. Ending a session holds within a second."
            }
            Reach::Own | Reach::Nothing => {
                "Where your Claude Code is signed in with /login. Ending a session holds within a second."
            }
        };
        let filter = if reach > Reach::Own {
            filter_bar(
                path::LOGINS,
                "Whose: name or mail address",
                &self.search,
                nothing(),
            )
        } else {
            nothing()
        };
        let list = if self.rows.is_empty() && !self.search.is_empty() {
            let all = view! { <a class="button" href=path::LOGINS>"Show all devices"</a> };
            empty(
                "Nobody with this in their name is signed in",
                nothing(),
                all.into_any(),
            )
        } else if self.rows.is_empty() {
            empty(
                "No device is signed in",
                view! {
                    <p>
                        "With /login Claude Code is signed in through a browser, and nobody has to carry a key about. For that the "
                        "machine has to know the gateway: this belongs into its managed settings, "
                        <code>"/etc/claude-code/managed-settings.json"</code>
                        " on Linux."
                    </p>
                    <pre class="code"><code>{self.managed.clone()}</code></pre>
                }
                .into_any(),
                nothing(),
            )
        } else {
            self.list(context)
        };
        view! {
            {page_head(self.title(), text(lead), nothing())}
            {filter}
            {list}
        }
        .into_any()
    }
}

impl LoginsPage {
    fn list(&self, context: &PageContext) -> AnyView {
        let mut columns = vec![Column::pick()];
        columns.extend(
            [
                "User",
                "Program",
                "Address",
                "Signed in",
                "Last renewed",
                "Ends",
                "Change",
            ]
            .map(Column::text),
        );
        let row = |row: &LoginRow| {
            let end = button_form(
                context,
                path::end_login(&row.id),
                &[],
                "Sign out",
                &row.user,
                "small",
            );
            let known = |value: &Option<String>| text(value.clone().unwrap_or_else(|| "unknown".to_owned()));
            view! {
                <tr>
                    {pick_cell(&row.id, &format!("{}’s {}", row.user, row.client.as_deref().unwrap_or("device")))}
                    {row_head(text(row.user.clone()))}
                    {name_cell("Program", known(&row.client))}
                    {name_cell("Address", known(&row.address))}
                    {cell("Signed in", text(past(row.created_at_ms, context.now_ms)))}
                    {cell("Last renewed", text(past(row.refreshed_at_ms, context.now_ms)))}
                    {cell("Ends", text(date(row.expires_at_ms)))}
                    {cell("Change", end)}
                </tr>
            }
            .into_any()
        };
        let pages = pagination("devices", self.page, self.total, |page| {
            let page = page.to_string();
            let search = (!self.search.is_empty()).then_some(("q", self.search.as_str()));
            let query: Vec<_> = search.into_iter().chain([("page", page.as_str())]).collect();
            path::with_query(path::LOGINS, &query)
        });
        let rows = self.rows.iter().map(row).collect();
        let ticked = with_ticked(context, &[Several::EndLogins]);
        view! { {table("Signed-in devices", columns, rows)} {ticked} {pages} }.into_any()
    }
}
