//! Where what was used is. See [`crate::paths`].

/// `GET`: sums.
pub const USAGE_SUMMARY: &str = "/admin/usage/summary";
/// `GET`: the ledger.
pub const USAGE_EXPORT: &str = "/admin/usage/export";
/// `GET`: the same as charges in the form of FOCUS, hour by hour.
pub const USAGE_FOCUS: &str = "/admin/usage/focus";
/// `GET`: what a range would cost at the prices now in the history; `POST`: give it those costs.
pub const REPRICE: &str = "/admin/usage/reprice";
