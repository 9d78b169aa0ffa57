//! Models and what they cost.

use super::form::{FormData, Posted, is_about_input, pairs};
use super::upload::Uploaded;
use super::visitor::Visitor;
use crate::app::{models, pricing};
use axum::extract::{Path, RawQuery};
use axum::http::StatusCode;
use axum::response::Response;
use ccag_admin_api::{
    ImportQuery, ImportReport, LongContextSpec, ModelSpec, ModelView, PriceSpec, PriceView, PricingQuery,
    Rate, RatesView,
};
use ccag_console::form::Field;
use ccag_console::page::{
    DeleteModelPage, ImportOutcome, ImportPage, ImportedPrice, ModelForm, ModelPage, ModelRow, ModelsPage,
    PriceForm, PricePage, PriceRow,
};
use ccag_console::{Tone, path};
use ccag_domain::{Code, Geography, Problem};
use std::collections::HashMap;

pub(super) async fn list(visitor: Visitor, RawQuery(query): RawQuery) -> Response {
    let search = pairs(query.as_deref())
        .into_iter()
        .find(|(name, _)| name == "q")
        .map(|(_, value)| value.trim().to_owned());
    let page = gather(&visitor, search.unwrap_or_default()).await;
    visitor.answer(page)
}

async fn gather(visitor: &Visitor, search: String) -> Result<ModelsPage, Problem> {
    let (app, actor) = (&visitor.state().app, visitor.actor());
    let prices: HashMap<String, PriceView> = pricing::list(app, &actor, PricingQuery::default())
        .await?
        .prices
        .into_iter()
        .map(|price| (price.model.clone(), price))
        .collect();
    let wanted = search.to_lowercase();
    let fits = |model: &ModelView| {
        [&model.name, &model.display_name, &model.bedrock_id]
            .into_iter()
            .chain(&model.aliases)
            .any(|text| text.to_lowercase().contains(&wanted))
    };
    let row = |model: ModelView| {
        let price = prices.get(&model.name);
        ModelRow {
            price: price.map(|p| {
                let [input, output, ..] = amounts(&p.rates);
                (input, output)
            }),
            source: match price {
                Some(price) if price.source != model.source => {
                    format!("{}; price: {}", model.source, price.source)
                }
                _ => model.source,
            },
            name: model.name,
            title: model.display_name,
            bedrock_id: model.bedrock_id,
            context_tokens: model.context_tokens,
        }
    };
    let found = models::list(app, &actor).await?;
    Ok(ModelsPage {
        rows: found.models.into_iter().filter(fits).map(row).collect(),
        search,
    })
}

fn amounts(rates: &RatesView) -> [String; 5] {
    [
        rates.input_nano_usd,
        rates.output_nano_usd,
        rates.cache_read_nano_usd,
        rates.cache_write_5m_nano_usd,
        rates.cache_write_1h_nano_usd,
    ]
    .map(|amount| amount.to_string())
}

fn only_admins(visitor: &Visitor) -> Result<(), Problem> {
    if visitor.is_admin() {
        return Ok(());
    }
    Err(Problem::new(Code::Forbidden, "Only admins may do this."))
}

pub(super) async fn blank(visitor: Visitor) -> Response {
    let page = only_admins(&visitor).map(|()| ModelPage::default());
    visitor.answer(page)
}

pub(super) async fn show(visitor: Visitor, Path(name): Path<String>) -> Response {
    let page = gather_one(&visitor, &name).await;
    visitor.answer(page)
}

async fn gather_one(visitor: &Visitor, name: &str) -> Result<ModelPage, Problem> {
    let model = models::find(&visitor.state().app, &visitor.actor(), name).await?;
    let geographies: Vec<_> = model.geographies.iter().map(|g| g.as_str()).collect();
    Ok(ModelPage {
        form: ModelForm {
            name: Field::new(model.name.clone()),
            title: Field::new(model.display_name.clone()),
            aliases: Field::new(model.aliases.join(" ")),
            bedrock_id: Field::new(model.bedrock_id),
            geographies: Field::new(geographies.join(" ")),
            context: Field::new(model.context_tokens.to_string()),
            max_output: Field::new(model.max_output_tokens.to_string()),
            released: Field::new(model.released_at.date()),
            on_demand: model.on_demand,
            counts_tokens: model.counts_tokens,
        },
        name: Some(model.name),
        title: model.display_name,
        source: model.source,
        priced: model.priced,
        trouble: None,
    })
}

fn refill(form: &FormData) -> ModelForm {
    let field = |name| Field::new(form.text(name));
    ModelForm {
        name: field("name"),
        title: field("display_name"),
        aliases: field("aliases"),
        bedrock_id: field("bedrock_id"),
        geographies: field("geographies"),
        context: field("context_tokens"),
        max_output: field("max_output_tokens"),
        released: field("released_at"),
        on_demand: form.ticked("on_demand"),
        counts_tokens: form.ticked("counts_tokens"),
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c.is_whitespace() || c == ',')
        .filter(|word| !word.is_empty())
}

/// What the form asks for; `None` if a field is wrong, which then says so.
fn read(form: &FormData, filled: &mut ModelForm, new: bool) -> Option<ModelSpec> {
    let number = |field: &mut Field| {
        let number = field.value.parse::<u32>().ok();
        if number.is_none() {
            field.error = Some("Give a whole number of tokens.".to_owned());
        }
        number
    };
    let (context_tokens, max_output_tokens) = (number(&mut filled.context), number(&mut filled.max_output));
    let mut geographies = Vec::new();
    for word in words(&filled.geographies.value) {
        match Geography::parse(word) {
            Some(geography) => geographies.push(geography),
            None => filled.geographies.error = Some(format!("“{word}” is no geography.")),
        }
    }
    let released = form.optional("released_at").map(|text| text.parse());
    if matches!(released, Some(Err(_))) {
        filled.released.error = Some("Write a date such as 2026-11-01.".to_owned());
    }
    let wrong = [&filled.geographies, &filled.released];
    if wrong.iter().any(|field| field.error.is_some()) {
        return None;
    }
    Some(ModelSpec {
        name: new.then(|| filled.name.value.clone()),
        aliases: words(&filled.aliases.value).map(str::to_owned).collect(),
        display_name: form.optional("display_name"),
        bedrock_id: filled.bedrock_id.value.clone(),
        geographies,
        on_demand: Some(filled.on_demand),
        context_tokens: Some(context_tokens?),
        max_output_tokens: Some(max_output_tokens?),
        counts_tokens: Some(filled.counts_tokens),
        released_at: released.and_then(Result::ok),
    })
}

pub(super) async fn create(Posted { visitor, form }: Posted) -> Response {
    let mut page = ModelPage {
        form: refill(&form),
        ..ModelPage::default()
    };
    let Some(spec) = read(&form, &mut page.form, true) else {
        return again(visitor, page, None);
    };
    match models::create(&visitor.state().app, &visitor.actor(), spec).await {
        Ok(model) => {
            let message = format!(
                "“{}” is there. It is served as soon as it has a price.",
                model.display_name
            );
            visitor.go_saying(&path::model_price(&model.name), Tone::Good, &message)
        }
        Err(problem) => again(visitor, page, Some(problem)),
    }
}

pub(super) async fn update(Path(name): Path<String>, Posted { visitor, form }: Posted) -> Response {
    let mut page = match gather_one(&visitor, &name).await {
        Ok(page) => page,
        Err(problem) => return visitor.refuse(problem),
    };
    page.form = refill(&form);
    let Some(spec) = read(&form, &mut page.form, false) else {
        return again(visitor, page, None);
    };
    match models::replace(&visitor.state().app, &visitor.actor(), &name, spec).await {
        Ok(model) => {
            let message = format!("“{}” is saved.", model.display_name);
            visitor.go_saying(path::MODELS, Tone::Good, &message)
        }
        Err(problem) => again(visitor, page, Some(problem)),
    }
}

/// The form once more, with what was entered and what is wrong with it.
fn again(visitor: Visitor, mut page: ModelPage, problem: Option<Problem>) -> Response {
    match problem {
        Some(problem) if !is_about_input(&problem) => return visitor.refuse(problem),
        Some(problem) => match problem.field.as_deref().and_then(|f| page.form.field_mut(f)) {
            Some(field) => field.error = Some(problem.message),
            None => page.trouble = Some(problem.message),
        },
        None => {}
    }
    visitor.show(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

pub(super) async fn ask_delete(visitor: Visitor, Path(name): Path<String>) -> Response {
    let page = match only_admins(&visitor) {
        Ok(()) => gather_one(&visitor, &name).await,
        Err(problem) => Err(problem),
    };
    visitor.answer(page.map(|page| DeleteModelPage {
        name: page.name.unwrap_or_default(),
        title: page.title,
    }))
}

pub(super) async fn delete(Path(name): Path<String>, Posted { visitor, .. }: Posted) -> Response {
    match models::delete(&visitor.state().app, &visitor.actor(), &name).await {
        Ok(()) => visitor.go_saying(path::MODELS, Tone::Good, "The model is removed."),
        Err(problem) => visitor.refuse(problem),
    }
}

pub(super) async fn prices(visitor: Visitor, Path(name): Path<String>) -> Response {
    let page = gather_prices(&visitor, &name).await;
    visitor.answer(page)
}

async fn gather_prices(visitor: &Visitor, name: &str) -> Result<PricePage, Problem> {
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
        history: history.iter().map(price_row).collect(),
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
    }
}

fn price_row(price: &PriceView) -> PriceRow {
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
fn read_price(form: &mut PriceForm) -> Option<PriceSpec> {
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
        aws_sku: None,
    })
}

pub(super) async fn set_price(Path(name): Path<String>, Posted { visitor, form }: Posted) -> Response {
    let mut page = match gather_prices(&visitor, &name).await {
        Ok(page) => page,
        Err(problem) => return visitor.refuse(problem),
    };
    page.form = PriceForm::default();
    for (name, field) in page.form.fields_mut() {
        field.value = form.text(name);
    }
    let Some(spec) = read_price(&mut page.form) else {
        return visitor.show(StatusCode::UNPROCESSABLE_ENTITY, &page);
    };
    match pricing::set(&visitor.state().app, &visitor.actor(), &name, spec).await {
        Ok(_) => {
            let message = format!("The price of “{}” counts for requests from now on.", page.title);
            visitor.go_saying(&path::model_price(&page.name), Tone::Good, &message)
        }
        Err(problem) if is_about_input(&problem) => {
            let at = problem.field.clone().unwrap_or_default();
            let mut fields = page.form.fields_mut();
            match fields.iter_mut().find(|(name, _)| *name == at) {
                Some((_, field)) => field.error = Some(problem.message),
                None => page.trouble = Some(problem.message),
            }
            visitor.show(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
        Err(problem) => visitor.refuse(problem),
    }
}

pub(super) async fn reset_price(Path(name): Path<String>, Posted { visitor, .. }: Posted) -> Response {
    match pricing::reset(&visitor.state().app, &visitor.actor(), &name).await {
        Ok(()) => visitor.go_saying(
            &path::model_price(&name),
            Tone::Good,
            "The built-in price counts from now on, where there is one; a model without a price is refused.",
        ),
        Err(problem) => visitor.refuse(problem),
    }
}

pub(super) async fn ask_import(visitor: Visitor) -> Response {
    let page = only_admins(&visitor).map(|()| ImportPage::default());
    visitor.answer(page)
}

pub(super) async fn import(Uploaded { visitor, form, file }: Uploaded) -> Response {
    let query = ImportQuery {
        dry_run: Some(form.ticked("dry_run")),
        overwrite: Some(form.ticked("overwrite")),
    };
    let done = match file {
        Some(file) => pricing::import(&visitor.state().app, &visitor.actor(), query, &file).await,
        None => Err(Problem::new(
            Code::InvalidRequest,
            "Choose the file with the price list; it is text, CSV or JSON.",
        )),
    };
    match done {
        Ok(report) => {
            let page = ImportPage {
                outcome: Some(outcome(report)),
                trouble: None,
            };
            visitor.show(StatusCode::OK, &page)
        }
        Err(problem) if is_about_input(&problem) => {
            let page = ImportPage {
                outcome: None,
                trouble: Some(problem.message),
            };
            visitor.show(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
        Err(problem) => visitor.refuse(problem),
    }
}

fn outcome(report: ImportReport) -> ImportOutcome {
    let in_out = |price: &PriceView| {
        let [input, output, ..] = amounts(&price.rates);
        (input, output)
    };
    let published = report
        .published
        .map(|at| format!(", published {at}"))
        .unwrap_or_default();
    ImportOutcome {
        dry_run: report.dry_run,
        summary: format!(
            "{} of {} prices used{published}",
            report.rows_used, report.rows_read
        ),
        changed: report
            .changed
            .iter()
            .map(|change| ImportedPrice {
                model: change.model.clone(),
                before: change.before.as_ref().map(in_out),
                after: in_out(&change.after),
                notes: change.notes.clone(),
            })
            .collect(),
        unchanged: report.unchanged,
        skipped: report
            .skipped
            .into_iter()
            .map(|skipped| match skipped.model {
                Some(model) => format!("{model}, {} rows: {}", skipped.rows, skipped.reason),
                None => format!("{} rows: {}", skipped.rows, skipped.reason),
            })
            .collect(),
    }
}
