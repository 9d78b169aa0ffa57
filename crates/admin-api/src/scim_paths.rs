//! Where SCIM is managed, for [`crate::paths`].

use crate::paths::segment;
use ccag_domain::ProviderId;

/// `GET`: how it stands with SCIM, `PUT`: switch it on or off; both answer with how it stands.
pub const IDP_SCIM: &str = "/admin/idps/{id}/scim";
/// `GET`: list, `POST`: make one, which is shown only then.
pub const IDP_SCIM_TOKENS: &str = "/admin/idps/{id}/scim-tokens";
/// `DELETE`: revoke; 204.
pub const IDP_SCIM_TOKEN: &str = "/admin/idps/{id}/scim-tokens/{token_id}";
/// `GET`, `PUT`: the groups whose members are admins.
pub const IDP_SCIM_ADMIN_GROUPS: &str = "/admin/idps/{id}/scim-admin-groups";

/// Where providers send their SCIM requests.
pub const SCIM: &str = "/scim/v2";

/// SCIM of one provider.
#[must_use]
pub fn idp_scim(id: &ProviderId) -> String {
    of(IDP_SCIM, id)
}

/// The SCIM tokens of one provider.
#[must_use]
pub fn idp_scim_tokens(id: &ProviderId) -> String {
    of(IDP_SCIM_TOKENS, id)
}

/// One SCIM token.
#[must_use]
pub fn idp_scim_token(id: &ProviderId, token: &str) -> String {
    of(IDP_SCIM_TOKEN, id).replace("{token_id}", &segment(token))
}

/// The groups whose members are admins.
#[must_use]
pub fn idp_scim_admin_groups(id: &ProviderId) -> String {
    of(IDP_SCIM_ADMIN_GROUPS, id)
}

fn of(template: &str, id: &ProviderId) -> String {
    template.replacen("{id}", id.as_str(), 1)
}
