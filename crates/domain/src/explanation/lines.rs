//! The lines of a cost: what each class of tokens came to, and how that adds up to the ledger's figure.

use crate::{Geography, Lane, NanoUsd, Price, Tokens, UnixMs};
use serde::{Deserialize, Serialize};

/// What one class of tokens came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ClassLine {
    /// `input`, `output`, `cache_read`, `cache_write_5m` or `cache_write_1h`.
    pub class: String,
    /// How many.
    pub tokens: u64,
    /// What a million of them costs, before the premium.
    pub rate_nano_usd: NanoUsd,
    /// What they came to with the premium, rounded down.
    pub amount_nano_usd: NanoUsd,
}

/// What web searches came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SearchLine {
    /// How many gave something.
    pub count: u32,
    /// What they came to together.
    pub amount_nano_usd: NanoUsd,
}

/// A cost, line by line: the amounts of the lines, the rounding, the searches and what is unexplained add up to the total
/// to the nano-dollar, and the total is what the ledger has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct CostLines {
    /// The row of the price book.
    pub price_id: String,
    /// Where its numbers come from.
    pub price_source: String,
    /// Since when that row is in force; `None` for the built-in book.
    pub price_from_ms: Option<UnixMs>,
    /// Whether the model had no price of its own and was taken for the dearest of its family.
    pub assumed: bool,
    /// The classes that were used.
    pub lines: Vec<ClassLine>,
    /// The length of a prompt above which these, the long rates, hold; `None` where the usual ones do.
    pub long_context_above: Option<u64>,
    /// Why the sum is multiplied: `global`, `regional`, `in_region`, `gov` or `mantle`.
    pub premium: String,
    /// By how many thousandths.
    pub permille: u32,
    /// What rounding up the whole, once, adds to the lines.
    pub rounding_nano_usd: NanoUsd,
    /// Web searches, where there were any.
    pub searches: Option<SearchLine>,
    /// What the ledger has beyond all this: always zero, unless rows were changed by hand.
    pub unexplained_nano_usd: NanoUsd,
    /// The whole, as in the ledger.
    pub total_nano_usd: NanoUsd,
}

impl CostLines {
    /// The lines of a cost that the ledger has, by the price that it was computed from.
    #[must_use]
    pub fn new(
        price: &Price,
        (geography, lane): (Geography, Lane),
        tokens: &Tokens,
        searches: u32,
        total: NanoUsd,
    ) -> Self {
        let itemised = price.itemised(geography, lane, tokens);
        let rest = total - itemised.total;
        let searched = searches > 0 && rest >= NanoUsd::ZERO;
        let lines = itemised.lines.iter().filter(|line| line.tokens > 0);
        Self {
            price_id: price.id.to_string(),
            price_source: price.source.clone(),
            price_from_ms: None,
            assumed: false,
            lines: lines
                .map(|line| ClassLine {
                    class: line.class.to_owned(),
                    tokens: line.tokens,
                    rate_nano_usd: line.rate,
                    amount_nano_usd: line.amount,
                })
                .collect(),
            long_context_above: itemised.long_context_above,
            premium: itemised.premium.to_owned(),
            permille: itemised.permille,
            rounding_nano_usd: itemised.rounding,
            searches: searched.then_some(SearchLine {
                count: searches,
                amount_nano_usd: rest,
            }),
            unexplained_nano_usd: if searched { NanoUsd::ZERO } else { rest },
            total_nano_usd: total,
        }
    }

    /// What the parts add up to.
    #[must_use]
    pub fn sum(&self) -> NanoUsd {
        let lines: NanoUsd = self.lines.iter().map(|line| line.amount_nano_usd).sum();
        let searches = self.searches.as_ref().map(|line| line.amount_nano_usd);
        lines + self.rounding_nano_usd + searches.unwrap_or_default() + self.unexplained_nano_usd
    }
}
