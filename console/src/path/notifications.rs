//! Addresses of notifications.

use super::{DELIVERIES, NEW_DESTINATION, NOTIFICATIONS, encode, with_query};

/// The form for a new destination of a kind.
#[must_use]
pub fn new_destination(kind: &str) -> String {
    with_query(NEW_DESTINATION, &[("kind", kind)])
}

/// A destination's page, and the form target that changes it.
#[must_use]
pub fn destination(id: &str) -> String {
    format!("{NOTIFICATIONS}/{}", encode(id))
}

/// Form target for how a destination is to be reached.
#[must_use]
pub fn destination_draft(id: &str) -> String {
    format!("{NOTIFICATIONS}/{}/draft", encode(id))
}

/// Form target that forgets that.
#[must_use]
pub fn discard_draft(id: &str) -> String {
    format!("{NOTIFICATIONS}/{}/discard", encode(id))
}

/// Form target that sends a destination something.
#[must_use]
pub fn test_destination(id: &str) -> String {
    format!("{NOTIFICATIONS}/{}/test", encode(id))
}

/// Form target that puts a draft into force.
#[must_use]
pub fn activate_destination(id: &str) -> String {
    format!("{NOTIFICATIONS}/{}/activate", encode(id))
}

/// Page that asks before a destination is deleted, and form target.
#[must_use]
pub fn delete_destination(id: &str) -> String {
    format!("{NOTIFICATIONS}/{}/delete", encode(id))
}

/// What became of telling destinations: of one state and category, if any, one page.
#[must_use]
pub fn deliveries(state: &str, category: &str, page: u64) -> String {
    let page = if page == 1 {
        String::new()
    } else {
        page.to_string()
    };
    with_query(
        DELIVERIES,
        &[("state", state), ("category", category), ("page", &page)],
    )
}

/// Form target that sends again what was given up.
#[must_use]
pub fn resend_delivery(id: &str) -> String {
    format!("{DELIVERIES}/{}/resend", encode(id))
}
