//! The gateway as files say: apply them, show what differs, write them.

mod document;
mod execute;
mod kinds;
mod plan;
mod secrets;
mod show;
mod words;
mod world;

use self::document::{Document, Item};
use self::kinds::{KINDS, SETTINGS};
use self::plan::Plan;
use self::world::World;
use super::Context;
use crate::error::CliError;
use clap::Args;
use serde_json::Value;
use std::io::IsTerminal;
use std::path::PathBuf;

/// Which files.
#[derive(Debug, Args)]
struct Files {
    /// A file, a folder of files (.yaml, .yml, .json), or `-` for standard input; several are taken together
    #[arg(short, long = "file", required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Also take away what the sections of the file do not name (users excepted)
    #[arg(long)]
    prune: bool,
}

/// `ccag apply`.
#[derive(Debug, Args)]
pub(crate) struct Apply {
    #[command(flatten)]
    files: Files,
    /// Do not ask before anything is done
    #[arg(short, long)]
    yes: bool,
}

/// `ccag diff`.
#[derive(Debug, Args)]
pub(crate) struct Diff {
    #[command(flatten)]
    files: Files,
}

/// `ccag export`.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// Only these sections, such as `teams,budgets`; by default all
    #[arg(long, value_name = "SECTION", value_delimiter = ',')]
    only: Vec<String>,
}

impl Files {
    async fn plan(&self, context: &Context) -> Result<(Plan, World), CliError> {
        let file = Document::read(&self.files)?;
        let world = World::load(&context.client, Some(&file)).await?;
        let plan = Plan::make(&context.client, &file, &world, self.prune).await?;
        Ok((plan, world))
    }
}

impl Apply {
    pub(crate) async fn run(self, context: &Context) -> Result<(), CliError> {
        let (plan, world) = self.files.plan(context).await?;
        let out = context.out;
        if plan.steps.is_empty() {
            return out.show(&plan.to_json(), |_| show::nothing_to_do(&plan));
        }
        if !out.is_json() {
            out.raw(format!("{}\n", show::plan(&plan)).as_bytes())?;
        }
        if !self.yes {
            let from_stdin = self.files.files.iter().any(|file| file.as_os_str() == "-");
            if out.is_json() || from_stdin || !std::io::stdin().is_terminal() {
                return Err(CliError::Usage(
                    "nobody can be asked here whether this is to be done: look at it with `ccag diff`, and say --yes"
                        .to_owned(),
                ));
            }
            if !out.confirm(&format!("Do {}?", show::things(plan.steps.len())))? {
                return Err(CliError::Failed("Nothing was changed.".to_owned()));
            }
        }
        let done = execute::all(context, &plan, world).await?;
        out.show(&plan.to_json(), |_| format!("Done: {}.", show::things(done)))
    }
}

impl Diff {
    pub(crate) async fn run(self, context: &Context) -> Result<(), CliError> {
        let (plan, _) = self.files.plan(context).await?;
        if plan.steps.is_empty() {
            return context.out.show(&plan.to_json(), |_| show::nothing_to_do(&plan));
        }
        context.out.show(&plan.to_json(), |_| show::plan(&plan))?;
        Err(CliError::Failed(
            "The gateway is not as the file says.".to_owned(),
        ))
    }
}

impl Export {
    pub(crate) async fn run(self, context: &Context) -> Result<(), CliError> {
        let sections = || KINDS.iter().map(|kind| kind.section).chain(["settings"]);
        if let Some(unknown) = self
            .only
            .iter()
            .find(|name| sections().all(|section| section != name.as_str()))
        {
            let known: Vec<&str> = sections().collect();
            return Err(CliError::Usage(format!(
                "there is no section `{unknown}`; there are {}",
                known.join(", ")
            )));
        }
        let wanted = |section: &str| self.only.is_empty() || self.only.iter().any(|name| name == section);
        let world = World::load(&context.client, None).await?;
        let mut file = serde_json::Map::new();
        if wanted("settings") {
            let mut settings = Item::new();
            for setting in SETTINGS {
                let view: Value = context.client.get(setting.path).await?;
                if let Value::Object(mut value) = (setting.of_view)(&view) {
                    words::nulls_gone(&mut value);
                    if !value.is_empty() {
                        settings.insert(setting.field.to_owned(), Value::Object(value));
                    }
                }
            }
            file.insert("settings".to_owned(), Value::Object(settings));
        }
        for kind in KINDS.iter().filter(|kind| wanted(kind.section)) {
            let views = world.views.get(kind.section).into_iter().flatten();
            let items = views
                .filter(|view| !comes_by_itself(kind.section, view))
                .map(|view| Value::Object(kind.of_view(view, &world)));
            file.insert(kind.section.to_owned(), items.collect());
        }
        let file = Value::Object(file);
        if context.out.is_json() {
            return context.out.show(&file, |_| String::new());
        }
        let text = serde_saphyr::to_string(&file).map_err(|error| CliError::Local {
            what: "cannot write this as YAML".to_owned(),
            error: std::io::Error::other(error.to_string()),
        })?;
        context.out.raw(text.as_bytes())
    }
}

/// Users whom an identity provider brings: it brings them again.
fn comes_by_itself(section: &str, view: &Value) -> bool {
    section == "users" && !view["provider_id"].is_null()
}
