//! The way to an endpoint, as it is given on the command line.

use crate::error::CliError;
use ccag_admin_api::{EndpointView, ProxySpec, Secret};
use clap::Args;
use std::path::PathBuf;

/// A proxy, certificates, FIPS.
#[derive(Debug, Args)]
pub(super) struct NetworkArgs {
    /// The HTTP proxy that all calls of the endpoint go through, such as http://proxy.example:3128; by default as the planes'
    /// HTTPS_PROXY says
    #[arg(long, value_name = "URL")]
    proxy: Option<String>,
    /// The user that the proxy wants to know. The password is read from CCAG_ENDPOINT_PROXY_PASSWORD: other users of the
    /// machine can see command lines
    #[arg(long, value_name = "NAME", requires = "proxy")]
    proxy_user: Option<String>,
    /// The password of the proxy's user, from the environment
    #[arg(
        long,
        env = "CCAG_ENDPOINT_PROXY_PASSWORD",
        hide = true,
        hide_env_values = true
    )]
    proxy_password: Option<Secret>,
    /// A PEM file of CA certificates to trust besides those that the planes' machines trust
    #[arg(long, value_name = "FILE")]
    ca_certificates: Option<PathBuf>,
    /// Whether to call AWS's FIPS endpoints
    #[arg(long, value_name = "YES")]
    use_fips: Option<bool>,
}

/// What is asked for.
pub(super) struct Read {
    pub(super) proxy: Option<ProxySpec>,
    pub(super) ca_certificates: Option<String>,
    pub(super) use_fips: Option<bool>,
}

impl NetworkArgs {
    /// What is asked for.
    pub(super) fn read(self) -> Result<Read, CliError> {
        let ca_certificates = match self.ca_certificates {
            None => None,
            Some(path) => {
                let text = std::fs::read_to_string(&path);
                Some(text.map_err(|e| CliError::Usage(format!("{} cannot be read: {e}", path.display())))?)
            }
        };
        let user = self.proxy_user;
        Ok(Read {
            proxy: self.proxy.map(|url| ProxySpec {
                url,
                password: self.proxy_password.filter(|_| user.is_some()),
                user,
            }),
            ca_certificates,
            use_fips: self.use_fips,
        })
    }
}

/// The lines of a card about the way.
pub(super) fn lines(endpoint: &EndpointView) -> Vec<(&'static str, String)> {
    let proxy = endpoint.proxy.as_ref().map(|proxy| match &proxy.user {
        Some(user) => format!("{}, as {user}", proxy.url),
        None => proxy.url.clone(),
    });
    let own = endpoint.ca_certificates.as_deref().unwrap_or_default();
    vec![
        (
            "Proxy",
            proxy.unwrap_or_else(|| "as the planes' HTTPS_PROXY says".to_owned()),
        ),
        (
            "Trusts",
            match own.matches("BEGIN CERTIFICATE").count() {
                0 => "what the planes' machines trust".to_owned(),
                1 => "a certificate of its own, too".to_owned(),
                n => format!("{n} certificates of its own, too"),
            },
        ),
        (
            "FIPS",
            if endpoint.use_fips {
                "AWS's FIPS endpoints"
            } else {
                "no"
            }
            .to_owned(),
        ),
    ]
}
