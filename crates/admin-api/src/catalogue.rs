//! Models and prices.

use crate::{Rate, Timestamp};
use ccag_domain::model::OUTPUT_BURNDOWN;
use ccag_domain::{Geography, NanoUsd, PriceId};

/// The answer to `GET /admin/models`, by name.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ModelList {
    /// The models.
    pub models: Vec<ModelView>,
}

/// A model that the gateway serves.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ModelView {
    /// Its canonical name.
    pub name: String,
    /// Other names for the same model.
    pub aliases: Vec<String>,
    /// Its name for people.
    pub display_name: String,
    /// The family it belongs to.
    pub family: String,
    /// Bedrock's id of the foundation model.
    pub bedrock_id: String,
    /// For which geographies there is an inference profile.
    pub geographies: Vec<Geography>,
    /// Whether the foundation model can be invoked without a profile.
    pub on_demand: bool,
    /// The context window in tokens.
    pub context_tokens: u32,
    /// The most output tokens that it can be asked for.
    pub max_output_tokens: u32,
    /// Whether Bedrock Runtime can count its tokens.
    #[serde(default)]
    pub counts_tokens: bool,
    /// How many tokens of a quota one output token uses up.
    #[serde(default = "output_burndown")]
    pub output_burndown: u32,
    /// When it was released.
    #[serde(default = "epoch")]
    pub released_at: Timestamp,
    /// Whether it has a price; one without is refused.
    pub priced: bool,
    /// `built-in` or `admin`.
    #[serde(default)]
    pub source: String,
}

const fn output_burndown() -> u32 {
    OUTPUT_BURNDOWN
}

fn epoch() -> Timestamp {
    Timestamp::from_ms(0)
}

/// The body of `POST /admin/models`, and of `PUT /admin/models/{name}`, which replaces the whole model.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ModelSpec {
    /// Its canonical name, as Anthropic's API spells it without date: `claude-opus-5-5`. In a `PUT` it may be left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Other names for the same model, such as the dated one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// Its name for people; by default the canonical one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Bedrock's id of the foundation model, without a geography: `anthropic.claude-opus-5-5`.
    pub bedrock_id: String,
    /// For which geographies there is an inference profile. Where an endpoint has been asked, what AWS says there counts
    /// instead.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub geographies: Vec<Geography>,
    /// Whether the foundation model can be invoked without a profile; by default it cannot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_demand: Option<bool>,
    /// The context window in tokens; by default 200,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_tokens: Option<u32>,
    /// The most output tokens that it can be asked for; by default 64,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_output_tokens: Option<u32>,
    /// Whether Bedrock Runtime can count its tokens; by default it cannot, and the gateway estimates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts_tokens: Option<bool>,
    /// How many tokens of a quota one output token uses up, on Bedrock Runtime; by default 10, as of all current models.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_burndown: Option<u32>,
    /// When it was released; by default now. The models list of clients is in this order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released_at: Option<Timestamp>,
}

/// The query of `GET /admin/pricing`.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PricingQuery {
    /// Whether to list prices that have been replaced too; by default only those in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<bool>,
    /// Only this model's, however it is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

/// The body of `PUT /admin/pricing/{model}`: what the model costs from now on, in dollars per million tokens.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PriceSpec {
    /// Uncached input.
    pub input_rate: Rate,
    /// Output.
    pub output_rate: Rate,
    /// Cache reads.
    pub cache_read_rate: Rate,
    /// Cache writes that live five minutes.
    pub cache_write_rate: Rate,
    /// Cache writes that live one hour; by default twice the input rate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_1h_rate: Option<Rate>,
    /// What it costs with a long prompt, where that differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub long_context: Option<LongContextSpec>,
    /// What profiles of a geography cost, in thousandths of the rates; by default 1100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regional_permille: Option<u32>,
    /// What the foundation model costs without a profile, in thousandths of the rates; by default 1000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_region_permille: Option<u32>,
    /// What GovCloud profiles cost, in thousandths of the rates; by default 1200.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gov_permille: Option<u32>,
    /// What the bedrock-mantle lane costs outside GovCloud, in thousandths of the rates; by default what the built-in price
    /// says, or 1000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mantle_permille: Option<u32>,
    /// The number of the input price in AWS's price list, for reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aws_sku: Option<String>,
}

/// Rates for long prompts: they apply to the whole request.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct LongContextSpec {
    /// Prompts with more tokens than this pay these rates.
    pub above_prompt_tokens: u64,
    /// Uncached input.
    pub input_rate: Rate,
    /// Output.
    pub output_rate: Rate,
    /// Cache reads.
    pub cache_read_rate: Rate,
    /// Cache writes that live five minutes.
    pub cache_write_rate: Rate,
    /// Cache writes that live one hour; by default twice the input rate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_1h_rate: Option<Rate>,
}

/// The query of `POST /admin/pricing/import`; its body is the price list.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ImportQuery {
    /// Whether to only say what would change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dry_run: Option<bool>,
    /// Whether to replace prices that an admin has set, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overwrite: Option<bool>,
}

/// The answer to `POST /admin/pricing/import`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ImportReport {
    /// Whether nothing was changed because that was asked for.
    pub dry_run: bool,
    /// When AWS published the list, in its own words.
    pub published: Option<String>,
    /// How many prices the file holds, for whichever model.
    pub rows_read: u64,
    /// How many of them made the prices of models below.
    pub rows_used: u64,
    /// The prices that are different, or new.
    pub changed: Vec<PriceChange>,
    /// The models whose price is the same.
    pub unchanged: Vec<String>,
    /// What was left out, and why.
    pub skipped: Vec<SkippedRows>,
}

/// A price that is different, or new.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PriceChange {
    /// The model.
    pub model: String,
    /// The price before; `null` if there was none.
    pub before: Option<PriceView>,
    /// The price after. In a dry run its id is not kept.
    pub after: PriceView,
    /// What was assumed, or chosen among contradictions.
    pub notes: Vec<String>,
}

/// Prices that were left out.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SkippedRows {
    /// The model, where it is about one.
    pub model: Option<String>,
    /// Why.
    pub reason: String,
    /// How many rows of the file.
    pub rows: u64,
}

/// The answer to `GET /admin/pricing`, by model.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PriceList {
    /// The prices that are in force.
    pub prices: Vec<PriceView>,
}

/// What a model costs.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PriceView {
    /// Its id: kept with every cost that was computed from it.
    pub id: PriceId,
    /// The model's canonical name.
    pub model: String,
    /// What it costs in the global geography.
    pub rates: RatesView,
    /// What it costs with a long prompt, where that differs.
    pub long_context: Option<LongContextView>,
    /// What regional profiles cost, in thousandths of the rates.
    pub regional_permille: u32,
    /// What the foundation model costs without a profile, in thousandths of the rates.
    #[serde(default = "whole")]
    pub in_region_permille: u32,
    /// What GovCloud profiles cost, in thousandths of the rates.
    pub gov_permille: u32,
    /// What the bedrock-mantle lane costs outside GovCloud, in thousandths of the rates.
    #[serde(default = "whole")]
    pub mantle_permille: u32,
    /// `built-in`, `admin` or `aws-price-list`.
    pub source: String,
    /// The number of the input price in AWS's price list.
    #[serde(default)]
    pub aws_sku: Option<String>,
    /// Since when it is in force.
    #[serde(default)]
    pub valid_from: Option<Timestamp>,
    /// Since when it is no longer in force; `null` while it is.
    #[serde(default)]
    pub valid_until: Option<Timestamp>,
}

fn whole() -> u32 {
    1_000
}

/// Nano-USD per million tokens, by class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RatesView {
    /// Uncached input.
    pub input_nano_usd: NanoUsd,
    /// Output.
    pub output_nano_usd: NanoUsd,
    /// Cache reads.
    pub cache_read_nano_usd: NanoUsd,
    /// Cache writes that live five minutes.
    pub cache_write_5m_nano_usd: NanoUsd,
    /// Cache writes that live one hour.
    pub cache_write_1h_nano_usd: NanoUsd,
}

/// Other rates for long prompts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LongContextView {
    /// Prompts with more tokens than this pay these rates for everything.
    pub above_prompt_tokens: u64,
    /// The rates.
    pub rates: RatesView,
}

impl From<&ccag_domain::Rates> for RatesView {
    fn from(rates: &ccag_domain::Rates) -> Self {
        Self {
            input_nano_usd: rates.input,
            output_nano_usd: rates.output,
            cache_read_nano_usd: rates.cache_read,
            cache_write_5m_nano_usd: rates.cache_write_5m,
            cache_write_1h_nano_usd: rates.cache_write_1h,
        }
    }
}

impl From<&ccag_domain::Price> for PriceView {
    fn from(price: &ccag_domain::Price) -> Self {
        Self {
            id: price.id.clone(),
            model: price.model.to_string(),
            rates: (&price.rates).into(),
            long_context: price.long_context.as_ref().map(|long| LongContextView {
                above_prompt_tokens: long.above_prompt_tokens,
                rates: (&long.rates).into(),
            }),
            regional_permille: price.regional_permille,
            in_region_permille: price.in_region_permille,
            gov_permille: price.gov_permille,
            mantle_permille: price.mantle_permille,
            source: price.source.clone(),
            aws_sku: None,
            valid_from: None,
            valid_until: None,
        }
    }
}

impl ModelView {
    /// Shows a model; `priced` says whether the price book has it.
    #[must_use]
    pub fn new(model: &ccag_domain::Model, source: &str, priced: bool) -> Self {
        Self {
            name: model.name.to_string(),
            aliases: model.aliases.iter().map(ToString::to_string).collect(),
            display_name: model.display_name.clone(),
            family: model.family.clone(),
            bedrock_id: model.bedrock_id.clone(),
            geographies: model.geographies.clone(),
            on_demand: model.on_demand,
            context_tokens: model.context_tokens,
            max_output_tokens: model.max_output_tokens,
            counts_tokens: model.counts_tokens,
            output_burndown: model.output_burndown,
            released_at: Timestamp::from_ms(model.released_at_s.saturating_mul(1_000)),
            priced,
            source: source.to_owned(),
        }
    }
}
