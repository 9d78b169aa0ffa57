//! Notifications: where they go, and what became of them.

mod change;

use self::change::{Create, Draft, Update};
use super::{Context, at};
use crate::error::CliError;
use crate::human::{moment, or_none, printable_line};
use crate::names::{self, Names};
use crate::table::{Table, card};
use ccag_admin_api::{
    DeliveryList, DestinationList, DestinationSettings, DestinationTest, DestinationView, ListDeliveries,
    paths,
};
use ccag_domain::{Category, DeliveryState, DestinationKind};
use clap::Subcommand;
use reqwest::Method;
use serde_json::json;

/// Notifications: who is told what happens, and what became of telling them.
#[derive(Debug, Subcommand)]
pub(crate) enum Notifications {
    /// List all destinations
    List,
    /// Show one destination; secrets are never shown
    Show {
        /// The destination's id or name
        destination: String,
    },
    /// Add a destination, as a draft; test and activate it then
    ///
    /// For example: ccag notifications create Ops --kind webhook --url https://hooks.example.com/ccag
    Create(Create),
    /// Change what a destination is called and told of, at once; what is not named stays as it is
    Update(Update),
    /// Say how a destination is to be reached; what is in force stays so until this is tested and activated
    ///
    /// Everything is said anew, except secrets: those that are not given stay, as long as the address does.
    Draft(Draft),
    /// Forget a draft
    DiscardDraft {
        /// The destination's id or name
        destination: String,
    },
    /// Send something by the draft, or, where there is none, as the destination is reached now
    Test {
        /// The destination's id or name
        destination: String,
    },
    /// Reach a destination as in the draft from now on, which must have passed a test
    Activate {
        /// The destination's id or name
        destination: String,
    },
    /// Delete a destination, with what became of telling it
    Delete {
        /// The destination's id or name
        destination: String,
    },
    /// Show what became of telling destinations, the newest first
    History {
        /// Only those in this state: pending, delivered or dead
        #[arg(long, value_parser = state)]
        state: Option<DeliveryState>,
        /// Only those to this destination, by id or name
        #[arg(long)]
        destination: Option<String>,
        /// Only those about this: budget or session
        #[arg(long, value_parser = category)]
        category: Option<Category>,
        /// How many at most
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
        /// The next_cursor of the page before
        #[arg(long)]
        cursor: Option<String>,
    },
    /// Try deliveries again that were given up
    Resend {
        /// Their ids
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
    },
}

fn one_of<T>(text: &str, found: Option<T>, all: &[&str]) -> Result<T, String> {
    found.ok_or_else(|| format!("`{text}` is none of {}", all.join(", ")))
}

fn state(text: &str) -> Result<DeliveryState, String> {
    let all: Vec<&str> = DeliveryState::ALL.iter().map(|one| one.as_str()).collect();
    one_of(text, DeliveryState::parse(text), &all)
}

fn category(text: &str) -> Result<Category, String> {
    let all: Vec<&str> = Category::ALL.iter().map(|one| one.as_str()).collect();
    one_of(text, Category::parse(text), &all)
}

fn kind(text: &str) -> Result<DestinationKind, String> {
    let all: Vec<&str> = DestinationKind::ALL.iter().map(|one| one.as_str()).collect();
    one_of(text, DestinationKind::parse(text), &all)
}

impl Notifications {
    pub(crate) async fn run(self, context: &Context) -> Result<(), CliError> {
        let client = &context.client;
        match self {
            Self::List => list(context).await,
            Self::Show { destination } => {
                let id = names::destination(client, &destination).await?;
                let found: DestinationView = client.get(&paths::destination(&id)).await?;
                show(context, &found).await
            }
            Self::Create(command) => command.run(context).await,
            Self::Update(command) => command.run(context).await,
            Self::Draft(command) => command.run(context).await,
            Self::DiscardDraft { destination } => {
                let id = names::destination(client, &destination).await?;
                let left: DestinationView = client.take_away(&paths::destination_draft(&id)).await?;
                show(context, &left).await
            }
            Self::Test { destination } => {
                let id = names::destination(client, &destination).await?;
                let test: DestinationTest = client.act(&paths::destination_test(&id)).await?;
                if !test.success {
                    return Err(CliError::Failed(test.message));
                }
                context.out.show(&test, |test| test.message.clone())
            }
            Self::Activate { destination } => {
                let id = names::destination(client, &destination).await?;
                let activated: DestinationView = client.act(&paths::destination_activate(&id)).await?;
                show(context, &activated).await
            }
            Self::Delete { destination } => {
                let id = names::destination(client, &destination).await?;
                client.order(Method::DELETE, &paths::destination(&id)).await?;
                context
                    .out
                    .show(&json!({ "deleted": [id] }), |_| format!("Deleted {id}."))
            }
            Self::History {
                state,
                destination,
                category,
                limit,
                cursor,
            } => {
                let destination_id = match destination {
                    Some(text) => Some(names::destination(client, &text).await?),
                    None => None,
                };
                let query = ListDeliveries {
                    state,
                    destination_id,
                    category,
                    limit: Some(limit),
                    cursor,
                };
                let list: DeliveryList = client.get_with(paths::DELIVERIES, &query).await?;
                context.out.show(&list, history)
            }
            Self::Resend { ids } => {
                for id in &ids {
                    let path = at(paths::DELIVERY_RESEND, &id);
                    client.order(Method::POST, &path).await?;
                }
                context.out.show(&json!({ "resent": ids }), |_| {
                    let line = |id: &String| format!("{} is sent again.", printable_line(id));
                    ids.iter().map(line).collect::<Vec<_>>().join("\n")
                })
            }
        }
    }
}

async fn list(context: &Context) -> Result<(), CliError> {
    let list: DestinationList = context.client.get(paths::DESTINATIONS).await?;
    let names = Names::for_people(&context.client, context.out).await?;
    context.out.show(&list, |list| {
        let mut table = Table::new(&["ID", "NAME", "TEAM", "CATEGORIES", "STATE", "REACHED"]);
        for one in &list.destinations {
            table.row([
                one.id.to_string(),
                one.name.clone(),
                team(one, &names),
                categories(one),
                standing(one).to_owned(),
                reached(one.active.as_ref().or(one.draft.as_ref())),
            ]);
        }
        table.render(if list.environment {
            "No destinations: events about budgets go to BUDGET_NOTIFICATION_URL."
        } else {
            "No destinations: nobody is told anything."
        })
    })
}

fn team(one: &DestinationView, names: &Names) -> String {
    match &one.team_id {
        Some(id) => names.team(Some(id)),
        None => "all".to_owned(),
    }
}

fn categories(one: &DestinationView) -> String {
    let names: Vec<&str> = one.categories.iter().map(|category| category.as_str()).collect();
    names.join(", ")
}

const fn standing(one: &DestinationView) -> &'static str {
    match (one.enabled, &one.active, &one.draft) {
        (false, ..) => "disabled",
        (true, None, _) => "draft",
        (true, Some(_), Some(_)) => "active, with a draft",
        (true, Some(_), None) => "active",
    }
}

/// Where it is reached, in a few words.
fn reached(settings: Option<&DestinationSettings>) -> String {
    let Some(settings) = settings else {
        return "-".to_owned();
    };
    let place = settings
        .url
        .clone()
        .or_else(|| settings.arn.clone())
        .or_else(|| (!settings.to.is_empty()).then(|| settings.to.join(", ")));
    match place {
        Some(place) => format!("{}: {place}", settings.kind.title()),
        None => settings.kind.title().to_owned(),
    }
}

async fn show(context: &Context, one: &DestinationView) -> Result<(), CliError> {
    let names = Names::for_people(&context.client, context.out).await?;
    context.out.show(one, |one| shown(one, &names))
}

fn shown(one: &DestinationView, names: &Names) -> String {
    let test = one.test.as_ref().map(|test| {
        let what = if test.success { "passed" } else { "failed" };
        format!("{what} {}: {}", moment(Some(test.at)), test.message)
    });
    card(&[
        ("Id", one.id.to_string()),
        ("Name", one.name.clone()),
        ("Team", team(one, names)),
        ("Categories", categories(one)),
        ("State", standing(one).to_owned()),
        ("Reached", reached(one.active.as_ref())),
        ("Draft", reached(one.draft.as_ref())),
        ("Last test", or_none(test.as_ref())),
        ("Created", moment(Some(one.created_at))),
        ("Changed", moment(Some(one.updated_at))),
    ])
}

fn history(list: &DeliveryList) -> String {
    let mut table = Table::new(&["ID", "WHEN", "DESTINATION", "STATE", ">TRIED", "WHAT", "ANSWER"]);
    for one in &list.deliveries {
        table.row([
            one.id.to_string(),
            moment(Some(one.event.timestamp)),
            one.destination.clone(),
            one.state.as_str().to_owned(),
            one.attempts.to_string(),
            one.event.text.clone(),
            or_none(one.answer.as_ref()),
        ]);
    }
    let mut text = table.render("Nobody was told anything within the last 30 days.");
    if let Some(cursor) = &list.next_cursor {
        text.push_str(&format!("\n\nMore: --cursor {cursor}"));
    }
    text
}
