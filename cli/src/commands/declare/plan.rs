//! What has to be done so that the gateway is as the file says.

use super::document::{Document, Item};
use super::kinds::{KINDS, Kind, SETTINGS, Setting};
use super::secrets;
use super::words::{api_field, comparable};
use super::world::World;
use crate::client::Client;
use crate::error::CliError;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A field that is to be another.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Change {
    pub(super) field: String,
    pub(super) from: Value,
    pub(super) to: Value,
}

/// What is done to an object.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Action {
    Create,
    /// Changes the fields, or, where one of them cannot be changed, makes the object anew.
    Update {
        id: String,
        changes: Vec<Change>,
        anew: bool,
    },
    Delete {
        id: String,
    },
}

/// One thing to do.
pub(super) struct Step {
    pub(super) of: Of,
    /// What the object is called.
    pub(super) title: String,
    /// What the file says of it; empty where it is to go.
    pub(super) item: Item,
    /// What it is now.
    pub(super) current: Item,
    pub(super) action: Action,
}

/// What a step is about.
#[derive(Clone, Copy)]
pub(super) enum Of {
    Object(&'static Kind),
    Setting(&'static Setting),
}

impl Of {
    pub(super) fn section(self) -> &'static str {
        match self {
            Self::Object(kind) => kind.section,
            Self::Setting(_) => "settings",
        }
    }
}

/// Everything to do, in order, and what the gateway has beside what the file says.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) steps: Vec<Step>,
    pub(super) unnamed: Vec<(&'static str, String)>,
}

impl Plan {
    /// Compares a file with the gateway. With `prune` what the file does not name is to go, in the sections that it has.
    pub(super) async fn make(
        client: &Client,
        file: &Document,
        world: &World,
        prune: bool,
    ) -> Result<Self, CliError> {
        let mut plan = Self::default();
        plan.settings(client, file).await?;
        let mut going = Vec::new();
        for kind in KINDS {
            if let Some(items) = file.section(kind.section) {
                plan.section(kind, items, world, prune, &mut going)?;
            }
        }
        // What depends on something goes before it.
        plan.steps.extend(going.into_iter().rev());
        Ok(plan)
    }

    async fn settings(&mut self, client: &Client, file: &Document) -> Result<(), CliError> {
        for (field, value) in file.settings.iter().flatten() {
            let wrong = |error: &str| CliError::Usage(format!("settings.{field}: {error}"));
            let setting = SETTINGS
                .iter()
                .find(|setting| setting.field == field)
                .ok_or_else(|| wrong("there is no such setting"))?;
            let Value::Object(item) = value else {
                return Err(wrong("this is not an object"));
            };
            let view: Value = client.get(setting.path).await?;
            let Value::Object(current) = (setting.of_view)(&view) else {
                continue;
            };
            let mut whole = current.clone();
            whole.extend(item.clone());
            let Value::Object(checked) =
                (setting.check)(Value::Object(whole)).map_err(|error| wrong(&error))?
            else {
                continue;
            };
            let changes = differences(item, &checked, &current, &[]);
            if !changes.is_empty() {
                self.steps.push(Step {
                    of: Of::Setting(setting),
                    title: field.clone(),
                    item: checked,
                    current,
                    action: Action::Update {
                        id: String::new(),
                        changes,
                        anew: false,
                    },
                });
            }
        }
        Ok(())
    }

    fn section(
        &mut self,
        kind: &'static Kind,
        items: &[Item],
        world: &World,
        prune: bool,
        going: &mut Vec<Step>,
    ) -> Result<(), CliError> {
        let mut present: BTreeMap<String, (&Value, Item)> = BTreeMap::new();
        for view in world.views.get(kind.section).into_iter().flatten() {
            let item = kind.of_view(view, world);
            if let Ok(title) = kind.title(&item) {
                present.insert(title, (view, item));
            }
        }
        let mut seen: Vec<String> = Vec::new();
        for (place, item) in items.iter().enumerate() {
            let wrong = |error: String| CliError::Usage(format!("{}[{place}]: {error}", kind.section));
            let canonical = kind.canonical(item, world).map_err(wrong)?;
            let title = kind.title(&canonical).map_err(wrong)?;
            if seen.contains(&title) {
                return Err(wrong(format!(
                    "the {} {title} stands in the file twice",
                    kind.one
                )));
            }
            seen.push(title.clone());
            let (action, current) = match present.remove(&title) {
                None => (Action::Create, Item::new()),
                Some((view, mut current)) => {
                    if kind.section == "budgets" && canonical.get("policy").is_some_and(Value::is_array) {
                        // The preset that these rules may be has a name; the file has the rules.
                        current.insert("policy".to_owned(), view["rules"].clone());
                    }
                    let changes = differences(item, &canonical, &current, kind.identity);
                    if changes.is_empty() {
                        continue;
                    }
                    let anew = changes
                        .iter()
                        .any(|change| kind.fixed.contains(&change.field.as_str()));
                    if anew && !kind.can_be_pruned {
                        return Err(wrong(format!(
                            "{} of the {} {title} cannot be changed",
                            kind.fixed.join(", "),
                            kind.one
                        )));
                    }
                    (
                        Action::Update {
                            id: id(view),
                            changes,
                            anew,
                        },
                        current,
                    )
                }
            };
            self.steps.push(Step {
                of: Of::Object(kind),
                title,
                item: item.clone(),
                current,
                action,
            });
        }
        for (title, (view, current)) in present {
            if prune && kind.can_be_pruned {
                going.push(Step {
                    of: Of::Object(kind),
                    title,
                    item: Item::new(),
                    current,
                    action: Action::Delete { id: id(view) },
                });
            } else if kind.can_be_pruned {
                self.unnamed.push((kind.one, title));
            }
        }
        Ok(())
    }

    /// The same for programs.
    pub(super) fn to_json(&self) -> Value {
        let steps = self.steps.iter().map(|step| {
            let (action, changes) = match &step.action {
                Action::Create => ("create", &[][..]),
                Action::Delete { .. } => ("delete", &[][..]),
                Action::Update { changes, anew, .. } => (if *anew { "replace" } else { "update" }, changes.as_slice()),
            };
            let changes = changes
                .iter()
                .map(|change| json!({"field": change.field, "from": change.from, "to": change.to}));
            json!({"action": action, "section": step.of.section(), "name": step.title, "changes": changes.collect::<Vec<_>>()})
        });
        let unnamed = self
            .unnamed
            .iter()
            .map(|(one, title)| json!({"kind": one, "name": title}));
        json!({"changes": steps.collect::<Vec<_>>(), "not_in_file": unnamed.collect::<Vec<_>>()})
    }
}

fn id(view: &Value) -> String {
    view["id"].as_str().unwrap_or_default().to_owned()
}

/// The fields of which the file says something else than what there is. Secrets are not compared: the gateway never shows
/// them; nor is what the object was recognised by.
fn differences(item: &Item, canonical: &Item, current: &Item, identity: &[&str]) -> Vec<Change> {
    let mut changes = Vec::new();
    let is_compared = |field: &&String| !secrets::is_secret(field) && !identity.contains(&api_field(field));
    for field in item.keys().filter(is_compared) {
        let of = |from: &Item| {
            let mut value = from.get(field).cloned().unwrap_or(Value::Null);
            secrets::without(&mut value);
            value
        };
        let (from, to) = (of(current), of(canonical));
        if comparable(field, &from) != comparable(field, &to) {
            changes.push(Change {
                field: field.clone(),
                from,
                to,
            });
        }
    }
    changes
}
