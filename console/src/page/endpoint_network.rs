//! What the form for an endpoint asks about the way there.

use crate::form::{Choice, Field};
use crate::part::field::{Ask, input, select, textarea};
use leptos::prelude::*;

/// What the form holds. The password is empty: the one that is stored is never shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NetworkForm {
    /// The proxy's URL.
    pub proxy_url: Field,
    /// The user that it wants to know.
    pub proxy_user: Field,
    /// The user's password.
    pub proxy_password: Field,
    /// Certificates to trust besides those that the machines trust, as PEM.
    pub ca_certificates: Field,
    /// Whether AWS's FIPS endpoints are called.
    pub use_fips: Field,
    /// Whether a password is stored.
    pub has_password: bool,
}

impl NetworkForm {
    /// The field with this name in the admin API.
    pub fn field_mut(&mut self, name: &str) -> Option<&mut Field> {
        Some(match name {
            "proxy" | "proxy.url" => &mut self.proxy_url,
            "proxy.user" => &mut self.proxy_user,
            "proxy.password" => &mut self.proxy_password,
            "ca_certificates" => &mut self.ca_certificates,
            "use_fips" => &mut self.use_fips,
            _ => return None,
        })
    }

    /// The fields that can be wrong.
    pub(super) fn fields(&self) -> [(&'static Ask, &Field); 5] {
        [
            (&PROXY, &self.proxy_url),
            (&USER, &self.proxy_user),
            (&PASSWORD, &self.proxy_password),
            (&CERTIFICATES, &self.ca_certificates),
            (&FIPS, &self.use_fips),
        ]
    }

    /// The inputs.
    pub(super) fn inputs(&self) -> AnyView {
        let stored = self.has_password.then(|| {
            view! { <p class="quiet-note">"A password of the proxy's user is stored. Leave it empty to keep it; it is not shown any more."</p> }
        });
        view! {
            {input(PROXY, &self.proxy_url, &[])}
            {input(USER, &self.proxy_user, &[])}
            {stored}
            {input(PASSWORD, &self.proxy_password, &[])}
            {textarea(CERTIFICATES, &self.ca_certificates, 4)}
            {select(FIPS, &self.use_fips, &fips())}
        }
        .into_any()
    }
}

fn fips() -> Vec<Choice> {
    vec![
        Choice::new("", "The ordinary ones"),
        Choice::new("yes", "FIPS endpoints"),
    ]
}

const PROXY: Ask = Ask::line(
    "proxy_url",
    "Proxy",
    "Such as http://proxy.example:3128. Everything of the endpoint goes through it. Empty: as the planes' HTTPS_PROXY says.",
    false,
    500,
);
const USER: Ask = Ask::line(
    "proxy_user",
    "User of the proxy",
    "If it wants to know one.",
    false,
    500,
);
const PASSWORD: Ask = Ask {
    kind: "password",
    autocomplete: "new-password",
    ..Ask::line(
        "proxy_password",
        "Password of the proxy's user",
        "Sealed under the master key, and not shown any more once it is saved.",
        false,
        500,
    )
};
const CERTIFICATES: Ask = Ask::line(
    "ca_certificates",
    "CA certificates",
    "To trust besides those that the planes' machines trust, as PEM: of a CA of your own, or of a proxy that opens connections.",
    false,
    100_000,
);
const FIPS: Ask = Ask::line(
    "use_fips",
    "AWS's endpoints",
    "AWS has FIPS endpoints in US regions, in ca-central-1 and in GovCloud. URLs that are given stay as they are.",
    false,
    0,
);
