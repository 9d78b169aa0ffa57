//! Tables that can be sorted and turned over page by page.

use crate::format::grouped;
use leptos::prelude::*;

/// The rows on one page of a list.
pub const PAGE_SIZE: u64 = 25;

/// A heading of a column.
pub(crate) struct Column {
    /// What it says.
    pub(crate) label: &'static str,
    /// Where a click on it leads, and how it is sorted now.
    pub(crate) sort: Option<Sort>,
    /// Whether it holds numbers.
    pub(crate) number: bool,
    /// Whether it holds boxes that choose rows.
    pub(crate) pick: bool,
}

/// How a column is sorted.
pub(crate) struct Sort {
    /// The list, sorted by this column (the other way round if it already is).
    pub(crate) href: String,
    /// `Some(true)` is descending; `None` is not sorted by this column.
    pub(crate) descending: Option<bool>,
}

impl Column {
    /// A column of text.
    pub(crate) const fn text(label: &'static str) -> Self {
        Self {
            label,
            sort: None,
            number: false,
            pick: false,
        }
    }

    /// A column of boxes that choose rows.
    pub(crate) fn pick() -> Self {
        Self {
            pick: true,
            ..Self::text("Choose")
        }
    }

    /// A column of numbers.
    pub(crate) fn number(label: &'static str) -> Self {
        Self {
            number: true,
            ..Self::text(label)
        }
    }

    /// A column of numbers that can be sorted by.
    pub(crate) fn sorted_number(label: &'static str, sort: Sort) -> Self {
        Self {
            sort: Some(sort),
            ..Self::number(label)
        }
    }

    /// A column that can be sorted by.
    pub(crate) fn sorted(label: &'static str, sort: Sort) -> Self {
        Self {
            sort: Some(sort),
            ..Self::text(label)
        }
    }
}

fn heading(column: Column) -> AnyView {
    if column.pick {
        // With scripts there is one box for all of them.
        return view! {
            <th scope="col" class="pick">
                <span class="visually-hidden">{column.label}</span>
                <input type="checkbox" id="pick-all" data-all="several" autocomplete="off" hidden=true />
                <label for="pick-all" class="visually-hidden" hidden=true>"All of this page"</label>
            </th>
        }
        .into_any();
    }
    let class = column.number.then_some("number");
    let Some(sort) = column.sort else {
        return view! { <th scope="col" class=class>{column.label}</th> }.into_any();
    };
    let (aria, arrow) = match sort.descending {
        Some(true) => (Some("descending"), "↓"),
        Some(false) => (Some("ascending"), "↑"),
        None => (None, "↕"),
    };
    view! {
        <th scope="col" class=class aria-sort=aria>
            <a href=sort.href class="sort">{column.label}<span aria-hidden="true" class="arrow">{arrow}</span></a>
        </th>
    }
    .into_any()
}

/// A table; where there is not enough room for it each row becomes a card, its cells named by their `data-label`.
pub(crate) fn table(caption: &'static str, columns: Vec<Column>, rows: Vec<AnyView>) -> AnyView {
    // Numbers are narrow: seven columns of which one is words take no more room than six that are mixed.
    let words = columns.iter().filter(|column| !column.number).count();
    let class = match (columns.len(), words) {
        (..=4, _) => "frame few",
        (5..=6, _) | (7, ..=1) => "frame",
        _ => "frame many",
    };
    let headings = columns.into_iter().map(heading).collect_view();
    view! {
        <div class=class>
            <table class="list">
                <caption class="visually-hidden">{caption}</caption>
                <thead><tr>{headings}</tr></thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}

/// A cell.
pub(crate) fn cell(label: &'static str, content: AnyView) -> AnyView {
    view! { <td data-label=label>{content}</td> }.into_any()
}

/// A cell with a box that chooses the row, for the form whose id is `several`.
pub(crate) fn pick_cell(id: &str, name: &str) -> AnyView {
    let pick = format!("pick-{id}");
    view! {
        <td data-label="Choose" class="pick">
            <input type="checkbox" id=pick.clone() name="id" value=id.to_owned() form="several" autocomplete="off" />
            <label for=pick class="visually-hidden">{format!("Choose {name}")}</label>
        </td>
    }
    .into_any()
}

/// A cell with a name that somebody chose, however long.
pub(crate) fn name_cell(label: &'static str, content: AnyView) -> AnyView {
    view! { <td data-label=label class="name">{content}</td> }.into_any()
}

/// A cell with a sentence or two: it gets the room that the others leave.
pub(crate) fn prose_cell(label: &'static str, content: AnyView) -> AnyView {
    view! { <td data-label=label class="name prose">{content}</td> }.into_any()
}

/// A cell with a number.
pub(crate) fn number_cell(label: &'static str, content: AnyView) -> AnyView {
    view! { <td data-label=label class="number">{content}</td> }.into_any()
}

/// The cell that names the row.
pub(crate) fn row_head(content: AnyView) -> AnyView {
    view! { <th scope="row">{content}</th> }.into_any()
}

/// A list is counted up to here: of one that is longer it says so, and no more.
pub const COUNTED: u64 = 1_000;

/// Where a page lies in a list whose pages are found by the rows at their ends.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// Which page it is, from 1, counted along the way.
    pub page: u64,
    /// The row that it follows on, as it is named in addresses; empty if it is the first page or has a row that it precedes.
    pub after: String,
    /// The row that it precedes.
    pub before: String,
}

impl Place {
    /// Reads one part of the query of an address; false if it is about something else. Nothing in it can be wrong.
    pub fn take(&mut self, name: &str, value: &str) -> bool {
        let row = || value.chars().take(400).collect();
        match name {
            "page" => self.page = value.parse().unwrap_or(1).clamp(1, 1_000_000),
            "after" => self.after = row(),
            "before" => self.before = row(),
            _ => return false,
        }
        true
    }

    /// How many rows come before the page, if no row says where it begins, as in an address that somebody has written.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        if self.after.is_empty() && self.before.is_empty() {
            self.page.saturating_sub(1).saturating_mul(PAGE_SIZE)
        } else {
            0
        }
    }

    /// What says so in an address.
    #[must_use]
    pub fn query(&self) -> [(&'static str, String); 3] {
        let page = if self.page <= 1 {
            String::new()
        } else {
            self.page.to_string()
        };
        [
            ("page", page),
            ("after", self.after.clone()),
            ("before", self.before.clone()),
        ]
    }
}

/// The ends of a page, and what is behind it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ends {
    /// Its first row, as it is named in addresses.
    pub first: String,
    /// Its last row.
    pub last: String,
    /// Whether another page follows.
    pub more: bool,
}

/// Where one is in a list that is too long to be counted and stepped through, and the ways on. `href` gives the address of a
/// place.
pub(crate) fn turning(
    what: &'static str,
    place: &Place,
    rows: usize,
    total: u64,
    ends: &Ends,
    href: impl Fn(&Place) -> String,
) -> AnyView {
    let page = place.page.max(1);
    let first = (page - 1) * PAGE_SIZE + 1;
    let last = first + (rows as u64).saturating_sub(1);
    let all = if total > COUNTED {
        format!("more than {}", grouped(COUNTED))
    } else {
        grouped(total).to_string()
    };
    let range = format!("{}–{} of {all} {what}", grouped(first), grouped(last));
    let previous = match page {
        ..=2 => Place::default(),
        _ => Place {
            page: page - 1,
            before: ends.first.clone(),
            ..Place::default()
        },
    };
    let next = Place {
        page: page + 1,
        after: ends.last.clone(),
        ..Place::default()
    };
    let steps = (page > 1 || ends.more).then(|| {
        view! {
            <div class="steps">
                {step(href(&previous), "Previous", "prev", page > 1)}
                {step(href(&next), "Next", "next", ends.more)}
            </div>
        }
    });
    view! {
        <nav class="pagination" aria-label="Pages of the list">
            <p>{range}</p>
            {steps}
        </nav>
    }
    .into_any()
}

fn step(href: String, label: &'static str, rel: &'static str, possible: bool) -> AnyView {
    if possible {
        view! { <a class="button quiet" rel=rel href=href>{label}</a> }.into_any()
    } else {
        view! { <span class="button quiet" aria-disabled="true">{label}</span> }.into_any()
    }
}

/// Where one is in a long list, and the ways on. `href` gives the address of a page, counted from 1.
pub(crate) fn pagination(what: &'static str, page: u64, total: u64, href: impl Fn(u64) -> String) -> AnyView {
    let pages = total.div_ceil(PAGE_SIZE).max(1);
    let page = page.clamp(1, pages);
    let first = if total == 0 { 0 } else { (page - 1) * PAGE_SIZE + 1 };
    let last = (page * PAGE_SIZE).min(total);
    let range = format!(
        "{}–{} of {} {what}",
        grouped(first),
        grouped(last),
        grouped(total)
    );
    let steps = (pages > 1).then(|| {
        view! {
            <div class="steps">
                {step(href(page.saturating_sub(1)), "Previous", "prev", page > 1)}
                {step(href(page + 1), "Next", "next", page < pages)}
            </div>
        }
    });
    view! {
        <nav class="pagination" aria-label="Pages of the list">
            <p>{range}</p>
            {steps}
        </nav>
    }
    .into_any()
}
