//! Asking before a budget is deleted.

use super::{Page, Section};
use crate::part::block::{nothing, page_head, text};
use crate::part::field::csrf;
use crate::{PageContext, path};
use leptos::prelude::*;

/// The page that asks before a budget is deleted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeleteBudgetPage {
    /// Its id.
    pub id: String,
    /// What it is about, in words.
    pub about: String,
    /// How much and how often, in words.
    pub amount: String,
    /// Whether it blocks somebody now.
    pub blocks_now: bool,
}

impl Page for DeleteBudgetPage {
    fn title(&self) -> String {
        "Delete a budget".to_owned()
    }

    fn section(&self) -> Option<Section> {
        Some(Section::Budgets)
    }

    fn body(&self, context: &PageContext) -> AnyView {
        let title = format!("Delete the budget “{}”?", self.about);
        let now = if self.blocks_now {
            "It blocks requests at the moment: they are served again within a second, unless another budget blocks them."
        } else {
            "Nobody's spending is bounded by it any more; other budgets go on to hold."
        };
        view! {
            <nav class="trail" aria-label="Where you are">
                <a href=path::BUDGETS>"Budgets"</a>
                <a href=path::budget(&self.id)>{self.about.clone()}</a>
            </nav>
            {page_head(title, text(self.amount.clone()), nothing())}
            <form method="post" action=path::delete_budget(&self.id) class="card narrow stack">
                {csrf(context)}
                <ul class="prose">
                    <li>{now}</li>
                    <li>"Its raises, and the list of steps that were reached, are no longer shown."</li>
                    <li>"What was spent stays in the ledger: a new budget for the same takes it up again."</li>
                </ul>
                <div class="form-actions">
                    <button type="submit" class="danger">"Delete the budget"</button>
                    <a class="button quiet" href=path::budget(&self.id)>"Keep it"</a>
                </div>
            </form>
        }
        .into_any()
    }
}
