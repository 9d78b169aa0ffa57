//! The way to an endpoint: what was entered, checked, with what is stored where a password was not entered again.

use super::super::{App, validate_aws};
use crate::store::entity::endpoint;
use crate::store::network;
use ccag_admin_api::{Patch, ProxySpec, Secret};
use ccag_aws::tls;
use ccag_domain::network::{bedrock_has_fips, sts_has_fips};
use ccag_domain::{Code, Network, Problem, Proxy, ProxyLogin, ServiceSecret};
use url::Url;

/// The most characters of PEM: some dozens of certificates. Every data plane gets them with every change of the endpoint.
const MAX_PEM: usize = 100_000;

/// The most characters of a user's name, and of a password.
const MAX_LOGIN: usize = 500;

/// What is to be.
pub(super) struct Wish {
    pub(super) proxy: Patch<ProxySpec>,
    pub(super) ca_certificates: Patch<String>,
    pub(super) use_fips: bool,
}

fn invalid(field: &str, message: impl Into<String>) -> Problem {
    Problem::new(Code::InvalidRequest, message).field(field)
}

/// Writes the wish into the row, whose region, role and URLs are those that will be. Returns whether what is sent there could be
/// read by somebody else than before: through another proxy, or by whoever a new certificate stands for.
pub(super) fn edit(app: &App, row: &mut endpoint::Model, wish: Wish) -> Result<bool, Problem> {
    let stored = network::without_secrets(row)?;
    let proxy = match wish.proxy {
        Patch::Keep => stored.proxy.clone(),
        Patch::Clear => None,
        Patch::Set(spec) => Some(proxy(spec, stored.proxy.as_ref())?),
    };
    let ca_certificates = match wish.ca_certificates {
        Patch::Keep => stored.ca_certificates.clone(),
        Patch::Clear => None,
        Patch::Set(pem) => certificates(pem)?,
    };
    let wanted = Network {
        proxy,
        ca_certificates,
        use_fips: wish.use_fips,
    };
    fips(row, &wanted)?;
    network::put(app.store.secrets(), row, &wanted);
    let url = |network: &Network| network.proxy.as_ref().map(|proxy| proxy.url.clone());
    let is_new = |now: Option<String>, before: Option<String>| now.is_some() && now != before;
    Ok(is_new(url(&wanted), url(&stored)) || is_new(wanted.ca_certificates, stored.ca_certificates))
}

fn proxy(spec: ProxySpec, stored: Option<&Proxy>) -> Result<Proxy, Problem> {
    let url = proxy_url(spec.url.trim())?;
    let user = validate_aws::filled(spec.user);
    let password = spec.password.filter(|text| !text.reveal().is_empty());
    let Some(user) = user else {
        if password.is_some() {
            return Err(invalid(
                "proxy.user",
                "Give the user whose password this is, or leave both out.",
            ));
        }
        return Ok(Proxy { url, login: None });
    };
    let is_login = |text: &str| text.len() <= MAX_LOGIN && !text.chars().any(char::is_control);
    if !is_login(&user) || user.contains(':') {
        return Err(invalid(
            "proxy.user",
            "The user of a proxy has at most 500 characters and no colon.",
        ));
    }
    let is_kept =
        |proxy: &Proxy| proxy.url == url && proxy.login.as_ref().is_some_and(|login| login.user == user);
    let password = match password {
        Some(text) if !is_login(text.reveal()) => {
            return Err(invalid(
                "proxy.password",
                "This is too long for a password, or has characters that cannot be typed: was it copied whole, and alone?",
            ));
        }
        Some(text) => Some(secret(&text)),
        // It goes where it was meant for, and to nobody else.
        None if stored.is_some_and(is_kept) => None,
        None => {
            return Err(invalid(
                "proxy.password",
                "Give the password of this user at this proxy.",
            ));
        }
    };
    Ok(Proxy {
        url,
        login: Some(ProxyLogin { user, password }),
    })
}

fn secret(text: &Secret) -> ServiceSecret {
    ServiceSecret::new(text.reveal())
}

/// Refuses what is not the address of a proxy.
fn proxy_url(text: &str) -> Result<String, Problem> {
    let wrong = |message: &str| Err(invalid("proxy.url", message));
    let Ok(url) = Url::parse(text) else {
        return wrong("This is not the URL of a proxy, such as `http://proxy.example:3128`.");
    };
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return wrong("A proxy is reached by `http://` or `https://`; SOCKS is not spoken.");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return wrong(
            "Give the user and the password in their own fields: a URL is shown, and they are not.",
        );
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() || text.len() > 500 {
        return wrong("The URL of a proxy has a host and a port, and nothing after them.");
    }
    Ok(text.trim_end_matches('/').to_owned())
}

fn certificates(pem: String) -> Result<Option<String>, Problem> {
    let Some(pem) = validate_aws::filled(Some(pem)) else {
        return Ok(None);
    };
    if pem.len() > MAX_PEM {
        return Err(invalid(
            "ca_certificates",
            "These are more than 100,000 characters.",
        ));
    }
    // What else stands in the file is not kept, least of all a key.
    let mut kept = String::new();
    for part in pem.split("-----BEGIN CERTIFICATE-----").skip(1) {
        let body = part.split("-----END CERTIFICATE-----").next().unwrap_or_default();
        kept.push_str("-----BEGIN CERTIFICATE-----");
        kept.push_str(body);
        kept.push_str("-----END CERTIFICATE-----\n");
    }
    match tls::check_pem(&kept) {
        Ok(_) => Ok(Some(kept)),
        Err(reason) => Err(invalid(
            "ca_certificates",
            format!(
                "These are not certificates in PEM, which begin with `-----BEGIN CERTIFICATE-----`: {reason}."
            ),
        )),
    }
}

/// Refuses FIPS where AWS is known to have no such endpoint, and no URL is given instead.
fn fips(row: &endpoint::Model, network: &Network) -> Result<(), Problem> {
    let region = validate_aws::filled(row.region.clone());
    let (true, Some(region)) = (network.use_fips, region) else {
        return Ok(());
    };
    let has_url = validate_aws::filled(row.runtime_url.clone()).is_some();
    if !has_url && !bedrock_has_fips(&region) {
        return Err(invalid(
            "use_fips",
            format!(
                "AWS has no FIPS endpoint for Bedrock in {region}: it has them in US regions, in ca-central-1 and in GovCloud. \
                 Choose one of these, or give the URL of Bedrock Runtime."
            ),
        ));
    }
    if validate_aws::filled(row.role_arn.clone()).is_some() && !sts_has_fips(&region) && !has_url {
        return Err(invalid(
            "use_fips",
            format!("AWS STS has no FIPS endpoint in {region}, so a role cannot be assumed there by one."),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(url: &str, user: Option<&str>, password: Option<&str>) -> ProxySpec {
        ProxySpec {
            url: url.into(),
            user: user.map(str::to_owned),
            password: password.map(Secret::new),
        }
    }

    #[test]
    fn a_proxys_url_shows_nobodys_password() {
        assert_eq!(
            proxy_url("http://proxy.example:3128/").unwrap(),
            "http://proxy.example:3128"
        );
        for bad in [
            "http://ccag:hush@proxy.example:3128",
            "socks5://proxy.example",
            "proxy.example:3128",
            "http://proxy.example/x",
            "",
        ] {
            let problem = proxy_url(bad).unwrap_err();
            assert_eq!(problem.field.as_deref(), Some("proxy.url"), "{bad}");
            assert!(!problem.message.contains("hush"));
        }
    }

    #[test]
    fn a_password_that_is_stored_stays_with_its_proxy_and_its_user() {
        const URL: &str = "http://proxy.example:3128";
        let stored = proxy(spec(URL, Some("ccag"), Some("hush")), None).unwrap();
        let kept = proxy(spec(URL, Some("ccag"), None), Some(&stored)).unwrap();
        assert_eq!(kept.login.unwrap().password, None, "the row's stays");
        for other in [
            spec("http://other.example:3128", Some("ccag"), None),
            spec(URL, Some("other"), None),
        ] {
            let problem = proxy(other, Some(&stored)).unwrap_err();
            assert_eq!(problem.field.as_deref(), Some("proxy.password"));
        }
        let problem = proxy(spec(URL, None, Some("hush")), None).unwrap_err();
        assert_eq!(problem.field.as_deref(), Some("proxy.user"));
    }

    #[test]
    fn only_certificates_are_kept_and_only_real_ones() {
        assert_eq!(certificates("  ".into()).unwrap(), None);
        for bad in [
            "hello",
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
        ] {
            let problem = certificates(bad.into()).unwrap_err();
            assert_eq!(problem.field.as_deref(), Some("ca_certificates"), "{bad}");
        }
    }
}
