//! What requests cost, by the history of prices.

use super::App;
use crate::store::{StoreError, rows};
use ccag_domain::{
    DatedPrice, Geography, Lane, ModelName, NanoUsd, PriceBook, PriceHistory, Tokens, UnixMs, catalogue,
};
use std::collections::HashMap;

/// What a request has used.
#[derive(Debug, Clone, Copy)]
pub(super) struct Used<'a> {
    pub(super) model: &'a ModelName,
    pub(super) geography: Geography,
    pub(super) lane: Lane,
    pub(super) tokens: Tokens,
    pub(super) web_searches: u32,
    /// When it began.
    pub(super) began_ms: UnixMs,
}

/// What it costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Costed {
    /// The model under the name that it has in the ledger.
    pub(super) model: ModelName,
    pub(super) amount: NanoUsd,
    /// The price that it was computed from.
    pub(super) price_id: String,
    /// Whether the model had no price of its own and was taken for the dearest of its family.
    pub(super) assumed: bool,
}

/// The prices over time, and the other names of models.
pub(super) struct Costing {
    history: PriceHistory,
    /// The books of the stretches of time that were asked for.
    books: HashMap<usize, PriceBook>,
    aliases: HashMap<ModelName, ModelName>,
    /// Of one web search.
    search: NanoUsd,
}

impl Costing {
    /// Reads them as they are now.
    pub(super) async fn load(app: &App) -> Result<Self, StoreError> {
        let mut prices = Vec::new();
        for row in app.store.list_price_history().await? {
            prices.push(rows::dated_price(&row)?);
        }
        if prices.is_empty() {
            prices.extend(catalogue::prices().into_iter().map(|price| DatedPrice {
                price,
                valid_from_ms: 0,
                valid_until_ms: None,
            }));
        }
        let mut aliases = HashMap::new();
        for row in app.store.list_models().await? {
            let model = rows::model(&row)?;
            aliases.extend(model.aliases.into_iter().map(|alias| (alias, model.name.clone())));
        }
        Ok(Self {
            history: PriceHistory::new(prices),
            books: HashMap::new(),
            aliases,
            search: app.store.find_web_search().await?.price,
        })
    }

    /// What something costs at the prices that were in force when it began.
    pub(super) fn cost(&mut self, used: &Used<'_>) -> Costed {
        let model = self.aliases.get(used.model).unwrap_or(used.model).clone();
        let (history, began) = (&self.history, used.began_ms);
        let book = self
            .books
            .entry(history.stretch(began))
            .or_insert_with(|| history.at(began));
        let by = |book: &PriceBook| book.cost(&model, used.geography, used.lane, &used.tokens);
        // All prices were taken away: what there was before is better than nothing.
        let cost = by(book).or_else(|| by(&PriceBook::new(catalogue::prices())));
        let (amount, price_id, assumed) = match cost {
            Some(cost) => (cost.amount, cost.price_id.to_string(), cost.assumed),
            // The built-in book is never empty.
            None => (NanoUsd::ZERO, "price_none".to_owned(), true),
        };
        Costed {
            model,
            amount: amount + self.search.times(used.web_searches),
            price_id,
            assumed,
        }
    }
}
