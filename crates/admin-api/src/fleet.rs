//! The data planes, and the gateway as a whole.

use crate::Timestamp;
use ccag_domain::ReplicaId;

/// The answer to `GET /admin/fleet`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FleetView {
    /// The newest revision of the configuration.
    pub revision: u64,
    /// The data planes, by name. One that has been gone for long is forgotten.
    pub replicas: Vec<ReplicaView>,
}

/// One data plane.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReplicaView {
    /// Its id: a new one for each data directory.
    pub id: ReplicaId,
    /// Its name: the host's, or what the operator chose.
    pub name: String,
    /// The version of its software.
    pub version: String,
    /// Whether it has a stream to a control plane.
    pub connected: bool,
    /// Whether it is shutting down.
    pub draining: bool,
    /// When its process started.
    pub started_at: Timestamp,
    /// When it was last heard of.
    pub last_seen_at: Timestamp,
    /// The revision it has applied.
    pub applied_revision: u64,
    /// How many revisions it is behind.
    pub lag: u64,
    /// 99 % of the changes were applied within so many milliseconds; `null` before the first.
    pub apply_p99_ms: Option<u64>,
    /// Usage records that wait on its disk to be delivered.
    pub spooled_records: u64,
    /// Model requests that it is serving.
    pub in_flight: u32,
    /// What it could not apply: these objects fail closed on it.
    pub rejected: Vec<RejectedObject>,
    /// The endpoints that it tries last, since requests to them failed lately.
    #[serde(default)]
    pub troubles: Vec<EndpointTrouble>,
}

/// An endpoint, or one model of it, that a data plane tries last until it answers again.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EndpointTrouble {
    /// The endpoint.
    pub endpoint_id: String,
    /// Its name; empty if it is gone.
    pub endpoint: String,
    /// The Bedrock model that is meant; `null` for the endpoint as a whole.
    pub model: Option<String>,
    /// `unreachable`, `unavailable`, `throttled`, `daily_quota`, `credentials` or `model_missing`.
    pub cause: String,
    /// What that means, and what helps.
    pub text: String,
    /// Since when.
    pub since: Timestamp,
    /// When it is tried again, to see.
    pub until: Timestamp,
}

/// A configuration object that a data plane could not apply.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RejectedObject {
    /// What kind of object.
    pub kind: String,
    /// Its id.
    pub id: String,
    /// Why.
    pub reason: String,
}

/// The answer to `GET /admin/status`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StatusView {
    /// The version of the control plane that answered.
    pub version: String,
    /// The newest revision of the configuration.
    pub revision: u64,
    /// `postgres` or `sqlite`.
    pub database: String,
    /// When the control plane that answered started.
    pub started_at: Timestamp,
    /// For how many seconds it has been up.
    pub uptime_s: u64,
    /// How the data planes are doing.
    pub replicas: ReplicaCounts,
}

/// Data planes, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReplicaCounts {
    /// Those that have a stream to a control plane.
    pub connected: u64,
    /// Those of them that have applied the newest revision.
    pub up_to_date: u64,
    /// All that are known.
    pub known: u64,
}
