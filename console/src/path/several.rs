//! The addresses where something is done to several things at once.

/// The page that asks before several keys are revoked, and the form target that does it.
pub const REVOKE_KEYS: &str = "/console/keys/revoke";
/// The page that asks before something is done to several users, and the form target that does it.
pub const SEVERAL_USERS: &str = "/console/users/several";
/// The page that asks before several devices are signed out, and the form target that does it.
pub const END_LOGINS: &str = "/console/devices/end";
