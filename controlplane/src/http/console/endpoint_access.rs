//! The part of an endpoint's form that is about credentials, and about what AWS is told and asked for.

use super::form::FormData;
use ccag_admin_api::{CredentialSpec, EndpointView, Secret};
use ccag_console::form::Field;
use ccag_console::page::AccessForm;
use ccag_domain::{CredentialKind, EndpointState, ServiceTier, SessionTags};

/// The form for what is stored.
pub(super) fn stored(endpoint: &EndpointView) -> AccessForm {
    let credentials = &endpoint.credentials;
    let what = match credentials.kind {
        CredentialKind::Process | CredentialKind::Profile => None,
        CredentialKind::Keys => credentials
            .access_key_id_ends
            .as_ref()
            .map(|ends| format!("the access key that ends in {ends}")),
        CredentialKind::ApiKey => Some("a Bedrock API key".to_owned()),
    };
    AccessForm {
        kind: Field::new(credentials.kind.as_str()),
        profile: Field::new(credentials.profile.clone().unwrap_or_default()),
        session_tags: Field::new(endpoint.session_tags.as_str()),
        service_tier: Field::new(endpoint.service_tier.map_or("", ServiceTier::as_str)),
        request_metadata: endpoint.request_metadata,
        stored: what
            .zip(credentials.set_at)
            .map(|(what, at)| format!("{what}, set at {at}")),
        ..AccessForm::default()
    }
}

/// The form as it was sent, over the page's, which knows what is stored. Secrets do not come back.
pub(super) fn refill(form: &FormData, page: &AccessForm) -> AccessForm {
    let field = |name: &str| Field::new(form.text(name));
    AccessForm {
        kind: field("credentials_kind"),
        access_key_id: field("access_key_id"),
        profile: field("profile"),
        session_tags: field("session_tags"),
        service_tier: field("service_tier"),
        request_metadata: form.ticked("request_metadata"),
        stored: page.stored.clone(),
        ..AccessForm::default()
    }
}

/// What the form asks for.
pub(super) struct Read {
    pub(super) credentials: Option<CredentialSpec>,
    pub(super) session_tags: SessionTags,
    pub(super) service_tier: Option<ServiceTier>,
}

/// Reads the form.
///
/// # Errors
/// If a field is wrong, which then says so.
pub(super) fn read(form: &FormData, filled: &mut AccessForm) -> Result<Read, ()> {
    let wrong = |field: &mut Field| field.error = Some("Choose one of those that are offered.".to_owned());
    let kind = match filled.kind.value.as_str() {
        "" => CredentialKind::Process,
        text => CredentialKind::parse(text).ok_or_else(|| wrong(&mut filled.kind))?,
    };
    let session_tags = match filled.session_tags.value.as_str() {
        "" => SessionTags::Off,
        text => SessionTags::parse(text).ok_or_else(|| wrong(&mut filled.session_tags))?,
    };
    let service_tier = match filled.service_tier.value.as_str() {
        "" => None,
        text => Some(ServiceTier::parse(text).ok_or_else(|| wrong(&mut filled.service_tier))?),
    };
    let secret = |name: &str, of: CredentialKind| {
        let text = form.optional(name).filter(|_| of == kind);
        text.map(Secret::new)
    };
    // What was entered for another kind than the chosen one is left aside.
    let spec = CredentialSpec {
        kind,
        access_key_id: secret("access_key_id", CredentialKind::Keys),
        secret_access_key: secret("secret_access_key", CredentialKind::Keys),
        session_token: secret("session_token", CredentialKind::Keys),
        profile: form
            .optional("profile")
            .filter(|_| kind == CredentialKind::Profile),
        api_key: secret("api_key", CredentialKind::ApiKey),
    };
    Ok(Read {
        credentials: (kind != CredentialKind::Process).then_some(spec),
        session_tags,
        service_tier,
    })
}

/// The state that the form asks for.
///
/// # Errors
/// If it is none, which the field then says.
pub(super) fn state(filled: &mut Field) -> Result<EndpointState, ()> {
    EndpointState::parse(&filled.value).ok_or_else(|| {
        filled.error = Some("Choose one of those that are offered.".to_owned());
    })
}
