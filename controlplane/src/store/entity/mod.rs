//! The tables, as sea-orm sees them. Nothing outside the store uses anything of them but the row structs.

#![expect(
    unreachable_pub,
    reason = "sea-orm's derive wants `pub` on the items of each entity"
)]
pub mod audit;
pub mod audit_head;
pub mod budget;
pub mod budget_account;
pub mod budget_event;
pub mod budget_holder;
pub mod budget_holding;
pub mod cache_loss;
pub mod capability_book;
pub mod capability_rule;
pub mod client_session;
pub mod config_change;
pub mod config_revision;
pub mod conversation;
pub mod device_grant;
pub mod endpoint;
pub mod endpoint_discovery;
pub mod endpoint_profile;
pub mod idempotent_request;
pub mod identity;
pub mod identity_provider;
pub mod learnt_fact;
pub mod limit;
pub mod login_failure;
pub mod model;
pub mod notification_condition;
pub mod notification_delivery;
pub mod notification_destination;
pub mod notification_event;
pub mod notification_mark;
pub mod paused_session;
pub mod policy;
pub mod price;
pub mod replica;
pub mod request_explanation;
pub mod scim_group;
pub mod scim_group_member;
pub mod scim_token;
pub mod scim_user;
pub mod search_provider;
pub mod seen_feature;
pub mod session;
pub mod session_breaker;
pub mod session_sum;
pub mod setting;
pub mod setup_token;
pub mod sign_in_attempt;
pub mod signing_key;
pub mod spent_refresh_token;
pub mod team;
pub mod team_endpoint;
pub mod tool_sum;
pub mod usage_pack;
pub mod usage_quarantine;
pub mod usage_record;
pub mod usage_rollup;
pub mod usage_sum;
pub mod used_session;
pub mod user;
pub mod virtual_key;

/// Whether a secret is set: all that the audit log says of it. Fields that are skipped are in the log under another name, are made
/// of others, or are no part of what somebody changes.
fn is_set<S: serde::Serializer>(secret: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bool(secret.is_some())
}
