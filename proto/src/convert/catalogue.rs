//! Models and prices.

use super::{InvalidMessage, geography, id};
use crate::v1;
use ccag_domain::model::OUTPUT_BURNDOWN;
use ccag_domain::price::LongContext;
use ccag_domain::{Model, ModelName, NanoUsd, Price, Rates};

impl From<Model> for v1::Model {
    fn from(model: Model) -> Self {
        Self {
            name: model.name.to_string(),
            aliases: model.aliases.iter().map(ToString::to_string).collect(),
            display_name: model.display_name,
            family: model.family,
            bedrock_id: model.bedrock_id,
            geographies: model.geographies.iter().map(ToString::to_string).collect(),
            on_demand: model.on_demand,
            context_tokens: model.context_tokens,
            max_output_tokens: model.max_output_tokens,
            counts_tokens: model.counts_tokens,
            released_at_s: model.released_at_s,
            output_burndown: Some(model.output_burndown),
        }
    }
}

fn model_name(field: &'static str, text: &str) -> Result<ModelName, InvalidMessage> {
    let name = ModelName::canonical(text);
    if name.as_str().is_empty() {
        return Err(InvalidMessage::Missing(field));
    }
    Ok(name)
}

impl TryFrom<v1::Model> for Model {
    type Error = InvalidMessage;
    fn try_from(message: v1::Model) -> Result<Self, InvalidMessage> {
        if message.bedrock_id.is_empty() {
            return Err(InvalidMessage::Missing("bedrock_id"));
        }
        Ok(Self {
            name: model_name("name", &message.name)?,
            aliases: message
                .aliases
                .iter()
                .map(|alias| ModelName::canonical(alias))
                .collect(),
            display_name: message.display_name,
            family: message.family,
            bedrock_id: message.bedrock_id,
            geographies: message
                .geographies
                .iter()
                .map(|g| geography(g))
                .collect::<Result<_, _>>()?,
            on_demand: message.on_demand,
            context_tokens: message.context_tokens,
            max_output_tokens: message.max_output_tokens,
            counts_tokens: message.counts_tokens,
            released_at_s: message.released_at_s,
            output_burndown: message.output_burndown.unwrap_or(OUTPUT_BURNDOWN),
        })
    }
}

impl From<Rates> for v1::Rates {
    fn from(rates: Rates) -> Self {
        Self {
            input: rates.input.0,
            output: rates.output.0,
            cache_read: rates.cache_read.0,
            cache_write_5m: rates.cache_write_5m.0,
            cache_write_1h: rates.cache_write_1h.0,
        }
    }
}

/// A negative rate would pay people for asking: unusable.
fn rates(message: Option<v1::Rates>) -> Result<Rates, InvalidMessage> {
    let message = message.ok_or(InvalidMessage::Missing("rates"))?;
    let rate = |value: i64| match value {
        0.. => Ok(NanoUsd(value)),
        _ => Err(InvalidMessage::unusable("rates", value)),
    };
    Ok(Rates {
        input: rate(message.input)?,
        output: rate(message.output)?,
        cache_read: rate(message.cache_read)?,
        cache_write_5m: rate(message.cache_write_5m)?,
        cache_write_1h: rate(message.cache_write_1h)?,
    })
}

impl From<Price> for v1::Price {
    fn from(price: Price) -> Self {
        Self {
            id: price.id.into(),
            model: price.model.to_string(),
            rates: Some(price.rates.into()),
            long_context: price.long_context.map(|long| v1::LongContext {
                above_prompt_tokens: long.above_prompt_tokens,
                rates: Some(long.rates.into()),
            }),
            regional_permille: price.regional_permille,
            gov_permille: price.gov_permille,
            in_region_permille: Some(price.in_region_permille),
            mantle_permille: Some(price.mantle_permille),
            source: price.source,
        }
    }
}

impl TryFrom<v1::Price> for Price {
    type Error = InvalidMessage;
    fn try_from(message: v1::Price) -> Result<Self, InvalidMessage> {
        let long_context = message
            .long_context
            .map(|long| {
                Ok(LongContext {
                    above_prompt_tokens: long.above_prompt_tokens,
                    rates: rates(long.rates)?,
                })
            })
            .transpose()?;
        Ok(Self {
            id: id("id", message.id)?,
            model: model_name("model", &message.model)?,
            rates: rates(message.rates)?,
            long_context,
            regional_permille: message.regional_permille,
            gov_permille: message.gov_permille,
            in_region_permille: message.in_region_permille.unwrap_or(1_000),
            mantle_permille: message.mantle_permille.unwrap_or(1_000),
            source: message.source,
        })
    }
}
