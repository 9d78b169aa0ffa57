//! The catalogue of what Bedrock takes and answers, row by row: `tests/vectors/catalogue.json` says what each request, or
//! answer, becomes on each model, and a change of any row of the rule book is noticed by one of them at least.
//!
//! `UPDATE_GOLDEN=1 cargo test -p ccag-translate` writes what becomes of the requests anew; read the difference before
//! committing it.

use crate::max_output_tokens;
use ccag_translate::noticed::Dropped;
use ccag_translate::profile::RuleBook;
use ccag_translate::request::{Headers, Operation, peek, prepare};
use ccag_translate::stream::{StreamOptions, StreamTranslator};
use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use std::path::PathBuf;

const SHIPPED: &str = include_str!("../../profiles/invoke-model.json");

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/catalogue.json")
}

fn vectors() -> Vec<Map<String, Value>> {
    serde_json::from_str(&std::fs::read_to_string(file()).unwrap()).unwrap()
}

/// The rule book with the rows of a vector's admin before those of each table.
fn book(rules: &Value, vector: &Map<String, Value>) -> Option<RuleBook> {
    let Some(changed) = vector.get("changed").and_then(Value::as_object) else {
        return RuleBook::from_json(rules.to_string().as_bytes()).ok();
    };
    let mut rules = rules.clone();
    for (table, rows) in changed {
        let table = rules[table].as_array_mut().unwrap();
        table.splice(0..0, rows.as_array().unwrap().iter().cloned());
    }
    RuleBook::from_json(rules.to_string().as_bytes()).ok()
}

/// The request that all vectors change.
fn plain(model: &str) -> Value {
    json!({"model": model, "max_tokens": 32_000, "messages": [{"role": "user", "content": "hi"}]})
}

fn models(vector: &Map<String, Value>) -> Vec<&str> {
    match vector.get("models") {
        Some(models) => models
            .as_array()
            .unwrap()
            .iter()
            .filter_map(Value::as_str)
            .collect(),
        None => vec!["claude-opus-5-5"],
    }
}

fn names(list: &[Dropped]) -> Vec<String> {
    let name = |d: &Dropped| format!("{} {}{}", d.kind.as_str(), d.name, if d.known { "" } else { "?" });
    list.iter().map(name).collect()
}

/// What becomes of a vector's answer: the events that the client gets, by index and type.
fn answered(book: &RuleBook, events: &[Value], model: &str) -> Value {
    let name = ccag_translate::model::asked(model).name;
    let mut translator = StreamTranslator::new(StreamOptions {
        rules: book.profile(&name, max_output_tokens(&name)).answer,
        ..StreamOptions::default()
    });
    let mut out = Vec::new();
    for event in events {
        translator.feed(event.to_string().as_bytes(), &mut out).unwrap();
    }
    let got = String::from_utf8(out).unwrap();
    let got: Vec<String> = got
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data: ")?).ok())
        .map(|event| {
            let of = |value: &Value| value["type"].as_str().unwrap_or_default().to_owned();
            let kind = of(&event).replace("content_block_", "");
            let parts = [
                event["index"].to_string(),
                kind,
                of(&event["content_block"]),
                of(&event["delta"]),
            ];
            parts
                .into_iter()
                .filter(|part| !part.is_empty() && part != "null")
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect();
    let noticed = &translator.observed().noticed;
    json!({"got": got, "dropped": names(&noticed.dropped), "passed": names(&noticed.passed)})
}

/// What becomes of a vector's request: what differs from the plain one, or the refusal.
fn outcome(book: &RuleBook, vector: &Map<String, Value>, model: &str) -> Value {
    if let Some(events) = vector.get("answer").and_then(Value::as_array) {
        return answered(book, events, model);
    }
    let mut body = plain(model);
    for (key, value) in vector.get("ask").and_then(Value::as_object).into_iter().flatten() {
        body[key] = value.clone();
    }
    let body = body.to_string();
    let betas: Vec<&str> = vector.get("betas").and_then(Value::as_str).into_iter().collect();
    let headers = Headers {
        betas: &betas,
        version: vector.get("version").and_then(Value::as_str),
    };
    let name = ccag_translate::model::asked(model).name;
    let profile = book.profile(&name, max_output_tokens(&name));
    let prepared =
        peek(body.as_bytes(), Operation::Messages).and_then(|peeked| prepare(&peeked, headers, &profile));
    let prepared = match prepared {
        Ok(prepared) => prepared,
        Err(problem) => {
            return json!({"refused": problem.code.anthropic_type(), "says": problem.message});
        }
    };
    let mut sent: Map<String, Value> = serde_json::from_slice(&prepared.body.to_vec()).unwrap();
    let plain = plain(model);
    let usual = json!({"anthropic_version": "bedrock-2023-05-31", "max_tokens": plain["max_tokens"], "messages": plain["messages"]});
    for (key, value) in usual.as_object().unwrap() {
        match sent.get(key) {
            Some(same) if same == value => drop(sent.shift_remove(key)),
            Some(_) => {}
            None => drop(sent.insert(key.clone(), Value::Null)),
        }
    }
    let mut outcome = json!({"sent": sent});
    for (key, list) in [("dropped", &prepared.dropped), ("passed", &prepared.passed)] {
        if !list.is_empty() {
            outcome[key] = names(list).into();
        }
    }
    outcome
}

/// Writes the vectors with one line for each thing that is said, so that differences can be read.
fn written(vectors: &[Map<String, Value>]) -> String {
    let mut out = String::from("[\n");
    for (i, vector) in vectors.iter().enumerate() {
        out.push_str(" {\n");
        let mut lines = Vec::new();
        for (key, value) in vector {
            if key == "becomes" {
                let models = value.as_object().unwrap();
                let models: Vec<String> = models.iter().map(|(m, o)| format!("    {m:?}: {o}")).collect();
                lines.push(format!("  \"becomes\": {{\n{}\n  }}", models.join(",\n")));
            } else {
                lines.push(format!("  {key:?}: {value}"));
            }
        }
        let comma = if i + 1 < vectors.len() { "," } else { "" };
        let _ = writeln!(out, "{}\n }}{comma}", lines.join(",\n"));
    }
    out.push_str("]\n");
    out
}

#[test]
fn every_request_of_the_catalogue_becomes_what_is_written_for_each_model() {
    let rules: Value = serde_json::from_str(SHIPPED).unwrap();
    let mut vectors = vectors();
    let mut wrong = Vec::new();
    for vector in &mut vectors {
        let book = book(&rules, vector).unwrap();
        let becomes: Map<String, Value> = models(vector)
            .iter()
            .map(|model| ((*model).to_owned(), outcome(&book, vector, model)))
            .collect();
        for (model, now) in &becomes {
            let then = vector.get("becomes").map_or(&Value::Null, |b| &b[model]);
            if then != now {
                wrong.push(format!(
                    "{} on {model}:\n  written {then}\n  now     {now}",
                    vector["rows"]
                ));
            }
        }
        vector.insert("becomes".to_owned(), becomes.into());
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(file(), written(&vectors)).unwrap();
        return;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What a row could be changed into, each with words for it.
fn changes(table: &str, row: &Value) -> Vec<(&'static str, Option<Value>)> {
    let with = |key: &str, value: Value| {
        let mut row = row.clone();
        row[key] = value;
        Some(row)
    };
    let mut changes = Vec::new();
    // Without its row `*` a table does what that row says.
    if row["name"] != "*" {
        changes.push(("left out", None));
    }
    match table {
        "thinking" => {
            for key in ["adaptive", "budget", "display"] {
                changes.push(("turned round", with(key, json!(row[key] != true))));
            }
            let others = ["keep", "drop", "between_tools"];
            for other in others.into_iter().filter(|other| row["disabled"] != *other) {
                changes.push((
                    "made to treat `disabled` otherwise",
                    with("disabled", json!(other)),
                ));
            }
            if row.get("disabled_effort").is_some() {
                changes.push(("without its limit", with("disabled_effort", json!("max"))));
            }
        }
        "efforts" => {
            let mut levels = row["levels"].as_array().unwrap().clone();
            if levels.pop().is_none() {
                levels.push(json!("low"));
            }
            changes.push(("with another highest level", with("levels", levels.into())));
        }
        _ => {
            let action = if row["do"] == "drop" { "keep" } else { "drop" };
            changes.push(("made to do something else", with("do", json!(action))));
            if row["to"].is_string() && table != "fields" {
                changes.push(("made to give another name", with("to", json!("another"))));
            }
            if row["needs"].is_string() && table != "add_betas" {
                changes.push(("made to hold always", with("needs", Value::Null)));
            }
        }
    }
    if row["models"].as_object().is_some_and(|models| !models.is_empty()) {
        changes.push(("made to hold for all models", with("models", json!({}))));
    }
    changes
}

#[test]
fn every_row_of_the_rule_book_is_held_by_a_vector() {
    let rules: Value = serde_json::from_str(SHIPPED).unwrap();
    let vectors = vectors();
    let texts: Vec<String> = vectors.iter().map(|v| json!(v).to_string()).collect();
    let mut loose = Vec::new();
    for (table, rows) in rules.as_object().unwrap() {
        for (at, row) in rows.as_array().into_iter().flatten().enumerate() {
            if row["name"]
                .as_str()
                .is_some_and(|name| name.starts_with("web_search"))
            {
                // Web search has vectors of its own.
                continue;
            }
            // Vectors that name what the row is about are the likely ones.
            let name = row["name"].as_str().unwrap_or("thinking").trim_end_matches('*');
            let (likely, others): (Vec<usize>, Vec<usize>) =
                (0..vectors.len()).partition(|i| texts[*i].contains(name));
            for (change, instead) in changes(table, row) {
                let mut changed = rules.clone();
                let list = changed[table].as_array_mut().unwrap();
                match instead {
                    Some(row) => list[at] = row,
                    None => drop(list.remove(at)),
                }
                let Some(whole) = book(&changed, &Map::new()) else {
                    // A book that cannot be read is noticed, too.
                    continue;
                };
                let noticed = likely.iter().chain(&others).any(|i| {
                    let vector = &vectors[*i];
                    let admins = vector
                        .contains_key("changed")
                        .then(|| book(&changed, vector))
                        .flatten();
                    let book = admins.as_ref().unwrap_or(&whole);
                    models(vector)
                        .iter()
                        .any(|model| outcome(book, vector, model) != vector["becomes"][*model])
                });
                if !noticed {
                    loose.push(format!("{table} {name:?} (row {at}) {change}"));
                }
            }
        }
    }
    assert!(
        loose.is_empty(),
        "no vector notices that a row is changed; add one to {}:\n{}",
        file().display(),
        loose.join("\n")
    );
}
