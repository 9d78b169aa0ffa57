//! Publishing to topics of Amazon SNS (Amazon SNS API reference, "Publish") and putting events on buses of Amazon EventBridge
//! (Amazon EventBridge API reference, "PutEvents").
//!
//! An [`Endpoint`] stands for the caller: its region, credentials and role.

use crate::control::{Ask, ControlClient, ControlError, Form, encode};
use crate::domain;
use bytes::Bytes;
use ccag_domain::Endpoint;
use serde::Deserialize;
use serde_json::json;

/// A message for a topic.
#[derive(Debug, Clone, Copy)]
pub struct TopicMessage<'a> {
    /// The topic.
    pub topic_arn: &'a str,
    /// The subject of mails: ASCII, fewer than 100 characters.
    pub subject: &'a str,
    /// The message.
    pub message: &'a str,
    /// Names the message, the same however often it is sent: an attribute, and, for topics that are FIFO, what they recognise
    /// repetitions by.
    pub id: &'a str,
    /// An attribute that subscriptions can filter by.
    pub kind: &'a str,
    /// Another.
    pub category: &'a str,
}

/// An event for a bus.
#[derive(Debug, Clone, Copy)]
pub struct BusEvent<'a> {
    /// The bus.
    pub bus_arn: &'a str,
    /// Where it comes from.
    pub source: &'a str,
    /// What happened: the `detail-type`.
    pub kind: &'a str,
    /// The event, as JSON.
    pub detail: &'a str,
    /// When it happened, in seconds.
    pub at_s: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutAnswer {
    #[serde(default)]
    entries: Vec<PutEntry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutEntry {
    event_id: Option<String>,
    error_code: Option<String>,
    error_message: Option<String>,
}

impl ControlClient {
    /// `Publish`. Returns AWS's id of the message. Needs `sns:Publish` on the topic.
    ///
    /// # Errors
    /// [`ControlError`].
    pub async fn publish(
        &self,
        caller: &Endpoint,
        message: &TopicMessage<'_>,
    ) -> Result<String, ControlError> {
        const OPERATION: &str = "Publish";
        let base = self.service_url(self.sns_url.as_deref(), "sns", caller)?;
        let mut fields = vec![
            ("Action", OPERATION),
            ("Version", "2010-03-31"),
            ("TopicArn", message.topic_arn),
            ("Subject", message.subject),
            ("Message", message.message),
        ];
        let attributes = [
            ("event_id", message.id),
            ("event_type", message.kind),
            ("category", message.category),
        ];
        let names: Vec<[String; 3]> = (1..=attributes.len())
            .map(|n| {
                let of = |part: &str| format!("MessageAttributes.entry.{n}.{part}");
                [of("Name"), of("Value.DataType"), of("Value.StringValue")]
            })
            .collect();
        for ([name, kind, value], (attribute, text)) in names.iter().zip(attributes) {
            fields.extend([(name.as_str(), attribute), (kind, "String"), (value, text)]);
        }
        if message.topic_arn.ends_with(".fifo") {
            fields.extend([
                ("MessageGroupId", message.category),
                ("MessageDeduplicationId", message.id),
            ]);
        }
        let body: Vec<String> = fields
            .iter()
            .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
            .collect();
        let ask = Ask {
            body: Some(Bytes::from(body.join("&"))),
            form: Form::Fields,
            ..Ask::new(OPERATION, "sns", &base, "/")
        };
        let answer = self.ask(caller, ask).await?;
        // XML with one element that matters.
        let answer = String::from_utf8_lossy(&answer);
        element(&answer, "MessageId")
            .map(str::to_owned)
            .ok_or(ControlError::Unreadable {
                operation: OPERATION,
                reason: "it holds no MessageId".to_owned(),
            })
    }

    /// `PutEvents`, with one event. Returns AWS's id of it. Needs `events:PutEvents` on the bus.
    ///
    /// # Errors
    /// [`ControlError`].
    pub async fn put_event(&self, caller: &Endpoint, event: &BusEvent<'_>) -> Result<String, ControlError> {
        const OPERATION: &str = "PutEvents";
        let base = self.service_url(self.events_url.as_deref(), "events", caller)?;
        let entry = json!({
            "EventBusName": event.bus_arn,
            "Source": event.source,
            "DetailType": event.kind,
            "Detail": event.detail,
            "Time": event.at_s,
        });
        let ask = Ask {
            body: Some(Bytes::from(json!({ "Entries": [entry] }).to_string())),
            target: Some("AWSEvents.PutEvents"),
            ..Ask::new(OPERATION, "events", &base, "/")
        };
        let answer = self.ask(caller, ask).await?;
        let unreadable = |reason: String| ControlError::Unreadable {
            operation: OPERATION,
            reason,
        };
        let mut answer: PutAnswer =
            serde_json::from_slice(&answer).map_err(|error| unreadable(error.to_string()))?;
        let entry = answer.entries.pop();
        let entry = entry.ok_or_else(|| unreadable("it holds no entry".to_owned()))?;
        match (entry.event_id, entry.error_code) {
            (Some(id), None) => Ok(id),
            // The request as a whole succeeds also where its only event is refused.
            (_, code) => Err(ControlError::Refused {
                operation: OPERATION,
                status: 200,
                kind: code.unwrap_or_default(),
                message: entry.error_message.unwrap_or_default(),
            }),
        }
    }

    /// What is configured, or the public URL of a service in the caller's region.
    fn service_url(
        &self,
        configured: Option<&str>,
        service: &str,
        caller: &Endpoint,
    ) -> Result<String, ControlError> {
        if let Some(url) = configured {
            return Ok(url.to_owned());
        }
        let region = self.region(caller)?;
        let fips = if self.use_fips { "-fips" } else { "" };
        Ok(format!("https://{service}{fips}.{region}.{}", domain(region)))
    }
}

/// The text of the first element of a name.
pub(crate) fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::element;

    #[test]
    fn an_element_is_found_and_half_of_one_is_not() {
        assert_eq!(element("<a><b>x</b></a>", "b"), Some("x"));
        assert_eq!(element("<a><b>x</a>", "b"), None);
        assert_eq!(element("", "b"), None);
    }
}
