//! The way from the planes to AWS: through a proxy, with certificates of one's own, to endpoints that are validated for FIPS.

use crate::ServiceSecret;

/// How connections for an endpoint are made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Network {
    /// The proxy that all of them go through; `None` leaves it to the environment.
    pub proxy: Option<Proxy>,
    /// Certificates to trust besides those that the machine trusts, as PEM.
    pub ca_certificates: Option<String>,
    /// Whether AWS's FIPS endpoints are called, where no URL says otherwise.
    pub use_fips: bool,
}

/// An HTTP proxy, which is asked to `CONNECT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// Its URL, `http` or `https`, without a user and a password.
    pub url: String,
    /// Who asks, where it wants to know.
    pub login: Option<ProxyLogin>,
}

/// A user of a proxy's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyLogin {
    /// The name.
    pub user: String,
    /// The password; `None` if it is not at hand, and then the proxy is not asked at all.
    pub password: Option<ServiceSecret>,
}

impl Network {
    /// Takes what is secret out of it; whether there was anything.
    pub fn strip(&mut self) -> bool {
        let login = self.proxy.as_mut().and_then(|proxy| proxy.login.as_mut());
        login.and_then(|login| login.password.take()).is_some()
    }
}

/// Whether Bedrock has FIPS endpoints in a region, for requests and for control operations (AWS general reference, "Amazon
/// Bedrock endpoints and quotas", read in November 2026).
#[must_use]
pub fn bedrock_has_fips(region: &str) -> bool {
    region == "ca-central-1" || us_has_fips(region)
}

/// Whether STS has one (botocore, `endpoints.json`; in GovCloud the ordinary endpoint is validated).
#[must_use]
pub fn sts_has_fips(region: &str) -> bool {
    us_has_fips(region)
}

/// Whether Service Quotas has one (botocore, `endpoints.json`): in GovCloud only, where it is the ordinary endpoint.
#[must_use]
pub fn quotas_have_fips(region: &str) -> bool {
    region.starts_with("us-gov-")
}

fn us_has_fips(region: &str) -> bool {
    matches!(region, "us-east-1" | "us-east-2" | "us-west-1" | "us-west-2") || region.starts_with("us-gov-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fips_is_known_where_aws_has_it() {
        assert!(bedrock_has_fips("us-gov-west-1") && bedrock_has_fips("ca-central-1"));
        assert!(!sts_has_fips("ca-central-1") && sts_has_fips("us-east-1"));
        assert!(!bedrock_has_fips("eu-west-1") && !bedrock_has_fips("cn-north-1"));
        assert!(!quotas_have_fips("us-east-1"));
    }

    #[test]
    fn stripping_leaves_a_user_that_cannot_log_in() {
        let login = ProxyLogin {
            user: "ccag".into(),
            password: Some(ServiceSecret::new("hush")),
        };
        let mut network = Network {
            proxy: Some(Proxy {
                url: "http://proxy.example:3128".into(),
                login: Some(login),
            }),
            ..Network::default()
        };
        assert!(!format!("{network:?}").contains("hush"));
        assert!(network.strip() && !network.strip());
        assert_eq!(network.proxy.unwrap().login.unwrap().password, None);
    }
}
