//! What both planes need of AWS: how it is reached ([`settings`]), with which credentials ([`credentials`]), the signature
//! ([`sign`]), connections ([`connections`], [`proxy`], [`tls`]), and what an endpoint's account and region offer ([`control`],
//! [`discovery`], [`availability`]), how much of it the account may use ([`quotas`]), what it may do there ([`permissions`]), and
//! data keys of its key management ([`kms`]), whose they are and what time it is there ([`identity`]), and topics and event buses ([`notify`]).
//!
//! Requests to AWS are made by ourselves, without its SDK: no hidden retries, and nothing is linked that is not used.

mod ask;
pub mod availability;
pub mod check;
pub mod connections;
pub mod control;
pub mod credentials;
pub mod discovery;
pub mod identity;
pub mod kms;
pub mod notify;
pub mod permissions;
mod pieces;
pub mod proxy;
pub mod quotas;
pub mod secret;
pub mod settings;
pub mod sign;
pub mod tls;

pub use connections::{ConnectionConfig, Connections};
pub use control::{ControlClient, ControlConfig, ControlError};
pub use credentials::CredentialStore;
pub use kms::DataKey;
pub use pieces::Pieces;
pub use settings::{AwsCredentials, AwsSettings};
pub use tls::BadBundle;

/// What a path segment may hold unencoded (RFC 3986, section 2.3).
pub const SEGMENT: &percent_encoding::AsciiSet = &percent_encoding::NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The public URL of one of Bedrock's services, `bedrock` or `bedrock-runtime` (AWS general reference, "Amazon Bedrock
/// endpoints").
///
/// # Errors
/// If AWS has no FIPS endpoint in the region: another one is not called instead.
pub fn public_url(service: &str, region: &str, use_fips: bool) -> Result<String, String> {
    if use_fips && !ccag_domain::network::bedrock_has_fips(region) {
        return Err(format!(
            "Bedrock has no FIPS endpoint in {region}: choose a region that has one, name a URL, or do without FIPS"
        ));
    }
    let fips = if use_fips { "-fips" } else { "" };
    Ok(format!("https://{service}{fips}.{region}.{}", domain(region)))
}

/// The domain of the partition that a region belongs to.
fn domain(region: &str) -> &'static str {
    if region.starts_with("cn-") {
        "amazonaws.com.cn"
    } else if region.starts_with("eusc-") {
        "amazonaws.eu"
    } else {
        "amazonaws.com"
    }
}

/// An error and its causes, for logs: the outermost one says only that something went wrong.
pub fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_urls_follow_the_partition() {
        let url = |service, region, fips| public_url(service, region, fips).unwrap();
        assert_eq!(
            url("bedrock-runtime", "eu-west-1", false),
            "https://bedrock-runtime.eu-west-1.amazonaws.com"
        );
        assert_eq!(
            url("bedrock-runtime", "us-gov-west-1", true),
            "https://bedrock-runtime-fips.us-gov-west-1.amazonaws.com"
        );
        assert_eq!(
            url("bedrock", "cn-north-1", false),
            "https://bedrock.cn-north-1.amazonaws.com.cn"
        );
        assert!(public_url("bedrock", "cn-north-1", true).is_err());
    }
}
