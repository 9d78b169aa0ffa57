//! The paths of setting up Claude Code, which [`paths`](crate::paths) names.

use crate::paths::fill;
use ccag_domain::KeyId;

/// `GET`, `PUT`: what the setup script does.
pub const SETUP_SETTINGS: &str = "/admin/setup";
/// `GET`: the script that sets up Claude Code.
pub const SETUP: &str = "/setup";
/// `GET`: the same for PowerShell.
pub const SETUP_WINDOWS: &str = "/setup/windows";
/// `GET`: the helper that gets tokens for Claude Code.
pub const SETUP_HELPER: &str = "/setup/helper";
/// `GET`: what machines are given so that `/login` knows the gateway.
pub const SETUP_MANAGED: &str = "/setup/managed-settings.json";
/// `POST`: a setup token for a key.
pub const SETUP_REDEEM: &str = "/setup/redeem";
/// `POST`: a setup token of a key.
pub const KEY_SETUP_TOKEN: &str = "/admin/keys/{id}/setup-token";

/// Makes a setup token of a key.
#[must_use]
pub fn key_setup_token(id: &KeyId) -> String {
    fill(KEY_SETUP_TOKEN, "{id}", id.as_str())
}
