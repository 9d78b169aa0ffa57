//! What a model costs.

use super::form::{Posted, again};
use super::visitor::Visitor;
use crate::app::{models, pricing};
use axum::extract::Path;
use axum::response::Response;
use ccag_admin_api::{LongContextSpec, PriceSpec, PriceView, PricingQuery, Rate, RatesView};
use ccag_console::form::Field;
use ccag_console::page::{PriceForm, PricePage, PriceRow};
use ccag_console::{Tone, path};
use ccag_domain::Problem;

/// The rates in dollars: input, output, cache reads, and cache writes that live five minutes and an hour.
pub(super) fn amounts(rates: &RatesView) -> [String; 5] {
    [
        rates.input_nano_usd,
        rates.output_nano_usd,
        rates.cache_read_nano_usd,
        rates.cache_write_5m_nano_usd,
        rates.cache_write_1h_nano_usd,
    ]
    .map(|amount| amount.to_string())
}

pub(super) async fn show(visitor: Visitor, Path(name): Path<String>) -> Response {
    let page = gather(&visitor, &name).await;
    visitor.answer(page)
}

async fn gather(visitor: &Visitor, name: &str) -> Result<PricePage, Problem> {
    let (app, actor) = (&visitor.state().app, visitor.actor());
    let model = models::find(app, &actor, name).await?;
    let query = PricingQuery {
        history: Some(true),
        model: Some(model.name.clone()),
    };
    let history = pricing::list(app, &actor, query).await?.prices;
    let current = history.iter().find(|price| price.valid_until.is_none());
    Ok(PricePage {
        name: model.name,
        title: model.display_name,
        form: current.map_or_else(usual, filled),
        history: history.iter().map(row).collect(),
        trouble: None,
    })
}

/// The form for a model that has no price.
fn usual() -> PriceForm {
    PriceForm {
        regional: Field::new("1100"),
        in_region: Field::new("1000"),
        gov: Field::new("1200"),
        ..PriceForm::default()
    }
}

fn filled(price: &PriceView) -> PriceForm {
    let [input, output, cache_read, cache_write, cache_write_1h] = amounts(&price.rates).map(Field::new);
    let long = price.long_context.as_ref();
    let [
        long_input,
        long_output,
        long_cache_read,
        long_cache_write,
        long_cache_write_1h,
    ] = long
        .map_or_else(Default::default, |l| amounts(&l.rates))
        .map(Field::new);
    PriceForm {
        input,
        output,
        cache_read,
        cache_write,
        cache_write_1h,
        long_above: Field::new(
            long.map(|l| l.above_prompt_tokens.to_string())
                .unwrap_or_default(),
        ),
        long_input,
        long_output,
        long_cache_read,
        long_cache_write,
        long_cache_write_1h,
        regional: Field::new(price.regional_permille.to_string()),
        in_region: Field::new(price.in_region_permille.to_string()),
        gov: Field::new(price.gov_permille.to_string()),
        mantle: Field::new(price.mantle_permille.to_string()),
    }
}

fn row(price: &PriceView) -> PriceRow {
    PriceRow {
        id: price.id.to_string(),
        rates: amounts(&price.rates),
        regional_permille: price.regional_permille,
        source: price.source.clone(),
        from_ms: price.valid_from.map_or(0, |t| t.ms()),
        until_ms: price.valid_until.map(|t| t.ms()),
    }
}

/// What the form asks for; `None` if a field is wrong, which then says so.
fn read(form: &mut PriceForm) -> Option<PriceSpec> {
    fn rate(field: &mut Field) -> Option<Rate> {
        let rate = field.value.parse().ok();
        if rate.is_none() {
            field.error = Some("Write dollars per million tokens, such as 0.25.".to_owned());
        }
        rate
    }
    fn optional(field: &mut Field) -> Option<Rate> {
        if field.value.is_empty() { None } else { rate(field) }
    }
    fn whole<N: std::str::FromStr>(field: &mut Field) -> Option<N> {
        let number = field.value.parse().ok();
        if number.is_none() {
            field.error = Some("Give a whole number.".to_owned());
        }
        number
    }
    let [input, output, read, write] = [
        &mut form.input,
        &mut form.output,
        &mut form.cache_read,
        &mut form.cache_write,
    ]
    .map(rate);
    let cache_write_1h_rate = optional(&mut form.cache_write_1h);
    let long_context = if form.long_above.value.is_empty() {
        None
    } else {
        let above = whole(&mut form.long_above);
        let [input, output, read, write] = [
            &mut form.long_input,
            &mut form.long_output,
            &mut form.long_cache_read,
            &mut form.long_cache_write,
        ]
        .map(rate);
        let cache_write_1h_rate = optional(&mut form.long_cache_write_1h);
        above.zip(input).zip(output).zip(read).zip(write).map(
            |((((above_prompt_tokens, input_rate), output_rate), cache_read_rate), cache_write_rate)| {
                LongContextSpec {
                    above_prompt_tokens,
                    input_rate,
                    output_rate,
                    cache_read_rate,
                    cache_write_rate,
                    cache_write_1h_rate,
                }
            },
        )
    };
    let [regional, in_region, gov] =
        [&mut form.regional, &mut form.in_region, &mut form.gov].map(whole::<u32>);
    let mantle = if form.mantle.value.is_empty() {
        None
    } else {
        whole(&mut form.mantle)
    };
    if form.fields_mut().iter().any(|(_, field)| field.error.is_some()) {
        return None;
    }
    Some(PriceSpec {
        input_rate: input?,
        output_rate: output?,
        cache_read_rate: read?,
        cache_write_rate: write?,
        cache_write_1h_rate,
        long_context,
        regional_permille: regional,
        in_region_permille: in_region,
        gov_permille: gov,
        mantle_permille: mantle,
        aws_sku: None,
    })
}

pub(super) async fn set(Path(name): Path<String>, Posted { visitor, form }: Posted) -> Response {
    let mut page = match gather(&visitor, &name).await {
        Ok(page) => page,
        Err(problem) => return visitor.refuse(problem),
    };
    page.form = PriceForm::default();
    for (name, field) in page.form.fields_mut() {
        field.value = form.text(name);
    }
    let Some(spec) = read(&mut page.form) else {
        return again(visitor, page, None);
    };
    match pricing::set(&visitor.state().app, &visitor.actor(), &name, spec).await {
        Ok(_) => {
            let message = format!("The price of “{}” counts for requests from now on.", page.title);
            visitor.go_saying(&path::model_price(&page.name), Tone::Good, &message)
        }
        Err(problem) => again(visitor, page, Some(problem)),
    }
}

pub(super) async fn reset(Path(name): Path<String>, Posted { visitor, .. }: Posted) -> Response {
    match pricing::reset(&visitor.state().app, &visitor.actor(), &name).await {
        Ok(()) => visitor.go_saying(
            &path::model_price(&name),
            Tone::Good,
            "The built-in price counts from now on, where there is one; a model without a price is refused.",
        ),
        Err(problem) => visitor.refuse(problem),
    }
}
