//! The list of keys.

use super::several::with_ticked;
use super::{Ends, KeyState, KeySummary, Named, Page, Place, Section, Several};
use crate::form::Choice;
use crate::format::{ago, hour_ago, money};
use crate::part::block::{empty, nothing, page_head, text};
use crate::part::field::{filter_bar, options};
use crate::part::key::{expiry, named, prefix, state_badge};
use crate::part::list::{Column, Sort, cell, name_cell, number_cell, pick_cell, row_head, table, turning};
use crate::{PageContext, path};
use ccag_domain::{Area, NanoUsd, Permission, Reach};
use leptos::prelude::*;

/// Which keys are listed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum StateFilter {
    /// Those that work.
    #[default]
    Active,
    /// Those whose time is over.
    Expired,
    /// Those that were taken back.
    Revoked,
    /// All.
    All,
}

impl StateFilter {
    const ALL: [(Self, &'static str, &'static str); 4] = [
        (Self::Active, "active", "Active"),
        (Self::Expired, "expired", "Expired"),
        (Self::Revoked, "revoked", "Revoked"),
        (Self::All, "all", "All"),
    ];

    /// The value in an address.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(s, ..)| *s == self)
            .map_or("", |(_, v, _)| v)
    }

    /// Reads a value; anything unknown is the default.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        Self::ALL
            .iter()
            .find(|(_, v, _)| *v == text)
            .map_or_else(Self::default, |(s, ..)| *s)
    }
}

/// By what keys are sorted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum KeySort {
    /// Time of making.
    #[default]
    Created,
    /// Name.
    Name,
    /// End of validity; those without one last.
    Expires,
}

impl KeySort {
    /// The value in an address.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Name => "name",
            Self::Expires => "expires",
        }
    }

    /// Reads a value; anything unknown is the default.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text {
            "name" => Self::Name,
            "expires" => Self::Expires,
            _ => Self::Created,
        }
    }

    const fn descends_at_first(self) -> bool {
        matches!(self, Self::Created)
    }
}

/// What the address of the list asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyListQuery {
    /// Part of a name or of a secret's beginning.
    pub search: String,
    /// Which states.
    pub state: StateFilter,
    /// By what to sort.
    pub sort: KeySort,
    /// Largest, latest or last first.
    pub descending: bool,
    /// Which page.
    pub place: Place,
}

impl Default for KeyListQuery {
    fn default() -> Self {
        Self {
            search: String::new(),
            state: StateFilter::Active,
            sort: KeySort::Created,
            descending: true,
            place: Place::default(),
        }
    }
}

impl KeyListQuery {
    /// Reads the query of an address: `q`, `state`, `sort`, `order`, and the place. Nothing in it can be wrong.
    #[must_use]
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut query = Self::default();
        let mut order = None;
        for (name, value) in pairs {
            match name {
                "q" => query.search = value.trim().chars().take(100).collect(),
                "state" => query.state = StateFilter::parse(value),
                "sort" => query.sort = KeySort::parse(value),
                "order" => order = Some(value == "desc"),
                _ => drop(query.place.take(name, value)),
            }
        }
        query.descending = order.unwrap_or(query.sort.descends_at_first());
        query
    }

    /// The address that asks for this.
    #[must_use]
    pub fn href(&self) -> String {
        let default = Self::default();
        let unless = |same: bool, value: &'static str| if same { "" } else { value };
        let natural = self.descending == self.sort.descends_at_first();
        let [page, after, before] = self.place.query();
        path::with_query(
            path::KEYS,
            &[
                ("q", &self.search),
                ("state", unless(self.state == default.state, self.state.as_str())),
                ("sort", unless(self.sort == default.sort, self.sort.as_str())),
                (
                    "order",
                    unless(natural, if self.descending { "desc" } else { "asc" }),
                ),
                (page.0, &page.1),
                (after.0, &after.1),
                (before.0, &before.1),
            ],
        )
    }

    fn sorted(&self, by: KeySort) -> Sort {
        let current = self.sort == by;
        let next = Self {
            sort: by,
            descending: if current {
                !self.descending
            } else {
                by.descends_at_first()
            },
            place: Place::default(),
            ..self.clone()
        };
        Sort {
            href: next.href(),
            descending: current.then_some(self.descending),
        }
    }
}

/// One key of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRow {
    /// The key.
    pub key: KeySummary,
    /// Spend of the last 30 days.
    pub spend_30_days: NanoUsd,
    /// The hour in which it was last used, within the last 30 days.
    pub last_used_hour_ms: Option<i64>,
}

/// The list of keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeysPage {
    /// What was asked for.
    pub query: KeyListQuery,
    /// One page of it.
    pub rows: Vec<KeyRow>,
    /// How many there are on all pages, up to [`COUNTED`](super::COUNTED).
    pub total: u64,
    /// Where the page begins and ends.
    pub ends: Ends,
}

impl Page for KeysPage {
    fn title(&self) -> String {
        "Keys".to_owned()
    }

    fn section(&self) -> Option<Section> {
        Some(Section::Keys)
    }

    fn body(&self, context: &PageContext) -> AnyView {
        let lead = if sees_others(context) {
            "Each key lets one client in and says who pays. Its secret is shown once, when it is made."
        } else {
            "Your keys. Each lets one client in; its secret is shown once, when it is made."
        };
        let create = view! { <a class="button primary" href=path::NEW_KEY>"Create a key"</a> }.into_any();
        view! {
            {page_head("Keys".to_owned(), text(lead), create)}
            {self.filters()}
            {if self.rows.is_empty() { self.nothing_here() } else { self.list(context) }}
        }
        .into_any()
    }
}

impl KeysPage {
    fn filters(&self) -> AnyView {
        let choices: Vec<_> = StateFilter::ALL
            .iter()
            .map(|(_, value, label)| Choice::new(*value, *label))
            .collect();
        let keep_sort = (self.query.sort != KeySort::default() || !self.query.descending).then(|| {
            view! {
                <input type="hidden" name="sort" value=self.query.sort.as_str() />
                <input type="hidden" name="order" value=if self.query.descending { "desc" } else { "asc" } />
            }
        });
        let state = view! {
            <div class="field">
                <label for="filter-state">"State"</label>
                <select id="filter-state" name="state">{options(&choices, self.query.state.as_str())}</select>
            </div>
            {keep_sort}
        };
        filter_bar(
            path::KEYS,
            "Search by name or first characters",
            &self.query.search,
            state.into_any(),
        )
    }

    fn nothing_here(&self) -> AnyView {
        if !self.query.search.is_empty() || self.query.state != StateFilter::Active {
            let all = KeyListQuery {
                state: StateFilter::All,
                ..KeyListQuery::default()
            };
            return empty(
                "No key fits",
                view! { <p>"Nothing has this state and these characters. Names are searched as well as the beginnings of secrets."</p> }.into_any(),
                view! { <a class="button" href=all.href()>"Show all keys"</a> }.into_any(),
            );
        }
        empty(
            "No active keys yet",
            view! {
                <p>
                    "A key is what Claude Code shows to the gateway. Make one for each person or machine, "
                    "so that spend has a name and losing a laptop costs one key only."
                </p>
            }
            .into_any(),
            view! { <a class="button primary" href=path::NEW_KEY>"Create the first key"</a> }.into_any(),
        )
    }

    fn list(&self, context: &PageContext) -> AnyView {
        let admin = sees_others(context);
        let mut columns = vec![
            Column::pick(),
            Column::sorted("Name", self.query.sorted(KeySort::Name)),
            Column::text("State"),
        ];
        if admin {
            columns.push(Column::text("User"));
        }
        columns.push(Column::text("Team"));
        columns.push(Column::sorted("Created", self.query.sorted(KeySort::Created)));
        columns.push(Column::sorted("Expires", self.query.sorted(KeySort::Expires)));
        columns.push(Column::number("Spend, 30 days"));
        columns.push(Column::text("Last used"));
        let rows = self.rows.iter().map(|row| key_row(row, context)).collect();
        let pages = turning(
            "keys",
            &self.query.place,
            self.rows.len(),
            self.total,
            &self.ends,
            |place| {
                KeyListQuery {
                    place: place.clone(),
                    ..self.query.clone()
                }
                .href()
            },
        );
        let ticked = with_ticked(context, &[Several::RevokeKeys]);
        view! { {table("Keys", columns, rows)} {ticked} {pages} }.into_any()
    }
}

/// Whether the viewer sees keys of others, so that it matters whose a key is.
fn sees_others(context: &PageContext) -> bool {
    context.reach(Permission::Read(Area::Keys)) > Reach::Own
}

fn key_row(row: &KeyRow, context: &PageContext) -> AnyView {
    let key = &row.key;
    let no_link = |_: &Named| None;
    let user = sees_others(context).then(|| name_cell("User", named(key.user.as_ref(), no_link)));
    let last_used = match row.last_used_hour_ms {
        Some(hour) => hour_ago(hour, context.now_ms),
        None => view! { <span class="faint">"not in 30 days"</span> }.into_any(),
    };
    let pick = match key.state {
        KeyState::Revoked => cell("Choose", nothing()),
        KeyState::Active | KeyState::Expired => pick_cell(&key.id, &key.shown_name()),
    };
    let name = view! {
        <a class="row-link" href=path::key(&key.id)>{key.shown_name()}</a>
        {prefix(key)}
    };
    view! {
        <tr>
            {pick}
            {row_head(name.into_any())}
            {cell("State", state_badge(key, context.now_ms))}
            {user}
            {name_cell("Team", named(key.team.as_ref(), no_link))}
            {cell("Created", ago(key.created_at_ms, context.now_ms))}
            {cell("Expires", expiry(key, context.now_ms))}
            {number_cell("Spend, 30 days", money(row.spend_30_days))}
            {cell("Last used", last_used)}
        </tr>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_a_list_survives_a_round_trip() {
        let query = KeyListQuery {
            search: "a b&c".to_owned(),
            state: StateFilter::Revoked,
            sort: KeySort::Name,
            descending: true,
            place: Place {
                page: 3,
                after: "=a~key_1".to_owned(),
                before: String::new(),
            },
        };
        assert_eq!(
            query.href(),
            "/console/keys?q=a%20b%26c&state=revoked&sort=name&order=desc&page=3&after=%3Da~key_1"
        );
        let pairs = [
            ("q", "a b&c"),
            ("state", "revoked"),
            ("sort", "name"),
            ("order", "desc"),
            ("page", "3"),
            ("after", "=a~key_1"),
        ];
        assert_eq!(KeyListQuery::from_pairs(pairs), query);
        assert_eq!(KeyListQuery::from_pairs([]).href(), path::KEYS);
    }

    #[test]
    fn nonsense_in_the_address_asks_for_the_default() {
        let query =
            KeyListQuery::from_pairs([("page", "-1"), ("state", "x"), ("sort", "'; drop"), ("u", "1")]);
        assert_eq!(query.href(), path::KEYS);
    }
}
