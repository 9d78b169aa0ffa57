//! What is shown of a plan.

use super::plan::{Action, Change, Of, Plan, Step};
use crate::human::printable;
use serde_json::Value;

/// The most of a value that one line shows.
const LONG: usize = 120;

/// How many things are to be done.
pub(super) fn things(count: usize) -> String {
    match count {
        1 => "1 change".to_owned(),
        count => format!("{count} changes"),
    }
}

/// A plan with something in it.
pub(super) fn plan(plan: &Plan) -> String {
    let mut lines: Vec<String> = Vec::new();
    for step in &plan.steps {
        lines.push(line(step));
        if let Action::Update { changes, .. } = &step.action {
            lines.extend(changes.iter().map(change));
        }
    }
    lines.push(String::new());
    lines.push(format!(
        "{}: + new, ~ changed, ± made anew, - taken away.",
        things(plan.steps.len())
    ));
    lines.extend(unnamed(plan));
    lines.join("\n")
}

/// A plan with nothing in it.
pub(super) fn nothing_to_do(plan: &Plan) -> String {
    let mut lines = vec!["Nothing to do: the gateway is as the file says.".to_owned()];
    lines.extend(unnamed(plan));
    lines.join("\n")
}

/// One step in a line.
pub(super) fn line(step: &Step) -> String {
    let sign = match &step.action {
        Action::Create => '+',
        Action::Update { anew: false, .. } => '~',
        Action::Update { anew: true, .. } => '±',
        Action::Delete { .. } => '-',
    };
    let what = match step.of {
        Of::Object(kind) => kind.one,
        Of::Setting(_) => "setting",
    };
    format!("{sign} {what} {}", printable(&step.title))
}

fn change(change: &Change) -> String {
    format!(
        "    {}: {} -> {}",
        change.field,
        value(&change.from),
        value(&change.to)
    )
}

fn value(value: &Value) -> String {
    let text = match value {
        Value::Null => return "nothing".to_owned(),
        Value::String(text) => printable(text),
        other => printable(&other.to_string()),
    };
    match text.char_indices().nth(LONG) {
        Some((end, _)) => format!("{} …", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

fn unnamed(plan: &Plan) -> Option<String> {
    if plan.unnamed.is_empty() {
        return None;
    }
    let names: Vec<String> = plan
        .unnamed
        .iter()
        .map(|(one, title)| format!("  {one} {}", printable(title)))
        .collect();
    Some(format!(
        "Not in the file, and left as it is (--prune takes it away):\n{}",
        names.join("\n")
    ))
}
