//! Models and prices, for everybody who is signed in.

use super::App;
use crate::store::rows;
use ccag_admin_api::{ModelList, ModelView, PriceList, PriceView};
use ccag_domain::{Actor, Price, PriceBook, Problem};

/// The models that the gateway serves, by name.
///
/// # Errors
/// [`ccag_domain::Code::Unavailable`] without a database.
pub async fn list(app: &App, _actor: &Actor) -> Result<ModelList, Problem> {
    let book = PriceBook::new(prices(app).await?);
    let mut models = Vec::new();
    for row in app.store.list_models().await? {
        let model = rows::model(&row)?;
        models.push(ModelView::new(&model, book.find(&model.name).is_some()));
    }
    Ok(ModelList { models })
}

/// The prices in force, by model.
///
/// # Errors
/// [`ccag_domain::Code::Unavailable`] without a database.
pub async fn pricing(app: &App, _actor: &Actor) -> Result<PriceList, Problem> {
    let prices = prices(app).await?;
    Ok(PriceList {
        prices: prices.iter().map(PriceView::from).collect(),
    })
}

async fn prices(app: &App) -> Result<Vec<Price>, Problem> {
    let rows = app.store.list_prices().await?;
    Ok(rows.iter().map(rows::price).collect::<Result<_, _>>()?)
}
