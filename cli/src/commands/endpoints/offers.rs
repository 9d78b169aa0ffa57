//! What an endpoint offers, and the application inference profiles that are chosen there.

use super::super::Context;
use crate::error::CliError;
use crate::human::{moment, or_none, printable};
use crate::names;
use crate::table::Table;
use ccag_admin_api::{EndpointModels, EndpointTest, OfferedModel, PinProfile, PinnedList, PinnedView, paths};
use clap::Subcommand;
use reqwest::Method;
use serde_json::json;
use std::collections::BTreeMap;

/// Application inference profiles that are invoked instead of AWS's own.
#[derive(Debug, Subcommand)]
pub(crate) enum AipOverrides {
    /// List them
    List {
        /// The endpoint's id or name
        endpoint: String,
    },
    /// Invoke a profile for a model
    Add {
        /// The endpoint's id or name
        endpoint: String,
        /// The model, however it is named
        #[arg(long)]
        model: String,
        /// The profile's ARN
        #[arg(long)]
        arn: String,
        /// Why, for whoever asks later
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Go back to AWS's own profile
    Remove {
        /// The endpoint's id or name
        endpoint: String,
        /// The model, however it is named
        #[arg(long)]
        model: String,
    },
}

impl AipOverrides {
    pub(super) async fn run(self, context: &Context) -> Result<(), CliError> {
        let client = &context.client;
        match self {
            Self::List { endpoint } => {
                let id = names::endpoint(client, &endpoint).await?;
                let list: PinnedList = client.get(&paths::endpoint_profiles(&id)).await?;
                context.out.show(&list, |list| pinned_text(&list.overrides))
            }
            Self::Add {
                endpoint,
                model,
                arn,
                reason,
            } => {
                let id = names::endpoint(client, &endpoint).await?;
                let request = PinProfile {
                    model_id: model,
                    aip_arn: arn,
                    reason,
                };
                let path = paths::endpoint_profiles(&id);
                let pinned: PinnedView = client.send(Method::POST, &path, &request).await?;
                context
                    .out
                    .show(&pinned, |pinned| pinned_text(std::slice::from_ref(pinned)))
            }
            Self::Remove { endpoint, model } => {
                let id = names::endpoint(client, &endpoint).await?;
                let path = paths::endpoint_profile(&id, &model);
                client.order(Method::DELETE, &path).await?;
                context.out.show(&json!({ "removed": [model] }), |_| {
                    format!("AWS's own profile is invoked for {model} again.")
                })
            }
        }
    }
}

fn pinned_text(overrides: &[PinnedView]) -> String {
    let mut table = Table::new(&["MODEL", "GEOGRAPHY", "SINCE", "REASON", "ARN"]);
    for pinned in overrides {
        table.row([
            pinned.model_id.clone(),
            pinned.geography.to_string(),
            moment(Some(pinned.created_at)),
            or_none(pinned.reason.as_ref()),
            pinned.aip_arn.clone(),
        ]);
    }
    table.render("AWS's own profiles are invoked for all models.")
}

pub(super) fn test_text(test: &EndpointTest) -> String {
    let mut table = Table::new(&["ACTION", "ON", "RESULT", "WHAT AWS SAYS"]);
    for check in &test.checks {
        table.row([
            check.action.clone(),
            or_none(check.on.as_ref()),
            check.result.as_str().to_owned(),
            or_none(check.message.as_ref()),
        ]);
    }
    let mut text = table.render("Nothing was tried.");
    if let Some(policy) = &test.missing_policy {
        text.push_str(&format!("\n\nThis policy allows what is missing:\n\n{policy:#}"));
    }
    if test.own_credentials {
        text.push_str(
            "\n\nThe endpoint has neither a role nor credentials of its own: those of the control plane were tried, and data planes \
             may have others.",
        );
    }
    text
}

pub(super) fn models_text(models: &EndpointModels) -> String {
    let mut text = match (&models.discovered_at, &models.error) {
        (_, Some(error)) => format!("AWS could not be asked the last time: {error}\n\n"),
        (Some(_), None) => format!("AWS was asked at {} UTC.\n\n", moment(models.discovered_at)),
        (None, None) => {
            "AWS has not been asked; this is what the catalogue says. Ask with --discover.\n\n".to_owned()
        }
    };
    let mut table = Table::new(&[
        "MODEL",
        "BEDROCK ID",
        "INVOKED AS",
        "GEOGRAPHY",
        "PROFILES",
        "LIFE",
        "AVAILABILITY",
    ]);
    for model in &models.models {
        let profiles: Vec<_> = model
            .profiles
            .iter()
            .filter(|p| !p.application)
            .map(|p| p.geography.as_str())
            .collect();
        table.row([
            model
                .model
                .clone()
                .unwrap_or_else(|| "not in the catalogue".to_owned()),
            model.bedrock_id.clone(),
            model
                .invoked
                .as_ref()
                .map_or_else(|| "not to be had here".to_owned(), |i| i.id.clone()),
            or_none(model.invoked.as_ref().map(|i| i.geography).as_ref()),
            profiles.join(" "),
            if model.legacy { "legacy" } else { "" }.to_owned(),
            or_none(availability_names(model).as_ref()),
        ]);
    }
    text.push_str(&table.render("No models."));
    text.push_str(&explanations(&models.models));
    for left_out in &models.left_out {
        text.push_str(&format!("\n{} is left out: {}", left_out.id, left_out.reason));
    }
    printable(&text)
}

fn availability_names(model: &OfferedModel) -> Option<String> {
    let words = model.availability.as_ref()?.known.words();
    let names: Vec<_> = words.into_iter().map(|(name, _)| name).collect();
    Some(names.join(", "))
}

/// What the column of availability does not say: each thing once, with the models that it is about where the same words
/// have several explanations.
fn explanations(models: &[OfferedModel]) -> String {
    let mut told: BTreeMap<(&str, String), Vec<&str>> = BTreeMap::new();
    for model in models {
        let words = model.availability.as_ref().map(|a| a.known.words());
        for (name, more) in words.unwrap_or_default() {
            if let Some(more) = more {
                told.entry((name, more)).or_default().push(&model.bedrock_id);
            }
        }
    }
    let mut text = if told.is_empty() { "" } else { "\n" }.to_owned();
    for ((name, more), ids) in &told {
        let is_alone = told.keys().filter(|(other, _)| other == name).count() == 1;
        let which = if is_alone {
            String::new()
        } else {
            format!(" ({})", ids.join(", "))
        };
        text.push_str(&format!("\n{name}{which}: {more}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use ccag_admin_api::AvailabilityView;
    use ccag_domain::{Availability, EndpointId, Obstacle};

    fn offered(id: &str, known: Option<Availability>) -> OfferedModel {
        OfferedModel {
            model: None,
            bedrock_id: id.to_owned(),
            invoked: None,
            profiles: Vec::new(),
            on_demand: false,
            legacy: false,
            availability: known.map(|known| AvailabilityView {
                text: known.to_string(),
                known,
            }),
        }
    }

    #[test]
    fn availability_is_a_few_words_in_the_table_and_explained_once_below() {
        let missing = Availability::Hindered {
            by: vec![Obstacle::NotInRegion, Obstacle::AgreementMissing],
            agreement_error: None,
        };
        let unknown = |why: &str| Availability::Unknown { why: why.to_owned() };
        let models = EndpointModels {
            endpoint_id: EndpointId::parse("end_1").unwrap(),
            discovered_at: None,
            error: None,
            models: vec![
                offered("a", Some(Availability::Available)),
                offered("b", Some(missing.clone())),
                offered("c", Some(missing)),
                offered("d", Some(unknown("the role lacks bedrock:X"))),
                offered("e", Some(unknown("AWS was \u{1b}[2Jbusy"))),
                offered("f", None),
            ],
            left_out: Vec::new(),
        };
        let text = models_text(&models);
        assert!(!text.contains('\u{1b}'), "{text}");
        let both = "not in this region, agreement not accepted";
        assert_eq!(text.matches(both).count(), 2, "{text}");
        assert_eq!(
            text.matches("agreement not accepted: the first request").count(),
            1,
            "{text}"
        );
        assert!(text.contains("\nunknown (d): the role lacks bedrock:X"), "{text}");
        assert!(
            text.contains("\nunknown (e): AWS was \u{fffd}[2Jbusy\n"),
            "{text}"
        );
    }
}
