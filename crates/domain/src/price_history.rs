//! Prices over time: a request costs what was in force when it began.

use crate::{ModelName, Price, PriceBook, UnixMs};
use std::collections::HashMap;

/// A price and when it was in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatedPrice {
    /// The price.
    pub price: Price,
    /// The first moment at which it counts.
    pub valid_from_ms: UnixMs,
    /// The first moment at which it no longer counts; `None` while it is in force.
    pub valid_until_ms: Option<UnixMs>,
}

impl DatedPrice {
    fn is_valid_at(&self, at_ms: UnixMs) -> bool {
        self.valid_from_ms <= at_ms && self.valid_until_ms.is_none_or(|until| at_ms < until)
    }
}

/// All prices that ever were.
#[derive(Debug, Clone, Default)]
pub struct PriceHistory {
    rows: Vec<DatedPrice>,
    /// Every moment at which a price came into force or went out of it, in order.
    turns: Vec<UnixMs>,
}

impl PriceHistory {
    /// A history of these prices.
    pub fn new(rows: impl IntoIterator<Item = DatedPrice>) -> Self {
        let mut rows: Vec<_> = rows.into_iter().collect();
        rows.sort_by_key(|row| (row.valid_from_ms, row.valid_until_ms.unwrap_or(UnixMs::MAX)));
        let mut turns: Vec<_> = rows
            .iter()
            .flat_map(|row| [Some(row.valid_from_ms), row.valid_until_ms])
            .flatten()
            .collect();
        turns.sort_unstable();
        turns.dedup();
        Self { rows, turns }
    }

    /// Names the stretch of time around a moment in which no price changes: two moments with the same name have the same
    /// book.
    #[must_use]
    pub fn stretch(&self, at_ms: UnixMs) -> usize {
        self.turns.partition_point(|turn| *turn <= at_ms)
    }

    /// The prices in force at a moment. A request from before a model's first price, such as one that a data plane with a
    /// slow clock has served, pays that first price: it is never free.
    #[must_use]
    pub fn at(&self, at_ms: UnixMs) -> PriceBook {
        let mut in_force: HashMap<&ModelName, &DatedPrice> = HashMap::new();
        for row in self.rows.iter().filter(|row| row.is_valid_at(at_ms)) {
            in_force.insert(&row.price.model, row);
        }
        let mut first: HashMap<&ModelName, &DatedPrice> = HashMap::new();
        for row in &self.rows {
            first.entry(&row.price.model).or_insert(row);
        }
        for (model, row) in first {
            if row.valid_from_ms > at_ms {
                in_force.entry(model).or_insert(row);
            }
        }
        PriceBook::new(in_force.into_values().map(|row| row.price.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Geography, Lane, NanoUsd, PriceId, Tokens, catalogue};

    fn dated(id: &str, model: &str, input: i64, from: i64, until: Option<i64>) -> DatedPrice {
        let mut price = catalogue::prices().remove(0);
        price.id = PriceId::parse(&format!("price_{id}")).unwrap();
        price.model = ModelName::canonical(model);
        price.rates.input = NanoUsd(input);
        DatedPrice {
            price,
            valid_from_ms: from,
            valid_until_ms: until,
        }
    }

    fn id_at(history: &PriceHistory, model: &str, at_ms: i64) -> Option<String> {
        let book = history.at(at_ms);
        book.find(&ModelName::canonical(model)).map(|p| p.id.to_string())
    }

    #[test]
    fn a_request_costs_what_was_in_force_when_it_began() {
        let history = PriceHistory::new([
            dated("new", "claude-x", 2_000_000, 200, None),
            dated("old", "claude-x", 1_000_000, 100, Some(200)),
        ]);
        for (at, id) in [
            (100, "old"),
            (199, "old"),
            (200, "new"),
            (9_999, "new"),
            (1, "old"),
        ] {
            assert_eq!(
                id_at(&history, "claude-x", at),
                Some(format!("price_{id}")),
                "{at}"
            );
        }
        let tokens = Tokens {
            input: 1_000,
            ..Tokens::default()
        };
        let cost = |at| {
            let cost = history.at(at).cost(
                &ModelName::canonical("claude-x"),
                Geography::Global,
                Lane::InvokeModel,
                &tokens,
            );
            cost.unwrap().amount
        };
        assert_eq!((cost(199), cost(200)), (NanoUsd(1_000), NanoUsd(2_000)));
    }

    #[test]
    fn a_price_that_was_taken_away_no_longer_counts() {
        let history = PriceHistory::new([
            dated("gone", "claude-x", 1, 100, Some(200)),
            dated("other", "claude-y", 1, 100, None),
        ]);
        assert_eq!(id_at(&history, "claude-x", 150).as_deref(), Some("price_gone"));
        assert_eq!(id_at(&history, "claude-x", 200), None);
        assert_eq!(id_at(&history, "claude-y", 200).as_deref(), Some("price_other"));
    }

    #[test]
    fn moments_between_two_turns_share_a_stretch() {
        let history = PriceHistory::new([dated("a", "claude-x", 1, 100, Some(200))]);
        assert_eq!(history.stretch(100), history.stretch(199));
        assert_ne!(history.stretch(99), history.stretch(100));
        assert_ne!(history.stretch(199), history.stretch(200));
    }
}
