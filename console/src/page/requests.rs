//! Why a request went as it went.

use super::{Page, Section};
use crate::form::Field;
use crate::part::block::{Colour, badge, card, facts, message, nothing, page_head, text};
use crate::part::field::{Ask, input, summary};
use crate::part::list::{Column, name_cell, number_cell, row_head, table};
use crate::{PageContext, path};
use ccag_domain::UnixMs;
use ccag_domain::explanation::{Section as Part, Table};
use leptos::prelude::*;

const ID: Ask = Ask {
    id: "request-id",
    name: "id",
    label: "Id of a request",
    help: "It begins with req_ and stands in the header request-id of every answer and in the body of every error.",
    kind: "search",
    autocomplete: "",
    required: true,
    max_length: 120,
};

/// The form that asks for a request, empty or with what is wrong with the id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestSearchPage {
    /// The id.
    pub id: Field,
}

/// How one request was decided.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestPage {
    /// Its id.
    pub id: String,
    /// The status that the client got.
    pub status: u16,
    /// The key, if there is a page about it.
    pub key_id: Option<String>,
    /// What there is to say about where this comes from.
    pub note: Option<String>,
    /// Until when it is kept.
    pub kept_until_ms: Option<UnixMs>,
    /// What is told.
    pub parts: Vec<Part>,
}

impl Page for RequestSearchPage {
    fn title(&self) -> String {
        "Explain a request".to_owned()
    }

    fn section(&self) -> Option<Section> {
        Some(Section::Requests)
    }

    fn body(&self, _: &PageContext) -> AnyView {
        let lead =
            "Whose it was, what its budgets said, where it went and why, and what it cost, line by line.";
        let wrong = match self.id.error {
            Some(_) => summary(&[(&ID, &self.id)], Some("This request cannot be explained:")),
            None => nothing(),
        };
        view! {
            {page_head("Explain a request".to_owned(), text(lead), nothing())}
            {form(&self.id, wrong)}
        }
        .into_any()
    }
}

fn form(id: &Field, wrong: AnyView) -> AnyView {
    view! {
        <form method="get" action=path::REQUESTS class="stack card narrow" role="search">
            {wrong}
            {input(ID, id, &[])}
            <div class="form-actions">
                <button type="submit" class="primary">"Explain"</button>
                <a class="button quiet" href=path::HOME>"Overview"</a>
            </div>
        </form>
    }
    .into_any()
}

impl Page for RequestPage {
    fn title(&self) -> String {
        format!("Request {}", self.id)
    }

    fn section(&self) -> Option<Section> {
        Some(Section::Requests)
    }

    fn body(&self, _: &PageContext) -> AnyView {
        let colour = match self.status {
            200..=399 => Colour::Good,
            400..=499 => Colour::Warn,
            _ => Colour::Bad,
        };
        let actions = self.key_id.as_ref().map(|key| {
            view! { <a class="button" href=path::key(key)>"See the key"</a> }
        });
        let note = self
            .note
            .as_ref()
            .map(|note| view! { <div class="flash flash-note" role="note"><p>{message(note)}</p></div> });
        let kept = self.kept_until_ms.map(|at| {
            view! { <p class="quiet-note">"Kept until " {crate::format::moment(at)} "; the ledger keeps what it cost."</p> }
        });
        let parts = self.parts.iter().map(part).collect_view();
        view! {
            <nav class="trail" aria-label="Where you are">
                <a href=path::REQUESTS>"Explain a request"</a>
            </nav>
            {page_head(self.id.clone(), badge(colour, self.status.to_string()), actions.into_any())}
            {note}
            {parts}
            {kept}
        }
        .into_any()
    }
}

fn part(part: &Part) -> AnyView {
    let pairs: Vec<_> = part
        .facts
        .iter()
        .map(|(name, value)| (*name, message(value)))
        .collect();
    let pairs = (!pairs.is_empty()).then(|| facts(pairs));
    let rows = part.table.as_ref().map(|found| rows(part.title, found));
    let notes = part
        .notes
        .iter()
        .map(|note| view! { <p class="quiet-note">{message(note)}</p> })
        .collect_view();
    let body = view! { {pairs} {rows} {notes} };
    card(part.id, part.title, nothing(), body.into_any())
}

fn rows(caption: &'static str, found: &Table) -> AnyView {
    let columns = found.columns.iter().map(|(title, is_number)| {
        if *is_number {
            Column::number(title)
        } else {
            Column::text(title)
        }
    });
    let rows = found.rows.iter().map(|row| {
        let cells = row
            .iter()
            .zip(&found.columns)
            .enumerate()
            .map(|(n, (content, (title, is_number)))| match (n, is_number) {
                (0, _) => row_head(text(content.clone())),
                (_, true) => number_cell(title, text(content.clone())),
                (_, false) => name_cell(title, text(content.clone())),
            })
            .collect_view();
        view! { <tr>{cells}</tr> }.into_any()
    });
    table(caption, columns.collect(), rows.collect())
}
