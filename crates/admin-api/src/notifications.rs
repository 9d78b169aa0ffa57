//! Notifications: destinations, and what became of telling them.

use crate::{Secret, Timestamp};
use ccag_domain::{
    Category, DeliveryId, DeliveryState, DestinationId, DestinationKind, EventId, MailSecurity, Severity,
    TeamId,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// How a destination is to be reached. What is secret and not given stays what it is, as long as the kind and the address do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DestinationSpec {
    /// What it is; needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<DestinationKind>,
    /// Of `webhook`: where it is posted to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Of `webhook`: what signatures are made with, `whsec_` and 24 to 64 bytes in Base64. One is made where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing_secret: Option<Secret>,
    /// Of `slack`: the address of an incoming webhook, which is a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slack_url: Option<Secret>,
    /// Of `sns`: the ARN of the topic. Of `eventbridge`: the ARN of the event bus.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arn: Option<String>,
    /// Of `sns` and `eventbridge`: the ARN of a role to assume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_arn: Option<String>,
    /// Of `sns` and `eventbridge`: what the role's trust policy asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// Of `sns` and `eventbridge`: an access key, instead of what the process finds for itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_key_id: Option<Secret>,
    /// The secret that belongs to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_access_key: Option<Secret>,
    /// Of `smtp`: the mail server's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Of `smtp`: its port; by default the usual one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Of `smtp`: how the connection is protected; by default `starttls`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security: Option<MailSecurity>,
    /// Of `smtp`: as whom to sign in there; absent: not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Of `smtp`: with which password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// Of `smtp`: from whom the mails are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Of `smtp`: to whom they go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Vec<String>>,
    /// Of `smtp`: certificates in PEM, whom to trust besides those that the machine trusts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_certificates: Option<String>,
    /// Of `webhook`, `slack` and `smtp`: whether it may be in a private network; by default not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_private_address: Option<bool>,
}

/// How a destination is reached, without what is secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DestinationSettings {
    /// What it is.
    pub kind: DestinationKind,
    /// Where it is posted to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The topic or the event bus.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arn: Option<String>,
    /// The role that is assumed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_arn: Option<String>,
    /// What the role's trust policy asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// The last characters of the access key id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_key_id_ends: Option<String>,
    /// The mail server's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Its port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// How the connection to it is protected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security: Option<MailSecurity>,
    /// As whom to sign in there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// From whom the mails are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// To whom they go.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<String>,
    /// Whom to trust besides those that the machine trusts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_certificates: Option<String>,
    /// Whether it may be in a private network.
    #[serde(default)]
    pub allow_private_address: bool,
}

/// What came of sending a destination something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DestinationTest {
    /// Whether it took it.
    pub success: bool,
    /// What it said, in words.
    pub message: String,
    /// When.
    pub at: Timestamp,
    /// Whether it was the draft that was tested.
    pub of_draft: bool,
}

/// A destination. Secrets are never shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DestinationView {
    /// Its id.
    pub id: DestinationId,
    /// Its name.
    pub name: String,
    /// The team whose events it gets; `null`: those of the whole organisation.
    pub team_id: Option<TeamId>,
    /// What it is told of.
    pub categories: Vec<Category>,
    /// Whether it is told anything.
    pub enabled: bool,
    /// How it is reached; `null`: it is not in force yet.
    pub active: Option<DestinationSettings>,
    /// How it is to be reached, once that is tested and put into force.
    pub draft: Option<DestinationSettings>,
    /// What came of the last test, unless the draft has been changed since.
    pub test: Option<DestinationTest>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// The answer to `GET /admin/notifications/destinations`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DestinationList {
    /// All of them, by name.
    pub destinations: Vec<DestinationView>,
    /// Whether `BUDGET_NOTIFICATION_URL` is in use: as long as there is no destination.
    pub environment: bool,
}

/// The body of `POST /admin/notifications/destinations`. It begins as a draft.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CreateDestination {
    /// Its name.
    pub name: String,
    /// The team whose events it gets; absent: those of the whole organisation, or, said by a manager, of the manager's team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team_id: Option<TeamId>,
    /// What it is told of; absent: everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub categories: Option<Vec<Category>>,
    /// How it is to be reached.
    pub settings: DestinationSpec,
}

/// The body of `PUT /admin/notifications/destinations/{id}`, which is in force at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct UpdateDestination {
    /// Its name.
    pub name: String,
    /// The team whose events it gets; absent: those of the whole organisation, or, said by a manager, of the manager's team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team_id: Option<TeamId>,
    /// What it is told of.
    pub categories: Vec<Category>,
    /// Whether it is told anything.
    pub enabled: bool,
}

/// A destination that was made or given another draft.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CreatedDestination {
    /// The destination.
    pub destination: DestinationView,
    /// The secret that its signatures are made with, if one was made now. It is shown only here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signing_secret: Option<Secret>,
}

/// The query of `GET /admin/notifications/deliveries`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ListDeliveries {
    /// Only those in this state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<DeliveryState>,
    /// Only those to this destination.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination_id: Option<DestinationId>,
    /// Only those about this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<Category>,
    /// How many at most: 1 to 1000, by default 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// The `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// What became of telling a destination of an event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeliveryView {
    /// Its id.
    pub id: DeliveryId,
    /// The destination; `null`: `BUDGET_NOTIFICATION_URL`.
    pub destination_id: Option<DestinationId>,
    /// The destination's name.
    pub destination: String,
    /// Where it stands.
    pub state: DeliveryState,
    /// How often it was tried.
    pub attempts: u32,
    /// What the destination said last, in words.
    pub answer: Option<String>,
    /// When it is tried next; `null` if it is not.
    pub next_attempt_at: Option<Timestamp>,
    /// When it was last changed.
    pub changed_at: Timestamp,
    /// What the destination is told.
    pub event: EventBody,
}

/// The answer to `GET /admin/notifications/deliveries`, the newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeliveryList {
    /// This page.
    pub deliveries: Vec<DeliveryView>,
    /// How many there are on all pages.
    pub total: u64,
    /// Asks for the next page; `null` on the last.
    pub next_cursor: Option<String>,
}

/// Somebody or something that an event is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EventSubject {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// What destinations are told: the body of a webhook, the message of SNS, the detail of EventBridge.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EventBody {
    /// Names the event; the same however often it is sent.
    pub id: EventId,
    /// `budget.threshold_reached`, for example.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it happened.
    pub timestamp: Timestamp,
    /// What it is about.
    pub category: Category,
    /// How much it matters.
    pub severity: Severity,
    /// What happened, in one line for people.
    pub text: String,
    /// The page of the console about it; `null` where the gateway's public address is not configured.
    pub link: Option<String>,
    /// The team that it is about.
    pub team: Option<EventSubject>,
    /// The user that it is about.
    pub user: Option<EventSubject>,
    /// The figures, by type.
    pub data: Map<String, Value>,
}
