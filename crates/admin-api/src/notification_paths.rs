//! Where notifications are.

use crate::paths::fill;
use ccag_domain::{DeliveryId, DestinationId};

/// `GET`: list, `POST`: create.
pub const DESTINATIONS: &str = "/admin/notifications/destinations";
/// `GET`, `PUT`, `DELETE` (204).
pub const DESTINATION: &str = "/admin/notifications/destinations/{id}";
/// `PUT`: how it is to be reached; `DELETE`: forget that.
pub const DESTINATION_DRAFT: &str = "/admin/notifications/destinations/{id}/draft";
/// `POST`: send it something.
pub const DESTINATION_TEST: &str = "/admin/notifications/destinations/{id}/test";
/// `POST`: reach it as in the draft from now on.
pub const DESTINATION_ACTIVATE: &str = "/admin/notifications/destinations/{id}/activate";
/// `GET`: what became of telling destinations.
pub const DELIVERIES: &str = "/admin/notifications/deliveries";
/// `POST`: try one again that was given up.
pub const DELIVERY_RESEND: &str = "/admin/notifications/deliveries/{id}/resend";

/// One destination.
#[must_use]
pub fn destination(id: &DestinationId) -> String {
    fill(DESTINATION, "{id}", id.as_str())
}

/// A destination's draft.
#[must_use]
pub fn destination_draft(id: &DestinationId) -> String {
    fill(DESTINATION_DRAFT, "{id}", id.as_str())
}

/// Sends a destination something.
#[must_use]
pub fn destination_test(id: &DestinationId) -> String {
    fill(DESTINATION_TEST, "{id}", id.as_str())
}

/// Puts a destination's draft into force.
#[must_use]
pub fn destination_activate(id: &DestinationId) -> String {
    fill(DESTINATION_ACTIVATE, "{id}", id.as_str())
}

/// Tries a delivery again.
#[must_use]
pub fn delivery_resend(id: &DeliveryId) -> String {
    fill(DELIVERY_RESEND, "{id}", id.as_str())
}
