//! The part of an endpoint's form that is about the way there.

use super::form::FormData;
use ccag_admin_api::{EndpointView, ProxySpec, Secret};
use ccag_console::form::Field;
use ccag_console::page::NetworkForm;

/// The form for what is stored.
pub(super) fn stored(endpoint: &EndpointView) -> NetworkForm {
    let proxy = endpoint.proxy.clone().unwrap_or_default();
    NetworkForm {
        has_password: proxy.user.is_some(),
        proxy_url: Field::new(proxy.url),
        proxy_user: Field::new(proxy.user.unwrap_or_default()),
        ca_certificates: Field::new(endpoint.ca_certificates.clone().unwrap_or_default()),
        use_fips: Field::new(if endpoint.use_fips { "yes" } else { "" }),
        ..NetworkForm::default()
    }
}

/// The form as it was sent, over the page's, which knows what is stored. The password does not come back.
pub(super) fn refill(form: &FormData, page: &NetworkForm) -> NetworkForm {
    let field = |name: &str| Field::new(form.text(name));
    NetworkForm {
        proxy_url: field("proxy_url"),
        proxy_user: field("proxy_user"),
        ca_certificates: field("ca_certificates"),
        use_fips: field("use_fips"),
        has_password: page.has_password,
        ..NetworkForm::default()
    }
}

/// The proxy that the form asks for.
pub(super) fn proxy(form: &FormData) -> Option<ProxySpec> {
    let user = form.optional("proxy_user");
    Some(ProxySpec {
        url: form.optional("proxy_url")?,
        // A browser fills in passwords where nobody has asked for it to.
        password: form
            .optional("proxy_password")
            .filter(|_| user.is_some())
            .map(Secret::new),
        user,
    })
}
