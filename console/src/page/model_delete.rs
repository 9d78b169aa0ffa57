//! Asking before a model is taken out of the catalogue.

use super::{Page, Section};
use crate::part::block::{nothing, page_head, text};
use crate::part::field::csrf;
use crate::{PageContext, path};
use leptos::prelude::*;

/// The page that asks before a model is taken out of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeleteModelPage {
    /// Its canonical name.
    pub name: String,
    /// Its name for people.
    pub title: String,
}

impl Page for DeleteModelPage {
    fn title(&self) -> String {
        format!("Remove {}", self.title)
    }

    fn section(&self) -> Option<Section> {
        Some(Section::Models)
    }

    fn body(&self, context: &PageContext) -> AnyView {
        view! {
            <nav class="trail" aria-label="Where you are">
                <a href=path::MODELS>"Models and prices"</a>
                <a href=path::model(&self.name)>{self.title.clone()}</a>
            </nav>
            {page_head(format!("Remove “{}”?", self.title), text("It is no longer served."), nothing())}
            <form method="post" action=path::delete_model(&self.name) class="card narrow stack">
                {csrf(context)}
                <ul class="prose">
                    <li>"Every connected data plane refuses requests for it within a second."</li>
                    <li>"Answers that are streaming now run to their end."</li>
                    <li>"What it cost stays in the ledger, and its prices stay in the history."</li>
                    <li>"It can be added again under the same name."</li>
                </ul>
                <div class="form-actions">
                    <button type="submit" class="danger">"Remove the model"</button>
                    <a class="button quiet" href=path::model(&self.name)>"Keep it"</a>
                </div>
            </form>
        }
        .into_any()
    }
}
