//! What tokens cost.

use crate::{Geography, Lane, ModelName, NanoUsd, PriceId, Tokens};
use std::collections::HashMap;

/// Nano-USD per million tokens, by class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Rates {
    /// Uncached input.
    pub input: NanoUsd,
    /// Output.
    pub output: NanoUsd,
    /// Cache reads.
    pub cache_read: NanoUsd,
    /// Cache writes that live five minutes.
    pub cache_write_5m: NanoUsd,
    /// Cache writes that live one hour.
    pub cache_write_1h: NanoUsd,
}

/// Other rates for requests with a long prompt: they apply to the whole request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LongContext {
    /// Prompts with more tokens than this (cached ones included) pay these rates.
    pub above_prompt_tokens: u64,
    /// The rates.
    pub rates: Rates,
}

/// One row of the price book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Price {
    /// Its id: kept with every cost that was computed from it.
    pub id: PriceId,
    /// The model that it prices.
    pub model: ModelName,
    /// What the model costs in the global geography.
    pub rates: Rates,
    /// What it costs with a long prompt, where that differs.
    pub long_context: Option<LongContext>,
    /// What `us.`, `eu.`, `au.`, `jp.`, `apac.`, `in.` and `ca.` profiles cost, in thousandths of the rates.
    pub regional_permille: u32,
    /// What the foundation model costs without a profile, in thousandths of the rates.
    pub in_region_permille: u32,
    /// What `us-gov.` profiles cost, in thousandths of the rates.
    pub gov_permille: u32,
    /// What the bedrock-mantle lane costs outside GovCloud, in thousandths of the rates: it takes base models, so no profile
    /// decides.
    pub mantle_permille: u32,
    /// Where the numbers come from: `built-in`, `admin` or `aws-price-list`.
    pub source: String,
}

/// What one class of tokens comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ItemisedLine {
    /// The class: `input`, `output`, `cache_read`, `cache_write_5m` or `cache_write_1h`.
    pub class: &'static str,
    /// How many.
    pub tokens: u64,
    /// What a million of them costs.
    pub rate: NanoUsd,
    /// What they come to with the premium, rounded down.
    pub amount: NanoUsd,
}

/// A cost with all that it is made of. The lines' amounts and the rounding add up to the total, as long as nothing exceeds
/// what an amount can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Itemised {
    /// The classes, also those of which there are none.
    pub lines: [ItemisedLine; 5],
    /// The length of a prompt above which the rates that were taken hold; `None` for the usual ones.
    pub long_context_above: Option<u64>,
    /// Why the sum is multiplied: `global`, `regional`, `in_region`, `gov` or `mantle`.
    pub premium: &'static str,
    /// By how many thousandths.
    pub permille: u32,
    /// What rounding up the whole, once, adds to the lines: 0 to 5 nano-USD.
    pub rounding: NanoUsd,
    /// The whole.
    pub total: NanoUsd,
}

impl Price {
    fn premium(&self, geography: Geography, lane: Lane) -> (&'static str, u32) {
        match (geography, lane) {
            (Geography::UsGov, _) => ("gov", self.gov_permille),
            (_, Lane::Mantle) => ("mantle", self.mantle_permille),
            (Geography::Global, _) => ("global", 1_000),
            (Geography::InRegion, _) => ("in_region", self.in_region_permille),
            (
                Geography::Us
                | Geography::Eu
                | Geography::Au
                | Geography::Jp
                | Geography::Apac
                | Geography::In
                | Geography::Ca,
                _,
            ) => ("regional", self.regional_permille),
        }
    }

    /// What these tokens cost in this geography through this lane, rounded up to the next nano-dollar.
    #[must_use]
    pub fn cost(&self, geography: Geography, lane: Lane, tokens: &Tokens) -> NanoUsd {
        let (_, permille) = self.premium(geography, lane);
        total(self.rates_for(tokens).0, permille, tokens)
    }

    /// The rates for a prompt of this length, and above which length they hold, if they are not the usual ones.
    fn rates_for(&self, tokens: &Tokens) -> (&Rates, Option<u64>) {
        match &self.long_context {
            Some(long) if tokens.prompt() > long.above_prompt_tokens => {
                (&long.rates, Some(long.above_prompt_tokens))
            }
            _ => (&self.rates, None),
        }
    }

    /// The same with all that it is made of.
    #[must_use]
    pub fn itemised(&self, geography: Geography, lane: Lane, tokens: &Tokens) -> Itemised {
        let (rates, long_context_above) = self.rates_for(tokens);
        let (premium, permille) = self.premium(geography, lane);
        let line = |class, tokens: u64, rate: NanoUsd| {
            let scaled = (i128::from(tokens) * i128::from(rate.0)).saturating_mul(i128::from(permille));
            ItemisedLine {
                class,
                tokens,
                rate,
                amount: whole(scaled),
            }
        };
        let lines = [
            line("input", tokens.input, rates.input),
            line("output", tokens.output, rates.output),
            line("cache_read", tokens.cache_read, rates.cache_read),
            line("cache_write_5m", tokens.cache_write_5m, rates.cache_write_5m),
            line("cache_write_1h", tokens.cache_write_1h, rates.cache_write_1h),
        ];
        let total = total(rates, permille, tokens);
        let sum: NanoUsd = lines.iter().map(|line| line.amount).sum();
        Itemised {
            lines,
            long_context_above,
            premium,
            permille,
            rounding: total - sum,
            total,
        }
    }
}

/// What tokens cost, rounded up once: the one place that says so. It is asked several times for each request, and a class of
/// which there are none costs nothing to leave out.
fn total(rates: &Rates, permille: u32, tokens: &Tokens) -> NanoUsd {
    let classes = [
        (tokens.input, rates.input),
        (tokens.output, rates.output),
        (tokens.cache_read, rates.cache_read),
        (tokens.cache_write_5m, rates.cache_write_5m),
        (tokens.cache_write_1h, rates.cache_write_1h),
    ];
    let used = classes.into_iter().filter(|(tokens, _)| *tokens > 0);
    let units = used.fold(0i128, |units, (tokens, rate)| {
        units.saturating_add(i128::from(tokens) * i128::from(rate.0))
    });
    whole(
        units
            .saturating_mul(i128::from(permille))
            .saturating_add(UNIT - 1),
    )
}

/// So many units make a nano-dollar: one is a millionth of a thousandth of it.
const UNIT: i128 = 1_000_000_000;

/// The whole nano-dollars in so many units.
fn whole(units: i128) -> NanoUsd {
    const SMALL_UNIT: i64 = 1_000_000_000;
    // Nearly always it fits the machine's own division, which takes a tenth of the time.
    match i64::try_from(units) {
        Ok(small) => NanoUsd(small.div_euclid(SMALL_UNIT)),
        Err(_) => NanoUsd(i64::try_from(units.div_euclid(UNIT)).unwrap_or(i64::MAX)),
    }
}

/// A cost and the price it was computed from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cost {
    /// The amount.
    pub amount: NanoUsd,
    /// The row of the price book.
    pub price_id: PriceId,
    /// Whether the model had no price of its own and was taken for the dearest of its family.
    pub assumed: bool,
}

/// All known prices.
#[derive(Debug, Clone, Default)]
pub struct PriceBook {
    by_model: HashMap<ModelName, Price>,
}

impl PriceBook {
    /// A book of these prices; of two for the same model the later one counts.
    pub fn new(prices: impl IntoIterator<Item = Price>) -> Self {
        Self {
            by_model: prices.into_iter().map(|p| (p.model.clone(), p)).collect(),
        }
    }

    /// The price of a model, by its canonical name or that name without its date.
    #[must_use]
    pub fn find(&self, model: &ModelName) -> Option<&Price> {
        self.by_model
            .get(model)
            .or_else(|| self.by_model.get(&model.without_date()?))
    }

    /// The dearest price of the model's family, or of all where the family is unknown: what an unpriced model is taken
    /// for, so that nothing is ever free. `None` only if the book is empty.
    #[must_use]
    pub fn dearest_like(&self, model: &ModelName) -> Option<&Price> {
        let dearest = |family: Option<&str>| {
            self.by_model
                .values()
                .filter(|p| family.is_none() || p.model.family() == family)
                .max_by_key(|p| (p.rates.output, p.rates.input, p.id.clone()))
        };
        model
            .family()
            .and_then(|family| dearest(Some(family)))
            .or_else(|| dearest(None))
    }

    /// The price that counts for a model, and whether it is assumed for want of its own.
    #[must_use]
    pub fn applied(&self, model: &ModelName) -> Option<(&Price, bool)> {
        match self.find(model) {
            Some(price) => Some((price, false)),
            None => Some((self.dearest_like(model)?, true)),
        }
    }

    /// What these tokens cost: never nothing for want of a price, unless the book is empty (`None`).
    #[must_use]
    pub fn cost(&self, model: &ModelName, geography: Geography, lane: Lane, tokens: &Tokens) -> Option<Cost> {
        let (price, assumed) = self.applied(model)?;
        Some(Cost {
            amount: price.cost(geography, lane, tokens),
            price_id: price.id.clone(),
            assumed,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue;

    fn cost(model: &str, geography: Geography, tokens: Tokens) -> Cost {
        PriceBook::new(catalogue::prices())
            .cost(
                &ModelName::canonical(model),
                geography,
                Lane::InvokeModel,
                &tokens,
            )
            .unwrap()
    }

    #[test]
    fn costs_are_exact_to_the_nano_dollar() {
        let tokens = Tokens {
            input: 3,
            output: 7,
            cache_read: 11,
            cache_write_5m: 13,
            cache_write_1h: 17,
        };
        // Opus 5.5: 4 / 20 / 0.2 / 5 / 8 dollars per million.
        let global = cost("claude-opus-5-5", Geography::Global, tokens);
        assert_eq!(
            global.amount,
            NanoUsd(3 * 4_000 + 7 * 20_000 + 11 * 200 + 13 * 5_000 + 17 * 8_000)
        );
        let us = cost("claude-opus-5-5", Geography::Us, tokens);
        assert_eq!(us.amount.0 * 10, global.amount.0 * 11);
    }

    #[test]
    fn a_fraction_of_a_nano_dollar_is_rounded_up() {
        let one_read = Tokens {
            cache_read: 1,
            ..Tokens::default()
        };
        // Haiku 5.5: 0.01 dollars per million cache reads = 10 nano-dollars each, 11 in a regional profile.
        assert_eq!(
            cost("claude-haiku-5-5", Geography::Eu, one_read).amount,
            NanoUsd(11)
        );
        assert_eq!(
            cost("claude-sonnet-5-5", Geography::UsGov, one_read).amount,
            NanoUsd(120)
        );
    }

    #[test]
    fn a_long_prompt_pays_the_long_rate_for_everything() {
        let long = Tokens {
            input: 100_000,
            output: 10,
            cache_read: 101_000,
            ..Tokens::default()
        };
        let dear = cost("claude-sonnet-4-5", Geography::Global, long).amount;
        assert_eq!(dear, NanoUsd(100_000 * 6_000 + 10 * 22_500 + 101_000 * 600));
    }

    #[test]
    fn an_unknown_model_costs_as_much_as_the_dearest_of_its_family() {
        let one = Tokens {
            output: 1_000_000,
            ..Tokens::default()
        };
        let unknown = cost("claude-opus-9-9", Geography::Global, one);
        assert!(unknown.assumed);
        assert_eq!(unknown.amount, NanoUsd::from_usd(75));
        assert!(cost("something-else", Geography::Global, one).amount >= unknown.amount);
    }

    #[test]
    fn absurd_counts_saturate() {
        let absurd = Tokens {
            input: u64::MAX,
            ..Tokens::default()
        };
        assert_eq!(
            cost("claude-opus-5-5", Geography::Us, absurd).amount,
            NanoUsd(i64::MAX)
        );
    }

    #[test]
    fn dated_and_bedrock_names_meet_the_same_price() {
        let one = Tokens {
            output: 1,
            ..Tokens::default()
        };
        for name in [
            "claude-haiku-4-5",
            "claude-haiku-4-5-20251001",
            "us.anthropic.claude-haiku-4-5-20251001-v1:0",
        ] {
            let cost = cost(name, Geography::Global, one);
            assert_eq!((cost.amount, cost.assumed), (NanoUsd(5_000), false), "{name}");
        }
    }
}
