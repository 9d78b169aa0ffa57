//! The way to endpoints: JSON in a column, and the password of a proxy, sealed, in another.

use super::StoreError;
use super::entity::endpoint;
use super::rows::read;
use crate::secrets::{Secrets, name};
use ccag_domain::{Network, Proxy, ProxyLogin, ServiceSecret};

/// What is not secret.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
struct OpenNetwork {
    #[serde(skip_serializing_if = "Option::is_none")]
    proxy_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proxy_user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ca_certificates: Option<String>,
    use_fips: bool,
}

/// The way to the endpoint of a row. One that cannot be read makes the whole row unreadable: another is never used instead.
pub(crate) fn without_secrets(row: &endpoint::Model) -> Result<Network, StoreError> {
    let Some(text) = row.network.as_deref() else {
        return Ok(Network::default());
    };
    let open: OpenNetwork = read("endpoints", "network", serde_json::from_str(text).ok())?;
    Ok(Network {
        proxy: open.proxy_url.map(|url| Proxy {
            url,
            login: open.proxy_user.map(|user| ProxyLogin { user, password: None }),
        }),
        ca_certificates: open.ca_certificates,
        use_fips: open.use_fips,
    })
}

/// Adds the password. One that cannot be opened is missing: the proxy is not asked without it.
pub(super) fn add_secrets(secrets: &Secrets, row: &endpoint::Model, network: &mut Network) {
    let login = network.proxy.as_mut().and_then(|proxy| proxy.login.as_mut());
    if let (Some(login), Some(sealed)) = (login, &row.network_secrets) {
        let opened = secrets.open(&name::proxy(&row.id), sealed);
        login.password = opened.and_then(|bytes| std::str::from_utf8(&bytes).map(ServiceSecret::new).ok());
    }
}

/// Writes the way into a row. Without a password, the one that is stored stays, if the proxy wants one.
pub(crate) fn put(secrets: &Secrets, row: &mut endpoint::Model, network: &Network) {
    let login = network.proxy.as_ref().and_then(|proxy| proxy.login.as_ref());
    match login.map(|login| &login.password) {
        Some(Some(password)) => {
            row.network_secrets = Some(secrets.seal(&name::proxy(&row.id), password.reveal().as_bytes()));
        }
        Some(None) => {}
        None => row.network_secrets = None,
    }
    let open = OpenNetwork {
        proxy_url: network.proxy.as_ref().map(|proxy| proxy.url.clone()),
        proxy_user: login.map(|login| login.user.clone()),
        ca_certificates: network.ca_certificates.clone(),
        use_fips: network.use_fips,
    };
    row.network = serde_json::to_string(&open)
        .ok()
        .filter(|_| open != OpenNetwork::default());
}

/// The way as an audit entry notes it: of certificates, how many there are.
pub(crate) fn noted<S: serde::Serializer>(
    network: &Option<String>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let open: OpenNetwork = network
        .as_deref()
        .and_then(|json| serde_json::from_str(json).ok())
        .unwrap_or_default();
    let certificates = open.ca_certificates.as_deref().unwrap_or_default();
    let noted = serde_json::json!({
        "proxy": open.proxy_url,
        "proxy_user": open.proxy_user,
        "ca_certificates": certificates.matches("BEGIN CERTIFICATE").count(),
        "use_fips": open.use_fips,
    });
    serde::Serialize::serialize(&noted, serializer)
}
