//! Amazon SNS and Amazon EventBridge.

use super::super::settings::{Arn, Way};
use crate::app::App;
use ccag_admin_api::{EventBody, Secret};
use ccag_aws::notify::{BusEvent, TopicMessage};
use ccag_domain::{
    Access, AccessKeys, CredentialSource, DestinationKind, Endpoint, EndpointId, ServiceSecret,
};
use std::sync::Arc;

/// Publishes an event, or puts it on a bus.
pub(super) async fn send(app: &App, way: &Way, event: &EventBody, text: &str) -> Result<String, String> {
    let arn = way.settings.arn.as_deref().unwrap_or_default();
    let service = match way.settings.kind {
        DestinationKind::Sns => "sns",
        _ => "events",
    };
    let region = Arn::read(arn, service)
        .ok_or("Its ARN cannot be read: enter it again.")?
        .region;
    let caller = caller(way, arn, region)?;
    let client = app
        .aws
        .client(&app.clock)
        .await
        .map_err(|error| error.to_string())?;
    let sent = match way.settings.kind {
        DestinationKind::Sns => {
            let subject: String = event.text.chars().filter(char::is_ascii).take(99).collect();
            let message = TopicMessage {
                topic_arn: arn,
                subject: &subject,
                message: text,
                id: event.id.as_str(),
                kind: &event.kind,
                category: event.category.as_str(),
            };
            client.publish(&caller, &message).await
        }
        _ => {
            let event = BusEvent {
                bus_arn: arn,
                source: "ccag",
                kind: &event.kind,
                detail: text,
                at_s: event.timestamp.ms().div_euclid(1_000),
            };
            client.put_event(&caller, &event).await
        }
    };
    match sent {
        Ok(id) => Ok(format!("AWS took it as {id}.")),
        Err(error) => Err(format!("AWS did not take it: {error}.")),
    }
}

/// As whom AWS is called: what an endpoint says of that, for what is no endpoint.
fn caller(way: &Way, arn: &str, region: &str) -> Result<Endpoint, String> {
    // Credentials are kept by the id, and made anew where anything else differs.
    let id: String = arn
        .chars()
        .rev()
        .filter(char::is_ascii_alphanumeric)
        .take(40)
        .collect();
    let id = EndpointId::parse(&format!("end_notify-{id}")).map_err(|error| error.to_string())?;
    let secret = |text: &Secret| ServiceSecret::new(text.reveal());
    let credentials = match (&way.hidden.access_key_id, &way.hidden.secret_access_key) {
        (Some(id), Some(key)) => CredentialSource::Keys(Some(AccessKeys {
            id: secret(id),
            secret: secret(key),
            session_token: None,
        })),
        _ => CredentialSource::Process,
    };
    Ok(Endpoint {
        region: Some(region.to_owned()),
        role_arn: way.settings.role_arn.clone(),
        external_id: way.settings.external_id.clone(),
        access: Arc::new(Access {
            credentials,
            ..Access::default()
        }),
        ..Endpoint::new(id, "notifications")
    })
}
