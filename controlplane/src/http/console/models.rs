//! Models.

use super::form::{FormData, Posted, again, pairs};
use super::prices::amounts;
use super::visitor::Visitor;
use crate::app::{models, pricing};
use axum::extract::{Path, RawQuery};
use axum::response::Response;
use ccag_admin_api::{ModelSpec, ModelView, PriceView, PricingQuery};
use ccag_console::form::Field;
use ccag_console::page::{DeleteModelPage, ModelForm, ModelPage, ModelRow, ModelsPage};
use ccag_console::{Tone, path};
use ccag_domain::{Area, Geography, Permission, Problem};
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

pub(super) fn only_admins(visitor: &Visitor) -> Result<(), Problem> {
    visitor.actor().require_all(Permission::Change(Area::Models))
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
            burndown: Field::new(model.output_burndown.to_string()),
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
        burndown: field("output_burndown"),
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
            field.error = Some("Give a whole number.".to_owned());
        }
        number
    };
    let (context_tokens, max_output_tokens) = (number(&mut filled.context), number(&mut filled.max_output));
    let burndown = form
        .optional("output_burndown")
        .map(|_| number(&mut filled.burndown));
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
        output_burndown: match burndown {
            Some(burndown) => Some(burndown?),
            None => None,
        },
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
