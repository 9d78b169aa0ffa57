//! Models.

use super::Context;
use super::endpoints::geography;
use crate::error::CliError;
use crate::human::count;
use crate::table::{Table, card};
use ccag_admin_api::{ModelList, ModelSpec, ModelView, Timestamp, paths};
use ccag_domain::Geography;
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::json;

/// The models that the gateway serves.
#[derive(Debug, Subcommand)]
pub(crate) enum Models {
    /// List all models
    List,
    /// Show one model
    Show {
        /// Its name, an alias, or any other way to name it
        model: String,
    },
    /// Add a model
    ///
    /// It is refused until it has a price: see `ccag pricing set`. For example: ccag models create claude-opus-6
    /// --bedrock-id anthropic.claude-opus-6 --geography global --geography us
    Create {
        /// Its canonical name, as Anthropic's API spells it without date
        name: String,
        #[command(flatten)]
        spec: Spec,
    },
    /// Replace a model; what is not named falls back to what a new model has
    Set {
        /// Its name, an alias, or any other way to name it
        model: String,
        #[command(flatten)]
        spec: Spec,
    },
    /// Take a model out of the catalogue; what it cost stays on record
    Delete {
        /// Its name, an alias, or any other way to name it
        model: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Spec {
    /// Bedrock's id of the foundation model, without a geography
    #[arg(long, value_name = "ID")]
    bedrock_id: String,
    /// Another name for it, such as the dated one; may be given several times
    #[arg(long = "alias", value_name = "NAME")]
    aliases: Vec<String>,
    /// Its name for people
    #[arg(long, value_name = "TEXT")]
    display_name: Option<String>,
    /// A geography that has an inference profile for it; may be given several times
    #[arg(long = "geography", value_parser = geography, value_name = "GEOGRAPHY")]
    geographies: Vec<Geography>,
    /// It can be invoked without a profile
    #[arg(long)]
    on_demand: bool,
    /// The context window in tokens [default: 200000]
    #[arg(long, value_name = "N")]
    context: Option<u32>,
    /// The most output tokens that it can be asked for [default: 64000]
    #[arg(long, value_name = "N")]
    max_output: Option<u32>,
    /// Bedrock Runtime can count its tokens
    #[arg(long)]
    counts_tokens: bool,
    /// How many tokens of a quota one output token uses up [default: 10]
    #[arg(long, value_name = "N")]
    output_burndown: Option<u32>,
    /// When it was released, such as 2026-11-01 [default: now]
    #[arg(long, value_name = "DATE")]
    released: Option<Timestamp>,
}

impl Spec {
    fn request(self, name: Option<String>) -> ModelSpec {
        ModelSpec {
            name,
            aliases: self.aliases,
            display_name: self.display_name,
            bedrock_id: self.bedrock_id,
            geographies: self.geographies,
            on_demand: Some(self.on_demand),
            context_tokens: self.context,
            max_output_tokens: self.max_output,
            counts_tokens: Some(self.counts_tokens),
            output_burndown: self.output_burndown,
            released_at: self.released,
        }
    }
}

/// Does what the command says; without one it lists.
pub(crate) async fn run(command: Option<Models>, context: &Context) -> Result<(), CliError> {
    let client = &context.client;
    match command.unwrap_or(Models::List) {
        Models::List => list(context).await,
        Models::Show { model } => {
            let model: ModelView = client.get(&paths::model(&model)).await?;
            show(context, &model)
        }
        Models::Create { name, spec } => {
            let request = spec.request(Some(name));
            let model: ModelView = client.send(Method::POST, paths::MODELS, &request).await?;
            show(context, &model)
        }
        Models::Set { model, spec } => {
            let request = spec.request(None);
            let model: ModelView = client.send(Method::PUT, &paths::model(&model), &request).await?;
            show(context, &model)
        }
        Models::Delete { model } => {
            client.order(Method::DELETE, &paths::model(&model)).await?;
            context
                .out
                .show(&json!({ "deleted": [model] }), |_| format!("Deleted {model}."))
        }
    }
}

fn profiles(model: &ModelView) -> String {
    let profiles: Vec<_> = model.geographies.iter().map(|g| g.as_str()).collect();
    profiles.join(" ")
}

fn yes(it_is: bool) -> String {
    if it_is { "yes" } else { "no" }.to_owned()
}

async fn list(context: &Context) -> Result<(), CliError> {
    let list: ModelList = context.client.get(paths::MODELS).await?;
    context.out.show(&list, |list| {
        let mut table = Table::new(&[
            "NAME",
            "TITLE",
            ">CONTEXT",
            ">OUTPUT",
            "PROFILES",
            "PRICED",
            "BEDROCK ID",
            "SOURCE",
        ]);
        for model in &list.models {
            table.row([
                model.name.clone(),
                model.display_name.clone(),
                count(model.context_tokens.into()),
                count(model.max_output_tokens.into()),
                profiles(model),
                yes(model.priced),
                model.bedrock_id.clone(),
                model.source.clone(),
            ]);
        }
        table.render("No models. Add one with `ccag models create`.")
    })
}

fn show(context: &Context, model: &ModelView) -> Result<(), CliError> {
    context.out.show(model, |model| {
        card(&[
            ("Name", model.name.clone()),
            ("Title", model.display_name.clone()),
            ("Aliases", model.aliases.join(", ")),
            ("Bedrock id", model.bedrock_id.clone()),
            ("Profiles", profiles(model)),
            ("Without a profile", yes(model.on_demand)),
            ("Context", count(model.context_tokens.into())),
            ("Output", count(model.max_output_tokens.into())),
            ("Counts tokens", yes(model.counts_tokens)),
            (
                "Burn-down",
                format!("{} tokens of a quota for one of output", model.output_burndown),
            ),
            ("Released", model.released_at.date()),
            ("Priced", yes(model.priced)),
            ("Source", model.source.clone()),
        ])
    })
}
