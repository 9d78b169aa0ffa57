//! What Bedrock takes.

use super::form::{FormData, Posted, is_about_input, pairs};
use super::visitor::Visitor;
use crate::app::capabilities;
use axum::extract::{Path, RawQuery};
use axum::http::StatusCode;
use axum::response::Response;
use ccag_admin_api::{CapabilitiesView, FactView, RuleView, WriteRule};
use ccag_console::form::Field;
use ccag_console::page::{
    CapabilitiesPage, DeleteRulePage, LessonRow, NewRuleForm, NewRulePage, OwnRuleRow, RuleFilter, RuleRow,
    SeenRow, VersionRow,
};
use ccag_console::{Tone, path};
use ccag_domain::{Code, Problem, RuleId};
use ccag_translate::profile::TABLES;
use serde_json::{Map, Value, json};

/// The surface that is shown where none is asked for.
const FIRST: &str = "invoke-model";

/// The tables whose rows have a name; those about thinking and effort are for the API.
fn named_tables() -> Vec<String> {
    let named = TABLES
        .iter()
        .filter(|table| !["thinking", "efforts"].contains(*table));
    named.map(|table| (*table).to_owned()).collect()
}

pub(super) async fn show(visitor: Visitor, RawQuery(query): RawQuery) -> Response {
    let page = gather(&visitor, query.as_deref()).await;
    visitor.answer(page)
}

async fn gather(visitor: &Visitor, query: Option<&str>) -> Result<CapabilitiesPage, Problem> {
    let (app, actor) = (&visitor.state().app, visitor.actor());
    let mut filter = RuleFilter {
        surface: FIRST.to_owned(),
        ..RuleFilter::default()
    };
    for (name, value) in pairs(query) {
        match name.as_ref() {
            "q" => filter.text = value.trim().to_owned(),
            "table" => filter.table = value.into_owned(),
            "surface" if !value.is_empty() => filter.surface = value.into_owned(),
            _ => {}
        }
    }
    let book = async {
        match capabilities::book(app, &actor, &filter.surface, None).await {
            Err(problem) if problem.code == Code::NotFound => {
                capabilities::book(app, &actor, FIRST, None).await
            }
            other => other,
        }
    };
    let (view, book) = tokio::try_join!(capabilities::view(app, &actor), book)?;
    let surfaces: Vec<String> = view.surfaces.iter().map(|s| s.surface.clone()).collect();
    if !surfaces.contains(&filter.surface) {
        filter.surface = FIRST.to_owned();
    }
    let all = rules_of(&filter.surface, &book);
    Ok(CapabilitiesPage {
        rules_in_all: all.len() as u64,
        rules: all.into_iter().filter(|rule| fits(rule, &filter)).collect(),
        filter,
        surfaces,
        tables: named_tables(),
        versions: versions(&view),
        own: view.rules.iter().map(own_rule).collect(),
        lessons: view.learnt.into_iter().map(lesson).collect(),
        seen: view
            .seen
            .into_iter()
            .map(|seen| SeenRow {
                kind: seen.kind,
                name: seen.name,
                known: seen.known,
                count: seen.count,
                last_seen_ms: seen.last_seen_at.ms(),
            })
            .collect(),
    })
}

fn versions(view: &CapabilitiesView) -> Vec<VersionRow> {
    let rows = view.surfaces.iter().flat_map(|surface| {
        surface.versions.iter().map(|version| VersionRow {
            surface: surface.surface.clone(),
            version: version.version.clone(),
            in_force: version.version == surface.version,
            reason: version.reason.clone(),
            made_at_ms: version.made_at.ms(),
        })
    });
    rows.collect()
}

fn lesson(fact: FactView) -> LessonRow {
    let what = match fact.kind.as_str() {
        "beta" => format!("beta {}", fact.value),
        "path" => format!("field {}", fact.value),
        "max_tokens" => format!("more than {} output tokens", fact.value),
        "minimal_betas" => "all betas but those of the native client".to_owned(),
        "no_betas" => "all betas".to_owned(),
        other => format!("{other} {}", fact.value),
    };
    LessonRow {
        id: fact.id,
        what,
        endpoint: fact.endpoint_name.unwrap_or_else(|| fact.endpoint_id.to_string()),
        model: fact.bedrock_model,
        version: fact.version,
        learnt_at_ms: fact.learnt_at.ms(),
    }
}

fn own_rule(rule: &RuleView) -> OwnRuleRow {
    OwnRuleRow {
        id: rule.id.to_string(),
        rule: rule_row(&rule.surface, &rule.table, &rule.rule),
        changed_at_ms: rule.changed_at.ms(),
    }
}

fn rules_of(surface: &str, book: &Value) -> Vec<RuleRow> {
    let mut all = Vec::new();
    for table in named_tables() {
        let rows = book.get(&table).and_then(Value::as_array).into_iter().flatten();
        all.extend(rows.map(|row| rule_row(surface, &table, row)));
    }
    all
}

/// A rule in words.
fn rule_row(surface: &str, table: &str, rule: &Value) -> RuleRow {
    let text = |name: &str| {
        rule.get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let action = match text("to") {
        to if to.is_empty() => text("do"),
        to => format!("{} to {to}", text("do")),
    };
    RuleRow {
        surface: surface.to_owned(),
        table: table.to_owned(),
        name: text("name"),
        action,
        condition: condition(rule),
        source: text("source"),
    }
}

fn condition(rule: &Value) -> String {
    let mut parts = Vec::new();
    let models = rule.get("models").unwrap_or(&Value::Null);
    let list = |value: &Value| {
        let names = value.as_array().into_iter().flatten().filter_map(Value::as_str);
        names.collect::<Vec<_>>().join(", ")
    };
    if let Some(from) = models["from"].as_str() {
        parts.push(format!("from {from}"));
    }
    if let Some(until) = models["until"].as_str() {
        parts.push(format!("until {until}"));
    }
    if models["only"].is_array() {
        parts.push(format!("only {}", list(&models["only"])));
    }
    if models["except"]
        .as_array()
        .is_some_and(|except| !except.is_empty())
    {
        parts.push(format!("not {}", list(&models["except"])));
    }
    if let Some(needs) = rule["needs"].as_str() {
        parts.push(format!("with {}", needs.replace('_', " ")));
    }
    if !rule["value"].is_null() {
        parts.push(format!("for the value {}", rule["value"]));
    }
    if parts.is_empty() {
        "always".to_owned()
    } else {
        parts.join("; ")
    }
}

fn fits(rule: &RuleRow, filter: &RuleFilter) -> bool {
    let part = filter.text.to_lowercase();
    (filter.table.is_empty() || rule.table == filter.table)
        && (rule.name.to_lowercase().contains(&part) || rule.source.to_lowercase().contains(&part))
}

async fn new_page(
    visitor: &Visitor,
    form: NewRuleForm,
    trouble: Option<String>,
) -> Result<NewRulePage, Problem> {
    let view = capabilities::view(&visitor.state().app, &visitor.actor()).await?;
    Ok(NewRulePage {
        form,
        surfaces: view.surfaces.into_iter().map(|s| s.surface).collect(),
        tables: named_tables(),
        trouble,
    })
}

pub(super) async fn new_rule(visitor: Visitor) -> Response {
    let page = new_page(&visitor, NewRuleForm::default(), None).await;
    visitor.answer(page)
}

pub(super) async fn add(Posted { visitor, form }: Posted) -> Response {
    let mut filled = fields(&form);
    let missing = |field: &mut Field, text: &str| {
        if field.value.is_empty() {
            field.error = Some(text.to_owned());
        }
        field.error.is_some()
    };
    let no_name = missing(&mut filled.name, "Give the name of what the rule is about.");
    let no_source = missing(&mut filled.source, "Say how you know.");
    let mut trouble = None;
    if !no_name && !no_source {
        let request = WriteRule {
            surface: filled.surface.value.clone(),
            table: filled.table.value.clone(),
            rule: rule_json(&filled),
        };
        match capabilities::add_rule(&visitor.state().app, &visitor.actor(), request).await {
            Ok(_) => {
                let message = format!(
                    "The rule for “{}” is in force for conversations that begin from now on.",
                    filled.name.value
                );
                return visitor.go_saying(path::CAPABILITIES, Tone::Good, &message);
            }
            Err(problem) if is_about_input(&problem) => trouble = Some(problem.message),
            Err(problem) => return visitor.refuse(problem),
        }
    }
    match new_page(&visitor, filled, trouble).await {
        Ok(page) => visitor.show(StatusCode::UNPROCESSABLE_ENTITY, &page),
        Err(problem) => visitor.refuse(problem),
    }
}

fn fields(form: &FormData) -> NewRuleForm {
    let field = |name: &str| Field::new(form.text(name));
    NewRuleForm {
        surface: field("surface"),
        table: field("table"),
        name: field("name"),
        action: field("action"),
        to: field("to"),
        models: field("models"),
        from: field("from"),
        until: field("until"),
        message: field("message"),
        source: field("source"),
    }
}

fn rule_json(form: &NewRuleForm) -> Value {
    let mut rule = Map::new();
    rule.insert("name".to_owned(), json!(form.name.value));
    rule.insert("do".to_owned(), json!(form.action.value));
    let mut models = Map::new();
    let only: Vec<&str> = form
        .models
        .value
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .collect();
    if !only.is_empty() {
        models.insert("only".to_owned(), json!(only));
    }
    for (name, field) in [("from", &form.from), ("until", &form.until)] {
        if !field.value.is_empty() {
            models.insert(name.to_owned(), json!(field.value));
        }
    }
    if !models.is_empty() {
        rule.insert("models".to_owned(), Value::Object(models));
    }
    for (name, field) in [("to", &form.to), ("message", &form.message)] {
        if !field.value.is_empty() {
            rule.insert(name.to_owned(), json!(field.value));
        }
    }
    rule.insert("source".to_owned(), json!(form.source.value));
    Value::Object(rule)
}

pub(super) async fn ask_delete(visitor: Visitor, Path(id): Path<String>) -> Response {
    let view = match capabilities::view(&visitor.state().app, &visitor.actor()).await {
        Ok(view) => view,
        Err(problem) => return visitor.refuse(problem),
    };
    let found = view.rules.iter().find(|rule| rule.id.as_str() == id);
    let page = found
        .map(|rule| DeleteRulePage {
            id: rule.id.to_string(),
            rule: rule_row(&rule.surface, &rule.table, &rule.rule),
        })
        .ok_or_else(|| Problem::new(Code::NotFound, "There is no such rule."));
    visitor.answer(page)
}

pub(super) async fn delete(Path(id): Path<String>, Posted { visitor, .. }: Posted) -> Response {
    let Ok(id) = RuleId::parse(&id) else {
        return visitor.refuse(Problem::new(Code::NotFound, "There is no such rule."));
    };
    match capabilities::delete_rule(&visitor.state().app, &visitor.actor(), &id).await {
        Ok(()) => visitor.go_saying(
            path::CAPABILITIES,
            Tone::Good,
            "The rule is taken away; conversations that begin from now on follow the others.",
        ),
        Err(problem) => visitor.refuse(problem),
    }
}

pub(super) async fn forget(Path(id): Path<String>, Posted { visitor, .. }: Posted) -> Response {
    match capabilities::forget(&visitor.state().app, &visitor.actor(), &id).await {
        Ok(()) => visitor.go_saying(
            path::CAPABILITIES,
            Tone::Good,
            "Forgotten: the next conversation that begins there tries it again.",
        ),
        Err(problem) => visitor.refuse(problem),
    }
}
