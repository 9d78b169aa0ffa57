//! What stands beside the charts: sums, rankings, names, and what there is to choose from.

use super::Cell;
use crate::app::App;
use crate::app::usage::{self, names};
use crate::store::{OnlyOf, TeamQuery, rows};
use ccag_admin_api::{AnalyticsCell, GroupBy as ApiGroupBy, Timestamp, UsageGroup, UsageTotals};
use ccag_domain::{Actor, Area, ModelName, NanoUsd, Permission, PriceBook, Problem, Reach, Tokens};
use std::collections::HashMap;

/// The most teams that are offered to choose from.
const MOST_TEAMS: u64 = 500;

/// What cells come to.
#[must_use]
pub fn sum(cells: &[Cell]) -> UsageTotals {
    let mut sum = UsageTotals::default();
    for cell in cells {
        usage::add(&mut sum, &cell.totals);
    }
    sum
}

/// What groups come to over all times, the dearest first, with their names.
#[must_use]
pub fn grouped(cells: &[Cell]) -> Vec<UsageGroup> {
    let mut sums: HashMap<&str, (UsageTotals, Option<&str>)> = HashMap::new();
    for cell in cells {
        let (sum, name) = sums.entry(&cell.group).or_default();
        usage::add(sum, &cell.totals);
        *name = cell.name.as_deref();
    }
    let group = |(id, (totals, name)): (&str, (UsageTotals, Option<&str>))| UsageGroup {
        id: (!id.is_empty()).then(|| id.to_owned()),
        name: name.map(ToOwned::to_owned),
        totals,
    };
    let mut groups: Vec<UsageGroup> = sums.into_iter().map(group).collect();
    groups.sort_by(|a, b| {
        let (one, other) = (a.totals.cost_nano_usd, b.totals.cost_nano_usd);
        other.cmp(&one).then_with(|| a.id.cmp(&b.id))
    });
    groups
}

/// Cells as the admin API shows them.
#[must_use]
pub fn named(cells: Vec<Cell>) -> Vec<AnalyticsCell> {
    let named = |cell: Cell| AnalyticsCell {
        start: Timestamp::from_ms(cell.start_ms),
        name: cell.name,
        id: Some(cell.group).filter(|id| !id.is_empty()),
        totals: cell.totals,
    };
    cells.into_iter().map(named).collect()
}

/// What reading from the prompt cache has saved against putting the same in anew, less what writing to it has cost more than
/// that, at the prices of now, without premiums of geographies and long prompts. Less than nothing if the cache was written
/// in vain.
///
/// `models` are the sums by model.
///
/// # Errors
/// [`Code::Unavailable`](ccag_domain::Code::Unavailable) without a database, as all here.
pub async fn saved_by_cache(app: &App, models: &[UsageGroup]) -> Result<NanoUsd, Problem> {
    let mut prices = Vec::new();
    for row in app.store.held_prices().await?.iter() {
        prices.push(rows::price(row)?);
    }
    let book = PriceBook::new(prices);
    Ok(models
        .iter()
        .filter_map(|group| Some((group.id.as_deref()?, group.totals.tokens())))
        .map(|(model, tokens)| saved(&book, &ModelName::canonical(model), &tokens))
        .sum())
}

/// The same for one model.
fn saved(book: &PriceBook, model: &ModelName, tokens: &Tokens) -> NanoUsd {
    let Some((price, _)) = book.applied(model) else {
        return NanoUsd::ZERO;
    };
    let rates = &price.rates;
    // Rates are for a million tokens.
    let differs =
        |count: u64, rate: NanoUsd| i128::from(count) * i128::from(rates.input.0 - rate.0) / 1_000_000;
    let saved = differs(tokens.cache_read, rates.cache_read)
        + differs(tokens.cache_write_5m, rates.cache_write_5m)
        + differs(tokens.cache_write_1h, rates.cache_write_1h);
    NanoUsd(i64::try_from(saved).unwrap_or(i64::MAX))
}

/// Ids with names.
type Named = Vec<(String, String)>;

/// What there is to choose from, and the names of what was chosen.
#[derive(Debug, Clone, Default)]
pub struct Choices {
    /// Teams, for those who see all of them, with "no team".
    pub teams: Named,
    /// Models.
    pub models: Named,
    /// Endpoints, for those who may see them.
    pub endpoints: Named,
    /// The users that were chosen, as far as there are such.
    pub users: HashMap<String, String>,
    /// The keys that were chosen.
    pub keys: HashMap<String, String>,
}

/// What somebody may choose from.
///
/// # Errors
/// As [`saved_by_cache`].
pub async fn choices(app: &App, actor: &Actor, only: &OnlyOf) -> Result<Choices, Problem> {
    let mut choices = Choices::default();
    let reach = actor.reach(Permission::Read(Area::Usage));
    if reach == Reach::Everything {
        let query = TeamQuery {
            limit: MOST_TEAMS,
            ..TeamQuery::default()
        };
        let (teams, _) = app.store.list_teams(&query).await?;
        choices
            .teams
            .extend(teams.into_iter().map(|team| (team.id, team.name)));
        choices.teams.push((String::new(), "no team".to_owned()));
    }
    if actor.may_all(Permission::Read(Area::Endpoints)) {
        let endpoints = app.store.list_endpoints().await?;
        choices
            .endpoints
            .extend(endpoints.into_iter().map(|row| (row.id, row.name)));
    }
    let models = app.store.list_models().await?;
    choices
        .models
        .extend(models.into_iter().map(|row| (row.name, row.display_name)));
    // Whoever may not see what these have used learns nothing of them from their ids either.
    if reach > Reach::Own {
        choices.users = names(app, ApiGroupBy::User, &only.users).await?;
        choices.keys = names(app, ApiGroupBy::Key, &only.keys).await?;
    }
    Ok(choices)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ccag_domain::catalogue;

    #[test]
    fn reading_saves_and_writing_costs() {
        let book = PriceBook::new(catalogue::prices());
        let model = ModelName::canonical("claude-haiku-4-5");
        let (price, _) = book.applied(&model).unwrap();
        let (input, read, write) = (
            price.rates.input.0,
            price.rates.cache_read.0,
            price.rates.cache_write_5m.0,
        );
        let tokens = Tokens {
            cache_read: 3_000_000,
            cache_write_5m: 1_000_000,
            ..Tokens::default()
        };
        assert_eq!(
            saved(&book, &model, &tokens).0,
            3 * (input - read) - (write - input)
        );
        let in_vain = Tokens {
            cache_write_5m: 1_000_000,
            ..Tokens::default()
        };
        assert!(saved(&book, &model, &in_vain).0 < 0);
    }
}
