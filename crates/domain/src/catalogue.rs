//! The models and prices that a new installation starts with. Admins change them at run time; this table only fills an
//! empty database and adds models that are missing.
//!
//! Sources: model ids, profiles and limits from AWS "Supported foundation models" and "Inference profiles"; rates from the
//! Amazon Bedrock price list (US dollars per million tokens, global profile), read in November 2026.

use crate::model::OUTPUT_BURNDOWN;
use crate::price::LongContext;
use crate::{Geography, Model, ModelName, NanoUsd, Price, PriceId, Rates};
use Geography::{Apac, Au, Eu, Global, Jp, Us, UsGov};

struct Row {
    name: &'static str,
    aliases: &'static [&'static str],
    display: &'static str,
    bedrock_id: &'static str,
    geographies: &'static [Geography],
    on_demand: bool,
    context: u32,
    max_output: u32,
    /// Input, output, cache read, 5-minute write, 1-hour write: thousandths of a dollar per million tokens.
    rates: [i64; 5],
    /// Threshold in prompt tokens, and the rates above it.
    long: Option<(u64, [i64; 5])>,
    regional_permille: u32,
    mantle_permille: u32,
    counts_tokens: bool,
    output_burndown: u32,
    released_at_s: i64,
}

const ALL: &[Geography] = &[Global, Us, Eu, Au, Jp, Apac, UsGov];
const NO_GOV: &[Geography] = &[Global, Us, Eu, Au, Jp, Apac];
const K: u32 = 1_000;
const M: u32 = 1_000_000;

const fn row(
    name: &'static str,
    display: &'static str,
    bedrock_id: &'static str,
    geographies: &'static [Geography],
    rates: [i64; 5],
    released_at_s: i64,
) -> Row {
    Row {
        name,
        aliases: &[],
        display,
        bedrock_id,
        geographies,
        on_demand: false,
        context: M,
        max_output: 128 * K,
        rates,
        long: None,
        regional_permille: 1_100,
        mantle_permille: 1_000,
        counts_tokens: false,
        output_burndown: OUTPUT_BURNDOWN,
        released_at_s,
    }
}

/// The generation of 5.5: bedrock-mantle takes a tenth more for it (LiteLLM's price map of November 2026, keys
/// `bedrock_mantle/anthropic.claude-opus-5-5` and `…-sonnet-5-5`; GovCloud a fifth more, as everywhere).
const fn of_5_5(base: Row) -> Row {
    Row {
        mantle_permille: 1_100,
        ..base
    }
}

/// The same, where an output token uses up as many of a quota.
const fn burning(output_burndown: u32, base: Row) -> Row {
    Row {
        output_burndown,
        ..base
    }
}

const fn older(base: Row, aliases: &'static [&'static str], context: u32, max_output: u32) -> Row {
    Row {
        aliases,
        on_demand: true,
        context,
        max_output,
        counts_tokens: true,
        // From Claude 3.7 to 4.7 (AWS, "How tokens are counted in Amazon Bedrock").
        output_burndown: 5,
        ..base
    }
}

const ROWS: &[Row] = &[
    row(
        "claude-fable-5-2",
        "Claude Fable 5.2",
        "anthropic.claude-fable-5-2",
        &[Global],
        [8_000, 40_000, 200, 10_000, 16_000],
        1_793_491_200,
    ),
    row(
        "claude-fable-5-1",
        "Claude Fable 5.1",
        "anthropic.claude-fable-5-1",
        &[Global, Us, Eu, UsGov],
        [10_000, 50_000, 250, 12_500, 20_000],
        1_788_220_800,
    ),
    row(
        "claude-fable-5",
        "Claude Fable 5",
        "anthropic.claude-fable-5",
        &[Global, Us, Eu, Au, Apac],
        [10_000, 50_000, 1_000, 12_500, 20_000],
        1_780_272_000,
    ),
    row(
        "claude-mythos-5-1",
        "Claude Mythos 5.1",
        "anthropic.claude-mythos-5-1",
        &[Global, Us],
        [10_000, 50_000, 250, 12_500, 20_000],
        1_788_220_800,
    ),
    row(
        "claude-mythos-5",
        "Claude Mythos 5",
        "anthropic.claude-mythos-5",
        &[Us],
        [10_000, 50_000, 250, 12_500, 20_000],
        1_780_272_000,
    ),
    row(
        "claude-mythos-preview",
        "Claude Mythos (preview)",
        "anthropic.claude-mythos-preview",
        &[Us, Au, Apac],
        // The map has it in profiles of a geography only, a tenth above these: 27.5 and 137.5 dollars, and so on.
        [25_000, 125_000, 2_500, 31_250, 50_000],
        1_775_001_600,
    ),
    of_5_5(row(
        "claude-opus-5-5",
        "Claude Opus 5.5",
        "anthropic.claude-opus-5-5",
        ALL,
        [4_000, 20_000, 200, 5_000, 8_000],
        1_789_948_800,
    )),
    row(
        "claude-opus-5",
        "Claude Opus 5",
        "anthropic.claude-opus-5",
        ALL,
        [5_000, 25_000, 500, 6_250, 10_000],
        1_782_864_000,
    ),
    burning(
        15,
        row(
            "claude-opus-4-8",
            "Claude Opus 4.8",
            "anthropic.claude-opus-4-8",
            ALL,
            [5_000, 25_000, 500, 6_250, 10_000],
            1_778_803_200,
        ),
    ),
    burning(
        5,
        row(
            "claude-opus-4-7",
            "Claude Opus 4.7",
            "anthropic.claude-opus-4-7",
            NO_GOV,
            [5_000, 25_000, 500, 6_250, 10_000],
            1_776_297_600,
        ),
    ),
    older(
        row(
            "claude-opus-4-6",
            "Claude Opus 4.6",
            "anthropic.claude-opus-4-6-v1",
            &[Global, Us, Eu, Au],
            [5_000, 25_000, 500, 6_250, 10_000],
            1_770_249_600,
        ),
        &[],
        M,
        128 * K,
    ),
    older(
        row(
            "claude-opus-4-5",
            "Claude Opus 4.5",
            "anthropic.claude-opus-4-5-20251101-v1:0",
            &[Global, Us, Eu],
            [5_000, 25_000, 500, 6_250, 10_000],
            1_763_942_400,
        ),
        &["claude-opus-4-5-20251101"],
        200 * K,
        64 * K,
    ),
    Row {
        regional_permille: 1_000,
        ..older(
            row(
                "claude-opus-4-1",
                "Claude Opus 4.1",
                "anthropic.claude-opus-4-1-20250805-v1:0",
                &[Us, Eu],
                [15_000, 75_000, 1_500, 18_750, 30_000],
                1_754_352_000,
            ),
            &["claude-opus-4-1-20250805"],
            200 * K,
            32 * K,
        )
    },
    of_5_5(row(
        "claude-sonnet-5-5",
        "Claude Sonnet 5.5",
        "anthropic.claude-sonnet-5-5",
        ALL,
        [2_000, 10_000, 100, 2_500, 4_000],
        1_789_948_800,
    )),
    row(
        "claude-sonnet-5",
        "Claude Sonnet 5",
        "anthropic.claude-sonnet-5",
        ALL,
        [2_000, 10_000, 200, 2_500, 4_000],
        1_782_864_000,
    ),
    older(
        row(
            "claude-sonnet-4-6",
            "Claude Sonnet 4.6",
            "anthropic.claude-sonnet-4-6",
            NO_GOV,
            [3_000, 15_000, 300, 3_750, 6_000],
            1_771_286_400,
        ),
        &[],
        M,
        64 * K,
    ),
    Row {
        long: Some((200_000, [6_000, 22_500, 600, 7_500, 12_000])),
        ..older(
            row(
                "claude-sonnet-4-5",
                "Claude Sonnet 4.5",
                "anthropic.claude-sonnet-4-5-20250929-v1:0",
                &[Global, Us, Eu, Au, Jp, UsGov],
                [3_000, 15_000, 300, 3_750, 6_000],
                1_759_104_000,
            ),
            &["claude-sonnet-4-5-20250929"],
            200 * K,
            64 * K,
        )
    },
    Row {
        long: Some((200_000, [6_000, 22_500, 600, 7_500, 12_000])),
        regional_permille: 1_000,
        ..older(
            row(
                "claude-sonnet-4",
                "Claude Sonnet 4",
                "anthropic.claude-sonnet-4-20250514-v1:0",
                &[Global, Us, Eu, Apac],
                [3_000, 15_000, 300, 3_750, 6_000],
                1_747_872_000,
            ),
            &["claude-sonnet-4-20250514", "claude-sonnet-4-0"],
            200 * K,
            64 * K,
        )
    },
    Row {
        long: Some((100_000, [500, 2_500, 50, 625, 1_000])),
        ..of_5_5(row(
            "claude-haiku-5-5",
            "Claude Haiku 5.5",
            "anthropic.claude-haiku-5-5",
            ALL,
            [100, 500, 10, 125, 200],
            1_789_948_800,
        ))
    },
    older(
        row(
            "claude-haiku-4-5",
            "Claude Haiku 4.5",
            "anthropic.claude-haiku-4-5-20251001-v1:0",
            ALL,
            [1_000, 5_000, 100, 1_250, 2_000],
            1_760_486_400,
        ),
        &["claude-haiku-4-5-20251001"],
        200 * K,
        64 * K,
    ),
];

fn rates(milli_usd: [i64; 5]) -> Rates {
    let [input, output, cache_read, cache_write_5m, cache_write_1h] =
        milli_usd.map(|milli| NanoUsd(milli * (NanoUsd::PER_USD / 1_000)));
    Rates {
        input,
        output,
        cache_read,
        cache_write_5m,
        cache_write_1h,
    }
}

/// The models of the built-in catalogue.
#[must_use]
pub fn models() -> Vec<Model> {
    ROWS.iter()
        .map(|row| {
            let name = ModelName::canonical(row.name);
            Model {
                aliases: row.aliases.iter().map(|a| ModelName::canonical(a)).collect(),
                display_name: row.display.to_owned(),
                family: name.family().unwrap_or("other").to_owned(),
                bedrock_id: row.bedrock_id.to_owned(),
                geographies: row.geographies.to_vec(),
                on_demand: row.on_demand,
                context_tokens: row.context,
                max_output_tokens: row.max_output,
                counts_tokens: row.counts_tokens,
                output_burndown: row.output_burndown,
                released_at_s: row.released_at_s,
                name,
            }
        })
        .collect()
}

/// The prices of the built-in catalogue, one for each model.
#[must_use]
pub fn prices() -> Vec<Price> {
    ROWS.iter()
        .filter_map(|row| {
            Some(Price {
                id: PriceId::parse(&format!("price_builtin-{}", row.name)).ok()?,
                model: ModelName::canonical(row.name),
                rates: rates(row.rates),
                long_context: row.long.map(|(above, long)| LongContext {
                    above_prompt_tokens: above,
                    rates: rates(long),
                }),
                regional_permille: row.regional_permille,
                in_region_permille: 1_000,
                gov_permille: 1_200,
                mantle_permille: row.mantle_permille,
                source: "built-in".to_owned(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_model_has_a_price_and_a_name_of_its_own() {
        let prices = prices();
        assert_eq!(prices.len(), ROWS.len());
        let mut names = HashSet::new();
        for model in models() {
            assert!(prices.iter().any(|p| p.model == model.name), "{}", model.name);
            for name in model.aliases.iter().chain([&model.name]) {
                assert!(names.insert(name.clone()), "{name} stands twice");
            }
            assert_eq!(
                ModelName::canonical(&model.bedrock_id)
                    .without_date()
                    .unwrap_or(ModelName::canonical(&model.bedrock_id)),
                model.name
            );
        }
    }

    #[test]
    fn no_rate_is_free() {
        for price in prices() {
            for rates in [Some(price.rates), price.long_context.map(|l| l.rates)]
                .into_iter()
                .flatten()
            {
                for rate in [
                    rates.input,
                    rates.output,
                    rates.cache_read,
                    rates.cache_write_5m,
                    rates.cache_write_1h,
                ] {
                    assert!(rate > NanoUsd::ZERO, "{}", price.model);
                }
            }
        }
    }
}
