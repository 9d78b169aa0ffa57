//! What a model costs and has cost, and the form that sets a new price.

use super::{FormPage, Page, Section};
use crate::form::Field;
use crate::format::moment;
use crate::part::block::{Colour, badge, card, nothing, page_head, text};
use crate::part::field::{Ask, button_form, csrf, input, summary};
use crate::part::list::{Column, cell, number_cell, row_head, table};
use crate::{PageContext, path};
use ccag_domain::UnixMs;
use leptos::prelude::*;

/// What the form holds: dollars per million tokens, and premiums in thousandths.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PriceForm {
    /// Uncached input.
    pub input: Field,
    /// Output.
    pub output: Field,
    /// Cache reads.
    pub cache_read: Field,
    /// Cache writes that live five minutes.
    pub cache_write: Field,
    /// Cache writes that live one hour.
    pub cache_write_1h: Field,
    /// The threshold of long prompts in tokens; empty is none.
    pub long_above: Field,
    /// Input of long prompts.
    pub long_input: Field,
    /// Output after long prompts.
    pub long_output: Field,
    /// Cache reads of long prompts.
    pub long_cache_read: Field,
    /// Five-minute cache writes of long prompts.
    pub long_cache_write: Field,
    /// One-hour cache writes of long prompts.
    pub long_cache_write_1h: Field,
    /// What profiles of a geography cost.
    pub regional: Field,
    /// What the model costs without a profile.
    pub in_region: Field,
    /// What GovCloud costs.
    pub gov: Field,
    /// What the bedrock-mantle lane costs.
    pub mantle: Field,
}

impl PriceForm {
    /// Its fields with their names in the admin API.
    pub fn fields_mut(&mut self) -> [(&'static str, &mut Field); 15] {
        [
            (INPUT.name, &mut self.input),
            (OUTPUT.name, &mut self.output),
            (READ.name, &mut self.cache_read),
            (WRITE.name, &mut self.cache_write),
            (WRITE_1H.name, &mut self.cache_write_1h),
            (LONG.name, &mut self.long_above),
            (LONG_INPUT.name, &mut self.long_input),
            (LONG_OUTPUT.name, &mut self.long_output),
            (LONG_READ.name, &mut self.long_cache_read),
            (LONG_WRITE.name, &mut self.long_cache_write),
            (LONG_WRITE_1H.name, &mut self.long_cache_write_1h),
            (REGIONAL.name, &mut self.regional),
            (IN_REGION.name, &mut self.in_region),
            (GOV.name, &mut self.gov),
            (MANTLE.name, &mut self.mantle),
        ]
    }

    fn asked(&self) -> [(&'static Ask, &Field); 15] {
        [
            (&INPUT, &self.input),
            (&OUTPUT, &self.output),
            (&READ, &self.cache_read),
            (&WRITE, &self.cache_write),
            (&WRITE_1H, &self.cache_write_1h),
            (&LONG, &self.long_above),
            (&LONG_INPUT, &self.long_input),
            (&LONG_OUTPUT, &self.long_output),
            (&LONG_READ, &self.long_cache_read),
            (&LONG_WRITE, &self.long_cache_write),
            (&LONG_WRITE_1H, &self.long_cache_write_1h),
            (&REGIONAL, &self.regional),
            (&IN_REGION, &self.in_region),
            (&GOV, &self.gov),
            (&MANTLE, &self.mantle),
        ]
    }
}

const fn ask(
    id: &'static str,
    name: &'static str,
    label: &'static str,
    help: &'static str,
    required: bool,
) -> Ask {
    Ask {
        id,
        name,
        label,
        help,
        kind: "",
        autocomplete: "",
        required,
        max_length: 24,
    }
}

static INPUT: Ask = ask("input", "input_rate", "Input", "Not cached.", true);
static OUTPUT: Ask = ask("output", "output_rate", "Output", "", true);
static READ: Ask = ask("read", "cache_read_rate", "Cache reads", "", true);
static WRITE: Ask = ask("write", "cache_write_rate", "Cache writes, 5 minutes", "", true);
static WRITE_1H: Ask = ask(
    "write-1h",
    "cache_write_1h_rate",
    "Cache writes, 1 hour",
    "Empty is twice the input.",
    false,
);
static LONG: Ask = ask(
    "long",
    "long_context.above_prompt_tokens",
    "Long prompts, above tokens",
    "They pay the long rates for everything. Empty: there are none.",
    false,
);
static LONG_INPUT: Ask = ask("long-input", "long_context.input_rate", "Long: input", "", false);
static LONG_OUTPUT: Ask = ask(
    "long-output",
    "long_context.output_rate",
    "Long: output",
    "",
    false,
);
static LONG_READ: Ask = ask(
    "long-read",
    "long_context.cache_read_rate",
    "Long: cache reads",
    "",
    false,
);
static LONG_WRITE: Ask = ask(
    "long-write",
    "long_context.cache_write_rate",
    "Long: cache writes, 5 minutes",
    "",
    false,
);
static LONG_WRITE_1H: Ask = ask(
    "long-write-1h",
    "long_context.cache_write_1h_rate",
    "Long: cache writes, 1 hour",
    "",
    false,
);
static REGIONAL: Ask = ask(
    "regional",
    "regional_permille",
    "Profiles of a geography",
    "In thousandths: 1100 is ten per cent more.",
    true,
);
static IN_REGION: Ask = ask(
    "in-region",
    "in_region_permille",
    "Without a profile",
    "In thousandths.",
    true,
);
static GOV: Ask = ask("gov", "gov_permille", "GovCloud", "In thousandths.", true);
static MANTLE: Ask = ask(
    "mantle",
    "mantle_permille",
    "Mantle lane",
    "In thousandths, whatever the profile; GovCloud's own premium counts there. Empty is what the built-in price says.",
    false,
);

/// One price that is or was in force; amounts are dollars per million tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceRow {
    /// Its id, as it stands in the ledger.
    pub id: String,
    /// Input, output, cache reads, five-minute and one-hour cache writes.
    pub rates: [String; 5],
    /// What profiles of a geography cost, in thousandths.
    pub regional_permille: u32,
    /// Where it comes from.
    pub source: String,
    /// Since when it is in force.
    pub from_ms: UnixMs,
    /// Since when it is not any more.
    pub until_ms: Option<UnixMs>,
}

/// The page for a model's prices.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PricePage {
    /// The model's canonical name.
    pub name: String,
    /// Its name for people.
    pub title: String,
    /// What the form holds.
    pub form: PriceForm,
    /// All prices that are or were in force, the newest first.
    pub history: Vec<PriceRow>,
    /// What is wrong with the form as a whole.
    pub trouble: Option<String>,
}

impl FormPage for PricePage {
    fn field_mut(&mut self, name: &str) -> Option<&mut Field> {
        let fields = self.form.fields_mut();
        fields
            .into_iter()
            .find_map(|(known, field)| (known == name).then_some(field))
    }

    fn trouble_mut(&mut self) -> &mut Option<String> {
        &mut self.trouble
    }
}

impl Page for PricePage {
    fn title(&self) -> String {
        format!("Prices of {}", self.title)
    }

    fn section(&self) -> Option<Section> {
        Some(Section::Models)
    }

    fn body(&self, context: &PageContext) -> AnyView {
        let reset = if context.posts(&path::model_price(&self.name)) && !self.history.is_empty() {
            button_form(
                context,
                path::reset_price(&self.name),
                &[],
                "Back to the built-in price",
                &self.title,
                "",
            )
        } else {
            nothing()
        };
        view! {
            <nav class="trail" aria-label="Where you are">
                <a href=path::MODELS>"Models and prices"</a>
                <a href=path::model(&self.name)>{self.title.clone()}</a>
            </nav>
            {page_head(
                format!("Prices of {}", self.title),
                text("Dollars per million tokens, through the global profile. A request costs what was in force when it began."),
                reset,
            )}
            {context.posts(&path::model_price(&self.name)).then(|| self.form(context))}
            {card("history", "In force, and before", nothing(), self.past())}
        }
        .into_any()
    }
}

impl PricePage {
    fn form(&self, context: &PageContext) -> AnyView {
        let asked = self.form.asked();
        let inputs = asked
            .iter()
            .map(|(ask, field)| input(**ask, field, &[]))
            .collect_view();
        view! {
            <form method="post" action=path::model_price(&self.name) class="card grid-form">
                {csrf(context)}
                {summary(&asked, self.trouble.as_deref())}
                {inputs}
                <div class="form-actions">
                    <button type="submit" class="primary">"Set the price from now on"</button>
                    <a class="button quiet" href=path::model(&self.name)>"Cancel"</a>
                </div>
            </form>
        }
        .into_any()
    }

    fn past(&self) -> AnyView {
        if self.history.is_empty() {
            return view! { <p class="quiet-note">"It has no price, and is refused until it has one."</p> }
                .into_any();
        }
        let columns = vec![
            Column::text("From"),
            Column::text("Until"),
            Column::number("Input"),
            Column::number("Output"),
            Column::number("Reads"),
            Column::number("Writes, 5 min"),
            Column::number("Writes, 1 h"),
            Column::number("Regional"),
            Column::text("Source"),
        ];
        let rows = self
            .history
            .iter()
            .map(|price| {
                let until = price
                    .until_ms
                    .map_or_else(|| badge(Colour::Good, "in force"), moment);
                let [input, output, read, five, hour] = price.rates.clone();
                view! {
                    <tr>
                        {row_head(moment(price.from_ms))}
                        {cell("Until", until)}
                        {number_cell("Input", text(input))}
                        {number_cell("Output", text(output))}
                        {number_cell("Reads", text(read))}
                        {number_cell("Writes, 5 min", text(five))}
                        {number_cell("Writes, 1 h", text(hour))}
                        {number_cell("Regional", text(format!("{}.{} %", price.regional_permille / 10, price.regional_permille % 10)))}
                        {cell("Source", text(price.source.clone()))}
                    </tr>
                }
                .into_any()
            })
            .collect();
        table("Prices over time", columns, rows)
    }
}
