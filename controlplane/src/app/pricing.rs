//! Prices: what is in force, what was, and how admins change it without a release.
//!
//! A new price ends the old one; its row stays for the costs that were computed from it. A request costs what was in force
//! when it began (see [`super::intake`]).

use super::price_list::{self, Offer};
use super::{App, Changed, catalogue, not_found, notifications};
use crate::store::entity::price;
use crate::store::{Tx, rows};
use ccag_admin_api::{
    ImportQuery, ImportReport, LongContextSpec, PriceChange, PriceList, PriceSpec, PriceView, PricingQuery,
    Rate, SkippedRows, Timestamp,
};
use ccag_domain::price::LongContext;
use ccag_domain::{
    Actor, Area, Code, Model, ModelName, NanoUsd, ObjectKind, Permission, Price, PriceId, Problem, Rates,
    catalogue as built_in,
};
use std::collections::BTreeMap;

/// The most that a million tokens can cost, in dollars: far above any price, so that a slip of the point is noticed.
const MAX_RATE: NanoUsd = NanoUsd::from_usd(100_000);

/// The largest premium, in thousandths.
const MAX_PERMILLE: u32 = 100_000;

/// The `source` of a price that an admin has set.
pub(super) const ADMIN: &str = "admin";

/// The `source` of a price from AWS's price list.
pub(super) const AWS: &str = "aws-price-list";

/// The `source` of a price that a release has brought.
pub(super) const BUILT_IN: &str = "built-in";

/// The prices in force, by model, or with `history` all that ever were, the newest of each model first.
///
/// # Errors
/// [`Code::NotFound`] for a model that is not in the catalogue.
pub async fn list(app: &App, _actor: &Actor, query: PricingQuery) -> Result<PriceList, Problem> {
    let rows = if query.history.unwrap_or(false) {
        app.store.list_price_history().await?
    } else {
        app.store.held_prices().await?.to_vec()
    };
    let only = match &query.model {
        Some(said) => Some(resolve(&catalogue::models(&app.store.list_models().await?)?, said)?.to_string()),
        None => None,
    };
    let prices = rows
        .iter()
        .filter(|row| only.as_ref().is_none_or(|name| row.model == *name))
        .map(view)
        .collect::<Result<_, _>>()?;
    Ok(PriceList { prices })
}

/// Says what a model costs from now on.
///
/// # Errors
/// [`Code::NotFound`], or [`Code::InvalidRequest`] with the field that is wrong.
pub async fn set(app: &App, actor: &Actor, said: &str, spec: PriceSpec) -> Result<PriceView, Problem> {
    actor.require_all(Permission::Change(Area::Models))?;
    let mut tx = app.store.change().await?;
    tx.serialize().await?;
    let model = resolve(&catalogue::models(&tx.list_models().await?)?, said)?;
    let sku = spec.aws_sku.clone();
    let price = checked(app, model, spec)?;
    let before = tx.list_prices().await?;
    let before = before.iter().find(|row| row.model == price.model.as_str());
    let row = put(app, &mut tx, &price, sku).await?;
    commit(app, actor, tx, "price.set", &row.model, (before, Some(&row))).await?;
    Ok(view(&row)?)
}

/// Takes a price away: the built-in one comes back where there is one. A model without a price is refused, or costs as much
/// as the dearest of its family, as the settings say; it is never free.
///
/// # Errors
/// [`Code::NotFound`] if there is no such model, or nothing to take away.
pub async fn reset(app: &App, actor: &Actor, said: &str) -> Result<(), Problem> {
    actor.require_all(Permission::Change(Area::Models))?;
    let mut tx = app.store.change().await?;
    tx.serialize().await?;
    let model = resolve(&catalogue::models(&tx.list_models().await?)?, said)?;
    let held = tx.list_prices().await?;
    let held = held.into_iter().find(|row| row.model == model.as_str());
    let built_in = built_in::prices().into_iter().find(|p| p.model == model);
    let row = match (&held, built_in) {
        (None, None) => return Err(not_found("price of", said)),
        (Some(row), None) => {
            tx.retire_price(&row.model, app.now_ms()).await?;
            None
        }
        (_, Some(price)) => {
            let price = Price {
                id: PriceId::generate(&*app.clock, &*app.rng),
                ..price
            };
            Some(put(app, &mut tx, &price, None).await?)
        }
    };
    let change = (held.as_ref(), row.as_ref());
    commit(app, actor, tx, "price.reset", model.as_str(), change).await
}

/// Takes in AWS's price list. Prices that an admin has set stay unless `overwrite` says otherwise; models that are not in
/// the catalogue are left out and named.
///
/// # Errors
/// [`Code::InvalidRequest`] if the file is no price list, or holds nothing that could be used: an import that did nothing
/// never looks like one that found everything in order.
pub async fn import(
    app: &App,
    actor: &Actor,
    query: ImportQuery,
    file: &str,
) -> Result<ImportReport, Problem> {
    actor.require_all(Permission::Change(Area::Models))?;
    let dry_run = query.dry_run.unwrap_or(false);
    let unusable = |message: String| Problem::new(Code::InvalidRequest, message);
    let list = price_list::read(file).map_err(|error| unusable(error.to_string()))?;
    if list.rows.is_empty() {
        return Err(unusable(format!(
            "The file holds {} prices, and none of them is a standard price of a Claude model. Nothing was changed. \
             Download the file of the offer AmazonBedrockFoundationModels.",
            list.read
        )));
    }
    let (offers, incomplete) = price_list::offers(&list.rows);
    let mut report = ImportReport {
        dry_run,
        published: list.published,
        rows_read: list.read,
        rows_used: 0,
        changed: Vec::new(),
        unchanged: Vec::new(),
        skipped: list
            .skipped
            .into_iter()
            .map(|(reason, rows)| skipped(None, reason, rows))
            .chain(
                incomplete
                    .into_iter()
                    .map(|(model, rows, reason)| skipped(Some(model), reason, rows)),
            )
            .collect(),
    };
    let mut tx = app.store.change().await?;
    tx.serialize().await?;
    let models = catalogue::models(&tx.list_models().await?)?;
    let held = tx.list_prices().await?;
    let mut known = 0;
    let mut news = Vec::new();
    for offer in offers {
        let Some(model) = model_of(&models, &offer.model) else {
            let reason = "it is not in the catalogue; add the model first".to_owned();
            report
                .skipped
                .push(skipped(Some(offer.model), reason, offer.rows));
            continue;
        };
        known += 1;
        let held = held.iter().find(|row| row.model == model.as_str());
        if let Some(row) = held.filter(|row| is_kept(row, &query)) {
            let in_force = rows::price(row)?;
            let listed = of_offer(app, model.clone(), &offer, Some(&in_force));
            if !same(&in_force, &listed) {
                let prices = (&in_force, &listed);
                let published = report.published.as_deref();
                news.push(notifications::listed_differently(app, row, prices, published));
            }
            let reason = "an admin has set its price; import with `overwrite` to replace it".to_owned();
            report
                .skipped
                .push(skipped(Some(model.to_string()), reason, offer.rows));
            continue;
        }
        take_in(app, &mut tx, &mut report, model, held, offer).await?;
    }
    if known == 0 {
        return Err(unusable(
            "The file holds prices of Claude models, but of none that is in the catalogue. Nothing was changed. Add the \
             models first."
                .to_owned(),
        ));
    }
    if dry_run {
        return Ok(report);
    }
    for event in &news {
        tx.raise(event).await?;
    }
    if report.changed.is_empty() {
        // That the list contradicts what an admin has set changes nothing.
        tx.keep().await?;
    } else {
        let of = |change: fn(&PriceChange) -> Option<&PriceView>| {
            let all = report.changed.iter();
            all.map(|c| (&c.model, change(c))).collect::<BTreeMap<_, _>>()
        };
        let details = Changed::updated(&of(|c| c.before.as_ref()), &of(|c| Some(&c.after)))
            .with("published", &report.published);
        let entry = app.audit(actor, "price.import", ObjectKind::Price, "price-list", details);
        tx.commit(app.now_ms(), entry).await?;
    }
    Ok(report)
}

fn skipped(model: Option<String>, reason: String, rows: u64) -> SkippedRows {
    SkippedRows { model, reason, rows }
}

/// The model that AWS means: by its name for people, or that name spelled as an id. Never by a part of it.
fn model_of(models: &[Model], said: &str) -> Option<ModelName> {
    let by_title = models.iter().find(|m| m.display_name.eq_ignore_ascii_case(said));
    let dashed = said.to_lowercase().replace([' ', '.'], "-");
    by_title
        .or_else(|| catalogue::find(models, &dashed))
        .map(|m| m.name.clone())
}

/// Whether a price stays whatever a list says.
fn is_kept(row: &price::Model, query: &ImportQuery) -> bool {
    row.source == ADMIN && !query.overwrite.unwrap_or(false)
}

/// One model of the list: changed, or the same.
async fn take_in(
    app: &App,
    tx: &mut Tx,
    report: &mut ImportReport,
    model: ModelName,
    held: Option<&price::Model>,
    offer: Offer,
) -> Result<(), Problem> {
    let before = held.map(rows::price).transpose()?;
    let price = of_offer(app, model, &offer, before.as_ref());
    report.rows_used += offer.rows;
    if before.as_ref().is_some_and(|b| same(b, &price)) {
        report.unchanged.push(price.model.to_string());
        return Ok(());
    }
    let row = if report.dry_run {
        price_row(app, &price, Some(offer.sku))
    } else {
        put(app, tx, &price, Some(offer.sku)).await?
    };
    report.changed.push(PriceChange {
        model: row.model.clone(),
        before: held.map(view).transpose()?,
        after: view(&row)?,
        notes: offer.notes,
    });
    Ok(())
}

/// The price that an offer makes. What the list does not say stays as it was, or is what it usually is.
fn of_offer(app: &App, model: ModelName, offer: &Offer, before: Option<&Price>) -> Price {
    let kept = |say: Option<u32>, before: Option<u32>, usual: u32| say.or(before).unwrap_or(usual);
    let long_before = before.and_then(|b| b.long_context.as_ref());
    Price {
        id: PriceId::generate(&*app.clock, &*app.rng),
        rates: offer.rates,
        long_context: match (&offer.long_context, long_before) {
            (Some(rates), before) => Some(LongContext {
                above_prompt_tokens: before.map_or(200_000, |b| b.above_prompt_tokens),
                rates: *rates,
            }),
            (None, before) => before.cloned(),
        },
        regional_permille: kept(
            offer.regional_permille,
            before.map(|b| b.regional_permille),
            1_100,
        ),
        in_region_permille: kept(
            offer.in_region_permille,
            before.map(|b| b.in_region_permille),
            1_000,
        ),
        gov_permille: kept(offer.gov_permille, before.map(|b| b.gov_permille), 1_200),
        // The list does not tell the lanes apart.
        mantle_permille: before.map_or_else(|| usual_mantle(&model), |b| b.mantle_permille),
        source: AWS.to_owned(),
        model,
    }
}

/// Whether two prices cost the same, whatever their ids and sources.
pub(super) fn same(a: &Price, b: &Price) -> bool {
    a.rates == b.rates
        && a.long_context == b.long_context
        && a.regional_permille == b.regional_permille
        && a.in_region_permille == b.in_region_permille
        && a.gov_permille == b.gov_permille
        && a.mantle_permille == b.mantle_permille
}

fn resolve(models: &[Model], said: &str) -> Result<ModelName, Problem> {
    let found = catalogue::find(models, said);
    found
        .map(|m| m.name.clone())
        .ok_or_else(|| not_found("model", said))
}

fn price_row(app: &App, price: &Price, sku: Option<String>) -> price::Model {
    price::Model {
        aws_sku: sku.filter(|sku| !sku.is_empty()),
        ..rows::price_row(price, app.now_ms())
    }
}

async fn put(app: &App, tx: &mut Tx, price: &Price, sku: Option<String>) -> Result<price::Model, Problem> {
    let row = price_row(app, price, sku);
    tx.insert_price(row.clone()).await?;
    Ok(row)
}

async fn commit(
    app: &App,
    actor: &Actor,
    tx: Tx,
    action: &'static str,
    model: &str,
    (before, after): (Option<&price::Model>, Option<&price::Model>),
) -> Result<(), Problem> {
    let changed = match (before, after) {
        (Some(before), Some(after)) => Changed::updated(before, after),
        (Some(before), None) => Changed::deleted(before),
        (None, after) => Changed::created(&after),
    };
    let entry = app.audit(actor, action, ObjectKind::Price, model, changed);
    tx.commit(app.now_ms(), entry).await?;
    Ok(())
}

fn view(row: &price::Model) -> Result<PriceView, crate::store::StoreError> {
    Ok(PriceView {
        aws_sku: row.aws_sku.clone(),
        valid_from: Some(Timestamp::from_ms(row.effective_from_ms)),
        valid_until: row.replaced_at_ms.map(Timestamp::from_ms),
        ..PriceView::from(&rows::price(row)?)
    })
}

/// The price that a request describes, or what is wrong with it.
fn checked(app: &App, model: ModelName, spec: PriceSpec) -> Result<Price, Problem> {
    let long_context = spec.long_context.map(long_context).transpose()?;
    if spec
        .aws_sku
        .as_ref()
        .is_some_and(|sku| sku.len() > 100 || sku.contains('\0'))
    {
        return Err(
            Problem::new(Code::InvalidRequest, "`aws_sku` has more than 100 characters.").field("aws_sku"),
        );
    }
    Ok(Price {
        id: PriceId::generate(&*app.clock, &*app.rng),
        rates: rates(
            "",
            [
                Some(spec.input_rate),
                Some(spec.output_rate),
                Some(spec.cache_read_rate),
                Some(spec.cache_write_rate),
                spec.cache_write_1h_rate,
            ],
        )?,
        long_context,
        regional_permille: permille("regional_permille", spec.regional_permille, 1_100)?,
        in_region_permille: permille("in_region_permille", spec.in_region_permille, 1_000)?,
        gov_permille: permille("gov_permille", spec.gov_permille, 1_200)?,
        mantle_permille: permille("mantle_permille", spec.mantle_permille, usual_mantle(&model))?,
        source: ADMIN.to_owned(),
        model,
    })
}

fn long_context(spec: LongContextSpec) -> Result<LongContext, Problem> {
    if !(1..=100_000_000).contains(&spec.above_prompt_tokens) {
        return Err(Problem::new(
            Code::InvalidRequest,
            "The threshold of long prompts is a number of tokens from 1 to 100,000,000.",
        )
        .field("long_context.above_prompt_tokens"));
    }
    Ok(LongContext {
        above_prompt_tokens: spec.above_prompt_tokens,
        rates: rates(
            "long_context.",
            [
                Some(spec.input_rate),
                Some(spec.output_rate),
                Some(spec.cache_read_rate),
                Some(spec.cache_write_rate),
                spec.cache_write_1h_rate,
            ],
        )?,
    })
}

/// Five rates, none of them free or absurd; only the last may be missing.
fn rates(prefix: &str, given: [Option<Rate>; 5]) -> Result<Rates, Problem> {
    const FIELDS: [&str; 5] = [
        "input_rate",
        "output_rate",
        "cache_read_rate",
        "cache_write_rate",
        "cache_write_1h_rate",
    ];
    let double = given[0].map(|rate| Rate(NanoUsd(rate.0.0.saturating_mul(2))));
    let mut amounts = [NanoUsd::ZERO; 5];
    for ((amount, rate), field) in amounts.iter_mut().zip(given).zip(FIELDS) {
        let rate = rate.or(double).unwrap_or(Rate(NanoUsd::ZERO)).0;
        if rate <= NanoUsd::ZERO || rate > MAX_RATE {
            return Err(Problem::new(
                Code::InvalidRequest,
                format!("`{prefix}{field}` is in dollars per million tokens: more than 0, since nothing is free, and at most 100,000."),
            )
            .field(format!("{prefix}{field}")));
        }
        *amount = rate;
    }
    let [input, output, cache_read, cache_write_5m, cache_write_1h] = amounts;
    Ok(Rates {
        input,
        output,
        cache_read,
        cache_write_5m,
        cache_write_1h,
    })
}

/// What the bedrock-mantle lane costs if nobody says: what the built-in price of the model says, in thousandths.
fn usual_mantle(model: &ModelName) -> u32 {
    let built_in = built_in::prices().into_iter().find(|p| p.model == *model);
    built_in.map_or(1_000, |p| p.mantle_permille)
}

fn permille(field: &str, given: Option<u32>, usual: u32) -> Result<u32, Problem> {
    match given.unwrap_or(usual) {
        n @ 1..=MAX_PERMILLE => Ok(n),
        _ => Err(Problem::new(
            Code::InvalidRequest,
            format!("`{field}` is in thousandths of the rates, from 1 to {MAX_PERMILLE}: 1100 is ten per cent more."),
        )
        .field(field)),
    }
}
