//! Signing in.

use crate::{Secret, Timestamp, UserView};
use ccag_domain::UnixMs;

/// What every session token starts with.
pub const SESSION_TOKEN_PREFIX: &str = "ccags_";

/// The body of `POST /auth/login`.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct LoginRequest {
    /// The user's name.
    pub username: String,
    /// Their password.
    pub password: Secret,
}

/// The answer to `POST /auth/login`. A wrong name or password is a 401.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LoginResponse {
    /// The session token (`ccags_…`), for the `Authorization: Bearer` header. It is shown only here.
    pub token: Secret,
    /// When it stops working.
    pub expires_at_ms: UnixMs,
    /// Who signed in.
    pub user: UserView,
}

/// The answer to `GET /auth/me`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Me {
    /// Who is asking.
    pub user: UserView,
    /// When the session ends.
    pub session_expires_at: Timestamp,
}
