//! What drifts: prices that are listed differently from those in force, and rules that Bedrock contradicts.

use crate::app::notifications::events::{Told, event, subject};
use crate::app::{App, VERSION, pricing};
use crate::store::entity::{learnt_fact, notification_mark, price};
use crate::store::outbox::{Audience, NewEvent};
use crate::store::{StoreError, rows};
use ccag_console::path;
use ccag_domain::time::{DAY_MS, HOUR_MS};
use ccag_domain::{Category, NanoUsd, Price, Rates, Severity, catalogue};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What is refused is told of one model at most once in this time, in milliseconds.
const DAMPED_MS: i64 = 6 * HOUR_MS;

/// What was learnt longer ago than this when it is first looked at is no news, in milliseconds.
const NEWS_MS: i64 = DAY_MS;

/// So many refused things are named in an event.
const NAMED: usize = 10;

/// A name is cut after so many characters.
const NAME_CHARS: usize = 80;

/// Which listed prices have been seen beside a price in force.
#[derive(serde::Serialize, serde::Deserialize)]
struct SeenPrices {
    price_id: String,
    listed: Vec<String>,
}

/// Prices that this release lists differently from those in force.
pub(super) async fn prices(app: &App) -> Result<(), StoreError> {
    let now = app.now_ms();
    let held = app.store.held_prices().await?;
    let marks = app.store.list_marks("price/").await?;
    for listed in catalogue::prices() {
        let Some(row) = held.iter().find(|row| row.model == listed.model.as_str()) else {
            continue;
        };
        let in_force = rows::price(row)?;
        let id = format!("price/{}", row.model);
        let mark = marks.get(&id);
        let seen = mark
            .and_then(|(value, _)| serde_json::from_str::<SeenPrices>(value).ok())
            .filter(|seen| seen.price_id == row.id);
        let name = digest(&listed);
        let mut next = match seen {
            Some(seen) if seen.listed.contains(&name) => continue,
            Some(seen) => seen,
            // Who sets a price knows what it was; what a release before has brought, nobody has looked at.
            None => SeenPrices {
                price_id: row.id.clone(),
                listed: if row.source == pricing::BUILT_IN {
                    vec![digest(&in_force)]
                } else {
                    vec![name.clone()]
                },
            },
        };
        let mut news = None;
        if !next.listed.contains(&name) {
            next.listed.push(name);
            if !pricing::same(&in_force, &listed) {
                news = Some(listed_differently(app, row, (&in_force, &listed), None));
            }
        }
        let mark_row = notification_mark::Model {
            id,
            value: serde_json::to_string(&next).unwrap_or_default(),
            at_ms: now,
        };
        let before = mark.map(|(value, _)| value.as_str());
        app.store.put_mark(before, mark_row, news.as_ref()).await?;
    }
    Ok(())
}

/// A price that is listed differently: by AWS's price list with the date that it bears, or else by this release.
pub(in crate::app) fn listed_differently(
    app: &App,
    row: &price::Model,
    (in_force, listed): (&Price, &Price),
    published: Option<&str>,
) -> NewEvent {
    let is_aws = listed.source == pricing::AWS;
    let by = match (is_aws, published) {
        (true, Some(date)) => format!("AWS's price list of {date}"),
        (true, None) => "AWS's price list".to_owned(),
        (false, _) => format!("CCAG {VERSION}"),
    };
    let whence = match row.source.as_str() {
        pricing::ADMIN => "an admin has set",
        pricing::AWS => "an earlier price list has brought",
        _ => "an earlier release has brought",
    };
    let differs = differences(in_force, listed);
    let mut said: Vec<String> = differs
        .iter()
        .take(3)
        .map(|(what, here, there)| format!("{what} {there} instead of {here}"))
        .collect();
    if differs.len() > 3 {
        said.push(format!("and {} more", differs.len() - 3));
    }
    let told = Told {
        once: format!("price/{}/{}", row.id, digest(listed)),
        kind: "price.drift",
        category: Category::Drift,
        severity: Severity::Warning,
        text: format!(
            "{by} has another price of {} than the one in force, which {whence}: {}. The price in force stays until somebody \
             changes it.",
            row.model,
            said.join(", "),
        ),
        page: path::model_price(&row.model),
        team: None,
        user: None,
        data: json!({
            "model": row.model, "price_id": row.id, "source": row.source,
            "listed_by": if is_aws { "aws-price-list" } else { "release" }, "published": published,
            "in_force": figures(in_force), "listed": figures(listed),
        }),
        audience: Audience::Organisation,
    };
    event(app, &told)
}

/// The classes of tokens, as they are called in an event and for people.
fn classes(rates: &Rates) -> [(&'static str, &'static str, NanoUsd); 5] {
    [
        ("input", "input", rates.input),
        ("output", "output", rates.output),
        ("cache_read", "cache reads", rates.cache_read),
        (
            "cache_write_5m",
            "cache writes for five minutes",
            rates.cache_write_5m,
        ),
        ("cache_write_1h", "cache writes for an hour", rates.cache_write_1h),
    ]
}

/// Dollars per million tokens, and premiums in thousandths.
fn figures(price: &Price) -> Value {
    let rates = |rates: &Rates| -> Value {
        let each = classes(rates).into_iter();
        each.map(|(name, _, amount)| (name.to_owned(), json!(amount.to_string())))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    json!({
        "usd_per_million": rates(&price.rates),
        "long_context": price.long_context.as_ref().map(|long| json!({
            "above_prompt_tokens": long.above_prompt_tokens, "usd_per_million": rates(&long.rates),
        })),
        "regional_permille": price.regional_permille, "in_region_permille": price.in_region_permille,
        "gov_permille": price.gov_permille, "mantle_permille": price.mantle_permille,
    })
}

/// What differs, in words: what, the price in force, the one that is listed.
fn differences(in_force: &Price, listed: &Price) -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    let mut rates = |prefix: &str, here: &Rates, there: &Rates| {
        for ((_, what, here), (_, _, there)) in classes(here).into_iter().zip(classes(there)) {
            if here != there {
                found.push((format!("{prefix}{what}"), format!("${here}"), format!("${there}")));
            }
        }
    };
    rates("", &in_force.rates, &listed.rates);
    match (&in_force.long_context, &listed.long_context) {
        (Some(here), Some(there)) => rates("long prompts' ", &here.rates, &there.rates),
        (None, None) => {}
        (here, _) => {
            let say = |is: bool| if is { "of their own" } else { "like others" }.to_owned();
            let rates = "rates of long prompts".to_owned();
            found.push((rates, say(here.is_some()), say(here.is_none())));
        }
    }
    for (what, here, there) in [
        (
            "the premium of a geography",
            in_force.regional_permille,
            listed.regional_permille,
        ),
        (
            "the premium of a region",
            in_force.in_region_permille,
            listed.in_region_permille,
        ),
        (
            "the premium of GovCloud",
            in_force.gov_permille,
            listed.gov_permille,
        ),
        (
            "the premium of the mantle lane",
            in_force.mantle_permille,
            listed.mantle_permille,
        ),
    ] {
        if here != there {
            found.push((what.to_owned(), format!("{here} ‰"), format!("{there} ‰")));
        }
    }
    found
}

/// Names what a price costs: the same for all that cost the same.
fn digest(price: &Price) -> String {
    let hash = Sha256::digest(figures(price).to_string());
    hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// What Bedrock has refused that the rules let through, by surface and model.
pub(super) async fn rules(app: &App) -> Result<(), StoreError> {
    let now = app.now_ms();
    let facts = app.store.list_facts().await?;
    let marks = app.store.list_marks("rules/").await?;
    if facts.is_empty() && marks.is_empty() {
        return Ok(());
    }
    let mut by_model: BTreeMap<String, Vec<&learnt_fact::Model>> = BTreeMap::new();
    for fact in &facts {
        let id = format!("rules/{}/{}", fact.surface, fact.bedrock_model);
        by_model.entry(id).or_default().push(fact);
    }
    for id in marks.keys() {
        by_model.entry(id.clone()).or_default();
    }
    let mut names: Option<HashMap<String, String>> = None;
    for (id, facts) in by_model {
        let mark = marks.get(&id);
        let (before, told_ms) = mark.map_or((BTreeSet::new(), 0), |(value, at_ms)| {
            (serde_json::from_str(value).unwrap_or_default(), *at_ms)
        });
        let refused: BTreeSet<String> = facts.iter().map(|fact| refused(fact)).collect();
        if refused == before && mark.is_some() {
            continue;
        }
        let is_news = |fact: &&&learnt_fact::Model| {
            now - fact.learnt_at_ms < NEWS_MS && !before.contains(&super::drift::refused(fact))
        };
        let news: Vec<&learnt_fact::Model> = facts.iter().filter(is_news).copied().collect();
        if !news.is_empty() && now - told_ms < DAMPED_MS {
            continue;
        }
        let event = if news.is_empty() {
            None
        } else {
            if names.is_none() {
                let rows = app.store.list_endpoints().await?;
                names = Some(rows.into_iter().map(|row| (row.id, row.name)).collect());
            }
            Some(contradicted(app, &news, names.as_ref()))
        };
        let next = notification_mark::Model {
            id,
            value: json!(refused).to_string(),
            at_ms: if event.is_some() { now } else { told_ms },
        };
        let value = mark.map(|(value, _)| value.as_str());
        app.store.put_mark(value, next, event.as_ref()).await?;
    }
    Ok(())
}

/// Names what was refused, wherever it was.
fn refused(fact: &learnt_fact::Model) -> String {
    format!("{} {}", fact.kind, fact.value)
}

fn short(text: &str) -> String {
    text.chars().take(NAME_CHARS).collect()
}

/// What a fact says was refused, in words.
fn in_words(kind: &str, value: &str) -> String {
    let value = short(value);
    match kind {
        "beta" => format!("the beta `{value}`"),
        "path" => format!("the field `{value}`"),
        "max_tokens" => format!("more than {value} tokens of output"),
        "minimal_betas" => "all but the betas that it needs".to_owned(),
        "no_betas" => "betas of any kind".to_owned(),
        _ => format!("{} `{value}`", short(kind)),
    }
}

fn contradicted(
    app: &App,
    news: &[&learnt_fact::Model],
    names: Option<&HashMap<String, String>>,
) -> NewEvent {
    let (surface, model) = news.first().map_or(("", ""), |fact| {
        (fact.surface.as_str(), fact.bedrock_model.as_str())
    });
    let things: BTreeSet<(&str, &str)> = news
        .iter()
        .map(|fact| (fact.kind.as_str(), fact.value.as_str()))
        .collect();
    let places: BTreeSet<&str> = news.iter().map(|fact| fact.endpoint_id.as_str()).collect();
    let places: Vec<_> = places
        .into_iter()
        .map(|id| {
            subject(
                id,
                names.and_then(|names| names.get(id)).map_or("", String::as_str),
            )
        })
        .collect();
    let mut said: Vec<String> = things
        .iter()
        .take(3)
        .map(|(kind, value)| in_words(kind, value))
        .collect();
    if things.len() > 3 {
        said.push(format!("{} more", things.len() - 3));
    }
    let at: Vec<&str> = places.iter().take(5).map(|place| place.name.as_str()).collect();
    let told = Told {
        once: format!("rules/{surface}/{model}/{}", app.now_ms()),
        kind: "capability.drift",
        category: Category::Drift,
        severity: Severity::Warning,
        text: format!(
            "{model} refuses on the surface {surface} what the rules let through: {}. Seen at {}. New conversations there do \
             without it; a rule of your own, or those of a newer release, put it right.",
            said.join(", "),
            at.join(", "),
        ),
        page: path::CAPABILITIES.to_owned(),
        team: None,
        user: None,
        data: json!({
            "surface": surface, "model": model,
            "refused": things.iter().take(NAMED).map(|(kind, value)| json!({ "kind": kind, "value": short(value) }))
                .collect::<Vec<_>>(),
            "refused_count": things.len(), "endpoints": places,
        }),
        audience: Audience::Organisation,
    };
    event(app, &told)
}

/// The rules of a release do not go together with an admin's own.
pub(in crate::app) fn misfit(app: &App, surface: &str, version: &str, reason: &str) -> NewEvent {
    let told = Told {
        once: format!("misfit/{surface}/{version}"),
        kind: "capability.misfit",
        category: Category::Drift,
        severity: Severity::Warning,
        text: format!(
            "The rules for {surface} that CCAG {VERSION} brings do not go together with your own: {reason} The rules in force \
             stay as they were."
        ),
        page: path::CAPABILITIES.to_owned(),
        team: None,
        user: None,
        data: json!({ "surface": surface, "version": version, "reason": reason }),
        audience: Audience::Organisation,
    };
    event(app, &told)
}
