//! The way to the control plane.

use super::{InvalidConfig, Secret, non_empty};
use crate::sync::{ControlLink, LinkError, check_url};
use ccag_daemon::certificates::{Files, Followed, Pair};
use serde::Deserialize;
use std::path::{Path, PathBuf};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ControlSection {
    pub(super) urls: Vec<String>,
    pub(super) join_token: Secret,
    pub(super) ca_file: String,
    pub(super) client_cert: String,
    pub(super) client_key: String,
    pub(super) trust_s: u64,
}

pub(super) fn control_link(section: ControlSection) -> Result<ControlLink, InvalidConfig> {
    if section.urls.is_empty() {
        return Err(LinkError::Missing.into());
    }
    for url in &section.urls {
        check_url(url)?;
    }
    let certificates = certificates(&section)?;
    Ok(ControlLink::Url {
        urls: section.urls,
        join_token: section.join_token.into_option(),
        certificates,
    })
}

/// Who is trusted and what is shown, where either is set.
fn certificates(section: &ControlSection) -> Result<Option<Followed>, InvalidConfig> {
    let wrong = |key, reason: String| InvalidConfig::Value { key, reason };
    let (ca, cert, key) = (&section.ca_file, &section.client_cert, &section.client_key);
    let own = match (cert.is_empty(), key.is_empty()) {
        (true, true) => None,
        (false, false) => Some(Pair {
            cert: cert.into(),
            key: key.into(),
        }),
        (true, false) => {
            let reason = "is not set though the key is; set CCAG_GRPC_CLIENT_CERT".to_owned();
            return Err(wrong("control.client_cert", reason));
        }
        (false, true) => {
            let reason = "is not set though the certificate is; set CCAG_GRPC_CLIENT_KEY".to_owned();
            return Err(wrong("control.client_key", reason));
        }
    };
    if let Some(url) = section
        .urls
        .iter()
        .find(|url| own.is_some() && !url.starts_with("https:"))
    {
        let reason = format!(
            "is set, and `{url}` is plain HTTP, where no certificate is shown; use https:// in CCAG_CONTROL_PLANE, or unset \
             CCAG_GRPC_CLIENT_CERT"
        );
        return Err(wrong("control.client_cert", reason));
    }
    let files = Files {
        own,
        authorities: non_empty(ca.clone()).map(PathBuf::from),
    };
    if files == Files::default() {
        return Ok(None);
    }
    Followed::open(files).map(Some).map_err(|bad| {
        let key = match &*bad.path {
            path if path == Path::new(ca) => "control.ca_file",
            path if path == Path::new(key) => "control.client_key",
            _ => "control.client_cert",
        };
        wrong(key, format!("names a file that is no good: {bad}"))
    })
}
