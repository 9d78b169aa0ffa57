//! Pages that ask before something goes.

use super::block::{nothing, page_head};
use super::field::csrf;
use crate::PageContext;
use leptos::prelude::*;

/// What is about to happen to one thing.
pub(crate) struct Confirm {
    /// The list that it is in: its address and name.
    pub(crate) list: (&'static str, &'static str),
    /// Its own page: address and name.
    pub(crate) page: (String, String),
    /// The question.
    pub(crate) question: String,
    /// What will happen, and what will not.
    pub(crate) what: AnyView,
    /// The form target that does it.
    pub(crate) action: String,
    /// The button that does it.
    pub(crate) button: &'static str,
}

/// The question, what will happen, and two ways on.
pub(crate) fn confirm(context: &PageContext, it: Confirm) -> AnyView {
    let (list, list_name) = it.list;
    let (page, page_name) = it.page;
    view! {
        <nav class="trail" aria-label="Where you are">
            <a href=list>{list_name}</a>
            <a href=page.clone()>{page_name}</a>
        </nav>
        {page_head(it.question, nothing(), nothing())}
        <form method="post" action=it.action class="card narrow stack">
            {csrf(context)}
            <p>{it.what}</p>
            <div class="form-actions">
                <button type="submit" class="danger">{it.button}</button>
                <a class="button quiet" href=page>"Keep it"</a>
            </div>
        </form>
    }
    .into_any()
}
