//! Models and prices, read-only.

use ccag_domain::{Geography, NanoUsd, PriceId};

/// The answer to `GET /admin/models`, by name.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ModelList {
    /// The models.
    pub models: Vec<ModelView>,
}

/// A model that the gateway serves.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
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
    /// Whether it has a price; one without is refused.
    pub priced: bool,
}

/// The answer to `GET /admin/pricing`, by model.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PriceList {
    /// The prices that are in force.
    pub prices: Vec<PriceView>,
}

/// What a model costs.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PriceView {
    /// Its id: kept with every cost that was computed from it.
    pub id: PriceId,
    /// The model's canonical name.
    pub model: String,
    /// What it costs in the global geography and in a single region.
    pub rates: RatesView,
    /// What it costs with a long prompt, where that differs.
    pub long_context: Option<LongContextView>,
    /// What regional profiles cost, in thousandths of the rates.
    pub regional_permille: u32,
    /// What GovCloud profiles cost, in thousandths of the rates.
    pub gov_permille: u32,
    /// `built-in` or `admin`.
    pub source: String,
}

/// Nano-USD per million tokens, by class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
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
            gov_permille: price.gov_permille,
            source: price.source.clone(),
        }
    }
}

impl ModelView {
    /// Shows a model; `priced` says whether the price book has it.
    #[must_use]
    pub fn new(model: &ccag_domain::Model, priced: bool) -> Self {
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
            priced,
        }
    }
}
