//! The time, read in one place.

use ccag_admin_api::Timestamp;
use std::time::{SystemTime, UNIX_EPOCH};

/// The time of the machine's clock.
#[expect(
    clippy::disallowed_methods,
    reason = "the CLI's only look at the clock; what depends on it takes it as an argument"
)]
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_ms(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
