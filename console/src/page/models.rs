//! The models and what they cost.

use super::{Page, Section};
use crate::format::grouped;
use crate::part::block::{Colour, badge, empty, nothing, page_head, text};
use crate::part::field::filter_bar;
use crate::part::list::{Column, cell, name_cell, number_cell, row_head, table};
use crate::{PageContext, path};
use leptos::prelude::*;

/// One model in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelRow {
    /// Its canonical name.
    pub name: String,
    /// Its name for people.
    pub title: String,
    /// Bedrock's id of the foundation model.
    pub bedrock_id: String,
    /// The context window in tokens.
    pub context_tokens: u32,
    /// Dollars per million tokens of input and output; `None` without a price.
    pub price: Option<(String, String)>,
    /// Where model and price come from: `built-in`, `admin`, `aws-price-list`.
    pub source: String,
}

/// The models and what they cost.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModelsPage {
    /// What was searched for.
    pub search: String,
    /// The models that fit, by name.
    pub rows: Vec<ModelRow>,
}

impl Page for ModelsPage {
    fn title(&self) -> String {
        "Models and prices".to_owned()
    }

    fn section(&self) -> Option<Section> {
        Some(Section::Models)
    }

    fn body(&self, context: &PageContext) -> AnyView {
        let actions = if context.posts(path::MODELS) {
            view! {
                <a class="button" href=path::IMPORT_PRICES>"Import AWS's price list"</a>
                <a class="button primary" href=path::NEW_MODEL>"Add a model"</a>
            }
            .into_any()
        } else {
            nothing()
        };
        let list = if self.rows.is_empty() {
            empty(
                "No model fits",
                view! { <p>"Search for a part of its name, its Bedrock id or its name for people."</p> }
                    .into_any(),
                nothing(),
            )
        } else {
            self.list()
        };
        view! {
            {page_head(
                "Models and prices".to_owned(),
                text("What the gateway serves, and what it costs in dollars per million tokens."),
                actions,
            )}
            {filter_bar(path::MODELS, "Search for a model", &self.search, nothing())}
            {list}
        }
        .into_any()
    }
}

impl ModelsPage {
    fn list(&self) -> AnyView {
        let columns = vec![
            Column::text("Model"),
            Column::text("Bedrock id"),
            Column::number("Context"),
            Column::number("Input"),
            Column::number("Output"),
            Column::text("Source"),
        ];
        let rows = self
            .rows
            .iter()
            .map(|model| {
                let name = view! { <a href=path::model(&model.name)>{model.title.clone()}</a> };
                let (input, output) = match &model.price {
                    Some((input, output)) => (text(format!("${input}")), text(format!("${output}"))),
                    None => (badge(Colour::Warn, "No price"), nothing()),
                };
                view! {
                    <tr>
                        {row_head(name.into_any())}
                        {name_cell("Bedrock id", view! { <code>{model.bedrock_id.clone()}</code> }.into_any())}
                        {number_cell("Context", text(grouped(model.context_tokens.into())))}
                        {number_cell("Input", input)}
                        {number_cell("Output", output)}
                        {cell("Source", text(model.source.clone()))}
                    </tr>
                }
                .into_any()
            })
            .collect();
        table("Models and prices", columns, rows)
    }
}
