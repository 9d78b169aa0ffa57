//! What both planes need of AWS: how it is reached ([`settings`]), with which credentials ([`credentials`]), the signature
//! ([`sign`]), connections ([`tls`]), and what an endpoint's account and region offer ([`control`], [`discovery`],
//! [`availability`]), what it may do there ([`permissions`]), and data keys of its key management ([`kms`]).
//!
//! Requests to AWS are made by ourselves, without its SDK: no hidden retries, and nothing is linked that is not used.

pub mod availability;
pub mod control;
pub mod credentials;
pub mod discovery;
pub mod kms;
pub mod permissions;
pub mod settings;
pub mod sign;
pub mod tls;

pub use control::{ControlClient, ControlConfig, ControlError};
pub use credentials::CredentialStore;
pub use kms::DataKey;
pub use settings::{AwsCredentials, AwsSettings};
pub use tls::BadBundle;

/// What a path segment may hold unencoded (RFC 3986, section 2.3).
pub const SEGMENT: &percent_encoding::AsciiSet = &percent_encoding::NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The public URL of one of AWS's services (AWS general reference, "Amazon Bedrock endpoints").
#[must_use]
pub fn public_url(service: &str, region: &str, use_fips: bool) -> String {
    let fips = if use_fips { "-fips" } else { "" };
    let domain = if region.starts_with("cn-") {
        "amazonaws.com.cn"
    } else {
        "amazonaws.com"
    };
    format!("https://{service}{fips}.{region}.{domain}")
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
