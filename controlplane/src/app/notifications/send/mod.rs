//! Sending: one attempt to tell a destination of an event, bounded in time and in what is read.

mod aws;
mod http;
pub(super) mod smtp;

pub(crate) use self::http::Clients;

use super::settings::Way;
use crate::app::App;
use ccag_admin_api::EventBody;
use ccag_domain::DestinationKind;
use std::time::Duration;

/// How long an attempt may take, whatever it consists of.
pub(super) const TIME: Duration = Duration::from_secs(10);

/// The longest account of an answer, in characters.
const MAX_ANSWER: usize = 300;

/// Why a destination could not be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    /// In words for people.
    pub(super) message: String,
    /// How long it wants to be left alone, in milliseconds.
    pub(super) wait_ms: Option<i64>,
}

impl From<String> for Refused {
    fn from(message: String) -> Self {
        Self {
            message,
            wait_ms: None,
        }
    }
}

/// Tells a destination of an event: what it answered, or why it could not be told. `text` is the event as JSON, the same bytes at
/// every attempt.
pub(super) async fn send(app: &App, way: &Way, event: &EventBody, text: &str) -> Result<String, Refused> {
    let sending = async {
        match way.settings.kind {
            DestinationKind::Webhook => http::webhook(app, way, event, text).await,
            DestinationKind::Slack => http::slack(app, way, event).await,
            DestinationKind::Sns | DestinationKind::EventBridge => {
                aws::send(app, way, event, text).await.map_err(Refused::from)
            }
            DestinationKind::Smtp => smtp::send(way, event).await.map_err(Refused::from),
        }
    };
    let sent = tokio::time::timeout(TIME, Box::pin(sending)).await;
    let late = || format!("It did not answer within {} seconds.", TIME.as_secs());
    let sent = sent.unwrap_or_else(|_| Err(late().into()));
    sent.map(|text| cut(&text)).map_err(|refused| Refused {
        message: cut(&refused.message),
        ..refused
    })
}

/// What can be kept and shown of what a stranger says.
fn cut(text: &str) -> String {
    let printable = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().map(printable).take(MAX_ANSWER).collect()
}

/// The event's line, and where there is more about it.
fn lines(event: &EventBody) -> String {
    match &event.link {
        Some(link) => format!("{}\n{link}", event.text),
        None => event.text.clone(),
    }
}
