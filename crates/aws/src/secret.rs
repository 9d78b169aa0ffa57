//! Secrets that AWS Secrets Manager keeps (AWS Secrets Manager API reference, "GetSecretValue").
//!
//! Requests are signed with the process's own credentials, also where a Bedrock API key is at hand.

use crate::control::{Ask, ControlClient, ControlError};
use crate::domain;
use bytes::Bytes;
use ccag_domain::{Endpoint, EndpointId};
use serde::Deserialize;
use serde_json::json;
use zeroize::Zeroizing;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Value {
    secret_string: Option<String>,
}

/// The region that a secret's ARN names: `arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME`.
#[must_use]
pub fn region_of(secret_arn: &str) -> Option<&str> {
    let mut parts = secret_arn.splitn(7, ':');
    let known =
        parts.next() == Some("arn") && parts.next().is_some() && parts.next() == Some("secretsmanager");
    let region = parts.next().filter(|region| known && !region.is_empty())?;
    let is_account = parts.next().is_some_and(|account| account.len() == 12);
    (is_account && parts.next() == Some("secret") && parts.next().is_some_and(|name| !name.is_empty()))
        .then_some(region)
}

impl ControlClient {
    /// `GetSecretValue`: the current version of a secret that is a text, given by its ARN. Needs `secretsmanager:GetSecretValue` on it,
    /// and `kms:Decrypt` on its key where that is a customer's.
    ///
    /// # Errors
    /// [`ControlError`]; a secret that is no text is [`ControlError::Unreadable`].
    pub async fn secret_text(&self, secret_arn: &str) -> Result<Zeroizing<String>, ControlError> {
        const OPERATION: &str = "GetSecretValue";
        let unreadable = |reason: String| ControlError::Unreadable {
            operation: OPERATION,
            reason,
        };
        let region = region_of(secret_arn).ok_or(ControlError::NoRegion)?;
        let base = match &self.secrets_url {
            Some(url) => url.clone(),
            None => {
                let fips = if self.use_fips { "-fips" } else { "" };
                format!("https://secretsmanager{fips}.{region}.{}", domain(region))
            }
        };
        let ask = Ask {
            body: Some(Bytes::from(json!({ "SecretId": secret_arn }).to_string())),
            target: Some("secretsmanager.GetSecretValue"),
            ..Ask::new(OPERATION, "secretsmanager", &base, "/")
        };
        // No endpoint that anybody has configured: it stands for the process's own credentials in a region.
        let id = EndpointId::parse("end_secrets").map_err(|error| unreadable(error.to_string()))?;
        let here = Endpoint {
            region: Some(region.to_owned()),
            ..Endpoint::new(id, "Secrets Manager")
        };
        let answer = Zeroizing::new(self.ask(&here, ask).await?.to_vec());
        let value: Value = serde_json::from_slice(&answer).map_err(|error| unreadable(error.to_string()))?;
        value
            .secret_string
            .map(Zeroizing::new)
            .ok_or_else(|| unreadable("the secret is no text".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_region_of_a_secret_stands_in_its_arn() {
        let arn = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:ccag/db-AbCdEf";
        assert_eq!(region_of(arn), Some("eu-central-1"));
        for wrong in [
            "ccag/db",
            "arn:aws:kms:eu-central-1:111122223333:key/x",
            "arn:aws:secretsmanager::111122223333:secret:x",
            "arn:aws:secretsmanager:eu-central-1:111122223333:secret:",
            "arn:aws:secretsmanager:eu-central-1:1:secret:x",
        ] {
            assert_eq!(region_of(wrong), None, "{wrong}");
        }
    }
}
